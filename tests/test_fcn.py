import utils

import csv
import re
import types

import nbformat
import notebooks
import numpy as np
import pytest
from conftest import ROOT
from mxnet import autograd, gluon, init, nd
from mxnet.gluon import nn

from results import common

STRIDES = pytest.mark.parametrize("stride", [32, 16, 8, 4, 2])


@STRIDES
@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("hybrid", [True, False])
def test_any_size_in_same_size_out(stride, align, hybrid):
    net = utils.fcn(5, stride, align=align)
    if hybrid:
        net.hybridize()
    for height, width in (1, 1), (1, 2), (2, 3), (7, 8), (9, 17), (31, 33), (64, 65), (97, 50):
        assert net(nd.zeros((1, 3, height, width))).shape == (1, 5, height, width)


def test_backbone_is_gluons_without_its_last_two_layers():
    features = utils.resnet_features()
    features.initialize()
    assert features(nd.zeros((1, 3, 320, 480))).shape == (1, 512, 10, 15)
    whole = gluon.model_zoo.vision.resnet18_v2()
    whole.initialize()
    for ours, theirs in zip(features.collect_params().values(), whole.features.collect_params().values(), strict=True):
        assert ours.name.split("_", 1)[1] == theirs.name.split("_", 1)[1]


def test_pretrained_weights_reach_the_net(tmp_path):
    """Parameters saved under the model zoo's names arrive in the features, the first layer's statistics too."""
    zoo = gluon.model_zoo.vision.resnet18_v2()
    zoo.initialize()
    x = nd.random.normal(shape=(2, 3, 64, 64))
    with autograd.record():
        zoo(x)
    nd.waitall()
    zoo.features[0].running_mean.set_data(nd.array([0.1, 0.2, 0.3]))
    layers = zoo.features
    features = gluon.nn.HybridSequential(prefix="")
    features.add(utils.fixed_batch_norm(layers[0]), *layers[1:-2])
    expected = x
    for layer in layers[:-2]:
        expected = layer(expected)
    np.testing.assert_allclose(features(x).asnumpy(), expected.asnumpy(), atol=1e-5)


def test_classic_variant_is_the_tutorials_net():
    """Kernel 64, stride 32, padding 16, bilinear, one dense transposed convolution over all classes."""
    net = utils.fcn(4, align=False)
    x = nd.random.normal(shape=(2, 3, 64, 96))
    scores = net(x)
    classic = gluon.nn.Conv2DTranspose(4, kernel_size=64, padding=16, strides=32, use_bias=False, in_channels=4)
    classic.initialize()
    classic.weight.set_data(utils.bilinear_kernel(4, 4, 64))
    np.testing.assert_allclose(scores.asnumpy(), classic(net.score_fr(net.features(x))).asnumpy(), atol=1e-4)


def test_batch_norm_statistics_are_those_that_prediction_uses():
    """The trap of MXNet issue 18673: on a CPU the first BatchNorm's running statistics would never be updated.

    After some steps on one batch, every layer's running statistics must predict what batch statistics give.
    """
    net = utils.fcn(4)
    net.hybridize()
    x = nd.random.normal(2, 3, shape=(2, 3, 64, 64))  # not normalised: where the trap bites hardest
    y = nd.floor(nd.random.uniform(0, 4, shape=(2, 64, 64)))
    loss = utils.SoftmaxCrossEntropyLoss()
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.0})
    for _ in range(60):  # 0.9 ** 60 of the first statistics are left
        with autograd.record():
            losses = loss(net(x), y)
        losses.backward()
        trainer.step(2)
    with autograd.train_mode():
        training = net(x).asnumpy()
    assert np.abs(net(x).asnumpy() - training).max() < 0.05 * np.abs(training).max()


def test_the_trap_is_really_there_without_the_cure():
    """If this fails, MXNet was mended: take the cure and its story out."""
    layers = gluon.model_zoo.vision.resnet18_v2().features
    layers.initialize()
    for _ in range(5):
        with autograd.record():
            out = layers(nd.random.normal(2, 3, shape=(2, 3, 64, 64))).sum()
        out.backward()
    nd.waitall()
    assert (layers[0].running_mean.data().asnumpy() == 0).all()
    assert (layers[0].running_var.data().asnumpy() == 1).all()
    assert (layers[2].running_mean.data().asnumpy() != 0).any()


def _with_random_skips(stride, align=True):
    """A net whose skips say something, and a picture with the backbone's maps of it."""
    net = utils.fcn(4, stride, align=align)
    x = nd.random.normal(shape=(2, 3, 75, 101))
    net(x)
    for layer in (getattr(net, name, None) for name in ("score_pool4", "score_pool3")):
        if layer is not None:
            layer.weight.set_data(nd.random.normal(shape=layer.weight.shape))
    return net, x, net.features.maps(x)


