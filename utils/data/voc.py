"""Reading data sets in Pascal VOC's layout (chapter 01)."""

import os
import pathlib
import re

import numpy as np
from mxnet import nd

from ..core.files import names_in, read_lines, short
from .image_io import picture_size, read_image, read_label, read_label_image
from .labelmap import VOC, LabelMap
from .transforms import resize


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


def split_name(train, split=None):
    """Which list of `ImageSets/Segmentation` is meant: `split`, else "train" or "val"."""
    if isinstance(train, str):
        raise ValueError(f"train={train!r}: expected True or False; a list is named by split={train!r}")
    if split is None:
        return "train" if train else "val"
    if not isinstance(split, str) or not split or set("/\\\0") & set(split):
        raise ValueError(f"split={split!r}: expected the name of a list in ImageSets/Segmentation, such as 'val'")
    return split


def read_names(root, train=True, split=None):
    """Names in a list of `ImageSets/Segmentation`, in its order (chapter 01).

    split: the list, such as "trainval" or "held_out"; default "train", or with train=False "val". One that isn't there
    is a FileNotFoundError that names those that are; a path or a name given twice is a ValueError.
    """
    path = data_root(root) / "ImageSets" / "Segmentation" / f"{split_name(train, split)}.txt"
    expected = "one picture's name a line, without .jpg"
    if not os.path.lexists(path):
        lists = ", ".join(sorted(name[:-4] for name in names_in(path.parent) if name.endswith(".txt"))) or "none"
        raise FileNotFoundError(f"{path}: no such file; expected {expected}. Lists that are there: {lists}")
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


def read_images(root=None, train=True, split=None):
    """Two lists of (H, W, 3) uint8 `NDArray`: images and label images, in the list's order (chapter 01).

    train, split: which list, as `read_names` takes it. All of it in memory, as the classic tutorials do: 3 bytes a
    pixel, twice.
    """
    root = data_root() if root is None else data_root(root)
    images, labels = [], []
    for name in read_names(root, train, split):
        image, label = read_image(image_path(root, name)), read_label_image(label_path(root, name))
        _check_sizes(root, name, image, label)
        images.append(nd.array(image, dtype=np.uint8))
        labels.append(nd.array(label, dtype=np.uint8))
    return images, labels
