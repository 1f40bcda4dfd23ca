"""Answers to chapter 09's questions that are numbers."""

from utils import bilinear_kernel

import numpy as np
from mxnet import nd
from mxnet.gluon import nn


def cells(side, stride, up=True):
    """Of a map after halving the side again and again."""
    while stride > 1:
        side, stride = (side + 1) // 2 if up else side // 2, stride // 2
    return side


def question_1():
    """By layers, the last one unpadded and doubling: its cells, less those of the map that it is added to."""
    halve, double = nn.Conv2D(1, 3, strides=2, padding=1), nn.Conv2DTranspose(1, 2, strides=2)
    for layer in halve, double:
        layer.initialize()
    stride8 = halve(halve(halve(nd.zeros((1, 1, 100, 100)))))
    return double(halve(stride8)).shape[2] - stride8.shape[2]


def mistakes_1():
    return [2 * cells(100, 16, up=False) - cells(100, 8, up=False), 8 * cells(100, 8) - 100]


def question_3():
    """One cell alone, enlarged by a layer: how far the middle of its pixels lies from stride · its index."""
    stride = 16
    layer = nn.Conv2DTranspose(1, 2 * stride, stride, stride // 2, in_channels=1, use_bias=False)
    layer.initialize()
    layer.weight.set_data(bilinear_kernel(1, 1, 2 * stride))
    one = nd.zeros((1, 1, 9, 9))
    one[0, 0, 4, 4] = 1
    drawn = layer(one)[0, 0].asnumpy().sum(axis=0)
    return round(float((np.arange(len(drawn)) * drawn).sum() / drawn.sum()) - stride * 4, 4)


def mistakes_3():
    return [16 / 2, (32 - 1) / 2]
