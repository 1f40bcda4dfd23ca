"""Drawn cells that touch, as under a microscope, and how many come out alone (chapter 12)."""

import numpy as np
from scipy import ndimage

SLIVER = 120
"""Pixels of the smallest cell that is drawn."""


def draw_cells(seed, size=64, count=9):
    """A picture (size, size, 3) uint8 of grey discs that touch, and (size, size) int: each cell's number.

    Background and gaps are 0. Where two cells meet, the pixels beside the other cell are a gap, darker in the picture.
    count: how many discs are tried; of one that would leave a sliver nothing is drawn. The same seed, the same picture.
    """
    rng = np.random.RandomState(seed)
    rows, columns = np.mgrid[:size, :size]
    cells = np.zeros((size, size), int)
    for number in range(1, count + 1):
        row, column, radius = *rng.uniform(4, size - 4, 2), rng.uniform(7, 12)
        free = ((rows - row) ** 2 + (columns - column) ** 2 < radius**2) & (cells == 0)
        if free.sum() > SLIVER:
            cells[free] = number
    beside = ndimage.minimum_filter(np.where(cells > 0, cells, count + 1), 3) < ndimage.maximum_filter(cells, 3)
    gap = (cells > 0) & beside
    light = 100 + 50 * (cells > 0) - 25 * gap + rng.normal(0, 12, (size, size))
    cells[gap] = 0
    image = ndimage.gaussian_filter(light, 0.8).clip(0, 255)
    return np.repeat(image[..., None], 3, axis=2).astype(np.uint8), cells


def count_alone(label, cells):
    """How many cells of the truth lie in a connected region of their own in a label (H, W), 0 = background.

    cells: (H, W), each cell's number. A cell's region is the one that covers most of it; there is none if most of it
    is named background.
    """
    regions, _ = ndimage.label(label)
    homes = [np.bincount(regions[cells == number]).argmax() for number in np.unique(cells[cells > 0])]
    return sum(home > 0 and homes.count(home) == 1 for home in homes)
