"""What a refused label may be, and the command that repairs it.

The one home of such hints: the reader and `python -m utils data` say the same. Imported only where something is wrong,
as no training should depend on it. No line overwrites: `relabel` writes a new folder.
"""

import io
import json
import os
import pathlib
import shlex
import struct
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFile

from ..core.files import check_pixels, opened
from ..core.surroundings import python
from .labelmap import VOID, VOID_COLOR

UNKNOWN = 254  # as `LabelMap.indices` says it
NEAR = 16  # further from a class's colour than this is another colour
FEW = 12  # more greys than this were not painted: they are blended
SIBLINGS = 20  # labels beside a mask that are looked at
WHITE = 255, 255, 255
EXPECTED = "a palette or RGB PNG in the classes' colours"


class Raw(NamedTuple):
    """A label as it lies in the file, whatever the reader thinks of it.

    rgb: (H, W, 3) uint8. alpha: (H, W) uint8 or None. values: (H, W) bare values (a palette's indices, or greys at
    the depth of the file) or None where colours are more than greys. grey: no colour in it. palette: (N, 3) or None.
    depth: bits a channel. kind, mode: as Pillow says it, such as PNG and RGBA.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None
    values: np.ndarray | None
    grey: bool
    palette: np.ndarray | None
    depth: int
    kind: str
    mode: str


def raw(path):
    """`Raw` of a label file that lost nothing; an error where it is broken, turned by EXIF data, or moving."""
    with opened(path, EXPECTED) as file:
        data = file.read()
    is_png = data.startswith(b"\x89PNG")
    if is_png:  # before Pillow, as the reader does: it makes room for an animation at once
        check_pixels(path, *struct.unpack_from(">II", data, 16)[::-1])
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # gluoncv sets it
    with Image.open(io.BytesIO(data)) as picture:
        check_pixels(path, picture.height, picture.width)
        picture.verify()
    with Image.open(io.BytesIO(data)) as picture:
        if picture.format not in ("PNG", "BMP", "TIFF", "GIF"):
            raise ValueError(f"{path}: a {picture.format}, which changes colours")
        if picture.getexif().get(0x0112, 1) != 1 or getattr(picture, "n_frames", 1) > 1:
            raise ValueError(f"{path}: turned by EXIF data, or of several frames")
        picture.load()
        kind, mode, pixels = picture.format, picture.mode, np.asarray(picture)
        if mode == "I;16B":
            pixels = pixels.astype(np.uint16)
        alpha = np.asarray(picture.getchannel("A")) if mode in ("RGBA", "LA") else None
        palette = np.array(picture.getpalette("RGB") or [], np.uint8).reshape(-1, 3) if mode == "P" else None
        deep = mode.startswith("I") or mode == "F"
        rgb = np.repeat(_eight_bits(pixels)[..., None], 3, 2) if deep else np.asarray(picture.convert("RGB"))
    depth = data[24] if is_png else 8
    colors = rgb if palette is None else palette  # a black label of a coloured palette is no grey one
    grey = bool((colors == colors[..., :1]).all())
    if mode == "P" or deep:
        values = pixels
    elif grey and depth < 8:  # Pillow stretches 1, 2 and 4 bits to 0 … 255
        values = rgb[..., 0] // (255 // (2**depth - 1))
    elif grey or not rgb[..., 1:].any():  # red alone: an index in the first of three channels
        values = rgb[..., 0]
    else:
        values = None
    return Raw(rgb, alpha, values, grey, palette, depth, kind, mode)


def _eight_bits(values):
    return (values // 257 if not (values % 257).any() else np.clip(values, 0, 255)).astype(np.uint8)


def as_label(found, classes, way):
    """(H, W) uint8 indices of a `Raw` read in a way that `relabel` knows; 254 where it has no meaning."""
    if isinstance(way, dict):
        return _mapped(found, classes, way)
    return WAYS[way](found, classes)


def _colours(found, classes):
    label = classes.indices(found.rgb)
    if found.palette is not None:  # Pillow makes black of what a short palette lacks
        label = np.where(found.values < len(found.palette), label, UNKNOWN)
    return label if found.alpha is None else np.where(found.alpha == 255, label, UNKNOWN)


def _transparent(found, classes):
    label = classes.indices(found.rgb)
    return label if found.alpha is None else np.where(found.alpha < 128, 0, label).astype(np.uint8)


def _as_indices(values, classes, whole=VOID):
    known = (values >= 0) & (values < len(classes))
    return np.select([known, values == whole], [values, VOID], UNKNOWN).astype(np.uint8)


def _indices(found, classes):
    return _nothing(found) if found.values is None else _as_indices(found.values.astype(np.int64), classes)


def _from_1(found, classes):
    if found.values is None:
        return _nothing(found)
    values = found.values.astype(np.int64)
    return np.where((values == 0) | (values == VOID), VOID, _as_indices(values - 1, classes, -1)).astype(np.uint8)


def _high_byte(found, classes):
    if found.values is None or found.depth != 16:
        return _nothing(found)
    return _as_indices(found.values.astype(np.int64) // 256, classes)


def _swapped(found, classes):
    return classes.indices(found.rgb[..., ::-1])


def _nearest(found, classes):
    known = np.array([*classes.colors, *classes.void_colors], np.int64)
    colors, which = np.unique(found.rgb.reshape(-1, 3), axis=0, return_inverse=True)
    indices = np.full(len(colors), UNKNOWN, np.uint8)
    for i, color in enumerate(colors.astype(np.int64)):
        away = np.abs(known - color).max(1)
        best = int(away.argmin())
        if away[best] <= NEAR:
            indices[i] = best if best < len(classes) else VOID
    return indices[which].reshape(found.rgb.shape[:2])


def _void_255(found, classes):
    label = classes.indices(found.rgb)
    return label if found.palette is None else np.where(found.values == VOID, VOID, label).astype(np.uint8)


def _mapped(found, classes, way):
    """way: {grey: class name or "void"}."""
    label = _nothing(found)
    for value, name in way.items() if found.grey else ():
        label[found.rgb[..., 0] == value] = VOID if name == "void" else classes.names.index(name)
    return label


def _nothing(found):
    return np.full(found.rgb.shape[:2], UNKNOWN, np.uint8)


WAYS = {
    "colours": _colours,  # drops a full alpha channel, makes three channels of one
    "transparent": _transparent,  # where nothing is painted, or less than half, is the first class
    "indices": _indices,
    "indices from 1": _from_1,  # 0 is void
    "class x 256 + id": _high_byte,
    "red and blue swapped": _swapped,
    "nearest colour": _nearest,
    "255 is void": _void_255,
}


def fits(found, classes, way):
    """Whether a way gives each pixel a class or void."""
    return not (as_label(found, classes, way) == UNKNOWN).any()


def line(path, way):
    """The command that makes a new folder; for a file that is in no data set, the Python line for that file."""
    path = pathlib.Path(path)
    root = _root(path)
    words = f'"{way}"'
    if isinstance(way, dict):  # as Python has it: JSON's keys would be texts
        words = "{" + ", ".join(f"{grey}: {json.dumps(name, ensure_ascii=False)}" for grey, name in way.items()) + "}"
    use = "from utils.data.relabel import relabel; relabel"
    if root is None:
        new = json.dumps(str(path.with_name(f"{path.stem}_new.png")), ensure_ascii=False)
        return f"{use}(path, {new}, {words}, classes)"
    root = pathlib.Path(os.path.relpath(root)) if root.is_relative_to(pathlib.Path.cwd()) else root
    old, new = (json.dumps(str(p), ensure_ascii=False) for p in (root, _free(root.absolute(), root)))
    return f"{python()} -c {shlex.quote(f'{use}({old}, {new}, {words})')}"


def _root(path):
    """The data set's folder that a label lies in, or None."""
    return next((parent.parent for parent in pathlib.Path(path).parents if parent.name == "SegmentationClass"), None)


