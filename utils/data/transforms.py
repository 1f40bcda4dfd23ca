"""Transforms and data augmentation, of a picture and its targets: resize, crop, flip, jitter, normalise (chapter 02).

A **transform** is called as `transform(sample, rng)` and gives a new sample. A sample is a dict of NumPy arrays of one
height and width: "image" (H, W, 3) uint8, "label" (H, W) uint8, and what else belongs to the picture, each (H, W) and
uint8 (edges, scribbles: class indices) or float32 (weights). rng draws as `np.random` does. Any function of these two
is a transform; arrays that come in are left as they are. The rules for all:

- The image and float32 targets are resized bilinearly, uint8 targets by nearest neighbour.
- What a crop leaves open is void in uint8 targets, 0 in float32 ones, and ImageNet's mean in the image. The entry
  "padding", (H, W) bool, marks it from then on: normalised, it is exactly 0.
"""

import numbers
import operator
import re

import numpy as np
from PIL import Image, ImageEnhance

from .labelmap import VOID

RGB_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
"""Mean of ImageNet's pictures, on the scale 0 to 1: what Gluon's pretrained nets were trained with."""
RGB_STD = np.array([0.229, 0.224, 0.225], np.float32)
_TYPES = {"image": (np.uint8,), "label": (np.uint8,), "padding": (np.bool_,)}
_MEAN_COLOR = (255 * RGB_MEAN).round().astype(np.uint8)


def normalize(image):
    """(H, W, 3) uint8 image → float32 of the same shape, minus ImageNet's mean, over its deviation (chapter 02)."""
    return (image.astype(np.float32) / 255 - RGB_MEAN) / RGB_STD


def denormalize(x):
    """What a net is fed back as pictures: (3, H, W) → (H, W, 3) uint8 NumPy, (N, 3, H, W) → (N, H, W, 3) (chapter 02).

    x: `NDArray` or NumPy, floats as `VOCSegDataset` and `data_loader` give them. It undoes `normalize` to the last bit;
    values that no byte has are rounded, and cut off at 0 and 255. Another shape is a ValueError.
    """
    x = np.asarray(x if isinstance(x, np.ndarray) else x.asnumpy())
    if x.ndim not in (3, 4) or x.shape[-3] != 3 or x.dtype.kind != "f":
        raise ValueError(f"x of shape {x.shape} and {x.dtype}: expected floats, (3, height, width) or (N, 3, ...)")
    return (255 * (np.moveaxis(x, -3, -1) * RGB_STD + RGB_MEAN)).round().clip(0, 255).astype(np.uint8)


def resize(array, scale):
    """Image (H, W, 3) uint8 or target (H, W), NumPy, resized: bilinear and antialiased; uint8 targets by nearest."""
    if scale == 1:
        return array
    size = scaled_size(array.shape[:2], scale)[::-1]
    smooth = array.ndim == 3 or array.dtype == np.float32
    return np.asarray(
        Image.fromarray(array).resize(size, Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST)
    )


def scaled_size(size, scale):
    """(height, width) of a picture once resized by `scale`."""
    return tuple(max(1, round(n * scale)) for n in size)


def check_crop(crop_size):
    """Two whole numbers above 0, or a ValueError."""
    try:
        height, width = map(operator.index, crop_size)
    except (TypeError, ValueError):
        height = width = 0
    if min(height, width) < 1:
        raise ValueError(f"crop_size={crop_size!r}: expected (height, width), two whole numbers above 0")


def rand_crop(image, label, height, width, rng=np.random):
    """The same random rectangle of an image (H, W, …) and of its label (H, W, …) (chapter 02).

    Both `NDArray` or both NumPy. A picture smaller than the rectangle is a ValueError. This is the form that chapters
    call; data sets crop by `RandomCrop`, which draws the same places.
    """
    check_crop((height, width))
    h, w = label.shape[:2]
    if tuple(image.shape[:2]) != (h, w):
        raise ValueError(f"image of {image.shape[:2]} and label of {(h, w)}: expected one size")
    if h < height or w < width:
        raise ValueError(f"picture of {h} × {w} is smaller than the crop of {height} × {width}: pad it or leave it out")
    rows, columns = _random_place((h, w), (height, width), rng)
    return image[rows, columns], label[rows, columns]


def _random_place(size, crop, rng):
    """Two slices: where a crop lies in a picture of `size`; all of it along a side that is too short."""
    crop = [min(pair) for pair in zip(size, crop, strict=True)]
    corner = [int(rng.randint(side - part + 1)) for side, part in zip(size, crop, strict=True)]
    return tuple(slice(start, start + part) for start, part in zip(corner, crop, strict=True))


class Compose:
    """Transforms one after the other, each looked at: what one gives must be a sample again (chapter 02).

    transforms: a list of `RandomCrop(…)`, `RandomFlip()` and so on, or functions (sample, rng) → sample. `size` is
    (height, width) of what comes out where that is known, else None. A ValueError names the transform that gave arrays
    of other sizes or types, or lost a target.
    """

    def __init__(self, transforms):
        self.transforms, self.size = list(transforms), None
        for transform in self.transforms:
            if isinstance(transform, type) or not callable(transform):
                raise ValueError(f"{transform!r} is no transform: expected such as RandomFlip(), or a function")
            self.size = getattr(transform, "size", self.size)

    def __call__(self, sample, rng=np.random):
        for transform in self.transforms:
            before, sample = sample, transform(sample, rng)
            if fault := _fault(sample, before):
                raise ValueError(f"the transform {_name(transform)} {fault}")
        return sample

    def __repr__(self):
        return f"Compose([{', '.join(map(_name, self.transforms))}])"


