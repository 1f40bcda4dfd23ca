"""Labels for one picture (chapter 08)."""

import numpy as np
from mxnet import nd
from PIL import Image

from .evaluating import net_context
from .voc import normalize, resize


def predict(net, image, ctx=None, scale=1.0):
    """(H, W) int32 `NDArray` of class indices for one image (H, W, 3) uint8, `NDArray` or NumPy, of any size.

    ctx: where to compute, default where the net is. scale: the picture is reduced by it before the net sees it, and
    the labels are enlarged again by nearest neighbour: give what the net was trained with.
    """
    image = image.asnumpy() if isinstance(image, nd.NDArray) else np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"image of shape {image.shape} and {image.dtype}: expected (height, width, 3) and uint8")
    if not 0 < scale <= 1:
        raise ValueError(f"scale={scale!r}: expected a number above 0, at most 1")
    x = nd.array(normalize(resize(image, scale)).transpose(2, 0, 1)[None], ctx=net_context(net, ctx))
    label = net(x).argmax(axis=1)[0].asnumpy().astype(np.uint8)
    if label.shape != x.shape[2:]:
        raise ValueError(
            f"the net gives {label.shape} for a picture of {x.shape[2:]}: does it enlarge and cut its scores?"
        )
    if label.shape != image.shape[:2]:
        label = np.asarray(Image.fromarray(label).resize(image.shape[1::-1], Image.Resampling.NEAREST))
    return nd.array(label, dtype=np.int32)
