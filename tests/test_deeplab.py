"""DeepLab: a backbone made dense is the backbone itself, by its own maps; its heads, where they look, and the tools."""

import utils
from utils.models.backbones import make_backbone
from utils.models.deeplab import DeepLab, make_dense
from utils.viz.widgets import draw_labels

import csv
import types

import matplotlib.pyplot as plt
import nbformat
import notebooks
import numpy as np
import pytest
from conftest import ROOT
from mxnet import autograd, gluon, init, nd
from mxnet.gluon import nn
from test_efficientnet_lite import even_weights
from test_nets import geometry, measured_margin  # noqa: F401  a fixture

LITE = "efficientnet_lite0"
BACKBONES = {
    "resnet18_v2": ("resnet18_v2", None),
    "resnet50_v2": ("resnet50_v2", None),
    "vgg16": ("vgg16", None),
    "symmetric, folded": (LITE, {"padding": "symmetric"}),
    "same, folded": (LITE, {"padding": "same"}),
    "same, BatchNorm": (LITE, {"padding": "same", "folded": False}),
}
HEADS = {"deeplab": {}, "deeplab_largefov": {"channels": 4}, "deeplab_aspp": {"channels": 4}}
ALL = [*HEADS, "deeplab_meanfield"]


def backbone(which):
    name, options = BACKBONES[which]
    features = make_backbone(name, name == LITE, options)
    if name != LITE:
        features.initialize(init.Xavier())
    return features


