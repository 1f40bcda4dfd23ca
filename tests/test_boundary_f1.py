"""The boundary F1, and U-Net's weights and loss: against loops over pixels, cases by hand, finite differences."""

import utils
from utils.losses import PixelWeightedCrossEntropyLoss, border_weights
from utils.metrics import BoundaryF1, boundary_f1

import itertools
import math

import numpy as np
import pytest
from mxnet import autograd, nd

SIDES = (0, 1), (1, 0), (0, -1), (-1, 0)


def borders_by_loops(label, c):
    """[(row, column)] of the pixels of class c beside another label."""
    height, width = label.shape
    return [
        (i, j)
        for i, j in itertools.product(range(height), range(width))
        if label[i, j] == c
        and any(0 <= i + a < height and 0 <= j + b < width and label[i + a, j + b] != label[i, j] for a, b in SIDES)
    ]


def share_met(these, there, tolerance):
    if not these:
        return 0
    return sum(any(math.dist(p, q) <= tolerance for q in there) for p in these) / len(these)


def f1_by_loops(label, prediction, c, tolerance):
    prediction = np.where(label == 255, 255, prediction)
    truth, found = borders_by_loops(label, c), borders_by_loops(prediction, c)
    if not truth:
        return np.nan
    precision, recall = share_met(found, truth, tolerance), share_met(truth, found, tolerance)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def blocks(rng, shape, classes, void=0.0):
    coarse = rng.randint(0, classes, (-(-shape[0] // 4), -(-shape[1] // 4)))
    label = np.kron(coarse, np.ones((4, 4), int))[: shape[0], : shape[1]]
    label[rng.rand(*shape) < void] = 255
    return label


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("tolerance", [0, 1, 1.5, 3])
def test_against_loops(seed, tolerance):
    rng = np.random.RandomState(seed)
    shape, void = (rng.randint(1, 15), rng.randint(1, 15)), 0.1 * (seed % 2)
    label = blocks(rng, shape, 3, void)
    prediction = np.where(rng.rand(*shape) < 0.2, rng.randint(0, 4, shape), label % 255)
    expected = [f1_by_loops(label, prediction, c, tolerance) for c in range(4)]
    np.testing.assert_allclose(boundary_f1(label, prediction, 4, tolerance), expected)
    as_arrays = boundary_f1(nd.array(label), nd.array(prediction), 4, tolerance)
    np.testing.assert_allclose(as_arrays, expected)


def two_halves(at, height=6, width=12):
    label = np.zeros((height, width), int)
    label[:, at:] = 1
    return label


def test_by_hand():
    """A border three columns off is met within three pixels, and missed within two; half a border; none at all."""
    truth, moved = two_halves(4), two_halves(7)
    np.testing.assert_array_equal(boundary_f1(truth, truth, 2), [1, 1])
    np.testing.assert_array_equal(boundary_f1(truth, moved, 2, 3), [1, 1])
    np.testing.assert_array_equal(boundary_f1(truth, moved, 2, 2), [0, 0])
    half = truth.copy()
    half[3:] = 0  # the lower half of class 1 is missed
    # its found border is 3 pixels down and 7 more to the right; 3 of these 10 are true, and so 3 of the true 6 are met
    assert boundary_f1(truth, half, 2, 0)[1] == pytest.approx(2 * 0.3 * 0.5 / 0.8)
    np.testing.assert_array_equal(boundary_f1(truth, np.zeros_like(truth), 2), [0, 0])


def test_the_default_tolerance_is_a_share_of_the_diagonal():
    """0.75 % of 600 pixels: 4.5."""
    truth = two_halves(100, 360, 480)
    np.testing.assert_array_equal(boundary_f1(truth, two_halves(104, 360, 480), 2), [1, 1])
    np.testing.assert_array_equal(boundary_f1(truth, two_halves(105, 360, 480), 2), [0, 0])


def test_void_is_left_out():
    """What is said inside of void changes nothing; a border beside void is one."""
    truth = two_halves(6)
    truth[:, 5:7] = 255
    for inside in 0, 1, 2:
        said = two_halves(6)
        said[:, 5:7] = inside
        np.testing.assert_array_equal(boundary_f1(truth, said, 3, 0), [1, 1, np.nan])
    assert np.isnan(boundary_f1(np.full((4, 5), 255), np.zeros((4, 5)), 2)).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 6)])
def test_one_class_has_no_border(shape):
    truth = np.ones(shape, int)
    assert np.isnan(boundary_f1(truth, truth, 3)).all()
    assert np.isnan(boundary_f1(truth, np.random.RandomState(0).randint(0, 3, shape), 3)).all()
    metric = BoundaryF1(3)
    metric.update(nd.array(truth[None]), nd.array(truth[None]))
    assert np.isnan(metric.get()[1])