def _name(transform):
    return re.sub(r" at 0x\w+", "", repr(transform))  # the same in every process


def _fault(sample, before):
    """Why what a transform gave is no sample, or ""."""
    if not isinstance(sample, dict) or not {"image", "label"} <= set(sample):
        found = f"a dict of {', '.join(map(repr, sample))}" if isinstance(sample, dict) else type(sample).__name__
        return f"gave {found}: expected a dict with 'image' and 'label', such as it was given"
    if lost := [key for key in before if key not in sample]:
        return f"lost {', '.join(map(repr, lost))}: give back all that came in, such as {{**sample, 'image': image}}"
    shape = np.shape(sample["image"])[:2]
    for key, array in sample.items():
        types = _TYPES.get(key, (np.uint8, np.float32))
        if not isinstance(array, np.ndarray) or array.dtype not in types:
            found = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            return f"made {key!r} {found}: expected a NumPy array of {' or '.join(t.__name__ for t in types)}"
        if array.ndim != 2 + (key == "image") or array.shape[:2] != shape or array.shape[2:] not in ((), (3,)):
            expected = "(height, width, 3)" if key == "image" else f"{shape}, the image's"
            return f"made {key!r} of shape {array.shape}: expected {expected}"
    return ""


class RandomCrop:
    """A random rectangle of size (height, width); a smaller picture is padded to it, below and on the right."""

    def __init__(self, size):
        check_crop(size)
        self.size = tuple(map(int, size))

    def __call__(self, sample, rng):
        place = _random_place(sample["label"].shape, self.size, rng)
        return _pad({key: array[place] for key, array in sample.items()}, self.size)

    def __repr__(self):
        return f"RandomCrop({self.size})"


class CenterCrop:
    """The rectangle of size (height, width) in the middle; a smaller picture is padded to it as by `RandomCrop`."""

    def __init__(self, size):
        check_crop(size)
        self.size = tuple(map(int, size))

    def __call__(self, sample, rng):
        corner = [max(0, (n - part) // 2) for n, part in zip(sample["label"].shape, self.size, strict=True)]
        place = tuple(slice(start, start + part) for start, part in zip(corner, self.size, strict=True))
        return _pad({key: array[place] for key, array in sample.items()}, self.size)

    def __repr__(self):
        return f"CenterCrop({self.size})"


def _pad(sample, size):
    height, width = sample["label"].shape
    if (height, width) == size:
        return sample
    padded = {}
    for key, array in {"padding": np.zeros((height, width), bool), **sample}.items():
        fill = {"image": _MEAN_COLOR, "padding": True}.get(key, VOID if array.dtype == np.uint8 else 0)
        padded[key] = np.full((*size, *array.shape[2:]), fill, array.dtype)
        padded[key][:height, :width] = array
    return padded


class RandomFlip:
    """Mirrored left to right, one time in two."""

    def __call__(self, sample, rng):
        return {key: array[:, ::-1] for key, array in sample.items()} if rng.randint(2) else sample

    def __repr__(self):
        return "RandomFlip()"


class RandomScale:
    """Scale jitter: enlarged or reduced by a factor drawn evenly between `low` and `high`. A crop comes after it."""

    size = None

    def __init__(self, low=0.5, high=2.0):
        if not all(isinstance(n, numbers.Real) for n in (low, high)) or not 0 < low <= high < float("inf"):
            raise ValueError(f"RandomScale({low!r}, {high!r}): expected two factors above 0, the smaller one first")
        self.low, self.high = low, high

    def __call__(self, sample, rng):
        factor = rng.uniform(self.low, self.high)
        return {key: resize(array, factor) for key, array in sample.items()}

    def __repr__(self):
        return f"RandomScale({self.low}, {self.high})"


class ColorJitter:
    """Brightness, contrast and saturation of the image changed at random, in this order; targets stay.

    Each amount a, 0 to 1, gives a factor drawn evenly between 1 − a and 1 + a, which mixes the image with black, with
    the mean of its grey, and with its grey picture: factor · image + (1 − factor) · other, as Pillow's ImageEnhance.
    """

    def __init__(self, brightness=0, contrast=0, saturation=0):
        self.amounts = brightness, contrast, saturation
        if not all(isinstance(a, numbers.Real) and 0 <= a <= 1 for a in self.amounts):
            raise ValueError(f"ColorJitter{self.amounts}: expected three numbers from 0 to 1")

    def __call__(self, sample, rng):
        image = Image.fromarray(sample["image"])
        for amount, enhance in zip(
            self.amounts, (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color), strict=True
        ):
            image = enhance(image).enhance(rng.uniform(1 - amount, 1 + amount))
        return {**sample, "image": np.asarray(image)}

    def __repr__(self):
        return f"ColorJitter{self.amounts}"
