"""The numbers of chapter 04's questions."""

import utils  # noqa: F401

import numpy as np
from mxnet import nd
from mxnet.gluon import nn


def _layer(kind, channels, kernel, **settings):
    layer = kind(channels, kernel, use_bias=False, **settings)
    layer.initialize("ones")
    return layer


def _stamped(stride):
    """One row, 1 2, by Gluon's layer with a kernel of three ones."""
    layer = _layer(nn.Conv2DTranspose, 1, (1, 3), strides=(1, stride))
    return tuple(layer(nd.array([[[[1, 2]]]])).asnumpy().ravel())


def question_1():
    """By Gluon's layer."""
    return _stamped(2)


def mistakes_1():
    """The second stamp over the first; strides 1 and 3."""
    row = np.zeros(5)
    for i, x in enumerate((1, 2)):
        row[2 * i : 2 * i + 3] = x
    return [tuple(row), _stamped(1), _stamped(3)]


def question_2():
    """By Gluon's layer."""
    return _layer(nn.Conv2DTranspose, 1, 4, strides=2, padding=1)(nd.zeros((1, 1, 10, 10))).shape[2:]


def mistakes_2():
    """Padding added; left out; the size of a convolution."""
    covered = _layer(nn.Conv2DTranspose, 1, 4, strides=2)(nd.zeros((1, 1, 10, 10))).shape[2]
    halved = _layer(nn.Conv2D, 1, 4, strides=2, padding=1)(nd.zeros((1, 1, 10, 10))).shape[2:]
    return [(covered + 2,) * 2, (covered,) * 2, halved]


def question_3():
    """Of a layer that has seen 16 channels."""
    layer = _layer(nn.Conv2DTranspose, 21, 4)
    layer(nd.zeros((1, 16, 2, 2)))
    return layer.weight.shape


def mistakes_3():
    """An ordinary convolution's; the sides first."""
    layer = _layer(nn.Conv2D, 21, 4)
    layer(nd.zeros((1, 16, 4, 4)))
    return [layer.weight.shape, (4, 4, 16, 21)]


def question_4():
    """In the middle of what a layer of ones makes of ones."""
    counts = _layer(nn.Conv2DTranspose, 1, 6, strides=3)(nd.ones((1, 1, 8, 8))).asnumpy()[0, 0]
    inside = counts[6:-6, 6:-6]
    assert (inside == inside[0, 0]).all()
    return inside[0, 0]


def mistakes_4():
    """Along the rows alone; all phases; all weights."""
    return [6 / 3, 3 * 3, 6 * 6]