def test_over_a_split():
    """Pictures first, then their mean: a picture with one class weighs as much as one with three."""
    rng, metric = np.random.RandomState(3), BoundaryF1(4, tolerance=1)
    labels = np.stack([blocks(rng, (12, 16), 3), two_halves(5, 12, 16), np.full((12, 16), 2)])
    scores = rng.rand(3, 4, 12, 16) + 2 * (labels[:, None] == np.arange(4)[:, None, None]) * (
        rng.rand(3, 1, 12, 16) < 0.9
    )
    metric.update([nd.array(labels[:2]), nd.array(labels[2:])], [nd.array(scores[:2]), nd.array(scores[2:])])
    each = [[f1_by_loops(*pair, c, 1) for c in range(4)] for pair in zip(labels, scores.argmax(1), strict=True)]
    assert metric.get() == ("boundary_f1", pytest.approx(np.mean([np.nanmean(each[0]), np.nanmean(each[1])])))
    np.testing.assert_allclose(metric.by_class[:3], np.nanmean(np.array(each[:2])[:, :3], axis=0))
    assert np.isnan(metric.by_class[3])
    metric.reset()
    assert np.isnan(metric.get()[1]) and np.isnan(metric.by_class).all()


def test_wrong_input_is_said():
    label = two_halves(4)
    with pytest.raises(ValueError, match=r"labels of shape \(6, 12\), predictions of \(6, 11\)"):
        boundary_f1(label, label[:, :11], 2)
    with pytest.raises(ValueError, match="label 1: expected 0 to 0"):
        boundary_f1(label, label * 0, 1)
    with pytest.raises(ValueError, match="prediction 255"):
        boundary_f1(label, np.full_like(label, 255), 2)
    with pytest.raises(ValueError, match=r"shape \(1, 6, 12\): expected \(height, width\)"):
        boundary_f1(label[None], label[None], 2)
    for tolerance in -1, float("nan"):
        with pytest.raises(ValueError, match=f"tolerance={tolerance}: expected a number of pixels, 0 or more"):
            boundary_f1(label, label, 2, tolerance)


# U-Net's weights


def weights_by_loops(cells, w0, sigma, class_weights):
    weights = np.where(cells > 0, class_weights[1], class_weights[0]).astype(float)
    borders = [borders_by_loops(cells, number) for number in np.unique(cells[cells > 0])]
    for i, j in np.ndindex(*cells.shape):
        nearest = sorted(min(math.dist((i, j), pixel) for pixel in border) for border in borders if border)
        if len(nearest) > 1:
            weights[i, j] += w0 * math.exp(-((nearest[0] + nearest[1]) ** 2) / (2 * sigma**2))
    return weights


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_weights_against_loops(count):
    rng, cells = np.random.RandomState(count), np.zeros((14, 17), int)
    for number in range(count):
        row, column = rng.randint(0, 9, 2)
        cells[row : row + 5, column : column + 6] = 3 * number + 1
    for options in (10, 5, (1, 1)), (4, 1.5, (0.5, 2)):
        found = border_weights(cells, *options)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, weights_by_loops(cells, *options), rtol=1e-5)


def test_weights_by_hand():
    """Between two cells, one pixel apart: both borders at distance 1, so 1 + 10 · exp(−2² / (2 · 5²))."""
    row = border_weights(np.array([[1, 1, 0, 2, 2]]))[0]
    assert row[2] == pytest.approx(1 + 10 * math.exp(-4 / 50))
    assert border_weights(np.ones((3, 3), int)).tolist() == np.ones((3, 3)).tolist()
    assert border_weights(np.zeros((1, 1), int)).tolist() == [[1]]


def test_wrong_cells_are_said():
    for cells in np.full((2, 2), 0.5), np.full((2, 2), -1), np.zeros((1, 2, 2)):
        with pytest.raises(ValueError, match="one number a cell"):
            border_weights(cells)
    with pytest.raises(ValueError, match="sigma=0: expected pixels, above 0"):
        border_weights(np.zeros((2, 2)), sigma=0)


def test_weighted_loss_and_its_gradient():
    """Against the sum written out; ones are the plain loss; void gives nothing; a weight scales a gradient."""
    rng, loss = np.random.RandomState(0), PixelWeightedCrossEntropyLoss()
    scores, weights = rng.normal(size=(3, 4, 5, 6)), rng.uniform(0, 3, (3, 5, 6))
    label = rng.randint(0, 4, (3, 5, 6))
    label[0, :2], label[2] = 255, 255
    log_p = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    known = label != 255
    taken = np.take_along_axis(log_p, np.where(known, label, 0)[:, None], 1)[:, 0]
    expected = -(taken * known * weights).sum((1, 2)) / np.maximum(known.sum((1, 2)), 1)
    x = nd.array(scores)
    x.attach_grad()
    for hybrid in False, True:
        loss.hybridize(hybrid)
        with autograd.record():
            value = loss(x, nd.array(label), nd.array(weights))
        value.backward()
        np.testing.assert_allclose(value.asnumpy(), expected, atol=1e-6)
        one_hot = (np.where(known, label, 0)[:, None] == np.arange(4)[:, None, None]).astype(float)
        each = (np.exp(log_p) - one_hot) * (known * weights / np.maximum(known.sum((1, 2), keepdims=True), 1))[:, None]
        np.testing.assert_allclose(x.grad.asnumpy(), each, atol=1e-6)
    plain = utils.SoftmaxCrossEntropyLoss()(x, nd.array(label))
    ones = loss(x, nd.array(label), nd.ones(label.shape))
    np.testing.assert_allclose(ones.asnumpy(), plain.asnumpy(), rtol=1e-6)
