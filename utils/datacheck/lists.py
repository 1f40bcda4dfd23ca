"""Problems of a data set that no single pair shows: lists, files in no list, doubles."""

import collections
import os
import re
import shlex

from ..core.files import read_lines
from ..data.voc import name_fault, read_names
from .items import SUFFIXES, Problem, picture_path, without

TRAIN_LEAST, VAL_LEAST = 8, 1  # one batch of the chapters, one picture to test on
SOURCES = "default", "trainval"  # lists that a split is made from; where there is none, every label
SPLITS = "train", "val"
A_LIST = "one picture's name a line, without .jpg"
SYNONYMS = {"train": ("train", "training", "trn"), "val": ("val", "valid", "validation", "eval", "dev")}
TEST = "test", "testing"  # stands for val only where nothing else does
PLACES = "ImageSets/Segmentation", "ImageSets", ""


def read_lists(root):
    """The names to look at, and the lists' problems.

    {"train": …, "val": …} and every further list but those that a split is made from; or one list if there is no split.
    """
    folder = root / "ImageSets" / "Segmentation"
    if other := other_lists(root):
        lists, problems = {}, []
        for split in SPLITS:
            path = other.get(split, folder / f"{split}.txt")
            lists[split], found = _read(root, path)
            problems += found
            if split in other:
                problems.append(_renamed(root, split, path))
        return lists, problems
    if any((folder / f"{split}.txt").is_file() for split in SPLITS):
        lists, problems = {}, []
        found = {path.stem for path in folder.glob("*.txt")}
        for split in [*SPLITS, *sorted(found.difference(SPLITS, SOURCES))]:
            lists[split], found = _read(root, folder / f"{split}.txt")
            if not found and len(set(lists[split])) == len(lists[split]):  # names given twice are told further down
                found += _as_read(root, split)
            if split not in SPLITS:
                found = [problem._replace(error=False) for problem in found] or _unlabelled(root, split, lists[split])
                if found:
                    del lists[split]
            problems += found
        return lists, problems
    source, problems = None, []
    for name in SOURCES:
        if source is None and (folder / f"{name}.txt").is_file():
            names, found = _read(root, folder / f"{name}.txt")
            source = name if names or found else None
            if source is None:
                remedy = "delete it, or write the names into it; until then it is ignored"
                problems.append(Problem(False, "lists", list_file(name), "empty", A_LIST, remedy))
            problems += found
    if source is None:
        names = list(_names(root, "SegmentationClass", (".png",)))
    where = f"{source}.txt" if source else "the labels that are there"
    remedy = f"--split makes both from {where} ({len(names)} names)"
    file, expected = "ImageSets/Segmentation/train.txt and val.txt", A_LIST
    problem = Problem(True, "lists", file, "no such files", expected, remedy)
    return {source or "all labels": names}, [problem, *problems]


def problems(report):
    """The problems of the whole, for a `Report` whose lists and pairs are filled in."""
    return _numbers(report) + overlaps(report) + _unlisted(report) + _several(report.root)


def overlaps(report):
    """Names or pictures that stand in a list twice, or in two."""
    return _twice(report) + _doubles(report)


def other_lists(root):
    """{"train": path, "val": path} of lists under another name or in another folder, where the course's own is missing.

    Annotation tools write Train.txt, Validation.txt or test.txt; a list of test pictures stands for val where there is
    no other. A split made beside them would put pictures to train with that somebody kept for testing.
    """
    own = {split for split in SPLITS if (root / PLACES[0] / f"{split}.txt").is_file()}
    found = {}
    for split, words in [*SYNONYMS.items(), ("val", TEST)]:
        if split in own or split in found:
            continue
        for place in PLACES:
            names = sorted(os.listdir(root / place)) if (root / place).is_dir() else []
            for word in words:
                match = next((name for name in names if name.lower() == f"{word}.txt"), None)
                if (
                    match
                    and split not in found
                    and (words != TEST or not _unlabelled(root, "", _read(root, root / place / match)[0]))
                ):
                    found[split] = root / place / match
    return found


def rename_command(root, split, path):
    """The line that gives a list its name; -n: it replaces none."""
    return f"mv -n {shlex.quote(str(path))} {shlex.quote(str(root / list_file(split)))}"


