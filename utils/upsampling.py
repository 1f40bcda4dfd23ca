"""Enlarging maps bilinearly (chapter 05)."""

import numpy as np
from mxnet import gluon, init, nd


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
    2s and padding s/2 (2s − 1 and (s − 1)/2 for odd s), which puts it at s·i + (s − 1)/2 and fades to 0 at the border
    (chapters 05 and 09); align=None is kernel 2s without padding, at s·i + s − 1/2, for a net that cuts by itself
    (`VGG16FCN`). Cut the result to size with `slice_like`. Nothing in it is learned.
    """

    def __init__(self, channels, stride, align=True, **kwargs):
        super().__init__(**kwargs)
        self._align = align
        if align:
            kernel_size, padding = 2 * stride - 1, stride - 1
        elif align is None:
            kernel_size, padding = 2 * stride, 0
        else:
            kernel_size = 2 * stride - stride % 2
            padding = (kernel_size - stride) // 2
        with self.name_scope():
            self.conv = gluon.nn.Conv2DTranspose(
                channels,
                kernel_size,
                strides=stride,
                padding=padding,
                groups=channels,
                use_bias=False,
                in_channels=channels,
                weight_initializer=_Constant(bilinear_kernel(channels, 1, kernel_size)),
            )
        self.conv.weight.grad_req = "null"

    def hybrid_forward(self, F, x):
        if self._align:
            x = F.Pad(x, mode="edge", pad_width=(0, 0, 0, 0, 0, 1, 0, 1))
        return self.conv(x)


class _Constant(init.Initializer):
    """Fills a parameter with given values (`mx.init.Constant` takes a number only once serialised)."""

    def __init__(self, values):
        super().__init__()
        self._values = values

    def _init_weight(self, _, array):
        array[:] = self._values
