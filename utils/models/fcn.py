"""Fully convolutional networks on a ResNet (chapters 08 and 09; Long, Shelhamer and Darrell, CVPR 2015)."""

from mxnet import gluon, init
from mxnet.gluon import nn

from ..fetch.weights import pretrained_net
from .fcn_vgg16 import VGG16FCN
from .upsampling import BilinearUpsampling, MatrixUpsampling


class FCN32s(gluon.HybridBlock):
    """(N, 3, H, W) normalised images → (N, classes, H, W) scores, for any H and W.

    features: backbone at stride 32. score_fr: 1 × 1 convolution to the classes, the paper's name for it.
    upscore: fixed bilinear enlargement by 32, cut to the image's size.
    """

    def __init__(self, features, num_classes, align=True, plain=False, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = features
            self.score_fr = nn.Conv2D(num_classes, kernel_size=1)
            self.upscore = _upsampling(num_classes, 32, align, plain)

    def hybrid_forward(self, F, x):
        scores = self.score_fr(self.features(x))  # 1/32
        return self.upscore(scores, x)


class FCN16s(gluon.HybridBlock):
    """`FCN32s` with a skip: scores of the map at stride 16 are added before the enlargement (chapter 09).

    features: backbone with `maps`. score_pool4: 1 × 1 convolution, begun with zeros, so that at first it adds nothing.
    The names are those of the paper's authors, for whom the map at stride 16 is VGG16's pool4.
    """

    def __init__(self, features, num_classes, align=True, plain=False, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = features
            self.score_fr = nn.Conv2D(num_classes, kernel_size=1)
            self.upscore2 = _upsampling(num_classes, 2, align, plain)
            self.score_pool4 = _zero_score(num_classes)
            self.upscore16 = _upsampling(num_classes, 16, align, plain)

    def hybrid_forward(self, F, x):
        _, pool4, last = self.features.maps(x)  # 1/16, 1/32
        scores = self.upscore2(self.score_fr(last), pool4) + self.score_pool4(pool4)  # 1/16
        return self.upscore16(scores, x)


class FCN8s(gluon.HybridBlock):
    """`FCN16s` with a second skip, from the map at stride 8: score_pool3 (chapter 09)."""

    def __init__(self, features, num_classes, align=True, plain=False, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = features
            self.score_fr = nn.Conv2D(num_classes, kernel_size=1)
            self.upscore2 = _upsampling(num_classes, 2, align, plain)
            self.score_pool4 = _zero_score(num_classes)
            self.upscore_pool4 = _upsampling(num_classes, 2, align, plain)
            self.score_pool3 = _zero_score(num_classes)
            self.upscore8 = _upsampling(num_classes, 8, align, plain)

    def hybrid_forward(self, F, x):
        pool3, pool4, last = self.features.maps(x)  # 1/8, 1/16, 1/32
        scores = self.upscore2(self.score_fr(last), pool4) + self.score_pool4(pool4)  # 1/16
        scores = self.upscore_pool4(scores, pool3) + self.score_pool3(pool3)  # 1/8
        return self.upscore8(scores, x)


def _zero_score(num_classes):
    return nn.Conv2D(num_classes, kernel_size=1, weight_initializer=init.Zero())


def _upsampling(num_classes, stride, align, plain):
    return (BilinearUpsampling if plain else MatrixUpsampling)(num_classes, stride, align)


class ResNetFeatures(nn.HybridSequential):
    """The layers of a `resnet…_v2` up to its last map: (N, 3, H, W) → (N, 512 or 2048, H/32, W/32), rounded up."""

    def maps(self, x):
        """The maps at strides 8, 16 and 32: the outputs of the second and third stage, and of the last layer."""
        found = []
        for i, layer in enumerate(self):
            x = layer(x)
            if i in (6, 7):  # BatchNorm, convolution, BatchNorm, ReLU, pooling, then the four stages
                found.append(x)
        return [*found, x]


def resnet_features(backbone="resnet18_v2", pretrained=False):
    """The convolutional part of one of Gluon's `resnet…_v2`, as `ResNetFeatures`.

    Its last two layers, global pooling and flattening, are left out. Its first, a BatchNorm of the image itself,
    has its statistics fixed: on a CPU MXNet updates them in a backward pass that this layer never gets, so that
    prediction would use statistics that were never learned (MXNet issue 18673, chapter 08).
    """
    net = pretrained_net(backbone) if pretrained else gluon.model_zoo.vision.get_model(backbone)
    layers = net.features
    features = ResNetFeatures(prefix="")
    features.add(fixed_batch_norm(layers[0]), *layers[1:-2])
    return features


def fixed_batch_norm(layer):
    """The BatchNorm on the image of a `resnet…_v2`, which has no scale and no offset, with its statistics fixed.

    The same parameters, but in training too it uses the running mean and variance that it was given (chapter 08).
    """
    return nn.BatchNorm(scale=False, center=False, use_global_stats=True, prefix=layer.prefix, params=layer.params)


def fcn(num_classes=21, stride=32, backbone="resnet18_v2", pretrained=False, align=True, plain=False, ctx=None):
    """An initialised, hybridizable FCN: (N, 3, H, W) normalised float32 → (N, num_classes, H, W) scores.

    stride: 32, 16 or 8, that of the finest map that is scored (chapter 09). backbone: a `resnet…_v2` of Gluon's model
    zoo, or "vgg16" for the nets of the paper's authors (`VGG16FCN`). pretrained: start from its ImageNet weights,
    fetched on first use. align: see `BilinearUpsampling`; the authors' nets are aligned by their crops, always.
    plain: enlarge by transposed convolutions, as chapter 05 does, instead of by matrices (`MatrixUpsampling`): slower,
    the same to rounding, and a copy is made by `start_from`; the authors' nets are always plain. ctx: a context or a
    list of them.
    """
    nets = {32: FCN32s, 16: FCN16s, 8: FCN8s}
    if stride not in nets:
        raise ValueError(f"stride={stride!r}: expected 32, 16 or 8")
    if backbone == "vgg16":
        if not align:
            raise ValueError("align=False with vgg16: that net has no other form, its crops align it; leave it out")
        net = VGG16FCN(num_classes, stride)
        net.initialize(init.Xavier(), ctx=ctx)
        if pretrained:
            net.copy_classifier(pretrained_net("vgg16"))
        return net
    if not (backbone.startswith("resnet") and backbone.endswith("_v2")):
        raise ValueError(f"backbone={backbone!r}: expected resnet18_v2, 34, 50, 101 or 152, or vgg16")
    net = nets[stride](resnet_features(backbone, pretrained), num_classes, align, plain)
    if not pretrained:
        net.features.initialize(init.Xavier(), ctx=ctx)
    for name, layer in net._children.items():
        if name != "features":
            layer.initialize(init.Xavier(), ctx=ctx)
    net.collect_params().reset_ctx(ctx)
    return net


def start_from(net, other):
    """Copy into `net` every parameter of `other` of the same name, such as `score_fr.weight`.

    For staged training: FCN-16s begins with all of FCN-32s, and its new score layer stays as it was made (chapter 09).
    Enlargements (`upscore…`) are fixed and stay as they are. The same name with another shape is a ValueError.
    """
    theirs = other._collect_params_with_prefix()
    if any(0 in parameter.shape for parameter in theirs.values()):
        raise ValueError("the net to start from has no weights yet: run it once on a picture, or train it")
    for name, parameter in net._collect_params_with_prefix().items():
        if name not in theirs or name.startswith("upscore"):
            continue
        source = theirs[name].data(theirs[name].list_ctx()[0])
        if any(have not in (0, give) for have, give in zip(parameter.shape, source.shape, strict=True)):
            raise ValueError(
                f"{name}: shape {source.shape} cannot be copied into {parameter.shape}; do both nets have the same "
                "classes and backbone?"
            )
        parameter.shape = source.shape
        parameter.set_data(source)
