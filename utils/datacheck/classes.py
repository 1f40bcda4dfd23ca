"""Problems of classes as people name them: names in a file beside the data, names of no class, one class alone."""

import os
import re
import shlex

from ..core.files import read_lines
from ..data.labelmap import VOC, VOC_CLASSES
from .items import Problem

BESIDE = re.compile(
    r"_?(class(es)?|label[-_ ]?(map|s)?|label[-_ ]?colou?rs)([-_ ]?(names?|dict|list|map))?\.(txt|csv)|obj\.names", re.I
)
"""Files in which annotation tools and data sets keep the names of classes: class_names.txt, _classes.csv, …"""
NO_CLASS = re.compile(
    r"[-_ ]*(ignored?|un-?labell?ed|unknown|undefined|don'?t[-_ ]?care|void|invalid|no[-_ ]?label|out[-_ ]?of[-_ ]?roi)"
    r"([-_ ]*(region|area|class|label|pixels?))?[-_ ]*|255",
    re.IGNORECASE,
)
SWALLOWED = "background swallowed"  # a kind of problem


def beside(root):
    """A problem where there is no labelmap.txt and another file names the classes; else nothing."""
    for folder in root, root / "SegmentationClass", root / "ImageSets", root / "ImageSets" / "Segmentation":
        for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
            if not BESIDE.fullmatch(name) or not (rows := _rows(folder / name)):
                continue
            names = [re.sub(r"^_background_$", "background", name) for name, _ in rows]
            if names == VOC_CLASSES[: len(names)] and all(color is None for _, color in rows):
                return []
            lines = [
                f"{name}:{color or '::'}" + "::" * bool(color) for name, (_, color) in zip(names, rows, strict=True)
            ]
            found = f"names {len(names)} classes, {_few(names)}, and is not read; the 21 of VOC are taken"
            of_voc = "" if any(color for _, color in rows) else " (without colours: VOC's, in this order)"
            remedy = f"write it{of_voc}: printf '%s\\n' {shlex.join(lines)} > {shlex.quote(str(root / 'labelmap.txt'))}"
            file = (folder / name).relative_to(root).as_posix()
            return [Problem(True, "classes", file, found, "labelmap.txt", remedy)]
    return []


def _few(names, few=4):
    return ", ".join(names[:few]) + ", …" * (len(names) > few)


def _rows(path):
    """[(name, "r,g,b" or None)] of a file of class names, in the order of their indices; [] where it is none."""
    try:
        lines = [line for _, line in read_lines(path, "a class a line") if not line.startswith("#")]
    except (OSError, ValueError):
        return []
    found = [row for row in map(_row, lines) if row]
    if any(index is not None for index, *_ in found):
        found = sorted((row for row in found if row[0] is not None), key=lambda row: row[0])
    found = [(name, color) for _, name, color in found if name.lower() != "__ignore__"]
    names, colors = [name for name, _ in found], [color for _, color in found]
    if not found or len(set(names)) < len(names) or len(set(colors) - {None}) < len(colors) - colors.count(None):
        return []
    return found if all(colors) else [(name, None) for name in names]


def _row(line):
    """(index or None, name, "r,g,b" or None) of one line in one of the usual ways to write it; None for a header."""
    parts = re.fullmatch(r"((?:\d+[\s,]+)*)(.*?[^\d\s,].*?)((?:[\s,]+\d+)*)[\s,]*", re.sub("[:;]", ",", line))
    if not parts or "," in parts[2] or re.fullmatch("name|class(es)?|label", parts[2], re.IGNORECASE):
        return None
    before, name, after = re.findall(r"\d+", parts[1]), parts[2].strip(), re.findall(r"\d+", parts[3])
    if len(after) == 1 and "," not in parts[3]:  # "road 2"
        name, after = name + parts[3], []
    color = next((numbers[-3:] for numbers in (after, before) if len(numbers) in (3, 4)), None)
    index = next((int(numbers[0]) for numbers in (before, after) if len(numbers) in (1, 4)), None)
    return index, name, color and ",".join(color)


def problems(report):
    """For a `Report` whose lists and pairs are filled in."""
    if report.classes is None:
        return []
    return _no_classes(report) + _alone(report) + _background(report)


def _no_classes(report):
    """Names that mean no class, such as ignore: as classes they would be learnt and scored."""
    found = []
    for name, color in zip(report.classes.names, report.classes.colors, strict=True):
        if report.classes is not VOC and NO_CLASS.fullmatch(name):
            line = ":".join(["void", ",".join(map(str, color)), "", ""])
            remedy = f"if it should not be learnt and scored, name it void in labelmap.txt: {line}"
            found.append(Problem(False, "classes", "labelmap.txt", f"{name} is a class: learnt and scored", "", remedy))
    return found


def _alone(report):
    """One class everywhere: to name it scores 1.000, and nothing is learnt."""
    found = []
    for split, names in report.lists.items():
        if any(report.pairs[name].pixels is None for name in names):
            continue
        pictures = report.frequencies(split)[1][:-1]
        if len(pictures) > 1 and (pictures > 0).sum() == 1:
            what = f"{report.classes.names[pictures.argmax()]} is the only class in all {len(names)} labels"
            remedy = "a net that names it everywhere scores 1.000: see whether the labels hold what was marked"
            where = split if "labels" in split else f"ImageSets/Segmentation/{split}.txt"
            wrong = split in ("train", "val", "default", "trainval", "all labels")
            found.append(Problem(wrong, "classes", where, what, "two or more", remedy))
    return found


def _background(report):
    """Unmarked pixels in the colour of the first class: what Datumaro does with classes in alphabetical order.

    A picture that is marked all over has no unmarked pixels: more than half must have some.
    """
    names, colors = report.classes.names, report.classes.colors
    black = colors.index((0, 0, 0)) if (0, 0, 0) in colors else 0
    pixels = [pair.pixels for pair in report.pairs.values() if pair.pixels is not None]
    first = sum(p[0] > 0 for p in pixels)
    if not black or any(p[black] for p in pixels) or first <= len(pixels) / 2:
        return []
    found = f"{names[black]} (0,0,0) is in no label, {names[0]}, the first class, in {first} of {len(pixels)}"
    remedy = (
        "Datumaro, which CVAT exports with, gives unmarked pixels to the class whose name sorts first "
        "(capitals before small letters): "
        f"if so, rename {names[0]} to something behind '{names[black]}' there, and export anew; "
        f"if all is marked, take {names[black]} out of labelmap.txt"
    )
    return [Problem(True, SWALLOWED, "labelmap.txt", found, "", remedy)]
