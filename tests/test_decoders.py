"""Unpooling, SegNet, U-Net and DeconvNet: against PyTorch's layers, the papers' figures, and by perturbation."""

import utils
from utils.engine import digest, tiling
from utils.models.backbones import Features
from utils.models.segnet import SegNet
from utils.models.unpooling import MaxPool, MaxPoolWithIndices, MaxUnpool
from utils.viz import widgets

import decoders_oracle as oracle
import mxnet as mx
import nbformat
import notebooks
import numpy as np
import pytest
from conftest import ROOT
from mxnet import autograd, gluon, nd
from PIL import Image
from test_nets import _used, measured_margin, picture, run

from results import common, rate_search
from results.decoders import run as decoders

LITE0 = "efficientnet_lite0"
FITS = {"kernel": 3, "units": 8}  # of a DeconvNet for small pictures
NETS = pytest.mark.parametrize("name", ["segnet", "unet", "deconvnet"])
TWO = pytest.mark.parametrize("name", ["segnet", "unet"])


@pytest.fixture(scope="module")
def recorded():
    with np.load(oracle.RECORD) as file:
        return dict(file)


# Unpooling


@pytest.mark.parametrize("hybrid", [False, True])
@pytest.mark.parametrize("name", oracle.POOLED)
def test_pooling_and_unpooling_are_pytorchs(recorded, name, hybrid):
    """Maxima, places, values put back, and both gradients; at odd sizes, and the first of equal maxima."""
    x, expected = nd.array(oracle.pooled_array(name)), lambda what: recorded[f"{name}, {what}"]
    pool, unpool = MaxPoolWithIndices(), MaxUnpool()
    if hybrid:
        pool.hybridize()
        unpool.hybridize()
    values = nd.array(oracle.drawn(f"{name} values", expected("maxima").shape))
    x.attach_grad()
    values.attach_grad()
    with autograd.record():
        maxima, indices = pool(x)
        whole = unpool(values, indices, x)
    slopes = oracle.drawn(f"{name} maxima's slope", maxima.shape), oracle.drawn(f"{name} slope", x.shape)
    autograd.backward([maxima, whole], list(map(nd.array, slopes)))
    for found, what in (maxima, "maxima"), (indices, "indices"), (whole, "whole"):
        np.testing.assert_array_equal(found.asnumpy(), expected(what))
    for found, what in (values.grad, "values' gradient"), (x.grad, "x's gradient"):
        np.testing.assert_array_equal(found.asnumpy(), expected(what))


@pytest.mark.parametrize("name", oracle.POOLED)
def test_maxima_alone(recorded, name):
    x, maxima = nd.array(oracle.pooled_array(name)), recorded[f"{name}, maxima"]
    x.attach_grad()
    with autograd.record():
        found = MaxPool()(x)
    found.backward(nd.array(oracle.drawn(f"{name} maxima's slope", maxima.shape)))
    np.testing.assert_array_equal(found.asnumpy(), maxima)
    np.testing.assert_array_equal(x.grad.asnumpy(), recorded[f"{name}, x's gradient"])


@pytest.mark.parametrize("name", oracle.POOLED)
def test_unpooling_by_comparison_as_chapter_12_writes_it(recorded, name):
    """Without ties it is PyTorch's, its gradient too; with ties a value goes to each place that has the maximum."""
    cells = nbformat.read(notebooks.find("12")[0], 4).cells
    source, chapter = next(c.source for c in cells if c.source.startswith("def compared")), {"nd": nd}
    exec(source[: source.index("assert")], chapter)
    x, values = (
        nd.array(oracle.pooled_array(name)),
        nd.array(oracle.drawn(f"{name} values", recorded[f"{name}, maxima"].shape)),
    )
    values.attach_grad()
    with autograd.record():
        whole = chapter["compared"](values, nd.array(recorded[f"{name}, maxima"]), x)
    whole.backward(nd.array(oracle.drawn(f"{name} slope", x.shape)))
    if name == "ties":
        theirs = recorded["ties, whole"]
        assert (whole.asnumpy()[theirs != 0] == theirs[theirs != 0]).all() and (whole != 0).sum() > (theirs != 0).sum()
    else:
        np.testing.assert_array_equal(whole.asnumpy(), recorded[f"{name}, whole"])
        np.testing.assert_array_equal(values.grad.asnumpy(), recorded[f"{name}, values' gradient"])


