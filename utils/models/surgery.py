"""Classifiers as fully convolutional nets, where their cells look, and their dense form (chapter 07)."""

from mxnet import gluon, init, nd
from mxnet.gluon import nn

PLAIN = (nn.Activation, nn.Dropout, nn.BatchNorm, nn.LeakyReLU)
"""Layers that look at one cell at a time."""


def convolutionize(classifier, size):
    """A classifier as a net of convolutions: (N, channels, H, W) images → (N, classes, h, w) scores, H and W ≥ size.

    classifier: initialised, a row of layers or, as Gluon's AlexNet and VGG, two: `features` and `output`. size:
    (height, width) of the images that it was made for, at which the new net gives the same scores on 1 × 1 cells.
    Its convolutions go over as they are, shared; the weights of its `Dense` layers are copied into convolutions whose
    kernels cover the whole map. A layer that fits no row (global pooling, a residual block) is a ValueError.
    """
    layers = [*classifier.features, classifier.output] if hasattr(classifier, "output") else list(classifier)
    first = next(layer for layer in layers if isinstance(layer, nn.Conv2D))
    x = nd.zeros((1, first.weight.shape[1] or 3, *size), ctx=first.weight.list_ctx()[0])
    net = nn.HybridSequential(prefix="")
    for layer in layers:
        if isinstance(layer, nn.Flatten):
            continue
        if isinstance(layer, nn.Dense):
            if 0 in layer.weight.shape:
                layer(x)  # its weights come with the first batch
            layer = _as_convolution(layer, x.shape[1:])
        elif not isinstance(layer, (nn.Conv2D, nn.MaxPool2D, nn.AvgPool2D, *PLAIN)):
            raise ValueError(
                f"{layer!r}: expected convolutions, poolings, activations, dropout, Flatten and Dense in a row"
            )
        x = layer(x)
        net.add(layer)
    return net


def _as_convolution(dense, map_shape):
    channels, height, width = map_shape
    units, inputs = dense.weight.shape
    if inputs != channels * height * width:
        raise ValueError(f"{dense!r} after a map of {map_shape}: is size the one that the classifier was made for?")
    convolution = nn.Conv2D(
        units,
        (height, width),
        in_channels=channels,
        activation=dense.act and dense.act._act_type,
        use_bias=dense.bias is not None,
    )
    for mine, theirs in (convolution.weight, dense.weight), (convolution.bias, dense.bias):
        if theirs is not None:
            mine.grad_req = theirs.grad_req
            mine.initialize(init.Zero(), ctx=theirs.list_ctx())
            mine.set_data(theirs.data(theirs.list_ctx()[0]).reshape(mine.shape))  # in the order channel, row, column
    return convolution


def receptive_field(layers):
    """(size, stride, first) of a row of Gluon layers, all in pixels of the input.

    Cell i of the output sees `size` pixels, and the middle of them is pixel first + stride · i. Layers: convolutions
    and poolings with square kernels, and layers that look at one cell at a time; others are a ValueError.
    """
    size, stride, first = 1, 1, 0.0
    for layer in layers:
        kernel, step, padding, dilation = _window(layer)
        first += ((kernel - 1) * dilation / 2 - padding) * stride
        size += (kernel - 1) * dilation * stride
        stride *= step
    return size, stride, first


def receptive_margin(field, low, high):
    """Pixels to each side of a pixel that its score may depend on, a whole number: how far tiles have to overlap.

    field: (size, stride, first) of a map (`receptive_field`), whose cell i counts in the scores of pixels
    stride · i + low to stride · i + high (`upsampling.reach`).
    """
    size, _, first = field
    return int((size - 1) / 2 + max(high - first, first - low))


def _window(layer):
    """(kernel, stride, padding, dilation) of a layer; one of the course's own may say it by its attribute `window`."""
    if hasattr(layer, "window"):
        return layer.window
    if isinstance(layer, PLAIN):
        return 1, 1, 0, 1
    if not isinstance(layer, (nn.Conv2D, nn.MaxPool2D, nn.AvgPool2D)):
        raise ValueError(f"{layer!r}: expected convolutions and poolings in a row; first `convolutionize` a classifier")
    settings = [layer._kwargs.get(name, (1, 1)) for name in ("kernel", "stride", "pad", "dilate")]
    if any(height != width for height, width in settings):
        raise ValueError(f"{layer!r}: expected square kernels, and strides and paddings alike in both directions")
    return tuple(pair[0] for pair in settings)


def atrous(layers):
    """The same row of layers at stride 1, as a `HybridSequential`; weights are shared, nothing is learned anew.

    Each stride s becomes 1, and every later layer is dilated by s (à trous): its output at pixel (y, x) is what the
    row gives for the image cut at (y, x), so every stride-th cell is the row's own. Without padding it has
    H − receptive field + 1 rows. With padding only cells that see none of it agree. Convolutions, max-poolings without
    padding and layers that look at one cell at a time; others are a ValueError.
    """
    rate, net = 1, nn.HybridSequential(prefix="")
    for layer in layers:
        kernel, step, padding, dilation = _window(layer)
        if isinstance(layer, nn.Conv2D):
            layer = nn.Conv2D(
                layer._channels,
                kernel,
                padding=padding * rate,
                dilation=dilation * rate,
                groups=layer._kwargs["num_group"],
                in_channels=layer.weight.shape[1] * layer._kwargs["num_group"],
                activation=layer.act and layer.act._act_type,
                use_bias=layer.bias is not None,
                prefix=layer.prefix,
                params=layer.params,
            )
        elif isinstance(layer, nn.MaxPool2D) and padding == 0:
            layer = DilatedMaxPool(kernel, rate)
        elif not isinstance(layer, PLAIN):
            raise ValueError(f"{layer!r}: expected convolutions and max-poolings without padding")
        net.add(layer)
        rate *= step
    return net


class DilatedMaxPool(gluon.HybridBlock):
    """(N, C, H, W) → maxima over kernel × kernel cells that lie `dilation` apart, stride 1, no padding.

    MXNet's pooling has no dilation: this takes the maximum of shifted copies, along rows, then along columns.
    """

    def __init__(self, kernel, dilation, **kwargs):
        super().__init__(**kwargs)
        self._kernel, self._dilation = kernel, dilation

    def hybrid_forward(self, F, x):
        reach = (self._kernel - 1) * self._dilation
        for axis in 2, 3:
            shifts = range(0, reach + 1, self._dilation)
            copies = [F.slice_axis(x, axis=axis, begin=i, end=(i - reach) or None) for i in shifts]
            x = copies[0]
            for copy in copies[1:]:
                x = F.maximum(x, copy)
        return x
