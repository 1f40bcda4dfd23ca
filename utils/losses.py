"""Cross-entropy over pixels, void left out (chapter 08); weighted by class (10), pixel (12), edge (14), head (16)."""

import numpy as np
from mxnet import gluon, nd
from scipy import ndimage

from .data.labelmap import VOID


class SoftmaxCrossEntropyLoss(gluon.HybridBlock):
    """Each image's mean cross-entropy over its own labelled pixels, 0 where it has none; natural logarithm.

    Call with scores (N, C, H, W), classes on `axis`, and labels (N, H, W): (N,) losses come back, like those
    of Gluon's own losses, so that `trainer.step(N)` follows. Pixels labelled `ignore_label` give no loss and no
    gradient. A classifier's scores (N, C) and labels (N,) work the same way. Labels may be of any type. An index of no
    class is not noticed here (MXNet's `pick` clips it); `SegmentationMetric` notices it.
    """

    def __init__(self, axis=1, ignore_label=VOID, **kwargs):
        super().__init__(**kwargs)
        self._axis, self._ignore_label = axis, ignore_label

    def hybrid_forward(self, F, scores, label):
        axis, label = self._axis, F.cast(label, "float32")
        if axis == 1:  # classes last, as MXNet's softmax is several times slower over another axis
            scores, label, axis = scores.reshape((0, 0, -1)).transpose((0, 2, 1)), label.reshape((0, -1)), -1
        known = label != self._ignore_label
        target = F.where(known, label, F.zeros_like(label))
        # log_softmax, not log(softmax): a probability that underflows to 0 has no logarithm
        loss = -F.pick(F.log_softmax(scores, axis=axis), target, axis=axis)
        loss = F.where(known, loss, F.zeros_like(loss))
        count = F.sum(known, axis=0, exclude=True)
        return F.sum(loss, axis=0, exclude=True) / F.maximum(count, F.ones_like(count))


class WeightedCrossEntropyLoss(gluon.Block):
    """`SoftmaxCrossEntropyLoss` with each pixel's loss times the weight of its class (chapter 10): (N,) losses.

    weights: one a class. The mean is over labelled pixels, not over weights: all 1 is the plain loss.
    """

    def __init__(self, weights, **kwargs):
        super().__init__(**kwargs)
        self._weights = [float(weight) for weight in weights]

    def forward(self, scores, label):
        known = label != VOID
        target = nd.where(known, label, nd.zeros_like(label))
        weights = nd.array(self._weights, ctx=scores.context).take(target)
        losses = -nd.pick(nd.log_softmax(scores.transpose((0, 2, 3, 1)), axis=-1), target, axis=-1) * weights
        losses = nd.where(known, losses, nd.zeros_like(losses))
        return losses.sum(axis=(1, 2)) / nd.maximum(known.sum(axis=(1, 2)), 1)


def frequency_weights(pixels, way):
    """(C,) weights by frequency (chapter 10): the average labelled pixel weighs 1, a class that never occurs 0.

    pixels: (pictures, C) labelled pixels of each class. way: "inverse", 1 / its share of all; "median", 1 / its share
    in the pictures that show it (the median itself is a factor common to all, which the average takes out).
    """
    counts, labelled = pixels.sum(0), pixels.sum(1, keepdims=True)
    seen = ((pixels > 0) * labelled).sum(0)  # all labelled pixels of the pictures that show it
    share = counts / (seen if way == "median" else counts.sum()).clip(1)
    weights = np.divide(1, share, out=np.zeros_like(share), where=share > 0)
    return weights * counts.sum() / (weights * counts).sum()


class PixelWeightedCrossEntropyLoss(gluon.HybridBlock):
    """Call with scores (N, C, H, W), labels (N, H, W) and weights (N, H, W): (N,) losses (chapter 12).

    Each image's mean, over its labelled pixels, of the cross-entropy times the pixel's weight: with weights of 1 it is
    `SoftmaxCrossEntropyLoss`.
    """

    def hybrid_forward(self, F, scores, label, weights):
        known = label != VOID
        target = F.where(known, label, F.zeros_like(label))
        losses = -F.pick(F.log_softmax(scores.transpose((0, 2, 3, 1)), axis=-1), target, axis=-1) * weights
        losses, count = F.where(known, losses, F.zeros_like(losses)), F.sum(known, axis=(1, 2))
        return F.sum(losses, axis=(1, 2)) / F.maximum(count, F.ones_like(count))


