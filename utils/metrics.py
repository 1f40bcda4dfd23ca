"""Scores of a segmentation, all from one confusion matrix, and what to compare them with (chapter 06)."""

import mxnet as mx
import numpy as np
from scipy import ndimage

from .data.labelmap import VOID
from .data.transforms import resize
from .data.voc import label_path, read_label


def scores_of(outputs):
    """The scores among what a net gives: one array, or the first of a tuple."""
    return outputs[0] if isinstance(outputs, (list, tuple)) else outputs


def confusion_matrix(label, prediction, num_classes):
    """(C, C) int64 counts of labelled pixels: row = true class, column = predicted class.

    label, prediction: integer arrays of one shape; label 255 (void) is not counted. An index of no class
    is a ValueError.
    """
    label, prediction = _as_bytes("label", label), _as_bytes("prediction", prediction)
    if label.shape != prediction.shape:
        raise ValueError(f"labels of shape {label.shape}, predictions of {prediction.shape}: expected one shape")
    pairs = label.astype(np.uint16) * 256 + prediction  # one number for each pair of true and predicted class
    counts = np.bincount(pairs.ravel(), minlength=256**2).reshape(256, 256)[:VOID]
    for what, axis in ("label", 1), ("prediction", 0):
        found = np.flatnonzero(counts.sum(axis))
        if found.size and found[-1] >= num_classes:
            raise ValueError(f"{what} {found[-1]}: expected 0 to {num_classes - 1} (or {VOID}, void, in labels)")
    return counts[:num_classes, :num_classes]


def _as_bytes(what, array):
    array = np.asarray(array)
    as_bytes = array.astype(np.uint8)
    if not (as_bytes == array).all():
        bad = array[as_bytes != array].flat[0]
        raise ValueError(f"{what} {bad}: expected whole numbers from 0 to {VOID}")
    return as_bytes


class SegmentationMetric(mx.metric.EvalMetric):
    """Pixel accuracy, mean accuracy, mean IoU and frequency-weighted IoU over a whole split.

    `update(labels, preds)`: (N, H, W) labels with 255 = void, and (N, H, W) predicted labels or
    (N, C, H, W) scores, as `NDArray` or lists of them; a classifier's (N,) labels and (N, C) scores count
    as images of one pixel. `get()`: names and values, from one confusion matrix, each from 0 to 1. Means run over
    the classes that occur in truth or prediction (mean accuracy: in truth); nan before the first labelled
    pixel. The paper's section 5 defines all four (Long, Shelhamer and Darrell, CVPR 2015).

    trimap: a width in pixels; only labelled pixels that near to a border count (see `trimap`; its mean IoU is the
    trimap IoU). None: all of them.
    """

    def __init__(self, num_classes, name="segmentation", *, trimap=None):
        self.num_classes, self._width = num_classes, trimap
        super().__init__(name)

    def reset(self):
        """Forget all pixels counted so far."""
        self.confusion = np.zeros((self.num_classes, self.num_classes), np.int64)

    def update(self, labels, preds):
        """Count the pixels of one batch, or of a list of batches."""
        if not isinstance(labels, (list, tuple)):
            labels, preds = [labels], [preds]
        for label, pred in zip(labels, preds, strict=True):
            if len(pred.shape) == len(label.shape) + 1:
                pred = best_class(pred)
            label, pred = (a.asnumpy() if isinstance(a, mx.nd.NDArray) else a for a in (label, pred))
            if self._width is not None:
                label = np.stack([trimap(one, self._width) for one in label])
            self.confusion += confusion_matrix(label, pred, self.num_classes)

    @property
    def iou(self):
        """(C,) float64: intersection over union of each class, nan where it occurs in neither."""
        right = np.diag(self.confusion)
        return _ratio(right, self.confusion.sum(0) + self.confusion.sum(1) - right)

    def get(self):
        """(names, values) of pixel_acc, mean_acc, mean_iou and fw_iou."""
        right, truth = np.diag(self.confusion), self.confusion.sum(1)
        values = [
            _ratio(right.sum(), truth.sum()),
            _mean(_ratio(right, truth)),
            _mean(self.iou),
            np.nansum(truth * self.iou) / truth.sum() if truth.any() else np.nan,
        ]
        return ["pixel_acc", "mean_acc", "mean_iou", "fw_iou"], [float(v) for v in values]

    def scores(self):
        """The same as a dict."""
        return dict(zip(*self.get(), strict=True))


