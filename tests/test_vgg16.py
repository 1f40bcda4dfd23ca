"""The authors' nets: names, sizes, offsets and counts as published (voc-fcn32s, voc-fcn16s, voc-fcn8s)."""

import utils
from utils.models import fcn_vgg16

import numpy as np
import pytest
from mxnet import autograd, gluon, init, nd

CONVOLUTIONS = "conv1_1 conv1_2 conv2_1 conv2_2 conv3_1 conv3_2 conv3_3 conv4_1 conv4_2 conv4_3 conv5_1 conv5_2 conv5_3"
COMMON = [*CONVOLUTIONS.split(), "fc6", "fc7", "score_fr"]
UPSCORES = {"upscore": 64, "upscore2": 4, "upscore_pool4": 4, "upscore16": 32, "upscore8": 16}
NETS = {
    32: [*COMMON, "upscore"],
    16: [*COMMON, "upscore2", "score_pool4", "upscore16"],
    8: [*COMMON, "upscore2", "score_pool4", "upscore_pool4", "score_pool3", "upscore8"],
}
STRIDES = pytest.mark.parametrize("stride", [32, 16, 8])


@pytest.fixture
def thin(monkeypatch):
    """The same geometry with two channels in place of 64 to 512."""
    monkeypatch.setattr(fcn_vgg16, "BLOCKS", {block: (count, 2) for block, (count, _) in fcn_vgg16.BLOCKS.items()})


def _learned(net):
    return {name: p for name, p in net._collect_params_with_prefix().items() if p.grad_req != "null"}


@STRIDES
def test_layers_kernels_and_rates(stride):
    net = utils.VGG16FCN(21, stride)
    parameters = net._collect_params_with_prefix()
    assert set(NETS[stride]) == {name.split(".")[0] for name in parameters}
    for name in NETS[stride]:
        if name in UPSCORES:
            weight = parameters[f"{name}.conv.weight"]
            assert weight.shape == (21, 1, UPSCORES[name], UPSCORES[name]) and weight.grad_req == "null"
            continue
        kernel = 7 if name == "fc6" else 3 if name.startswith("conv") else 1
        assert parameters[f"{name}.weight"].shape[2:] == (kernel, kernel)
        bias = parameters[f"{name}.bias"]
        assert (bias.lr_mult, bias.wd_mult) == (2, 0)
        assert (parameters[f"{name}.weight"].lr_mult, parameters[f"{name}.weight"].wd_mult) == (1, 1)
    for name in CONVOLUTIONS.split():
        assert getattr(net, name)._kwargs["pad"] == ((100, 100) if name == "conv1_1" else (1, 1))
    for block in range(1, 6):
        pool = getattr(net, f"pool{block}")._kwargs
        assert (pool["pooling_convention"], pool["kernel"], pool["stride"]) == ("full", (2, 2), (2, 2))


@STRIDES
def test_enlargements_are_bilinear(thin, stride):
    net = utils.VGG16FCN(5, stride)
    net.initialize(init.Xavier())
    for name in NETS[stride]:
        if name in UPSCORES:
            weight = getattr(net, name).conv.weight.data().asnumpy()
            np.testing.assert_array_equal(weight, utils.bilinear_kernel(5, 1, UPSCORES[name]).asnumpy())


def test_parameter_counts():
    """134 million in the paper's table 1 (section 4.1); VGG16's convolutions have 14,714,688."""
    counts = {s: sum(int(np.prod(p.shape)) for p in _learned(utils.VGG16FCN(21, s)).values()) for s in NETS}
    assert counts[32] == 14_714_688 + (7 * 7 * 512 + 1) * 4096 + 4097 * 4096 + 4097 * 21 == 134_346_581
    assert counts[16] - counts[32] == 513 * 21 and counts[8] - counts[16] == 257 * 21
    assert round(counts[32] / 1e6) == 134


@STRIDES
def test_any_size_in_same_size_out(thin, stride):
    net = utils.VGG16FCN(3, stride)
    net.initialize(init.Xavier())
    net.hybridize()
    for size in [*range(1, 12), 31, 32, 33, 64, 70]:
        assert net(nd.zeros((1, 3, size, size + 3))).shape == (1, 3, size, size + 3)


@STRIDES
def test_each_pixel_looks_at_itself(thin, stride, monkeypatch):
    """By gradient, over one whole period of 32 pixels: the crops 5, 9, 19, 27 and 31 align the output."""
    monkeypatch.setattr(gluon.nn, "MaxPool2D", gluon.nn.AvgPool2D)  # where a maximum lies is chance
    net = utils.VGG16FCN(1, stride)
    net.initialize(init.Zero())
    for name, parameter in _learned(net).items():
        if name.endswith("weight"):
            parameter.set_data(nd.ones(parameter.shape) / np.prod(parameter.shape[1:]))
    x = nd.ones((1, 3, 480, 480))
    x.attach_grad()
    with autograd.record(train_mode=False):
        block = net(x)[0, 0, 224:256, 224:256].sum()
    block.backward(train_mode=False)
    gradient = x.grad[0].asnumpy().sum(axis=(0, 1), dtype=float)
    centre = (gradient * np.arange(480)).sum() / gradient.sum()
    assert centre == pytest.approx(239.5, abs=0.02)


def test_convolutions_and_fully_connected_layers_of_gluons_vgg16_are_copied():
    zoo = gluon.model_zoo.vision.vgg16()
    zoo.initialize(init.Xavier())
    zoo(nd.zeros((1, 3, 224, 224)))
    net = utils.VGG16FCN(21)
    net.initialize()
    net.copy_classifier(zoo)
    np.testing.assert_array_equal(net.conv5_3.weight.data().asnumpy(), zoo.features[28].weight.data().asnumpy())
    pooled = nd.random.uniform(shape=(1, 512, 7, 7))  # what the convolutions leave of 224 × 224 pixels
    dense = [layer for layer in zoo.features if isinstance(layer, gluon.nn.Dense)]
    expected = dense[1](dense[0](pooled)).asnumpy()
    np.testing.assert_allclose(net.fc7(net.fc6(pooled))[:, :, 0, 0].asnumpy(), expected, rtol=1e-4, atol=1e-5)


@STRIDES
def test_one_training_step(thin, stride):
    """Score layers from zero, biases at double rate and without decay, enlargements fixed."""
    net = utils.VGG16FCN(3, stride)
    net.initialize(init.Xavier())
    loss, before = utils.SoftmaxCrossEntropyLoss(), {}
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1, "wd": 0.5})
    with autograd.record():
        losses = loss(net(nd.random.normal(shape=(2, 3, 20, 30))), nd.ones((2, 20, 30)))
    assert losses.asnumpy() == pytest.approx(np.log(3), abs=1e-5)
    losses.backward()
    for name, parameter in net._collect_params_with_prefix().items():
        before[name] = parameter.data().asnumpy()
    trainer.step(2)
    gradients = {name: p.grad().asnumpy() / 2 for name, p in _learned(net).items()}
    assert np.abs(gradients["score_fr.bias"]).max() > 0
    for name, parameter in net._collect_params_with_prefix().items():
        rate, decay = (0.2, 0) if name.endswith("bias") else (0.1, 0.5)
        step = rate * (gradients[name] + decay * before[name]) if name in gradients else 0
        np.testing.assert_allclose(parameter.data().asnumpy(), before[name] - step, atol=1e-6)
