"""Classifiers without their last layers, as maps by stride, for decoders (chapters 08 and 09)."""

import functools
import inspect

from mxnet import gluon
from mxnet.gluon import nn
from mxnet.gluon.model_zoo.vision.resnet import BasicBlockV2, BottleneckV2

from .surgery import receptive_field


class Features(nn.HybridSequential):
    """A row of layers, (N, 3, H, W) normalised images → its last map; `by_stride` gives the maps on the way too.

    ends: a dict {stride: index of the layer whose output is the last one at this stride}.
    """

    scored_from_zero = False
    """Whether a net on it should begin with scores of 0: random ones would spoil, in the first steps, what it knows."""

    def __init__(self, ends=(), **kwargs):
        super().__init__(**kwargs)
        self.ends = dict(ends)

    def by_stride(self, x, strides=(8, 16, 32)):
        """dict {stride: map} for the strides asked for, of an array or a symbol: use it in a `hybrid_forward` too.

        What comes after the last of them isn't computed. A stride that the backbone doesn't have is a ValueError.
        """
        ends = {stride: self._end(stride) for stride in strides}
        found = {}
        for i, layer in enumerate(self):
            x = found[i] = layer(x)
            if i == max(ends.values()):
                break
        return {stride: found[end] for stride, end in ends.items()}

    def maps(self, x):
        """The maps at strides 8, 16 and 32, a list."""
        return list(self.by_stride(x).values())

    def receptive_field(self, stride):
        """(size, stride, first) of a cell of the map at this stride, as the function of that name has them.

        Along the longest way through residual blocks.
        """
        return receptive_field(_row(list(self)[: self._end(stride) + 1]))

    def place(self, stride):
        """The pixel at which cell 0 of the map at this stride looks: cell i looks at place + stride · i."""
        return self.receptive_field(stride)[2]

    def _end(self, stride):
        if stride not in self.ends:
            raise ValueError(f"no map at stride {stride}: this backbone has {', '.join(map(str, self.ends))}")
        return self.ends[stride]


def _row(layers):
    """The layers one after the other, those inside residual blocks and rows too; what goes past a block left out."""
    for layer in layers:
        if isinstance(layer, BasicBlockV2):
            yield from (layer.conv1, layer.conv2)
        elif isinstance(layer, BottleneckV2):
            yield from (layer.conv1, layer.conv2, layer.conv3)
        elif isinstance(layer, nn.HybridSequential):
            yield from _row(layer)
        elif hasattr(layer, "row"):
            yield from layer.row()
        else:
            yield layer


def make_backbone(name, pretrained=False, options=None):
    """Features by their name in `backbones`; pretrained: with ImageNet's weights, or else not initialised yet.

    options: a dict of what this backbone takes besides, such as padding. A name that isn't there, or an option that the
    backbone does not take, is a ValueError that lists what there is.
    """
    if name not in backbones:
        raise ValueError(f"backbone={name!r}: expected {', '.join(backbones)}")
    given = (options or {}) | ({"pretrained": True} if pretrained else {})
    if unknown := set(options or {}) - set(inspect.signature(backbones[name]).parameters):
        known = ", ".join(inspect.signature(backbones[name]).parameters)
        raise ValueError(f"backbone {name} takes no {', '.join(map(repr, sorted(unknown)))}; it takes {known}")
    return backbones[name](**given)


def register_backbone(name):
    """A decorator that puts a function that makes `Features` into `backbones` under this name."""

    def register(make):
        backbones[name] = make
        return make

    return register


def zoo_net(name, pretrained=False):
    """One of Gluon's classifiers by its name in the model zoo, with ImageNet's weights or not initialised yet."""
    if not pretrained:
        return gluon.model_zoo.vision.get_model(name)
    from ..fetch.weights import pretrained_net  # here: most nets fetch nothing, and digests need not know how

    return pretrained_net(name)


def resnet_features(backbone="resnet18_v2", pretrained=False):
    """The convolutional part of one of Gluon's `resnet…_v2`: (N, 3, H, W) → (N, 512 or 2048, H/32, W/32), rounded up.

    `Features` with maps at strides 2 to 32; those at 4 to 16 are the outputs of the first three stages.
    Its last two layers, global pooling and flattening, are left out. Its first, a BatchNorm of the image itself,
    has its statistics fixed: on a CPU MXNet updates them in a backward pass that this layer never gets, so that
    prediction would use statistics that were never learned (MXNet issue 18673, chapter 08).
    """
    net = zoo_net(backbone, pretrained)
    layers = net.features
    # BatchNorm, convolution, BatchNorm, ReLU, pooling, then the four stages, BatchNorm and ReLU
    features = Features({2: 3, 4: 5, 8: 6, 16: 7, 32: 10}, prefix="")
    features.add(fixed_batch_norm(layers[0]), *layers[1:-2])
    return features


def fixed_batch_norm(layer):
    """The BatchNorm on the image of a `resnet…_v2`, which has no scale and no offset, with its statistics fixed.

    The same parameters, but in training too it uses the running mean and variance that it was given (chapter 08).
    """
    return nn.BatchNorm(scale=False, center=False, use_global_stats=True, prefix=layer.prefix, params=layer.params)


def vgg16_features(pretrained=False):
    """The convolutions and poolings of Gluon's VGG16, padded by 1: (N, 3, H, W) → (N, 512, H/32, W/32), rounded down.

    `Features` whose maps at strides 2 to 32 are pool1 to pool5. Cell i looks at pixel s · i + (s − 1)/2: enlarge with
    align=False. The net of the paper's authors, padded by 100, is another: `VGG16FCN`.
    """
    net = zoo_net("vgg16", pretrained)
    layers = [layer for layer in net.features if not isinstance(layer, (nn.Dense, nn.Dropout))]
    pools = [i for i, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2D)]
    features = Features(zip((2, 4, 8, 16, 32), pools, strict=True), prefix="")
    features.add(*layers)
    return features


backbones = {
    "resnet18_v2": functools.partial(resnet_features, "resnet18_v2"),
    "resnet34_v2": functools.partial(resnet_features, "resnet34_v2"),
    "resnet50_v2": functools.partial(resnet_features, "resnet50_v2"),
    "resnet101_v2": functools.partial(resnet_features, "resnet101_v2"),
    "resnet152_v2": functools.partial(resnet_features, "resnet152_v2"),
    "vgg16": vgg16_features,
}
"""Name → function that makes features: `backbones["resnet18_v2"](pretrained=True)`. A new one is an entry more."""
