"""True edges, from labels: where two classes or two objects meet (chapter 14)."""

import pathlib
import shutil

import numpy as np
import skimage  # loads its parts when they are used
from PIL import Image
from scipy import ndimage

from ..core.files import atomic_write
from .dataset import VOCSegDataset
from .image_io import palette_picture, read_label
from .labelmap import VOID, LabelMap
from .transforms import resize
from .voc import data_classes, data_root, image_path, label_path, read_names, read_pair

EDGES = LabelMap(["no edge", "edge"], [(0, 0, 0), (255, 255, 255)])

BAND = 4
"""Pixels: void within so much of an edge is the annotators' band around objects, and an edge runs through it."""
RIM = 2
"""Pixels: so near to other void nothing is known of edges."""


def true_edges(label, objects=None, band=BAND, rim=RIM):
    """(H, W) uint8 NumPy: 1 where an edge is, one or two pixels wide, 0 where none is, 255 where unknown.

    label: (H, W) class indices, 255 = void. objects: (H, W) a number for each object, 255 = void, as VOC's
    SegmentationObject has them. Without it two objects of a class are two where void parts them, as it does in VOC's
    labels. Void pixels count with the nearest labelled pixel, if that is at most `band` pixels away (centre to centre):
    in the band around objects the edge is in the middle. An edge pixel has another region on its right or below.
    Other void is unknown, and so is what lies within `rim` pixels of it and is no edge. A ValueError for arrays that
    are no such labels.
    """
    label = _as_label("label", label)
    if objects is not None:
        objects = _as_label("objects", objects)
        if objects.shape != label.shape:
            raise ValueError(f"objects of shape {objects.shape}, label of {label.shape}: expected one shape")
        label = np.where(objects == VOID, VOID, label)
    known = label != VOID
    if not known.any():
        return np.full(label.shape, VOID, np.uint8)
    if objects is None:
        regions = skimage.measure.label(label, background=VOID, connectivity=2)
    else:
        regions = np.where(known, label.astype(int) * 256 + objects, 0)
    distance, (rows, columns) = ndimage.distance_transform_edt(~known, return_indices=True)
    regions = regions[rows, columns]
    edges, near = np.zeros(label.shape, bool), distance <= band
    for axis in 0, 1:
        first, second = (np.moveaxis(regions, axis, 0)[part] for part in (slice(-1), slice(1, None)))
        here, there = (np.moveaxis(near, axis, 0)[part] for part in (slice(-1), slice(1, None)))
        np.moveaxis(edges, axis, 0)[:-1] |= (first != second) & here & there
    # void that is neither an edge nor near one in its band
    away = ndimage.distance_transform_edt(~edges) if edges.any() else np.full(label.shape, np.inf)
    unknown = ~known & (away > band + 1)
    if unknown.any():
        unknown = ndimage.distance_transform_edt(~unknown) <= rim
    return np.where(edges, 1, np.where(unknown, VOID, 0)).astype(np.uint8)


def _as_label(what, array):
    array = np.asarray(array if isinstance(array, np.ndarray) else array.asnumpy())
    if array.ndim != 2 or not array.size or not (array.astype(np.uint8) == array).all():
        found = f"shape {array.shape}" + (f", from {array.min():g} to {array.max():g}" if array.size else "")
        raise ValueError(f"{what}: {found}; expected (height, width) whole numbers from 0 to {VOID}, {VOID} = void")
    return array.astype(np.uint8)


class EdgeDataset(VOCSegDataset):
    """A `VOCSegDataset` whose labels are true edges (chapter 14): `classes` is EDGES, "no edge" and "edge".

    Edges are found in the whole picture at its `scale`, before transforms crop it. Numbers of objects come from the
    data set's SegmentationObject, where it has that. band, rim: as `true_edges` takes them.
    """

    def __init__(self, train=None, crop_size=None, root=None, scale=1.0, *, band=BAND, rim=RIM, **options):
        self.band, self.rim = band, rim
        self._label_classes = data_classes(data_root() if root is None else root)
        super().__init__(train, crop_size, root, scale, **options)
        self.classes = EDGES

    def _read(self, name):
        image, label = read_pair(self.root, name, self._label_classes, self.scale)
        objects = read_objects(self.root, name)
        if objects is not None:
            objects = resize(objects, self.scale)
        return {"image": image, "label": true_edges(label, objects, self.band, self.rim)}


def read_objects(root, name):
    """(H, W) uint8: the number of each pixel's object, 255 = void; None where the data set has no SegmentationObject.

    A ValueError for a file that is no PNG with a palette, or no picture.
    """
    path = pathlib.Path(root) / "SegmentationObject" / f"{name}.png"
    if not path.is_file():
        return None
    try:
        with Image.open(path) as picture:
            if picture.mode != "P":
                raise ValueError(
                    f"{path}: mode {picture.mode}; expected a palette PNG whose indices number the objects"
                )
            return np.asarray(picture)
    except OSError as error:
        raise ValueError(f"{path}: no picture that can be read ({error}); fetch it again") from error


def write_edges(root, folder, band=BAND, rim=RIM):
    """Write a folder in VOC layout whose labels are true edges, for the command line (chapter 14).

        python -c "from utils.data.edges import write_edges; write_edges('voc_mini', 'edges')"
        python -m utils train --dataset edges --model hed --output hed.params

    root: a data set's name or folder, whose lists and pictures are copied. folder: a new one, or a FileExistsError.
    """
    root, folder = data_root(root), pathlib.Path(folder)
    if folder.exists():
        raise FileExistsError(f"{folder} is there already: name a folder that is new")
    classes, lists = data_classes(root), root / "ImageSets" / "Segmentation"
    names = {name for path in lists.glob("*.txt") for name in read_names(root, split=path.stem)}
    for part in "JPEGImages", "SegmentationClass":
        (folder / part).mkdir(parents=True)
    for name in sorted(names):
        picture = image_path(root, name)
        shutil.copyfile(picture, folder / "JPEGImages" / picture.name)
        found = true_edges(read_label(label_path(root, name), classes), read_objects(root, name), band, rim)
        with atomic_write(label_path(folder, name)) as beside:
            palette_picture(found, EDGES).save(beside, "PNG")
    lines = (f"{name}:{r},{g},{b}::" for name, (r, g, b) in zip(EDGES.names, EDGES.colors, strict=True))
    (folder / "labelmap.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    shutil.copytree(lists, folder / "ImageSets" / "Segmentation")  # last: with it the folder is whole
