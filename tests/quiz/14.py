"""Answers to chapter 14's questions that are numbers."""

from utils.losses import ClassBalancedLoss
from utils.postprocess.edges import EdgeMetric

import numpy as np
from mxnet import autograd, nd


def question_1():
    """By the loss's gradient: where p is 0.5, an edge pixel's is its weight · 0.5 over the known pixels."""
    label = nd.array(np.repeat([1, 0, 255], [10, 40, 50])).reshape((1, 1, 100))
    scores = nd.zeros((1, 2, 1, 100))
    scores.attach_grad()
    with autograd.record():
        loss = ClassBalancedLoss()(scores, label)
    loss.backward()
    return round(float(abs(scores.grad[0, 1, 0, 0].asscalar()) * 50 / 0.5), 4)


def mistakes_1():
    return [10 / 50, 40 / 100, (40 + 50) / 100]


def question_2():
    """By the chapter's metric, on three lines drawn beside each other."""
    truth, drawn = np.zeros((2, 10, 20), np.float32)
    truth[:, 10] = 1
    drawn[:, [8, 10, 12]] = 1
    metric = EdgeMetric([0.5], tolerance=2)
    metric.update(truth, drawn)
    return round(metric.scores()["ods"], 2)


def mistakes_2():
    precision, recall = 10 / 30, 10 / 10
    return [round(precision, 2), round((precision + recall) / 2, 2), 1.0]


COUNTS = np.array([[8, 10, 10], [4, 10, 30]])  # of A and B: matched, found, true


def f(matched, found, true):
    precision, recall = matched / found, matched / true
    return round(2 * precision * recall / (precision + recall), 6)


def question_3():
    """F of the counts added up."""
    return f(*COUNTS.sum(axis=0))


def mistakes_3():
    matched, found, _ = COUNTS.sum(axis=0)
    return [sum(f(*row) for row in COUNTS) / 2, matched / found]
