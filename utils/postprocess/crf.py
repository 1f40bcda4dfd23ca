"""Fully connected CRFs: labels that follow the picture's own borders (chapter 13).

Krähenbühl and Koltun, *Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials* (arXiv:1210.5644),
in the form of its authors' program: kernels are normalised on both sides, and a pixel is its own neighbour too.
"""

import itertools
import numbers

import numpy as np
from mxnet import gluon, init, nd
from scipy import sparse

from ..data.transforms import RGB_STD, denormalize
from ..metrics import SegmentationMetric, scores_of

LEAST = 1e-6
"""What a probability counts at least: a net that is wholly sure could never be persuaded."""
LARGEST = 2**26
"""Classes × pixels, at most: some 3 million pixels of 21 classes, 2 GB of memory."""
LONGEST = 2**14
"""Pixels to a side, at most: smoothness is a matrix of all pairs along it."""


class DenseCRF:
    """Mean field of a fully connected CRF with Potts' model: `crf(probabilities, image)` (chapter 13).

    Every pixel votes on every other. A vote weighs, by place p in pixels and colour c in 0 to 255,

        appearance   w1 · exp(−|p − p'|² / 2 alpha² − |c − c'|² / 2 beta²)      near and alike
        smoothness   w2 · exp(−|p − p'|² / 2 gamma²)                            near

    each kernel divided by the roots of its sums at p and at p', so that weights mean the same in the middle of a large
    area and in a corner. iterations: rounds of voting. w1 = w2 = 0, or no iterations, leave everything as it is.

    Smoothness is computed exactly. Appearance goes through a permutohedral lattice (Adams, Baek and Davis, 2010), as in
    the authors' program: an approximation, which the tests hold against all pairs of pixels. ValueError for settings
    that are no numbers above 0.
    """

    def __init__(self, w1=4.0, alpha=40.0, beta=8.0, w2=3.0, gamma=3.0, iterations=5):
        given = {"w1": w1, "alpha": alpha, "beta": beta, "w2": w2, "gamma": gamma}
        for name, value in given.items():
            least = 0 if name in ("w1", "w2") else 0.5
            if isinstance(value, bool) or not isinstance(value, numbers.Real) or not least <= value < float("inf"):
                raise ValueError(f"{name}={value!r}: expected a number, at least {least}")
        if isinstance(iterations, bool) or not isinstance(iterations, numbers.Integral) or not 0 <= iterations <= 1000:
            raise ValueError(f"iterations={iterations!r}: expected a whole number, 0 to 1000")
        self.settings = {name: float(value) for name, value in given.items()} | {"iterations": int(iterations)}

    def __repr__(self):
        return f"DenseCRF({', '.join(f'{name}={value:g}' for name, value in self.settings.items())})"

    def __call__(self, probabilities, image):
        """(C, H, W) float32 NumPy: the probabilities after the votes.

        probabilities: (C, H, W), those of a net, each pixel's sum 1, `NDArray` or NumPy. image: (H, W, 3) uint8.
        ValueError for other shapes, for numbers that are no probabilities, and for more than LARGEST of them.
        """
        unary, image = check(probabilities, image)
        count, height, width = unary.shape
        w1, alpha, beta, w2, gamma, iterations = self.settings.values()
        unary = np.ascontiguousarray(unary.reshape(count, -1).T)  # a row for each pixel
        belief = _softmax(unary)
        if count == 1 or w1 == w2 == 0:
            iterations = 0
        appearance = Lattice(features(image, alpha, beta)) if iterations and w1 else None
        rows, columns = _smoothness(height, gamma), _smoothness(width, gamma)
        for _ in range(iterations):
            votes = unary.copy()
            if w1:
                votes += np.float32(w1) * appearance(belief)
            if w2:
                smooth = (rows @ belief.reshape(height, -1)).reshape(height, width, count)
                votes += np.float32(w2) * (columns @ smooth).reshape(-1, count)
            belief = _softmax(votes)
        return np.ascontiguousarray(belief.T).reshape(count, height, width)


