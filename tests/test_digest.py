"""A kept training is stale when, and only when, code that it ran through changed."""

import utils
from utils.engine.digest import ROOT, code_digest

import re
import shutil

import pytest

SCRIPT = """
import beside
import utils


def fit(net, train_set, loss, trainer):
    batches = utils.data_loader(train_set, beside.BATCH)
    return utils.train(batches, None, net, loss, trainer, utils.try_gpu(), 1)


def one_run():
    train_set = utils.VOCSegDataset(True, (32, 32))
    return fit(utils.fcn(3, stride=8), train_set, utils.SoftmaxCrossEntropyLoss(), None)


def other():
    return 1


if __name__ == "__main__":
    other()
"""


@pytest.fixture
def course(tmp_path):
    """A copy of `utils`, with a script that trains, as those in results/ do, and a file that the script imports."""
    shutil.copytree(ROOT / "utils", tmp_path / "utils", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "beside.py").write_text("BATCH = 8\n")
    return tmp_path


def _change(path, old, new):
    text = path.read_text()
    assert len(re.findall(old, text)) >= 1, f"{path.name} has no {old}"
    path.write_text(re.sub(old, new, text, count=1))


def _digest(course):
    return code_digest((course / "script.py", "one_run"), root=course)


RAN_THROUGH = {
    "the loss is 0": ("losses.py", r"loss = -F\.pick", "loss = 0 * F.pick"),
    "the step": ("engine/train.py", r"trainer\.step\(x\.shape\[0\]\)", "trainer.step(1)"),
    "the crop": ("data/transforms.py", r"side - part \+ 1", "side - part"),
    "the mean": ("data/transforms.py", r"0\.485", "0.5"),
    "a score layer": ("models/fcn.py", r"init\.Zero\(\)", "init.One()"),
    "how the backbone is made": ("models/backbones.py", r"\*layers\[1:-2\]", "*layers[1:-3]"),
    "the entry of the backbone": ("models/backbones.py", r'"resnet18_v2"\),', '"resnet34_v2"),'),
    "the enlargement": ("models/upsampling.py", r"\(kernel_size \+ 1\) // 2", "kernel_size // 2"),
    "a check of the loss": ("engine/preflight.py", r"if losses\.shape != \(len\(labels\),\)", "if False"),
    "how an epoch is seeded": ("engine/checkpoint/checkpoints.py", r"if epoch > 1:", "if epoch > 2:"),
    "the threads": ("core/device.py", r"memory\.keep\(\)", "pass"),
    "the script itself": ("../script.py", "utils.fcn\\(3", "utils.fcn(4"),
    "what the script imports": ("../beside.py", "8", "9"),
}


@pytest.mark.parametrize("what", RAN_THROUGH)
def test_changed_code_that_a_training_runs_through_makes_it_stale(course, what):
    before, (name, old, new) = _digest(course), RAN_THROUGH[what]
    _change(course / "utils" / name, old, new)
    assert _digest(course) != before


ELSEWHERE = {
    "another function of the script": ("../script.py", "return 1", "return 2"),
    "a new backbone": ("models/backbones.py", r'"vgg16": vgg16_features,', '"vgg16": vgg16_features, "mine": zoo_net,'),
    "a docstring": ("losses.py", r'"""Cross-entropy over pixels', '"""Said otherwise'),
    "a docstring of what runs": ("engine/train.py", r'"""One pass over the batches', '"""Said otherwise'),
    "a comment": ("losses.py", r"# log_softmax, not log", "# why: not log"),
    "a new function beside the loss": ("losses.py", r"\Z", "\n\nclass DiceLoss:\n    smooth = 1\n"),
    "a command": ("cli/train.py", r"default=30", "default=31"),
    "a figure": ("viz/plotting.py", r"figsize=\(9, 3\)", "figsize=(9, 4)"),
    "a download": ("fetch/download.py", r"import hashlib", "import hashlib\n\nTIMES = 3"),
    "how much room a download needs": ("core/files.py", r"needed / 1e9:\.2f", "needed / 1e9:.1f"),
    "the test of a folder": ("datacheck/items.py", r"import hashlib", "import hashlib\n\nTIMES = 3"),
    "an error's text": ("engine/preflight.py", r"all have grad_req 'null' or lr_mult 0", "are frozen"),
    "an error's text, when a label is read": (
        "data/labelmap.py",
        "expected a class colour or void",
        "expected another",
    ),
    "an export": ("models/export.py", r"OPSET = 13", "OPSET = 14"),
}


