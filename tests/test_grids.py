"""Chapter 04's grids of numbers, and its animation of stamps: against Gluon's layer and by what is in the file."""

from utils.viz.grids import draw_grid, frame_cells, show_stamps, stamp_steps

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from mxnet import nd
from PIL import Image, ImageSequence

X = np.array([[1, 2], [3, 4], [5, 6]])
KERNEL = np.array([[1, 2, 1], [0, 1, 0], [1, 0, 2]])


@pytest.fixture
def ax():
    yield plt.figure().add_subplot()
    plt.close("all")


def test_a_grid_says_its_numbers_and_not_the_masked_ones(ax):
    draw_grid(ax, np.ma.masked_equal([[1, 0.5], [7, 0]], 7), "a grid")
    assert {text.get_position(): text.get_text() for text in ax.texts} == {(0, 0): "1", (1, 0): "0.5", (1, 1): "0"}
    assert ax.get_title() == "a grid"


def test_a_frame_lies_around_its_cells(ax):
    frame_cells(ax, 2, 4, 3, linestyle=":")
    assert ax.patches[0].get_bbox().extents.tolist() == [3.5, 1.5, 6.5, 4.5]


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_stamps_end_as_gluons_layer(stride):
    def deconvolve(x):
        settings = {"kernel": (3, 3), "stride": (stride, stride), "num_filter": 1, "no_bias": True}
        return nd.Deconvolution(nd.array(x[None, None]), nd.array(KERNEL[None, None]), **settings)[0, 0].asnumpy()

    steps = stamp_steps(X, KERNEL, stride)
    assert len(steps) == 2 * X.size + 3
    assert steps[0][0] is None and not steps[0][2].any()
    for n, place in enumerate(np.ndindex(X.shape)):
        (before_at, one, before, _), (after_at, _, after, _) = steps[2 * n + 1 : 2 * n + 3]
        assert before_at == after_at == place and (one == X[place] * KERNEL).all()
        single = np.zeros(X.shape)
        single[place] = X[place]
        assert np.allclose(after - before, deconvolve(single))
    for _, _, output, _ in steps[-2:]:
        assert np.allclose(output, deconvolve(X))


def test_the_animation_has_a_picture_for_each_step_and_is_small(capsys):
    gif = show_stamps(X[:2], KERNEL, 2)
    frames = [np.asarray(frame.convert("RGB"), int) for frame in ImageSequence.Iterator(Image.open(io.BytesIO(gif)))]
    assert len(frames) == 11 and len(gif) < 100_000
    assert all(np.abs(a - b).max() > 50 for a, b in zip(frames, frames[1:], strict=False))
    assert not plt.get_fignums(), "the figure is closed: a notebook would show it again"
    assert "Animation: each input number" in capsys.readouterr().out