def former(new, place, features, stride):
    """The cells of the former last map among those of a dense one."""
    first = (place - features.place(stride)) / stride
    assert first == int(first)
    return new[:, :, int(first) :: 32 // stride, int(first) :: 32 // stride]


# The same net, denser


@pytest.mark.parametrize("stride", [16, 8])
@pytest.mark.parametrize("which", BACKBONES)
def test_a_dense_backbone_has_the_former_cells_among_its_own(which, stride):
    """Sides that are multiples of 32: all of them, at the edges too. The net before is the oracle."""
    features, x = backbone(which), nd.random.normal(shape=(1, 3, 64, 96))
    before, place, field = features.by_stride(x, (4, 8, 32)), features.place(32), features.receptive_field(32)
    nd.waitall()  # weights may be on their way into another layout
    weights = {name: parameter.data().asnumpy() for name, parameter in features.collect_params().items()}
    features.hybridize()
    features(x)  # what is compiled must not stay
    assert make_dense(features, stride) is features
    after = features.by_stride(x, (4, stride))
    assert after[stride].shape[2:] == (64 // stride, 96 // stride)
    found, expected = former(after[stride], place, features, stride).asnumpy(), before[32].asnumpy()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_array_equal(after[4].asnumpy(), before[4].asnumpy())  # finer maps are as they were
    assert np.abs(after[stride][:, :, ::2].asnumpy() - after[stride][:, :, 1::2].asnumpy()).max() > 1e-3
    assert features.receptive_field(stride)[0] == field[0] and features.receptive_field(stride)[1] == stride
    nd.waitall()
    for name, parameter in features.collect_params().items():
        np.testing.assert_array_equal(parameter.data().asnumpy(), weights.pop(name))
    assert not weights
    assert list(features.ends) == [s for s in (2, 4, 8, 16) if s <= stride]
    with pytest.raises(ValueError, match="no map at stride 32: this backbone has 2, 4, 8"):
        features.by_stride(x, (32,))


@pytest.mark.parametrize("which, size", [("resnet18_v2", (65, 101)), ("symmetric, folded", (33, 50))])
def test_with_symmetric_padding_at_any_size(which, size):
    features, x = backbone(which), nd.random.normal(shape=(1, 3, *size))
    before, place = features(x).asnumpy(), features.place(32)
    found = former(make_dense(features, 8)(x), place, features, 8).asnumpy()
    np.testing.assert_allclose(found, before, atol=1e-5 * np.abs(before).max())


@pytest.mark.parametrize("which", ["resnet18_v2", "symmetric, folded", "same, folded"])
def test_between_them_lie_the_cells_of_the_shifted_picture(which):
    """Shift and stitch = dilation, on a strip: the picture cut by 8, 16, 24 pixels, where no edge is in view.

    Its width is no multiple of anything.
    """
    features, x = backbone(which), nd.random.normal(shape=(1, 3, 32, 1237))
    size, _, place = features.receptive_field(32)
    cut = {shift: features(x[:, :, :, shift:]).asnumpy() for shift in (0, 8, 16, 24)}
    dense, row = make_dense(features, 8)(x).asnumpy(), former(np.zeros((1, 1, 4, 4)), place, features, 8).shape[2]
    compared = 0
    for shift, cells in cut.items():
        for i in range(cells.shape[3]):
            middle = place + 32 * i + shift
            if middle - size // 2 >= shift and middle + size // 2 < 1237:
                at = int((middle - features.place(8)) / 8)
                first = int((place - features.place(8)) / 8)
                found, expected = dense[:, :, first::4, at], cells[:, :, :row, i]
                np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(cells).max())
                compared += 1
    assert compared > 30


def test_what_cannot_be_made_dense_is_said():
    with pytest.raises(ValueError, match="no map at stride 5: this backbone has 2, 4, 8, 16, 32"):
        utils.get_model("deeplab", 3, "resnet18_v2", stride=5)
    with pytest.raises(ValueError, match="HybridSequential: expected `Features`"):
        make_dense(nn.HybridSequential(), 8)
    features = utils.resnet_features()
    features.add(nn.Dense(4))
    with pytest.raises(ValueError, match=r"Dense.*expected convolutions, max-poolings, and blocks"):
        make_dense(features, 8)


# Heads


@pytest.mark.parametrize("stride, rates", [(8, [6, 12, 18, 24]), (16, [3, 6, 9, 12]), (32, [2, 3, 4, 6])])
def test_rates_go_with_the_stride(stride, rates):
    net = utils.get_model("deeplab_aspp", 3, "resnet18_v2", stride=stride)
    assert net.rates == rates and net.stride == stride
    assert net.receptive_field == (435 + 2 * stride * rates[-1], stride, 0.0)
    assert utils.get_model("deeplab", 3, "resnet18_v2", stride=stride).receptive_field == (435, stride, 0.0)


def test_largefov_by_hand():
    """Nine shifted products, in NumPy; beyond the edge there is nothing."""
    net = utils.get_model("deeplab_largefov", 3, "resnet18_v2", rate=2, channels=4)
    x = nd.random.normal(shape=(1, 3, 40, 56))
    out = net(x).asnumpy()
    cells = net.features(x).asnumpy()[0]
    fc6, _, fc7, _, fc8 = net.branch1
    weight, bias = fc6.weight.data().asnumpy(), fc6.bias.data().asnumpy()
    hidden = np.zeros((4, 5, 7))
    for y, c in np.ndindex(5, 7):
        for i, j in np.ndindex(3, 3):
            row, column = y + 2 * (i - 1), c + 2 * (j - 1)
            if 0 <= row < 5 and 0 <= column < 7:
                hidden[:, y, c] += weight[:, :, i, j] @ cells[:, row, column]
    hidden = np.maximum(hidden + bias[:, None, None], 0)
    for layer, bends in (fc7, True), (fc8, False):
        weight, bias = layer.weight.data().asnumpy()[:, :, 0, 0], layer.bias.data().asnumpy()
        hidden = np.einsum("oc,chw->ohw", weight, hidden) + bias[:, None, None]
        hidden = np.maximum(hidden, 0) if bends else hidden
    np.testing.assert_allclose(out[0, :, ::8, ::8], hidden, atol=1e-5 * np.abs(hidden).max())  # cell i is at pixel 8 i


def test_aspp_is_the_sum_of_its_branches():
    net = utils.get_model("deeplab_aspp", 3, "resnet18_v2", channels=4)
    x = nd.random.normal(shape=(1, 3, 40, 56))
    net(x)
    scores = sum(branch(net.features(x)) for branch in (net.branch1, net.branch2, net.branch3, net.branch4))
    np.testing.assert_allclose(net(x).asnumpy(), net.upscore(scores, x).asnumpy(), atol=1e-5)


def test_at_stride_32_without_branches_it_is_fcn32s():
    for options in None, {"padding": "same"}:
        net, fcn = (
            utils.get_model("deeplab", 4, LITE, True, stride=32, features=options),
            utils.fcn(4, 32, LITE, True, features=options),
        )
        x, weight = nd.random.normal(shape=(1, 3, 70, 100)), nd.random.normal(shape=(4, 320, 1, 1))
        net(x), fcn(x)
        net.fc8.weight.set_data(weight)
        fcn.score_fr.weight.set_data(weight)
        np.testing.assert_allclose(net(x).asnumpy(), fcn(x).asnumpy(), atol=1e-5 * np.abs(fcn(x).asnumpy()).max())
        assert net.receptive_margin == fcn.receptive_margin


# Where they look


@pytest.mark.parametrize("stride", [16, 8])
@pytest.mark.parametrize("name", HEADS)
def test_margin_by_gradient_is_that_by_arithmetic(geometry, name, stride):  # noqa: F811
    net = utils.get_model(name, 2, "resnet18_v2", stride=stride, **HEADS[name])
    assert measured_margin(net) == net.receptive_margin


@pytest.mark.parametrize("padding", ["symmetric", "same"])
def test_where_a_dense_cell_looks(padding):
    """By gradient: its field is that of the former cells, its middle at 8 i, or 8 i + 7 with TensorFlow's padding."""
    features = make_backbone(LITE, False, {"folded": True, "padding": padding})
    features.initialize()
    even_weights(features)
    make_dense(features, 8)
    x = nd.ones((1, 3, 1, 1200))
    x.attach_grad()
    with autograd.record():
        value = features(x)[0, 0, 0, 75]
    value.backward()
    seen = np.flatnonzero(x.grad.asnumpy().any(axis=(0, 1, 2)))
    assert (seen[0] + seen[-1]) / 2 == 600 + features.place(8) == 600 + (7 if padding == "same" else 0)
    assert seen[-1] - seen[0] + 1 == features.receptive_field(8)[0] == 851


def test_gridding():
    """Kernels of one rate see every second cell only, and neighbours nothing in common; rates 1, 2, 5 leave no hole."""

    def seen(rates, cell):
        row = nn.HybridSequential()
        for rate in rates:
            row.add(nn.Conv2D(1, 3, padding=rate, dilation=rate, in_channels=1, weight_initializer=init.One()))
        row.initialize()
        x = nd.ones((1, 1, 41, 41))
        x.attach_grad()
        with autograd.record():
            value = row(x)[0, 0, 20, cell]
        value.backward()
        return {int(column) for column in np.flatnonzero(x.grad[0, 0, 20].asnumpy())}

    assert seen([2, 2, 2], 20) == set(range(14, 27, 2)) and not seen([2, 2, 2], 20) & seen([2, 2, 2], 21)
    assert seen([1, 2, 5], 20) == set(range(12, 29))


# Through the course's tools


@pytest.mark.filterwarnings("ignore:Cannot decide type")  # MXNet of an imported symbol
@pytest.mark.parametrize("name", ALL)
def test_any_size_saved_loaded_and_exported(name, tmp_path):
    options = HEADS.get(name, {}) | ({"features": {"padding": "same"}} if name in HEADS else {})
    net = utils.get_model(name, utils.VOC, LITE, True, stride=16, **options)
    for size in (1, 1), (2, 3), (31, 33), (50, 97):
        assert net(nd.zeros((1, 3, *size))).shape == (1, 21, *size)
    for parameter in net.collect_params(".*fc8_weight").values():
        parameter.set_data(nd.random.normal(shape=parameter.shape))
    x = nd.random.normal(shape=(1, 3, 43, 61))
    expected = net(x).asnumpy()
    utils.save_model(tmp_path / "a.params", net, utils.VOC)
    again, *_, about = utils.load_model(tmp_path / "a.params")
    assert about["model"] == name and about["options"]["stride"] == 16
    np.testing.assert_array_equal(again(x).asnumpy(), expected)
    symbol, params = utils.export(again, tmp_path / "net")
    block = gluon.SymbolBlock.imports(str(symbol), ["data"], str(params))
    np.testing.assert_array_equal(block(x).asnumpy(), expected)


def test_tiles_are_the_whole_picture(monkeypatch):
    from utils.engine import tiling

    net = utils.get_model("deeplab_largefov", 4, "resnet18_v2", channels=4, rate=1)
    image = np.random.RandomState(0).randint(0, 256, (40, 700, 3)).astype(np.uint8)
    x = nd.array(utils.normalize(image).transpose(2, 0, 1)[None])
    expected = net(x)[:, :, :, 640:].asnumpy()
    monkeypatch.setattr(tiling, "CORE", 64)
    found = tiling.region_scores(net, x[0].asnumpy(), (0, 40), (640, 700), x.context).asnumpy()
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", ALL)
def test_a_few_steps_learn(name):
    utils.seed(0)
    # votes that weigh more than the number of classes take all that is undecided to one class
    options = HEADS.get(name, {"crf": {"w1": 1.0, "w2": 1.0}})
    net, loss = utils.get_model(name, 3, LITE, True, **options), utils.SoftmaxCrossEntropyLoss()
    net.hybridize()
    x, y = nd.random.normal(shape=(2, 3, 48, 64)), nd.zeros((2, 48, 64))
    y[:, 16:, 24:] = 1
    x[:, :, 16:, 24:] += 2
    trainer, losses = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 1e-3}), []
    for _ in range(14):
        with autograd.record():
            value = loss(net(x), y)
        value.backward()
        trainer.step(2)
        losses.append(float(value.mean().asscalar()))
    assert losses[0] == pytest.approx(np.log(3), abs=1e-5)  # it begins with scores of 0
    assert losses[-1] < 0.8 * losses[0]


