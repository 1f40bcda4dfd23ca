"""DeepLab: a backbone made dense by holes, and heads with a large field (chapter 13).

Chen, Papandreou, Kokkinos, Murphy and Yuille: arXiv:1412.7062 (LargeFOV) and arXiv:1606.00915 (ASPP). The CRF that
follows these nets is `utils.DenseCRF`.
"""

from mxnet import gluon, init
from mxnet.gluon import nn
from mxnet.gluon.model_zoo.vision.resnet import BasicBlockV2, BottleneckV2

from ..postprocess.crf import DenseCRF, MeanField
from . import efficientnet_lite
from .backbones import Features, make_backbone
from .surgery import PLAIN, DilatedMaxPool, receptive_margin
from .upsampling import MatrixUpsampling, reach
from .zoo import register_model

BACKBONE = "efficientnet_lite0"


def make_dense(features, stride):
    """A backbone whose last map has this stride: `Features`, changed in place and given back; no weight is touched.

    features: `Features` with a map at `stride` and coarser ones, not part of a net yet. Each layer that would go beyond
    `stride` gets stride 1, and every later kernel holes (à trous, chapter 13). The cells of the former last map are
    among the new ones, to rounding, where they see nothing beyond the picture's edge; for pictures whose sides are
    multiples of its stride, all of them. `place` says where: former cell i is at place + stride · i then as now.
    `by_stride` then has this stride for the last map, the finer ones as before, and no coarser. A ValueError for a
    stride that the backbone doesn't have, and for layers that no rule is known for.
    """
    if not isinstance(features, Features):
        raise ValueError(f"{type(features).__name__}: expected `Features`, such as utils.resnet_features()")
    features._end(stride)
    features.hybridize(False)  # what was compiled before had the old strides
    widening = _Widening(stride)
    for name, layer in list(features._children.items()):
        features._children[name] = widening(layer)
    features.ends = {s: end for s, end in features.ends.items() if s < stride} | {stride: len(features) - 1}
    return features


