"""Fully convolutional networks on any backbone (chapters 08, 09, 11; Long, Shelhamer and Darrell, CVPR 2015)."""

from mxnet import gluon, init
from mxnet.gluon import nn

from . import efficientnet_lite  # noqa: F401  it registers its backbone
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
        (offset,) = _geometry(self, features, align, [32])
        with self.name_scope():
            self.features = features
            self.score_fr = _first_score(features, num_classes)
            self.upscore = _upsampling(num_classes, 32, align, plain, offset)

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
        offset2, offset16 = _geometry(self, features, align, [32, 16])
        with self.name_scope():
            self.features = features
            self.score_fr = _first_score(features, num_classes)
            self.upscore2 = _upsampling(num_classes, 2, align, plain, offset2)
            self.score_pool4 = _zero_score(num_classes)
            self.upscore16 = _upsampling(num_classes, 16, align, plain, offset16)

    def hybrid_forward(self, F, x):
        _, pool4, last = self.features.maps(x)  # 1/16, 1/32
        scores = self.upscore2(self.score_fr(last), pool4) + self.score_pool4(pool4)  # 1/16
        return self.upscore16(scores, x)


class FCN8s(gluon.HybridBlock):
    """`FCN16s` with a second skip, from the map at stride 8: score_pool3 (chapter 09)."""

    stride = 32

    def __init__(self, features, num_classes, align=True, plain=False, **kwargs):
        super().__init__(**kwargs)
        offset2, offset_pool4, offset8 = _geometry(self, features, align, [32, 16, 8])
        with self.name_scope():
            self.features = features
            self.score_fr = _first_score(features, num_classes)
            self.upscore2 = _upsampling(num_classes, 2, align, plain, offset2)
            self.score_pool4 = _zero_score(num_classes)
            self.upscore_pool4 = _upsampling(num_classes, 2, align, plain, offset_pool4)
            self.score_pool3 = _zero_score(num_classes)
            self.upscore8 = _upsampling(num_classes, 8, align, plain, offset8)

    def hybrid_forward(self, F, x):
        pool3, pool4, last = self.features.maps(x)  # 1/8, 1/16, 1/32
        scores = self.upscore2(self.score_fr(last), pool4) + self.score_pool4(pool4)  # 1/16
        scores = self.upscore_pool4(scores, pool3) + self.score_pool3(pool3)  # 1/8
        return self.upscore8(scores, x)


class FCN4s(gluon.HybridBlock):
    """`FCN8s` with a third skip, from the map at stride 4: score_pool2. The paper stops before it (chapter 11)."""

    stride = 32

    def __init__(self, features, num_classes, align=True, plain=False, **kwargs):
        super().__init__(**kwargs)
        offset2, offset_pool4, offset_pool3, offset4 = _geometry(self, features, align, [32, 16, 8, 4])
        with self.name_scope():
            self.features = features
            self.score_fr = _first_score(features, num_classes)
            self.upscore2 = _upsampling(num_classes, 2, align, plain, offset2)
            self.score_pool4 = _zero_score(num_classes)
            self.upscore_pool4 = _upsampling(num_classes, 2, align, plain, offset_pool4)
            self.score_pool3 = _zero_score(num_classes)
            self.upscore_pool3 = _upsampling(num_classes, 2, align, plain, offset_pool3)
            self.score_pool2 = _zero_score(num_classes)
            self.upscore4 = _upsampling(num_classes, 4, align, plain, offset4)

    def hybrid_forward(self, F, x):
        pool2, pool3, pool4, last = self.features.by_stride(x, (4, 8, 16, 32)).values()
        scores = self.upscore2(self.score_fr(last), pool4) + self.score_pool4(pool4)  # 1/16
        scores = self.upscore_pool4(scores, pool3) + self.score_pool3(pool3)  # 1/8
        scores = self.upscore_pool3(scores, pool2) + self.score_pool2(pool2)  # 1/4
        return self.upscore4(scores, x)


class FCN2s(gluon.HybridBlock):
    """`FCN4s` with a fourth skip, from the map at stride 2: score_pool1 (chapter 11)."""

    stride = 32

    def __init__(self, features, num_classes, align=True, plain=False, **kwargs):
        super().__init__(**kwargs)
        strides = [32, 16, 8, 4, 2]
        offset2, offset_pool4, offset_pool3, offset_pool2, offset_pool1 = _geometry(self, features, align, strides)
        with self.name_scope():
            self.features = features
            self.score_fr = _first_score(features, num_classes)
            self.upscore2 = _upsampling(num_classes, 2, align, plain, offset2)
            self.score_pool4 = _zero_score(num_classes)
            self.upscore_pool4 = _upsampling(num_classes, 2, align, plain, offset_pool4)
            self.score_pool3 = _zero_score(num_classes)
            self.upscore_pool3 = _upsampling(num_classes, 2, align, plain, offset_pool3)
            self.score_pool2 = _zero_score(num_classes)
            self.upscore_pool2 = _upsampling(num_classes, 2, align, plain, offset_pool2)
            self.score_pool1 = _zero_score(num_classes)
            self.upscore_pool1 = _upsampling(num_classes, 2, align, plain, offset_pool1)

    def hybrid_forward(self, F, x):
        pool1, pool2, pool3, pool4, last = self.features.by_stride(x, (2, 4, 8, 16, 32)).values()
        scores = self.upscore2(self.score_fr(last), pool4) + self.score_pool4(pool4)  # 1/16
        scores = self.upscore_pool4(scores, pool3) + self.score_pool3(pool3)  # 1/8
        scores = self.upscore_pool3(scores, pool2) + self.score_pool2(pool2)  # 1/4
        scores = self.upscore_pool2(scores, pool1) + self.score_pool1(pool1)  # 1/2
        return self.upscore_pool1(scores, x)


