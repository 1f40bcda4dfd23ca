"""GluonCV's nets as nets of this course, and what surprises in GluonCV (chapter 16), held against GluonCV itself."""

import utils
from utils.__main__ import main
from utils.core.files import FetchError
from utils.engine import tiling
from utils.losses import AuxiliaryLoss
from utils.viz.widgets import draw_labels

import contextlib
import hashlib
import io
import os
import random
import re
import shutil
import subprocess
import sys
import types
import zipfile

import gluoncv
import mxnet as mx
import numpy as np
import onnxruntime
import psutil
import pytest
from gluoncv.loss import MixSoftmaxCrossEntropyLoss
from gluoncv.model_zoo import model_store, resnetv1b, segbase
from mxnet import autograd, gluon, nd
from PIL import Image
from serving import empty_zoo, serving

KINDS = {"gluoncv_fcn": "FCN", "gluoncv_pspnet": "PSPNet", "gluoncv_deeplabv3": "DeepLabV3"}
EACH_KIND = pytest.mark.parametrize("name", KINDS)


@pytest.fixture(autouse=True)
def _shallow(monkeypatch):
    """Backbones of GluonCV's own class with one block a stage: the widths and strides of ResNet50, a fifth of it."""

    def shallow(pretrained=False, root="", ctx=None, **kwargs):
        assert not pretrained, "GluonCV would fetch weights by itself"
        return resnetv1b.ResNetV1b(
            resnetv1b.BottleneckV1b, [1, 1, 1, 1], deep_stem=True, stem_width=64, name_prefix="resnetv1s_", **kwargs
        )

    for module in segbase, gluoncv.model_zoo:
        for backbone in "resnet50_v1s", "resnet101_v1s", "resnet152_v1s":
            monkeypatch.setattr(module, backbone, shallow)


def _theirs(kind, classes=5, **options):
    with contextlib.redirect_stdout(io.StringIO()):
        return getattr(gluoncv.model_zoo, kind)(classes, pretrained_base=False, **options)


def _with_values(net):
    """GluonCV gives the heads values when it makes them, and the backbone none."""
    for parameter in net.collect_params().values():
        if parameter._data is None and not parameter._deferred_init:
            parameter.initialize()
    return net


def _pictures(*shape):
    return nd.random.normal(shape=(*shape[:1], 3, *shape[1:]))


@EACH_KIND
def test_scores_are_theirs_at_any_size(name, tmp_path):
    ours = utils.get_model(name, 5)
    x = _pictures(2, 96, 136)
    scores, auxiliary = ours(x)
    ours.net.save_parameters(str(tmp_path / "theirs"))
    theirs = _theirs(KINDS[name])
    theirs.load_parameters(str(tmp_path / "theirs"))  # all of them, and no other: the names are GluonCV's
    assert scores.shape == auxiliary.shape == (2, 5, 96, 136)
    for size in (96, 136), (61, 50), (7, 9):
        x = _pictures(1, *size)
        expected = theirs.predict(x[0:1])
        assert nd.abs(ours(x)[0] - expected).max().asscalar() < 1e-5 * nd.abs(expected).max().asscalar()
    sized = _theirs(KINDS[name], height=96, width=136) if name != "gluoncv_pspnet" else _theirs("PSPNet", crop_size=96)
    sized.load_parameters(str(tmp_path / "theirs"))
    x = _pictures(1, 96, 96 if name == "gluoncv_pspnet" else 136)
    for found, expected in zip(ours(x), sized(x), strict=True):
        assert nd.abs(found - expected).max().asscalar() < 1e-5 * nd.abs(expected).max().asscalar()
    ours.hybridize()
    for size in (96, 136), (40, 50):
        x = _pictures(1, *size)
        expected = theirs.predict(x)
        assert nd.abs(ours(x)[0] - expected).max().asscalar() < 1e-5 * nd.abs(expected).max().asscalar()
    ours.hybridize(False)
    ours(x)
    assert (ours.net.predict(x) == expected).asnumpy().all()  # the net in it is as it was


