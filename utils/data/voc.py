"""Reading data sets in Pascal VOC's layout, and cropping (chapters 01 and 02)."""

import operator
import os
import pathlib
import re

import numpy as np
from mxnet import nd
from PIL import Image

from ..core.files import read_lines, short
from .image_io import picture_size, read_image, read_label, read_label_image
from .labelmap import VOC, LabelMap

RGB_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
"""Mean of ImageNet's pictures, on the scale 0 to 1: what Gluon's pretrained nets were trained with."""
RGB_STD = np.array([0.229, 0.224, 0.225], np.float32)


def data_root(name="voc_mini"):
    """`pathlib.Path` of a data set's folder (chapter 01).

    name: "voc_mini", which ships with the course; "voc2012" or "camvid", fetched on first use unless it is there
    (docs/own_pictures.md); anything else is the path of a folder in VOC layout. A folder that isn't there, or
    a data set that can't be fetched, is a FileNotFoundError that says what to do.
    """
    from . import sources

    if name in sources.SOURCES:
        return sources.root(name)
    root = sources.DATA / name if name == "voc_mini" else pathlib.Path(name).expanduser()
    if not os.path.isdir(root / "ImageSets" / "Segmentation"):
        found = "no ImageSets/Segmentation in it" if os.path.isdir(root) else "no such folder"
        raise FileNotFoundError(
            f"data set {str(name)!r} at {root}: {found}; expected JPEGImages/, SegmentationClass/ and "
            "ImageSets/Segmentation/{train,val}.txt, or a name: "
            f"{', '.join(['voc_mini', *sources.SOURCES])}"
        )
    return root


def data_classes(root):
    """`LabelMap` of a data set: its `labelmap.txt`, or the 21 classes of Pascal VOC where it has none."""
    return classes_in(data_root(root))


def classes_in(folder):
    """`data_classes` of a folder whose lists may still be missing."""
    path = folder / "labelmap.txt"
    return LabelMap.read(path) if os.path.lexists(path) else VOC


def read_names(root, train=True):
    """Names in the split file, `train.txt` or `val.txt`, in its order. A path or a name given twice is a ValueError."""
    path = data_root(root) / "ImageSets" / "Segmentation" / ("train.txt" if train else "val.txt")
    expected = "one picture's name a line, without .jpg"
    lines = {}
    for number, name in read_lines(path, expected):
        if fault := name_fault(name):
            raise ValueError(f"{path}, line {number}: {short(name)} {fault}; expected {expected}")
        if name in lines:
            raise ValueError(
                f"{path}, lines {lines[name]} and {number}: {short(name)} twice, so it would count twice; delete one"
            )
        lines[name] = number
    if not lines:
        raise ValueError(f"{path}: empty; expected {expected}")
    return list(lines)


def name_fault(name):
    """Why a name can't stand in a split file, or "". Folders below the data set's are fine: CVAT writes them."""
    outside = "\\" in name or name[1:2] == ":" or not {"", ".", ".."}.isdisjoint(name.split("/"))
    if outside or name.lower().endswith((".jpg", ".jpeg", ".png")):
        return "is a path or file name"
    return "has two columns" if re.search(r"\t|^\S+( -1|  [01])$", name) else ""  # as in VOC's ImageSets/Main


def image_path(root, name):
    """Where the picture of a name lies: NAME.jpg; only where there is none, NAME.jpeg, .JPG, .JPEG or .png.

    FileNotFoundError where there is none of these.
    """
    folder = pathlib.Path(root) / "JPEGImages"
    for ending in ".jpg", ".jpeg", ".JPG", ".JPEG", ".png":
        path = folder / f"{name}{ending}"
        if os.path.exists(path):  # where Path.exists raises, for a name too long, this is False
            return path
    raise FileNotFoundError(
        f"{folder / name}.jpg: no such file, nor one in .jpeg, .JPG, .JPEG or .png; "
        "add the picture or take its name out of the split file"
    )


def label_path(root, name):
    """Where the label of a name lies."""
    return pathlib.Path(root) / "SegmentationClass" / f"{name}.png"


def read_pair(root, name, classes=VOC, scale=1.0):
    """Image (H, W, 3) uint8 and label (H, W) uint8 of one name, as NumPy arrays of one size.

    scale < 1 reduces both: the image by averaging, the label by nearest neighbour (chapter 02).
    """
    image, label = read_image(image_path(root, name)), read_label(label_path(root, name), classes)
    _check_sizes(root, name, image, label)
    return resize(image, scale), resize(label, scale)


def _check_sizes(root, name, image, label):
    if image.shape[:2] != label.shape[:2]:
        why = "the two don't belong together"
        if label.shape[:2] == picture_size(image_path(root, name), upright=False):
            why = "its picture is turned by its EXIF data and the label is not: turn the label too"
        raise ValueError(
            f"{label_path(root, name)}: {label.shape[0]} × {label.shape[1]}, "
            f"but its picture is {image.shape[0]} × {image.shape[1]} (height × width): {why}"
        )


def resize(array, scale):
    """Image (H, W, 3) or label (H, W), uint8 NumPy, resized: bilinear and antialiased, or nearest neighbour."""
    if scale == 1:
        return array
    size = scaled_size(array.shape[:2], scale)[::-1]
    method = Image.Resampling.BILINEAR if array.ndim == 3 else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(array).resize(size, method))


def scaled_size(size, scale):
    """(height, width) of a picture once reduced by `scale`."""
    return tuple(max(1, round(n * scale)) for n in size)


def read_images(root=None, train=True):
    """Two lists of (H, W, 3) uint8 `NDArray`: images and label images, in the split file's order (chapter 01).

    The whole split in memory, as the classic tutorials do: 3 bytes a pixel, twice.
    """
    root = data_root() if root is None else data_root(root)
    images, labels = [], []
    for name in read_names(root, train):
        image, label = read_image(image_path(root, name)), read_label_image(label_path(root, name))
        _check_sizes(root, name, image, label)
        images.append(nd.array(image, dtype=np.uint8))
        labels.append(nd.array(label, dtype=np.uint8))
    return images, labels


def normalize(image):
    """(H, W, 3) uint8 image → float32 of the same shape, minus ImageNet's mean, over its deviation (chapter 02)."""
    return (image.astype(np.float32) / 255 - RGB_MEAN) / RGB_STD


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

    Both `NDArray` or both NumPy. A picture smaller than the rectangle is a ValueError.
    """
    check_crop((height, width))
    h, w = label.shape[:2]
    if tuple(image.shape[:2]) != (h, w):
        raise ValueError(f"image of {image.shape[:2]} and label of {(h, w)}: expected one size")
    if h < height or w < width:
        raise ValueError(f"picture of {h} × {w} is smaller than the crop of {height} × {width}: pad it or leave it out")
    top, left = int(rng.randint(h - height + 1)), int(rng.randint(w - width + 1))
    return (
        image[top : top + height, left : left + width],
        label[top : top + height, left : left + width],
    )
