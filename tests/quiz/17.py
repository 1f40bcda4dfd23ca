"""Answers to chapter 17's questions that are numbers."""

import numpy as np


def question_1():
    """The mean of eight numbers that have these two means."""
    gradients = np.array([2.0] * 5 + [10.0] * 3)  # any with these means
    return round(float(gradients.mean()), 6)


def mistakes_1():
    return [(2 + 10) / 2, 2 + 10]


def question_2():
    """A ring of four, played: each rank starts with parts {its own number: parts of one rank}."""
    n, sent = 4, 0
    held = [{part: {rank} for part in range(n)} for rank in range(n)]
    while any(len(ranks) < n for parts in held for ranks in parts.values()):
        turn = sent % (n - 1) if sent < n - 1 else sent - (n - 1) - 1
        moving = [((rank - turn) % n, held[rank][(rank - turn) % n]) for rank in range(n)]
        for rank, (part, ranks) in enumerate(moving):
            held[(rank + 1) % n][part] = held[(rank + 1) % n][part] | ranks
        sent += 1
    return sent * 12 // n


def mistakes_2():
    rounds, part = 3 + 3, 12 / 4
    return [rounds * 12, 2 * 12, 3 * part]


def question_3():
    """Pictures a second, over those of four machines that lose nothing."""
    alone, together = 8 / 0.06, 4 * 8 / 0.15  # pictures a second
    return round(together / (4 * alone), 6)


def mistakes_3():
    return [round(4 * 0.06 / 0.15, 6), round(0.06 / 0.15 / 4, 6)]


def mistakes_4():
    """No numbers, but an answer has an example: confusion matrices of two ranks, and both added up."""
    first, second = np.array([[63, 3], [4, 3]]), np.array([[14, 4], [2, 54]])
    iou = [np.diag(c) / (c.sum(axis=0) + c.sum(axis=1) - np.diag(c)) for c in (first, second, first + second)]
    assert np.allclose(iou[:2], [[0.9, 0.3], [0.7, 0.9]]) and np.allclose(np.mean(iou[:2], axis=1), [0.6, 0.8])
    assert round(iou[2].mean(), 2) == 0.83
    return [None, None]
