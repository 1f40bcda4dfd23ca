"""Made the folders beside this file: drawings labelled on the spot, written by Datumaro (see README.md).

python -m venv elsewhere && elsewhere/bin/pip install datumaro==1.13.12
elsewhere/bin/python tests/exports/make_exports.py
"""

import pathlib
import shutil
import tempfile

import numpy as np
from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
SIZE = 24, 32  # height, width
NAMES = ["tree", "house", "boat"]
COLORS = {"tree": (50, 183, 250), "house": (250, 50, 83), "boat": (61, 61, 245)}
UNLABELLED = "p10"  # listed by Datumaro and CVAT, but without a mask


def boxes(i):
    """What stands in drawing i: (class name, left, top, right, bottom), later over earlier."""
    found = [("tree", 2 + i, 4, 9 + i, 20)]
    if i % 2:
        found.append(("house", 14, 8, 26, 22))
    if i % 3 == 0:
        found.append(("boat", 20, 14, 31, 23))
    return found


def drawn(i, names):
    """Drawing i's label as (24, 32) indices into names, by slices alone."""
    label = np.full(SIZE, names.index("background"), np.uint8)
    for name, left, top, right, bottom in boxes(i):
        label[top:bottom, left:right] = names.index(name)
    return label


def picture(i):
    """Drawing i as it would be photographed: (24, 32, 3) uint8."""
    colors = np.array([COLORS.get(name, (120, 160, 90)) for name in ["background", *NAMES]], np.uint8)
    return colors[drawn(i, ["background", *NAMES])] // 2 + np.uint8(4 * i)


def ids(few):
    """Names of the drawings: four, with a space and a folder in them, or eleven, the last without a label."""
    return ["one", "two boats", "holiday/three", "four"] if few else [f"p{i:02d}" for i in range(11)]


def dataset(folder, few, as_polygons, colors, names=NAMES):
    """The drawings as a Datumaro data set; its pictures are written into `folder` first."""
    import datumaro
    from datumaro.components.annotation import AnnotationType, LabelCategories, Mask, MaskCategories, Polygon

    items = []
    for i, name in enumerate(ids(few)):
        path = pathlib.Path(folder) / f"{name}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(picture(i)).save(path)
        shapes = []
        for order, (label, left, top, right, bottom) in enumerate(boxes(i) if name != UNLABELLED else []):
            mask = np.zeros(SIZE, np.uint8)
            mask[top:bottom, left:right] = 1
            corners = [left, top, right, top, right, bottom, left, bottom]
            shape = (Polygon, corners) if as_polygons else (Mask, mask)
            shapes.append(shape[0](shape[1], label=NAMES.index(label), z_order=order))
        subset = ("train" if i < 3 else "val") if few else "default"
        media = datumaro.Image.from_file(path=str(path))
        items.append(datumaro.DatasetItem(id=name, subset=subset, media=media, annotations=shapes))
    categories = {AnnotationType.label: LabelCategories.from_iterable(names)}
    if colors:
        categories[AnnotationType.mask] = MaskCategories(dict(enumerate(colors.values())))
    result = datumaro.Dataset.from_iterable(items, categories=categories, media_type=datumaro.Image)
    if as_polygons:
        result.transform("polygons_to_masks")
        result.transform("merge_instance_segments")
    return result


def main():
    cvat = {name: [color, [], []] for name, color in {"background": (0, 0, 0), **COLORS}.items()}
    alphabet = {{"boat": "arch"}.get(name, name): value for name, value in cvat.items()}
    exports = {  # folder: few pictures, polygons, colours, options of Datumaro's voc_segmentation
        "cvat": (False, True, None, {"apply_colormap": True, "label_map": cvat, "save_media": False}),
        "plain": (True, True, None, {"save_media": True}),
        "coloured": (True, False, COLORS, {"save_media": True}),
        "grey": (True, False, COLORS, {"save_media": False, "apply_colormap": False}),
        "alphabet": (True, True, None, {"save_media": False, "label_map": alphabet}),
        "voc": (True, False, None, {"save_media": False, "label_map": "voc_segmentation"}),
    }
    for name, (few, as_polygons, colors, options) in exports.items():
        shutil.rmtree(HERE / name, ignore_errors=True)
        with tempfile.TemporaryDirectory() as folder:
            names = ["tree", "house", "arch"] if name == "alphabet" else NAMES
            made = dataset(folder, few, as_polygons, colors, names)
            made.export(str(HERE / name), "voc_segmentation", **options)
        shutil.rmtree(HERE / name / "SegmentationObject")  # one colour an object: nobody reads it here
    for folder in "SegmentationClass", "ImageSets":
        shutil.rmtree(HERE / "voc" / folder)  # no class of VOC was drawn: its labelmap.txt is what is of interest


if __name__ == "__main__":
    main()