def border_weights(cells, w0=10, sigma=5, class_weights=(1, 1)):
    """(H, W) float32 NumPy: U-Net's weight of each pixel, high in narrow gaps between cells (chapter 12).

    cells: (H, W) whole numbers, 0 = background, each other number one cell. class_weights: of background and cell.
    To them comes w0 · exp(−(d1 + d2)² / 2 sigma²), d1 and d2 being the distances to the borders of the nearest cell and
    of the second nearest, in pixels; nothing where there are fewer than two. A border is the cell's own pixels beside
    another number. Ronneberger, Fischer and Brox, MICCAI 2015, section 3, equation 2.
    """
    cells = np.asarray(cells)
    if cells.ndim != 2 or not (np.equal(np.mod(cells, 1), 0) & (cells >= 0)).all():
        raise ValueError(
            f"cells of shape {cells.shape}, from {cells.min():g} to {cells.max():g}: expected (height, width) whole "
            "numbers, 0 for background and one number a cell"
        )
    if sigma <= 0:
        raise ValueError(f"sigma={sigma!r}: expected pixels, above 0")
    nearest = second = np.full(cells.shape, np.inf)
    for number in np.unique(cells[cells > 0]):
        cell = cells == number
        border = cell & ~ndimage.binary_erosion(cell, border_value=1)
        distance = ndimage.distance_transform_edt(~border) if border.any() else np.full(cells.shape, np.inf)
        nearest, second = np.minimum(nearest, distance), np.clip(distance, nearest, second)
    weights = np.where(cells > 0, class_weights[1], class_weights[0])
    return (weights + w0 * np.exp(-((nearest + second) ** 2) / (2 * sigma**2))).astype(np.float32)


class ClassBalancedLoss(gluon.HybridBlock):
    """HED's cross-entropy of rare pixels: scores (N, 2, H, W), labels (N, H, W) 0, 1 or 255 → (N,) losses (chapter 14).

    Of each picture's labelled pixels the edges, label 1, weigh as much as the share of the others, β, and these 1 − β:
    both sides weigh the same in sum. Its mean over labelled pixels is the loss; pixels labelled 255 give none, and no
    gradient. A picture without an edge (β = 1), or all edge, or all void, gives 0. Xie and Tu, ICCV 2015, equation 2,
    divided by the number of pixels.
    """

    def hybrid_forward(self, F, scores, label):
        label = F.cast(label, "float32")
        known, edge = label != VOID, label == 1
        rest = known - edge
        count, edges = (F.sum(pixels, axis=(1, 2), keepdims=True) for pixels in (known, edge))
        some = F.maximum(count, F.ones_like(count))
        weight = F.broadcast_mul(edge, (count - edges) / some) + F.broadcast_mul(rest, edges / some)
        margin = F.squeeze(F.slice_axis(scores, 1, 1, 2) - F.slice_axis(scores, 1, 0, 1), axis=1)
        # −log of the sigmoid of ±margin: softrelu, log(1 + eˣ), never overflows, and has its right gradient at 0, too
        loss = F.Activation(margin, act_type="softrelu") - margin * edge
        loss = F.where(known, loss * weight, F.zeros_like(loss))
        return F.sum(loss, axis=(1, 2)) / F.reshape(some, (-1,))


class AuxiliaryLoss(gluon.Block):
    """Of a net with an auxiliary head: the scores' cross-entropy, and `weight` times the head's: (N,) (chapter 16).

    Call with (scores, auxiliary scores), each (N, C, H, W), and labels (N, H, W), 255 = void. weight: 0.4 is that of
    PSPNet's authors (aux_weight in their hszhao/semseg), 0.2 the default of GluonCV's loss.
    """

    def __init__(self, weight=0.4, **kwargs):
        super().__init__(**kwargs)
        if not weight >= 0:
            raise ValueError(f"weight={weight!r}: expected a number from 0 on")
        self._weight = weight
        with self.name_scope():
            self.cross_entropy = SoftmaxCrossEntropyLoss()

    def forward(self, outputs, label):
        scores, auxiliary = outputs
        return self.cross_entropy(scores, label) + self._weight * self.cross_entropy(auxiliary, label)


class HEDLoss(gluon.Block):
    """Of a net with several outputs, such as `HED`: each one's `ClassBalancedLoss`, added up: (N,) losses (chapter 14).

    side_weight: what the losses of the side outputs count, all but the first; 0 leaves them out, and only the fusion is
    taught. Xie and Tu, ICCV 2015, section 2.2, where it is 1.
    """

    def __init__(self, side_weight=1.0, **kwargs):
        super().__init__(**kwargs)
        if not side_weight >= 0:
            raise ValueError(f"side_weight={side_weight!r}: expected a number from 0 on")
        self._side_weight = side_weight
        with self.name_scope():
            self.balanced = ClassBalancedLoss()

    def forward(self, outputs, label):
        fusion, *sides = outputs
        loss = self.balanced(fusion, label)
        for side in sides:  # with a weight of 0 too: `utils.train` asks for the gradient of every output
            loss = loss + self._side_weight * self.balanced(side, label)
        return loss
