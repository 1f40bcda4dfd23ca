"""Models, checkpoints and JSON as a stranger may have made them: each is one clear error, or loads; nothing crashes."""

import utils
from utils.__main__ import main
from utils.core.files import read_json
from utils.core.parameters import read_headers
from utils.engine import cache
from utils.engine.checkpoint import checkpoints

import hashlib
import io
import json
import os
import pickle
import signal
import struct
import subprocess
import sys
import zipfile

import mxnet as mx
import numpy as np
import pytest
import tiny
from conftest import ROOT
from mxnet import gluon

CLASSES = utils.LabelMap(["ground", "road"], [(1, 2, 3), (4, 5, 6)])


@utils.register_model("a small net")
def small(classes, width=4):
    net = gluon.nn.HybridSequential()
    net.add(gluon.nn.Conv2D(width, 3, padding=1), gluon.nn.BatchNorm(), gluon.nn.Conv2D(classes, 1))
    return net


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    """street.params with street.json, of the small net."""
    path = tmp_path_factory.mktemp("net") / "street.params"
    net = utils.get_model("a small net", CLASSES)
    net(mx.nd.zeros((1, 3, 8, 8)))
    utils.save_model(path, net, CLASSES)
    return path


@pytest.fixture(autouse=True)
def no_hanging():
    """What waits for ever, as on a pipe that nobody writes to, is an error after two minutes."""

    def give_up(*_):
        raise AssertionError("hangs")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def give(folder, params, known):
    """A pair of files whose SHA-256 is right: who makes a hostile file can write that too."""
    path = folder / "given.params"
    path.write_bytes(params)
    digest = hashlib.sha256(params).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(known | {"sha256": digest}), encoding="utf-8")
    return path


# Parameters


def mutated(data, rng):
    """A file of parameters with one to three things changed, mostly where its lengths are."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 3])):
        at = rng.randrange(rng.choice([64, 400, len(data)])) % len(data)
        number = rng.choice(
            [0, 1, 2, 7, 2**7, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1, rng.getrandbits(64)]
        )
        match rng.randrange(7):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at] = rng.randrange(256)
            case 2:
                data[at : at + 8] = struct.pack("<Q", number)
            case 3:
                data[at : at + 4] = struct.pack("<I", number % 2**32)
            case 4:
                del data[at:]
            case 5:
                del data[at : at + rng.choice([1, 4, 8, 100])]
            case 6:
                data[at:at] = rng.randbytes(rng.choice([1, 4, 8, 1000]))
        data = data or bytearray(1)
    return bytes(data)


CHILD = """
import sys, json, pathlib, random
sys.path[:0] = {path}
from test_strangers_models import *
street, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
data, known = street.read_bytes(), json.loads(street.with_suffix(".json").read_text())
for seed in range(int(sys.argv[3])):
    path = give(folder, mutated(data, random.Random(seed)), known)
    try:
        net = utils.load_model(path)[0]
        net(mx.nd.zeros((1, 3, 8, 8))).wait_to_read()
        said = "loads"
    except Exception as error:
        said = f"{{type(error).__name__}}: {{error}}"
    print(json.dumps(said), flush=True)
