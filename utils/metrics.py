"""Scores of a segmentation, all from one confusion matrix (chapter 06)."""

import mxnet as mx
import numpy as np

from .labelmap import VOID


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
    """

    def __init__(self, num_classes, name="segmentation"):
        self.num_classes = num_classes
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
                total = pred.sum()  # nan or infinite if one score is
                if not np.isfinite(float(total.asscalar() if isinstance(total, mx.nd.NDArray) else total)):
                    raise ValueError("scores are nan or infinite: the net has diverged, take a smaller learning rate")
                pred = pred.argmax(axis=1)
            label, pred = (a.asnumpy() if isinstance(a, mx.nd.NDArray) else a for a in (label, pred))
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
