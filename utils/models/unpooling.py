"""Pooling that keeps where the maxima were, and unpooling that puts values back there (chapter 12)."""

from mxnet import gluon


class MaxPoolWithIndices(gluon.HybridBlock):
    """(N, C, H, W) → the maxima of 2 × 2 cells and their indices, both (N, C, ⌈H/2⌉, ⌈W/2⌉) float32.

    An index says which of the four it was: 0 and 1 above, 2 and 3 below; the first of equal ones. At an odd end a cell
    is half a cell. The gradient of a maximum goes to that one place.
    """

    window = 2, 2, 0, 1

    def hybrid_forward(self, F, x):
        a, b, c, d = _four(F, x)
        right_above, right_below = F.broadcast_greater(b, a), F.broadcast_greater(d, c)
        above, below = F.where(right_above, b, a), F.where(right_below, d, c)
        is_below = F.broadcast_greater(below, above)
        return F.where(is_below, below, above), F.where(is_below, 2 + right_below, right_above)


class MaxPool(MaxPoolWithIndices):
    """The maxima alone: Gluon's `MaxPool2D(2, ceil_mode=True)`, which refuses maps of one row or column."""

    def hybrid_forward(self, F, x):
        x = F.Pad(x, mode="edge", pad_width=(0, 0, 0, 0, 0, 1, 0, 1))  # a second of a value changes no maximum
        return F.Pooling(x, kernel=(2, 2), stride=(2, 2), pool_type="max")


class MaxUnpool(gluon.HybridBlock):
    """Values and indices (N, C, h, w) → (N, C, H, W) as `like`, each value at its index, 0 elsewhere.

    The inverse of `MaxPoolWithIndices` where the maxima are. like: anything with ⌈H/2⌉ = h and ⌈W/2⌉ = w. In a net, not
    the map that was pooled: MXNet would have to keep it until here (`like_map`).
    """

    def hybrid_forward(self, F, values, indices, like):
        # indices first: MXNet computes in this order, so they are taken on the way down, and the map can be dropped
        four = [(indices == place) * values for place in range(4)]
        whole = F.depth_to_space(F.concat(*four, dim=1), block_size=2)
        return F.slice_like(whole, like, axes=(2, 3))


def _four(F, x):
    """The four of each 2 × 2 cell as four maps, row by row; what an odd end lacks is the one beside it or above."""
    x = F.Pad(x, mode="edge", pad_width=(0, 0, 0, 0, 0, 1, 0, 1))
    rows = (
        F.slice(x, begin=(None, None, 0), end=(None, None, -1), step=(None, None, 2)),
        F.slice(x, begin=(None, None, 1), end=(None, None, None), step=(None, None, 2)),
    )
    for row in rows:
        yield F.slice(row, begin=(None, None, None, 0), end=(None, None, None, -1), step=(None, None, None, 2))
        yield F.slice(row, begin=(None, None, None, 1), end=(None, None, None, None), step=(None, None, None, 2))