def _free(absolute, root):
    """A name beside the folder that nothing has yet."""
    number = 1
    while True:
        name = f"{absolute.name}_relabelled{number if number > 1 else ''}"
        if not os.path.lexists(absolute.with_name(name)):
            return absolute.with_name(name) if root.name in ("", "..") else root.with_name(name)
        number += 1


def explained(path, classes):
    """The whole text of the error of a label that the reader refused, or "" where nothing is known of it."""
    known = hint(path, classes)
    return f"{path}: {known[0]}; expected {EXPECTED}; {known[1]}" if known else ""


def hint(path, classes, near=True):
    """(what a refused label seems to be, what to do), or None where nothing is known of it.

    near: also where colours are only a little off.
    """
    try:
        found = raw(path)
    except Exception:  # the reader has said what is wrong with the file
        return None
    known = _seen(path, found, classes, near)
    return known and (_kind(found) + known[0], known[1])


def _kind(found):
    """What the file is, where that alone is a reason to refuse it."""
    if found.kind == "PNG" and found.mode in ("P", "RGB"):
        return ""
    if found.kind == "PNG" and found.mode == "L":
        return f"greyscale of {found.rgb.min()} to {found.rgb.max()}: "
    return f"a {found.kind} picture of mode {found.mode}: "


def _seen(path, found, classes, near):
    if wrong := misread(path, classes):
        return wrong
    if found.alpha is not None and (found.alpha != 255).any():
        return _of_transparent(path, found, classes)
    if found.depth == 16:
        return _of_16_bits(path, found, classes)
    if found.palette is not None and found.values.max() >= len(found.palette):
        what = f"a pixel of value {found.values.max()}, but the palette has {len(found.palette)} colours only"
        if fits(found, classes, "indices"):
            return f"{what}; its bare values ({_few(found.values)}) could be class indices", line(path, "indices")
        return what, "export it anew"
    if fits(found, classes, "colours"):
        how = "as greys, which could be indices too" if found.mode == "L" else "in a kind of file that is not read"
        return f"it has the classes' colours, {how}", line(path, "colours")
    if fits(found, classes, "red and blue swapped"):
        return "its red and blue are swapped, as OpenCV's order is BGR", line(path, "red and blue swapped")
    if found.grey or found.values is not None and found.palette is None:
        return _of_values(path, found, classes)
    if near and fits(found, classes, "nearest colour"):
        return (
            f"each colour is within {NEAR} of a class's, as colour management or another palette leaves it",
            f"if those are meant, {line(path, 'nearest colour')}",
        )
    return None