@EACH_KIND
def test_trained_evaluated_predicted_saved_exported_and_compared(name, voc_folder, tmp_path):
    data = utils.data_loader(utils.VOCSegDataset(True, (32, 40), voc_folder), 3)
    test = utils.VOCSegDataset(False, None, voc_folder)
    net = utils.get_model(name, 21)
    net.hybridize()
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 1e-3})
    history = utils.train(data, test, net, net.training_loss(), trainer, mx.cpu(), 1, checkpoint=tmp_path / "kept")
    assert 1 < history[0]["loss"] < 20 and 0 < history[0]["mean_iou"] < 1
    before = net.net.auxlayer.block[0].weight.data().copy(), net.net.head.block[0].weight.data().copy()
    utils.train(data, None, net, net.training_loss(), trainer, mx.cpu(), 1)
    after = net.net.auxlayer.block[0].weight.data(), net.net.head.block[0].weight.data()
    assert all(nd.abs(a - b).max().asscalar() > 0 for a, b in zip(before, after, strict=True))
    image = utils.read_image(utils.image_path(voc_folder, test.names[0]))[:33, :47]
    labels = utils.predict(net, image)
    assert labels.shape == (33, 47)
    utils.save_model(tmp_path / "net.params", net, utils.VOC)
    again, classes, *_ = utils.load_model(tmp_path / "net.params")
    assert (utils.predict(again, image) == labels).asnumpy().all() and len(classes) == 21
    assert {parameter.lr_mult for parameter in again.net.head.collect_params().values()} == {10}
    assert not main(["evaluate", "--model", str(tmp_path / "net.params"), "--dataset", str(voc_folder)])
    paths = utils.export(net, tmp_path / "out")
    with pytest.warns(UserWarning, match="Cannot decide type"):  # MXNet's, of every net
        block = gluon.SymbolBlock.imports(str(paths[0]), ["data"], str(paths[1]))
    for size in (33, 47), (64, 40):
        x = _pictures(1, *size)
        assert nd.abs(block(x) - net(x)[0]).max().asscalar() < 1e-5
    session = onnxruntime.InferenceSession(str(*utils.export(net, tmp_path / "out", onnx=True)))
    for shape in (1, 33, 47), (2, 64, 40), (1, 7, 5):
        x = _pictures(*shape)
        (found,) = session.run(None, {"data": x.asnumpy()})
        assert np.abs(found - net(x)[0].asnumpy()).max() < 1e-5
    figure = draw_labels({"ready-made": net, "again": again}, "one", image, utils.VOC)
    assert figure.axes


def test_a_layer_that_has_no_onnx_is_one_clear_error(tmp_path):
    class Squared(gluon.HybridBlock):
        def hybrid_forward(self, F, x):
            return F.contrib.quadratic(self.layer(x), a=1)

        def __init__(self):
            super().__init__()
            self.layer = gluon.nn.Conv2D(2, 1)

    net = Squared()
    net.initialize()
    with pytest.raises(ValueError, match="no ONNX file of this net: .*_contrib_quadratic.* Export it without onnx"):
        utils.export(net, tmp_path / "out", onnx=True)
    assert not list(tmp_path.iterdir())


@EACH_KIND
def test_trained_from_the_command_line(name, voc_folder, tmp_path):
    options = ["--model", name, "--crop", "32x40", "--epochs", "1", "--batch", "3"]
    assert not main(["train", "--dataset", str(voc_folder), "--output", str(tmp_path / "net.params"), *options])
    net, *_ = utils.load_model(tmp_path / "net.params")
    assert type(net).__name__ == "GluonCVNet" and net.recipe["backbone"] == "resnet50"


@pytest.mark.parametrize(
    "options, message",
    [
        (["--backbone", "resnet18_v2"], "backbone 'resnet18_v2': expected one .* resnet50, resnet101, resnet152"),
        (["--weights", "median"], "--weights median: GluonCVNet has a loss of its own, AuxiliaryLoss"),
        (["--backbone-rate", "0.1"], "--backbone-rate: gluoncv_fcn has no backbone that it calls `features`"),
        (["--stride", "8"], "--stride 8 is short for --model fcn8s, --model says gluoncv_fcn: leave one out"),
    ],
)
def test_what_the_command_line_cannot_do_is_one_clear_error(options, message, voc_folder, tmp_path, capsys):
    words = ["train", "--dataset", str(voc_folder), "--output", str(tmp_path / "net.params"), "--model", "gluoncv_fcn"]
    assert main([*words, "--crop", "32x40", "--batch", "3", *options]) == 2
    error = capsys.readouterr().err
    assert re.search(message, error) and "Traceback" not in error and not list(tmp_path.glob("net*"))


