"""Answers to chapter 12's questions that are numbers."""

from utils.models.unpooling import MaxPoolWithIndices

import numpy as np
from mxnet import nd
from mxnet.gluon import nn


def question_1():
    """By the course's own pooling, on the corner of the map."""
    _, index = MaxPoolWithIndices()(nd.array([[2, 6, 0, 0], [9, 4, 0, 0]]).reshape((1, 1, 2, 4)))
    return int(index[0, 0, 0, 0].asscalar())


def mistakes_1():
    block = np.array([[2, 6], [9, 4]])
    in_map = np.hstack([block, np.zeros((2, 2))])
    return [int(block.T.argmax()), int(block.argmax()) + 1, int(in_map.argmax())]


def question_2():
    """Packed for good: two bits of each block into bytes."""
    index = np.zeros((64, 50, 60), np.uint8)
    return np.packbits(np.stack([index >> 1, index & 1], axis=-1)).nbytes


def mistakes_2():
    return [64 * 50 * 60, np.zeros((64, 50, 60), np.float32).nbytes, np.zeros((64, 100, 120), np.float32).nbytes]


def size_after(kernel_loss, last=True):
    size = 44 - 2 * kernel_loss
    size = 2 * (size // 2 - 2 * kernel_loss)
    return size - 2 * kernel_loss * last


def question_3():
    """Gluon's layers, with one channel each."""
    net = nn.HybridSequential()
    net.add(nn.Conv2D(1, 3), nn.Conv2D(1, 3), nn.MaxPool2D(), nn.Conv2D(1, 3), nn.Conv2D(1, 3))
    net.add(nn.Conv2DTranspose(1, 2, 2), nn.Conv2D(1, 3), nn.Conv2D(1, 3))
    net.initialize()
    return net(nd.zeros((1, 1, 44, 44))).shape[2]


def mistakes_3():
    return [size_after(0), size_after(1), size_after(2, last=False)]
