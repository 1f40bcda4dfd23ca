"""Graph cuts: labels of least energy, by maximum flow (chapter 15).

Two labels exactly, by one cut; many by alpha-expansion: Boykov, Veksler and Zabih, *Fast Approximate Energy
Minimization via Graph Cuts*, PAMI 2001. Superpixels are those of Achanta and others, *SLIC Superpixels*, PAMI 2012. The
energy over superpixels, with scribbles and a net, is that of Lin and others, *ScribbleSup*, CVPR 2016.
"""

import numbers

import numpy as np
from mxnet import nd
from scipy import sparse, spatial
from scipy.sparse import csgraph

from ..data.labelmap import VOID

LEAST = 1e-6
"""What a probability counts at least: a net that is wholly sure could never be persuaded."""
LARGEST = 2**24
"""Labels × nodes and pairs of neighbours, at most: 128 MB in float64 each, several times that while it is cut."""
MOST = 2**17
"""Superpixels of a picture, at most: 80 MB of histograms."""
FLOW = 2**31 - 1
"""The largest sum that SciPy's `maximum_flow` adds up right: its integers have 32 bits."""


def max_flow(capacities, source, sink):
    """(value, side): the largest flow and the cheapest cut, which are equal (chapter 15).

    capacities: (N, N) whole numbers, sparse or not: what the edge i → j carries, 0 for none. side: (N,) bool, True for
    the nodes on the source's side: all that the source still reaches where no more can flow. SciPy's `maximum_flow`
    finds the flow. ValueError for capacities that are negative, no whole numbers, or too large for it.
    """
    graph = sparse.csr_matrix(capacities)
    if graph.dtype.kind not in "iub" or graph.shape[0] != graph.shape[1] or (graph.data < 0).any():
        raise ValueError(
            f"capacities of shape {graph.shape} and {graph.dtype}: expected (nodes, nodes) of whole numbers, none "
            "below 0: multiply fractions by 1000 and round"
        )
    nodes = range(graph.shape[0])
    if source not in nodes or sink not in nodes or source == sink:
        raise ValueError(f"source={source!r}, sink={sink!r}: expected two of the nodes 0 to {len(nodes) - 1}")
    graph = graph.astype(np.int64)
    carried = max(graph[source].sum(), graph[:, sink].sum())
    if max(carried, graph.data.max(initial=0)) > FLOW:
        raise ValueError(f"capacities add up to {carried}: expected at most {FLOW} from the source; divide them all")
    graph = graph.astype(np.int32)
    found = csgraph.maximum_flow(graph, int(source), int(sink))
    left = graph.astype(np.int64) - found.flow.astype(np.int64)
    left.eliminate_zeros()
    side = np.zeros(len(nodes), bool)
    side[csgraph.breadth_first_order(left, source, return_predecessors=False)] = True
    return int(found.flow_value), side