@pytest.mark.parametrize("what", ELSEWHERE)
def test_other_changes_do_not(course, what):
    before, (name, old, new) = _digest(course), ELSEWHERE[what]
    _change(course / "utils" / name, old, new)
    assert _digest(course) == before


@pytest.mark.parametrize(
    "before, after, counts",
    [
        ("raise ValueError(x)", "raise KeyError(f'{x}, but') from None", False),
        ("raise", "raise ValueError(ceiling(x))", False),
        ("raise ValueError(x)", "x = x * 0", True),
        ("x = 1; raise ValueError(x)", "x = 2; raise ValueError(x)", True),
        ("pass", "raise ValueError(x)", True),
    ],
)
def test_what_is_raised_leaves_no_trace(course, before, after, counts):
    """A message, its kind and the names in it don't count; that something is raised does."""
    path, digests = course / "utils/engine/train.py", []
    text = path.read_text()
    space, step = re.search(r"( +)(trainer\.step\(x\.shape\[0\]\))", text).groups()
    for code in before, after:
        path.write_text(text.replace(space + step, f"{space}if batch < 0:\n{space}    {code}\n{space}{step}"))
        digests.append(_digest(course))
    assert (digests[0] != digests[1]) == counts


def test_names_in_a_raise_are_not_followed(course):
    path = course / "script.py"
    text, digests = path.read_text().replace("def one_run():", "def one_run():\n    {}"), []
    for line in "if beside is None: raise ValueError(other())", "print(other())":
        for value in "return 1", "return 2":
            path.write_text(text.replace("{}", line).replace("return 1", value))
            digests.append(_digest(course))
    assert digests[0] == digests[1] and digests[2] != digests[3]


def test_a_new_module_and_a_new_name_for_a_file_do_not(course):
    before = _digest(course)
    (course / "utils/models/unet.py").write_text("from .fcn import FCN32s\n\n\nclass UNet(FCN32s):\n    pass\n")
    (course / "utils/datacheck/split.py").rename(course / "utils/datacheck/parts.py")
    assert _digest(course) == before
    # nor one for a file that it does run through, as long as everything is found there
    (course / "utils/losses.py").rename(course / "utils/criteria.py")
    _change(course / "utils/__init__.py", r"from \.losses import", "from .criteria import")
    assert _digest(course) == before


def beside(x):
    return x + 1


def fit(net, train_set):
    return beside(net)


def test_a_function_counts_with_those_that_it_calls(monkeypatch):
    before = code_digest(fit)

    def other(x):
        return x + 2

    monkeypatch.setitem(globals(), "beside", other)
    assert code_digest(fit) != before


def test_a_net_made_by_its_name_counts(course):
    def by_name():
        return utils.get_model("fcn8s", 3)

    before = code_digest(by_name, root=course)
    _change(course / "utils/models/fcn.py", r"self\.upscore(\w*)\(scores, x\)", r"self.upscore\1(scores * 3, x)")  # 32s
    assert code_digest(by_name, root=course) == before
    _change(course / "utils/models/fcn.py", r"self\.upscore8\(scores, x\)", "self.upscore8(scores * 2, x)")
    assert code_digest(by_name, root=course) != before


def test_a_net_counts_by_its_classes(course):
    plain, skips = utils.fcn(3), utils.fcn(3, stride=8)
    before = [code_digest(net, root=course) for net in (plain, skips)]
    _change(course / "utils/models/fcn.py", r"self\.upscore8\(scores, x\)", "self.upscore8(scores * 2, x)")
    after = [code_digest(net, root=course) for net in (plain, skips)]
    assert before[0] == after[0] and before[1] != after[1]


def test_who_looks_on_does_not_count():
    def with_curve():
        return utils.train, curve

    curve = None
    before = code_digest(with_curve)
    curve = utils.LiveCurve(3)
    assert code_digest(with_curve) == before
