"""Scores of a net over a data set (chapter 08)."""

from mxnet import gluon

from .metrics import SegmentationMetric


def evaluate(net, data, ctx=None):
    """dict of pixel_acc, mean_acc, mean_iou and fw_iou of a net over a whole data set.

    data: a `Dataset` of (image, label), taken one at a time so that sizes may differ, or a `DataLoader` of batches.
    ctx: a context, or a list, of which the first is used; default: that of the net's parameters.
    """
    return confusion(net, data, ctx).scores()


def confusion(net, data, ctx=None):
    """`SegmentationMetric` filled by a net over a whole data set, as `evaluate` takes it: `.iou`, `.confusion`."""
    ctx = net_context(net, ctx)
    batches = data if isinstance(data, gluon.data.DataLoader) else gluon.data.DataLoader(data, batch_size=1)
    metric = None
    for x, y in batches:
        scores = net(x.as_in_context(ctx))
        metric = metric or SegmentationMetric(scores.shape[1])
        metric.update(y, scores)
    if metric is None:
        raise ValueError(f"{data!r} is empty: nothing to evaluate")
    return metric


def net_context(net, ctx=None):
    """The one context on which a net predicts: the first of `ctx`, or of its first parameter."""
    if ctx is None:
        ctx = next(iter(net.collect_params().values())).list_ctx()
    return ctx[0] if isinstance(ctx, list) else ctx
