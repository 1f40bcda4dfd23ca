"""`python -m utils export --torch`: a state dict and a program, which give the net's scores in PyTorch."""

import utils
from utils.__main__ import main
from utils.models.torch_state import TAKEN, export_torch, lines, state_dict

import ast
import errno
import json
import os
import shutil
import subprocess
import sys

import mxnet as mx
import numpy as np
import PIL
import pytest
import pytorch_side
from conftest import ROOT
from mxnet import nd
from PIL import Image

CLASSES = utils.LabelMap(["ground", "road", "sky"], [(0, 0, 0), (128, 0, 0), (128, 128, 128)])
LITE = "efficientnet_lite0"
FORMS = {
    "32s": {"stride": 32},
    "16s, classic": {"stride": 16, "align": False},
    "16s, plain": {"stride": 16, "plain": True},
    "8s": {"stride": 8},
    "8s, deep": {"stride": 8, "backbone": "resnet50_v2"},
    "2s": {"stride": 2, "backbone": LITE},
    "Lite": {"stride": 8, "backbone": LITE, "pretrained": True},
    "Lite, as published": {"stride": 8, "backbone": LITE, "pretrained": True, "features": {"padding": "same"}},
    "Lite, same": {"stride": 32, "backbone": LITE, "features": {"padding": "same"}},
    **{f"VGG16, {stride}s": {"stride": stride, "backbone": "vgg16"} for stride in (32, 16, 8)},
}


def made(form):
    """A net whose every layer says something: scores and statistics that are neither 0 nor 1."""
    net = utils.fcn(len(CLASSES), **FORMS[form])
    net(nd.zeros((1, 3, 64, 64)))
    for name, parameter in net._collect_params_with_prefix().items():
        if name.startswith("features.0."):  # the picture's own
            continue
        if name.startswith("score") or name.endswith("running_mean"):
            parameter.set_data(nd.random.normal(scale=0.1, shape=parameter.shape))
        elif name.endswith("running_var"):
            parameter.set_data(nd.random.uniform(0.5, 2, shape=parameter.shape))
    return net


def run(capsys, *words):
    code = main([str(word) for word in words])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    """street.params with street.json of an FCN-8s; never written to by a test."""
    path = tmp_path_factory.mktemp("street") / "street.params"
    utils.save_model(path, made("8s"), CLASSES, 0.5)
    return path


def test_the_command_writes_arrays_and_a_program_and_replaces_nothing(street, tmp_path, capsys):
    words = ["export", "--torch", "--model", street, "--output", tmp_path / "new" / "street"]
    code, text = run(capsys, *words)
    assert code == 0 and "street.npz" in text and "street.py photo.jpg" in text, text
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["street-card.md", "street.npz", "street.py"]
    net, *_ = utils.load_model(street)
    with np.load(tmp_path / "new/street.npz", allow_pickle=False) as arrays:
        found = dict(arrays)
    about = json.loads(str(found.pop("about")))
    assert about["classes"] == CLASSES.names and about["scale"] == 0.5 and about["model"] == "fcn8s"
    np.testing.assert_allclose(about["mean"] + about["deviation"], [*utils.RGB_MEAN, *utils.RGB_STD], rtol=1e-6)
    assert about["colors"] == [list(map(int, color)) for color in CLASSES.colors]
    own = net._collect_params_with_prefix()
    kinds = {"weight": "weight", "gamma": "weight", "beta": "bias", "bias": "bias"}
    for name, parameter in own.items():
        layer, kind = name.rsplit(".", 1)
        theirs = f"{layer}.{kinds.get(kind, kind)}"
        if layer == "features.0" and kind in ("gamma", "beta"):
            assert theirs not in found
        else:
            np.testing.assert_array_equal(found.pop(theirs), parameter.data().asnumpy(), name)
    assert not found

    before = (tmp_path / "new/street.npz").read_bytes()
    code, text = run(capsys, *words)
    assert code == 2 and "street.npz: is there already; take another name, or --force" in text
    assert run(capsys, *words[:-1], f"{words[-1]}.npz", "--force")[0] == 0  # an ending may stand there
    assert (tmp_path / "new/street.npz").read_bytes() == before  # the same net, the same bytes


@pytest.mark.parametrize("form", [form for form in FORMS if "VGG16" not in form and form != "8s, deep"])
def test_the_program_is_clean_code(form, tmp_path):
    text = lines(made(form), "street")
    assert "@" not in text.replace("x.shape[2]) @ x @ tents", "").replace("@staticmethod", "")
    imported = {node.names[0].name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import)}
    assert imported == {"json", "pathlib", "sys", "numpy", "torch"}
    (tmp_path / "street.py").write_text(text)
    for words in ["check"], ["format", "--check"]:
        ruff = [sys.executable, "-m", "ruff", *words, "--config", ROOT / "pyproject.toml", tmp_path / "street.py"]
        done = subprocess.run(ruff, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_what_is_no_fcn_is_refused_by_name(tmp_path, capsys):
    net = utils.get_model("unet", 3, "resnet18_v2")
    net(nd.zeros((1, 3, 64, 64)))
    utils.save_model(tmp_path / "a.params", net, CLASSES)
    code, text = run(capsys, "export", "--torch", "--model", tmp_path / "a.params", "--output", tmp_path / "out/a")
    assert code == 2 and "unet on resnet18_v2: can't be written for PyTorch" in text and "--onnx" in text
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="HybridSequential: can't be written"):
        state_dict(mx.gluon.nn.HybridSequential())


