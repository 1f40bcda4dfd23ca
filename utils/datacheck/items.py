"""What picture and label of one name hold, and every problem of theirs."""

import hashlib
import os.path  # its isfile says no where a name is too long, pathlib's raises
import pathlib
import unicodedata
from typing import NamedTuple

import numpy as np
from PIL import Image

from ..data.image_io import orientation, picture_size
from ..data.label_hints import EXPECTED, hint
from ..data.labelmap import VOID
from ..data.transforms import resize, scaled_size
from ..data.voc import image_path, label_path, read_image, read_label

SMEARED = 4, 0.002  # as many unknown colours, or more, each on less of the picture: edges that were blended
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".heic", ".heif")
EXPORT = "export with colours (CVAT does; Datumaro: apply_colormap=True, its default)"


class Problem(NamedTuple):
    """One thing that is wrong. error: the course would stop, or a score be wrong; otherwise worth knowing."""

    error: bool
    kind: str
    file: str  # relative to the data set's folder
    found: str
    expected: str = ""
    remedy: str = ""

    def __str__(self):
        expected = self.expected and f"expected {self.expected}"
        return f"{self.file}: " + "; ".join(part for part in (self.found, expected, self.remedy) if part)


ONE_COMMAND = "labels without colours", "labels of another kind"
"""Kinds whose remedy is one command for all files; what was found may differ a little from file to file."""


def merged(problems):
    """The problems as texts, those that differ in the file only as one, with their number."""
    groups = {}
    for problem in problems:
        found = "" if problem.kind in ONE_COMMAND and " -c " in problem.remedy else problem.found
        groups.setdefault(problem._replace(file="", found=found), []).append(problem)
    for same in groups.values():
        more = f" and {len(same) - 1} more (--all shows them)" if len(same) > 1 else ""
        yield str(same[0]._replace(file=same[0].file + more))


class Pair(NamedTuple):
    """What picture and label of one name hold; None for what is missing or could not be read.

    file: the picture's, relative to the folder. size: its (height, width), upright. digest: of its pixels. pixels:
    int64, how many of each class, void last; scaled: the same of the label reduced by a scale. unknown: {colour of no
    class: pixels}. complete: both files are there.
    """

    name: str
    file: str
    size: tuple | None
    digest: bytes | None
    pixels: np.ndarray | None
    scaled: np.ndarray | None
    unknown: dict
    complete: bool
    problems: list


def look(root, name, classes, whole=True, scale=1):
    """The `Pair` of one name; classes: a `LabelMap`, or None where labels are only to be opened.

    whole=False reads the size of the picture only, not its pixels: there is no digest.
    """
    picture, label = picture_path(root, name), label_path(root, name)
    size, digest, problems = _look_at_picture(root, picture, whole)
    label_size, pixels, scaled, unknown, found = _look_at_label(root, label, classes, scale)
    problems += found
    if size and label_size and size != label_size:
        turned = size == label_size[::-1] and orientation(picture) in (5, 6, 7, 8)
        why = "; the picture is turned by its EXIF data, the label is not" if turned else ""
        found = "{} × {} (height × width){}".format(*label_size, why)
        remedy = (
            "save the photograph turned, or export the label anew"
            if turned
            else "the two don't belong together, or one was resized"
        )
        expected = "{} × {}, as its picture".format(*size)
        problems.append(Problem(True, "sizes", _short(root, label), found, expected, remedy))
    return Pair(
        name,
        _short(root, picture),
        size,
        digest,
        pixels,
        scaled,
        unknown,
        os.path.isfile(picture) and os.path.isfile(label),
        problems,
    )


def picture_path(root, name):
    """Where the picture of a name lies, or should."""
    try:
        return image_path(root, name)
    except FileNotFoundError:
        return root / "JPEGImages" / f"{name}.jpg"


def _look_at_picture(root, path, whole=True):
    """Size, digest and problems of a picture."""
    file = _short(root, path)
    if not os.path.isfile(path):
        remedy = "copy the photograph there (CVAT: tick 'Save images'), or take its name out of the list"
        return None, None, [missing(root, path, "pictures missing", remedy)]
    try:
        if not whole:
            return picture_size(path), None, []
        image = read_image(path)
        held = orientation(path)
    except Exception as error:  # whatever a broken file makes Pillow raise: the other files are looked at all the same
        return None, None, [Problem(True, "pictures unreadable", file, without(path, error))]
    problems = []
    if held != 1:
        found = f"EXIF orientation {held}: the course reads it upright"
        problems.append(
            Problem(False, "pictures turned by EXIF", file, found, "", "see that its label stands upright too")
        )
    return image.shape[:2], hashlib.blake2b(image.tobytes(), digest_size=16).digest(), problems


