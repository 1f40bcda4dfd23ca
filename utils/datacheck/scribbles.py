"""What is wrong with a folder of scribbles, all at once, and what they say: `python -m utils data FOLDER --scribbles`.

Scribbles stand beside the labels, in a folder of their own, a palette PNG for each picture (chapter 15). Labels need
not be there; where they are, scribbles are held against them.
"""

import os
import pathlib
from typing import NamedTuple

import numpy as np

from ..data.image_io import picture_size, read_image, read_label
from ..data.labelmap import VOID
from ..data.scribbles import JITTER, SCRIBBLES, read_scribbles, said
from ..data.voc import label_path
from .items import Problem, missing, picture_path, without

MUCH = 0.3
"""Share of marked pixels above which a file is more likely a label than scribbles."""


class Scribbles(NamedTuple):
    """All that was found of scribbles. marks: what each says, as `said` of data/scribbles.py gives it."""

    folder: str
    split: str
    marks: list
    problems: list
    num_files: int

    @property
    def share(self):
        """Share of the pixels that are marked."""
        pixels = self.pixels
        return pixels[:VOID].sum() / max(1, pixels.sum())

    @property
    def pixels(self):
        """(256,) int64: marked pixels of each class, unmarked ones last."""
        return sum((mark["pixels"] for mark in self.marks), np.zeros(VOID + 1, np.int64))


def check(root, split, names, classes, folder=SCRIBBLES):
    """`Scribbles` of the pictures `names` of a list of a data set; without the folder a FileNotFoundError."""
    root, marks, problems = pathlib.Path(root), [], []
    if not os.path.isdir(root / folder):
        raise FileNotFoundError(
            f"{root / folder}: no such folder; expected scribbles, NAME.png for each NAME.jpg, in the classes' colours "
            "and void (224, 224, 192) elsewhere"
        )
    for name in names:
        mark, found = _look(root, name, classes, folder)
        problems += found
        if mark is not None:
            marks.append(mark)
    problems += _over_all(marks, classes, folder)
    return Scribbles(folder, split, marks, problems, len(names))


def _look(root, name, classes, folder):
    """What one file says, or None, and its problems."""
    path = root / folder / f"{name}.png"
    file = path.relative_to(root).as_posix()
    if not os.path.isfile(path):
        return None, [missing(root, path, "scribbles missing", "scribble on it, or take its name out of the list")]
    picture = picture_path(root, name)
    try:
        weak = read_scribbles(path, classes, picture_size(picture) if os.path.isfile(picture) else None)
    except (OSError, ValueError) as error:
        remedy = _still_there(path, picture)
        return None, [Problem(True, "scribbles unreadable", file, without(path, error), "", remedy)]
    mark, problems = said(name, weak, _label(root, name, classes, weak.shape)), []
    if len(np.unique(weak[weak != VOID])) == 1:
        found = f"one class only, {classes.names[weak[weak != VOID][0]]}"
        remedy = "a cut would give this class to all pixels: mark another class, too"
        problems.append(Problem(False, "scribbles of one class", file, found, "", remedy))
    if mark["share"] > MUCH:
        most = int(mark["pixels"][:VOID].argmax())
        most = f"{classes.names[most]} {classes.colors[most]}"
        found = f"{mark['share']:.0%} of the pixels are marked, most of them {most}"
        remedy = "fill with void (224, 224, 192) what nobody marked; or is it a label in the place of scribbles?"
        problems.append(Problem(False, "scribbles that cover much", file, found, "some 3%", remedy))
    if mark.get("missed"):
        found = "no mark of " + ", ".join(classes.names[i] for i in mark["missed"]) + ", which its label shows"
        remedy = "no cut can give a picture a class that nobody marked in it"
        problems.append(Problem(False, "classes missed", file, found, "", remedy))
    for kind, where in ("wrong", "where its label is of another class"), ("void", "where its label is void"):
        if mark.get(kind):
            problems.append(Problem(False, f"scribbles {where}", file, f"{mark[kind]} pixels", "", "redraw them"))
    return mark, problems


def _still_there(path, picture):
    """The way out where strokes were saved together with the photograph beneath them, or ""."""
    try:
        drawn, image = read_image(path), read_image(picture)
    except (OSError, ValueError):
        return ""
    if drawn.shape != image.shape or (np.abs(drawn.astype(int) - image).max(axis=2) <= JITTER).mean() < 0.5:
        return ""
    return "the photograph is still beneath the strokes: utils.data.painted.take_strokes takes them off"


def _label(root, name, classes, size):
    """The label of a name where there is one that can be read, of the same size; else None."""
    try:
        label = read_label(label_path(root, name), classes)
    except (OSError, ValueError):
        return None  # the data check itself tells of it
    return label if label.shape == size else None


def _over_all(marks, classes, folder):
    pixels = sum((mark["pixels"] for mark in marks), np.zeros(VOID + 1, np.int64))
    nowhere = [name for name, count in zip(classes.names, pixels, strict=False) if not count]
    if not marks or not nowhere:
        return []
    remedy = "they cannot be learnt"
    return [Problem(False, "classes", folder, f"no mark of {', '.join(nowhere)}", "a stroke of each class", remedy)]


def lines(found, classes):
    """`Scribbles` as lines of text: the share, pixels and pictures of each class, what was missed."""
    files = f"{len(found.marks)} of {found.num_files} files of {found.split}"
    yield f"{found.folder}: {files}, {found.share:.1%} of the pixels marked"
    if not found.marks:
        return
    marked = found.pixels[:VOID]
    width = max(len(name) for name in [*classes.names, "class"])
    yield f"{'class':{width}}  % of marks  pictures  missed in"
    for i, name in enumerate(classes.names):
        pictures = sum(mark["pixels"][i] > 0 for mark in found.marks)
        missed = sum(i in mark.get("missed", ()) for mark in found.marks)
        if pictures or missed:
            yield f"{name:{width}}  {100 * marked[i] / marked.sum():10.2f}  {pictures:8}  {missed:9}"
    for kind, where in ("wrong", "where the label is of another class"), ("void", "where the label is void"):
        if any(kind in mark for mark in found.marks):
            yield f"marks {where}: {sum(mark.get(kind, 0) for mark in found.marks):,} pixels"
