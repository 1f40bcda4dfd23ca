"""A backbone as an encoder: its last map at each stride, with a cell for every pixel (chapter 12)."""

import mxnet as mx
from mxnet.gluon import nn

from .backbones import Features, _row
from .surgery import receptive_field, receptive_margin
from .unpooling import MaxPool
from .upsampling import MatrixUpsampling, reach


def as_encoder(features):
    """`Features` of the same layers, whose map at each stride is the last one there: what comes next halves it.

    For VGG16 these are the maps before the poolings, the finest at stride 1; `features` as they come have those after.
    2 × 2 poolings round up, so that no pixel is without a cell. Where nothing is convolved at stride 1, the finest map
    is at 2. Strides that don't double from map to map are a ValueError.
    """
    if not isinstance(features, Features):
        raise ValueError(f"{type(features).__name__}: expected the Features of a backbone (utils.backbones)")
    layers = [MaxPool(prefix="") if _halves(layer) else layer for layer in features]
    ends = {}
    for i in range(len(layers)):
        size, stride, _ = receptive_field(_row(layers[: i + 1]))
        if size > 1:  # beyond single pixels: something was convolved
            ends[stride] = i
    strides = list(ends)
    if len(strides) < 2 or strides != [strides[0] * 2**i for i in range(len(strides))]:
        found = ", ".join(map(str, strides))
        raise ValueError(f"maps at strides {found}: a decoder needs two or more, each stride twice the one before")
    encoder = Features(ends, prefix=features.prefix)
    encoder.add(*layers)
    for name in "made_with", "scored_from_zero":
        if hasattr(features, name):
            setattr(encoder, name, getattr(features, name))
    return encoder


def _halves(layer):
    settings = getattr(layer, "_kwargs", {})
    return isinstance(layer, nn.MaxPool2D) and settings["kernel"] == settings["stride"] == (2, 2)


def like_map(F, x, stride):
    """Of a picture (N, 3, H, W), every stride-th row and column: (N, 3, ⌈H/s⌉, ⌈W/s⌉), the size of the map there."""
    return F.slice(x, begin=(None,) * 4, end=(None,) * 4, step=(None, None, stride, stride))


def unpooling_stages(channels, convs, scored_by_last, transposed=False):
    """{stride: `conv_unit`s after the unpooling to this stride}, the coarsest first, ending in the next map's channels.

    convs: how many, one number for all or one each; ValueError where they are no whole numbers from 1 on, or too many.
    scored_by_last: the last one of all is left out, the scores' convolution takes its place.
    """
    finer = sorted(channels, reverse=True)[1:]
    counts = [convs] * len(finer) if isinstance(convs, int) else list(convs)
    if len(counts) != len(finer) or any(not isinstance(count, int) or count < 1 for count in counts):
        expected = f"a number from 1 on, or {len(finer)} of them, one for each unpooling"
        raise ValueError(f"convs={convs!r}: expected {expected}")
    stages = {}
    for stride, count in zip(finer, counts, strict=True):
        before, after = channels[stride], channels.get(stride // 2, channels[stride])
        count -= scored_by_last and stride == finer[-1]
        stages[stride] = nn.HybridSequential(prefix="")
        for i in range(count):
            stages[stride].add(conv_unit(before, after if i == count - 1 else before, transposed=transposed))
    return stages


def channels_of(encoder, padded=True):
    """{stride: channels of its map}, by inference of shapes; nothing is computed.

    padded: a map that has not ⌈H/s⌉ × ⌈W/s⌉ cells fits no decoder that doubles, and is a ValueError.
    """
    maps, size = encoder.by_stride(mx.sym.var("data"), encoder.ends), (197, 261)
    found = {stride: array.infer_shape(data=(1, 3, *size))[1][0] for stride, array in maps.items()}
    for stride, shape in found.items():
        expected = tuple(-(-length // stride) for length in size)
        if padded and shape[2:] != expected:
            cells, pixels, wanted = (" × ".join(map(str, pair)) for pair in (shape[2:], size, expected))
            raise ValueError(
                f"map at stride {stride}: {cells} cells of a picture of {pixels}, expected {wanted}: pad the "
                "backbone's convolutions by half their kernels"
            )
    return {stride: shape[1] for stride, shape in found.items()}


def conv_unit(before, channels, kernel=3, batch_norm=True, padding=None, transposed=False):
    """Convolution, BatchNorm (or a bias) and ReLU; padded by half the kernel, if nothing else is said."""
    layer = nn.Conv2DTranspose if transposed else nn.Conv2D
    padding = kernel // 2 if padding is None else padding
    unit = nn.HybridSequential(prefix="")
    unit.add(layer(channels, kernel, padding=padding, in_channels=before, use_bias=not batch_norm))
    if batch_norm:
        unit.add(nn.BatchNorm(in_channels=channels))
    unit.add(nn.Activation("relu"))
    return unit


def last_score(before, classes, kernel=1):
    """The scores' convolution: from noise, as the decoder, not from zeros as on trained maps. ValueError: no class."""
    if classes < 1:
        raise ValueError(f"{classes} classes: expected 1 or more")
    return nn.Conv2D(classes, kernel, padding=kernel // 2, in_channels=before)


def last_enlargement(features, classes):
    """From the finest map's stride to pixels: fixed, bilinear, from where its cells look; None at stride 1."""
    finest = min(features.ends)
    return None if finest == 1 else MatrixUpsampling(classes, finest, offset=_offset(features, finest))


def _offset(features, stride):
    place = features.place(stride)
    return int(place) if place == int(place) else place


def margin_of(features, steps):
    """The `receptive_margin` of a decoder over these features: the most over the ways from each map to the scores.

    steps: {stride: cells to each side that the convolutions at this stride see together}; the coarsest stride's come
    before the first doubling. Indices of a map's 2 × 2 maxima need no way of their own: the next coarser map's cells
    see at least those four too.
    """
    finest, margins = min(features.ends), []
    for stride in features.ends:
        low, high, at = 0, 0, stride
        while True:
            low, high = low - steps[at], high + steps[at]
            if at == finest:
                break
            low, high, at = 2 * low, 2 * high + 1, at // 2
        if finest > 1:  # each of both ends is a start of its own
            offset = _offset(features, finest)
            low, high = (reach([finest], True, end, [offset])[i] for i, end in enumerate((low, high)))
        margins.append(receptive_margin(features.receptive_field(stride), low, high))
    return max(margins)