def _enlarged(scores, stride, like):
    """Scores (N, C, h, w) at `stride`, cell i at pixel stride · i, interpolated by NumPy to the size of `like`."""
    for axis in 2, 3:
        at = np.arange(like.shape[axis]) / stride
        cells = np.arange(scores.shape[axis])
        scores = np.apply_along_axis(lambda row, at=at, cells=cells: np.interp(at, cells, row), axis, scores)
    return scores


def test_skips_against_numpys_interpolation():
    net, x, (pool3, pool4, last) = _with_random_skips(8)
    scores = _enlarged(net.score_fr(last).asnumpy(), 2, pool4) + net.score_pool4(pool4).asnumpy()
    scores = _enlarged(scores, 2, pool3) + net.score_pool3(pool3).asnumpy()
    np.testing.assert_allclose(net(x).asnumpy(), _enlarged(scores, 8, x), atol=1e-4)
    net, x, (_, pool4, last) = _with_random_skips(16)
    scores = _enlarged(net.score_fr(last).asnumpy(), 2, pool4) + net.score_pool4(pool4).asnumpy()
    np.testing.assert_allclose(net(x).asnumpy(), _enlarged(scores, 16, x), atol=1e-4)


@pytest.mark.parametrize("stride", [16, 8])
@pytest.mark.parametrize("align", [True, False])
def test_a_zero_skip_changes_nothing_at_all(stride, align):
    """The same net with the skips taken out gives the same numbers, to the last bit."""
    net = utils.fcn(4, stride, align=align)
    x = nd.random.normal(shape=(1, 3, 75, 101))
    pool3, pool4, last = net.features.maps(x)
    scores = net.upscore2(net.score_fr(last), pool4)
    if stride == 8:
        scores = net.upscore_pool4(scores, pool3)
    last_enlargement = net.upscore16 if stride == 16 else net.upscore8
    np.testing.assert_array_equal(net(x).asnumpy(), last_enlargement(scores, x).asnumpy())


@pytest.mark.parametrize("align", [True, False])
def test_at_step_zero_the_aligned_net_is_the_coarse_one_and_the_classic_is_not(align):
    coarse = utils.fcn(4, align=align)
    x = nd.random.normal(shape=(1, 3, 75, 101))
    expected = coarse(x).asnumpy()
    for stride in 16, 8:
        net = utils.fcn(4, stride, align=align)
        utils.start_from(net, coarse)
        difference = np.abs(net(x).asnumpy() - expected).max() / np.abs(expected).max()
        assert difference < 1e-5 if align else difference > 1e-2


def test_start_from_copies_what_both_have():
    net16, net8 = utils.fcn(4, 16), utils.fcn(4, 8)
    net16(nd.zeros((1, 3, 32, 32)))
    net16.score_pool4.weight.set_data(nd.random.normal(shape=net16.score_pool4.weight.shape))
    utils.start_from(net8, net16)
    x = nd.random.normal(shape=(1, 3, 64, 64))
    net8(x)
    np.testing.assert_array_equal(net8.score_pool4.weight.data().asnumpy(), net16.score_pool4.weight.data().asnumpy())
    np.testing.assert_array_equal(net8.features(x).asnumpy(), net16.features(x).asnumpy())
    assert (net8.score_pool3.weight.data().asnumpy() == 0).all()
    with pytest.raises(
        ValueError, match=r"score_fr.weight: shape \(4, 512, 1, 1\) cannot be copied into \(5, 0, 1, 1\)"
    ):
        utils.start_from(utils.fcn(5, 8), net16)
    with pytest.raises(ValueError, match="has no weights yet: run it once"):
        utils.start_from(net8, utils.fcn(4, 16))
    classic = utils.fcn(4, 8, align=False, plain=True)
    utils.start_from(classic, net8)  # the same weights, another enlargement
    np.testing.assert_array_equal(classic.features(x).asnumpy(), net8.features(x).asnumpy())
    assert classic.upscore8.conv.weight.shape == (4, 1, 16, 16)


def _centre(array):
    """Centre of mass along the columns of (H, W)."""
    return (array.sum(0) * np.arange(array.shape[1])).sum() / array.sum()


@pytest.mark.parametrize("which, stride", [(0, 8), (1, 16), (2, 32)])
def test_cell_i_of_the_backbone_looks_at_pixel_stride_times_i(which, stride, monkeypatch):
    """By gradient, with equal weights everywhere, so that what a cell looks at is a matter of geometry alone."""
    monkeypatch.setattr(gluon.nn, "MaxPool2D", gluon.nn.AvgPool2D)  # where a maximum lies is chance
    features = utils.resnet_features()
    features.initialize(init.Xavier())
    features(nd.zeros((1, 3, 64, 64)))
    for parameter in features.collect_params(".*conv.*weight").values():
        parameter.set_data(nd.ones(parameter.shape) / np.prod(parameter.shape[1:]))
    x = nd.ones((1, 3, 480, 480))
    cell = 240 // stride
    x.attach_grad()
    with autograd.record(train_mode=False):  # or BatchNorm would make each pixel depend on all others
        value = features.maps(x)[which][0, 0, cell, cell]
    value.backward(train_mode=False)
    assert _centre(x.grad[0].asnumpy().sum(0, dtype=float)) == pytest.approx(stride * cell, abs=0.02)