def test_slips(street, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["export", "--model", str(street), "--output", str(tmp_path / "a"), "--torch", "--onnx"])
    assert ended.value.code == 2 and "not allowed with argument" in capsys.readouterr().err
    assert {"torch", "numpy", "json", "PIL"} < TAKEN
    code, text = run(capsys, "export", "--torch", "--model", street, "--output", tmp_path / "torch")
    assert code == 2 and "torch.py would find itself where it imports torch" in text
    for name in "my-street", "08_net", "street.v2", 'a"""b', "C:\\users", "class", "two words":
        code, text = run(capsys, "export", "--torch", "--model", street, "--output", tmp_path / name)
        assert code == 2 and f"Python takes no {name!r}; take one of letters, digits and _, such as my_str" in text
    for name in ".npz", "new/.npz":
        code, text = run(capsys, "export", "--torch", "--model", street, "--output", name)
        assert code == 2 and f"--output '{name}': expected a name for the new files" in text, text
    (tmp_path / "file").write_text("")
    code, text = run(capsys, "export", "--torch", "--model", street, "--output", tmp_path / "file" / "street")
    assert code == 2 and "file: cannot be written to" in text
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_leaves_nothing(street, tmp_path, capsys, monkeypatch):
    def full(*_, **arrays):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "savez", full)
    code, text = run(capsys, "export", "--torch", "--model", street, "--output", tmp_path / "street")
    assert code == 2 and "street.py: No space left on device. Make room, or name another place" in text
    assert not list(tmp_path.iterdir())


TORCH = "class nn:\n    BatchNorm2d = Module = Sequential = object\n"  # as much as it takes to come to `main`


def test_the_program_replaces_no_label_and_names_what_is_not_there(tmp_path):
    (tmp_path / "torch.py").write_text(TORCH)
    (tmp_path / "street.py").write_text(lines(made("8s"), "street"))
    for name in "photo.jpg", "photo.png", "other.jpg", "other-label.png":
        (tmp_path / name).write_text("mine")
    for words, message in {
        ("photo.jpg", "none.jpg"): "none.jpg: no such picture",
        ("photo.jpg", "other.jpg"): "other-label.png: would be replaced; move what is there away, or give other.jpg",
        ("photo.jpg", "photo.png"): "photo-label.png: would be replaced",
    }.items():
        done = subprocess.run([sys.executable, "street.py", *words], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 1 and done.stderr.startswith(message) and done.stderr.count("\n") == 1, done.stderr
    assert (tmp_path / "other-label.png").read_text() == "mine" and not (tmp_path / "photo-label.png").exists()


# ---- In PyTorch ----

SCORES = """
import sys, numpy as np, torch
net, about = __import__("street").load()
torch.set_num_threads(1)
with torch.no_grad():
    found = [net(torch.from_numpy(x)).numpy() for x in np.load("x.npz").values()]
np.savez("found.npz", *found)
net.train()
net(torch.from_numpy(np.load("x.npz")["arr_0"])).sum().backward()  # it can learn on
assert all(p.grad is not None for p in net.parameters() if p.requires_grad)
"""


@pytest.mark.long
@pytest.mark.parametrize("form", FORMS)
def test_pytorch_gives_the_net_s_scores(form, tmp_path, report):
    pytorch_side.needed()
    net = made(form)
    export_torch(net, tmp_path / "street", CLASSES)
    x = [np.random.normal(size=(n, 3, *size)).astype(np.float32) for n, size in ((2, (64, 96)), (1, (77, 130)))]
    np.savez(tmp_path / "x.npz", *x)
    pytorch_side.run(SCORES, tmp_path)
    for given, found in zip(x, np.load(tmp_path / "found.npz").values(), strict=True):
        scores = net(nd.array(given)).asnumpy()
        error = np.abs(found - scores).max() / np.abs(scores).max()
        report(f"FCN-{form} in PyTorch against MXNet", f"scores {error:.1e} of the largest apart")
        assert found.shape == scores.shape and scores.std() > 1e-3 and error < 1e-5


@pytest.mark.long
def test_the_program_labels_photographs_as_predict_does(street, tmp_path, capsys):
    pytorch_side.needed()
    assert run(capsys, "export", "--torch", "--model", street, "--output", tmp_path / "street")[0] == 0
    shutil.copy(next((ROOT / "data/voc_mini/JPEGImages").glob("*.jpg")), tmp_path / "photo.jpg")
    home, own = os.path.dirname(os.path.dirname(PIL.__file__)), tmp_path / "packages"
    own.mkdir()
    for name in "PIL", "pillow.libs":  # Pillow alone: .venv-bench has none, and must not see the course's NumPy
        (own / name).symlink_to(os.path.join(home, name))
    program = (
        "import sys, runpy; sys.argv = ['street.py', 'photo.jpg']; runpy.run_path('street.py', run_name='__main__')"
    )
    assert pytorch_side.run(program, tmp_path, [own]) == "photo-label.png\n"
    net, _, scale, _ = utils.load_model(street)
    found = Image.open(tmp_path / "photo-label.png")
    label = utils.predict(net, utils.read_image(tmp_path / "photo.jpg"), scale=scale).asnumpy()
    assert found.mode == "P" and len(np.unique(label)) > 1 and (np.asarray(found) == label).mean() > 0.999
    assert found.getpalette()[:9] == [int(value) for color in CLASSES.colors for value in color]
