"""Class names, colours and class indices, and the way from each to the others (chapter 03)."""

import re

import numpy as np
from mxnet import nd

from ..core.files import read_lines, short

VOID = 255
"""Index of pixels that nobody could name, and of the band around objects: never a class."""
VOID_COLOR = (224, 224, 192)

_UNKNOWN = 254  # what the lookup table holds for a colour of no class


class LabelMap:
    """Class names and their RGB colours, in index order.

    names: list of str. colors: as many (r, g, b), each 0 to 255. void_colors: further colours that
    mean void, besides VOC's (224, 224, 192), which always does. Doubled names or colours are a
    ValueError. `len(classes)` is the number of classes, `classes.names[i]` the name of index i.
    """

    def __init__(self, names, colors, void_colors=()):
        self.names = [str(name) for name in names]
        self.colors = [tuple(int(v) for v in color) for color in colors]
        self.void_colors = [VOID_COLOR] + [c for c in map(tuple, void_colors) if c != VOID_COLOR]
        if len(self.names) != len(self.colors):
            raise ValueError(f"{len(self.names)} names but {len(self.colors)} colours: give one each")
        if not 1 <= len(self.names) < _UNKNOWN:
            raise ValueError(f"{len(self.names)} classes: expected 1 to {_UNKNOWN - 1}")
        for color in self.colors + self.void_colors:
            if len(color) != 3 or not all(0 <= v <= 255 for v in color):
                raise ValueError(f"colour {color}: expected three numbers from 0 to 255")
        for what, values in ("name", self.names), ("colour", self.colors + self.void_colors):
            doubled = sorted({str(v) for v in values if values.count(v) > 1})
            if doubled:
                raise ValueError(f"{what} given twice: {', '.join(doubled)}; each class needs one of its own")
        self._table = None

    @classmethod
    def read(cls, path):
        """Read a `labelmap.txt` as CVAT and Datumaro write it: `name:r,g,b:parts:actions` a line.

        The order of the lines gives the indices; `#` starts a comment. Where no line has a colour (`name:::`),
        they are VOC's, in order. A line whose name is void, ignore or ignored, or whose colour is VOC's void
        colour, is void and no class.
        """
        rows, names, colors, void_colors = [], [], [], []
        for number, line in read_lines(path, "a line name:r,g,b:: for each class"):
            if line.startswith("#"):
                continue
            found = re.match(r"([^:]+):\s*(?:(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*)?(:|$)", line, re.ASCII)
            if not found:
                raise ValueError(f"{path}, line {number}: {short(line)} is not name:r,g,b:parts:actions")
            rows.append((found[1].strip(), tuple(int(found[i]) for i in (2, 3, 4)) if found[2] else None))
        bare = [name for name, color in rows if color is None]
        if bare and len(bare) < len(rows):
            raise ValueError(f"{path}: no colour for {', '.join(bare)}: give r,g,b in each line or in none")
        for index, (name, color) in enumerate(rows):
            color = color or _voc_color(index)
            if name.lower() in ("void", "ignore", "ignored") or color == VOID_COLOR:
                void_colors.append(color)
            else:
                names.append(name)
                colors.append(color)
        try:
            return cls(names, colors, void_colors)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def __len__(self):
        return len(self.names)

    def __eq__(self, other):
        return isinstance(other, LabelMap) and vars(self)["names"] == other.names and self.colors == other.colors

    def __repr__(self):
        return f"LabelMap of {len(self)} classes: {', '.join(self.names)}"

    def indices(self, rgb):
        """(…, 3) uint8 colours → (…) uint8 indices, 255 for void and 254 for a colour of no class."""
        if self._table is None:  # one entry for each of the 256³ colours, 16 MB, made at first use
            table = np.full(256**3, _UNKNOWN, np.uint8)
            table[_code(np.array(self.void_colors))] = VOID
            table[_code(np.array(self.colors))] = np.arange(len(self))
            self._table = table  # only now that it is whole: a loader's threads share it
        return self._table[_code(rgb)]


def _voc_color(index):
    """The colour of an index in VOC's palette: its bits in turn to red, green and blue, highest places first."""
    return tuple(sum((index >> 3 * i + channel & 1) << 7 - i for i in range(3)) for channel in range(3))


def _code(rgb):
    """(…, 3) colours → (…) int32, each the position of a colour in a table of all 256³."""
    rgb = np.asarray(rgb).astype(np.int32)
    return (rgb[..., 0] * 256 + rgb[..., 1]) * 256 + rgb[..., 2]


def check_known(label, rgb_at):
    """Raise the ValueError for the first pixel whose colour is of no class, if there is one.

    label: (H, W) indices as `LabelMap.indices` gives them. rgb_at: function of row and column.
    """
    unknown = label == _UNKNOWN
    if unknown.any():
        row, column = np.argwhere(unknown)[0]
        raise ValueError(
            f"unknown colour {tuple(int(v) for v in rgb_at(row, column))} at row {row}, column {column} "
            f"({unknown.sum()} pixel{'s' if unknown.sum() > 1 else ''} in all): "
            f"expected a class colour or void {VOID_COLOR}. "
            "Was the label resized with interpolation, saved as JPEG, or drawn with other classes?"
        )


VOC_CLASSES = [
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
]  # fmt: skip
VOC_COLORMAP = [
    (0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128),
    (128, 128, 128), (64, 0, 0), (192, 0, 0), (64, 128, 0), (192, 128, 0), (64, 0, 128), (192, 0, 128),
    (64, 128, 128), (192, 128, 128), (0, 64, 0), (128, 64, 0), (0, 192, 0), (128, 192, 0), (0, 64, 128),
]  # fmt: skip
VOC = LabelMap(VOC_CLASSES, VOC_COLORMAP)


def image2label(label_image, classes=VOC):
    """Label image → class indices: (H, W, 3) uint8 colours → (H, W) int32 `NDArray`, 255 = void.

    A colour that is neither a class's nor void's is a ValueError naming it and where it stands.
    """
    rgb = _numpy(label_image)
    if rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"label image of shape {rgb.shape}: expected (height, width, 3)")
    label = classes.indices(rgb)
    check_known(label, lambda row, column: rgb[row, column])
    return nd.array(label, dtype=np.int32)


def label2image(label, classes=VOC):
    """Class indices → label image: (H, W) integers, 255 = void → (H, W, 3) uint8 `NDArray` of colours.

    Float labels are taken too if they hold whole numbers. An index of no class is a ValueError
    naming it and where it stands.
    """
    label = _numpy(label)
    if label.ndim != 2:
        raise ValueError(f"label of shape {label.shape}: expected (height, width)")
    known = np.isin(label, [*range(len(classes)), VOID])
    if not known.all():
        row, column = np.argwhere(~known)[0]
        raise ValueError(
            f"unknown index {label[row, column]} at row {row}, column {column}: "
            f"expected 0 to {len(classes) - 1} or {VOID} for void"
        )
    colors = np.zeros((256, 3), np.uint8)
    colors[: len(classes)], colors[VOID] = classes.colors, VOID_COLOR
    return nd.array(colors[label.astype(np.uint8)], dtype=np.uint8)


def _numpy(array):
    return array.asnumpy() if isinstance(array, nd.NDArray) else np.asarray(array)
