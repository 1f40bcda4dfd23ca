"""Cuts against all labellings there are and networkx; superpixels; bad input."""

import utils
from utils.postprocess import graphcut as module
from utils.postprocess.graphcut import Energy, ScribbleCut, max_flow, superpixels

import itertools

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mxnet import nd
from scipy import ndimage

HAND = np.zeros((6, 6), int)  # chapter 15's: source 0, sink 5
for _start, _end, _capacity in (
    (0, 1, 8), (0, 2, 4), (1, 2, 4), (1, 3, 3), (2, 3, 2), (2, 4, 6), (3, 4, 1), (3, 5, 6), (4, 5, 5),
):  # fmt: skip
    HAND[_start, _end] = _capacity


def cheapest_cut(capacities):
    """The least sum of edges from a side with node 0 to one with the last node, over all divisions."""
    capacities, n, costs = np.asarray(capacities), len(capacities), []
    for inner in itertools.product((True, False), repeat=n - 2):
        side = np.array([True, *inner, False])
        costs.append(capacities[side][:, ~side].sum())
    return min(costs)


def naive(unary, edges, weights, labels):
    """The energy, term by term."""
    total = sum(unary[label][i] for i, label in enumerate(labels))
    return total + sum(w for (i, j), w in zip(edges, weights, strict=True) if labels[i] != labels[j])


def exhaustive(unary, edges, weights):
    """The least energy of all labellings, one after the other."""
    count, nodes = np.shape(unary)
    return min(naive(unary, edges, weights, labels) for labels in itertools.product(range(count), repeat=nodes))


@given(st.integers(2, 7), st.integers(0, 10**6))
def test_flow_equals_networkx_and_all_cuts(nodes, seed):
    rng = np.random.RandomState(seed)
    capacities = rng.randint(0, 20, (nodes, nodes)) * (rng.uniform(size=(nodes, nodes)) < 0.6)
    np.fill_diagonal(capacities, 0)
    value, side = max_flow(capacities, 0, nodes - 1)
    graph = networkx.from_numpy_array(capacities, create_using=networkx.DiGraph)
    by_networkx = networkx.maximum_flow_value(graph, 0, nodes - 1, capacity="weight")
    assert value == by_networkx == cheapest_cut(capacities)
    assert side[0] and not side[-1] and capacities[side][:, ~side].sum() == value


def test_the_six_nodes_of_the_chapter():
    value, side = max_flow(HAND, 0, 5)
    assert value == cheapest_cut(HAND) == HAND[side][:, ~side].sum()


@given(st.data())
def test_two_labels_are_exact_and_many_are_bounded(data):
    count, nodes = data.draw(st.sampled_from([(2, 7), (3, 5), (4, 4)]))
    numbers = st.integers(0, 9).map(lambda n: n / 4)
    unary = np.array(data.draw(st.lists(st.lists(numbers, min_size=nodes, max_size=nodes), min_size=count,
                                        max_size=count)))  # fmt: skip
    pairs = list(itertools.combinations(range(nodes), 2))
    weights = data.draw(st.lists(numbers, min_size=len(pairs), max_size=len(pairs)))
    energy = Energy(unary, pairs, weights)
    labels, energies = energy.minimise()
    least = exhaustive(unary, pairs, weights)
    assert energies[-1] == energy(labels) == naive(unary, pairs, weights, labels)  # quarters have no rounding
    assert all(after <= before for before, after in zip(energies, energies[1:], strict=False))
    if count == 2:
        assert energies[-1] == least
    assert energies[-1] <= 2 * least


@given(st.integers(0, 10**6))
def test_one_expansion_is_the_best_of_all(seed):
    rng = np.random.RandomState(seed)
    unary, pairs = rng.uniform(size=(3, 6)), list(itertools.combinations(range(6), 2))
    weights = rng.uniform(size=15) * (rng.uniform(size=15) < 0.6)
    energy, start = Energy(unary, pairs, weights), rng.randint(3, size=6)
    for label in range(3):
        found = energy.expand(start, label)
        options = (np.where(keep, start, label) for keep in itertools.product((True, False), repeat=6))
        assert np.isclose(energy(found), min(naive(unary, pairs, weights, o) for o in options), atol=1e-4)
        assert ((found == start) | (found == label)).all()


