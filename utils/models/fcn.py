"""Fully convolutional networks on a ResNet (chapters 08 and 09; Long, Shelhamer and Darrell, CVPR 2015)."""

from mxnet import gluon, init
from mxnet.gluon import nn

from .backbones import Features, make_backbone, zoo_net
from .fcn_vgg16 import VGG16FCN
from .surgery import receptive_margin
from .upsampling import BilinearUpsampling, MatrixUpsampling, reach
from .zoo import make, register_model


class FCN32s(gluon.HybridBlock):
    """(N, 3, H, W) normalised images → (N, classes, H, W) scores, for any H and W.

    features: backbone at stride 32. score_fr: 1 × 1 convolution to the classes, the paper's name for it.
    upscore: fixed bilinear enlargement by 32, cut to the image's size. `receptive_margin` is known where the features
    know their `receptive_fields`.
    """

    stride = 32

    def __init__(self, features, num_classes, align=True, plain=False, **kwargs):
        super().__init__(**kwargs)
        _say_margin(self, features, align, {32: [32]})
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

    stride = 32

    def __init__(self, features, num_classes, align=True, plain=False, **kwargs):
        super().__init__(**kwargs)
        _say_margin(self, features, align, {32: [2, 16], 16: [16]})
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

    stride = 32

    def __init__(self, features, num_classes, align=True, plain=False, **kwargs):
        super().__init__(**kwargs)
        _say_margin(self, features, align, {32: [2, 2, 8], 16: [2, 8], 8: [8]})
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


def _say_margin(net, features, align, enlargements):
    """Set `receptive_margin`: the most that a pixel's score looks beyond it, along any map's way to the scores.

    enlargements: the factors by which the map at each stride is enlarged, one after the other.
    """
    if isinstance(features, Features):
        net.receptive_margin = max(
            receptive_margin(features.receptive_field(stride), *reach(factors, align))
            for stride, factors in enlargements.items()
        )


def _zero_score(num_classes):
    return nn.Conv2D(num_classes, kernel_size=1, weight_initializer=init.Zero())


def _upsampling(num_classes, stride, align, plain):
    return (BilinearUpsampling if plain else MatrixUpsampling)(num_classes, stride, align)


def fcn(num_classes=21, stride=32, backbone="resnet18_v2", pretrained=False, align=True, plain=False, ctx=None):
    """An initialised, hybridizable FCN: (N, 3, H, W) normalised float32 → (N, num_classes, H, W) scores.

    stride: 32, 16 or 8, that of the finest map that is scored (chapter 09). backbone: a `resnet…_v2` of Gluon's model
    zoo, or "vgg16" for the nets of the paper's authors (`VGG16FCN`). pretrained: start from its ImageNet weights,
    fetched on first use. align: see `BilinearUpsampling`; the authors' nets are aligned by their crops, always.
    plain: enlarge by transposed convolutions, as chapter 05 does, instead of by matrices (`MatrixUpsampling`): slower,
    the same to rounding, and a copy is made by `start_from`; the authors' nets are always plain. ctx: a context or a
    list of them.
    """
    builders = {32: _fcn32s, 16: _fcn16s, 8: _fcn8s}
    if stride not in builders:
        raise ValueError(f"stride={stride!r}: expected 32, 16 or 8")
    name, build = f"fcn{stride}s", builders[stride]
    return make(name, build, num_classes, backbone, pretrained, ctx, align=align, plain=plain)


@register_model("fcn32s")
def _fcn32s(classes, backbone="resnet18_v2", pretrained=False, align=True, plain=False):
    if backbone == "vgg16":
        return _authors_net(classes, 32, pretrained, align)
    return FCN32s(make_backbone(backbone, pretrained), classes, align, plain)


@register_model("fcn16s")
def _fcn16s(classes, backbone="resnet18_v2", pretrained=False, align=True, plain=False):
    if backbone == "vgg16":
        return _authors_net(classes, 16, pretrained, align)
    return FCN16s(make_backbone(backbone, pretrained), classes, align, plain)


@register_model("fcn8s")
def _fcn8s(classes, backbone="resnet18_v2", pretrained=False, align=True, plain=False):
    if backbone == "vgg16":
        return _authors_net(classes, 8, pretrained, align)
    return FCN8s(make_backbone(backbone, pretrained), classes, align, plain)


def _authors_net(classes, stride, pretrained, align):
    if not align:
        raise ValueError("align=False with vgg16: that net has no other form, its crops align it; leave it out")
    net = VGG16FCN(classes, stride)
    if pretrained:
        net.initialize(init.Xavier())
        net.copy_classifier(zoo_net("vgg16", pretrained))
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
