"""From edge strengths to edges, and how edge people score them: ODS, OIS, AP (chapter 14).

Martin, Fowlkes and Malik, *Learning to Detect Natural Image Boundaries Using Local Brightness, Color, and Texture
Cues*, PAMI 2004; Arbeláez, Maire, Fowlkes and Malik, *Contour Detection and Hierarchical Image Segmentation*, PAMI
2011.
"""

import mxnet as mx
import numpy as np
from scipy import ndimage, sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from ..data.labelmap import VOID

_EIGHT = np.ones((3, 3), bool)
_ROUND = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]  # from the pixel above, clockwise


def edge_strength(scores):
    """(H, W) float32 NumPy from 0 to 1: the softmax's share of class 1, of scores (2, H, W) or (1, 2, H, W)."""
    scores = scores.asnumpy() if isinstance(scores, mx.nd.NDArray) else np.asarray(scores)
    scores = scores[0] if scores.ndim == 4 else scores
    if scores.ndim != 3 or scores.shape[0] != 2:
        raise ValueError(f"scores of shape {scores.shape}: expected (2, height, width), no edge and edge")
    return (1 / (1 + np.exp(np.clip(scores[0] - scores[1], -80, 80)))).astype(np.float32)


def sobel(image):
    """(H, W) float32: the length of the gradient by Sobel's kernels, in steps of grey a pixel (chapter 14).

    image: (H, W, 3) or (H, W), uint8. Beyond the picture its last pixels are repeated.
    """
    return np.hypot(*_gradient(_grey(image))).astype(np.float32) / 8


def canny(image, low, high, sigma=0):
    """(H, W) bool: Canny's edges (chapter 14).

    Smoothed by a Gaussian of `sigma` pixels; gradients by Sobel's kernels; a pixel is kept where its gradient is the
    largest along the gradient's direction (one of four), above `high`, or above `low` and joined to such pixels through
    others. low, high: in steps of grey a pixel, an eighth of OpenCV's numbers.
    """
    if not 0 <= low <= high:
        raise ValueError(f"low={low!r}, high={high!r}: expected 0 ≤ low ≤ high")
    length, largest = _largest(image, sigma)
    return _joined(largest & (length > low), length > high)


def canny_strength(image, thresholds, sigma=1.5, ratio=0.4):
    """(H, W) float32: for each pixel the highest of `thresholds` for which Canny keeps it, 0 for none of them.

    low = ratio · high, as MATLAB has it. With it `EdgeMetric`, given the same thresholds, scores Canny at each.
    """
    length, largest = _largest(image, sigma)
    strength = np.zeros(length.shape, np.float32)
    for high in sorted(thresholds):  # each one's edges are among those of the one before
        strength[_joined(largest & (length > ratio * high), length > high)] = high
    return strength


def _grey(image):
    image = np.asarray(image if isinstance(image, np.ndarray) else image.asnumpy())
    if image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)) or not image.size or image.dtype != np.uint8:
        raise ValueError(f"image of shape {image.shape} and {image.dtype}: expected (height, width[, 3]) and uint8")
    return image.astype(np.float64) if image.ndim == 2 else image @ np.array([0.299, 0.587, 0.114])


def _gradient(grey):
    """Down and to the right, by Sobel's kernels: eight times the steps of grey a pixel."""
    return [ndimage.sobel(grey, axis, mode="nearest") for axis in (0, 1)]


def _largest(image, sigma):
    """The gradient's length, and where it is the largest along its direction, as OpenCV rounds that to four."""
    grey = _grey(image)
    down, right = _gradient(ndimage.gaussian_filter(grey, sigma, mode="nearest") if sigma else grey)
    squared = np.round(down**2 + right**2, 6)  # ties must stay ties
    near = np.pad(squared, 1)  # beyond the picture there is no gradient

    def beside(row, column):
        return near[1 + row : near.shape[0] - 1 + row, 1 + column : near.shape[1] - 1 + column]

    steep, flat = np.tan(np.pi / 8) * np.abs(right), np.tan(3 * np.pi / 8) * np.abs(right)
    level, upright = np.abs(down) < steep, np.abs(down) > flat
    along = (squared > beside(0, -1)) & (squared >= beside(0, 1))
    across = (squared > beside(-1, 0)) & (squared >= beside(1, 0))
    falling = (squared > beside(-1, -1)) & (squared > beside(1, 1))
    rising = (squared > beside(-1, 1)) & (squared > beside(1, -1))
    slanting = np.where((down < 0) == (right < 0), falling, rising)
    return np.sqrt(squared) / 8, np.where(level, along, np.where(upright, across, slanting)) & (squared > 0)


def _joined(weak, strong):
    """The connected parts of `weak`, diagonals included, with a pixel of `strong` in them."""
    parts, count = ndimage.label(weak, _EIGHT)
    kept = np.zeros(count + 1, bool)
    kept[parts[weak & strong]] = True
    kept[0] = False
    return kept[parts]


