"""Looks at a data set in VOC layout and finds every problem at once: `python -m utils data FOLDER`.

`check` returns data; cli/validate.py prints it. Problems of one pair are found in items.py, those that only all pairs
together show in lists.py (lists, doubles), labels.py (colours) and classes.py (names).
"""

import collections
import concurrent.futures
import hashlib
import os
import pathlib
from typing import NamedTuple

import numpy as np

from ..core.device import physical_cores
from ..core.files import names_in, read_lines
from ..data import sources
from ..data.labelmap import VOID_COLOR, LabelMap
from ..data.voc import classes_in, data_root
from . import classes as of_classes
from . import items, labels
from . import lists as of_lists
from .items import Problem, picture_path, without
from .missing import explained, layout

CROP_SIZE = (160, 224)  # what the chapters train with
LIKELY = (of_classes.SWALLOWED,)


class Report(NamedTuple):
    """All that was found. lists: {"train": names, "val": names, …}, or one list that is still to be split."""

    root: pathlib.Path
    classes: LabelMap | None
    lists: dict
    pairs: dict
    problems: list

    @property
    def errors(self):
        """The problems that would stop the course or make a score wrong."""
        return [problem for problem in self.problems if problem.error]

    @property
    def doubts(self):
        """What is likely to be wrong, and would make a score wrong: only the person who made the labels knows."""
        return [problem for problem in self.problems if problem.kind in LIKELY]

    def frequencies(self, split):
        """Of each class of a list, void last: number of pixels, and number of pictures it occurs in, int64."""
        pixels = [self.pairs[name].pixels for name in self.lists[split] if self.pairs[name].pixels is not None]
        pixels = np.array(pixels, np.int64).reshape(len(pixels), len(self.classes) + 1)
        return pixels.sum(0), (pixels > 0).sum(0)


def find(name):
    """The folder of a data set; unlike `data_root` also one whose split is still to be made, and nothing is fetched."""
    if name in sources.SOURCES:
        if root := sources.find(name):
            return root
        raise FileNotFoundError(f"{name} is not on this machine: `make data DATASET={name}` fetches it")
    path, parts = pathlib.Path(name).expanduser(), ("JPEGImages", "SegmentationClass")
    if os.path.isfile(path):
        raise FileNotFoundError(layout(path))
    for part in parts:
        names_in(path / part)  # or its error, before each file in it seems to be missing
    if any(os.path.isdir(path / part) for part in parts):
        return path
    if told := layout(path):
        raise FileNotFoundError(told)
    return data_root(name)


def check(name, crop_size=CROP_SIZE, scale=1.0, progress=None, pairs=()):
    """`Report` of a data set: a name or a folder, as `data_root` takes it.

    crop_size, scale: what training will use. progress: called with (pairs looked at, pairs in all). pairs: the ones of
    an earlier report, not read again. A folder that isn't there or has nothing of VOC layout is a FileNotFoundError.
    """
    root = find(name)
    classes, problems = _classes(root)
    lists, found = of_lists.read_lists(root)
    problems += found
    report = Report(root, classes, lists, dict(pairs), problems)
    _look(report, progress)
    problems += of_lists.problems(report) + labels.problems(report) + of_classes.problems(report)
    for name in lists.get("train", []):
        problems += items.small(report.pairs[name], crop_size, scale)
    problems[:] = explained(root, problems)
    return report


def glance(root, train=None, val=None, splits=("train", "val"), progress=None, scale=1):
    """`Report` of what can be seen without decoding a picture: labels, sizes, lists, copies of a file.

    For `train` and `evaluate`, which refuse its errors. What is only likely is a warning here, in `doubts`. train, val:
    names, or None; splits: their lists' names. scale: what `Pair.scaled` is counted at.
    """
    classes, problems = _classes(root)
    lists = {split: names for split, names in (("train", train), ("val", val)) if names is not None}
    report = Report(root, classes, lists, {}, problems)
    _look(report, progress, whole=False, scale=scale)
    problems += of_lists.overlaps(report) + labels.problems(report) + of_classes.problems(report)
    for old, new in zip(("train", "val"), splits, strict=True):
        if new != old:
            old, new = f"{old}.txt", f"{new}.txt"
            problems[:] = [Problem(p.error, *(part.replace(old, new) for part in p[1:])) for p in problems]
    problems[:] = [p._replace(error=p.error and p.kind not in LIKELY) for p in explained(root, problems)]
    return report


def _look(report, progress, whole=True, scale=1):
    """Fill in the pairs that are in the lists, and their problems."""
    wanted = list(dict.fromkeys(sum(report.lists.values(), [])))
    names = [name for name in wanted if name not in report.pairs]
    if report.classes:
        report.classes.indices([(0, 0, 0)])  # its table is made at first use: not by two threads at once
    with concurrent.futures.ThreadPoolExecutor(physical_cores()) as pool:
        for i, pair in enumerate(
            pool.map(lambda name: items.look(report.root, name, report.classes, whole, scale), names), 1
        ):
            report.pairs[pair.name] = pair
            if progress:
                progress(i, len(names))
    if not whole:
        _digest_copies(report)
    for name in wanted:
        report.problems.extend(report.pairs[name].problems)


def _digest_copies(report):
    """A digest for pictures whose files are of one length, so that copies of one are found; few are read for it."""
    lengths = collections.defaultdict(list)
    for name, pair in report.pairs.items():
        if pair.size:
            path = picture_path(report.root, name)
            lengths[os.path.getsize(path)].append((name, path))
    for name, path in (one for group in lengths.values() if len(group) > 1 for one in group):
        digest = hashlib.blake2b(path.read_bytes(), digest_size=16).digest()
        report.pairs[name] = report.pairs[name]._replace(digest=digest)


def _classes(root):
    """Classes and problems."""
    path = root / "labelmap.txt"
    try:
        classes = classes_in(root)
        lines = [line.split(":") for _, line in read_lines(path, "")] if path.is_file() else []
    except (OSError, ValueError) as error:
        remedy = "mend it first: until then no label's colours are looked at"
        return None, [Problem(True, "classes", path.name, without(path, error), "", remedy)]
    problems = [] if os.path.lexists(path) else of_classes.beside(root)
    if len(classes) < 2:
        remedy = "add a second class for all other pixels, such as background:0,0,0::"
        problems = [Problem(True, "classes", path.name, "one class", "two or more", remedy)]
    void = ",".join(map(str, VOID_COLOR))
    for name, color, *_ in (line for line in lines if len(line) > 1 and not line[0].startswith("#")):
        if color.replace(" ", "") == void and name.strip().lower() not in ("void", "ignore", "ignored"):
            found, remedy = f"{name} has void's colour {void}", "its pixels are void: if it is a class, recolour it"
            problems.append(Problem(False, "classes", path.name, found, "", remedy))
    return classes, problems
