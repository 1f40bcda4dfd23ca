"""Problems of a data set's colours and classes, over all labels."""

import collections

import numpy as np

from ..data import label_hints
from ..data.labelmap import VOC, VOID_COLOR
from .items import Problem
from .lists import SPLITS, list_file


def problems(report):
    """For a `Report` whose lists and pairs are filled in."""
    if any(pair.unknown or pair.pixels is not None for pair in report.pairs.values()):  # a label could be read
        return _colors(report) + _rare(report) + _instances(report)
    return []


def _colors(report):
    """Unknown colours of large areas: a class that labelmap.txt lacks, or another palette."""
    pixels, files = collections.Counter(), collections.defaultdict(list)
    for pair in report.pairs.values():
        for color, count in pair.unknown.items():
            pixels[color] += count
            files[color].append(pair.name)
    labelmap = "labelmap.txt" + " (none here: VOC's 21 classes)" * (report.classes is VOC)
    problems = []
    for c, count in pixels.most_common():
        names, color = files[c], ",".join(map(str, c))
        where = f"{len(names)} labels, such as {names[0]}.png" if len(names) > 1 else f"{names[0]}.png"
        found = f"colour {color} is not in {labelmap}: {count:,} pixels in {where}"
        expected = f"a class's colour, or {','.join(map(str, VOID_COLOR))} for void"
        remedy = f"a class or another palette: write the line NAME:{color}:: if you know what it is, or export anew"
        near, name = min((max(abs(np.subtract(c, known))), name) for name, known in _known(report))
        if near <= 16:  # a slip of the brush, or of labelmap.txt
            line = label_hints.line(report.root / "SegmentationClass" / f"{names[0]}.png", "nearest colour")
            remedy = (
                f"{near} away from the colour of {name}: repaint it, or mend the line of {name} in labelmap.txt, "
                f"or have the nearest class's colour taken: {line}"
            )
        elif c == label_hints.WHITE:
            remedy = _of_white(report)
        problems.append(Problem(True, "unknown colours", "SegmentationClass", found, expected, remedy))
    return problems


def _of_white(report):
    """What to do with white, which borders have in many palettes."""
    if report.classes is VOC:
        return "write labelmap.txt with your classes; white is void by the line void:255,255,255::, else a class's"
    return (
        "if nobody should be judged by it, add the line void:255,255,255:: to labelmap.txt; "
        "if it is a class, NAME:255,255,255::"
    )


def _known(report):
    return [*zip(report.classes.names, report.classes.colors, strict=True), ("void", VOID_COLOR)]


def _rare(report):
    """Classes that don't occur where they should, and much void."""
    problems, occurs = [], {}
    for split in report.lists:
        pixels, occurs[split] = report.frequencies(split)
        if pixels.sum() and pixels[-1] > pixels.sum() / 2:
            found, all_of_it = f"{pixels[-1] / pixels.sum():.0%} of the pixels are void", pixels[-1] == pixels.sum()
            problems.append(
                Problem(
                    bool(all_of_it),
                    "classes",
                    list_file(split),
                    found,
                    "",
                    "nothing is learnt from them, or tested on them",
                )
            )
    if any(pair.pixels is None for pair in report.pairs.values()):
        return problems  # what lies in labels that could not be counted, no one knows
    names = report.classes.names
    nowhere = [name for i, name in enumerate(names) if not any(pictures[i] for pictures in occurs.values())]
    if nowhere:
        remedy = "leave them out of labelmap.txt if they are never to come"
        if report.classes is VOC:
            remedy = "write a labelmap.txt of your own classes if these 21 of VOC are not yours"
        found = "no pixel of " + ", ".join(nowhere)
        problems.append(Problem(False, "classes", "labelmap.txt", found, "a class in train and in val", remedy))
    if set(occurs) >= set(SPLITS):
        for here, there, why in ("train", "val", "cannot be learnt"), ("val", "train", "cannot be tested"):
            lacks = [name for i, name in enumerate(names) if not occurs[here][i] and occurs[there][i]]
            if lacks:
                found = (
                    f"no pixel of {', '.join(lacks)}, which {'are' if len(lacks) > 1 else 'is'} in {there}.txt: {why}"
                )
                remedy = "move or label pictures so that it is in both"
                problems.append(
                    Problem(False, "classes", list_file(here), found, "a class in train and in val", remedy)
                )
    return problems


def _instances(report):
    """Each label has the classes 1 to k without a gap: so VOC's SegmentationObject looks, read as classes."""
    found = [np.flatnonzero(pair.pixels[1:-1]) for pair in report.pairs.values() if pair.pixels is not None]
    counts = {len(classes) for classes in found}
    if len(counts) < 3 or max(counts) < 4 or any(len(c) and c[-1] != len(c) - 1 for c in found):
        return []
    names = report.classes.names
    what = f"each label has the first classes without a gap: {names[1]} alone, or with {names[2]}, and so on"
    remedy = "these may be numbered objects, such as VOC's SegmentationObject: take the labels of classes"
    return [Problem(False, "classes", "SegmentationClass", what, "", remedy)]