def test_without_the_auxiliary_head_there_is_one_output(tmp_path):
    net, x = utils.get_model("gluoncv_fcn", utils.VOC, aux=False), _pictures(1, 32, 32)
    assert net(x).shape == (1, 21, 32, 32)
    utils.save_model(tmp_path / "net.params", net, utils.VOC)
    again, *_ = utils.load_model(tmp_path / "net.params")
    assert (again(x) == net(x)).asnumpy().all() and not again.net.aux
    assert net.training_loss is utils.SoftmaxCrossEntropyLoss and not hasattr(net.net, "auxlayer")


@EACH_KIND
def test_a_score_depends_on_the_whole_picture_and_the_net_says_so(name):
    """So that it is never tiled: pixels far off count, and so does the picture's size."""
    net = utils.get_model(name, 2)
    assert net.receptive_margin is None and tiling.in_one_piece((3000, 4000), net)
    net(_pictures(1, 64, 64))
    x = _pictures(1, 64, 1024)
    whole, part = net(x)[0][:, :, :, :64], net(x[:, :, :, :200])[0][:, :, :, :64]
    assert nd.abs(whole - part).max().asscalar() > 0.01 * nd.abs(whole).max().asscalar()


def test_a_wrong_name_is_one_clear_error():
    with pytest.raises(ValueError, match="backbone 'resnet18': expected one .* resnet50, resnet101, resnet152"):
        utils.get_model("gluoncv_pspnet", 5, backbone="resnet18")
    with pytest.raises(ValueError, match="gluoncv_fcn: got an unexpected keyword argument 'crop_size'; it takes"):
        utils.get_model("gluoncv_fcn", 5, crop_size=480)
    with pytest.raises(
        ValueError, match="no net named 'fcn_resnet50_voc' with weights for VOC: expected fcn_resnet101_v"
    ):
        utils.ready_made("fcn_resnet50_voc")


def test_gluoncv_is_imported_only_where_a_net_is_made():
    code = "import utils, sys; print('gluoncv' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_making_a_net_prints_nothing(capsys):
    utils.get_model("gluoncv_pspnet", 5)
    assert capsys.readouterr() == ("", "")
    gluoncv.model_zoo.PSPNet(5, pretrained_base=False)
    assert capsys.readouterr().out == "self.crop_size 480\n"


# Weights


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    return empty_zoo(model_store, tmp_path, monkeypatch)


def _offered(net, name, tmp_path, monkeypatch):
    """A net's parameters as a zip, as the zoo's server has it: its address there, and its bytes."""
    net.save_parameters(str(tmp_path / "made"))
    data = (tmp_path / "made").read_bytes()
    monkeypatch.setitem(model_store._model_sha1, name, hashlib.sha1(data).hexdigest())
    stem, buffer = f"{name}-{hashlib.sha1(data).hexdigest()[:8]}", io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(f"{stem}.params", data)
    return stem, {f"/gluon/models/{stem}.zip": buffer.getvalue()}


@pytest.mark.parametrize(
    "name, kind",
    [
        ("fcn_resnet101_voc", "FCN"),
        ("psp_resnet101_voc", "PSPNet"),
        ("deeplab_resnet101_voc", "DeepLabV3"),
        ("deeplab_resnet152_voc", "DeepLabV3"),
    ],
)
def test_weights_for_voc_are_fetched_continued_checked_and_used(name, kind, zoo, tmp_path, monkeypatch):
    theirs = _with_values(_theirs(kind, 21, backbone=name.split("_")[1]))
    x = _pictures(1, 40, 56)
    expected = theirs.predict(x)
    stem, files = _offered(theirs, name, tmp_path, monkeypatch)
    with serving(files, [{"cut": 6 * 65536}, {}]) as server:
        monkeypatch.setenv("MXNET_GLUON_REPO", server.url(""))
        net = utils.ready_made(name)
        assert [asked for _, asked in server.seen] == [None, f"bytes={6 * 65536}-"]
        assert [file.name for file in zoo.iterdir()] == [f"{stem}.params"]
    assert nd.abs(net(x)[0] - expected).max().asscalar() < 1e-5
    utils.save_model(tmp_path / "net.params", net, utils.VOC)
    # without the server: nothing is fetched on a file's word
    again, _, _, known = utils.load_model(tmp_path / "net.params")
    assert known["train_split"] == "trainval"
    assert nd.abs(again(x)[0] - expected).max().asscalar() < 1e-5
    monkeypatch.setenv("MXNET_HOME", str(tmp_path))
    assert model_store.get_model_file(name, root=str(zoo)) == str(zoo / f"{stem}.params")  # GluonCV finds it too