class _Widening:
    """Goes along layers in the order in which they compute, and knows stride and dilation so far."""

    def __init__(self, target):
        self.target, self.stride, self.rate = target, 1, 1

    def __call__(self, layer):
        """The layer, changed, or another in its place."""
        if isinstance(layer, nn.Conv2D):
            self.convolution(layer)
        elif isinstance(layer, (nn.MaxPool2D, nn.AvgPool2D)):
            return self.pooling(layer)
        elif isinstance(layer, (BasicBlockV2, BottleneckV2)):
            self.residual(layer)
        elif isinstance(layer, efficientnet_lite.ConvNorm):
            self.convolution(layer.conv)
            if layer.drop is not None and layer.conv._kwargs["stride"] == (1, 1):
                layer.drop = _DropNothing(prefix="")
        elif isinstance(layer, nn.HybridSequential):
            for inner in layer:
                self(inner)
        elif not isinstance(layer, PLAIN):
            raise ValueError(f"{layer!r}: expected convolutions, max-poolings, and blocks of ResNets or EfficientNet")
        return layer

    def convolution(self, layer):
        kernel, step = layer._kwargs["kernel"][0], layer._kwargs["stride"][0]
        goes, dilation = self.step(step), layer._kwargs["dilate"][0] * self.rate
        if self.rate > 1 or goes < step:  # what is finer than the target stays as it is, padding included
            layer._kwargs.update(stride=(goes,) * 2, dilate=(dilation,) * 2, pad=(kernel // 2 * dilation,) * 2)
        self.advance(step, goes)

    def pooling(self, layer):
        kernel, step = layer._kwargs["kernel"][0], layer._kwargs["stride"][0]
        goes = self.step(step)
        if self.rate > 1 or goes < step:
            if not isinstance(layer, nn.MaxPool2D):
                raise ValueError(f"{layer!r}: expected a max-pooling, where holes are to come")
            layer = _CentredMaxPool(kernel, self.rate)
        self.advance(step, goes)
        return layer

    def residual(self, block):
        if block.downsample is not None:  # 1 × 1, beside the row: it steps as the row does
            step = block.downsample._kwargs["stride"][0]
            block.downsample._kwargs["stride"] = (self.step(step),) * 2
        for layer in block.conv1, block.conv2, getattr(block, "conv3", None):
            if layer is not None:
                self.convolution(layer)

    def step(self, step):
        return step if self.stride * step <= self.target else 1

    def advance(self, step, goes):
        self.stride *= goes
        self.rate *= step // goes


class _DropNothing(efficientnet_lite.DropFirst):
    """In the place of a `DropFirst` whose convolution no longer steps: there is no half to choose any more."""

    window = 1, 1, 0, 1

    def hybrid_forward(self, F, x):
        return x


class _CentredMaxPool(DilatedMaxPool):
    """`DilatedMaxPool` that keeps the size: the outermost cells are repeated, on the far side one more where uneven."""

    def __init__(self, kernel, dilation, **kwargs):
        super().__init__(kernel, dilation, **kwargs)
        beyond = (kernel - 1) * dilation
        self._pad = (0, 0, 0, 0, *(beyond // 2, beyond - beyond // 2) * 2)
        self.window = kernel, 1, beyond // 2, dilation

    def hybrid_forward(self, F, x):
        return super().hybrid_forward(F, F.Pad(x, mode="edge", pad_width=self._pad))


class DeepLab(gluon.HybridBlock):
    """(N, 3, H, W) normalised images → (N, classes, H, W) scores, for any H and W: a dense backbone, and its head.

    features: a backbone, which becomes dense at `stride`. rates: one branch for each, at stride 8: fc6, a 3 × 3
    convolution with holes of this rate to `channels` maps; fc7, 1 × 1; fc8, 1 × 1 to the classes. The branches' scores
    are added. At stride 16 and 32 the rates are halved and quartered, so that a cell looks as far. No rates: fc8 alone,
    which at stride 32 is FCN-32s. upscore: bilinear, fixed.
    """

    def __init__(self, features, num_classes, stride=8, rates=(), channels=256, dropout=0.5, **kwargs):
        super().__init__(**kwargs)
        _check(num_classes, rates, channels)
        make_dense(features, stride)
        self.stride, self.rates = stride, [max(1, round(8 * rate / stride)) for rate in rates]
        size, _, first = features.receptive_field(stride)
        field = size + 2 * stride * max(self.rates, default=0), stride, first
        self.receptive_field = field
        offset = int(first) if first == int(first) else first
        self.receptive_margin = receptive_margin(field, *reach([stride], offsets=[offset]))
        with self.name_scope():
            self.features = features
            self.branches = []
            for i, rate in enumerate(self.rates, 1):
                branch = nn.HybridSequential(prefix=f"branch{i}_")
                with branch.name_scope():
                    branch.add(
                        nn.Conv2D(channels, 3, padding=rate, dilation=rate, activation="relu", prefix="fc6_"),
                        nn.Dropout(dropout),
                        nn.Conv2D(channels, 1, activation="relu", prefix="fc7_"),
                        nn.Dropout(dropout),
                        _score(features, num_classes),
                    )
                self.branches.append(branch)
                setattr(self, f"branch{i}", branch)
            if not self.rates:
                self.fc8 = _score(features, num_classes)
                self.branches.append(self.fc8)
            self.upscore = MatrixUpsampling(num_classes, stride, True, offset)

    def hybrid_forward(self, F, x):
        return self.upscore(self.cells(F, x), x)

    def cells(self, F, x):
        """Scores of the last map's cells, 1/stride."""
        last = self.features(x)
        return sum((branch(last) for branch in self.branches[1:]), self.branches[0](last))


class DeepLabMeanField(DeepLab):
    """`DeepLab` with a CRF that learns between the cells' scores and the enlargement: `utils.MeanField`.

    A cell's colour is the mean of the pixels round its place. crf: a dict of the layers' settings, widths in cells.
    The net looks at the whole picture, and takes memory by the square of its cells.
    """

    def __init__(self, features, num_classes, stride=8, rates=(), channels=256, crf=None, **kwargs):
        super().__init__(features, num_classes, stride, rates, channels, **kwargs)
        try:
            DenseCRF(**(crf or {}))
        except TypeError as error:
            raise ValueError(
                f"crf={crf!r}: expected a dict of a CRF's settings, such as {{'w1': 1.0}}: {error}"
            ) from None
        self.receptive_margin = None
        if self.upscore.offset:
            raise ValueError(
                f"cell 0 looks at pixel {self.upscore.offset}: expected a backbone whose cells look at s · i"
            )
        around = stride - 1 + stride % 2  # pixels, an odd number, so that the cell's place is in the middle
        with self.name_scope():
            self.sum = nn.Conv2D(
                3, around, stride, around // 2, groups=3, use_bias=False, in_channels=3, weight_initializer=init.One()
            )
            self.sum.weight.grad_req = "null"
            self.mean_field = MeanField(num_classes, **(crf or {}))

    def cells(self, F, x):
        colours = self.sum(x) / self.sum(F.ones_like(x))  # at the edges of fewer pixels
        return self.mean_field(super().cells(F, x), colours)


def _check(num_classes, rates, channels):
    """ValueError for what no head can be made of."""
    if not isinstance(rates, (tuple, list)) or not all(isinstance(rate, int) and rate >= 1 for rate in rates):
        raise ValueError(f"rates {rates!r}: expected a tuple of whole numbers from 1 on, such as (6, 12, 18, 24)")
    for name, number in ("classes", num_classes), ("channels", channels):
        if not isinstance(number, int) or number < 1:
            raise ValueError(f"{name}={number!r}: expected a whole number from 1 on")


def _score(features, num_classes):
    """From zeros on features that say so: trained ones, not to be shaken."""
    zero = init.Zero() if getattr(features, "scored_from_zero", False) else None
    return nn.Conv2D(num_classes, 1, weight_initializer=zero, prefix="fc8_")


@register_model("deeplab")
def deeplab(classes, backbone=BACKBONE, pretrained=False, features=None, stride=8):
    """A dense backbone and a 1 × 1 score: what density alone gives."""
    return DeepLab(make_backbone(backbone, pretrained, features), classes, stride)


@register_model("deeplab_largefov")
def deeplab_largefov(classes, backbone=BACKBONE, pretrained=False, features=None, stride=8, rate=12, channels=256):
    """DeepLab-LargeFOV (the first paper): one branch, whose kernel spans 25 cells of stride 8."""
    return DeepLab(make_backbone(backbone, pretrained, features), classes, stride, (rate,), channels)


@register_model("deeplab_aspp")
def deeplab_aspp(
    classes, backbone=BACKBONE, pretrained=False, features=None, stride=8, rates=(6, 12, 18, 24), channels=256
):
    """DeepLab-ASPP-L (the second paper): four branches, an atrous spatial pyramid pooling."""
    return DeepLab(make_backbone(backbone, pretrained, features), classes, stride, rates, channels)


@register_model("deeplab_meanfield")
def deeplab_meanfield(classes, backbone=BACKBONE, pretrained=False, features=None, stride=8, crf=None):
    """The net "deeplab" with a CRF that learns with it, at the cells of its map (after *CRF as RNN*)."""
    return DeepLabMeanField(make_backbone(backbone, pretrained, features), classes, stride, crf=crf)