def test_it_is_any_backbone_s_and_says_what_it_takes():
    assert isinstance(utils.get_model("deeplab_aspp", 3, "vgg16", channels=2), DeepLab)
    with pytest.raises(ValueError, match="deeplab_aspp: .*'rate'; it takes backbone, .*stride, rates, channels"):
        utils.get_model("deeplab_aspp", 3, "resnet18_v2", rate=12)


IMPOSSIBLE = [
    ("deeplab", 0, {}, "classes=0: expected a whole number from 1 on"),
    ("deeplab", 3, {"stride": 64}, "no map at stride 64: this backbone has 2, 4, 8, 16, 32"),
    ("deeplab_largefov", 3, {"rate": 0}, r"rates \(0,\): expected a tuple of whole numbers from 1 on"),
    ("deeplab_largefov", 3, {"rate": 2.5}, r"rates \(2\.5,\): expected"),
    ("deeplab_largefov", 3, {"channels": 0}, "channels=0: expected a whole number from 1 on"),
    ("deeplab_aspp", 3, {"rates": 6}, "rates 6: expected a tuple"),
    ("deeplab_aspp", 3, {"rates": (6, "a")}, r"rates \(6, 'a'\): expected"),
    ("deeplab_meanfield", 3, {"crf": {"theta": 1}}, "crf={'theta': 1}: expected a dict of a CRF's settings.*theta"),
    ("deeplab_meanfield", 3, {"crf": [1]}, r"crf=\[1\]: expected a dict"),
    ("deeplab_meanfield", 3, {"crf": {"alpha": 0}}, "alpha=0: expected a number, at least 0.5"),
]


