"""Strokes that people painted over photographs in a paint program, a whole folder of them, as labels (chapter 15).

    take_strokes("my_photos")

reads my_photos/painted/NAME.png for each photograph NAME, and writes my_photos/SegmentationClass/NAME.png.
"""

import pathlib
import shlex

import numpy as np
from scipy import ndimage

from ..core.surroundings import python
from .image_io import read_image
from .labelmap import VOID
from .scribbles import JITTER, LEAST, strokes, write_scribbles
from .voc import classes_in, image_path

FEW = 10
"""Areas that were changed and have no class's colour, beyond which it isn't strokes that are wrong but the file."""


def take_strokes(root, folder="painted", to="SegmentationClass"):
    """Take the strokes off all painted photographs of a data set in VOC layout; prints a line for each.

    folder: has the photographs with strokes over them in the classes' colours, NAME.png for NAME.jpg. to: where the
    labels go, void wherever nothing was painted. A label that is there already stays. What can't be used is named, and
    the others are written all the same; a ValueError if it is none of them.
    """
    root = pathlib.Path(root).expanduser()
    classes, paths = classes_in(root), sorted(path for path in (root / folder).glob("*") if path.is_file())
    if not paths:
        raise ValueError(f"{root / folder}: no files; expected photographs with strokes on them, NAME.png for NAME.jpg")
    done = 0
    for path in paths:
        label = root / to / f"{path.stem}.png"
        try:
            if label.exists():
                raise ValueError(
                    f"{label.relative_to(root)} is there already and stays: delete it to have it made from the strokes"
                )
            marks, told = read_painted(path, read_image(image_path(root, path.stem)), classes)
        except (OSError, ValueError) as error:
            print(f"{path.name}: not taken: {str(error).removeprefix(f'{path}: ')}")
            continue
        write_scribbles(label, marks, classes)
        done += 1
        counts = {name: int((marks == i).sum()) for i, name in enumerate(classes.names)}
        found = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
        print(f"{path.name}: {found} pixels{told and f'; {told}'}")
    if not done:
        raise ValueError(f"{root / folder}: no file of {len(paths)} was taken; the lines above say why")
    print(f"Written: {root / to}, {done} labels of {len(paths)} files")
    print(f"Next: {python()} -m utils data {shlex.quote(str(root))}")


def read_painted(path, image, classes):
    """(marks, what to say of them): strokes on a painted copy of a photograph, (H, W) uint8, 255 = not marked.

    image: (H, W, 3) uint8, the photograph without them. A ValueError names the file and the way out: for a JPEG, whose
    colours are inexact, another size, and where no stroke is found.
    """
    path = pathlib.Path(path)
    with path.open("rb") as file:
        if file.read(3) == b"\xff\xd8\xff":
            raise ValueError(f"{path}: a JPEG, whose colours are inexact; save the photograph with strokes as PNG")
    return marks_of(path, read_image(path), image, classes)


def marks_of(path, drawn, image, classes):
    """As `read_painted`, of a picture (H, W, 3) uint8 that was read already."""
    (height, width), (h, w) = drawn.shape[:2], image.shape[:2]
    if (height, width) == (w, h) != (h, w):
        raise ValueError(f"{path}: turned sideways: {height} × {width}, its photograph is {h} × {w} (height × width)")
    if (height, width) != (h, w):
        raise ValueError(
            f"{path}: {height} × {width}, but its photograph is {h} × {w} (height × width): paint on the photograph "
            "itself, and neither crop nor resize it"
        )
    try:
        marks = strokes(drawn, image, classes)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return marks, lost(drawn, image, marks, classes)


def lost(drawn, image, marks, classes):
    """What to say of strokes that are in no class's colour: areas that were painted and have no marked pixel; or ""."""
    changed = np.abs(drawn.astype(int) - image).max(axis=2) > JITTER
    areas, count = ndimage.label(changed, np.ones((3, 3)))
    sizes, marked = (
        np.bincount(areas.ravel(), minlength=count + 1),
        np.bincount(areas[marks != VOID], minlength=count + 1),
    )
    left = [area for area in range(1, count + 1) if sizes[area] >= LEAST and not marked[area]]
    if not left:
        return ""
    if len(left) > FEW:
        return (
            f"{len(left)} other areas were changed a little: was it saved as JPEG once, or with a palette? Strokes may "
            "be lost; save it anew as PNG in full colour"
        )
    colors, counts = np.unique(drawn[areas == max(left, key=lambda area: sizes[area])], axis=0, return_counts=True)
    color = colors[counts.argmax()]
    near = int(np.abs(np.array(classes.colors) - color).sum(axis=1).argmin())
    return (
        f"{len(left)} left out, in no class's colour: such as {tuple(color.tolist())}; the nearest is "
        f"{classes.names[near]}, {classes.colors[near]}"
    )
