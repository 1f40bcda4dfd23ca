"""utils/data/cells.py: drawn cells touch and are told apart, and those that come out alone are counted."""

from utils.data.cells import SLIVER, count_alone, draw_cells

import numpy as np
import pytest


@pytest.mark.parametrize("seed", range(5))
def test_cells_are_alone_in_the_truth_and_not_once_their_gaps_are_filled(seed):
    image, cells = draw_cells(seed)
    assert image.shape == (64, 64, 3) and image.dtype == np.uint8 and cells.shape == (64, 64)
    numbers = np.unique(cells[cells > 0])
    assert 3 <= len(numbers) <= 9 and count_alone(cells > 0, cells) == len(numbers)
    beside = [(cells[1:], cells[:-1]), (cells[:, 1:], cells[:, :-1])]
    assert all(((a == b) | (a == 0) | (b == 0)).all() for a, b in beside)  # no two without a gap
    assert count_alone(np.ones_like(cells), cells) == 0
    assert image[cells > 0].mean() > image[cells == 0].mean() + 20


def test_the_same_seed_gives_the_same_picture():
    assert all((a == b).all() for a, b in zip(draw_cells(3), draw_cells(3), strict=True))
    assert (draw_cells(3)[0] != draw_cells(4)[0]).any()
    assert draw_cells(0, size=20, count=1)[1].max() <= 1 < SLIVER


def test_alone_is_by_hand():
    cells = np.array([[1, 1, 0, 2, 2, 0, 3, 3]])
    for label, expected in (
        ([[1, 1, 0, 1, 1, 0, 1, 1]], 3),
        ([[1, 1, 1, 1, 1, 0, 1, 1]], 1),  # the first two have grown together
        ([[0, 0, 0, 1, 1, 0, 1, 1]], 2),  # the first is missed
        ([[0, 0, 0, 0, 0, 0, 0, 0]], 0),
    ):
        assert count_alone(np.array(label), cells) == expected, label
