import utils

import numpy as np
import pytest
from mxnet import autograd, gluon, nd


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("hybrid", [True, False])
def test_any_size_in_same_size_out(align, hybrid):
    net = utils.fcn(5, align=align)
    if hybrid:
        net.hybridize()
    for height, width in (1, 1), (2, 3), (31, 33), (64, 65), (97, 50):
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


@pytest.mark.parametrize("align, offset", [(True, 0), (False, 15.5)])
def test_where_a_coarse_cell_puts_its_peak(align, offset):
    layer = utils.BilinearUpsampling(1, 32, align=align)
    layer.initialize()
    cells = nd.zeros((1, 1, 5, 5))
    cells[0, 0, 2, 2] = 1
    out = layer(cells)[0, 0].asnumpy()
    centre = (out.sum(0) * np.arange(out.shape[1])).sum() / out.sum()
    assert centre == pytest.approx(2 * 32 + offset, abs=1e-3)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="stride=7: expected 32"):
        utils.fcn(stride=7)
    with pytest.raises(ValueError, match="backbone='alexnet': expected resnet18_v2"):
        utils.fcn(backbone="alexnet")


def test_parameters_are_saved_and_loaded(tmp_path):
    net, other = utils.fcn(3), utils.fcn(3)
    x = nd.random.normal(shape=(1, 3, 40, 50))
    expected = net(x).asnumpy()
    net.save_parameters(str(tmp_path / "net.params"))
    other.load_parameters(str(tmp_path / "net.params"))
    np.testing.assert_array_equal(other(x).asnumpy(), expected)