# The nets are the papers'


def fill(net):
    """Parameters by their names, as PyTorch's side draws them."""
    for name, parameter in net._collect_params_with_prefix().items():
        parameter.set_data(nd.array(oracle.drawn(name, parameter.shape)))


def fix_statistics(layer):
    if isinstance(layer, gluon.nn.BatchNorm):
        layer._kwargs["use_global_stats"] = True


def on_own_path(name, classes=oracle.CLASSES, width=oracle.WIDTH):
    options = FITS if name == "deconvnet" else {}
    given = {"width": width}
    if name == "published":
        name, options, given = "unet", {"padding": 0, "batch_norm": False}, given | {"padding": 0, "batch_norm": False}
    net = utils.get_model(name, classes, "unet", features=given, **options)
    net(nd.zeros((1, 3, 188, 188)))
    return net


@pytest.mark.parametrize("name", oracle.PICTURES)
def test_scores_and_gradients_are_pytorchs(recorded, name):
    """Written there from the figures with PyTorch's layers, MaxUnpool2d among them; sides that nothing divides."""
    net, x = on_own_path(name), nd.array(oracle.picture(name))
    if name == "segnet":
        net = SegNet(utils.backbones["unet"](width=oracle.WIDTH), oracle.CLASSES)
        net.reduce = utils.models.encoder.conv_unit(oracle.WIDTH * 16, oracle.WIDTH * 8, kernel=1)
        net.initialize()
    fill(net)
    net.apply(fix_statistics)
    net.hybridize()
    x.attach_grad()
    expected = recorded[f"{name}, scores"]
    with autograd.record():  # not train_mode=False, in which MXNet's max-pooling passes wrong gradients on a CPU
        scores = net(x)
    scores.backward(nd.array(oracle.drawn(f"{name} slope", expected.shape)))
    np.testing.assert_allclose(scores.asnumpy(), expected, atol=2e-5 * np.abs(expected).max())
    slope = recorded[f"{name}, x's gradient"]
    np.testing.assert_allclose(x.grad.asnumpy()[:, :, ::3, ::3], slope, atol=1e-4 * np.abs(slope).max())


def shapes(net, *size):
    """{name: shape} of parameters and all maps for a picture of a size, by inference."""
    graph = net(mx.sym.var("data")).get_internals()
    arguments, maps, _ = graph.infer_shape(data=(1, 3, *size))
    return dict(zip(graph.list_arguments(), arguments, strict=True)), dict(zip(graph.list_outputs(), maps, strict=True))


def count(net, *size):
    arguments, _ = shapes(net, *size)
    return sum(int(np.prod(shape)) for name, shape in arguments.items() if name != "data")


def test_the_published_u_net_has_the_figure_s_sizes():
    """Figure 1 of the paper: every size on the way from 572 to 388, and its parameters."""
    figure = [572, 570, 568, 284, 282, 280, 140, 138, 136, 68, 66, 64, 32, 30, 28]
    figure += [56, 54, 52, 104, 102, 100, 200, 198, 196, 392, 390, 388]
    features = utils.backbones["unet"](padding=0, batch_norm=False)
    net = utils.UNet(features, 2, padding=0, batch_norm=False)
    _, maps = shapes(net, 572, 572)
    layers = ("conv", "pool", "deconvolution")
    found = [s[2] for name, s in maps.items() if any(word in name for word in layers) and name.endswith("output")]
    assert set(figure) <= {s[2] for s in maps.values() if len(s) == 4} and set(found) <= set(figure)
    assert maps["data"][2] == 572 and list(maps.values())[-1] == (1, 2, 388, 388) and net.border == 92
    channels = [3, 64, 128, 256, 512, 1024]
    down = sum(9 * a * b + b + 9 * b * b + b for a, b in zip(channels, channels[1:], strict=False))
    up = sum(4 * 2 * c * c + c + 9 * 2 * c * c + c + 9 * c * c + c for c in channels[1:-1])
    assert count(net, 572, 572) == down + up + 64 * 2 + 2 == 31_031_810
    for size in 188, 204, 572:
        assert shapes(net, size, size + 16)[1][list(maps)[-1]][2:] == (size - 184, size - 168)