def _look_at_label(root, path, classes, scale):
    """Size, pixels of each class, the same at a scale, unknown colours and problems of a label."""
    file = _short(root, path)
    if not os.path.isfile(path):
        remedy = "label it (CVAT writes none where nothing is marked), or take its name out of the list"
        return None, None, None, {}, [missing(root, path, "labels missing", remedy)]
    try:
        if classes is None:
            return read_image(path).shape[:2], None, None, {}, []
        label = read_label(path, classes)
    except Exception as error:
        size, unknown, problems = _why(path, file, classes, error)
        return size, None, None, unknown, problems
    pixels = _counts(label, classes)
    problems = []
    if pixels[-1] == label.size:
        problems = [
            Problem(False, "labels all void", file, "void only", "", "it teaches and tests nothing: leave it out")
        ]
    return label.shape, pixels, pixels if scale == 1 else _counts(resize(label, scale), classes), {}, problems


def _counts(label, classes):
    counts = np.bincount(label.ravel(), minlength=VOID + 1)
    return np.append(counts[: len(classes)], counts[VOID])


def _why(path, file, classes, error):
    """Size, unknown colours and problems of a label that `read_label` refused."""
    try:
        with Image.open(path) as picture:
            grey, png, rgb = picture.mode == "L", picture.format == "PNG", np.asarray(picture.convert("RGB"))
    except Exception:
        return None, {}, [Problem(True, "labels unreadable", file, without(path, error))]
    size, known = rgb.shape[:2], hint(path, classes, near=False)
    if known and grey and png:
        remedy = f"{EXPORT}; or {known[1]}"  # a command comes last, to be copied
        return size, {}, [Problem(True, "labels without colours", file, known[0], EXPECTED, remedy)]
    if known:
        return size, {}, [Problem(True, "labels of another kind", file, known[0], EXPECTED, known[1])]
    if grey or not png:
        return size, {}, [Problem(True, "labels unreadable", file, without(path, error))]
    index = classes.indices(rgb)
    colors, counts = np.unique(rgb[(index >= len(classes)) & (index != VOID)], axis=0, return_counts=True)
    if not len(colors):
        return size, {}, [Problem(True, "labels unreadable", file, without(path, error))]
    unknown = {tuple(color): int(count) for color, count in zip(colors.tolist(), counts, strict=True)}
    if not _is_smeared(len(unknown), counts.sum(), index.size):
        return size, unknown, []  # labels.py tells of colours, not of files
    found = f"{len(unknown)} unknown colours on {counts.sum() / index.size:.1%} of the pixels"
    remedy = "blended at edges: resized with interpolation, drawn with smoothing, or once a JPEG; export it anew"
    if counts.sum() > 0.95 * index.size:  # edges are never all of a picture
        remedy = "a photograph, or a label laid over one: export the mask alone"
    return size, {}, [Problem(True, "labels smeared", file, found, "the classes' colours alone", remedy)]


def _is_smeared(colors, pixels, size):
    """Blending makes many colours of few pixels each, another palette few colours of many."""
    return colors >= SMEARED[0] and pixels / colors < SMEARED[1] * size


def small(pair, crop_size, scale):
    """A picture of the training split that has to be padded."""
    if pair.size is None or all(n >= want for n, want in zip(scaled_size(pair.size, scale), crop_size, strict=True)):
        return []
    found = "{} × {}".format(*pair.size) + (f" at scale {scale}" if scale != 1 else "")
    expected = "{} × {} or more".format(*crop_size)
    remedy = "it will be padded with void: take a smaller crop or a larger scale"
    return [Problem(False, "pictures smaller than the crop", pair.file, found, expected, remedy)]


def missing(root, path, kind, remedy):
    """A file that isn't there, though one of another suffix may be."""
    others = (path.with_name(path.stem + ending) for suffix in SUFFIXES for ending in (suffix, suffix.upper()))
    other = next((other for other in others if os.path.isfile(other)), None)
    found = f"no such file, but {other.name}" if other else "no such file"
    if other:
        same = other.suffix.lower() in ((".png",) if path.suffix == ".png" else (".jpg", ".jpeg"))
        remedy = f"rename it to {path.name}" if same else f"save or export it anew as {path.name}"
        lossless = other.suffix.lower() in (".bmp", ".tif", ".tiff", ".gif")
        if path.suffix == ".png" and lossless:
            remedy += ", in any editor that keeps each colour"
        elif path.suffix == ".png" and not same:
            remedy += " by the tool that drew it: converting this file does not bring the classes' colours back"
    if path.stem.lower().endswith(SUFFIXES):
        remedy = f"leave {pathlib.Path(path.stem).suffix} out of the name, in the list or the label's file"
    if not other and (twin := _same_to_the_eye(path)):
        found = f"no such file, but {twin}, which looks the same: its accents are coded otherwise, as macOS does"
        remedy = "copy the name from the file's into the list, or rename the file"
    return Problem(True, kind, _short(root, path), found, "", remedy)


def _same_to_the_eye(path):
    """A file whose name differs in how accents are coded only, or None."""
    names = os.listdir(path.parent) if os.path.isdir(path.parent) else []
    wanted = unicodedata.normalize("NFC", path.name)
    return next((name for name in names if unicodedata.normalize("NFC", name) == wanted), None)


def _short(root, path):
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def without(path, error):
    """An error's text without the path in it: a problem names the file itself."""
    text = str(error).removeprefix(str(path)).lstrip(":, ")
    return text.replace(str(path), path.name) or type(error).__name__
