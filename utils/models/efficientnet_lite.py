"""EfficientNet-Lite0: a classifier small enough to ship, with ImageNet's weights (chapters 07 and 11).

Tan and Le, ICML 2019, in its authors' form for phones: ReLU6, no squeeze-and-excitation. The weights are those of a
package (NOTICE); the net is built here. In a block a 1 × 1 convolution makes six times as many maps, a depthwise one
looks at each map by itself, and another 1 × 1 convolution makes few maps again.
"""

import numpy as np
from mxnet import gluon, init, nd
from mxnet.gluon import nn

from ..data.transforms import RGB_MEAN, RGB_STD
from .backbones import Features, register_backbone

STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Of each: blocks, kernel, stride of the first block, how many times as many maps inside, channels."""

EPSILON = 1e-3  # of every BatchNorm, as the weights were trained


@register_backbone("efficientnet_lite0")
def efficientnet_lite0(pretrained=False, folded=None, padding="symmetric", train_depthwise=None):
    """`Features` of EfficientNet-Lite0: (N, 3, H, W) normalised → maps of 16, 24, 40, 112, 320 channels at 2 to 32.

    pretrained: ImageNet's weights, installed with the course; a FetchError where they are not. folded: convolutions
    with a bias and no BatchNorm, which is the net with its statistics frozen, and faster; False: BatchNorm as layers;
    default: folded where pretrained, as from nothing so deep a net needs BatchNorm. padding: "symmetric", cell i of
    stride s at pixel s · i; "same", as the net was trained and published, cell i at s · i + s − 1: 7, 15 and 31 pixels
    on, for strides 8, 16, 32. `place` says which, and the FCNs enlarge by it. train_depthwise: whether depthwise
    convolutions learn. Frozen, a training step takes half the time on a CPU, and scores are better; default: they learn
    from nothing only. The maps have ⌈H/s⌉ × ⌈W/s⌉ cells.
    """
    folded = pretrained if folded is None else folded
    features = _features(folded, padding)
    features.made_with = {"folded": folded, "padding": padding}
    if pretrained:
        features.initialize()
        _fill(_units(features), packaged_weights())
        features.scored_from_zero = True
    if not (not pretrained if train_depthwise is None else train_depthwise):
        for unit in _units(features):
            if unit.depthwise:
                unit.conv.collect_params().setattr("grad_req", "null")
    return features


class EfficientNetLite0(gluon.HybridBlock):
    """The classifier: (N, 3, H, W) normalised images → (N, 1000) scores of ImageNet's classes, before softmax.

    features, head, output: the backbone, 1 × 1 to 1280 maps, 1 × 1 to the classes. `scores` gives the classes' scores
    cell by cell. pretrained, padding, folded: as in `efficientnet_lite0`; by default the net as published.
    """

    def __init__(self, pretrained=True, padding="same", folded=True, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = _features(folded, padding)
            self.head = ConvNorm(folded, 320, 1280, 1)
            self.output = nn.Conv2D(1000, 1, in_channels=1280)
        if pretrained:
            weights = packaged_weights()
            self.initialize()
            _fill([*_units(self.features), self.head], weights)
            self.output.weight.set_data(nd.array(weights["_fc.weight"].reshape(1000, 1280, 1, 1)))
            self.output.bias.set_data(nd.array(weights["_fc.bias"]))

    def hybrid_forward(self, F, x):
        x = F.contrib.AdaptiveAvgPooling2D(self.head(self.features(x)), output_size=1)
        return F.flatten(self.output(x))

    def scores(self, x):
        """(N, 1000, h, w) of each cell of stride 32: where the classifier sees what.

        All after the mean over all cells is linear, so the mean of these scores is the classifier's answer.
        """
        return self.output(self.head(self.features(x)))


class ConvNorm(gluon.HybridBlock):
    """Convolution, BatchNorm and, where it is activated, `ReLU6`.

    Folded: the convolution has BatchNorm's scales in its weights, and a bias for the rest. Before `ReLU6` signs are
    turned: what convolution and BatchNorm give is 6 − y, where the net as published has y.
    """

    def __init__(self, folded, before, channels, kernel, stride=1, groups=1, padding="symmetric", activated=True):
        super().__init__(prefix="")
        self.depthwise, drops = groups > 1, padding == "same" and stride > 1
        sign, offset = (-1, 6) if activated else (1, 0)
        self.conv = nn.Conv2D(
            channels,
            kernel,
            stride,
            kernel // 2 + drops,
            groups=groups,
            in_channels=before,
            use_bias=folded,
            bias_initializer=init.Constant(offset),
        )
        self.drop = DropFirst(prefix="") if drops else None
        self.norm = self.relu6 = None
        if not folded:
            begin = {"gamma_initializer": init.Constant(sign), "beta_initializer": init.Constant(offset)}
            self.norm = nn.BatchNorm(epsilon=EPSILON, in_channels=channels, **begin)
        if activated:
            self.relu6 = ReLU6(channels)

    def hybrid_forward(self, F, x):
        for layer in self.row():
            x = layer(x)
        return x

    def row(self):
        """Its layers, one after the other."""
        return [layer for layer in (self.conv, self.drop, self.norm, self.relu6) if layer is not None]

    def fill(self, weight, gamma, beta, mean, variance):
        """Put in the weights of a convolution and of the BatchNorm after it: NumPy arrays, of the net as published."""
        if self.relu6 is not None:
            gamma, beta = -gamma, 6 - beta
        if self.norm is None:
            scale = gamma / np.sqrt(variance + EPSILON)
            weight, beta = weight * scale[:, None, None, None], beta - mean * scale
            self.conv.bias.set_data(nd.array(beta))
        else:
            own = self.norm.gamma, self.norm.beta, self.norm.running_mean, self.norm.running_var
            for parameter, value in zip(own, (gamma, beta, mean, variance), strict=True):
                parameter.set_data(nd.array(value))
        self.conv.weight.set_data(nd.array(weight))


class InvertedResidual(nn.HybridSequential):
    """A block: a row of `ConvNorm`s; its input is added to their output, where both have one shape."""

    def __init__(self, adds, **kwargs):
        super().__init__(**kwargs)
        self._adds = adds

    def hybrid_forward(self, F, x):
        out = super().hybrid_forward(F, x)
        return out + x if self._adds else out


class ReLU6(gluon.HybridBlock):
    """6 − y → min(max(y, 0), 6): for maps that come with their signs turned (`ConvNorm`).

    relu(6 − relu(6 − y)), the outer difference a fixed convolution of each map by itself. `clip` does it in one step,
    but not in the layout in which oneDNN computes convolutions: the backbone then takes twice as long.
    """

    window = 1, 1, 0, 1

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        begin = {"weight_initializer": init.Constant(-1), "bias_initializer": init.Constant(6)}
        with self.name_scope():
            self.turn = nn.Conv2D(channels, 1, groups=channels, in_channels=channels, **begin)
        self.turn.collect_params().setattr("grad_req", "null")

    def hybrid_forward(self, F, x):
        return F.Activation(self.turn(F.Activation(x, act_type="relu")), act_type="relu")


class DropFirst(gluon.HybridBlock):
    """A map without its first row and column: as if the convolution before it had been padded behind alone."""

    window = 1, 1, -1, 1

    def hybrid_forward(self, F, x):
        return F.slice(x, begin=(None, None, 1, 1), end=(None,) * 4)


def _features(folded, padding):
    if padding not in ("symmetric", "same"):
        raise ValueError(f"padding={padding!r}: expected symmetric or same")
    features = Features({2: 2, 4: 4, 8: 6, 16: 12, 32: 17}, prefix="efficientnetlite0_")
    with features.name_scope():
        features.add(_as_trained(), ConvNorm(folded, 3, 32, 3, 2, padding=padding))
        before = 32
        for repeat, kernel, stride, times, channels in STAGES:
            for step in (stride, *[1] * (repeat - 1)):
                block = InvertedResidual(step == 1 and before == channels, prefix=f"block{len(features) - 2}_")
                inside = before * times
                with block.name_scope():
                    if times > 1:
                        block.add(ConvNorm(folded, before, inside, 1))
                    block.add(ConvNorm(folded, inside, inside, kernel, step, inside, padding))
                    block.add(ConvNorm(folded, inside, channels, 1, activated=False))
                features.add(block)
                before = channels
    return features


def _as_trained():
    """From the course's normalised values to (255 · RGB − 127) / 128: a BatchNorm whose statistics are fixed."""
    slope, at_zero = 255 * RGB_STD / 128, (255 * RGB_MEAN - 127) / 128
    return nn.BatchNorm(
        epsilon=1e-5,
        scale=False,
        center=False,
        use_global_stats=True,
        in_channels=3,
        running_mean_initializer=_Values(-at_zero / slope),
        running_variance_initializer=_Values(1 / slope**2 - 1e-5),
        prefix="input_",
    )


class _Values(init.Initializer):
    """Given values."""

    def __init__(self, values):
        super().__init__()
        self._values = np.asarray(values, np.float32)

    def _init_weight(self, _, array):
        array[:] = self._values


def _units(features):
    """The `ConvNorm`s of a backbone, in the order in which they compute."""
    blocks = (layer for layer in features if not isinstance(layer, nn.BatchNorm))
    return [unit for block in blocks for unit in (block if isinstance(block, InvertedResidual) else [block])]


def _fill(units, weights):
    """The package's weights into `ConvNorm`s. Both have one order: a convolution, its BatchNorm's four arrays."""
    arrays = (array.astype(float) for name, array in weights.items() if not name.endswith("num_batches_tracked"))
    for unit in units:
        unit.fill(*(next(arrays) for _ in range(5)))


def packaged_weights():
    from ..fetch.weights import packaged_weights  # here: most nets need none, and digests need not know how

    return packaged_weights()
