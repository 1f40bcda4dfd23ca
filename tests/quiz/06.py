"""The numbers of chapter 06's questions."""

import utils

import numpy as np
from sklearn.metrics import jaccard_score, precision_score, recall_score

MATRIX = np.array([[6, 1], [2, 3]])


def _pixels():
    """(truth, prediction) of the first question's matrix, pixel by pixel."""
    pairs = [(i, j) for (i, j), count in np.ndenumerate(MATRIX) for _ in range(count)]
    return np.array(pairs).T


def question_1():
    """By scikit-learn."""
    return jaccard_score(*_pixels(), pos_label=1)


def mistakes_1():
    """Recall; precision; a union that counts what is in both twice."""
    return [recall_score(*_pixels()), precision_score(*_pixels()), 3 / (MATRIX[1].sum() + MATRIX[:, 1].sum())]


def question_2():
    """By `utils`, of pixels with such IoUs."""
    metric = utils.SegmentationMetric(4)
    # class 0: 9 of 10; class 1: 3 of 5, one of what it misses said to be class 2
    truth = np.array([[0] * 9 + [1] * 3 + [1, 1]])
    guess = np.array([[0] * 9 + [1] * 3 + [0, 2]])
    metric.update(truth, guess)
    assert np.allclose(metric.iou, [0.9, 0.6, 0, np.nan], equal_nan=True)
    return metric.scores()["mean_iou"]


def mistakes_2():
    """Over the two that are found; over all four."""
    return [(0.9 + 0.6) / 2, (0.9 + 0.6) / 4]


def _nothing():
    metric = utils.SegmentationMetric(4)
    metric.update(np.array([[0] * 16 + [1, 2, 3, 3]]), np.zeros((1, 20), int))
    return metric.scores()


def question_3():
    """By `utils`, of 20 pixels."""
    return _nothing()["mean_iou"]


def mistakes_3():
    """Three other metrics of the same."""
    return [_nothing()[name] for name in ("pixel_acc", "mean_acc", "fw_iou")]


def question_4():
    """By scikit-learn, both pictures in one."""
    truth = [1] * 95 + [0] * 5 + [1] * 10
    guess = [1] * 90 + [0] * 5 + [1] * 5 + [0] * 10
    assert jaccard_score(truth[:100], guess[:100]) == 0.9 and jaccard_score(truth[100:], guess[100:]) == 0
    return jaccard_score(truth, guess)


def mistakes_4():
    """The mean of both; the first alone."""
    return [np.mean([90 / 100, 0 / 10]), 90 / 100]
