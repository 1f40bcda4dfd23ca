"""Pictures of any size through a net, piece by piece; flips and scales averaged.

The net says how (`models.zoo.register_model`): tiles begin at multiples of its `stride`, and overlap by its
`receptive_margin`; one whose margin is None is never tiled.
"""

import numpy as np
from mxnet import nd
from PIL import Image

from ..core import memory
from ..metrics import best_class, scores_of

CORE = 1024
"""Height and width, at most, of a tile's core, the part whose labels are kept."""
STRIDE, MARGIN = 32, 256
"""Of nets that say nothing.

Tiles start at multiples of the stride: there the net's cells lie where they lie in the whole picture. The margin is
what a tile shows the net around its core. A score of an FCN on ResNet18 depends on 248 pixels to each side: with 256,
the next multiple of the stride, a core has the scores of the whole picture, but for the rounding of float32.
"""


def stride_of(net):
    """What a tile's first row and column are a multiple of."""
    return getattr(net, "stride", STRIDE)


def margin_of(net):
    """Pixels around its core that a tile shows the net, a multiple of its stride; None: it must see the whole."""
    margin, stride = getattr(net, "receptive_margin", MARGIN), stride_of(net)
    return None if margin is None else -(-margin // stride) * stride


def in_one_piece(size, net=None):
    """Whether a picture of (height, width) goes through the net whole: one that has no more pixels than a tile."""
    margin = margin_of(net)
    return margin is None or size[0] * size[1] <= (CORE + 2 * margin) ** 2


def labels(net, x, ctx, flip=False, scales=(1,)):
    """(H, W) uint8 NumPy labels and the number of classes of a picture of any size; memory is bounded.

    x: (3, H, W) float32 NumPy, normalised. flip, scales: the softmax is averaged over the picture at each of these
    scales, and over the mirror image of each. Scores exist for one tile at a time.
    """
    scales, size = tuple(scales), x.shape[1:]
    if not scales or not all(0 < scale <= 2 for scale in scales):
        raise ValueError(f"scales={scales!r}: expected numbers above 0, at most 2, such as (0.75, 1, 1.25)")
    views = [_resized(x, scale) for scale in scales]
    found = np.empty(size, np.uint8)
    for i, (rows, columns) in enumerate(cores(size, max(1, *scales), net)):
        if i:  # a large picture: what the tile before left must not add up
            memory.give_back()
        if scales == (1,) and not flip:
            scores = region_scores(net, x, rows, columns, ctx)
            best, num_classes = best_class(scores)[0], scores.shape[1]
        else:
            total = sum(_probabilities(net, view, size, rows, columns, ctx) for view in views)
            if flip:
                mirrored = size[1] - columns[1], size[1] - columns[0]
                for view in views:
                    total += _probabilities(net, view[:, :, ::-1], size, rows, mirrored, ctx)[:, :, ::-1]
            best, num_classes = best_class(total[None])[0], len(total)
        found[slice(*rows), slice(*columns)] = best
    return found, num_classes


def probabilities(net, x, ctx, flip=False, scales=(1,), most=2**26):
    """(C, H, W) float32 NumPy: the softmax that `labels` takes its labels from, of the whole picture at once.

    most: a ValueError where there are more numbers than this; labels need no such room.
    """
    scales, size, found = tuple(scales), x.shape[1:], None
    if not scales or not all(0 < scale <= 2 for scale in scales):
        raise ValueError(f"scales={scales!r}: expected numbers above 0, at most 2, such as (0.75, 1, 1.25)")
    views = [_resized(x, scale) for scale in scales]
    for rows, columns in cores(size, max(1, *scales), net):
        total = sum(_probabilities(net, view, size, rows, columns, ctx) for view in views)
        if flip:
            mirrored = size[1] - columns[1], size[1] - columns[0]
            total = total + sum(
                _probabilities(net, view[:, :, ::-1], size, rows, mirrored, ctx)[:, :, ::-1] for view in views
            )
        if found is None:
            if len(total) * size[0] * size[1] > most:
                raise ValueError(
                    f"{len(total)} classes × {size[0]} × {size[1]} pixels: expected at most {most:,} probabilities of "
                    "one picture; reduce it, or do without the CRF"
                )
            found = np.empty((len(total), *size), np.float32)
        found[:, slice(*rows), slice(*columns)] = total / total.sum(axis=0)
    return found


def cores(size, largest=1, net=None):
    """((top, bottom), (left, right)) of the cores: together they are the picture, and no two overlap.

    largest: the largest scale at which the picture is seen; a core has at most CORE pixels to each side there.
    """
    if in_one_piece([n * largest for n in size], net):
        return [((0, size[0]), (0, size[1]))]
    stride = stride_of(net)
    rows, columns = (_cuts(length, max(1, int(CORE / largest) // stride) * stride, stride) for length in size)
    return [(row, column) for row in rows for column in columns]


def _cuts(length, most, stride):
    """Pairs from 0 to length, at multiples of the stride, about equal, at most `most` (a multiple of it) apart."""
    count = -(-length // most)
    step = -(-length // (count * stride)) * stride
    return [(start, min(start + step, length)) for start in range(0, length, step)]


def region_scores(net, x, rows, columns, ctx):
    """(1, C, h, w) scores of a region of x: (top, bottom) and (left, right) whole numbers."""
    scores, top, left = _tile_scores(net, x, rows, columns, ctx)
    return scores[:, :, rows[0] - top : rows[1] - top, columns[0] - left : columns[1] - left]


def _tile_scores(net, x, rows, columns, ctx):
    """Scores of a region with its margins, and the row and column at which they begin."""
    (top, bottom), (left, right) = (_tile(net, *span, n) for span, n in zip((rows, columns), x.shape[1:], strict=True))
    tile = nd.array(x[None, :, top:bottom, left:right], ctx=ctx)
    scores = scores_of(net(tile))
    if scores.shape[2:] != tile.shape[2:]:
        raise ValueError(
            f"the net gives {scores.shape[2:]} for a picture of {tile.shape[2:]}: does it enlarge and cut its scores?"
        )
    return scores, top, left


def _tile(net, start, stop, length):
    """A region with its margins along one axis: from a multiple of the stride to one, or to the picture's end."""
    margin, stride = margin_of(net), stride_of(net)
    if margin is None:
        return 0, length
    return max(0, int((start - margin) // stride) * stride), min(length, int(-(-(stop + margin) // stride)) * stride)


def _probabilities(net, view, size, rows, columns, ctx):
    """(C, h, w) float32 NumPy: softmax of a region of the picture of `size`, seen at the size of `view`."""
    if view.shape[1:] == size:
        return nd.softmax(region_scores(net, view, rows, columns, ctx), axis=1)[0].asnumpy()
    high, wide = (seen / n for seen, n in zip(view.shape[1:], size, strict=True))
    (top, bottom), (left, right) = [n * high for n in rows], [n * wide for n in columns]
    scores, row, column = _tile_scores(net, view, (top, bottom), (left, right), ctx)
    box = left - column, top - row, right - column, bottom - row
    shape = columns[1] - columns[0], rows[1] - rows[0]
    return _resize(nd.softmax(scores, axis=1)[0].asnumpy(), shape, box)


def _resized(x, scale):
    if scale == 1:
        return x
    return _resize(x, tuple(max(1, round(n * scale)) for n in x.shape[:0:-1]))


def _resize(maps, shape, box=None):
    """(C, H, W) float32 maps → (C, height, width): bilinear, antialiased; shape: (width, height)."""
    return np.stack([Image.fromarray(m).resize(shape, Image.Resampling.BILINEAR, box) for m in maps])