def check(probabilities, image):
    """(log probabilities, image) as NumPy, or a ValueError that says what is wrong with them."""
    probabilities, image = (a.asnumpy() if isinstance(a, nd.NDArray) else np.asarray(a) for a in (probabilities, image))
    if probabilities.ndim != 3 or probabilities.dtype.kind != "f" or not probabilities.size:
        raise ValueError(
            f"probabilities of shape {probabilities.shape} and {probabilities.dtype}: expected floats "
            "(classes, height, width), those of one picture"
        )
    if image.dtype != np.uint8 or image.shape != (*probabilities.shape[1:], 3):
        raise ValueError(
            f"image of shape {image.shape} and {image.dtype}: expected {(*probabilities.shape[1:], 3)}, the size of "
            "the probabilities, and uint8"
        )
    count, height, width = probabilities.shape
    if probabilities.size > LARGEST or max(height, width) > LONGEST:
        raise ValueError(
            f"{count} classes × {height} × {width} pixels: too many for a CRF, which sees all at once; expected at "
            f"most {LARGEST:,} in all, and {LONGEST:,} to a side. Reduce the picture"
        )
    sums = probabilities.sum(axis=0)
    wrong = ~(np.abs(sums - 1) <= 1e-3) | ~(probabilities.min(axis=0) >= 0)  # so that nan is wrong
    if wrong.any():
        row, column = np.unravel_index(wrong.argmax(), wrong.shape)
        raise ValueError(
            f"probabilities of pixel ({row}, {column}): least {probabilities[:, row, column].min():.4g}, sum "
            f"{sums[row, column]:.4g}; expected none below 0 and a sum of 1: give the softmax of the scores"
        )
    return np.log(np.maximum(probabilities, LEAST)).astype(np.float32), image


def features(image, alpha, beta):
    """(pixels, 5) float32: place over alpha and colour over beta, so that both kernels' widths are 1."""
    height, width = image.shape[:2]
    places = np.stack(np.mgrid[:height, :width], axis=-1) / alpha
    return np.concatenate([places, image / beta], axis=-1).reshape(-1, 5).astype(np.float32)


def _smoothness(length, width):
    """(length, length) float32: a Gaussian kernel along one side, normalised on both sides."""
    at = np.arange(length)
    kernel = np.exp(-((at[:, None] - at) ** 2) / (2 * width**2))
    root = np.sqrt(kernel.sum(axis=1))
    return (kernel / np.outer(root, root)).astype(np.float32)


def _softmax(x):
    x = np.exp(x - x.max(axis=1, keepdims=True))
    x /= x.sum(axis=1, keepdims=True)
    return x


class Lattice:
    """Gaussian filtering among points of d dimensions, in a time that grows with their number, not its square.

    points: (N, d), whose kernel is exp(−|x − x'|² / 2). `lattice(values)`, (N, C) → (N, C) float32: what all points
    give to each, the kernel normalised on both sides. Space is cut into simplices, of which each point touches d + 1
    corners. Values are spread to the corners (splat), blurred along the d + 1 directions in which corners lie, and read
    back (slice). Of the corners only those exist that a point touches, and their neighbours; without these, as in the
    authors' program, what has to pass through them is lost, and the error is twice as large (measured in the tests).
    """

    def __init__(self, points):
        count, d = points.shape
        touched, weights, steps = _corners(points)
        keys = np.unique(touched)
        keys = np.unique(np.concatenate([keys, *(keys + step for step in steps), *(keys - step for step in steps)]))
        starts = np.arange(0, count * (d + 1) + 1, d + 1)
        entries = weights.astype(np.float32).ravel(), np.searchsorted(keys, touched.ravel()), starts
        self._slice = sparse.csr_matrix(entries, shape=(count, len(keys)))
        self._blurs = [_blur(keys, step) for step in steps]
        self._splat = self._slice.T.tocsr()
        root = sparse.diags(1 / np.sqrt(self(np.ones((count, 1), np.float32))[:, 0]))
        self._slice, self._splat = (root @ self._slice).tocsr(), (self._splat @ root).tocsr()

    def __call__(self, values):
        values = self._splat @ values
        for blur in self._blurs:
            values = blur @ values
        return self._slice @ values


