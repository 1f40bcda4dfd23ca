"""Fully convolutional networks (chapter 08; Long, Shelhamer and Darrell, CVPR 2015)."""

from mxnet import gluon, init
from mxnet.gluon import nn

from .upsampling import BilinearUpsampling


class FCN32s(gluon.HybridBlock):
    """(N, 3, H, W) normalised images → (N, classes, H, W) scores, for any H and W.

    features: backbone at stride 32. score_fr: 1 × 1 convolution to the classes, the paper's name for it.
    upscore: fixed bilinear enlargement by 32, cut to the image's size.
    """

    def __init__(self, features, num_classes, align=True, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = features
            self.score_fr = nn.Conv2D(num_classes, kernel_size=1)
            self.upscore = BilinearUpsampling(num_classes, stride=32, align=align)

    def hybrid_forward(self, F, x):
        scores = self.score_fr(self.features(x))  # 1/32
        return F.slice_like(self.upscore(scores), x, axes=(2, 3))


def resnet_features(backbone="resnet18_v2", pretrained=False):
    """The convolutional part of one of Gluon's `resnet…_v2`: (N, 3, H, W) → (N, 512 or 2048, H/32, W/32).

    Its last two layers, global pooling and flattening, are left out. Its first, a BatchNorm of the image itself,
    has its statistics fixed: on a CPU MXNet updates them in a backward pass that this layer never gets, so that
    prediction would use statistics that were never learned (MXNet issue 18673, chapter 08).
    """
    layers = gluon.model_zoo.vision.get_model(backbone, pretrained=pretrained).features
    features = nn.HybridSequential(prefix="")
    features.add(fixed_batch_norm(layers[0]), *layers[1:-2])
    return features


def fixed_batch_norm(layer):
    """The BatchNorm on the image of a `resnet…_v2`, which has no scale and no offset, with its statistics fixed.

    The same parameters, but in training too it uses the running mean and variance that it was given.
    """
    return nn.BatchNorm(scale=False, center=False, use_global_stats=True, prefix=layer.prefix, params=layer.params)


def fcn(num_classes=21, stride=32, backbone="resnet18_v2", pretrained=False, align=True, ctx=None):
    """An initialised, hybridizable FCN: (N, 3, H, W) normalised float32 → (N, num_classes, H, W) scores.

    stride: 32, the only one until chapter 09. backbone: a `resnet…_v2` of Gluon's model zoo. pretrained: start
    from its ImageNet weights (downloads them). align: see `BilinearUpsampling`. ctx: a context or a list of them.
    """
    if stride != 32:
        raise ValueError(f"stride={stride!r}: expected 32")
    if not (backbone.startswith("resnet") and backbone.endswith("_v2")):
        raise ValueError(f"backbone={backbone!r}: expected resnet18_v2, 34, 50, 101 or 152")
    net = FCN32s(resnet_features(backbone, pretrained), num_classes, align)
    if not pretrained:
        net.features.initialize(init.Xavier(), ctx=ctx)
    net.score_fr.initialize(init.Xavier(), ctx=ctx)
    net.upscore.initialize(ctx=ctx)
    net.collect_params().reset_ctx(ctx)
    return net