@pytest.mark.parametrize(
    "align, stride, offset",
    [(True, 32, 0), (True, 16, 0), (True, 8, 0), (False, 32, 15.5), (False, 16, 8 + 7.5), (False, 8, 8 + 4 + 3.5)],
)
def test_where_a_cell_of_the_last_map_puts_its_peak(align, stride, offset):
    net = utils.fcn(1, stride, align=align)
    x = nd.zeros((1, 3, 320, 320))
    cells = nd.zeros((1, 1, 10, 10))
    cells[0, 0, 4, 4] = 1
    if stride == 32:
        out = net.upscore(cells)
    else:
        scores = net.upscore2(cells)
        out = net.upscore16(scores) if stride == 16 else net.upscore8(net.upscore_pool4(scores))
    out = nd.slice_like(out, x, axes=(2, 3))[0, 0].asnumpy()
    assert _centre(out) == pytest.approx(4 * 32 + offset, abs=1e-3)


@pytest.mark.parametrize("stride, offset", [(32, 15.5), (16, 7.5), (8, 3.5)])
def test_where_the_last_classic_enlargement_puts_its_cells(stride, offset):
    """15.5, 7.5 and 3.5 pixels from where a ResNet's cells look."""
    layer = utils.BilinearUpsampling(1, stride, align=False)
    layer.initialize()
    cells = nd.zeros((1, 1, 5, 5))
    cells[0, 0, 2, 2] = 1
    assert _centre(layer(cells)[0, 0].asnumpy()) == pytest.approx(2 * stride + offset, abs=1e-3)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="stride=7: expected 32, 16, 8, 4 or 2"):
        utils.fcn(stride=7)
    with pytest.raises(ValueError, match="backbone='alexnet': expected resnet18_v2"):
        utils.fcn(backbone="alexnet")
    with pytest.raises(ValueError, match="align=False with vgg16"):
        utils.fcn(backbone="vgg16", align=False)


def test_parameters_are_saved_and_loaded(tmp_path):
    net, other = utils.fcn(3), utils.fcn(3)
    x = nd.random.normal(shape=(1, 3, 40, 50))
    expected = net(x).asnumpy()
    net.save_parameters(str(tmp_path / "net.params"))
    other.load_parameters(str(tmp_path / "net.params"))
    np.testing.assert_array_equal(other(x).asnumpy(), expected)


def test_what_chapter_08_says_of_its_table():
    rows = common.read(ROOT / "results" / "fcn32s" / "table.csv")

    def values(data, start, key="mean_iou"):
        found = [float(row[key]) for row in rows if (row["data"], row["start"]) == (data, start)]
        assert len(found) == 3, (data, start)
        return np.array(found)

    assert values("voc_mini", "nothing, score zeros").mean() < 0.5 * values("voc_mini", "nothing").mean()
    nothing, drawings = values("camvid", "nothing"), values("camvid", "voc_mini")
    assert abs(drawings.mean() - nothing.mean()) < nothing.std(ddof=1)
    gain = drawings - nothing
    assert (gain[:2] > 0.015).all() and gain[2] < -0.015
    lost = values("camvid", "nothing", "pixel_acc") - values("camvid", "nothing, without the cure", "pixel_acc")
    assert lost.min() > 0.20 and lost.max() < 0.26


@pytest.fixture
def skips_said(monkeypatch, capsys):
    """Chapter 09's way to read its tables: `values`, `over`, `each_class` and `on_crops`."""
    monkeypatch.chdir(ROOT / "chapters")
    cells = [c.source for c in nbformat.read(notebooks.find("09")[0], 4).cells if c.cell_type == "code"]
    chapter = {"csv": csv, "np": np, "code_digest": lambda reach: ""}
    for name in "values", "over", "each_class", "on_crops":
        source = next(cell for cell in cells if f"def {name}(" in cell)
        exec(re.split("\n\n\n(?:figure|inside)", source)[0], chapter)
    return types.SimpleNamespace(**chapter)