def suppress(strength, sigma=1.5):
    """(H, W) float32: the strength where it is the largest across the edge, 0 elsewhere (chapter 14).

    Across: the direction in which the strength, smoothed by a Gaussian of `sigma` pixels, changes the most in the
    neighbourhood (the first eigenvector of its structure tensor). Compared is the smoothed strength, with one pixel to
    either side, between pixels bilinearly. What is level stays: `thin` makes a line of it.
    """
    strength = np.asarray(strength, np.float32)
    if strength.ndim != 2:
        raise ValueError(f"strength of shape {strength.shape}: expected (height, width)")
    smooth = ndimage.gaussian_filter(strength.astype(np.float64), sigma, mode="nearest")
    down, right = _gradient(smooth)
    rr, cc, rc = (ndimage.gaussian_filter(a * b, sigma) for a, b in ((down, down), (right, right), (down, right)))
    angle = 0.5 * np.arctan2(2 * rc, rr - cc)
    rows, columns = np.indices(strength.shape)
    beside = [
        ndimage.map_coordinates(smooth, (rows + y, columns + x), order=1, mode="nearest")
        for y, x in ((np.cos(angle), np.sin(angle)), (-np.cos(angle), -np.sin(angle)))
    ]
    level = 1e-6 * float(np.abs(smooth).max())
    return np.where(smooth >= np.maximum(*beside) - level, strength, 0).astype(np.float32)


def thin(edges):
    """(H, W) bool: lines one pixel wide of what may be thicker, in as many pieces, with as many holes (chapter 14).

    Pixels are taken off from two sides in turn, where that parts nothing and shortens no line. Guo and Hall, *Parallel
    Thinning with Two-Subiteration Algorithms*, CACM 1989.
    """
    edges = np.asarray(edges, bool)
    if edges.ndim != 2:
        raise ValueError(f"edges of shape {edges.shape}: expected (height, width)")
    changed = edges.any()
    while changed:
        changed = False
        for half in 0, 1:
            gone = _removable(edges, half)
            if gone.any():
                edges, changed = edges & ~gone, True
    return edges


def _removable(edges, half):
    near = np.pad(edges, 1)
    rows, columns = np.nonzero(edges)
    n, ne, e, se, s, sw, w, nw = (near[1 + rows + down, 1 + columns + right] for down, right in _ROUND)
    runs = sum((~a & (b | c)).astype(int) for a, b, c in ((n, ne, e), (e, se, s), (s, sw, w), (w, nw, n)))
    pairs = [((nw, n), (ne, e), (se, s), (sw, w)), ((n, ne), (e, se), (s, sw), (w, nw))]
    fewest = np.minimum(*[sum((a | b).astype(int) for a, b in four) for four in pairs])
    inner = (s | sw | ~nw) & w if half == 0 else (n | ne | ~se) & e
    chosen = (runs == 1) & (fewest >= 2) & (fewest <= 3) & ~inner  # joins nothing, ends nothing, is on this side
    gone = np.zeros(edges.shape, bool)
    gone[rows[chosen], columns[chosen]] = True
    return gone


def match_edges(found, truth, tolerance):
    """Two (H, W) bools: the pixels of `found` and those of `truth` that have a partner, each at most one (chapter 14).

    Partners are at most `tolerance` pixels apart, centre to centre, and as many pairs are made as can be: a largest
    matching of a bipartite graph, by Hopcroft and Karp.
    """
    found, truth = np.asarray(found, bool), np.asarray(truth, bool)
    if found.shape != truth.shape or found.ndim != 2 or not tolerance >= 0:
        raise ValueError(
            f"found of shape {found.shape}, truth of {truth.shape}, tolerance {tolerance!r}: expected one shape, "
            "(height, width), and pixels from 0 on"
        )
    matched = np.zeros(found.shape, bool), np.zeros(found.shape, bool)
    ours, theirs = np.argwhere(found), np.argwhere(truth)
    if len(ours) and len(theirs):
        pairs = cKDTree(ours).sparse_distance_matrix(cKDTree(theirs), tolerance + 1e-9, output_type="coo_matrix")
        graph = sparse.csr_matrix((np.ones(len(pairs.row), bool), (pairs.row, pairs.col)), shape=pairs.shape)
        partner = csgraph.maximum_bipartite_matching(graph, perm_type="column")  # of each of ours; −1: none
        for mask, pixels in zip(matched, (ours[partner >= 0], theirs[partner[partner >= 0]]), strict=True):
            mask[tuple(pixels.T)] = True
    return matched


THRESHOLDS = tuple(np.arange(1, 20) / 20)


