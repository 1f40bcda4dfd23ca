import utils
from utils.viz.plotting import draw_seeds

import matplotlib.pyplot as plt
import numpy as np
import pytest
from mxnet import nd


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_grid_of_images_and_labels():
    image = nd.zeros((4, 6, 3), dtype=np.uint8)
    label = nd.array([[0, 1], [255, 1]])
    axes = utils.show_images([image, label, label], 2, 2, titles=["a", "b"])
    assert axes.shape == (2, 2) and axes[0, 1].get_title() == "b"
    shown = axes[0, 1].images[0].get_array()
    np.testing.assert_array_equal(shown[0, 1], utils.VOC_COLORMAP[1])
    legend = axes[0, 0].figure.legends[0]
    assert [t.get_text() for t in legend.get_texts()] == ["background", "aeroplane", "void"]
    assert not axes[1, 1].images


def test_classes_that_touch_are_parted_by_a_line():
    label = np.array([[0, 0, 4], [0, 4, 4], [utils.VOID, 4, 4]])
    (ax, other), *_ = utils.show_images([label, np.full((2, 2), 4)], 1, 2)
    lines = {tuple(map(tuple, edge)) for edge in ax.collections[0].get_segments()}
    assert lines == {  # x, y of both ends; none at void, which is drawn itself
        ((0.5, 0.5), (1.5, 0.5)),
        ((0.5, 0.5), (0.5, 1.5)),
        ((1.5, -0.5), (1.5, 0.5)),
    }
    assert not other.collections[0].get_segments()
    assert ax.get_xlim() == (-0.5, 2.5) and ax.get_ylim() == (2.5, -0.5)
    assert not utils.show_images([label], 1, 1, borders=False)[0, 0].collections


def test_style_is_loaded_and_its_colours_have_names():
    from utils.viz.plotting import BLUE, GREY

    assert plt.rcParams["figure.constrained_layout.use"] and not plt.rcParams["legend.frameon"]
    assert plt.plot([0, 1])[0].get_color() == BLUE == "#0072B2" and GREY == "#999999"


def test_too_many_images_are_refused():
    with pytest.raises(ValueError, match="3 images for a grid of 1 × 2"):
        utils.show_images([np.zeros((2, 2))] * 3, 1, 2)


def test_overlay_paints_objects_only():
    image = np.full((1, 3, 3), 100, np.uint8)
    out = utils.overlay(image, np.array([[0, 1, 255]]), opacity=0.5)
    np.testing.assert_array_equal(out[0], [[100] * 3, [114, 50, 50], [100] * 3])


def test_curve_shows_every_number_of_the_history():
    row = {"epoch": 1, "loss": 1.0, "train_acc": 0.5, "test_acc": 0.6, "mean_iou": 0.1, "images_per_s": 9.0}
    figure = utils.LiveCurve(3, baseline=(0.7, 0.05)).draw([row, {**row, "epoch": 2, "loss": 0.5}])
    loss, scores = figure.axes
    assert loss.lines[0].get_ydata().tolist() == [1.0, 0.5]
    assert [line.get_ydata()[0] for line in scores.lines[:5]] == [0.5, 0.6, 0.1, 0.7, 0.05]
    assert "dashed: one class everywhere" in [t.get_text() for t in scores.get_legend().get_texts()]


def test_no_seed_hides_another():
    _, ax = plt.subplots()
    rows = {"a": [0.5, 0.5, 0.5], "b": [0.1, np.nan, 0.3], "c": []}
    draw_seeds(ax, rows, shift=-0.2, label="one seed")
    draw_seeds(ax, rows, shift=0.2, bars=False)
    dots = [line.get_xydata() for line in ax.lines if line.get_marker() == "o"]
    places = np.concatenate(dots)
    places = places[~np.isnan(places[:, 0])]
    apart = np.abs(places[:, None, 1] - places[None, :, 1]) + 9 * np.eye(len(places))
    assert len(places) == 10 and apart.min() > 0.05
    assert all((np.abs(found[:, 1] - round(found[:, 1].mean())) < 0.5).all() for found in dots if len(found))
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b", "c"] and ax.yaxis_inverted()
    assert [line.get_label() for line in ax.lines].count("one seed") == 1
    assert [text.get_text() for text in ax.texts] == ["diverged with 1 of 3 seeds"] * 2
    assert ax.xaxis.get_gridlines()[0].get_visible()  # after two calls
