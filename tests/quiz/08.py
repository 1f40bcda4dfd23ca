"""The numbers of chapter 08's questions."""

import utils

import numpy as np
from mxnet import nd
from scipy.special import logsumexp


def question_1():
    """By the course's loss, of scores that are all zero."""
    return utils.SoftmaxCrossEntropyLoss()(nd.zeros((1, 12, 2, 3)), nd.ones((1, 2, 3))).asscalar()


def mistakes_1():
    """The probability; base 2; a sum."""
    return [1 / 12, np.log2(12), 12]


def question_2():
    """By SciPy, of two equal scores; and by the course's loss, with the void pixel."""
    scores = np.array([1.0, 1.0])
    by_hand = logsumexp(scores) - scores[1]
    pixels = nd.array([[[[1, 7]], [[1, 3]]]])  # (1, 2, 1, 2)
    assert np.isclose(utils.SoftmaxCrossEntropyLoss()(pixels, nd.array([[[1, utils.VOID]]])).asscalar(), by_hand)
    return by_hand


def mistakes_2():
    """Over both pixels; 1 minus the probability."""
    return [-np.log(0.5) / 2, 1 - 0.5]


def _cells():
    backbone = utils.resnet_features("resnet18_v2")
    backbone.initialize()
    return backbone(nd.zeros((1, 3, 250, 300))).shape[2:]


def question_3():
    """By chapter 05's layer on the backbone's map."""
    layer = utils.BilinearUpsampling(1, 32, align=False)
    layer.initialize()
    return layer(nd.zeros((1, 1, *_cells()))).shape[2:]


def mistakes_3():
    """Cut; rounded down; not enlarged."""
    return [(250, 300), (250 // 32 * 32, 300 // 32 * 32), _cells()]