"""


def test_no_mutation_of_parameters_crashes_mxnet_s_reader(street, tmp_path, report):
    count = 600
    code = CHILD.format(path=[str(ROOT), str(ROOT / "tests")])
    words = [sys.executable, "-c", code, str(street), str(tmp_path), str(count)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"})
    said = [json.loads(line) for line in done.stdout.splitlines() if line[:1] == '"']
    assert done.returncode == 0 and len(said) == count, (
        f"seed {len(said)} ends in {done.returncode}\n{done.stderr[-2000:]}"
    )
    refused = [text for text in said if text != "loads"]
    report("600 damaged files of parameters", f"{len(refused)} refused, {count - len(refused)} load, none crashes")
    assert len(refused) > count / 2
    for text in refused:
        assert text.startswith(f"ValueError: {tmp_path}/given.params: ") and "Traceback" not in text, text
        assert "expected the two files that" in text or "of another net than given.json says" in text, text


def of(shape=(4,), kind=0, version=0xF993FAC9, storage=0, values=None, count=1, names=("x",), head=0x112):
    """A file of parameters, whose parts can be wrong one by one."""
    values = bytes(4 * int(np.prod(shape))) if values is None else values
    array = struct.pack(f"<IiI{len(shape)}qiii", version, storage, len(shape), *shape, 1, 0, kind) + values
    texts = [name if isinstance(name, bytes) else name.encode() for name in names]
    ending = struct.pack("<Q", len(texts)) + b"".join(struct.pack("<Q", len(text)) + text for text in texts)
    return struct.pack("<QQQ", head, 0, count) + array + ending


WRONG = {
    "empty": (b"", "unpack requires"),
    "a text": (b"not parameters at all, but long enough", "begins with other bytes"),
    "of more arrays than bytes": (of(count=2**60), "announces more than"),
    "of an array more": (of(count=2), "begins no dense array"),
    "sparse": (of(storage=1), "begins no dense array"),
    "of an older version": (of(version=0xF993FAC8), "begins no dense array"),
    "without dimensions": (of(shape=()), "begins no dense array"),
    "of 40 dimensions": (of(shape=(1,) * 40), "begins no dense array"),
    "of length 0": (of(shape=(0,)), r"shape \(0,\)"),
    "of length -4": (of(shape=(-1, -4)), r"shape \(-1, -4\)"),
    "larger than memory": (of(shape=(2**40,), values=bytes(8)), "array of 4398046511104 bytes"),
    "a product that overflows": (of(shape=(2**32, 2**32), values=bytes(8)), "array of 73786976294838206464 bytes"),
    "of an unknown type": (of(kind=7), "type 7"),
    "without a name": (of(names=()), "1 arrays, 0 names"),
    "of two names": (of(names=("x", "y")), "1 arrays, 2 names"),
    "a name that is no text": (of(names=(b"\xff",)), "codec can't decode"),
    "bytes behind": (of() + b"0", "1 bytes behind"),
}


@pytest.mark.parametrize("name", WRONG)
def test_headers_that_are_wrong(tmp_path, name):
    data, reason = WRONG[name]
    (tmp_path / "x.params").write_bytes(data)
    with pytest.raises(
        ValueError, match=rf"x\.params: damaged, or no parameters of MXNet's \(.*{reason}.*expected a net"
    ):
        read_headers(tmp_path / "x.params", "a net")


def test_headers_are_those_that_mxnet_writes(tmp_path):
    kinds = ["float32", "float64", "float16", "uint8", "int32", "int8", "int64"]
    arrays = {f"a {kind}": mx.nd.zeros((2, 3)[: 1 + i % 2], dtype=kind) for i, kind in enumerate(kinds)}
    mx.nd.save(str(tmp_path / "x.params"), arrays)
    found = read_headers(tmp_path / "x.params", "")
    assert found == {name: (array.shape, np.dtype(array.dtype).name) for name, array in arrays.items()}


def test_a_file_larger_than_any_net_is_not_read(tmp_path, street):
    path = tmp_path / "given.params"
    path.with_suffix(".json").write_bytes(street.with_suffix(".json").read_bytes())
    with path.open("wb") as file:
        file.truncate(300 * 10**9)  # sparse: it takes no room
    for read in utils.load_model, lambda path: read_headers(path, ""):
        with pytest.raises(ValueError, match=r"given\.params: .*no net has|given\.params: larger than any net"):
            read(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"0.weight": (4, 7, 3, 3)}, r"'0\.weight' is float32 \(4, 7, 3, 3\), in the net float32 \(4, 3, 3, 3\)"),
        ({"2.weight": (2, 9, 1, 1)}, r"'2\.weight' is float32 \(2, 9, 1, 1\), in the net float32 \(2, 4, 1, 1\)"),
        ({"0.bias": (4, 1)}, r"'0\.bias' is float32 \(4, 1\), in the net float32 \(4,\)"),
        ({"0.bias": "float64"}, r"'0\.bias' is float64"),
        ({"0.bias": None}, r"'0\.bias' is in one of the two alone"),
        ({"more": (1,)}, r"'more' is in one of the two alone"),
    ],
)
def test_whole_parameters_that_do_not_fit(tmp_path, street, change, reason):
    arrays = mx.nd.load(str(street))
    for name, now in change.items():
        arrays[name] = arrays[name].astype(now) if isinstance(now, str) else now and mx.nd.zeros(now)
    mx.nd.save(str(tmp_path / "x"), {name: array for name, array in arrays.items() if array is not None})
    path = give(tmp_path, (tmp_path / "x").read_bytes(), json.loads(street.with_suffix(".json").read_text()))
    with pytest.raises(
        ValueError, match=rf"given\.params: the parameters of another net than given\.json says \({reason}"
    ):
        utils.load_model(path)


# The JSON beside them

DEEP = "[" * 100_000
DAMAGED = {
    "empty": "",
    "cut": '{"format": "segm',
    "not JSON": "what a net",
    "not UTF-8": b"\xff\xfe\xfd",
    "a list": "[1, 2]",
    "a text": '"net"',
    "null": "null",
    "deep": DEEP,
    "a deep value": f'{{"options": {DEEP}',
    "many digits": f'{{"scale": {"9" * 10_000}}}',
    "17 MB": b" " * 17_000_000,
}
CHANGES = {
    "format": [None, [], {}, 7],
    "classes": [None, 3, "ab", [1, 2], ["a", "a"], ["a\x1b[2J", "b"], ["a\nb", "c"], {"a": 1}, [], ["x"] * 300],
    "colors": [None, 7, [1, 2], [["1", "2"], []], [[1e400, 0, 0], [1, 1, 1]], [[-1, 0, 0], [1, 1, 1]], "ab"],
    "void_colors": [None, [[1e400, 0, 0]], [["a", "b", "c"]], 3, [[[]] * 3], [[0, 0, 0]] * 200_000],
    "model": [None, 5, [], {}, "nosuch\x1b[2J"],
    "backbone": [[], {}, "x", 5, "../../x"],
    "options": [None, 3, "ab", [1], {"pretrained": True}, {"ctx": 1}, {"nosuch": 1}, {"classes": 3}, {"width": "a"}],
    "scale": [None, "a", [], float("nan"), float("inf"), 0, -1, 1e300, 10**400],
    "sha256": [None, 5, [], "0"],
    "train_split": [None, 5, "../../etc/passwd", "a\nb"],
    "baseline": [None, [], "a"],
}


def expect_one_error(path, name=None):
    with pytest.raises(ValueError, match=".") as told:
        utils.load_model(path)
    text = str(told.value)
    assert text.startswith(str(path.parent)) and (name or path.stem) in text, text
    assert text.replace("\n", "").isprintable() and "Traceback" not in text and len(text) < 600, text


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_json_is_one_error(tmp_path, street, name):
    data = DAMAGED[name]
    path = give(tmp_path, street.read_bytes(), {})
    path.with_suffix(".json").write_bytes(data if isinstance(data, bytes) else data.encode())
    expect_one_error(path)
    with pytest.raises(ValueError, match=r"given\.json: .*; expected a net"):
        read_json(path.with_suffix(".json"), "a net")


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in CHANGES.items() for value in values])
def test_a_json_with_something_else_in_it_is_one_error(tmp_path, street, key, value):
    known = json.loads(street.with_suffix(".json").read_text())
    path = give(tmp_path, street.read_bytes(), known)
    changed = json.loads(path.with_suffix(".json").read_text()) | {key: value}
    path.with_suffix(".json").write_text(json.dumps(changed))
    expect_one_error(path)
    del changed[key]
    path.with_suffix(".json").write_text(json.dumps(changed))
    if key not in ("train_split", "baseline"):  # of newer nets alone
        expect_one_error(path)


def put(path, kind):
    path.unlink(missing_ok=True)
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a device":
        path.symlink_to("/dev/zero")
    else:
        path.symlink_to(path.name)


KINDS = ["a pipe", "a folder", "a device", "a link to itself"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", [".params", ".json"])
def test_what_is_no_file_is_said_at_once(tmp_path, street, capsys, kind, ending):
    path = give(tmp_path, street.read_bytes(), json.loads(street.with_suffix(".json").read_text()))
    put(path.with_suffix(ending), kind)
    expect_one_error(path)
    assert main(["export", "--model", str(path), "--output", str(tmp_path / "out")]) == 2
    assert f"given{ending}: " in capsys.readouterr().err


def test_a_kept_training_that_is_damaged_says_what_to_delete(street, tmp_path, monkeypatch, voc_folder):
    monkeypatch.setattr(cache, "FOLDER", tmp_path / "kept")
    data = utils.VOCSegDataset(False, (32, 32), voc_folder)

    def again():
        utils.seed(0)
        net = tiny.net_of()
        net.initialize()
        net(mx.nd.zeros((1, 3, 8, 8)))
        return utils.train_or_load(doing_nothing, net, data)

    again()
    weights, record = (next((tmp_path / "kept").glob(f"*{ending}")) for ending in (".params", ".json"))
    assert again() == [{"loss": 1.0}]
    for path, wrong in (weights, weights.read_bytes()[:-9]), (record, b"[1]"), (record, b'{"date": 3}'), (weights, b""):
        right = path.read_bytes()
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match=rf"{path.name}.*delete {record.name} there, and the net is trained anew"):
            again()
        path.write_bytes(right)


def doing_nothing(net, train_set):
    return [{"loss": 1.0}]


# Checkpoints


@pytest.fixture
def kept(voc_folder, tmp_path):
    """The checkpoint of a training of one epoch, alone in its folder."""
    tiny.train(tiny.setup(voc_folder), 1, checkpoint=tmp_path / "kept")
    return tmp_path / "kept/epoch-0001.npz"


def sealed(path, parts, compression=zipfile.ZIP_STORED):
    """Write a checkpoint whose last 64 bytes are right: who makes a hostile file can write those too."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.comment = b"0" * checkpoints.DIGITS
        for name, data in parts.items():
            archive.writestr(name, data)
    with path.open("r+b") as file:
        digest = checkpoints._digest(file)
        file.seek(-checkpoints.DIGITS, os.SEEK_END)
        file.write(digest)