def test_weights_are_looked_at_before_mxnet_reads_them(zoo, tmp_path, monkeypatch):
    """Another net's, cut short, and in the form that Gluon wrote before 1.3, which it still reads."""
    name, written = "fcn_resnet101_voc", tmp_path / "written"
    theirs = _with_values(_theirs("FCN", 21, backbone="resnet101"))
    x = _pictures(1, 40, 56)
    expected = theirs.predict(x)

    def placed(data):
        monkeypatch.setitem(model_store._model_sha1, name, hashlib.sha1(data).hexdigest())
        zoo.mkdir(exist_ok=True)
        (zoo / f"{name}-{hashlib.sha1(data).hexdigest()[:8]}.params").write_bytes(data)

    theirs.save_parameters(str(written))
    placed(written.read_bytes()[:-5])
    with pytest.raises(ValueError, match="damaged, or no parameters of MXNet's.*expected weights of GluonCV's"):
        utils.ready_made(name)
    theirs.head.save_parameters(str(written))
    placed(written.read_bytes())
    with pytest.raises(ValueError, match=f"of another net than the name {name} says .'auxlayer"):
        utils.ready_made(name)
    theirs.collect_params().save(str(written), theirs.prefix)
    placed(written.read_bytes())
    assert nd.abs(utils.ready_made(name)(x)[0] - expected).max().asscalar() < 1e-5


def test_their_nets_by_name_on_the_command_line(zoo, gluoncv_folder, tmp_path, monkeypatch, capsys):
    """predict, evaluate and export take the name, and scores on pictures that the net may have seen are refused."""
    folder, photo, name = gluoncv_folder / "VOC2012", tmp_path / "photo.png", "psp_resnet101_voc"
    Image.fromarray(np.random.RandomState(0).randint(0, 255, (40, 56, 3), np.uint8)).save(photo)
    theirs = _with_values(_theirs("PSPNet", 21, backbone="resnet101"))
    theirs.predict(_pictures(1, 40, 56))  # now its layers know their shapes
    _, files = _offered(theirs, name, tmp_path, monkeypatch)
    with serving(files) as server:
        monkeypatch.setenv("MXNET_GLUON_REPO", server.url(""))
        assert not main(["predict", "--model", name, str(photo), "--output", str(tmp_path / "labels")])
        assert not main(["export", "--model", name, "--output", str(tmp_path / "psp"), "--onnx"])
        assert len(server.seen) == 1  # fetched once
    expected = utils.predict(utils.ready_made(name), utils.read_image(photo)).asnumpy()
    assert (np.asarray(Image.open(tmp_path / "labels" / "photo.png")) == expected).all()
    assert "normalise with: utils.VOC, RGB_MEAN and RGB_STD" in capsys.readouterr().out
    assert main(["evaluate", "--model", name, "--dataset", str(folder)]) == 2
    assert "is in trainval.txt too" in capsys.readouterr().err
    (folder / "ImageSets" / "Segmentation" / "trainval.txt").unlink()
    assert not main(["evaluate", "--model", name, "--dataset", str(folder)])
    assert "no trainval.txt, VOC's list that this net knows" in capsys.readouterr().out
    monkeypatch.setattr(psutil, "virtual_memory", lambda: types.SimpleNamespace(available=1e6))  # 1 MB
    assert main(["predict", "--model", name, str(photo), "--output", str(tmp_path / "again")]) == 2
    assert "40 × 56 pixels" in (error := capsys.readouterr().err) and "by --scale, such as 0.36" in error
    words = ["predict", "--model", name, str(photo), "--output", str(tmp_path / "again"), "--scale", "0.36"]
    assert not main(words)
    assert main(["predict", "--model", "fcn_resnet50_voc", str(photo), "--output", str(tmp_path / "other")]) == 2
    assert "fcn_resnet50_voc: expected a name that ends in .params" in capsys.readouterr().err


