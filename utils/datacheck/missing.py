"""Why a file seems to be missing, where the folder shows it: more behind its name, another folder, .npy."""

import collections
import os
import pathlib
import shlex

from ..core.surroundings import python

ENDINGS = (
    "_mask", "-mask", "_masks", "_label", "_labels", "_labelIds", "_seg", "_segmentation", "_gt", "_color", "_L", "_P",
    "_gtFine_color", "_gtFine_labelIds", "_gtFine_labelTrainIds", "_gtCoarse_color", "_annotation", ".jpg", ".jpeg",
)  # fmt: skip
FOLDERS = (
    "SegmentationClassPNG", "SegmentationClassRaw", "SegmentationClassAug", "masks", "mask", "labels", "label",
    "annotations", "annots", "gt", "images", "imgs", "img", "pictures", "photos", "JPEGImages",
)  # fmt: skip
IMAGES = "images", "imgs", "img", "pictures", "photos", "jpegimages"
PICTURES, LABELS = (".jpg", ".jpeg", ".png"), (".png",)


def explained(root, problems):
    """The problems; those of a missing file with its reason and the command that mends it, where it can be seen."""
    look = _Looks(root)
    return [_explained(look, problem) if problem.found == "no such file" else problem for problem in problems]


class _Looks:
    """What lies in a data set's folders, each read once."""

    def __init__(self, root):
        self.root, self._known = root, {}

    def names(self, folder):
        """{name in small letters: names as they stand} of a folder."""
        if folder not in self._known:
            found = collections.defaultdict(list)
            for name in os.listdir(self.root / folder) if (self.root / folder).is_dir() else ():
                found[name.lower()].append(name)
            self._known[folder] = found
        return self._known[folder]

    def folders(self):
        """Folders in the data set's whose names are usual, as they stand."""
        wanted = {name.lower() for name in FOLDERS}
        return [names[0] for name, names in self.names("").items() if name in wanted]


def layout(path):
    """What to do with something that is no folder in VOC's layout but could become one, or ""."""
    quoted = shlex.quote(str(path))
    if os.path.isfile(path):
        unpack = f"; unpack it: unzip -n {quoted} -d {shlex.quote(str(path.with_suffix('')))}"
        return f"{path}: a file; expected a folder in VOC layout{unpack * (path.suffix.lower() == '.zip')}"
    if not os.path.isdir(path):
        return ""
    for inner in sorted([*path.glob("*/"), *path.glob("*/*/")]):
        if os.path.isdir(inner / "SegmentationClass"):
            return f"{path}: no SegmentationClass/ in it, but in {inner}: name that folder"
    there = {name.lower(): name for name in os.listdir(path) if os.path.isdir(path / name)}
    pictures = next((there[name] for name in IMAGES if name in there), None)
    labels = next((there[name.lower()] for name in FOLDERS if name.lower() in there and name not in IMAGES), None)
    if not pictures or not labels:
        return ""
    moves = [(pictures, "JPEGImages"), (labels, "SegmentationClass")]
    moves = [[shlex.quote(str(path / name)) for name in names] for names in moves if len(set(names)) > 1]
    line = " && ".join(f"mv -n {old} {new}" for old, new in moves)
    expected = "JPEGImages/ with the pictures and SegmentationClass/ with the labels"
    return f"{path}: {pictures}/ and {labels}/; expected {expected}: {line}"


def _explained(look, problem):
    if not problem.kind.endswith(" missing"):
        return problem
    path = pathlib.PurePosixPath(problem.file)
    folder, stem, here = str(path.parent), path.stem, look.root / path.parent
    label = problem.kind.startswith("labels")
    suffixes = LABELS if label else PICTURES
    quoted = shlex.quote(str(here))
    for suffix in suffixes:
        for name in look.names(folder).get(f"{stem}{suffix}".lower(), ()):
            if pathlib.PurePath(name).stem != stem:
                move = f"mv -n {quoted}/{shlex.quote(name)} {quoted}/{shlex.quote(stem + suffix)}"
                return _but(problem, f"{name}: capital and small letters differ", move)
            ending = pathlib.PurePath(name).suffix
            if ending != suffix:
                return _but(problem, f"one that ends in {ending}", _rename(quoted, ending, suffix))
    for ending in ENDINGS:
        if label and f"{stem}{ending}.png".lower() in look.names(folder):
            return _but(problem, f"one with {ending} behind the name", _rename(quoted, f"{ending}.png", ".png"))
        if not label and stem.endswith(ending) and f"{stem}.png".lower() in look.names("SegmentationClass"):
            bare = stem.removesuffix(ending)
            if any(f"{bare}{suffix}".lower() in look.names(folder) for suffix in suffixes):
                labels = shlex.quote(str(look.root / "SegmentationClass"))
                return _but(problem, f"one without {ending}", _rename(labels, f"{ending}.png", ".png"))
    for other in look.folders():
        photographs = other.lower() in IMAGES
        if not label and not photographs:
            continue  # a label is no picture
        if label and photographs and f"{stem}.jpg".lower() not in look.names(other):
            continue  # nor a picture a label: beside a photograph of its name it is one
        for suffix in suffixes:
            found = [
                name for end in ("", *ENDINGS) for name in look.names(other).get(f"{stem}{end}{suffix}".lower(), ())
            ]
            if found:
                return _but(problem, f"one in {other}/", _bring(look.root, other, folder, pathlib.PurePath(found[0])))
    if label and (where := next((f for f in (folder, f"{folder}Npy") if f"{stem}.npy".lower() in look.names(f)), None)):
        return _but(problem, f"one that ends in .npy in {where}/, an array of class indices", _paint(look.root, where))
    return problem


def _but(problem, what, remedy):
    return problem._replace(found=f"no such file, but {what}", remedy=remedy)


def _rename(folder, old, new):
    """The command for all files of a folder; -n: it replaces none."""
    old, new = shlex.quote(old), shlex.quote(new)
    return f'for f in {folder}/*{old}; do mv -n "$f" "${{f%{old}}}"{new}; done'


def _bring(root, other, folder, example):
    source, target = shlex.quote(str(root / other)), shlex.quote(str(root / folder))
    make = "" if (root / folder).is_dir() else f"mkdir {target} && "
    return f"{make}cp -n {source}/*{example.suffix} {target}/"


def _paint(root, folder):
    """Indices become palette PNGs in the classes' colours, beside what is there; labelme writes -1 for void: 255."""
    code = (
        "import pathlib, sys, numpy as np; from utils.data.image_io import palette_picture as paint; "
        "from utils.data.voc import classes_in; root = pathlib.Path(sys.argv[1]); to = root / 'SegmentationClass'; "
        "[paint(np.load(p).astype(np.uint8), classes_in(root)).save(to / (p.stem + '.png')) "
        f"for p in (root / {folder!r}).glob('*.npy') if not (to / (p.stem + '.png')).exists()]"
    )
    return f"{python()} -c {shlex.quote(code)} {shlex.quote(str(root))}"