def parts_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


class Touch:
    def __reduce__(self):
        return os.mkdir, ("ran",)


HUGE = (
    b"\x93NUMPY\x01\x00v\x00"
    + b"{'descr': '<f4', 'fortran_order': False, 'shape': (4000000000000,), }".ljust(117)
    + b"\n"
)
RECORDS = {
    "empty": "",
    "cut": '{"version": 2, "hist',
    "not JSON": "what a net",
    "a list": "[2]",
    "null": "null",
    "deep": DEEP,
    "many digits": f'{{"version": {"9" * 10_000}}}',
    "nothing in it": '{"version": 2}',
    "another version": '{"version": 1}',
}
CHANGED = {
    "history": [None, {}, "abc", [1, 2], [[]]],
    "seed": [None, "a", -1, 2**32, 10**30, 0.5, []],
    "numbers": [None, [], {}],
    "identity": [None, [], {"shape of 0.weight": 5}, {}],
    "circumstances": [None, []],
}
NUMBERS = {
    "optimizer": [
        None,
        [],
        {"lr": "fast"},
        {"lr": []},
        {"update": 5},
        {"lr_scheduler": 5},
        {"momentum": {"a": 1}},
        {"update_multi_precision": "x"},
    ],
    "counts": [None, 5, {"0.weight": "a"}, {"nosuch": 1}, []],
    "states": [None, 5, {"nosuch": 0}, {"0.weight": [[[[0]]]]}, {"0.weight": None}],
    "settings": [None, [], {}, {"optimizer's lr": 0.05, "parameter 0.weight": [1, 2, 3]}],
    "scheduler": [None, 5, {"__call__": 1}, {"base_lr": "x"}],
}
ARRAYS = {
    "a pickle": lambda good: pickle.dumps(Touch()),
    "an object": lambda good: npy(np.array([Touch()], object)),
    "of another shape": lambda good: npy(np.zeros((3, 2), np.float32)),
    "of letters": lambda good: npy(np.array(["a", "b"])),
    "of dates": lambda good: npy(np.zeros(good.shape, "M8[s]")),
    "nan": lambda good: npy(good * np.nan),
    "larger than memory": lambda good: HUGE,
    "cut": lambda good: npy(good)[:-20],
    "not NumPy's": lambda good: b"abc",
    "missing": lambda good: None,
}


