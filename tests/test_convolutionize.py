"""Chapter 07: classifiers as convolutions, receptive fields, shift-and-stitch, VGG16's paddings and crops.

The oracles are windows cut out one by one, gradients, and interlaced shifts. Nets are thin where only geometry counts.
"""

import utils
from utils.models import fcn_vgg16

import itertools
import os
import subprocess
import sys

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd, gluon, init, nd
from mxnet.gluon import nn

VISION = gluon.model_zoo.vision


def row(*layers):
    net = nn.HybridSequential()
    net.add(*layers)
    return net


def small_classifier(padding=0, classes=9):
    """The chapter's: made for 64 × 64, stride 8."""
    return row(
        nn.Conv2D(16, 5, padding=2 * padding, activation="relu"),
        nn.MaxPool2D(),
        nn.Conv2D(32, 3, padding=padding, activation="relu"),
        nn.MaxPool2D(),
        nn.Conv2D(64, 3, padding=padding, activation="relu"),
        nn.MaxPool2D(),
        nn.Flatten(),
        nn.Dense(64, activation="relu"),
        nn.Dropout(0.5),
        nn.Dense(classes),
    )


def alexnet(thin=True, padded=True):
    """Gluon's AlexNet, thin: an eighth of the channels; without padding its own size is 355, its receptive field."""
    net = VISION.alexnet(classes=10)
    layers = [*net.features, net.output]
    return net if not thin and padded else row(*remade(layers, 8, padded))


def vgg(padded=True):
    """VGG16's thirteen convolutions and three dense layers, thin (2 … 16 channels); unpadded its own size is 404."""
    net = VISION.vgg16(classes=10)
    return row(*remade([*net.features, net.output], 32, padded))


