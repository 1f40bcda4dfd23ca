"""Upsampling: maps enlarged bilinearly (chapter 05)."""

import contextlib
import math

import numpy as np
from mxnet import gluon, init, nd

_plain_layers = None  # a list while `plain_enlargements` is in force


def bilinear_kernel(in_channels, out_channels, kernel_size):
    """(in, out, k, k) float32 `NDArray` that makes a transposed convolution enlarge bilinearly.

    The tent 1 − |i − centre| / s in both directions, s = (k + 1) // 2, for kernels k = 2s (even strides s)
    and k = 2s − 1 (odd ones). Each channel goes to itself alone: in = out for a dense layer, out = 1
    for a layer with as many groups as channels; anything else is a ValueError.
    """
    if out_channels not in (1, in_channels):
        raise ValueError(
            f"{in_channels} channels to {out_channels}: expected as many out as in, or 1 out for a layer "
            "with groups=in_channels"
        )
    factor = (kernel_size + 1) // 2
    centre = factor - 1 if kernel_size % 2 else factor - 0.5
    tent = 1 - np.abs(np.arange(kernel_size) - centre) / factor
    kernel = np.zeros((in_channels, out_channels, kernel_size, kernel_size), np.float32)
    channel = np.arange(in_channels)
    kernel[channel, channel if out_channels > 1 else 0] = np.outer(tent, tent)
    return nd.array(kernel)


class BilinearUpsampling(gluon.HybridBlock):
    """(N, C, h, w) → (N, C, s·h or more, s·w or more): a fixed bilinear enlargement by `stride` s.

    align=True puts cell i at pixel s·i, where a backbone of stride-2 convolutions padded by 1 has its centre,
    and repeats the last cell beyond the border; align=False is the classic transposed convolution with kernel
    2s and padding s/2 (2s − 1 and (s − 1)/2 for odd s), which puts it at s·i + (s − 1)/2 and fades at the border, to
    (s + 1)/(2s) at the outermost pixel (chapters 05 and 09); align=None is kernel 2s without padding, at
    s·i + s − 1/2, for a net that cuts by itself (`VGG16FCN`). Given a second array, the result is cut to its height and
    width. Nothing in it is learned.
    offset: with align=True, where cell 0 lies, from 0 to below s: cell i is at pixel s·i + offset, and the first one is
    repeated before it.
    """

    def __init__(self, channels, stride, align=True, offset=0, **kwargs):
        super().__init__(**kwargs)
        _check_offset(stride, align, offset)
        self._align, self._stride, self._offset = align, stride, offset
        if align:
            kernel_size, padding = 2 * stride - (offset % 1 == 0), stride - 1
        elif align is None:
            kernel_size, padding = 2 * stride, 0
        else:
            kernel_size, padding = _classic(stride)
        with self.name_scope():
            self.conv = gluon.nn.Conv2DTranspose(
                channels,
                kernel_size,
                strides=stride,
                padding=padding,
                groups=channels,
                use_bias=False,
                in_channels=channels,
                weight_initializer=_Constant(self._kernel(channels, kernel_size)),
            )
        self.conv.weight.grad_req = "null"

    def _kernel(self, channels, kernel_size):
        if not self._offset % 1:
            return bilinear_kernel(channels, 1, kernel_size)
        distance = np.abs(np.arange(kernel_size) - (self._stride - 1 + self._offset % 1))  # of pixels between two whole
        tent = np.maximum(0, 1 - distance / self._stride)
        return nd.array(np.tile(np.outer(tent, tent), (channels, 1, 1, 1)).astype(np.float32))

    def hybrid_forward(self, F, x, like=None):
        if self._align:
            before = 1 if self._offset else 0
            x = F.Pad(x, mode="edge", pad_width=(0, 0, 0, 0, before, 1, before, 1))
        x = self.conv(x)
        if self._offset:  # the cell that was put before is at pixel 0
            begin = self._stride - int(self._offset)
            x = F.slice(x, begin=(None, None, begin, begin), end=(None,) * 4)
        return x if like is None else F.slice_like(x, like, axes=(2, 3))


