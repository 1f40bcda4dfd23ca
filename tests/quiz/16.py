"""Answers to chapter 16's questions that are numbers."""

import numpy as np
from mxnet import nd


def question_1():
    """Enlarge a row whose last cell alone is bright, and look where it is brightest."""
    row = nd.array([0, 0, 0, 0, 1]).reshape((1, 1, 1, 5))
    drawn = nd.contrib.BilinearResize2D(row, height=1, width=40)[0, 0, 0].asnumpy()
    return int(drawn.argmax()) - 8 * 4


def mistakes_1():
    return [(41 - 1) - 8 * 5, (8 - 1) / 2, 40 - 8 * 4]  # the first: a side of 41 has a cell more


def question_2():
    """By GluonCV's own metric, on one row of pixels."""
    from gluoncv.utils.metrics import SegmentationMetric

    label = np.repeat([3, 3, 255], [72, 8, 20])
    said = np.repeat([3, 5, 0], [72, 8, 20])
    metric = SegmentationMetric(21)
    metric.update(nd.array(label).reshape((1, 1, 100)), nd.one_hot(nd.array(said), 21).T.reshape((1, 21, 1, 100)))
    return round(float(metric.get()[0]), 4)


def mistakes_2():
    return [72 / 80, (72 + 20) / 100]