def test_imagenets_weights_for_the_backbone(zoo, tmp_path, monkeypatch):
    classifier = gluoncv.model_zoo.resnet50_v1s(dilated=True)
    classifier.initialize()
    classifier(_pictures(1, 32, 32))
    _, files = _offered(classifier, "resnet50_v1s", tmp_path, monkeypatch)
    with serving(files) as server:
        monkeypatch.setenv("MXNET_GLUON_REPO", server.url(""))
        net = utils.get_model("gluoncv_fcn", 5, pretrained=True)
    x = _pictures(1, 32, 48)
    expected = x
    for layer in "conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4":
        expected = getattr(classifier, layer)(expected)
    assert nd.abs(net.net.base_forward(x)[1] - expected).max().asscalar() == 0


def test_without_a_network_one_error_says_what_to_do(zoo, monkeypatch):
    with serving({}) as server:
        monkeypatch.setenv("MXNET_GLUON_REPO", server.url(""))
        monkeypatch.setattr(model_store, "apache_repo_url", "http://no.invalid/")
        with pytest.raises(FetchError) as raised:
            utils.ready_made("psp_resnet101_voc")
    stem, text = "psp_resnet101_voc-2c2f4e1c", str(raised.value)
    assert text.startswith(
        f"{stem}.zip could not be downloaded:\n  {server.url('/gluon/models/')}{stem}.zip: answered 404"
    )
    for words in f"{zoo / stem}.params", "2c2f4e1c2b11461b52598a4b2038bccbcfc166eb", "MXNET_GLUON_REPO", "chapter 16":
        assert words in text


# Losses and scores


def test_the_loss_of_both_heads_is_theirs_where_nothing_is_void():
    scores, auxiliary = nd.random.normal(shape=(2, 2, 4, 6, 7))
    label = nd.array(np.random.randint(0, 4, (2, 6, 7)))
    found = AuxiliaryLoss(0.2)((scores, auxiliary), label)
    expected = MixSoftmaxCrossEntropyLoss(aux_weight=0.2)(scores, auxiliary, label)
    np.testing.assert_allclose(found.asnumpy(), expected.asnumpy(), rtol=1e-5)
    void = label.copy()
    void[0, :3] = utils.VOID  # half of the first picture
    found = AuxiliaryLoss(0.2)((scores, auxiliary), void)
    expected = MixSoftmaxCrossEntropyLoss(aux_weight=0.2)(
        scores, auxiliary, nd.where(void == 255, -nd.ones_like(void), void)
    )
    np.testing.assert_allclose(expected.asnumpy() / found.asnumpy(), [0.5, 1], rtol=1e-5)  # theirs: over all pixels
    with pytest.raises(ValueError, match="weight=-1: expected a number from 0 on"):
        AuxiliaryLoss(-1)


def _gradients(loss, scores, auxiliary, label):
    for array in scores, auxiliary:
        array.attach_grad()
    with autograd.record():
        value = loss(scores, auxiliary, label)
    value.backward()
    return scores.grad.asnumpy(), auxiliary.grad.asnumpy()


def test_their_auxiliary_weight_reaches_no_gradient_and_ours_does():
    scores, auxiliary = nd.random.normal(shape=(2, 2, 4, 6, 7))
    label = nd.array(np.random.randint(0, 4, (2, 6, 7)))
    theirs = [_gradients(MixSoftmaxCrossEntropyLoss(aux_weight=w), scores, auxiliary, label)[1] for w in (0, 0.2, 5)]
    assert np.abs(theirs[0]).max() > 0 and all((gradient == theirs[0]).all() for gradient in theirs)
    ours = [
        _gradients(lambda a, b, y, w=w: AuxiliaryLoss(w)((a, b), y), scores, auxiliary, label)[1] for w in (0, 0.2, 0.4)
    ]
    assert (ours[0] == 0).all()
    np.testing.assert_allclose(ours[2], 2 * ours[1], rtol=1e-5)
    # theirs is divided by all labelled pixels of the batch, ours by each picture's own: with two pictures, half of it
    alone = _gradients(lambda a, b, y: AuxiliaryLoss(1)((a, b), y), scores, auxiliary, label)[1]
    np.testing.assert_allclose(theirs[0], alone / 2, rtol=1e-4, atol=1e-8)


