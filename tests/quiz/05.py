"""The numbers of chapter 05's questions."""

import utils

import cv2
import numpy as np
from mxnet import nd


def _enlarged(row, kernel, padding, stride):
    """A row by MXNet's transposed convolution with the tent along it."""
    tent = utils.bilinear_kernel(1, 1, kernel)[:, :, kernel // 2 : kernel // 2 + 1]
    tent = tent / tent.max() if kernel % 2 else tent / tent.sum() * stride
    x, settings = nd.array(row).reshape((1, 1, 1, -1)), dict(stride=(1, stride), pad=(0, padding))
    out = nd.Deconvolution(x, tent, kernel=(1, kernel), num_filter=1, no_bias=True, **settings)
    return out.asnumpy().ravel()


def _resized(row, stride):
    """The same by OpenCV."""
    return cv2.resize(np.float32([row]), (stride * len(row), 1), interpolation=cv2.INTER_LINEAR)[0]


def _equal_inside(kernel, padding, stride):
    row = np.random.RandomState(0).rand(6)
    out, expected = _enlarged(row, kernel, padding, stride), _resized(row, stride)
    return len(out) == len(expected) and np.allclose(out[stride:-stride], expected[stride:-stride], atol=1e-5)


def question_1():
    """The one pair that gives OpenCV's numbers, of all up to 12."""
    (found,) = [(k, p) for k in range(5, 13) for p in range(k // 2 + 1) if _equal_inside(k, p, 5)]
    return found


def question_2():
    """By OpenCV."""
    return tuple(_resized([10, 30], 2)[1:3])


def mistakes_2():
    """The mean; nearest neighbour; thirds."""
    nearest = cv2.resize(np.float32([[10, 30]]), (4, 1), interpolation=cv2.INTER_NEAREST)[0, 1:3]
    return [(20, 20), tuple(nearest), (10 + 20 / 3, 10 + 40 / 3)]


def _eights():
    layer = utils.BilinearUpsampling(1, 2, align=False)
    layer.initialize()
    return layer(8 * nd.ones((1, 1, 5, 5)))[0, 0].asnumpy()


def question_3():
    """By the layer."""
    return _eights()[0, 5]


def mistakes_3():
    """OpenCV's; the corner; as for a large stride."""
    return [_resized([8, 8, 8], 2)[0], _eights()[0, 0], 8 / 2]