@pytest.mark.parametrize("name, classes, options, message", IMPOSSIBLE)
def test_what_no_net_can_be_made_of_is_one_error(name, classes, options, message):
    with pytest.raises(ValueError, match=message):
        utils.get_model(name, classes, "resnet18_v2", **options)


def test_one_class_is_a_net_too():
    net = utils.get_model("deeplab_largefov", 1, "resnet18_v2", channels=2)
    assert net(nd.zeros((1, 3, 1, 40))).shape == (1, 1, 1, 40)


def test_compare_and_viewer_show_these_nets_side_by_side(voc_folder):
    """Each panel is what the net predicts: `draw_labels` is what `compare` draws."""
    test_set = utils.VOCSegDataset(False, None, voc_folder)
    classes, nets = test_set.classes, {}
    for name, options in HEADS.items():
        nets[name] = utils.get_model(name, classes, "resnet18_v2", stride=16, **options)
    nets["deeplab_meanfield"] = utils.get_model("deeplab_meanfield", classes, "resnet18_v2", stride=16)
    nets["with a CRF"] = utils.WithCRF(nets["deeplab"], utils.DenseCRF(alpha=5, iterations=2))
    image = utils.denormalize(test_set[0][0])
    figure = draw_labels(nets, "a picture", image, classes)
    panels = {ax.get_title(): ax.images[-1].get_array() for ax in figure.axes if ax.images}
    for name, net in nets.items():
        expected = utils.label2image(utils.predict(net, image).asnumpy(), classes).asnumpy()
        np.testing.assert_array_equal(panels[name], expected, err_msg=name)
    assert len({panels[name].tobytes() for name in nets}) == len(nets)  # each shows its own
    utils.compare(nets, test_set)
    viewer = utils.Viewer(nets["with a CRF"], test_set)
    viewer.draw(0)
    np.testing.assert_array_equal(viewer.labels[0], utils.predict(nets["with a CRF"], image).asnumpy())
    plt.close("all")