class Energy:
    """E(labels) = Σ unary[label of i, i] + Σ weights of the neighbours i, j with different labels (Potts' model).

    unary: (C, N) floats, the cost of each label at each node; inf forbids it there. edges: (E, 2) nodes that are
    neighbours, each pair once. weights: (E,), 0 or more. Costs are rounded to a power of two's fraction, `unit`, so
    that flows are whole numbers; `energy(labels)` counts the rounded ones, and so do all methods here. ValueError for
    costs that are nan or −inf, a node that may have no label, a graph that is none, and one that is too large.
    """

    def __init__(self, unary, edges, weights):
        unary, edges, weights = (np.asarray(a) for a in (unary, edges, weights))
        unary, weights = unary.astype(float), weights.astype(float)
        if unary.ndim != 2 or not unary.size:
            raise ValueError(f"unary of shape {unary.shape}: expected (labels, nodes), a cost each")
        self.num_labels, self.num_nodes = unary.shape
        if max(unary.size, len(weights)) > LARGEST:
            raise ValueError(
                f"{self.num_labels} labels × {self.num_nodes:,} nodes, {len(weights):,} pairs: too many for a cut; "
                f"expected at most {LARGEST:,} of either. Take fewer superpixels, or reduce the picture"
            )
        self.edges = edges.reshape(-1, 2).astype(np.int64) if edges.size == 0 else edges
        if self.edges.ndim != 2 or self.edges.shape != (len(weights), 2) or self.edges.dtype.kind not in "iu":
            raise ValueError(
                f"edges of shape {edges.shape} and {edges.dtype}, weights of {weights.shape}: expected (pairs, 2) "
                "whole numbers and (pairs,)"
            )
        outside = (self.edges < 0) | (self.edges >= self.num_nodes)
        loops = self.edges[:, 0] == self.edges[:, 1]
        if outside.any() or loops.any():
            wrong = self.edges[(outside.any(axis=1) | loops).argmax()].tolist()
            raise ValueError(f"edge {wrong}: expected two different nodes of 0 to {self.num_nodes - 1}")
        if not (np.isfinite(weights) & (weights >= 0)).all():
            wrong = weights[(~(weights >= 0) | np.isinf(weights)).argmax()]
            raise ValueError(f"weight {wrong}: expected finite numbers, 0 or more: a cut cannot reward a border")
        if (np.isnan(unary) | (unary == -np.inf)).any():
            raise ValueError("unary with nan or −inf: expected finite costs, or inf where a label is forbidden")
        if (homeless := np.isinf(unary).all(axis=0)).any():
            raise ValueError(f"node {homeless.argmax()}: every label is forbidden there; allow one")
        self._round(unary, weights)

    def _round(self, unary, weights):
        """Whole numbers: the finest unit, at most 2**-20, at which all flows can be added up."""
        allowed = np.isfinite(unary)
        self._offset = np.where(allowed, unary, np.inf).min(axis=0)  # what each node costs at least
        above = np.where(allowed, unary - self._offset, 0)
        around = np.zeros(self.num_nodes)
        for end in 0, 1:
            np.add.at(around, self.edges[:, end], weights)
        forbidding = above.max(axis=0) + around  # and a little more: then no cut of least cost has the label
        most = 2 * (forbidding.sum() + 1)
        exponent = 20 if most == 0 else min(20, int(np.floor(np.log2((FLOW - 8.0 * self.num_nodes) / most))))
        self.unit = 2.0**-exponent
        self.weights = np.rint(weights / self.unit).astype(np.int64)
        self.unary = np.where(allowed, np.rint(above / self.unit), np.rint(forbidding / self.unit) + 4).astype(np.int64)
        self.allowed = allowed
        self._offset_sum = float(self._offset.sum())

    def whole(self, labels):
        """The energy above the sum of each node's least cost, in units: a whole number."""
        labels = np.asarray(labels)
        unary = self.unary[labels, np.arange(self.num_nodes)].sum()
        return int(unary + self.weights[labels[self.edges[:, 0]] != labels[self.edges[:, 1]]].sum())

    def __call__(self, labels):
        """The energy of (N,) labels; inf where one is forbidden. ValueError for labels that are none."""
        labels = np.asarray(labels)
        if labels.shape != (self.num_nodes,) or labels.dtype.kind not in "iu":
            raise ValueError(f"labels of shape {labels.shape}, {labels.dtype}: expected ({self.num_nodes},) integers")
        if labels.min() < 0 or labels.max() >= self.num_labels:
            raise ValueError(f"labels from {labels.min()} to {labels.max()}: expected 0 to {self.num_labels - 1}")
        if not self.allowed[labels, np.arange(self.num_nodes)].all():
            return float("inf")
        return self._offset_sum + self.unit * self.whole(labels)

    def expand(self, labels, label):
        """The labels of least energy among all in which each node keeps its own or takes `label`: one cut, exact.

        Node i gets the side of the source where it keeps its label. A pair that costs a as it is, b if only the second
        changes, c if only the first does, and nothing if both do, is c − a on the first, −c on the second, and an edge
        of b + c − a between them, which is never below 0, as b + c ≥ a whatever labels differ.
        """
        labels, (first, second) = np.asarray(labels), self.edges.T
        here = np.arange(self.num_nodes)
        change = self.unary[label] - self.unary[labels, here]
        a = self.weights * (labels[first] != labels[second])
        b, c = self.weights * (labels[first] != label), self.weights * (labels[second] != label)
        np.add.at(change, first, c - a)
        np.add.at(change, second, -c)
        source, sink = self.num_nodes, self.num_nodes + 1
        starts = np.concatenate([first, np.full(self.num_nodes, source), here])
        ends = np.concatenate([second, here, np.full(self.num_nodes, sink)])
        values = np.concatenate([b + c - a, change.clip(0), (-change).clip(0)])
        kept = values > 0
        graph = sparse.coo_matrix((values[kept], (starts[kept], ends[kept])), shape=(sink + 1,) * 2).tocsr()
        _, side = max_flow(graph, source, sink)
        return np.where(side[: self.num_nodes], labels, label)

    def minimise(self, labels=None, rounds=10):
        """(labels, energies): alpha-expansion, each label in turn, until none lowers the energy, or `rounds` times.

        labels: where to begin, default each node's cheapest. energies: that of the beginning, then one a round; never
        rising. With two labels it ends at the least energy of all. With more it may not, but where no cost is below 0
        it ends at no more than twice the least, as Boykov, Veksler and Zabih prove.
        """
        labels = np.argmin(self.unary, axis=0) if labels is None else np.array(labels)
        best, energies = self.whole(labels), [self(labels)]
        for _ in range(rounds):
            before = best
            for label in range(self.num_labels):
                found = self.expand(labels, label)
                if (value := self.whole(found)) < best:
                    labels, best = found, value
            energies.append(self(labels))
            if best == before:
                break
        return labels, energies