class MatrixUpsampling(gluon.HybridBlock):
    """`BilinearUpsampling`, several times faster on a CPU: the same numbers to rounding, by two matrix products.

    First each row of cells is enlarged, then each column: `rows @ x @ columns.T` (chapter 05). Without a second array
    (N, C, h, w) becomes (N, C, s·h, s·w); with one, only its height and width are computed. align: True or False.
    offset: as there.
    """

    def __init__(self, channels, stride, align=True, offset=0, **kwargs):
        super().__init__(**kwargs)
        _check_offset(stride, align, offset)
        self._channels, self._stride, self.align, self.offset = channels, stride, align, offset

    def hybrid_forward(self, F, x, like=None):
        if _plain_layers is not None:
            return self._plain(F, x, like)
        rows, columns = (self._matrix(F, x, like, axis) for axis in (2, 3))
        x = F.dot(x, columns, transpose_b=True).reshape((-3, -2))  # (N·C, h, W)
        x = F.batch_dot(F.broadcast_like(rows.expand_dims(0), x, lhs_axes=(0,), rhs_axes=(0,)), x)
        return x.reshape((-4, -1, self._channels, -2))

    def _plain(self, F, x, like):
        layer = BilinearUpsampling(self._channels, self._stride, self.align, self.offset)
        layer.initialize()
        _plain_layers.append(layer)
        if like is not None:
            return layer(x, like)
        x = layer(x)
        if not self.align:
            return x
        beyond = math.ceil(self.offset) + 1  # rows beyond s·h
        return F.slice(x, begin=(None,) * 4, end=(None, None, -beyond, -beyond))

    def _matrix(self, F, x, like, axis):
        """(pixels, cells): what each cell gives to each pixel along one axis, a row of tents."""
        cells = F.contrib.arange_like(x, axis=axis)
        if like is None:
            like, axis = F.repeat(cells, self._stride), 0
        pixels = F.contrib.arange_like(like, axis=axis)
        if self.align:
            place = F.relu(pixels - self.offset) if self.offset else pixels
            place = F.broadcast_minimum(place / self._stride, F.max(cells))  # of each pixel, in cells
        else:
            place = (pixels - (self._stride - 1) / 2) / self._stride
        distance = F.abs(F.broadcast_sub(place.reshape((-1, 1)), cells.reshape((1, -1))))
        return F.BlockGrad(F.relu(1 - distance))


@contextlib.contextmanager
def plain_enlargements():
    """Within it each `MatrixUpsampling` that is called enlarges by a transposed convolution: `BilinearUpsampling`.

    For formats that lack some of its steps (ONNX): trace the net anew, with a symbol, inside. Gives the
    list that the layers made on the way are put into, as their weights belong to the graph.
    """
    global _plain_layers
    before, _plain_layers = _plain_layers, []
    try:
        yield _plain_layers
    finally:
        _plain_layers = before


def reach(factors, align=True, start=0, offsets=None):
    """(low, high): after enlargements by these factors cell i has a part in the cells or pixels s · i + low to high.

    s: the product of the factors. align, offsets: as in `BilinearUpsampling`, one offset a factor. start: where cell i
    lies before them, less i.
    """
    low = high = start
    for factor, offset in zip(factors, offsets or [0] * len(factors), strict=True):
        if align:
            low = math.floor(factor * low + offset - factor) + 1
            high = math.ceil(factor * high + offset + factor) - 1
        else:
            kernel, padding = _classic(factor) if align is not None else (2 * factor, 0)
            low, high = factor * low - padding, factor * high - padding + kernel - 1
    return low, high


def _check_offset(stride, align, offset):
    if not 0 <= offset < stride or offset and align is not True:
        raise ValueError(
            f"offset={offset!r}: expected 0 to below the stride {stride}, and align=True where it is not 0"
        )


def _classic(stride):
    """(kernel size, padding) of the classic transposed convolution."""
    kernel_size = 2 * stride - stride % 2
    return kernel_size, (kernel_size - stride) // 2


class _Constant(init.Initializer):
    """Fills a parameter with given values (`mx.init.Constant` takes a number only once serialised)."""

    def __init__(self, values):
        super().__init__()
        self._values = values

    def _init_weight(self, _, array):
        array[:] = self._values