def _renamed(root, split, path):
    """A list that the course won't read under its name."""
    file, found = path.relative_to(root).as_posix(), f"a list of {SPLIT_IS[split]}, and is not read"
    folder = root / PLACES[0]
    make = "" if folder.is_dir() else f"mkdir -p {shlex.quote(str(folder))} && "
    return Problem(True, "lists", file, found, list_file(split), make + rename_command(root, split, path))


SPLIT_IS = {"train": "pictures to train with", "val": "pictures to test with"}


def _unlabelled(root, split, names):
    """A further list of which no picture has a label, as those of contests: there is nothing else to look at."""
    if any(os.path.isfile(root / "SegmentationClass" / f"{name}.png") for name in names):
        return []
    remedy = "a net can label its pictures, but is not scored on them"
    return [Problem(False, "lists", list_file(split), "no label for any of its names", "", remedy)]


def _read(root, path):
    """Names of a list as they stand, and what keeps it from being read.

    `read_names` stops at what is to be told here. Lines that are no names are left out where there are several: they
    are told once, not by a missing picture and label for each.
    """
    file = path.relative_to(root).as_posix()
    if not path.is_file():
        other = "val" if path.stem == "train" else "train"
        remedy = f"write it, or rename {other}.txt to default.txt and add --split to this command"
        if others := other_lists(root):
            remedy = f"write it: {', '.join(p.name for p in others.values())} is there already"
        return [], [Problem(True, "lists", file, "no such file", A_LIST, remedy)]
    try:
        lines = [line for _, line in read_lines(path, A_LIST)]
        names = _bare(root, lines) or lines
        good = [name for name in names if not name_fault(name)]
        return good if len(good) < len(names) - 1 else names, []
    except (OSError, ValueError) as error:
        return [], [Problem(True, "lists", file, without(path, error))]


def _bare(root, lines):
    """The names, where each line is a picture's path or file name, perhaps with its label's behind it; else []."""
    names = [_first_stem(line) for line in lines]
    if (
        names == lines
        or len(set(names)) < len(set(lines))
        or any(re.search(r"\s", line) and "." not in line.split()[-1] for line in lines)
    ):
        return []  # a column of numbers is no path
    odd = [(name, line) for name, line in zip(names, lines, strict=True) if name != line]
    if any(picture_path(root, line).is_file() for _, line in odd):
        return []
    return names if all(picture_path(root, name).is_file() for name, _ in odd) else []


def _first_stem(line):
    """The name in a line's first column, or in its second of three behind an index, as MXNet's .lst files have it."""
    first = re.sub(r"\s.*", "", re.sub(r"^\d+\s+(?=\S+\.\S*\s)", "", line))
    return re.sub(r"\.[A-Za-z]+$", "", first.rpartition("/")[2])


def _as_read(root, split):
    """What the course will say of a list, if it will."""
    path = root / "ImageSets" / "Segmentation" / f"{split}.txt"
    try:
        read_names(root, split=split)
    except (OSError, ValueError) as error:
        remedy, found = "", without(path, error)
        lines = [line for _, line in read_lines(path, A_LIST)] if isinstance(error, ValueError) else []
        if (odd := sum(bool(name_fault(line)) for line in lines)) > 1:
            found += f" ({odd} such lines)"
        if odd and _bare(root, lines):
            here, kept = shlex.quote(str(path)), shlex.quote(f"{path}.before")
            index = "s#^[0-9]+[[:space:]]+([^[:space:]]+[.][^[:space:]]*[[:space:]])#\\1#; "  # sed's way to say it
            only_names = shlex.quote(index + r"s#[[:space:]].*##; s#.*/##; s#\.[A-Za-z]+$##")
            remedy = f"mv -n {here} {kept} && [ ! -e {here} ] && sed -E {only_names} {kept} > {here}"
        return [Problem(True, "lists", path.relative_to(root).as_posix(), found, "", remedy)]
    return []


def _names(root, folder, suffixes):
    """{name: path} of a folder's files and of folders in it, names as a list would give them."""
    return {name: paths[0] for name, paths in _files(root, folder, suffixes).items()}


def _files(root, folder, suffixes):
    """{name: paths} of the same. What begins with a dot is no one's picture: macOS and notebooks leave such files."""
    found = collections.defaultdict(list)
    for path in sorted((root / folder).rglob("*")):
        inner = path.relative_to(root / folder)
        if path.suffix.lower() in suffixes and not any(part.startswith(".") for part in inner.parts):
            found[inner.with_suffix("").as_posix()].append(path)
    return found


def list_file(split):
    return f"ImageSets/Segmentation/{split}.txt"


