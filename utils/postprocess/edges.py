"""From edge strengths to edges, and their usual scores: ODS, OIS, AP (chapter 14).

Martin, Fowlkes and Malik, *Learning to Detect Natural Image Boundaries Using Local Brightness, Color, and Texture
Cues*, PAMI 2004; Arbeláez, Maire, Fowlkes and Malik, *Contour Detection and Hierarchical Image Segmentation*, PAMI
2011.
"""

import mxnet as mx
import numpy as np
import skimage  # loads its parts when they are used
from scipy import ndimage, sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from ..data.labelmap import VOID


def edge_strength(scores):
    """(H, W) float32 NumPy from 0 to 1: the softmax's share of class 1, of scores (2, H, W) or (1, 2, H, W)."""
    scores = scores.asnumpy() if isinstance(scores, mx.nd.NDArray) else np.asarray(scores)
    scores = scores[0] if scores.ndim == 4 else scores
    if scores.ndim != 3 or scores.shape[0] != 2:
        raise ValueError(f"scores of shape {scores.shape}: expected (2, height, width), no edge and edge")
    return (1 / (1 + np.exp(np.clip(scores[0] - scores[1], -80, 80)))).astype(np.float32)


def canny_strength(image, thresholds, sigma=1.5, ratio=0.4):
    """(H, W) float64: for each pixel the highest of `thresholds` for which Canny keeps it, 0 for none of them.

    By `skimage.feature.canny`, with low = ratio · high, as MATLAB has it. image: (H, W, 3), uint8; thresholds: of its
    grey from 0 to 1, eight times the change a pixel. With it `EdgeMetric`, given the same thresholds, scores Canny at
    each.
    """
    grey = skimage.color.rgb2gray(image)
    strength = np.zeros(grey.shape)
    for high in sorted(thresholds):  # each one's edges are among those of the one before
        strength[skimage.feature.canny(grey, sigma, ratio * high, high, mode="nearest")] = high
    return strength


def suppress(strength, sigma=1.5):
    """(H, W) float32: the strength where it is the largest across the edge, 0 elsewhere (chapter 14).

    Across: the direction in which the strength, smoothed by a Gaussian of `sigma` pixels, changes the most in the
    neighbourhood (the first eigenvector of its structure tensor). Compared is the smoothed strength, with one pixel to
    either side, between pixels bilinearly. What is level stays: thinning makes a line of it. Of lines
    nearer than about 2 · sigma to each other some are lost.
    """
    strength = np.asarray(strength, np.float32)
    if strength.ndim != 2:
        raise ValueError(f"strength of shape {strength.shape}: expected (height, width)")
    _check_finite(strength)
    smooth = ndimage.gaussian_filter(strength.astype(np.float64), sigma, mode="nearest")
    down, right = (ndimage.sobel(smooth, axis, mode="nearest") for axis in (0, 1))
    rr, cc, rc = (ndimage.gaussian_filter(a * b, sigma) for a, b in ((down, down), (right, right), (down, right)))
    angle = 0.5 * np.arctan2(2 * rc, rr - cc)
    rows, columns = np.indices(strength.shape)
    beside = [
        ndimage.map_coordinates(smooth, (rows + y, columns + x), order=1, mode="nearest")
        for y, x in ((np.cos(angle), np.sin(angle)), (-np.cos(angle), -np.sin(angle)))
    ]
    level = 1e-6 * float(np.abs(smooth).max())
    return np.where(smooth >= np.maximum(*beside) - level, strength, 0).astype(np.float32)


def _check_finite(strength):
    if not np.isfinite(strength).all():
        raise ValueError("strengths are nan or infinite: the net has diverged, take a smaller learning rate")


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


THRESHOLDS = (*np.arange(1, 20) / 20, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999)
"""Nets are often very sure: with thresholds to 0.95 only, average precision would miss all that they are surest of."""


class EdgeMetric:
    """ODS, OIS and AP of edge strengths over a split (chapter 14).

    `update(label, strength)`, picture by picture: labels of `true_edges`, 255 = unknown, and strengths (H, W), thinned
    already by `suppress` or by what made them. At each of `thresholds` pixels at or above it are edges, made one pixel
    wide by `skimage.morphology.thin` (Guo and Hall, CACM 1989), as the truth is; those at unknown pixels don't count;
    `match_edges` pairs the others with the truth.
    tolerance: pixels, default 0.75 % of each picture's diagonal, as for BSDS500.

    Precision is the share of found pixels that are matched, recall that of true ones, F = 2 · P · R / (P + R).
    `scores()`: a dict of ods, F over all pictures at the one threshold that is best for the set; threshold, that one;
    ois, F over all pictures, each at its own best; ap, the mean of precision over recalls 0, 0.01 … 1, by straight
    lines between thresholds, 0 for a recall that no threshold has: it is for strengths that vary, as a curve of one
    point has next to none, and wants thresholds near 1, too (chapter 14). `curve()`: arrays (T,) of precision and
    recall, nan where nothing was found, or nothing is true.
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
        _check_finite(strength)
        tolerance = 0.0075 * np.hypot(*label.shape) if self._tolerance is None else self._tolerance
        truth, counts = skimage.morphology.thin(label == 1), np.zeros((len(self.thresholds), 3), int)
        for row, threshold in zip(counts, self.thresholds, strict=True):
            found = skimage.morphology.thin(strength >= threshold) & (label != VOID)
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
    label, strength = np.asarray(label), np.asarray(strength)
    if label.shape != strength.shape or label.ndim != 2:
        raise ValueError(f"label of shape {label.shape}, strength of {strength.shape}: expected one (height, width)")
    if not (label == label.astype(np.uint8)).all():
        raise ValueError(f"label from {label.min():g} to {label.max():g}: expected whole numbers from 0 to 255")
    if not width >= 0 or not np.isfinite(strength).all():
        raise ValueError(
            f"width={width!r}, strengths from {strength.min():g} to {strength.max():g}: expected 0 or more, and numbers"
        )
    label = label.astype(np.uint8)
    markers = np.zeros(label.shape, np.int32)
    for value in np.unique(label):
        parts, count = ndimage.label(label == value)
        distance = ndimage.distance_transform_edt(np.pad(label == value, 1, "edge"))[1:-1, 1:-1]
        for part in range(1, count + 1):
            inside = parts == part
            markers[inside & ((distance > width) | (distance == distance[inside].max()))] = int(value) + 1
    return (skimage.segmentation.watershed(strength, markers, connectivity=2) - 1).astype(np.uint8)