def test_expansion_can_stay_above_the_least_energy():
    """No single expansion helps here, and yet there is a better labelling: why "as a rule exact" is no promise."""
    unary = np.array([[3, 6, 5, 5, 2, 1], [5, 7, 4, 0, 3, 7], [0, 5, 4, 2, 5, 7]], float)
    weights = np.array([0, 2, 0, 3, 0, 0, 0, 0, 1, 0, 0, 1, 3, 2, 1], float)
    pairs = list(itertools.combinations(range(6), 2))
    _, energies = Energy(unary, pairs, weights).minimise(np.zeros(6, int))
    assert energies[-1] == 22 and exhaustive(unary, pairs, weights) == 21


def test_forbidden_labels_stay_out():
    unary = np.array([[np.inf, 0, 0], [0, np.inf, 5]])
    energy = Energy(unary, [(0, 1), (1, 2)], [100.0, 0.1])
    labels, energies = energy.minimise()
    assert labels.tolist() == [1, 0, 0] and energies[-1] == pytest.approx(100)
    assert energy(np.array([0, 0, 0])) == float("inf")


def test_large_costs_do_not_overflow():
    rng = np.random.RandomState(0)
    unary, pairs = rng.uniform(size=(2, 8)) * 1e9, list(itertools.combinations(range(8), 2))
    weights = rng.uniform(size=len(pairs)) * 1e9
    _, energies = Energy(unary, pairs, weights).minimise()
    assert energies[-1] == pytest.approx(exhaustive(unary, pairs, weights), rel=1e-6)


@pytest.mark.parametrize(
    ("unary", "edges", "weights", "message"),
    [
        ([1.0, 2.0], [], [], "expected (labels, nodes)"),
        ([[0.0, 1.0]], [(0, 1)], [-1.0], "0 or more"),
        ([[0.0, 1.0]], [(0, 1)], [np.nan], "0 or more"),
        ([[0.0, 1.0]], [(0, 2)], [1.0], "two different nodes"),
        ([[0.0, 1.0]], [(1, 1)], [1.0], "two different nodes"),
        ([[0.0, 1.0]], [(0, 1), (1, 0)], [1.0], "(pairs,)"),
        ([[np.nan, 1.0]], [], [], "nan"),
        ([[np.inf, 1.0], [np.inf, 0.0]], [], [], "every label is forbidden"),
    ],
)
def test_what_is_no_energy_is_refused(unary, edges, weights, message):
    with pytest.raises(ValueError) as error:
        Energy(np.array(unary), np.array(edges), np.array(weights))
    assert message in str(error.value)


def test_a_graph_that_does_not_fit_is_refused_before_memory_is_taken():
    cells = np.broadcast_to(np.float64(0), (21, 2**20))  # no memory behind it
    with pytest.raises(ValueError, match="Take fewer superpixels"):
        Energy(cells, np.zeros((0, 2), int), np.zeros(0))


@pytest.mark.parametrize(
    ("capacities", "source", "sink", "message"),
    [
        ([[0, 1.5], [0, 0]], 0, 1, "whole numbers"),
        ([[0, -1], [0, 0]], 0, 1, "whole numbers"),
        ([[0, 1, 2], [0, 0, 1]], 0, 1, "(nodes, nodes)"),
        ([[0, 1], [0, 0]], 0, 0, "two of the nodes"),
        ([[0, 1], [0, 0]], 0, 2, "two of the nodes"),
        ([[0, 2**31], [0, 0]], 0, 1, "divide them all"),
    ],
)
def test_what_is_no_flow_is_refused(capacities, source, sink, message):
    with pytest.raises(ValueError) as error:
        max_flow(np.array(capacities), source, sink)
    assert message in str(error.value)