def _numbers(report):
    """Too few pictures for a batch or a test."""
    problems = []
    for split, least in zip(SPLITS, (TRAIN_LEAST, VAL_LEAST), strict=True):
        found = len(report.lists.get(split, ()))
        if 0 < found < least:
            remedy = "label more pictures, or move some here from the other list"
            problems.append(Problem(True, "lists", list_file(split), f"{found} names", f"{least} or more", remedy))
    return problems


def _twice(report):
    """Names twice in a list or in both."""
    problems = []
    for split, names in report.lists.items():
        for name, times in collections.Counter(names).items():
            if times > 1:
                problems.append(
                    Problem(True, "lists", list_file(split), f"{name}, {times} times", "once", "take the others out")
                )
    train, val = (dict.fromkeys(report.lists.get(split, ())) for split in SPLITS)
    for name in val:
        if name in train:
            remedy = "take it out of one: a net must not be tested on what it was trained on"
            problems.append(
                Problem(True, "in both lists", list_file("val"), f"{name} is in train.txt too", "in one", remedy)
            )
    for split in list(report.lists)[len(SPLITS) :]:
        if shared := [name for name in report.lists[split] if name in train]:
            found = f"{len(shared)} names are in train.txt too, such as {shared[0]}"
            remedy = "don't score a net on this list that was trained on the other"
            problems.append(Problem(False, "in both lists", list_file(split), found, "", remedy))
    return problems


def _doubles(report):
    """The same pixels under two names: an error where one trains and the other tests."""
    groups, problems = collections.defaultdict(list), []
    looked_at = set().union(*list(report.lists.values())[: len(SPLITS)])
    for pair in report.pairs.values():
        if pair.digest and pair.name in looked_at:
            groups[pair.digest].append(pair.name)
    train, val = (set(report.lists.get(split, ())) for split in SPLITS)
    for names in groups.values():
        first = next((name for name in names if name in train), names[0])
        for other in names:
            if other == first:
                continue
            across = first in train and other in val
            kind = "the same picture in train and val" if across else "the same picture twice"
            found = f"the same pixels as {report.pairs[first].file}" + " of train.txt" * across
            file, remedy = report.pairs[other].file, "take one out of the lists"
            problems.append(Problem(across, kind, file, found, "", remedy))
    return problems


def _unlisted(report):
    """Files that the course will never read, as no list names them."""
    root, kind = report.root, "in no list"
    files = (root / "ImageSets" / "Segmentation").glob("*.txt")
    listed = {name for path in files for name in _mentioned(root, path)}.union(*report.lists.values())
    files, labels = _names(root, "JPEGImages", SUFFIXES), _names(root, "SegmentationClass", (".png",))
    files, labels = ({name: path for name, path in found.items() if name not in listed} for found in (files, labels))
    pictures, problems = {name for name in files if picture_path(root, name).is_file()}, []
    for name in labels:
        file, remedy = f"SegmentationClass/{name}.png", "write its name into train.txt or val.txt"
        if name in pictures:
            problems.append(Problem(False, kind, file, "with its picture, but in no list", "", remedy))
        else:
            problems.append(Problem(False, kind, file, "no picture, and in no list"))
    if alone := pictures - set(labels):  # most of VOC2012's: one line
        found = f"{len(alone)} without a label and in no list, such as {min(alone)}"
        problems.append(Problem(False, kind, "JPEGImages", found, "", "they are left out"))
    for name in set(files) - pictures:
        found, file = f"ends in {files[name].suffix}, and is in no list", files[name].relative_to(root).as_posix()
        problems.append(Problem(False, kind, file, found, ".jpg", "save it as JPEG"))
    return problems


def _mentioned(root, path):
    """Names of a list, those too that stand in lines which can't be read."""
    try:
        lines = [line for _, line in read_lines(path, A_LIST)]
    except (OSError, ValueError):
        return []
    return [*_read(root, path)[0], *(_first_stem(line) for line in lines if name_fault(line))]


def _several(root):
    """Pictures of one name that differ in their ending: one is read."""
    problems = []
    for name, paths in _files(root, "JPEGImages", (".jpg", ".jpeg", ".png")).items():
        if len(paths) > 1:
            read = picture_path(root, name)
            found = f"beside {', '.join(path.name for path in paths if path != read)}"
            file, remedy = read.relative_to(root).as_posix(), "this one is read: take the other away"
            problems.append(Problem(False, "several pictures of one name", file, found, "", remedy))
    return problems