def expect_one_error_of_training(voc_folder, path, capsys):
    with pytest.raises(ValueError, match=".") as told:
        tiny.train(tiny.setup(voc_folder), 2, checkpoint=path.parent)
    text = str(told.value)
    assert str(path.parent) in text and "Traceback" not in text and len(text) < 800, text
    assert "elete" in text and text.replace("\n", "").isprintable(), text


@pytest.mark.parametrize("name", RECORDS)
def test_a_checkpoint_whose_record_is_damaged_is_one_error(voc_folder, kept, capsys, name):
    sealed(kept, parts_of(kept) | {"training.json": RECORDS[name]})
    expect_one_error_of_training(voc_folder, kept, capsys)


@pytest.mark.parametrize("part", [*CHANGED, *NUMBERS])
def test_a_checkpoint_with_something_else_in_its_record_is_one_error(voc_folder, kept, capsys, part):
    parts = parts_of(kept)
    record = json.loads(parts["training.json"])
    for value in CHANGED.get(part) or NUMBERS[part]:
        changed = json.loads(parts["training.json"])
        inner = changed if part in CHANGED else changed["numbers"]
        inner[part] = inner[part] | value if isinstance(value, dict) and value else value
        sealed(kept, parts | {"training.json": json.dumps(changed)})
        expect_one_error_of_training(voc_folder, kept, capsys)
    sealed(kept, parts | {"training.json": json.dumps(record)})  # and the whole one is none
    assert len(tiny.train(tiny.setup(voc_folder), 2, checkpoint=kept.parent)) == 2


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("array", ["net/0.weight.npy", "optimizer/0.weight.npy"])
def test_a_checkpoint_whose_arrays_are_others_is_one_error(voc_folder, kept, capsys, monkeypatch, name, array):
    monkeypatch.chdir(kept.parent)
    parts = parts_of(kept)
    parts[array] = ARRAYS[name](np.load(io.BytesIO(parts[array])))
    sealed(kept, {name: data for name, data in parts.items() if data is not None})
    if (name, array[:3]) == ("nan", "opt"):  # a momentum that overflows is the training's own affair
        with pytest.raises(ValueError, match="the net has diverged"):
            tiny.train(tiny.setup(voc_folder), 2, checkpoint=kept.parent)
        return
    expect_one_error_of_training(voc_folder, kept, capsys)
    assert not (kept.parent / "ran").exists()