def _corners(points):
    """The simplex round each point: its corners' numbers and barycentric weights, (N, d + 1), and d + 1 steps.

    As in Adams, Baek and Davis: the points are put into the plane of d + 1 coordinates whose sum is 0. Its lattice has
    corners of d + 1 kinds; the one of kind 0 that is nearest, and the order of what is left over, give the simplex. A
    corner's number is unique to it; its neighbours' numbers are a step more or less, one for each direction.
    """
    count, d = points.shape
    # each direction is blurred by 1/4, 1/2, 1/4; with splat and slice the whole has a variance of 1 at this scale
    scaled = points.T * ((d + 1) * np.sqrt(2 / 3) / np.sqrt(np.arange(1, d + 1) * np.arange(2, d + 2)))[:, None]
    raised, total = np.empty((d + 1, count)), np.zeros(count)
    for i in range(d, 0, -1):
        raised[i] = total - i * scaled[i - 1]
        total = total + scaled[i - 1]
    raised[0] = total
    raised /= d + 1
    nearest = np.rint(raised).astype(np.int64)
    left, rank = raised - nearest, np.zeros(raised.shape, np.int64)  # rank 0: most is left over
    for i, j in itertools.combinations(range(d + 1), 2):
        less = left[i] < left[j]
        rank[i] += less
        rank[j] += ~less
    rank += nearest.sum(axis=0)  # the sum must be 0: where it isn't, go to the next ones
    for beyond, step in (rank < 0, 1), (rank > d, -1):
        nearest += step * beyond
        rank += step * (d + 1) * beyond
    in_order, which = np.empty_like(raised), np.arange(count)
    in_order[rank, which] = raised - nearest
    weights = np.concatenate([1 - in_order[:1] + in_order[-1:], (in_order[:-1] - in_order[1:])[::-1]])

    # corner of kind k has coordinates (d + 1) · nearest + k, less d + 1 where the rank is above d − k
    low = nearest[:d].min(axis=1) - 3  # room for steps
    spans = [(d + 1) * int(n + 3) for n in nearest[:d].max(axis=1) - low]
    radix = [1]
    for span in spans[:-1]:
        radix.append(radix[-1] * span)
    if radix[-1] * spans[-1] >= 2**63:
        raise ValueError(f"points from {points.min(axis=0)} to {points.max(axis=0)}: too far apart for one lattice")
    radix = np.array(radix)
    less = np.empty(rank.shape, np.int64)
    less[rank, which] = (d + 1) * np.append(radix, 0)[:, None]
    corners = np.empty(rank.shape, np.int64)
    corners[0] = sum((d + 1) * r * n for r, n in zip(radix, nearest[:d] - low[:, None], strict=True))
    corners[1:] = corners[0] + np.arange(1, d + 1)[:, None] * radix.sum() - np.cumsum(less[::-1], axis=0)[:-1]
    steps = np.append(radix.sum() - (d + 1) * radix, radix.sum())  # the last of d + 1 coordinates has no number
    return corners.T, weights.T, steps


def _blur(keys, step):
    """(M, M): one half from each corner itself, a quarter from either neighbour, where there is one."""
    here = np.arange(len(keys))
    parts = [(here, here, 0.5)]
    for wanted in keys + step, keys - step:
        found = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
        there = keys[found] == wanted
        parts.append((here[there], found[there], 0.25))
    rows, columns = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    values = np.concatenate([np.full(len(part[0]), part[2], np.float32) for part in parts])
    return sparse.csr_matrix((values, (rows, columns)), shape=(len(keys),) * 2)


class MeanField(gluon.HybridBlock):
    """The votes of `DenseCRF` as layers that learn: (N, C, h, w) scores and (N, 3, h, w) image → (N, C, h, w) scores.

    image: normalised as for a net, one colour for each cell of the scores. All pairs of cells vote, h · w squared of
    them: it is for maps at stride 8 or so, not for pixels. alpha, beta, gamma: as in `DenseCRF`, fixed, alpha and gamma
    in cells. Learned are `weights`, w1 and w2, and `compatibility` (C, C): what a vote for a class says to each class,
    at first to itself alone (Potts). Zheng and others, *CRF as RNN*, ICCV 2015. What comes out are log probabilities up
    to a constant, and so scores for any loss.
    """

    def __init__(self, num_classes, w1=4.0, alpha=10.0, beta=8.0, w2=3.0, gamma=1.0, iterations=5, **kwargs):
        super().__init__(**kwargs)
        settings = DenseCRF(w1, alpha, beta, w2, gamma, iterations).settings  # checked
        self._alpha, self._beta, self._gamma = settings["alpha"], settings["beta"], settings["gamma"]
        self._iterations = settings["iterations"]
        with self.name_scope():
            self.weights = self.params.get("weights", shape=(2,), init=_Values([w1, w2]))
            self.compatibility = self.params.get(
                "compatibility", shape=(num_classes,) * 2, init=_Values(np.eye(num_classes))
            )

    def hybrid_forward(self, F, scores, image, weights, compatibility):
        unary = F.log_softmax(scores, axis=1).reshape((0, 0, -1))  # (N, C, cells)
        places = self._places(F, image)
        colours = F.concat(
            *(F.slice_axis(image, axis=1, begin=i, end=i + 1) * (255 * RGB_STD[i] / self._beta) for i in range(3)),
            dim=1,
        )
        near_and_alike = F.concat(places / self._alpha, colours, dim=1)
        kernel = F.broadcast_add(
            F.broadcast_mul(_kernel(F, near_and_alike), F.slice(weights, begin=0, end=1).reshape((1, 1, 1))),
            F.broadcast_mul(_kernel(F, places / self._gamma), F.slice(weights, begin=1, end=2).reshape((1, 1, 1))),
        )
        votes = unary
        for _ in range(self._iterations):
            heard = F.batch_dot(F.softmax(votes, axis=1), kernel)
            said = F.dot(compatibility, heard.transpose((1, 0, 2))).transpose((1, 0, 2))  # over classes
            votes = unary + said
        return F.reshape_like(votes, scores)

    def _places(self, F, image):
        like = F.slice_axis(image, axis=1, begin=0, end=1)
        rows, columns = (F.contrib.arange_like(image, axis=axis) for axis in (2, 3))
        zeros = F.zeros_like(like)
        y = F.broadcast_add(zeros, rows.reshape((1, 1, -1, 1)))
        x = F.broadcast_add(zeros, columns.reshape((1, 1, 1, -1)))
        return F.concat(y, x, dim=1)


