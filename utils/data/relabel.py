"""Labels of another kind, read as told and written in the classes' colours into a new folder: `label_hints` says how.

    relabel("my_photos", "my_photos_relabelled", "indices")

The old folder stays as it is, to the byte.
"""

import os
import pathlib
import shlex
import shutil

from ..core.files import atomic_write
from ..core.surroundings import python
from .image_io import palette_picture, read_label
from .label_hints import UNKNOWN, WAYS, as_label, raw
from .voc import classes_in


def relabel(folder, new, way, classes=None):
    """Copy a data set in VOC layout, its labels read in `way`; prints what was done.

    folder: the data set, or one label file. new: where to; a FileExistsError if it is there. way: a key of
    `label_hints.WAYS`, or {grey: class name or "void"}. classes: `LabelMap`; default, the folder's. A label that
    the way doesn't fit is copied as it is, and named. A ValueError if it fits none; then nothing is left behind.
    """
    folder, new = pathlib.Path(folder).expanduser(), pathlib.Path(new).expanduser()
    if os.path.lexists(new):
        raise FileExistsError(f"{new}: is there already and stays; give another name")
    if not isinstance(way, dict) and way not in WAYS:
        raise ValueError(f"{way!r}: expected one of {', '.join(WAYS)}, or a dict of greys and class names")
    if folder.is_file():
        _write(new, _read(folder, classes, way))
        return
    if folder.resolve() in new.resolve().parents:
        raise ValueError(f"{new}: lies in {folder} itself; give a name beside it")
    classes = classes or classes_in(folder)
    if isinstance(way, dict) and (odd := set(way.values()) - {*classes.names, "void"}):
        raise ValueError(f"{', '.join(sorted(odd))}: no such class; expected some of {', '.join(classes.names)}")
    made, kept = 0, []
    try:
        shutil.copytree(folder, new, ignore_dangling_symlinks=True)
        for path in sorted((folder / "SegmentationClass").rglob("*.png")):
            if _reads(path, classes, way):
                continue  # right already
            try:
                label = _read(path, classes, way)
            except Exception:  # a broken file among good ones: the next check names it
                kept.append(path.name)
                continue
            _write(new / path.relative_to(folder), label)
            made += 1
        if not made:
            raise ValueError(f"{folder}: no label that {way!r} fits")
    except BaseException:  # Ctrl-C too
        shutil.rmtree(new, ignore_errors=True)
        raise
    left = f"; copied unchanged: {len(kept)}, such as {kept[0]}" if kept else ""
    print(f"Written: {new}, {made} labels anew{left}")
    print(f"Next: {python()} -m utils data {shlex.quote(str(new))}")


def _reads(path, classes, way):
    """Whether a label is right as it is. Greys and swapped colours can be other classes' colours by chance."""
    try:
        read_label(path, classes)
        found = raw(path)
    except (OSError, ValueError):
        return False
    return way != "red and blue swapped" and not found.grey


def _read(path, classes, way):
    label = as_label(raw(path), classes, way)
    if (label == UNKNOWN).any():
        raise ValueError(f"{path}: {(label == UNKNOWN).sum()} pixels that have no meaning as {way!r}")
    return label, classes


def _write(path, label):
    with atomic_write(path) as beside:
        palette_picture(*label).save(beside, "PNG")