def remade(layers, divide, padded):
    """Gluon's layers with fewer channels, and without padding if asked."""
    for layer in layers:
        if isinstance(layer, nn.Conv2D):
            k = layer._kwargs
            padding = k["pad"] if padded else 0
            act = layer.act and layer.act._act_type
            yield nn.Conv2D(layer._channels // divide, k["kernel"], k["stride"], padding, activation=act)
        elif isinstance(layer, nn.Dense):
            yield nn.Dense(max(10, layer._units // 128), activation=layer.act and layer.act._act_type)
        else:
            yield layer


def ready(net, size):
    net.initialize(init.Xavier(), force_reinit=True)
    net(nd.zeros((1, 3, size, size)))
    return net


CLASSIFIERS = {
    "small": (small_classifier, 64),
    "small, padded": (lambda: small_classifier(1), 64),
    "AlexNet, whole": (lambda: alexnet(thin=False), 224),
    "AlexNet, thin": (alexnet, 224),
    "VGG16, thin": (vgg, 224),
    "AlexNet, thin, unpadded": (lambda: alexnet(padded=False), 355),
    "VGG16, thin, unpadded": (lambda: vgg(padded=False), 404),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_same_scores_at_its_own_size(name):
    make, size = CLASSIFIERS[name]
    net = ready(make(), size)
    dense = utils.convolutionize(net, (size, size))
    x = nd.random.normal(shape=(2, 3, size, size))
    scores, cells = net(x).asnumpy(), dense(x).asnumpy()
    assert cells.shape == (*scores.shape, 1, 1) and np.abs(scores).max() > 1e-3
    assert np.abs(cells[:, :, 0, 0] - scores).max() < 1e-5 * max(1, np.abs(scores).max())
    assert not any(isinstance(layer, (nn.Dense, nn.Flatten)) for layer in dense)


def windows(net, x, size, stride):
    """Scores of each window by itself, (classes, h, w)."""
    starts = [range(0, side - size + 1, stride) for side in x.shape[2:]]
    columns = [[net(x[:, :, r : r + size, c : c + size])[0].asnumpy() for c in starts[1]] for r in starts[0]]
    return np.array(columns).transpose(2, 0, 1)


@pytest.mark.parametrize(
    ("name", "extra"),
    [("small", (53, 31)), ("AlexNet, thin, unpadded", (70, 40)), ("VGG16, thin, unpadded", (32, 65))],
)
def test_without_padding_the_grid_is_the_sliding_window(name, extra):
    make, size = CLASSIFIERS[name]
    net = ready(make(), size)
    dense = utils.convolutionize(net, (size, size))
    field, stride, first = utils.receptive_field(dense)
    assert (field, first) == (size, (size - 1) / 2)
    x = nd.random.normal(shape=(1, 3, size + extra[0], size + extra[1]))
    grid, expected = dense(x)[0].asnumpy(), windows(net, x, size, stride)
    assert grid.shape == expected.shape == (expected.shape[0], *(e // stride + 1 for e in extra))
    assert np.abs(grid - expected).max() < 1e-5 * max(1, np.abs(expected).max())


def test_with_padding_it_is_not():
    net = ready(small_classifier(1), 64)
    dense = utils.convolutionize(net, (64, 64))
    x = nd.random.normal(shape=(1, 3, 96, 96))
    grid, expected = dense(x)[0].asnumpy(), windows(net, x, 64, 8)
    assert grid.shape == expected.shape and np.abs(grid - expected).max() > 0.05 * np.abs(expected).max()


def test_convolutions_are_shared_and_dense_weights_copied():
    net = ready(small_classifier(), 64)
    dense = utils.convolutionize(net, (64, 64))
    assert dense[0] is net[0] and dense[6].weight.shape == (64, 64, 6, 6)
    before = net(nd.ones((1, 3, 64, 64))).asnumpy()
    dense[6].weight.set_data(nd.zeros_like(dense[6].weight.data()))
    assert (net(nd.ones((1, 3, 64, 64))).asnumpy() == before).all()


def test_what_fits_no_row_is_refused():
    net = ready(small_classifier(), 64)
    with pytest.raises(ValueError, match="size the one that the classifier was made for"):
        utils.convolutionize(net, (80, 80))
    pooled = ready(row(nn.Conv2D(4, 3), nn.GlobalAvgPool2D(), nn.Dense(3)), 16)
    for refused in (
        lambda: utils.convolutionize(pooled, (16, 16)),
        lambda: utils.receptive_field(pooled),
        lambda: utils.receptive_field([nn.Conv2D(1, (3, 1))]),
        lambda: utils.atrous([nn.AvgPool2D()]),
        lambda: utils.atrous([nn.MaxPool2D(3, 2, 1)]),
    ):
        with pytest.raises(ValueError, match="expected"):
            refused()


def averaging(net):
    """The same geometry with nothing left to chance: means, no activation, so that each pixel seen has a gradient."""
    layers = []
    for layer in net:
        k = getattr(layer, "_kwargs", {})
        if isinstance(layer, nn.Conv2D):
            layers.append(nn.Conv2D(1, k["kernel"], k["stride"], k["pad"], k["dilate"], use_bias=False))
        elif isinstance(layer, (nn.MaxPool2D, nn.AvgPool2D)):
            layers.append(nn.AvgPool2D(k["kernel"], k["stride"], k["pad"]))
    return row(*layers)


def seen_by(net, size, cell):
    """First and last row of the image with a gradient to one cell."""
    x = nd.ones((1, 1, size, size))
    x.attach_grad()
    with autograd.record():
        out = net(x)[0, 0, cell, cell]
    out.backward()
    rows = np.nonzero(x.grad[0, 0].asnumpy().max(axis=1))[0]
    return rows[0], rows[-1]


def resnet18_path():
    """ResNet18's longest way: kernel 7 and stride 2, pooling, then sixteen 3 × 3 in four stages."""
    steps = [s for first in (1, 2, 2, 2) for s in (first, 1, 1, 1)]
    return row(nn.Conv2D(1, 7, 2, 3), nn.AvgPool2D(3, 2, 1), *(nn.Conv2D(1, 3, s, 1) for s in steps))


def googlenet_path():
    """GoogLeNet's longest way: through the 5 × 5 of nine inception modules, with the mean over 7 × 7 cells."""
    rows = [(7, 2, 3), "pool", (3, 1, 1), "pool", *["5"] * 2, "pool", *["5"] * 5, "pool", *["5"] * 2, (7, 1, 0)]
    steps = {"pool": (3, 2, 1), "5": (5, 1, 2)}
    return row(*(nn.Conv2D(1, *steps.get(step, step)) for step in rows))


FIELDS = {  # name: net, its own size, (receptive field, stride), a size and a cell whose field lies inside
    "small": (small_classifier, 64, (64, 8), 160, 4),
    "small, padded": (lambda: small_classifier(1), 64, (80, 8), 160, 5),
    "AlexNet": (alexnet, 224, (355, 32), 700, 8),
    "VGG16": (vgg, 224, (404, 32), 800, 8),
    "GoogLeNet": (googlenet_path, None, (907, 32), 1200, 15),
    "ResNet18": (resnet18_path, None, (435, 32), 700, 9),
    "dilated": (lambda: row(nn.Conv2D(1, 3, 2, 0, 2), nn.Conv2D(1, 3, 1, 3, 4)), None, (21, 2), 60, 9),
}


@pytest.mark.parametrize("name", FIELDS)
def test_receptive_field_by_arithmetic_and_by_gradient(name):
    make, own, expected, size, cell = FIELDS[name]
    net = make() if own is None else utils.convolutionize(ready(make(), own), (own, own))
    field, stride, first = utils.receptive_field(net)
    assert (field, stride) == expected
    mean = averaging(net)
    mean.initialize(init.One())
    mean(nd.zeros((1, 1, size, size)))
    for parameter in mean.collect_params().values():  # or the numbers leave float32
        parameter.set_data(nd.ones(parameter.shape) / np.prod(parameter.shape[1:]))
    top, bottom = seen_by(mean, size, cell)
    below, _ = seen_by(mean, size, cell + 1)
    assert (bottom - top + 1, (top + bottom) / 2, below - top) == (field, first + stride * cell, stride)


def shift_and_stitch(net, x, stride):
    """The outputs for the image cut at each of stride² offsets, interlaced."""
    parts = {o: net(x[:, :, o[0] :, o[1] :]).asnumpy() for o in itertools.product(range(stride), repeat=2)}
    height = sum(parts[i, 0].shape[2] for i in range(stride))
    width = sum(parts[0, i].shape[3] for i in range(stride))
    out = np.full((*parts[0, 0].shape[:2], height, width), np.nan, np.float32)
    for (top, left), part in parts.items():
        out[:, :, top::stride, left::stride] = part
    return out


ROWS = {
    "small": lambda: small_classifier(classes=3),
    "strides in convolutions": lambda: row(nn.Conv2D(4, 3, 3, activation="relu"), nn.Conv2D(3, 2, 2), nn.Conv2D(2, 3)),
    "overlapping pools": lambda: row(nn.Conv2D(3, 3), nn.MaxPool2D(3, 2), nn.MaxPool2D(3, 2), nn.Conv2D(2, 2)),
    "dilated before": lambda: row(nn.Conv2D(3, 3, dilation=2), nn.MaxPool2D(2), nn.Conv2D(2, 3, dilation=2)),
    "groups": lambda: row(nn.Conv2D(4, 3), nn.MaxPool2D(2), nn.Conv2D(4, 3, groups=2, use_bias=False)),
}


@pytest.mark.parametrize("name", ROWS)
def test_shift_and_stitch_is_stride_1_with_later_layers_dilated(name):
    net = ready(ROWS[name](), 64)
    if name == "small":
        net = utils.convolutionize(net, (64, 64))
    field, stride, _ = utils.receptive_field(net)
    x = nd.random.normal(shape=(1, 3, field + 2 * stride + 3, field + stride + 1))
    stitched, dense = shift_and_stitch(net, x, stride), utils.atrous(net)(x).asnumpy()
    assert dense.shape[2:] == stitched.shape[2:] == tuple(side - field + 1 for side in x.shape[2:])
    assert np.abs(stitched - dense).max() < 1e-5 * max(1, np.abs(stitched).max())
    assert utils.receptive_field([layer for layer in utils.atrous(net) if isinstance(layer, nn.Conv2D)])[1] == 1


def test_with_padding_they_agree_where_none_of_it_is_seen():
    net = row(nn.Conv2D(4, 3, padding=1, activation="relu"), nn.MaxPool2D(), nn.Conv2D(2, 3, padding=1), nn.MaxPool2D())
    net = ready(net, 64)
    x = nd.random.normal(shape=(1, 3, 44, 44))
    stitched, dense = shift_and_stitch(net, x, 4), utils.atrous(net)(x).asnumpy()
    field, _, first = utils.receptive_field(net)
    # cell (y, x) sees the rows y + first ± (field − 1) / 2: those of the image, and of its cut form, only
    begin = int((field - 1) / 2 - first) + 4
    inner = np.s_[:, :, begin : stitched.shape[2] - 2 * begin, begin : stitched.shape[3] - 2 * begin]
    assert np.abs(stitched[inner] - dense[inner]).max() < 1e-5 and stitched[inner].size > 100
    same = dense[:, :, : stitched.shape[2], : stitched.shape[3]]
    assert np.abs(stitched - same).max() > 0.01


@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_on_one_max_pooling_shift_and_stitch_is_stride_1(k):
    x = nd.random.normal(shape=(1, 2, 23, 17))
    stitched = shift_and_stitch(nn.MaxPool2D(k, k), x, k)
    np.testing.assert_array_equal(stitched, nn.MaxPool2D(k, 1)(x).asnumpy())
    np.testing.assert_array_equal(stitched, utils.atrous([nn.MaxPool2D(k, k)])(x).asnumpy())


def test_atrous_shares_its_weights():
    net = ready(row(nn.Conv2D(4, 3, 2), nn.Conv2D(2, 3)), 16)
    dense = utils.atrous(net)
    assert all(a.weight is b.weight and a.bias is b.bias for a, b in zip(net, dense, strict=True))


def vgg_row(last):
    """VGG16's layers up to a pooling (3, 4 or 5), or to fc6, as the published nets pad and pool."""
    layers = []
    for block, (count, _) in fcn_vgg16.BLOCKS.items():
        layers += [nn.Conv2D(1, 3, padding=1 if layers or i else 100) for i in range(count)]
        layers.append(nn.MaxPool2D(2, 2, ceil_mode=True))
        if last == block:
            return layers
    return [*layers, nn.Conv2D(1, 7)]


def test_crops_follow_from_where_the_cells_look():
    """Kernel 2s, stride s, no padding puts cell i at s·i + s − 1/2: inner crops 5 and 9, outer 19, 27 and 31."""

    def enlarged(first, stride, s):
        return first - stride / s * (s - 0.5), stride / s

    (_, stride, fc6), (_, _, pool4), (_, _, pool3) = (utils.receptive_field(vgg_row(last)) for last in ("fc6", 4, 3))
    assert (stride, fc6, pool4, pool3) == (32, 12.5, -91.5, -95.5)
    assert -enlarged(fc6, 32, 32)[0] == 19
    at16, _ = enlarged(fc6, 32, 2)
    assert (at16 - pool4) / 16 == 5 and -enlarged(at16, 16, 16)[0] == 27
    at8, _ = enlarged(at16, 16, 2)
    assert (at8 - pool3) / 8 == 9 and -enlarged(at8, 8, 8)[0] == 31


@pytest.mark.parametrize("stride", [32, 16, 8])
def test_every_size_to_70_comes_out_at_its_own_size(stride, monkeypatch):
    monkeypatch.setattr(fcn_vgg16, "BLOCKS", {block: (count, 2) for block, (count, _) in fcn_vgg16.BLOCKS.items()})
    net = utils.VGG16FCN(3, stride)
    net.fc6._channels = net.fc7._channels = 4096
    graph = net(mx.sym.var("data"))
    for size in itertools.product(range(1, 71), repeat=2):
        _, (shape,), _ = graph.infer_shape(data=(1, 3, *size))
        assert shape == (1, 3, *size)
    net.initialize(init.Xavier())
    net.hybridize()
    for height in range(1, 71):  # each height and each width, computed
        assert net(nd.ones((1, 3, height, 71 - height))).shape == (1, 3, height, 71 - height)


def test_without_the_padding_of_100_fc6_needs_193_pixels():
    def out(size, ceil):
        net = row(*vgg_row("fc6"))
        net[0]._kwargs["pad"] = (1, 1)
        for layer in net:
            if isinstance(layer, nn.MaxPool2D):
                layer._kwargs["pooling_convention"] = "full" if ceil else "valid"
        return net(mx.sym.var("data")).infer_shape(data=(1, 3, size, size))[1][0][2]

    assert out(193, ceil=True) == 1 and out(224, ceil=False) == 1
    for size, ceil in [(n, True) for n in (1, 32, 100, 160, 191, 192)] + [(223, False)]:
        with pytest.raises(mx.MXNetError):
            out(size, ceil)


def test_loss_of_some_cells_is_the_loss_of_their_patches():
    net = ready(row(*(layer for layer in small_classifier() if not isinstance(layer, nn.Dropout))), 64)
    dense = utils.convolutionize(net, (64, 64))
    x, loss = nd.random.normal(shape=(1, 3, 120, 104)), gluon.loss.SoftmaxCrossEntropyLoss(axis=1)
    label = nd.array(np.random.randint(0, 9, (1, 8, 6)))
    chosen = np.random.permutation(48)[:10]
    mask = np.zeros((1, 8, 6))
    mask.flat[chosen] = 1
    with autograd.record():  # with train_mode=False a max-pooling's gradient is wrong on a CPU
        scores = dense(x)
        total = -(nd.pick(nd.log_softmax(scores, axis=1), label, axis=1) * nd.array(mask)).sum()
    total.backward()
    weights = [net[i].weight for i in (0, 2, 4)]
    by_cells = [weight.grad().asnumpy() for weight in weights]
    patches = [x[0, :, 8 * (i // 6) : 8 * (i // 6) + 64, 8 * (i % 6) : 8 * (i % 6) + 64] for i in chosen]
    with autograd.record():
        losses = loss(net(nd.stack(*patches)), label.reshape((-1,)).take(nd.array(chosen)))
    losses.backward()
    assert np.isclose(total.asscalar(), losses.sum().asscalar(), rtol=1e-5)
    for weight, expected in zip(weights, by_cells, strict=True):
        assert np.abs(weight.grad().asnumpy() - expected).max() < 1e-5 * np.abs(expected).max()


FC6 = """
import utils
from mxnet import nd
weight = nd.random.uniform(-0.01, 0.01, (4096, 7 * 7 * 512))
pooled = nd.random.uniform(shape=(1, 512, 7, 7))
scores = nd.FullyConnected(pooled, weight, num_hidden=4096, no_bias=True)
kernel = weight.reshape((4096, 512, 7, 7))  # the same memory
cells = nd.Convolution(pooled, kernel, kernel=(7, 7), num_filter=4096, no_bias=True)
assert nd.abs(cells[:, :, 0, 0] - scores).max().asscalar() < 1e-5 * nd.abs(scores).max().asscalar()
status = open("/proc/self/status").read()  # not ru_maxrss, which begins with the parent's peak
print(status.split("VmHWM:")[1].split()[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_vgg16s_fc6_at_full_size_stays_below_2_gb():
    done = subprocess.run([sys.executable, "-c", FC6], capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.split()[-1]) < 2e6