def superpixels(image, count=800, compactness=10.0):
    """(H, W) int64: some `count` superpixels 0, 1, 2 …, each in one piece, by scikit-image's SLIC (chapter 15).

    compactness: how many steps of colour (Lab) weigh as much as one cell of distance; more makes them square.
    ValueError for an array that is no image, and for a count above its pixels, or above `MOST`.
    """
    from skimage.segmentation import slic  # here: it would make `import utils` slower

    image = _image(image)
    height, width = image.shape[:2]
    most = min(height * width, MOST)
    if isinstance(count, bool) or not isinstance(count, numbers.Integral) or not 1 <= count <= most:
        raise ValueError(
            f"count={count!r}: expected a whole number, 1 to {most:,}: as many as the picture has pixels, and no more "
            f"than {MOST:,}, whose graph fits in memory"
        )
    if not isinstance(compactness, numbers.Real) or not 0 < compactness < float("inf"):
        raise ValueError(f"compactness={compactness!r}: expected a number above 0")
    return slic(image, int(count), compactness, sigma=1, start_label=0)  # unblurred, noise gives one superpixel only


def _image(image):
    image = image.asnumpy() if isinstance(image, nd.NDArray) else np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"image of shape {image.shape} and {image.dtype}: expected (height, width, 3) uint8")
    return image


def _means(values, segments, count):
    """(d, count): mean of (d, pixels) values over each segment."""
    size = np.bincount(segments, minlength=count)
    return np.stack([np.bincount(segments, v, count) / size for v in values])


def neighbours(segments):
    """((E, 2), (E,)): pairs of segments that share a border, the smaller number first, and its length in pixels."""
    pairs = np.concatenate(
        [
            np.stack([a.ravel(), b.ravel()], axis=1)
            for a, b in ((segments[1:], segments[:-1]), (segments[:, 1:], segments[:, :-1]))
        ]
    )
    pairs = np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1)
    if not len(pairs):
        return np.zeros((0, 2), np.int64), np.zeros(0, np.int64)
    return np.unique(pairs.astype(np.int64), axis=0, return_counts=True)