def test_mean_field_in_a_net_is_mean_field_after_it():
    """At the cells, with their colours; and it is never tiled."""
    net = utils.get_model("deeplab_meanfield", 3, "resnet18_v2", crf={"alpha": 3, "beta": 30, "iterations": 2})
    plain = DeepLab(net.features, 3, 8)
    x = nd.random.uniform(-1, 1, shape=(1, 3, 45, 70))
    net(x)
    plain.fc8 = net.fc8
    plain.branches = [net.fc8]
    colours = np.zeros((1, 3, 6, 9), np.float32)
    for y, c in np.ndindex(6, 9):
        around = x[0, :, max(0, 8 * y - 3) : 8 * y + 4, max(0, 8 * c - 3) : 8 * c + 4]
        colours[0, :, y, c] = around.mean(axis=(1, 2)).asnumpy()
    cells = plain.fc8(net.features(x))
    expected = net.mean_field(cells, nd.array(colours))
    np.testing.assert_allclose(net(x)[:, :, ::8, ::8].asnumpy(), expected.asnumpy(), atol=1e-3)
    assert net.receptive_margin is None
    with pytest.raises(ValueError, match="cell 0 looks at pixel 7: expected a backbone whose cells look at s"):
        utils.get_model("deeplab_meanfield", 3, LITE, features={"padding": "same"})


@pytest.fixture
def said(monkeypatch, capsys):
    """The chapter's way to read the table: `of` and `kinds`."""
    monkeypatch.chdir(ROOT / "chapters")
    cells = [c.source for c in nbformat.read(notebooks.find("13")[0], 4).cells if c.cell_type == "code"]
    chapter = {"csv": csv, "np": np}
    exec(next(cell for cell in cells if "def of(kind" in cell), chapter)
    return types.SimpleNamespace(**chapter)


def test_what_the_chapter_says_of_density(said):
    drawn, photos = (
        {kind[1:]: said.of(kind, "mean_iou") for kind in said.kinds if kind[0] == data}
        for data in ("voc_mini", "camvid")
    )
    assert (drawn["deeplab", "8"] > said.of(("voc_mini", "deeplab", "32"), "bare") + 0.03).all()
    last = {kind: (said.of(kind, "mean_iou") - said.of(kind, "bare")).mean() for kind in said.kinds}
    assert last["voc_mini", "deeplab", "8"] > 0.03 and -0.03 < last["voc_mini", "deeplab", "32"] < 0
    assert last["camvid", "deeplab", "32"] < -0.01
    assert all(abs(last["camvid", "deeplab", stride]) < 0.01 for stride in ("16", "8"))
    for scores in drawn, photos:
        assert all(scores["fcn8s", ""].min() > other.max() for kind, other in scores.items() if kind[0] != "fcn8s")
        least = min(scores["deeplab", stride].min() for stride in ("32", "16", "8"))
        assert scores["deeplab_largefov", "8"].max() < least
    dear, cheap = (("voc_mini", "deeplab", stride) for stride in ("8", "32"))
    assert all(said.of(dear, key).mean() > 2 * said.of(cheap, key).mean() for key in ("net_ms", "megabytes"))


def test_what_the_chapter_says_of_the_crf(said):
    gains = {kind: said.of(kind, "crf_mean_iou") - said.of(kind, "mean_iou") for kind in said.kinds}
    for kind, gain in gains.items():
        assert gain.min() > 0.02 if kind[0] == "voc_mini" else abs(gain).max() < 0.02, kind
    dear, cheap = (("voc_mini", "deeplab", stride) for stride in ("8", "32"))
    assert (said.of(cheap, "crf_trimaps", 4) > said.of(dear, "trimaps", 4) + 0.05).all()
    assert np.abs(said.of(cheap, "crf_mean_iou") - said.of(dear, "mean_iou")).max() < 0.02
    drawn = [run["crf"] for run in said.runs if run["data"] == "voc_mini"]
    assert drawn and all(settings.startswith("w1 8;") for settings in drawn)
    for data in "voc_mini", "camvid":
        net, together = (said.of((data, name, "8"), "mean_iou") for name in ("deeplab", "deeplab_meanfield"))
        assert together.mean() < net.mean() + 0.01
    near = [said.of(("voc_mini", name, "8"), "trimaps", 4).mean() for name in ("deeplab", "deeplab_meanfield")]
    afterwards = said.of(dear, "crf_mean_iou").mean()
    assert near[1] > near[0] and afterwards > said.of(("voc_mini", "deeplab_meanfield", "8"), "mean_iou").mean() + 0.04
