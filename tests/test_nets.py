"""What a net says of itself, backbones by stride, and nets by name: for the course's nets and for one made up here."""

import utils
from utils.__main__ import main
from utils.engine import tiling
from utils.metrics import scores_of
from utils.models import fcn_vgg16
from utils.models.backbones import Features
from utils.models.surgery import receptive_margin
from utils.models.upsampling import reach
from utils.viz.widgets import draw_labels

import json
import subprocess
import sys

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd, gluon, init, nd
from PIL import Image

CPU = mx.cpu()


def small_features(depth=3):
    """Convolutions of stride 2: maps at 2, 4 and 8, cell i at pixel s · i."""
    features = Features({2 ** (i + 1): i for i in range(depth)}, prefix="")
    for i in range(depth):
        features.add(gluon.nn.Conv2D(8, 3, strides=2, padding=1, activation="relu", in_channels=8 if i else 3))
    return features


class BothLoss:
    """Of a net with two outputs: the cross-entropy of the scores, and how well the second says where void is."""

    uses_void = True

    def __init__(self):
        self.scores_loss = utils.SoftmaxCrossEntropyLoss()

    def __call__(self, outputs, labels):
        scores, second = outputs
        void = (labels == utils.VOID).expand_dims(axis=1)
        return self.scores_loss(scores, labels) + nd.mean((second - void) ** 2, axis=0, exclude=True)


class TwoHeads(gluon.HybridBlock):
    """Scores with a skip at stride 4, and a second map; an enlargement is inside a row, where no attribute names it."""

    stride = 8
    training_loss = BothLoss

    def __init__(self, features, classes, width=6):
        super().__init__()
        ways = {8: [2, 4], 4: [4]}
        self.receptive_margin = max(receptive_margin(features.receptive_field(s), *reach(f)) for s, f in ways.items())
        with self.name_scope():
            self.features = features
            self.score = gluon.nn.HybridSequential()
            self.score.add(gluon.nn.Conv2D(classes, 1, in_channels=8), utils.MatrixUpsampling(classes, 2))
            self.score4 = gluon.nn.Conv2D(classes, 1, in_channels=8)
            self.upscore = utils.MatrixUpsampling(classes, 4)
            self.second = gluon.nn.Conv2D(width, 3, padding=1, in_channels=3, activation="relu")
            self.second_score = gluon.nn.Conv2D(1, 1, in_channels=width)

    def hybrid_forward(self, F, x):
        maps = self.features.by_stride(x, (4, 8))
        scores = F.slice_like(self.score(maps[8]), maps[4], axes=(2, 3)) + self.score4(maps[4])
        return self.upscore(self.context(F, scores, maps[8]), x), self.second_score(self.second(x))

    def context(self, F, scores, last):
        return scores


class LooksAtAll(TwoHeads):
    """The same net with the mean over the whole picture added."""

    def __init__(self, features, classes, **options):
        super().__init__(features, classes, **options)
        self.receptive_margin = None
        with self.name_scope():
            self.whole = gluon.nn.Conv2D(classes, 1, in_channels=8)

    def context(self, F, scores, last):
        return F.broadcast_add(scores, self.whole(F.contrib.AdaptiveAvgPooling2D(last, output_size=1)))


@pytest.fixture(autouse=True)
def registered():
    utils.backbones["small"] = small_features
    for name, net in ("two heads", TwoHeads), ("looks at all", LooksAtAll):
        utils.register_model(name, backbone="small")(net)
    yield
    del utils.backbones["small"]


NAMES = pytest.mark.parametrize("name", ["two heads", "looks at all"])