COLOURS, SLOPES = 25, 10
"""Bins of each channel's histogram, and of the slopes along each direction, as in ScribbleSup, section 3.1."""


def histograms(image, segments):
    """(N, 3 · COLOURS) and (N, 2 · SLOPES), of each segment the shares of its colours and of its slopes of grey."""
    grey = image.mean(axis=2)
    slopes = [np.clip((np.gradient(grey, axis=axis) + 32) / 64, 0, 1) if grey.shape[axis] > 1 else 0 * grey + 0.5
              for axis in (0, 1)]  # fmt: skip
    found = []
    for planes, bins in (np.moveaxis(image / 256, -1, 0), COLOURS), (np.stack(slopes), SLOPES):
        flat, count = segments.ravel(), segments.max() + 1
        parts = [
            np.bincount(flat * bins + np.minimum(plane.ravel() * bins, bins - 1).astype(int), minlength=count * bins)
            for plane in planes
        ]
        table = np.concatenate([part.reshape(count, bins) for part in parts], axis=1).astype(float)
        found.append(table / table.sum(axis=1, keepdims=True))
    return found


class ScribbleCut:
    """A picture's scribbles spread over its superpixels, with what a net says or without (chapter 15).

    image: (H, W, 3) uint8. scribbles: (H, W) uint8, 255 where nothing is marked. num_classes: of the net, C. count,
    compactness: of `superpixels`. strength: what a border between two wholly alike neighbours costs. colour: weight of
    the colours of the strokes, 0 to leave them out.

    The energy, over superpixels: one that scribbles touch must have one of their classes. Any other may have each class
    that is scribbled somewhere in the picture, at the cost −log of what the net gives it, the mean over its pixels,
    or without a net at no cost. Neighbours with different labels cost `strength` · exp(−dc − dt), where dc and dt are
    the squared distances of their histograms of colours and of slopes, each divided by its mean over the picture's
    neighbours (the paper divides by fixed numbers). What the paper doesn't have is the term of colour, `colour` · −log
    of a class's share, where shares fall off with the distance to the nearest superpixel of the class's strokes, in
    Lab: without a net and without this, a cut has nothing but the lengths of borders to go by.

    ValueError for scribbles of another size, without a mark, or of a class that isn't there.
    """

    def __init__(self, image, scribbles, num_classes, count=800, compactness=10.0, strength=8.0, colour=3.0):
        self.image, self.num_classes = _image(image), num_classes
        self.scribbles = np.asarray(scribbles.asnumpy() if isinstance(scribbles, nd.NDArray) else scribbles)
        self.classes = check_scribbles(self.scribbles, self.image, num_classes)
        for name, value in ("strength", strength), ("colour", colour):
            if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 <= value < float("inf"):
                raise ValueError(f"{name}={value!r}: expected a number, 0 or more")
        self.segments = superpixels(self.image, min(count, self.scribbles.size), compactness)
        self.edges, _ = neighbours(self.segments)
        self.weights = strength * self._alike()
        touched = np.zeros((num_classes, self.segments.max() + 1), bool)
        marked = self.scribbles != VOID
        touched[self.scribbles[marked], self.segments[marked]] = True
        free = ~touched.any(axis=0)
        self.allowed = touched[self.classes] | free  # (classes that are scribbled, superpixels)
        self.free = free
        self._colour = colour * self._unlike_strokes() if colour else 0

    def _alike(self):
        """(E,): exp(−dc − dt) of each pair of neighbours, 1 for two that are the same."""
        total = np.zeros(len(self.edges))
        for table in histograms(self.image, self.segments):
            apart = ((table[self.edges[:, 0]] - table[self.edges[:, 1]]) ** 2).sum(axis=1)
            if apart.any():
                total += apart / apart.mean()
        return np.exp(-total)

    def _unlike_strokes(self):
        """(classes, N): −log of each class's share by colour; at most 7, so that no colour outweighs all else."""
        from skimage.color import rgb2lab

        colours = _means(rgb2lab(self.image).reshape(-1, 3).T, self.segments.ravel(), len(self.free)).T
        strokes = [spatial.KDTree(colours[allowed & ~self.free]) for allowed in self.allowed]
        apart = np.stack([stroke.query(colours)[0] ** 2 for stroke in strokes])
        near = np.exp(-apart / max(apart.mean(), 1e-9))
        return -np.log((near / near.sum(axis=0).clip(1e-30)).clip(1e-3))

    def energy(self, probabilities=None):
        """The `Energy`, over classes that are scribbled, in the order of `self.classes`.

        probabilities: (C, H, W) of a net, `NDArray` or NumPy, or None.
        """
        cost = np.where(self.free, self._colour, np.zeros(self.allowed.shape))
        if probabilities is not None:
            p = np.asarray(probabilities.asnumpy() if isinstance(probabilities, nd.NDArray) else probabilities)
            expected = (self.num_classes, *self.scribbles.shape)
            if p.shape != expected or not ((p >= 0) & (p <= 1.001)).all():
                found = f"from {p.min()} to {p.max()}" if p.shape == expected else f"of shape {p.shape}"
                raise ValueError(
                    f"probabilities {found}: expected {expected}, from 0 to 1: the softmax of a net's scores, at the "
                    "picture's size"
                )
            logs = -np.log(np.maximum(p[self.classes], LEAST)).reshape(len(self.classes), -1)
            cost += np.where(self.free, _means(logs, self.segments.ravel(), len(self.free)), 0)
        return Energy(np.where(self.allowed, cost, np.inf), self.edges, self.weights)

    def __call__(self, probabilities=None, start=None):
        """(label, energies): (H, W) uint8, each pixel one of the scribbled classes, and the energy round by round.

        probabilities: as in `energy`. start: a label (H, W) to begin with, such as that of the round before; each
        superpixel begins with its most frequent allowed class. The strokes themselves keep their classes.
        """
        energy = self.energy(probabilities)
        labels, energies = energy.minimise(None if start is None else self.of(start))
        found = self.classes[labels].astype(np.uint8)[self.segments]
        return np.where(self.scribbles == VOID, found, self.scribbles), energies

    def of(self, label):
        """(N,) each superpixel's most frequent class in a label (H, W), among those allowed, as places in `classes`."""
        label = np.asarray(label)
        if label.shape != self.scribbles.shape:
            raise ValueError(f"label of shape {label.shape}: expected {self.scribbles.shape}, the picture's")
        votes = np.stack(
            [np.bincount(self.segments[label == value], minlength=len(self.free)) for value in self.classes]
        )
        return np.where(self.allowed, votes, -1).argmax(axis=0)


def check_scribbles(scribbles, image, num_classes):
    """The classes that are scribbled, in order, or a ValueError that says what is wrong."""
    if scribbles.shape != image.shape[:2] or scribbles.dtype != np.uint8:
        raise ValueError(
            f"scribbles of shape {scribbles.shape} and {scribbles.dtype}: expected {image.shape[:2]}, the picture's, "
            "uint8"
        )
    found = np.unique(scribbles[scribbles != VOID])
    if not len(found):
        raise ValueError("scribbles: void only; expected a stroke of each class that the picture shows")
    if found[-1] >= num_classes:
        row, column = np.argwhere(scribbles == found[-1])[0]
        raise ValueError(
            f"scribbles: class {found[-1]} at row {row}, column {column}; expected 0 to {num_classes - 1}, or {VOID} "
            "where nothing is marked"
        )
    return found