def test_unpadded_tiles_fit_without_a_seam():
    """The overlap-tile: a tile from a multiple of 16 has the whole picture's scores, any other tile has not."""
    utils.seed(0)
    net = utils.get_model("unet", 2, "unet", padding=0, features={"width": 4, "padding": 0})
    x = nd.random.normal(shape=(1, 3, 188, 236))
    whole = net(x)
    assert whole.shape[2:] == (4, 52)
    for start in 0, 8, 16, 24, 48:
        gap = np.abs((net(x[:, :, :, start : start + 188]) - whole[:, :, :, start : start + 4]).asnumpy()).max()
        assert (gap < 1e-6) if start % 16 == 0 else (gap > 2e-5)


def test_parameters_on_vgg16_are_the_papers():
    """SegNet: its table's 29.45 million (117 MB of float32), BatchNorm's and biases aside; DeconvNet's 252 million."""
    segnet = SegNet(utils.backbones["vgg16"](), 11, convs=(3, 3, 3, 2, 2))
    assert segnet.reduce is None and segnet.upscore is None and min(segnet.features.ends) == 1
    convolved = [(64, 3), (64, 64), (128, 64), (128, 128), (256, 128), *[(256, 256)] * 2, (512, 256), *[(512, 512)] * 5]
    encoder = sum(9 * a * b for a, b in convolved)
    mirrored = encoder - 9 * 64 * 3 + 9 * 64 * 11  # the same pairs turned round; classes in the place of RGB
    arguments, _ = shapes(segnet, 224, 224)
    weights = sum(int(np.prod(shape)) for shape in arguments.values() if len(shape) == 4 and shape[2:] == (3, 3))
    assert weights == encoder + mirrored and 29.3e6 < weights < 29.5e6
    deconvnet = utils.DeconvNet(utils.backbones["vgg16"](), 21, convs=(3, 3, 3, 2, 2))
    assert 251.5e6 < count(deconvnet, 224, 224) < 252.5e6
    _, maps = shapes(deconvnet, 224, 224)
    assert {shape[1:] for shape in maps.values() if len(shape) == 4} >= {(4096, 1, 1), (512, 7, 7), (64, 224, 224)}


# On any backbone, at any size


@pytest.mark.parametrize("backbone, options", [(LITE0, {}), (LITE0, {"padding": "same"}), ("resnet18_v2", {})])
@TWO
def test_any_size(name, backbone, options):
    net = utils.get_model(name, 5, backbone, backbone == LITE0, features=options)
    net.hybridize()
    for size in (1, 1), (2, 3), (33, 31), (97, 50):
        assert net(nd.random.normal(shape=(1, 3, *size))).shape == (1, 5, *size)
    assert net.stride == 32 and net.upscore.offset == (1 if options else 0)
    scores = net(nd.random.normal(shape=(1, 3, 40, 40)))
    assert scores.asnumpy().std() > 0  # from noise: from zeros, on so few maps, they would take too long