def _of_transparent(path, found, classes):
    in_part = not np.isin(found.alpha, (0, 255)).all()
    what = f"{(found.alpha != 255).mean():.1%} of its pixels are transparent" + ", some in part" * in_part
    if fits(found, classes, "transparent") and (not in_part or found.alpha.max() >= 128):
        these = "what is less than half opaque is" if in_part else "they are"
        return f"{what}, the others have classes' colours", (
            f"if {these} {classes.names[0]}, the first class, {line(path, 'transparent')}"
        )
    if in_part:
        return what, "its edges are smoothed: export it anew without smoothing and transparency"
    return what, "paint them in a class's colour, and the others too; export without transparency"


def _of_16_bits(path, found, classes):
    if found.values is None or found.palette is not None:
        return "16 bits a channel", "export it anew with 8; reducing it would make indices 0"
    values, few = found.values.astype(np.int64), _few(found.values)
    if fits(found, classes, "indices"):
        return f"16 bits of bare values ({few}) that could be class indices", line(path, "indices")
    if not (values % 257).any() and fits(found, classes, "colours"):
        return "16 bits of greys that are classes' colours", line(path, "colours")
    if fits(found, classes, "class x 256 + id") and (values >= 256).any():
        return f"16 bits of values ({few}) that could be class × 256 + object, as KITTI has", (
            line(path, "class x 256 + id")
        )
    if fits(found, classes, "indices from 1"):
        return f"16 bits of bare values ({few}) that could be class indices from 1", line(path, "indices from 1")
    return f"16 bits of values ({few})", (
        f"export it anew with 8, in the classes' colours: {len(classes)} classes have the indices 0 to "
        f"{len(classes) - 1}; dividing by 256 would make all of these 0 if they are ids"
    )