def picture(height, width, seed=0):
    rng = np.random.RandomState(seed)
    blocks = np.kron(rng.randint(0, 256, (-(-height // 16), -(-width // 16), 3)), np.ones((16, 16, 1)))
    return (0.5 * blocks[:height, :width] + rng.randint(0, 128, (height, width, 3))).astype(np.uint8)


def planes(image):
    return nd.array(utils.normalize(image).transpose(2, 0, 1)[None])


def made(name, classes=4):
    """A net whose scores differ from place to place."""
    net = utils.get_model(name, classes)
    for parameter in net.collect_params(".*weight").values():
        parameter.set_data(nd.random.normal(scale=0.4, shape=parameter.shape))
    return net


# What a net says of itself


def measured_margin(net, period=32):
    """By gradient: the farthest pixel that a score depends on, over all pixels of a period, on pictures one row high.

    With weights of one sign nothing cancels out, and no ReLU hides a way. Kernels are square and paddings alike in both
    directions, so a row says what a column would.
    """
    at = -(-(net.receptive_margin + 40) // period) * period
    x = nd.ones((period, 3, 1, 2 * at + period))
    net(x[:1])
    for parameter in net.collect_params(".*weight").values():
        if parameter.grad_req != "null":
            parameter.set_data(
                nd.ones(parameter.shape) * 3 / np.prod(parameter.shape[1:])
            )  # 3: of a kernel's rows one is seen
    x.attach_grad()
    with autograd.record(train_mode=False):  # or BatchNorm would make each pixel depend on all others
        scores = scores_of(net(x))
        picked = sum(scores[i, :, 0, at + i].sum() for i in range(period))
    picked.backward(train_mode=False)
    seen = np.abs(x.grad.asnumpy()).sum(axis=(1, 2)) > 0
    ends = [(at + i - np.flatnonzero(row)[0], np.flatnonzero(row)[-1] - at - i) for i, row in enumerate(seen)]
    assert seen[:, 0].sum() == seen[:, -1].sum() == 0
    return np.max(ends)


@pytest.fixture
def geometry(monkeypatch):
    """Where a maximum lies is chance: a mean sees all that a maximum may see. VGG16 with two channels a layer."""
    monkeypatch.setattr(gluon.nn, "MaxPool2D", gluon.nn.AvgPool2D)
    monkeypatch.setattr(fcn_vgg16, "BLOCKS", {block: (count, 2) for block, (count, _) in fcn_vgg16.BLOCKS.items()})


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("stride", [32, 16, 8, 4, 2])
def test_margin_of_the_fcns(geometry, stride, align):
    net = utils.fcn(2, stride, align=align)
    assert measured_margin(net) == net.receptive_margin and net.stride == 32


@pytest.mark.parametrize("backbone", ["resnet34_v2", "resnet50_v2"])
def test_margin_on_other_resnets(geometry, backbone):
    net = utils.fcn(2, 8, backbone)
    assert measured_margin(net) == net.receptive_margin


def test_margins_as_the_docs_have_them():
    margins = {
        name: utils.FCN8s(make(), 21).receptive_margin for name, make in utils.backbones.items() if "res" in name
    }
    assert list(margins.values()) == [248, 480, 244, 516, 756]
    assert not hasattr(utils.FCN32s(gluon.nn.Conv2D(4, 3), 21), "receptive_margin")  # features that say nothing


@pytest.mark.parametrize("stride", [32, 16, 8])
def test_margin_of_the_authors_nets(geometry, stride):
    net = utils.VGG16FCN(2, stride)
    net.initialize(init.Xavier())
    assert measured_margin(net) == net.receptive_margin and net.stride == 32 and net.finest == stride


def test_margin_of_the_net_made_up_here():
    net = utils.get_model("two heads", 4)
    assert measured_margin(net, 8) == net.receptive_margin == 14


def test_tiles_of_the_course_s_net_are_as_large_as_before():
    net = utils.FCN8s(utils.resnet_features(), 21)
    assert tiling.margin_of(net) == tiling.margin_of(None) == 256 and tiling.stride_of(net) == 32
    assert tiling.in_one_piece((1536, 1536), net) and not tiling.in_one_piece((1536, 1537), net)
    assert tiling.margin_of(utils.FCN8s(utils.resnet_features("resnet101_v2"), 21)) == 544


@NAMES
def test_tiles_by_what_the_net_says(name, monkeypatch):
    """Tiles of the size that its margin and stride give, and the labels of the whole picture; or no tiles at all."""
    monkeypatch.setattr(tiling, "CORE", 32)
    net, image, seen = made(name), picture(100, 133), []
    whole = net(planes(image))[0]
    seeing = net.register_forward_pre_hook(lambda block, inputs: seen.append(inputs[0].shape[2:]))
    label = utils.predict(net, image).asnumpy()
    averaged = utils.predict(net, image, flip=True, scales=(0.75, 1, 1.25)).asnumpy()
    seeing.detach()
    np.testing.assert_array_equal(label, whole.argmax(axis=1)[0].asnumpy())
    assert averaged.shape == label.shape and len(np.unique(label)) > 1
    if net.receptive_margin is None:
        assert set(seen) == {(100, 133), (75, 100), (125, 166)}
    else:
        assert len(seen) > 40 and max(max(shape) for shape in seen) <= 32 + 2 * 16 + 2 * 8
        region = tiling.region_scores(net, planes(image)[0].asnumpy(), (32, 64), (64, 96), CPU)
        np.testing.assert_allclose(region.asnumpy(), whole[:, :, 32:64, 64:96].asnumpy(), atol=1e-5)
        net.receptive_margin = 0
        assert (utils.predict(net, image).asnumpy() != label).mean() > 0.01


# Backbones by stride


@pytest.mark.parametrize("name, rounded", [("resnet18_v2", np.ceil), ("resnet50_v2", np.ceil), ("vgg16", np.floor)])
def test_maps_by_stride(name, rounded):
    features = utils.backbones[name]()
    features.initialize()
    x = nd.random.normal(shape=(1, 3, 75, 101))
    found = features.by_stride(x, (2, 4, 8, 16, 32))
    for stride, array in found.items():
        assert array.shape[2:] == (rounded(75 / stride), rounded(101 / stride))
    np.testing.assert_array_equal(found[32].asnumpy(), features(x).asnumpy())
    for mine, theirs in zip(features.maps(x), (found[8], found[16], found[32]), strict=True):
        np.testing.assert_array_equal(mine.asnumpy(), theirs.asnumpy())
    assert list(features.by_stride(x, (16, 4))) == [16, 4]
    features[-1].hybrid_forward = features[-1].forward = None  # not come to
    features.by_stride(x, (4, 8))
    with pytest.raises(ValueError, match="no map at stride 64: this backbone has 2, 4, 8, 16, 32"):
        features.by_stride(x, (8, 64))


def test_vgg16_is_gluons():
    zoo, features = gluon.model_zoo.vision.vgg16(), utils.backbones["vgg16"]()
    zoo.features[:31].initialize(init.Xavier())
    x = nd.random.normal(shape=(1, 3, 64, 64))
    expected = zoo.features[:31](x)
    for mine, theirs in zip(
        features.collect_params().values(), zoo.features[:31].collect_params().values(), strict=True
    ):
        mine.initialize()
        mine.set_data(theirs.data())
    np.testing.assert_array_equal(features(x).asnumpy(), expected.asnumpy())


# Nets by name


def test_get_model_makes_what_fcn_makes():
    x, scores = nd.random.normal(shape=(1, 3, 40, 50)), []
    for make in lambda: utils.fcn(4, 16, align=False), lambda: utils.get_model("fcn16s", 4, align=False):
        utils.seed(3)
        scores.append(make()(x).asnumpy())
    np.testing.assert_array_equal(*scores)
    assert isinstance(utils.get_model("fcn32s", utils.VOC), utils.FCN32s)
    assert utils.get_model("fcn32s", utils.VOC)(x).shape == (1, 21, 40, 50)


def test_a_net_of_the_course_on_a_backbone_of_one_s_own(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="no map at stride 32: this backbone has 2, 4, 8"):
        utils.get_model("fcn8s", 21, "small")
    monkeypatch.setitem(utils.backbones, "deep", lambda: small_features(5))
    net = utils.get_model("fcn8s", 21, "deep")
    assert net.receptive_margin == 62 and net.recipe["backbone"] == "deep"
    x = nd.random.normal(shape=(1, 3, 40, 50))
    expected = net(x).asnumpy()
    utils.save_model(tmp_path / "a.params", net, utils.VOC)
    np.testing.assert_array_equal(utils.load_model(tmp_path / "a.params")[0](x).asnumpy(), expected)


def test_wrong_names_and_options_are_said():
    for words, error in (
        (("fcn1s", 3), r"no net named 'fcn1s': expected fcn32s, fcn16s, fcn8s, .*looks at all"),
        (("fcn4s", 3, "vgg16"), r"backbone='vgg16': the authors' nets stop at stride 8"),
        (
            ("fcn8s", 3, "alexnet"),
            r"backbone='alexnet': expected resnet18_v2, .*vgg16, efficientnet_lite0, unet, small",
        ),
    ):
        with pytest.raises(ValueError, match=error):
            utils.get_model(*words)
    with pytest.raises(ValueError, match=r"fcn8s: .*'depth'; it takes backbone, pretrained, align, plain"):
        utils.get_model("fcn8s", 3, depth=4)
    with pytest.raises(ValueError, match="a net named 'fcn8s' is registered already"):
        utils.register_model("fcn8s")(TwoHeads)
    utils.register_model("two heads", backbone="small")(TwoHeads)  # a cell that is run again


# A net with two outputs, one that is tiled and one that isn't, from its name to its files


def trained(name, folder, steps=4):
    """A loop by hand; the net and its losses."""
    utils.seed(0)
    net, loss, losses = utils.get_model(name, utils.VOC, width=5), BothLoss(), []
    net.hybridize()
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.02})
    for _ in range(steps):
        for x, y in utils.data_loader(utils.VOCSegDataset(True, (32, 48), folder), 3):
            with autograd.record():
                batch = loss(net(x), y)
            batch.backward()
            trainer.step(3)
            losses.append(float(batch.mean().asscalar()))
    return net, losses


@pytest.mark.filterwarnings("ignore:Cannot decide type")  # MXNet of a symbol without a first layer that says its type
@NAMES
def test_trained_evaluated_saved_exported_and_compared(name, voc_folder, tmp_path):
    import onnxruntime

    net, losses = trained(name, voc_folder)
    assert losses[-1] < losses[0]
    test_set, metric = utils.VOCSegDataset(False, None, voc_folder), utils.SegmentationMetric(21)
    for x, y in test_set:
        metric.update(y.expand_dims(0), net(x.expand_dims(0))[0])
    assert utils.evaluate(net, test_set) == metric.scores()

    path = tmp_path / "net.params"
    utils.save_model(path, net, utils.VOC, scale=0.5, place="here")
    again, classes, scale, about = utils.load_model(path)
    assert type(again) is type(net) and classes == utils.VOC and scale == 0.5 and about["place"] == "here"
    assert (about["model"], about["backbone"], about["options"]) == (name, "small", {"width": 5})
    x = planes(picture(43, 61))
    for mine, theirs in zip(again(x), net(x), strict=True):
        np.testing.assert_array_equal(mine.asnumpy(), theirs.asnumpy())

    symbol, params = utils.export(again, tmp_path / "net")
    block = gluon.SymbolBlock.imports(str(symbol), ["data"], str(params))
    expected = net(x)[0].asnumpy()
    np.testing.assert_array_equal(block(x).asnumpy(), expected)
    assert not any("second" in key for key in nd.load(str(params)))
    (file,) = utils.export(net, tmp_path / "net", onnx=True)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for size in (43, 61), (8, 8), (100, 33):
        x = planes(picture(*size))
        (found,) = session.run(None, {"data": x.asnumpy()})
        expected = net(x)[0].asnumpy()  # fast again: the exporter's enlargements were its own
        np.testing.assert_allclose(found, expected, atol=1e-5 * max(1, np.abs(expected).max()))

    figure = draw_labels({"mine": net, "again": again}, "noise", picture(40, 60), utils.VOC)
    assert [ax.get_title() for ax in figure.axes][:3] == ["noise", "mine", "again"]
    utils.compare({"mine": net}, test_set)


@NAMES
def test_utils_train_gives_the_loss_all_and_scores_the_first(name, voc_folder):
    """The contract: loss(outputs, labels) with the tuple; the training metric and the test take the first output."""
    utils.seed(0)
    net, seen = utils.get_model(name, utils.VOC), []

    class Seeing(BothLoss):
        def __call__(self, outputs, labels):
            seen.append([part.shape for part in outputs])
            return super().__call__(outputs, labels)

    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.01})
    batches = utils.data_loader(utils.VOCSegDataset(True, (32, 48), voc_folder), 3)
    test_set = utils.VOCSegDataset(False, None, voc_folder)
    history = utils.train(batches, test_set, net, Seeing(), trainer, CPU, 2)
    assert seen == [[(3, 21, 32, 48), (3, 1, 32, 48)]] * 4
    scores = utils.evaluate(net, test_set)
    assert (history[-1]["test_acc"], history[-1]["mean_iou"]) == (scores["pixel_acc"], scores["mean_iou"])
    assert 0 <= history[-1]["train_acc"] <= 1 and np.isfinite(history[-1]["loss"])


def run(capsys, *words):
    code = main([str(word) for word in words])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


@NAMES
def test_the_commands_train_and_use_it(name, voc_folder, tmp_path, capsys):
    net, photo = tmp_path / "net.params", tmp_path / "photo.jpg"
    Image.fromarray(picture(50, 70)).save(photo)
    words = ["--dataset", voc_folder, "--crop", "32x32", "--epochs", 1, "--batch", 3, "--output", net]
    code, text = run(capsys, "train", "--model", name, "--backbone", "small", *words)
    assert code == 0, text
    _used(capsys, net, voc_folder, photo, tmp_path, name)


def _used(capsys, net, voc_folder, photo, folder, name):
    assert json.loads(net.with_suffix(".json").read_text())["model"] == name
    loaded, *_ = utils.load_model(net)
    code, text = run(capsys, "evaluate", "--model", net, "--dataset", voc_folder)
    scores = utils.evaluate(loaded, utils.VOCSegDataset(False, None, voc_folder))
    assert code == 0 and f"{scores['pixel_acc']:.3f}" in text, text
    code, text = run(capsys, "predict", "--model", net, photo, "--output", folder / "labels")
    assert code == 0, text
    label = np.asarray(Image.open(folder / "labels" / "photo.png"))
    np.testing.assert_array_equal(label, utils.predict(loaded, utils.read_image(photo)).asnumpy())
    for onnx in [], ["--onnx"]:
        code, text = run(capsys, "export", "--model", net, "--output", folder / "net", *onnx)
        assert code == 0 and "Written" in text, text


MINE = """
import utils
from mxnet import gluon

@utils.register_model("mine", backbone="resnet18_v2")
class Mine(utils.FCN16s):
    receptive_margin = 64
"""


def test_the_commands_import_a_module_of_ones_own(voc_folder, tmp_path, capsys, monkeypatch):
    """Trained in a process of its own, from the folder with my_net.py; without --import the net isn't known."""
    (tmp_path / "my_net.py").write_text(MINE)
    words = ["train", "--dataset", ".", "--crop", "32x32", "--epochs", "1", "--batch", "6", "--output", "a.params"]
    words = [sys.executable, "-W", "ignore", "-m", "utils", *words, "--model", "mine", "--import", "my_net"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    words = ["predict", "--model", tmp_path / "a.params", tmp_path / "JPEGImages/a.jpg", "--output", tmp_path / "out"]
    code, text = run(capsys, *words)
    assert code == 2 and "a.json: no net named 'mine': expected fcn32s" in text, text
    with pytest.raises(SystemExit):
        run(capsys, *words, "--import", "my_net")
    assert "'my_net': No module named 'my_net'; expected a module" in capsys.readouterr().err
    monkeypatch.syspath_prepend(tmp_path)
    code, text = run(capsys, *words, "--import", "my_net")
    assert code == 0 and (tmp_path / "out" / "a.png").exists(), text


def test_train_takes_one_name(voc_folder, tmp_path, capsys):
    words = ["train", "--dataset", voc_folder, "--output", tmp_path / "a.params"]
    code, text = run(capsys, *words, "--stride", 8, "--model", "fcn16s")
    assert code == 2 and text == "--stride 8 is short for --model fcn8s, --model says fcn16s: leave one out\n"
    code, text = run(capsys, *words, "--model", "fcn1s")
    assert code == 2 and text.startswith("no net named 'fcn1s': expected fcn32s") and text.count("\n") == 1
    code, text = run(capsys, *words, "--stride", 8, "--model", "fcn8s", "--epochs", 1, "--crop", "32x32", "--batch", 6)
    assert code == 0 and json.loads((tmp_path / "a.json").read_text())["model"] == "fcn8s", text


def test_what_cannot_be_saved_is_said_and_nothing_is_written(tmp_path):
    path, net = tmp_path / "a.params", utils.get_model("two heads", 3)
    classes = utils.LabelMap(["a", "b", "c"], [(0, 0, 0), (1, 0, 0), (2, 0, 0)])
    with pytest.raises(ValueError, match=r"TwoHeads doesn't know how it was made: make it by utils\.get_model"):
        utils.save_model(path, TwoHeads(small_features(), 3), classes)
    with pytest.raises(ValueError, match="21 classes, but the net was made for 3"):
        utils.save_model(path, net, utils.VOC)
    with pytest.raises(ValueError, match="scores: .*not JSON serializable; expected numbers"):
        utils.save_model(path, net, classes, scores=nd.zeros(1))
    assert not list(tmp_path.iterdir())


def test_a_plain_net_is_saved_and_loaded_as_one(tmp_path):
    net = utils.fcn(21, plain=True)
    x = nd.random.normal(shape=(1, 3, 40, 50))
    expected = net(x).asnumpy()
    utils.save_model(tmp_path / "a.params", net, utils.VOC)
    again, *_ = utils.load_model(tmp_path / "a.params")
    assert isinstance(again.upscore, utils.BilinearUpsampling)
    np.testing.assert_array_equal(again(x).asnumpy(), expected)