def test_u_net_is_given_maps_of_one_size():
    """Lite0's are several times as large as a decoder's; in training each is brought to a deviation of 1."""
    net, x = utils.get_model("unet", 3, LITE0, True), nd.random.normal(shape=(4, 3, 96, 128))
    before = net.features.by_stride(x, net.features.ends)
    assert max(array.asnumpy().std() for array in before.values()) > 3 and len(net.norm) == len(before) == 5
    with autograd.record():
        after = [norm(array).asnumpy() for norm, array in zip(net.norm, before.values(), strict=True)]
    for array in after:
        np.testing.assert_allclose(array.std(axis=(0, 2, 3)), 1, atol=0.01)
    assert not len(utils.get_model("unet", 3, "unet", batch_norm=False, features={"width": 1}).norm)


def test_shown_side_by_side(voc_folder, monkeypatch):
    """compare and Viewer take them as any net; pictures that DeconvNet can't see are said."""
    dataset = utils.VOCSegDataset(False, None, voc_folder)
    nets = {name: on_own_path(name, classes=21, width=1) for name in ("segnet", "unet", "deconvnet")}
    shown = []
    monkeypatch.setattr(widgets, "draw_labels", lambda nets, *args: shown.append(list(nets)))
    utils.compare(nets, dataset)
    assert shown == [list(nets)]
    for net in nets.values():
        viewer = utils.Viewer(net, dataset)
        viewer.predict_all()
        assert [label.shape for label in viewer.labels] == [image.shape[1:] for image, _ in dataset]


@TWO
def test_vgg16_has_a_cell_for_each_pixel(name, monkeypatch):
    """Its poolings round up here, and its finest map is at stride 1: nothing is enlarged."""
    net = utils.get_model(name, 2, "vgg16")
    assert list(net.features.ends) == [1, 2, 4, 8, 16, 32] and net.upscore is None
    assert net(nd.zeros((1, 3, 1, 1))).shape == (1, 2, 1, 1) and net(nd.zeros((1, 3, 19, 35))).shape == (1, 2, 19, 35)


