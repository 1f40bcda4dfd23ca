"""Scores of a net over a data set (chapter 08)."""

import numpy as np
from mxnet import gluon

from ..data.batches import Batches
from ..metrics import SegmentationMetric, scores_of
from . import tiling


def evaluate(net, data, ctx=None, *, flip=False, scales=(1,)):
    """dict of pixel_acc, mean_acc, mean_iou and fw_iou of a net over a whole data set.

    data: a `Dataset` of (image, label), taken one at a time so that sizes may differ, or a `DataLoader` of batches:
    arrays, or lists of images and of labels, whose sizes may differ too. Large pictures are tiled as in `predict`. Of a
    net with several outputs the first is scored.
    ctx: a context, or a list, of which the first is used; default: that of the net's parameters. flip, scales: see
    `predict`.
    """
    return confusion(net, data, ctx, flip=flip, scales=scales).scores()


def confusion(net, data, ctx=None, *, flip=False, scales=(1,)):
    """`SegmentationMetric` filled by a net over a whole data set, as `evaluate` takes it: `.iou`, `.confusion`."""
    ctx, plain = net_context(net, ctx), not flip and tuple(scales) == (1,)
    batches = data if isinstance(data, gluon.data.DataLoader) else gluon.data.DataLoader(data, batch_size=1)
    metric = waiting = None
    for x, y in _of_one_size(batches):
        if x.ndim != 4 or plain and tiling.in_one_piece(x.shape[2:], net):
            scores = scores_of(net(x.as_in_context(ctx)))
            num_classes = scores.shape[1]
        else:  # labels, without ever holding the scores of a whole picture
            found = [tiling.labels(net, image.asnumpy(), ctx, flip, scales) for image in x]
            scores, num_classes = np.stack([label for label, _ in found]), found[0][1]
        if waiting:  # counted while MXNet works on the next batch, and the next but one is read
            metric.update(*waiting)
        metric, waiting = metric or SegmentationMetric(num_classes), (y, scores)
    if metric is None:
        raise ValueError(f"{data!r} is empty: nothing to evaluate")
    metric.update(*waiting)
    return metric


def _of_one_size(batches):
    """The batches, those that are lists taken apart."""
    for x, y, *_ in Batches(batches):
        if isinstance(x, (list, tuple)):
            yield from ((image.expand_dims(0), label.expand_dims(0)) for image, label in zip(x, y, strict=True))
        else:
            yield x, y


def net_context(net, ctx=None):
    """The one context on which a net predicts: the first of `ctx`, or of its first parameter."""
    if ctx is None:
        ctx = next(iter(net.collect_params().values())).list_ctx()
    return ctx[0] if isinstance(ctx, list) else ctx