def _of_values(path, found, classes):
    """Greys, none of them classes' colours alone."""
    few, greys = _few(found.values), np.unique(found.rgb[..., 0])
    only_white = set(greys.tolist()) <= {0, 255} and not _others(path)
    if fits(found, classes, "indices") and not only_white:
        return f"its bare values ({few}) could be class indices", f"if they are, {line(path, 'indices')}"
    if only_white and found.grey:
        return _of_mask(path, classes)
    top = len(classes) - 1
    even = [round(255 * i / max(1, top)) for i in range(top + 1)], [255 * i // max(1, top) for i in range(top + 1)]
    for steps in even if top > 1 and found.grey else ():
        if set(greys.tolist()) <= set(steps):
            way = dict(zip(steps, classes.names, strict=True))
            return f"its greys ({few}) could be class indices stretched to 0 … 255", f"if so, {line(path, way)}"
    if fits(found, classes, "indices from 1") and found.values.max() == len(classes):
        return f"its bare values ({few}) could be class indices from 1, with 0 for void", (
            f"if so, {line(path, 'indices from 1')}"
        )
    lumas = {
        round(0.299 * r + 0.587 * g + 0.114 * b) + d for r, g, b in [*classes.colors, VOID_COLOR] for d in (-1, 0, 1)
    }
    if len(greys) > FEW and not set(greys.tolist()) <= lumas:
        return f"{len(greys)} greys", "blended at edges, by smoothing or resizing: export it anew without"
    if set(greys.tolist()) <= lumas and len(greys) > 1:
        return f"its greys ({few}) are the classes' colours turned to grey", (
            "several colours can give one grey: export it anew with colours"
        )
    return f"its greys ({few}) are no classes' colours", (
        f"if each is a class, write a line NAME:{greys[-1]},{greys[-1]},{greys[-1]}:: into labelmap.txt for each, "
        "and look again"
    )


def _of_mask(path, classes):
    if len(classes) == 2:
        way = {0: classes.names[0], 255: classes.names[1]}
        return "a mask of 0 and 255", f"if 255 is {classes.names[1]}, {line(path, way)}"
    lines, root = ("background:0,0,0::", "object:255,255,255::"), _root(path)
    remedy = f"write labelmap.txt with the lines {' and '.join(lines)} (your names), then look again"
    if root and not os.path.lexists(root / "labelmap.txt"):
        remedy += f": printf '%s\\n' {' '.join(lines)} > {shlex.quote(str(root / 'labelmap.txt'))}"
    return "a mask of 0 and 255, and white is no class; 255 is no class index here", remedy


def _others(path):
    """Whether a label beside this one has greys between 0 and 255: then 255 is void in labels of indices."""
    beside = sorted(pathlib.Path(path).parent.glob("*.png"))[:SIBLINGS]
    for other in beside:
        try:
            with Image.open(other) as picture:
                mode, values = picture.mode, np.asarray(picture)
            if mode in ("RGB", "RGBA") and (values[..., 1:3] == values[..., :1]).all():
                mode, values = "L", values[..., 0]
            if mode in ("L", "P", "I;16") and not np.isin(values, (0, 255)).all():
                return True
        except Exception:  # another label's fault, told where it is looked at
            continue
    return False


def _few(values):
    found = np.unique(values)
    return ", ".join(map(str, found[:6])) + ", …" * (len(found) > 6)


def misread(path, classes):
    """(what, what to do) of a label whose colours are classes', but not those that were meant; or None.

    A palette padded with zeros, or with one colour for several indices, gives pixels of one index another's class.
    """
    try:
        with Image.open(path) as picture:  # its header alone: most palettes have no colour twice
            colors = [*zip(*[iter(picture.getpalette("RGB") or [])] * 3, strict=False)]
        if not any(i < len(colors) and colors.index(colors[i]) < i for i in (*range(len(classes)), VOID)):
            return None
        found = raw(path)
    except Exception:
        return None
    if found.palette is None or found.values.max() >= len(found.palette):
        return None
    used = np.unique(found.values)
    for index in used[::-1].tolist():
        color = found.palette[index]
        first = int(np.flatnonzero((found.palette == color).all(1))[0])
        read_as = int(classes.indices(color[None])[0])
        if first == index or read_as >= len(classes) or not (index == VOID or index < len(classes)):
            continue
        pixels = int((found.values == index).sum())
        what = (
            f"index {index}, on {pixels:,} pixels, has the colour {','.join(map(str, color))} of index {first}: "
            f"it is read as {classes.names[read_as]}"
        )
        way = "255 is void" if index == VOID else "indices"
        if fits(found, classes, way):
            meant = "void" if index == VOID else "each index a class"
            return what, f"if {meant} is meant, {line(path, way)}"
    return None