def test_indices_where_a_backbone_pools_nothing():
    """What `SegNet` remembers of Lite0's maps is where each map has its maxima, channel by channel."""
    net, x = utils.get_model("segnet", 3, LITE0, True), nd.random.normal(shape=(1, 3, 33, 45))
    for stride, fine in net.features.by_stride(x, (2, 16)).items():
        maxima, indices = (array.asnumpy()[0] for array in net.indices(fine))
        fine = fine.asnumpy()[0]
        assert maxima.shape == (fine.shape[0], -(-33 // stride // 2), -(-45 // stride // 2))
        for c, i, j in np.ndindex(*maxima.shape):
            block = fine[c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
            row, column = divmod(int(indices[c, i, j]), 2)
            assert block[row, column] == block.max() == maxima[c, i, j]


def test_deconvnet_says_what_is_too_small():
    net = utils.get_model("deconvnet", 3, "unet", features={"width": 2}, **FITS)
    assert net(nd.zeros((1, 3, 33, 47))).shape == (1, 3, 33, 47)
    with pytest.raises(ValueError, match=r"picture of 32 × 50: .* 3 × 3 cells, 33 pixels each way"):
        net(nd.zeros((1, 3, 32, 50)))


# What they say of themselves


def reached(net, tries=6):
    """The farthest pixel whose change changes a score: by changing each of a period, on pictures one row high."""
    period, most = net.stride, 0
    at = -(-(net.receptive_margin + 8) // period) * period
    rows = 1 + (net._kernel - 1) * period if hasattr(net, "_kernel") else 1
    for parameter in net.collect_params(".*weight").values():
        parameter.set_data(nd.random.uniform(0.1, 1, parameter.shape) / np.prod(parameter.shape[1:]))
    for _ in range(tries):
        x = nd.random.uniform(0.5, 1, (1, 3, rows, 2 * at + period))
        changed = x.repeat(period, axis=0)
        for i in range(period):
            changed[i, :, :, at + i] = 30
        differs = (net(changed) != net(x)).asnumpy().any(axis=(1, 2))
        assert not differs[:, 0].any() and not differs[:, -1].any()
        for i, row in enumerate(differs):
            ends = np.flatnonzero(row)
            most = max(most, at + i - ends[0], ends[-1] - at - i)
    return most


@pytest.mark.parametrize("name", ["segnet", "deconvnet"])
def test_margin_is_what_a_change_reaches(name):
    """Through indices too, which no gradient passes. Where maxima lie is chance, so a little may be missing."""
    net = on_own_path(name, width=1)
    found, said = reached(net), net.receptive_margin
    assert said - 4 <= found <= said


@pytest.mark.parametrize("backbone, options, margin", [("unet", {"width": 1}, 107), ("resnet18_v2", {}, 308)])
def test_margin_of_u_net_by_gradient(monkeypatch, backbone, options, margin):
    def mean(self, F, x):  # sees all that a maximum may see
        x = F.Pad(x, mode="edge", pad_width=(0, 0, 0, 0, 0, 1, 0, 1))
        return F.Pooling(x, kernel=(2, 2), stride=(2, 2), pool_type="avg")

    monkeypatch.setattr(MaxPool, "hybrid_forward", mean)
    monkeypatch.setattr(gluon.nn, "MaxPool2D", gluon.nn.AvgPool2D)
    net = utils.get_model("unet", 2, backbone, features=options)
    assert measured_margin(net, net.stride) == net.receptive_margin == margin


@NETS
def test_tiles_give_the_whole_picture_s_scores(name, monkeypatch):
    net = on_own_path(name, width=1)
    fill(net)
    monkeypatch.setattr(tiling, "CORE", 16)
    image = np.random.RandomState(0).normal(size=(3, 90, 420)).astype(np.float32)
    whole = net(nd.array(image[None]))[:, :, 16:48, 208:224].asnumpy()
    region = tiling.region_scores(net, image, (16, 48), (208, 224), utils.try_gpu()).asnumpy()
    assert tiling.margin_of(net) < 200
    np.testing.assert_allclose(region, whole, atol=1e-5 * np.abs(whole).max())


@TWO
def test_tiles_on_a_backbone_whose_cells_look_elsewhere(name):
    """TensorFlow's padding: cells of stride 32 look 31 pixels on, and the last enlargement begins at pixel 1."""
    net = utils.get_model(name, 3, LITE0, features={"padding": "same", "folded": True})
    net(nd.zeros((1, 3, 33, 33)))
    margin = tiling.margin_of(net)
    assert 500 < net.receptive_margin <= margin == 544
    image = np.random.RandomState(0).normal(size=(3, 33, 1216)).astype(np.float32)
    whole = net(nd.array(image[None]))[:, :, :, 576:608].asnumpy()
    region = tiling.region_scores(net, image, (0, 33), (576, 608), utils.try_gpu()).asnumpy()
    np.testing.assert_allclose(region, whole, atol=1e-5 * np.abs(whole).max())


@pytest.mark.filterwarnings("ignore:Cannot decide type")  # MXNet of an imported symbol
@pytest.mark.parametrize("name, backbone", [("segnet", LITE0), ("unet", LITE0), ("deconvnet", "unet")])
def test_saved_loaded_and_exported(name, backbone, tmp_path):
    import onnxruntime

    options = {"kernel": 5, "units": 8, "features": {"width": 2}} if name == "deconvnet" else {}
    net = utils.get_model(name, utils.VOC, backbone, backbone == LITE0, **options)
    x, sizes = nd.random.normal(shape=(1, 3, 75, 93)), [(43, 61), (64, 33)]
    if name == "deconvnet":  # more than the 64 × 64 by which most nets are traced
        sizes = [(65, 65), (97, 80)]
        assert net.smallest == 65
    net(x)
    net.score.weight.set_data(nd.random.normal(shape=net.score.weight.shape))
    expected = net(x).asnumpy()
    utils.save_model(tmp_path / "a.params", net, utils.VOC)
    again, *_, about = utils.load_model(tmp_path / "a.params")
    assert (about["model"], about["backbone"]) == (name, backbone)
    np.testing.assert_array_equal(again(x).asnumpy(), expected)
    symbol, params = utils.export(again, tmp_path / "net")
    block = gluon.SymbolBlock.imports(str(symbol), ["data"], str(params))
    np.testing.assert_allclose(block(x).asnumpy(), expected, atol=1e-5 * np.abs(expected).max())
    (file,) = utils.export(net, tmp_path / "net", onnx=True)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for size in sizes:
        x = nd.random.normal(shape=(1, 3, *size))
        (found,), expected = session.run(None, {"data": x.asnumpy()}), net(x).asnumpy()
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@TWO
def test_the_commands_train_and_use_it(name, voc_folder, tmp_path, capsys):
    """On Lite0 with ImageNet's weights, as no backbone is named."""
    net, photo = tmp_path / "net.params", tmp_path / "photo.jpg"
    Image.fromarray(picture(50, 70)).save(photo)
    words = ["--dataset", voc_folder, "--crop", "32x32", "--epochs", 1, "--batch", 6, "--output", net]
    code, text = run(capsys, "train", "--model", name, "--rate", 0.01, "--backbone-rate", 1e-4, *words)
    assert code == 0, text
    about = utils.load_model(net)[-1]
    assert (about["backbone"], about["options"]["features"]["folded"]) == (LITE0, True)
    _used(capsys, net, voc_folder, photo, tmp_path, name)


@NETS
def test_a_few_steps_learn(name):
    utils.seed(0)
    net, loss = on_own_path(name, width=4), utils.SoftmaxCrossEntropyLoss()
    net.hybridize()
    x, y = nd.random.normal(shape=(4, 3, 40, 40)), nd.zeros((4, 40, 40))
    y[:, 10:, 20:] = 1
    x[:, :, 10:, 20:] += 2
    trainer, losses = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 5e-3}), []
    for _ in range(8):
        with autograd.record():
            value = loss(net(x), y)
        value.backward()
        trainer.step(4)
        losses.append(float(value.mean().asscalar()))
    assert losses[-1] < 0.7 * losses[0]
    assert all(p.grad_req == "null" or nd.abs(p.grad()).max().asscalar() > 0 for p in net.collect_params().values())


# Bad input


def row_of(*layers):
    features = Features({2**i: i for i in range(len(layers))}, prefix="")
    features.add(*layers)
    return lambda: features


def test_wrong_input_is_said(monkeypatch):
    def conv(stride, padding=1):
        return gluon.nn.Conv2D(4, 3, strides=stride, padding=padding)

    for name, features, error in (
        ("jumps", row_of(conv(2), conv(4)), "maps at strides 2, 8: a decoder needs two or more, each stride twice"),
        ("one", row_of(conv(2)), "maps at strides 2: a decoder needs two or more"),
        (
            "unpadded",
            row_of(conv(2, 0), conv(2, 0)),
            r"map at stride 2: 98 × 130 cells of a picture of 197 × 261, .*99",
        ),
    ):
        monkeypatch.setitem(utils.backbones, name, features)
        with pytest.raises(ValueError, match=error):
            utils.get_model("unet", 3, name)
    with pytest.raises(ValueError, match="Conv2D: expected the Features of a backbone"):
        utils.UNet(gluon.nn.Conv2D(4, 3), 3)
    for convs in 0, (2, 2), (1, 2, 3, 2.5), "22":
        with pytest.raises(ValueError, match=r"convs=.*expected a number from 1 on, or 4 of them"):
            utils.get_model("segnet", 3, "unet", convs=convs)
    for kernel in 0, 1.5:
        with pytest.raises(ValueError, match=rf"kernel={kernel}, units=8: expected whole numbers"):
            utils.get_model("deconvnet", 3, "unet", kernel=kernel, units=8)
    with pytest.raises(ValueError, match="nobody has ImageNet's weights for U-Net's own path"):
        utils.get_model("unet", 3, "unet", pretrained=True)
    for name in "segnet", "unet", "deconvnet":
        with pytest.raises(ValueError, match="0 classes: expected 1 or more"):
            utils.get_model(name, 0, "unet", features={"width": 1})


# Its experiment


def test_a_row_of_results(monkeypatch, voc_folder):
    """One run as results/decoders makes it, two steps on small pictures; its digest covers the net that it names."""
    sets = (utils.VOCSegDataset(True, (32, 32), voc_folder), utils.VOCSegDataset(False, None, voc_folder))
    monkeypatch.setattr(decoders, "datasets", lambda data, root, trial, seed: sets)
    monkeypatch.setattr(decoders, "CROP", (32, 32))
    monkeypatch.setattr(common, "BATCH", 3)
    job = rate_search.row("voc_mini", "imagenet", "segnet", 0, (1e-4, 1e-2), 1) | {"scored": "val"}
    row = decoders.one_run(job, voc_folder)
    net = decoders.made("segnet", "imagenet", 21)
    assert int(row["parameters"]) == count(net, 32, 32) + sum(
        p.data().size for p in net.collect_params(".*running.*").values()
    )
    assert int(row["memory_training"]) > int(row["memory_scores"]) and 0 <= float(row["boundary_f1"]) <= 1
    reached = digest._Reached(digest.ROOT)
    reached.follow(((ROOT / "results/decoders/run.py"), "one_run"))
    reached.add_known_by_name()
    text = "\n".join(reached.texts)
    assert all(name in text for name in ("MaxUnpool", "deconv_fc6", "upconv", "score_pool3", "boundary_f1"))


def test_a_decoder_has_a_rate_of_its_own():
    net = decoders.made("unet", "imagenet", 3)
    assert decoders.set_rates(net, (1e-4, 1e-2)) == 1e-4
    behind = {parameter.lr_mult for block in (net.decoder, net.norm) for parameter in block.collect_params().values()}
    assert {p.lr_mult for p in net.features.collect_params().values()} == {1} and behind == {net.score.weight.lr_mult}
    assert np.isclose(net.score.weight.lr_mult, 100)


def test_the_tables_of_chapter_12_are_whole():
    """Each job has its row, all made by one code, nets that are compared in about equal seconds; rates are those that
    did best in trials, and the best lies between others that were tried."""
    tables = {name: common.read(ROOT / "results" / "decoders" / f"{name}.csv") for name in ("trials", "table")}
    code = digest.code_digest((ROOT / "results/decoders/run.py", "one_run"))
    assert {row["code"] for rows in tables.values() for row in rows} == {code}
    for start, net in decoders.KINDS:
        found = rate_search.tried(tables["trials"], start, net, "mean_iou")
        asked = rate_search.to_try(tables["trials"], start, net, "mean_iou", None)
        assert {*asked} == found.keys()
    for data in "voc_mini", "camvid":
        mine = [row for row in tables["table"] if row["data"] == data]
        assert [(row["start"], row["net"], row["seed"]) for row in mine] == [
            (*kind, str(seed)) for kind in decoders.KINDS for seed in range(3)
        ]
        for row in mine:
            rates = float(row["rate_backbone"]), float(row["rate_behind"])
            assert rates == rate_search.chosen(tables["trials"], row["start"], row["net"], "mean_iou")
            assert int(row["epochs"]) == decoders.EPOCHS[data][row["start"]][row["net"]]
        for start in "imagenet", "nothing":
            nets = {row["net"]: [] for row in mine if row["start"] == start}
            for net, seconds in nets.items():
                seconds += [float(row["seconds"]) for row in mine if (row["net"], row["start"]) == (net, start)]
            means = [np.mean(seconds) for seconds in nets.values()]
            assert max(means) / min(means) < 1.15 and 0.8 < np.mean(means) / decoders.BUDGET < 1.3