def test_the_metrics_agree_under_both_conventions_of_void():
    truth, scores = np.random.randint(0, 5, (3, 20, 30)), nd.random.normal(shape=(3, 5, 20, 30))
    truth[:, :4] = utils.VOID
    ours = utils.SegmentationMetric(5)
    ours.update(nd.array(truth), scores)
    found = ours.scores()
    for void, same in (-1, True), (utils.VOID, False):
        theirs = gluoncv.utils.metrics.SegmentationMetric(5)
        theirs.update(nd.array(np.where(truth == utils.VOID, void, truth)), scores)
        pixel_acc, mean_iou = theirs.get()
        assert (abs(pixel_acc - found["pixel_acc"]) < 1e-12) == (abs(mean_iou - found["mean_iou"]) < 1e-12) == same
        assert same or pixel_acc < found["pixel_acc"]  # void counts as pixels that are wrong


def test_their_metric_counts_a_class_that_is_nowhere_as_zero():
    truth, scores = nd.zeros((1, 4, 4)), nd.zeros((1, 4, 4, 4))
    scores[:, 0] = 1
    ours, theirs = utils.SegmentationMetric(4), gluoncv.utils.metrics.SegmentationMetric(4)
    for metric in ours, theirs:
        metric.update(truth, scores)
    assert ours.scores()["mean_iou"] == 1 and theirs.get()[1] == pytest.approx(0.25)


def test_their_multi_scale_evaluator_adds_exponentials_and_not_probabilities():
    """A view with large scores outvotes the others, and larger ones overflow; ours averages the softmax."""

    class Said:
        base_size, crop_size = 32, 32

        def __init__(self, *views):
            self.views = list(views)

        def collect_params(self):
            return gluon.ParameterDict()

        def evaluate(self, x):
            return nd.broadcast_to(nd.array(self.views.pop(0)).reshape((1, 2, 1, 1)), (1, 2, *x.shape[2:]))

    x = nd.zeros((3, 32, 32))
    # two views are sure of class 1 (0.98), one prefers class 0 a little (0.55): 0.98 + 0.98 + 0.45 against 0.6
    views = (0.0, 4.0), (0.0, 4.0), (9.2, 9.0)
    evaluator = segbase.MultiEvalModel(Said(*views), 2, [mx.cpu()], flip=False, scales=[1.0, 1.0, 1.0])
    assert evaluator(x)[0, :, 0, 0].argmax(0).asscalar() == 0
    assert sum(nd.softmax(nd.array(view)).asnumpy() for view in views).argmax() == 1
    evaluator = segbase.MultiEvalModel(Said((1.0, 2.0), (0.5, 1.0)), 2, [mx.cpu()], flip=True, scales=[1.0])
    found = evaluator(x)[0, :, 0, 0].asnumpy()  # a view and its mirror image: their scores are added first
    np.testing.assert_allclose(found, np.exp([1.5, 3.0]), rtol=1e-5)
    evaluator = segbase.MultiEvalModel(Said((100.0, 0.0)), 2, [mx.cpu()], flip=False, scales=[1.0])
    assert np.isinf(evaluator(x).asnumpy()).any()


def test_their_multi_scale_evaluator_pads_with_black():
    class Seen:
        base_size, crop_size = 32, 32

        def collect_params(self):
            return gluon.ParameterDict()

        def evaluate(self, x):
            self.x = x
            return x[:, :2]

    seen, x = Seen(), _pictures(1, 32, 20)[0]
    scores = segbase.MultiEvalModel(seen, 2, [mx.cpu()], flip=False, scales=[1.0])(x)
    assert scores.shape == (1, 2, 32, 20) and (seen.x[0, :, :, :20] == x).asnumpy().all()
    black = utils.normalize(np.zeros((32, 12, 3), np.uint8)).transpose(2, 0, 1)
    np.testing.assert_allclose(seen.x[0, :, :, 20:].asnumpy(), black, rtol=1e-5)


# Nets


def test_their_fcn_keeps_the_size_that_it_was_made_for_or_that_it_predicted_last():
    net = utils.get_model("gluoncv_fcn", 5).net
    assert net(_pictures(1, 56, 72))[0].shape == (1, 5, 480, 480)
    assert net.predict(_pictures(1, 56, 72)).shape == (1, 5, 56, 72)
    assert net(_pictures(1, 40, 40))[0].shape == (1, 5, 56, 72)
    net.hybridize()
    assert net.predict(_pictures(1, 40, 40)).shape == (1, 5, 40, 40)  # the first call compiles
    assert net.predict(_pictures(1, 56, 72)).shape == (1, 5, 40, 40)