@pytest.mark.parametrize("data", [pickle.dumps(Touch()), npy(np.zeros(3)), npy(np.array([Touch()], object))])
def test_a_checkpoint_that_is_no_archive_runs_nothing(voc_folder, kept, capsys, monkeypatch, data):
    monkeypatch.chdir(kept.parent)
    kept.write_bytes(data + hashlib.sha256(data).hexdigest().encode())
    expect_one_error_of_training(voc_folder, kept, capsys)
    assert not (kept.parent / "ran").exists()


def test_a_checkpoint_that_unpacks_to_more_than_it_is_stays_packed(voc_folder, kept, capsys):
    sealed(kept, parts_of(kept) | {"training.json": b" " * 2**27}, zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="its parts are compressed"):
        checkpoints._read(kept)


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_that_is_no_file_is_said_at_once(voc_folder, kept, capsys, kind):
    put(kept, kind)
    expect_one_error_of_training(voc_folder, kept, capsys)


def test_nothing_of_the_course_reads_pickles():
    """`trainer.load_states` does, and `nd.load` and `load_parameters` crash: each has its one home.

    PyTorch's files are pickles: the reader that knows four kinds of names is held by tests of its own.
    """
    for path in (ROOT / "utils").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        words = ["load_states(", "allow_pickle=True"] + ["import pickle"] * (path.name != "torch_file.py")
        assert not [word for word in words if word in text], path
        if path.name != "parameters.py":
            assert ".load_parameters(" not in text, path