def picture(seed=0, size=(40, 60)):
    """Two halves of different grey, with noise, and the label of it."""
    rng, label = np.random.RandomState(seed), np.zeros(size, np.uint8)
    label[:, size[1] // 2 :] = 1
    image = np.where(label, 170, 80)[..., None] + rng.randint(-20, 21, (*size, 3))
    return image.astype(np.uint8), label


def test_superpixels_are_in_one_piece_each_and_keep_to_borders():
    image, label = picture()
    segments = superpixels(image, 60)
    count = segments.max() + 1
    assert segments.shape == label.shape and 30 <= count <= 90
    assert sorted(set(segments.ravel())) == list(range(count))
    for number in range(count):
        assert ndimage.label(segments == number)[1] == 1
        inside = label[segments == number]
        assert max(inside.mean(), 1 - inside.mean()) > 0.9  # the two halves' border is one of superpixels


def test_a_graph_that_would_not_fit_is_refused_before_superpixels_are_made():
    image = np.broadcast_to(np.uint8(90), (2000, 2000, 3))  # no memory behind it
    with pytest.raises(ValueError, match="count=1000000: .*fits in memory"):
        superpixels(image, 10**6)


def test_neighbours_are_counted_pixel_by_pixel():
    segments = superpixels(picture(3)[0], 20)
    pairs = {}
    for (y, x), number in np.ndenumerate(segments):
        for there in (y + 1, x), (y, x + 1):
            if there[0] < segments.shape[0] and there[1] < segments.shape[1] and segments[there] != number:
                key = tuple(sorted((number, segments[there])))
                pairs[key] = pairs.get(key, 0) + 1
    edges, lengths = module.neighbours(segments)
    assert {tuple(edge): n for edge, n in zip(edges.tolist(), lengths.tolist(), strict=True)} == pairs


def scribbled(label):
    marks = np.full(label.shape, utils.VOID, np.uint8)
    marks[5:35, 6], marks[5:35, -7] = label[0, 0], label[0, -1]
    return marks


def test_two_strokes_divide_a_picture_at_its_border():
    image, label = picture()
    found, energies = ScribbleCut(image, scribbled(label), 3, count=60)()
    assert (found == label).mean() > 0.97 and found.dtype == np.uint8 and energies[-1] <= energies[0]


def test_a_net_tips_what_strokes_leave_open_and_strokes_stay():
    image = np.full((40, 60, 3), 90, np.uint8)  # no border to be seen
    marks = scribbled(picture()[1])
    says = np.zeros((3, 40, 60), np.float32)
    says[0, :, :20], says[1, :, 20:] = 1, 1
    cut = ScribbleCut(image, marks, 3, count=60, strength=0.1)
    found, _ = cut(nd.array(says))
    assert (found[:, :15] == 0).mean() > 0.95 and (found[:, 25:] == 1).mean() > 0.95
    says[:] = 0
    says[2] = 1  # the net is sure of a class that nobody marked
    found, _ = cut(says)
    assert set(np.unique(found)) <= {0, 1}
    assert (found[marks != utils.VOID] == marks[marks != utils.VOID]).all()


def test_energy_of_a_cut_is_the_one_counted_by_hand():
    image, label = picture(5, (20, 24))
    marks = np.full(label.shape, utils.VOID, np.uint8)
    marks[10, 2], marks[10, 21] = 0, 1
    cut = ScribbleCut(image, marks, 2, count=8)
    energy = cut.energy()
    labels, energies = energy.minimise()
    assert cut.segments.max() + 1 <= 12
    unary = np.where(energy.allowed, cut._colour, np.inf)
    unary[:, ~cut.free] = np.where(energy.allowed, 0, np.inf)[:, ~cut.free]
    assert energies[-1] == pytest.approx(exhaustive(unary, cut.edges, cut.weights), abs=1e-4)


def test_one_superpixel_and_one_pixel():
    image, label = picture()
    marks = scribbled(label)
    found, _ = ScribbleCut(image, marks, 2, count=1)()  # both classes touch it: one of them takes all but strokes
    assert len(np.unique(found[marks == utils.VOID])) == 1 and (found[5:35, 6] == 0).all()
    found, energies = ScribbleCut(np.zeros((1, 1, 3), np.uint8), np.ones((1, 1), np.uint8), 2)()
    assert found.tolist() == [[1]] and energies[-1] == 0


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda image, marks: (image, marks[:, 1:]), "the picture's"),
        (lambda image, marks: (image, np.full_like(marks, utils.VOID)), "void only"),
        (lambda image, marks: (image, np.where(marks == 1, 7, marks).astype(np.uint8)), "class 7 at row"),
        (lambda image, marks: (image, marks.astype(int)), "uint8"),
        (lambda image, marks: (image[..., 0], marks), "expected (height, width, 3)"),
        (lambda image, marks: (image / 255, marks), "uint8"),
    ],
)
def test_bad_scribbles_are_refused(spoil, message):
    image, label = picture()
    with pytest.raises(ValueError) as error:
        ScribbleCut(*spoil(image, scribbled(label)), 3)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "wrong", [{"count": 0}, {"count": True}, {"compactness": 0}, {"strength": -1}, {"colour": "a"}]
)
def test_bad_settings_are_refused(wrong):
    image, label = picture()
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ScribbleCut(image, scribbled(label), 2, **wrong)


def test_a_net_of_another_size_is_refused():
    image, label = picture()
    cut = ScribbleCut(image, scribbled(label), 2, count=20)
    with pytest.raises(ValueError, match="expected \\(2, 40, 60\\)"):
        cut(np.ones((3, 40, 60), np.float32))
    with pytest.raises(ValueError, match="none below 0"):
        cut(np.full((2, 40, 60), np.nan, np.float32))