def _geometry(net, features, align, strides):
    """Offsets of the enlargements from each stride to the next finer one, at last to pixels; 0 unless align is True.

    Sets `receptive_margin` too: the most that a pixel's score looks beyond it, along any map's way to the scores. What
    features don't say where their cells look (not `Features`) is taken as 0, and their margin is not known.
    """
    factors = [coarse // fine for coarse, fine in zip(strides, [*strides[1:], 1], strict=True)]
    if not isinstance(features, Features):
        return [0] * len(factors)
    offsets = [0] * len(factors)
    if align is True:
        places = [*map(features.place, strides), 0]
        offsets = [(places[i] - places[i + 1]) / fine for i, fine in enumerate([*strides[1:], 1])]
        offsets = [int(offset) if offset == int(offset) else offset for offset in offsets]
    net.receptive_margin = max(
        receptive_margin(features.receptive_field(stride), *reach(factors[i:], align, offsets=offsets[i:]))
        for i, stride in enumerate(strides)
    )
    return offsets


def _first_score(features, num_classes):
    """From random weights, or from zeros, as the paper's, on features that say so: trained ones, not to be shaken."""
    zero = getattr(features, "scored_from_zero", False)
    return _zero_score(num_classes) if zero else nn.Conv2D(num_classes, kernel_size=1)


def _zero_score(num_classes):
    return nn.Conv2D(num_classes, kernel_size=1, weight_initializer=init.Zero())


def _upsampling(num_classes, stride, align, plain, offset):
    return (BilinearUpsampling if plain else MatrixUpsampling)(num_classes, stride, align, offset)


def fcn(
    num_classes=21,
    stride=32,
    backbone="resnet18_v2",
    pretrained=False,
    align=True,
    plain=False,
    ctx=None,
    features=None,
):
    """An initialised, hybridizable FCN: (N, 3, H, W) normalised float32 → (N, num_classes, H, W) scores.

    stride: 32, 16 or 8, that of the finest map that is scored (chapter 09), or 4 or 2 (chapter 11), which the authors'
    nets don't have. backbone: a `resnet…_v2` of Gluon's model zoo, "efficientnet_lite0", or "vgg16" for the nets of the
    paper's authors (`VGG16FCN`). pretrained: start from its ImageNet weights, which `make setup` installs for
    EfficientNet-Lite0, and which are fetched on first use for the others. align: see `BilinearUpsampling`, with the
    offsets at which the backbone's cells look; the authors' nets are aligned by their crops, always. features: a dict
    of what the backbone takes besides (`efficientnet_lite0`).
    plain: enlarge by transposed convolutions, as chapter 05 does, instead of by matrices (`MatrixUpsampling`): slower,
    the same to rounding, and a copy is made by `start_from`; the authors' nets are always plain. ctx: a context or a
    list of them.
    """
    builders = {32: _fcn32s, 16: _fcn16s, 8: _fcn8s, 4: _fcn4s, 2: _fcn2s}
    if stride not in builders:
        raise ValueError(f"stride={stride!r}: expected 32, 16, 8, 4 or 2")
    name, build = f"fcn{stride}s", builders[stride]
    given = {"features": features} if features else {}
    return make(name, build, num_classes, backbone, pretrained, ctx, align=align, plain=plain, **given)


@register_model("fcn32s")
def _fcn32s(classes, backbone="resnet18_v2", pretrained=False, align=True, plain=False, features=None):
    if backbone == "vgg16":
        return _authors_net(classes, 32, pretrained, align, features)
    return FCN32s(make_backbone(backbone, pretrained, features), classes, align, plain)


@register_model("fcn16s")
def _fcn16s(classes, backbone="resnet18_v2", pretrained=False, align=True, plain=False, features=None):
    if backbone == "vgg16":
        return _authors_net(classes, 16, pretrained, align, features)
    return FCN16s(make_backbone(backbone, pretrained, features), classes, align, plain)


@register_model("fcn8s")
def _fcn8s(classes, backbone="resnet18_v2", pretrained=False, align=True, plain=False, features=None):
    if backbone == "vgg16":
        return _authors_net(classes, 8, pretrained, align, features)
    return FCN8s(make_backbone(backbone, pretrained, features), classes, align, plain)


@register_model("fcn4s")
def _fcn4s(classes, backbone="resnet18_v2", pretrained=False, align=True, plain=False, features=None):
    _not_authors(backbone)
    return FCN4s(make_backbone(backbone, pretrained, features), classes, align, plain)


@register_model("fcn2s")
def _fcn2s(classes, backbone="resnet18_v2", pretrained=False, align=True, plain=False, features=None):
    _not_authors(backbone)
    return FCN2s(make_backbone(backbone, pretrained, features), classes, align, plain)


def _authors_net(classes, stride, pretrained, align, features):
    if features:
        raise ValueError(f"features={features!r} with vgg16: the authors' net takes none; leave it out")
    if not align:
        raise ValueError("align=False with vgg16: that net has no other form, its crops align it; leave it out")
    net = VGG16FCN(classes, stride)
    if pretrained:
        net.initialize(init.Xavier())
        net.copy_classifier(zoo_net("vgg16", pretrained))
    return net


def _not_authors(backbone):
    if backbone == "vgg16":
        raise ValueError("backbone='vgg16': the authors' nets stop at stride 8; choose fcn8s or another backbone")


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