def test_what_chapter_09_says_of_skips(skips_said):
    over, values, each_class = skips_said.over, skips_said.values, skips_said.each_class
    for data in "voc_mini", "camvid":
        for way in "at once", "pretrained":
            won, room = over(data, "8s", way, "32s", way), over(data, "8s", "ceiling", "32s", "ceiling")[0]
            assert len(won) == 3 and won.min() > 0 and over(data, "8s", way, "32s", way, "trimap_iou").min() > 0
            low, high = (0, 0.34) if way == "at once" else {"voc_mini": (0.9, 1.1), "camvid": (0.5, 0.7)}[data]
            assert low < won.mean() / room < high
        for net in "16s", "8s":
            assert values(data, net, "staged").mean() < values(data, net, "at once").mean()
    first_skip = over("voc_mini", "16s", "pretrained", "32s", "pretrained").mean()
    assert first_skip > 0.85 * over("voc_mini", "8s", "pretrained", "32s", "pretrained").mean()
    weights = [over("camvid", net, "pretrained", net, "at once") for net in ("32s", "16s")]
    assert weights[0].max() < 0.05 < 0.08 < weights[1].min()
    top, nothing, known = (each_class("camvid", "32s", way) for way in ("ceiling", "at once", "pretrained"))
    assert all(nothing[name] > 0.85 * top[name] for name in ("road", "sky", "tree", "building", "pavement"))
    assert all(top[name] < 0.15 for name in ("bicyclist", "pedestrian", "sign", "pole"))
    assert known["car"] < nothing["car"] and known["pavement"] > top["pavement"]
    far = each_class("voc_mini", "8s", "at once")
    assert all(found < 0.8 for name, found in far.items() if name != "background")


def test_what_chapter_09_says_of_half_a_cell(skips_said):
    values = skips_said.values
    for data, net in ("voc_mini", "32s"), ("voc_mini", "8s"), ("camvid", "8s"):
        assert (values(data, net, "classic") > values(data, net, "at once")).all()
    for data in "voc_mini", "camvid":
        assert (values(data, "32s", "classic") - values(data, "32s", "at once")).mean() > -0.01
        assert values(data, "8s", "classic").mean() > values(data, "32s", "classic").mean()
    on_crops = skips_said.on_crops
    for net in "32s", "8s":
        aligned, classic = (on_crops("161x225", net, way) for way in ("aligned", "classic"))
        gain = aligned - values("voc_mini", net, "at once")
        assert gain.min() > 0.035 and gain.max() < 0.085 and (aligned > values("voc_mini", net, "classic")).all()
        assert (classic < aligned).all() and (classic < values("voc_mini", net, "classic")).all()
        more = on_crops("161x225", net, "aligned", "inside_acc") - on_crops("161x225", net, "classic", "inside_acc")
        assert (more > 0).any() and (more < 0).any() and abs(more).max() < 0.02
        named = [run["iou"] for run in skips_said.half_cell if (run["net"], run["way"]) == (net, "classic")]
        named = [text for text in named if text.count(";") > 8]  # the nine of the test pictures, and others
        assert len(named) == 3 and all(" 0.000" in text for text in named)
    won = [
        on_crops("160x224", "32s", "classic", f"{part}_acc") - on_crops("160x224", "32s", "aligned", f"{part}_acc")
        for part in ("inside", "beyond")
    ]
    assert (won[0] > won[1]).all() and won[0].min() > 0.005
    for part, sign in ("inside", 1), ("beyond", -1):
        more = [on_crops(crop, "32s", "aligned", f"{part}_acc") for crop in ("161x225", "160x224")]
        assert (sign * (more[0] - more[1]) > 0.02).all()
    parts = [on_crops("161x225", "32s", "classic", f"{part}_acc") for part in ("inside", "beyond")]
    assert (parts[1] < 0.5).all() and (parts[0] > 0.85).all()
    aligned, classic = (on_crops("none", "32s", f"ceiling {way}")[0] for way in ("aligned", "classic"))
    assert aligned < classic - 0.015


def test_concatenating_is_adding_scores():
    """Chapter 09's formulas: one 1 × 1 convolution of maps on top of each other is a sum of two scores."""
    f, g = nd.random.normal(shape=(1, 5, 5, 7)), nd.random.normal(shape=(1, 3, 10, 14))
    whole, w1, w2 = (nn.Conv2D(4, 1, use_bias=False, in_channels=n) for n in (8, 5, 3))
    for layer in whole, w1, w2:
        layer.initialize(init.Normal(0.1))
    w1.weight.set_data(whole.weight.data()[:, :5])
    w2.weight.set_data(whole.weight.data()[:, 5:])
    up_maps, up_scores = utils.BilinearUpsampling(5, 2), utils.BilinearUpsampling(4, 2)
    up_maps.initialize()
    up_scores.initialize()
    concatenated = whole(nd.concat(nd.slice_like(up_maps(f), g, axes=(2, 3)), g, dim=1))
    added = nd.slice_like(up_scores(w1(f)), g, axes=(2, 3)) + w2(g)
    np.testing.assert_allclose(concatenated.asnumpy(), added.asnumpy(), atol=1e-5)
