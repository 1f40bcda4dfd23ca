"""The numbers of chapter 07's questions."""

import utils  # noqa: F401

import numpy as np
from mxnet import autograd, nd
from mxnet.gluon import nn


def question_1():
    """The one shape of a convolution that gives the fully connected layer's numbers."""
    cells, weight = nd.random.normal(shape=(1, 256, 5, 5)), nd.random.normal(shape=(100, 6400)) / 80
    scores = nd.FullyConnected(cells, weight, num_hidden=100, no_bias=True).asnumpy()
    kernel = weight.reshape((100, 256, 5, 5))
    grid = nd.Convolution(cells, kernel, kernel=(5, 5), num_filter=100, no_bias=True).asnumpy()
    assert np.allclose(grid[:, :, 0, 0], scores, atol=1e-4)
    return kernel.shape


def mistakes_1():
    """1 × 1; channels last; inputs first."""
    return [(100, 256 * 5 * 5, 1, 1), (100, 5, 5, 256), (256, 100, 5, 5)]


def question_2():
    """By a net with the chapter's layers, one channel each."""
    net = nn.HybridSequential()
    for kernel in 5, 3, 3:
        net.add(nn.Conv2D(1, kernel), nn.MaxPool2D(2, 2))
    net.add(nn.Conv2D(1, 6))
    net.initialize()
    assert net(nd.zeros((1, 1, 64, 64))).shape[2:] == (1, 1)
    return net(nd.zeros((1, 1, 96, 128))).shape[2:]


def mistakes_2():
    """The picture by the stride; without + 1; by one pixel."""
    return [(96 // 8, 128 // 8), ((96 - 64) // 8, (128 - 64) // 8), (96 - 64 + 1, 128 - 64 + 1)]


def question_3():
    """Pixels of a row that have a gradient."""
    net = nn.HybridSequential()
    net.add(nn.Conv2D(1, 5), nn.AvgPool2D(2, 2), nn.Conv2D(1, 5))
    net.initialize("ones")
    x = nd.ones((1, 1, 40, 40))
    x.attach_grad()
    with autograd.record():
        score = net(x)[0, 0, 5, 5]
    score.backward()
    return int((x.grad.asnumpy()[0, 0].sum(axis=0) != 0).sum())


def mistakes_3():
    """The stride forgotten; all multiplied."""
    return [5 + 1 + 4, 5 * 2 * 2]
