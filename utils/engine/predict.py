"""Labels for one picture (chapter 08)."""

import numpy as np
from mxnet import nd
from PIL import Image

from ..data.transforms import normalize, resize
from ..metrics import best_class
from . import tiling
from .evaluate import net_context


def predict(net, image, ctx=None, scale=1.0, *, flip=False, scales=(1,), crf=None):
    """(H, W) int32 `NDArray` of class indices for one image (H, W, 3) uint8, `NDArray` or NumPy, of any size.

    ctx: where to compute, default where the net is. scale: the picture is reduced by it before the net sees it, and
    the labels are enlarged again by nearest neighbour: give what the net was trained with. flip, scales: average the
    softmax over the picture and its mirror image, and over these scales (of what `scale` left), such as
    (0.75, 1, 1.25): slower, often a little better. Pictures of more than 1536 × 1536 pixels go through the net in
    overlapping tiles, so that memory is bounded (docs/performance.md); where its `receptive_margin` is above 256, tiles
    are larger, and a net that looks at the whole picture (None) gets it whole. Of several outputs the first is used.
    crf: a `DenseCRF`, through which the probabilities go, at the size at which the net saw the picture (chapter 13).
    """
    image = image.asnumpy() if isinstance(image, nd.NDArray) else np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"image of shape {image.shape} and {image.dtype}: expected (height, width, 3) and uint8")
    if not 0 < scale <= 1:
        raise ValueError(f"scale={scale!r}: expected a number above 0, at most 1")
    seen = resize(image, scale)
    x = normalize(seen).transpose(2, 0, 1)
    if crf is None:
        label, _ = tiling.labels(net, x, net_context(net, ctx), flip, scales)
    else:
        label = best_class(crf(tiling.probabilities(net, x, net_context(net, ctx), flip, scales), seen)[None])[0]
    if label.shape != image.shape[:2]:
        label = np.asarray(Image.fromarray(label).resize(image.shape[1::-1], Image.Resampling.NEAREST))
    return nd.array(label, dtype=np.int32)