@pytest.mark.parametrize("kind", ["PSPNet", "DeepLabV3"])
def test_the_others_take_the_size_alone_that_they_were_made_for(kind):
    net = _with_values(_theirs(kind))
    assert net(_pictures(1, 480, 480))[0].shape == (1, 5, 480, 480)
    with pytest.raises(mx.MXNetError, match="Incompatible input shape"):
        net(_pictures(1, 350, 350))


def test_resnet18_builds_and_fails_when_it_is_used(monkeypatch):
    net = _with_values(_theirs("FCN", backbone="resnet18"))
    with pytest.raises(mx.MXNetError, match="2048"):
        net(_pictures(1, 480, 480))[0].wait_to_read()


def test_no_weights_for_resnet50_on_voc():
    assert "fcn_resnet50_voc" not in model_store._model_sha1
    assert gluoncv.model_zoo.get_model("fcn_resnet50_voc", pretrained_base=False).nclass == 21
    voc = {name for name in model_store._model_sha1 if name.endswith("_voc")}
    kinds = "fcn", "psp", "deeplab"
    from utils.models.gluoncv_nets import VOC_NETS

    assert {name for name in voc if name.split("_")[0] in kinds} == set(VOC_NETS)


@EACH_KIND
def test_heads_learn_ten_times_as_fast_as_the_backbone(name):
    net = utils.get_model(name, 5).net
    assert net.conv1[0].weight.lr_mult == 1
    for head in net.head, net.auxlayer:
        assert {parameter.lr_mult for parameter in head.collect_params().values()} == {10}


@pytest.mark.parametrize("name", ["gluoncv_pspnet", "gluoncv_deeplabv3"])
def test_in_a_batch_of_one_picture_the_mean_over_it_says_nothing(name):
    """BatchNorm takes the mean off, and of one number nothing is left."""
    net = utils.get_model(name, 5)
    net(_pictures(1, 32, 32))
    head = net.net.head
    branch, size = (head.psp.conv1, 1) if name == "gluoncv_pspnet" else (head.aspp.concurent[-1].gap, 4)
    for count, same in (1, True), (2, False):
        with autograd.record():
            maps = [branch(nd.random.normal(shape=(count, 2048, size, size))).asnumpy() for _ in range(2)]
        assert (np.abs(maps[0] - maps[1]).max() < 1e-6) == same
    norm = next(layer for layer in branch if isinstance(layer, gluon.nn.BatchNorm))
    for _ in range(6):
        with autograd.record():
            value = branch(nd.random.normal(shape=(1, 2048, size, size))).sum()
        value.backward()
    assert norm.running_var.data().max().asscalar() < 0.6  # 0.9 ** 6 of what it was: it goes to 0


@EACH_KIND
def test_training_on_one_picture_at_a_time_is_an_error_where_it_would_spoil_the_net(name):
    net = utils.get_model(name, 5)
    net.hybridize()
    net(_pictures(1, 32, 32))  # without training one is enough
    spoilt = contextlib.nullcontext() if name == "gluoncv_fcn" else pytest.raises(ValueError, match="one picture to tr")
    with autograd.record(), spoilt:
        net(_pictures(1, 32, 32))
    with autograd.record():
        net(_pictures(2, 32, 32))


def test_corners_on_corners_moves_cells_from_where_they_look():
    """The last of n cells of stride 8 looks at pixel 8 (n − 1), and is drawn at the last pixel."""
    size, cells = 160, 20
    peak = nd.zeros((1, 1, 1, cells))
    peak[0, 0, 0, -1] = 1
    wide = nd.contrib.BilinearResize2D(peak, height=1, width=size)
    assert wide.asnumpy().ravel().argmax() == 159
    net = utils.get_model("gluoncv_fcn", 2).net
    x = _pictures(1, 16, 320)
    changed = nd.concat(*[x] * 100, dim=0)
    for i in range(100):
        changed[i, :, :, 110 + i] += 5
    cell = [net.base_forward(pictures)[1][:, :, 0, 20].asnumpy() for pictures in (x, changed)]
    seen = 110 + np.flatnonzero(np.abs(cell[1] - cell[0]).max(axis=1))
    assert seen[0] > 110 and seen[-1] < 209 and (seen[0] + seen[-1]) / 2 == 8 * 20


# Data