def _ratio(part, whole):
    """part / whole, nan where whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)


def _mean(values):
    return np.nan if np.isnan(values).all() else np.nanmean(values)


def trimap(label, width):
    """(H, W) uint8 NumPy: the label within `width` pixels of a border, 255 (void) everywhere else (chapter 06).

    label: (H, W) class indices, 255 = void, `NDArray` or NumPy. Kept are the labelled pixels whose Euclidean
    distance to the nearest pixel of another label, void included, is at most `width` (in pixels, centre to
    centre: next neighbours are 1 apart). A label of one value has no border, and nothing is kept.
    `SegmentationMetric(num_classes, trimap=4)` scores the borders alone: the trimap IoU.
    """
    label = _as_label(label)
    band = np.full_like(label, VOID)
    values = np.unique(label)
    for value in values[values != VOID] if len(values) > 1 else ():
        # of each pixel of this label, the distance to the nearest of another; 0 outside
        distance = ndimage.distance_transform_edt(label == value)
        band[(distance > 0) & (distance <= width)] = value
    return band


def boundary_f1(label, prediction, num_classes, tolerance=None):
    """(C,) float64: how well the border of each class is met, from 0 to 1; nan where the truth has none (chapter 12).

    label, prediction: (H, W) class indices of one picture, 255 = void, `NDArray` or NumPy. A border: the pixels of a
    class with a neighbour, left, right, above or below, that is another label, void included; what is predicted where
    the truth is void counts as void. Precision is the share of the predicted border within `tolerance` pixels (centre
    to centre) of the true one, recall the share of the true within as much of the predicted, and the score
    2 · precision · recall / (precision + recall). tolerance: default 0.75 % of the picture's diagonal, as in SegNet's
    tables and in Csurka and others, BMVC 2013.
    """
    label, prediction = _as_label(label), _as_label(prediction)
    confusion_matrix(label, prediction, num_classes)  # other shapes and an index of no class are errors
    if tolerance is None:
        tolerance = 0.0075 * np.hypot(*label.shape)
    if not tolerance >= 0:
        raise ValueError(f"tolerance={tolerance!r}: expected a number of pixels, 0 or more")
    prediction = np.where(label == VOID, VOID, prediction)
    truth, found, scores = _on_border(label), _on_border(prediction), np.full(num_classes, np.nan)
    for c in np.unique(label[truth & (label != VOID)]):
        true_border, found_border = truth & (label == c), found & (prediction == c)
        hit, met = (
            np.mean(ndimage.distance_transform_edt(~there)[these] <= tolerance) if there.any() and these.any() else 0
            for these, there in ((found_border, true_border), (true_border, found_border))
        )
        scores[c] = 2 * hit * met / (hit + met) if hit + met else 0
    return scores


def _on_border(label):
    """(H, W) bool: pixels with another label left, right, above or below."""
    border = np.zeros(label.shape, bool)
    for axis in 0, 1:
        first, second = (np.moveaxis(label, axis, 0)[part] for part in (slice(-1), slice(1, None)))
        differs, along = first != second, np.moveaxis(border, axis, 0)
        along[:-1] |= differs
        along[1:] |= differs
    return border


class BoundaryF1(mx.metric.EvalMetric):
    """`boundary_f1` over a split (chapter 12): the mean over pictures of each one's mean over its classes.

    `update(labels, preds)` as that of `SegmentationMetric`. `get()`: its name and value, from 0 to 1; pictures whose
    truth has no border don't count, nan where none has. `by_class`: (C,) the mean over the pictures that have its
    border. tolerance: in pixels, default 0.75 % of each picture's diagonal.
    """

    def __init__(self, num_classes, name="boundary_f1", tolerance=None):
        self.num_classes, self._tolerance = num_classes, tolerance
        super().__init__(name)

    def reset(self):
        """Forget all pictures."""
        self._scores = []

    def update(self, labels, preds):
        """Score the pictures of one batch, or of a list of batches."""
        if not isinstance(labels, (list, tuple)):
            labels, preds = [labels], [preds]
        for label, pred in zip(labels, preds, strict=True):
            if len(pred.shape) == len(label.shape) + 1:
                pred = best_class(pred)
            self._scores += [
                boundary_f1(*pair, self.num_classes, self._tolerance) for pair in zip(label, pred, strict=True)
            ]

    @property
    def by_class(self):
        columns = np.reshape(self._scores, (-1, self.num_classes)).T
        return np.array([_mean(column) for column in columns])

    def get(self):
        """(name, value)."""
        return self.name, float(_mean(np.array([_mean(scores) for scores in self._scores])))


def ceiling(label, stride, num_classes):
    """(H, W) uint8 NumPy prediction: the truth itself, reduced by `stride` and enlarged again (chapter 06).

    label: (H, W) class indices, 255 = void, `NDArray` or NumPy. One map a class, 1 where it is and 0 elsewhere (void
    is in none), is averaged over blocks of stride × stride (those at the border over the pixels that they have)
    and enlarged bilinearly, block centres where they are and the outermost repeated; the class of the highest value
    wins, the lower index where two are equal. Void is never predicted; where no class is near, it says 0.

    What a map of 1/stride of the size can reasonably do: not a strict bound, since a net is free to choose scores
    other than these averages and may do a little better.
    """
    label = _as_label(label)
    confusion_matrix(label, np.zeros_like(label), num_classes)  # an index of no class is an error
    maps = (label == np.arange(num_classes)[:, None, None]).astype(np.float32)
    (down_h, up_h), (down_w, up_w) = (_down_and_up(size, stride) for size in label.shape)
    coarse = down_h @ maps @ down_w.T
    return (up_h @ coarse @ up_w.T).argmax(axis=0).astype(np.uint8)


def _down_and_up(size, stride):
    """Matrices (blocks, size) that averages blocks and (size, blocks) that enlarges bilinearly, along one axis."""
    pixels, blocks = np.arange(size), np.arange(-(-size // stride))
    down = (pixels // stride == blocks[:, None]).astype(np.float32)
    place = np.clip((pixels + 0.5) / stride - 0.5, 0, blocks[-1])  # of each pixel's centre, in blocks
    up = np.maximum(0, 1 - np.abs(place[:, None] - blocks)).astype(np.float32)
    return down / down.sum(axis=1, keepdims=True), up


def baseline(train_set, test_set):
    """(index, scores): the commonest class of the training labels, and the scores of naming it everywhere (chapter 06).

    train_set, test_set: `VOCSegDataset`. Training labels are counted whole, not as random crops, at the data set's
    scale, void left out. scores: what `SegmentationMetric.scores` says of naming this one class at each pixel of
    the test set. A net that scores no more has learned nothing.
    """
    classes, counts = train_set.classes, np.zeros(VOID + 1, np.int64)
    for name in train_set.names:
        label = read_label(label_path(train_set.root, name), classes)
        counts += np.bincount(resize(label, train_set.scale).ravel(), minlength=VOID + 1)
    index = int(counts[: len(classes)].argmax())
    metric = SegmentationMetric(len(classes))
    for _, label, *_ in test_set:
        metric.update(label, np.full(label.shape, index))
    return index, metric.scores()


def _as_label(label):
    label = _as_bytes("label", label.asnumpy() if isinstance(label, mx.nd.NDArray) else label)
    if label.ndim != 2:
        raise ValueError(f"label of shape {label.shape}: expected (height, width), one picture's")
    return label


def best_class(scores):
    """(N, ...) NumPy indices, uint8 up to 256 classes, of the largest of scores (N, C, ...); the first of equal ones.

    scores: `NDArray` or NumPy. On a CPU several times faster than argmax along axis 1, MXNet's or NumPy's: each map is
    read once, in order, and compared with the best so far. ValueError where a score is no number.
    """
    if getattr(getattr(scores, "context", None), "device_type", "cpu") == "gpu":  # there argmax is fast, the way is not
        finite, labels = np.isfinite(scores.sum().asscalar()), scores.argmax(axis=1).asnumpy()
    else:
        scores = scores if isinstance(scores, np.ndarray) else scores.asnumpy()
        finite = np.isfinite(scores).all()
        labels = np.zeros((len(scores), *scores.shape[2:]), np.min_scalar_type(scores.shape[1] - 1))
        for i in range(len(scores)):  # image by image: its maps stay in the processor's cache
            best, label = scores[i : i + 1, 0].copy(), labels[i : i + 1]
            for index in range(1, scores.shape[1]):
                one = scores[i : i + 1, index]
                better = one > best
                np.maximum(best, one, out=best)
                np.maximum(label, better * labels.dtype.type(index), out=label)  # later classes have higher indices
    if not finite:
        raise ValueError("scores are nan or infinite: the net has diverged, take a smaller learning rate")
    return labels