def _kernel(F, features):
    """(N, d, h, w) features → (N, cells, cells): exp(−|f − f'|² / 2), normalised on both sides."""
    f = features.reshape((0, 0, -1))
    f = F.broadcast_sub(f, F.mean(f, axis=2, keepdims=True))  # small numbers: their squares keep their digits
    square = F.sum(f * f, axis=1)
    both = F.broadcast_add(square.expand_dims(2), square.expand_dims(1))
    kernel = F.exp(-0.5 * F.relu(both - 2 * F.batch_dot(f, f, transpose_a=True)))
    root = F.rsqrt(F.sum(kernel, axis=2))
    return F.broadcast_mul(F.broadcast_mul(kernel, root.expand_dims(2)), root.expand_dims(1))


class _Values(init.Initializer):
    """Given values."""

    def __init__(self, values):
        super().__init__()
        self._values = np.asarray(values, np.float32)

    def _init_weight(self, _, array):
        array[:] = self._values


class WithCRF(gluon.Block):
    """A net and a CRF as one net: for `evaluate`, `compare` and whatever else takes a net.

    (N, 3, H, W) normalised images → (N, C, H, W) log probabilities after the votes. It looks at the whole picture, so
    it is never tiled; `predict(net, image, crf=…)` has tiles, and averages views before the CRF.
    """

    receptive_margin = None

    def __init__(self, net, crf, **kwargs):
        super().__init__(**kwargs)
        self.net, self.crf, self.stride = net, crf, getattr(net, "stride", 32)

    def forward(self, x):
        probabilities = nd.softmax(scores_of(self.net(x)), axis=1).asnumpy()
        refined = [self.crf(*pair) for pair in zip(probabilities, denormalize(x), strict=True)]
        return nd.array(np.log(np.maximum(refined, 1e-30)), ctx=x.context)


GRID = {"w1": (1, 2, 4, 8), "alpha": (10, 20, 40, 80), "beta": (3, 6, 12, 24)}
"""What `search_crf` tries, each value of one setting after the other; w2 and gamma stay, as in the papers."""


def search_crf(pictures, num_classes, grid=None, start=None, rounds=2):
    """(best, tried): the `DenseCRF` with the highest mean IoU, and all that were tried, best first (chapter 13).

    pictures: a list of (probabilities, image, label) of pictures that neither trained the net nor score it, label
    (H, W) with 255 = void, the others as for `DenseCRF`. grid: a dict {setting: values}, default `GRID`. One setting at
    a time is changed, from `start` (default `DenseCRF()`), to the best of its values, and so through all of them,
    `rounds` times. tried: a list of dicts, settings and mean_iou, and among them the net without a CRF, w1 and w2 of 0:
    where that is best, `best` leaves labels as they are. A ValueError for no pictures and for unknown settings.
    """
    pictures, grid = list(pictures), GRID if grid is None else grid
    best = (start or DenseCRF()).settings
    if not pictures or not grid.keys() <= best.keys():
        raise ValueError(f"{len(pictures)} pictures, grid {grid}: expected some, and settings of {', '.join(best)}")
    scores = {}

    def score(settings):
        key = tuple(settings.values())
        if key not in scores:
            metric, crf = SegmentationMetric(num_classes), DenseCRF(**settings)
            for probabilities, image, label in pictures:
                metric.update(np.asarray(label)[None], crf(probabilities, image)[None])
            scores[key] = metric.scores()["mean_iou"]
        return scores[key]

    score(best | {"w1": 0.0, "w2": 0.0})
    score(best)
    for _ in range(rounds):
        for name, values in grid.items():
            best = max([best, *(DenseCRF(**best | {name: value}).settings for value in values)], key=score)
    tried = [dict(zip(best, key, strict=True), mean_iou=value) for key, value in scores.items()]
    tried.sort(key=lambda row: -row["mean_iou"])
    return DenseCRF(**{name: tried[0][name] for name in best}), tried