@pytest.fixture
def gluoncv_folder(voc_folder, tmp_path):
    """A data set where GluonCV looks: VOC2012 in a folder, with trainval.txt."""
    lists = voc_folder / "ImageSets" / "Segmentation"
    both = "".join((lists / f"{split}.txt").read_text() for split in ("train", "val"))
    shutil.copytree(voc_folder, tmp_path / "theirs" / "VOC2012")
    (tmp_path / "theirs" / "VOC2012" / "ImageSets" / "Segmentation" / "trainval.txt").write_text(both)
    return tmp_path / "theirs"


def test_their_training_pictures_include_those_of_val(gluoncv_folder, voc_folder):
    train, val = (gluoncv.data.VOCSegmentation(str(gluoncv_folder), split=split) for split in ("train", "val"))
    assert set(val.images) < set(train.images)
    ours = [utils.VOCSegDataset(flag, (32, 32), voc_folder) for flag in (True, False)]
    assert not set(ours[0].names) & set(ours[1].names) and len(train) == len(ours[0]) + len(ours[1])


def test_their_masks_have_void_as_minus_one_and_padding_as_background(gluoncv_folder):
    whole = gluoncv.data.VOCSegmentation(str(gluoncv_folder), split="val", mode="testval")
    masks = [mask.asnumpy() for _, mask in whole]
    values = set(np.unique(masks))
    assert masks[0].dtype == np.float32 and utils.VOID not in values
    padded = gluoncv.data.VOCSegmentation(str(gluoncv_folder), split="val", mode="train", base_size=40, crop_size=120)
    image, mask = padded[0]
    assert (mask[-20:].asnumpy() == 0).all() and (image[-20:].asnumpy() == 0).all()  # class 0, and not void
    dataset = utils.VOCSegDataset(True, (120, 120), gluoncv_folder / "VOC2012")
    x, y = dataset[0]
    assert (y.asnumpy() == utils.VOID).any()


def test_their_numbers_of_a_picture_are_ours():
    deviations = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # of GluonCV's training script
    transforms = gluon.data.vision.transforms
    theirs = transforms.Compose([transforms.ToTensor(), transforms.Normalize(*deviations)])
    image = np.random.RandomState(0).randint(0, 256, (9, 12, 3)).astype(np.uint8)
    found = theirs(nd.array(image, dtype="uint8")).asnumpy()
    np.testing.assert_allclose(found, utils.normalize(image).transpose(2, 0, 1), atol=1e-5)


def test_their_crops_draw_from_pythons_one_generator(gluoncv_folder):
    data = gluoncv.data.VOCSegmentation(str(gluoncv_folder), base_size=60, crop_size=24)
    random.seed(1)
    first = data[0][0].asnumpy()
    random.seed(1)
    assert (data[0][0].asnumpy() == first).all()
    random.seed(1)
    random.random()  # anything else that draws in between
    assert data[0][0].shape != first.shape or (data[0][0].asnumpy() != first).any()
    state = random.getstate()
    ours = utils.VOCSegDataset(True, (24, 24), gluoncv_folder / "VOC2012")
    _ = ours[0]
    assert random.getstate() == state


def test_importing_gluoncv_makes_pillow_take_files_that_were_cut_short():
    code = (
        "from PIL import ImageFile as f; a = f.LOAD_TRUNCATED_IMAGES; import gluoncv; print(a, f.LOAD_TRUNCATED_IMAGES)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-2:] == ["False", "True"]


@pytest.mark.parametrize("threads, to", [("1", 0), ("2", 1e-4)])
def test_an_enlargement_s_gradient_is_the_same_again_with_one_thread_and_to_rounding_with_two(threads, to):
    code = """
import mxnet as mx
maps, x = mx.nd.random.normal(shape=(8, 21, 3, 4)), mx.nd.zeros((8, 21, 80, 112))
found = []
for _ in range(20):
    maps.attach_grad()
    with mx.autograd.record():
        y = mx.nd.contrib.BilinearResize2D(maps, x, mode="like")
    y.backward(mx.nd.sin(mx.nd.arange(x.size)).reshape(x.shape))
    found.append(maps.grad.copy())
print(max(float((one - found[0]).abs().max().asscalar()) for one in found))
"""
    settings = os.environ | {"OMP_NUM_THREADS": threads}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=settings)
    assert float(done.stdout) <= to