class EdgeMetric:
    """ODS, OIS and AP of edge strengths over a split (chapter 14).

    `update(label, strength)`, picture by picture: labels of `true_edges`, 255 = unknown, and strengths (H, W), thinned
    already by `suppress` or by what made them. At each of `thresholds` pixels at or above it are edges, made one pixel
    wide by `thin`, as the truth is; those at unknown pixels don't count; `match_edges` pairs the others with the truth.
    tolerance: pixels, default 0.75 % of each picture's diagonal, as for BSDS500.

    Precision is the share of found pixels that are matched, recall that of true ones, F = 2 · P · R / (P + R).
    `scores()`: a dict of ods, F over all pictures at the one threshold that is best for the set; threshold, that one;
    ois, F over all pictures, each at its own best; ap, the mean of precision over recalls 0, 0.01 … 1, by straight
    lines between thresholds, 0 for a recall that no threshold has. `curve()`: arrays (T,) of precision and recall, nan
    where nothing was found, or nothing is true.
    """

    def __init__(self, thresholds=THRESHOLDS, tolerance=None):
        self.thresholds = np.unique(np.asarray(thresholds, np.float64))
        if not self.thresholds.size or not (self.thresholds > 0).all():
            raise ValueError(f"thresholds={thresholds!r}: expected some numbers above 0")
        self._tolerance, self._counts = tolerance, []

    def update(self, label, strength):
        """Score one picture."""
        label, strength = (a.asnumpy() if isinstance(a, mx.nd.NDArray) else np.asarray(a) for a in (label, strength))
        if label.shape != strength.shape or label.ndim != 2:
            raise ValueError(
                f"label of shape {label.shape}, strength of {strength.shape}: expected one (height, width)"
            )
        if not np.isin(label, (0, 1, VOID)).all():
            raise ValueError(
                f"label with {np.setdiff1d(label, (0, 1, VOID))[0]:g}: expected 0, 1 and {VOID}: true_edges"
            )
        if not np.isfinite(strength).all():
            raise ValueError("strengths are nan or infinite: the net has diverged, take a smaller learning rate")
        tolerance = 0.0075 * np.hypot(*label.shape) if self._tolerance is None else self._tolerance
        truth, counts = thin(label == 1), np.zeros((len(self.thresholds), 3), int)
        for row, threshold in zip(counts, self.thresholds, strict=True):
            found = thin(strength >= threshold) & (label != VOID)
            row[:] = match_edges(found, truth, tolerance)[0].sum(), found.sum(), truth.sum()
        self._counts.append(counts)

    def curve(self):
        """(precision, recall), each (T,) float64."""
        matched, found, true = np.sum(self._counts, axis=0).T if self._counts else np.zeros((3, len(self.thresholds)))
        return _share(matched, found), _share(matched, true)

    def scores(self):
        """dict of ods, threshold, ois and ap; nan before the first true edge."""
        counts = np.array(self._counts)
        if not counts.size or not counts[:, 0, 2].any():
            return dict.fromkeys(("ods", "threshold", "ois", "ap"), float("nan"))
        whole = counts.sum(0)
        best = int(f_measure(whole).argmax())
        # of thresholds that are as good for a picture, the one that finds the fewest
        order = [max(range(len(one)), key=lambda t: (f_measure(one)[t], -one[t, 1])) for one in counts]
        own = sum(one[t] for one, t in zip(counts, order, strict=True))
        found = {"ods": f_measure(whole)[best], "threshold": self.thresholds[best], "ois": f_measure(own[None])[0]}
        return {key: float(value) for key, value in found.items()} | {"ap": average_precision(*self.curve())}


def f_measure(counts):
    """F of rows of (matched, found, true): 2 · P · R / (P + R), which is 2 · matched / (found + true); 0 of nothing."""
    counts = np.asarray(counts, np.float64)
    return 2 * counts[:, 0] / np.maximum(counts[:, 1] + counts[:, 2], 1)


def average_precision(precision, recall):
    """The mean of precision over the recalls 0, 0.01 … 1, by straight lines; 0 beyond the least and greatest recall."""
    known = ~(np.isnan(precision) | np.isnan(recall))
    if not known.any():
        return 0.0
    recall, first = np.unique(np.asarray(recall)[known][::-1], return_index=True)
    precision = np.asarray(precision)[known][::-1][first]
    return float(np.interp(np.arange(101) / 100, recall, precision, left=0, right=0).mean())


def _share(part, whole):
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)


def snap_to_edges(label, strength, width):
    """(H, W) uint8 NumPy: a segmentation whose borders move to the strongest edge near them (chapter 14).

    label: (H, W) class indices. Pixels farther than `width` from any border keep their label, as does a class that has
    none so far from one; the band between is flooded from there, where edges are weakest first (a watershed).
    """
    label, strength = np.asarray(label).astype(np.uint8), np.asarray(strength)
    if label.shape != strength.shape or label.ndim != 2:
        raise ValueError(f"label of shape {label.shape}, strength of {strength.shape}: expected one (height, width)")
    markers = np.zeros(label.shape, np.int32)
    for value in np.unique(label):
        parts, count = ndimage.label(label == value)
        distance = ndimage.distance_transform_edt(np.pad(label == value, 1, "edge"))[1:-1, 1:-1]
        for part in range(1, count + 1):
            inside = parts == part
            markers[inside & ((distance > width) | (distance == distance[inside].max()))] = int(value) + 1
    heights = np.round(255 * np.clip(strength, 0, 1)).astype(np.uint8)
    return (ndimage.watershed_ift(heights, markers, _EIGHT) - 1).astype(np.uint8)
