"""Weak labels: scribbles, points and boxes, drawn by a seeded rule or read from a file (chapter 15).

A weak label is a label, (H, W) uint8 class indices, that is void where nothing is marked. So each loss and each
score of the course takes it as it is: void gives no loss, and no gradient.
"""

import itertools
import numbers
import pathlib

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse import csgraph

from ..core.files import atomic_write
from .dataset import VOCSegDataset
from .image_io import palette_picture, read_label, read_layer
from .labelmap import VOID
from .transforms import resize

SCRIBBLES = "ScribbleClass"
"""Folder of scribbles in a data set in VOC layout, beside SegmentationClass."""
LEAST = 20
"""Pixels of the smallest area that somebody would mark."""


JITTER = 8
"""Levels by which two programs may read the same photograph differently."""


def draw_scribbles(label, seed=0, share=0.03, least=LEAST):
    """(H, W) uint8: a stroke along the skeleton of each area of one class, void elsewhere (chapter 15).

    label: (H, W) uint8, 255 = void. Of the longest path through an area's skeleton a random part is kept, three
    fifths of it or more. Strokes begin one pixel wide; they are widened, never beyond their class, as long as that
    brings the share of marked pixels nearer to `share`. Areas of fewer than `least` pixels are missed, as a person
    would miss them. The same label, seed and numbers give the same strokes.
    """
    from skimage.morphology import skeletonize  # here: it would make `import utils` slower

    label, rng = _checked(label), np.random.RandomState(seed)
    _number("share", share, 0, 1)
    _number("least", least, 0, float("inf"))
    found = np.full(label.shape, VOID, np.uint8)
    for value, place, area in _areas(label, least):
        path = longest_path(skeletonize(area))
        length = max(1, round(rng.uniform(0.6, 1) * len(path)))
        start = rng.randint(len(path) - length + 1)
        rows, columns = path[start : start + length].T
        found[place][rows, columns] = value
    for turn in itertools.cycle((0, -1)):
        wider = _widened(found, label, turn)
        if (wider == found).all() or _off(wider, share) >= _off(found, share):
            return found
        found = wider


def draw_points(label, seed=0, radius=1, least=LEAST):
    """(H, W) uint8: one dot for each class of the label, void elsewhere (chapter 15).

    As in Bearman and others, one point a class, not one an object; but the background, too, has one. It lies somewhere
    in the class's largest area, at least half as deep inside as the deepest place. radius: of the dot, in pixels; 0 is
    a single pixel. It never leaves its class.
    """
    label, rng = _checked(label), np.random.RandomState(seed)
    _number("radius", radius, 0, 1000)
    found, largest = np.full(label.shape, VOID, np.uint8), {}
    for value, place, area in _areas(label, least):
        if value not in largest or area.sum() > largest[value][1].sum():
            largest[value] = place, area
    rows, columns = np.ogrid[: label.shape[0], : label.shape[1]]
    for value, (place, area) in largest.items():
        depth = ndimage.distance_transform_edt(np.pad(area, 1))[1:-1, 1:-1]
        inner = np.argwhere(depth >= depth.max() / 2)
        row, column = inner[rng.randint(len(inner))] + [part.start for part in place]
        dot = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
        found[dot & (label == value)] = value
    return found


def draw_boxes(label, background=0, least=LEAST):
    """(H, W) uint8: the bounding box of each area, filled with its class; smaller boxes over larger ones (chapter 15).

    background: the class of all that is in no box, and that has none itself; None: every class has boxes, and what is
    in none is void. An area stands for an object: two that touch share a box.
    """
    label = _checked(label)
    if background is not None and background not in range(VOID):
        raise ValueError(f"background={background!r}: expected a class, 0 to {VOID - 1}, or None")
    found = np.full(label.shape, VOID if background is None else background, np.uint8)
    areas = [(place, value) for value, place, _ in _areas(label, least) if value != background]
    areas.sort(key=lambda box: -np.prod([part.stop - part.start for part in box[0]]))
    for place, value in areas:
        found[place] = value
    return found


def _checked(label):
    label = np.asarray(label)
    if label.ndim != 2 or label.dtype != np.uint8 or not label.size:
        raise ValueError(f"label of shape {label.shape} and {label.dtype}: expected (height, width) uint8, 255 = void")
    return label


def _number(name, value, low, high):
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not low <= value <= high:
        raise ValueError(f"{name}={value!r}: expected a number from {low} to {high}")


def _areas(label, least):
    """(class, two slices, (h, w) bool) of each connected area; `least` pixels or more."""
    for value in np.unique(label[label != VOID]):
        numbered, _ = ndimage.label(label == value)
        for number, place in enumerate(ndimage.find_objects(numbered), 1):
            area = numbered[place] == number
            if area.sum() >= least:
                yield value, place, area


def _widened(found, label, turn):
    """Strokes one pixel wider, within their class: below and on the right, or with turn −1 above and on the left."""
    wider = found.copy()
    for value in np.unique(found[found != VOID]):
        thick = ndimage.binary_dilation(found == value, np.ones((2, 2)), origin=turn)
        wider[thick & (label == value)] = value
    return wider


def _off(found, share):
    return abs((found != VOID).mean() - share)


def longest_path(thin):
    """(N, 2) rows and columns of the longest way between two pixels of a skeleton, taken by shortest steps.

    From any pixel to the farthest one, and from there to the farthest again: in a tree that is the longest way.
    """
    places = np.argwhere(thin)
    number = np.full(np.add(thin.shape, 2), -1)
    number[1:-1, 1:-1][thin] = np.arange(len(places))
    inner, pairs = number[1:-1, 1:-1][thin], []
    for row, column in (0, 1), (1, -1), (1, 0), (1, 1):
        there = number[places[:, 0] + 1 + row, places[:, 1] + 1 + column]
        pairs.append(np.stack([inner, there])[:, there >= 0])
    starts, ends = np.concatenate(pairs, axis=1)
    graph = sparse.csr_matrix((np.ones(len(starts)), (starts, ends)), shape=(len(places),) * 2)
    order = csgraph.breadth_first_order(graph, 0, directed=False, return_predecessors=False)
    order, before = csgraph.breadth_first_order(graph, order[-1], directed=False)
    path = [order[-1]]
    while before[path[-1]] >= 0:
        path.append(before[path[-1]])
    return places[path]


def write_scribbles(path, weak, classes):
    """Save a weak label as the palette PNG that `read_scribbles` reads, its folder made where there is none."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = palette_picture(_checked(weak), classes)
    with atomic_write(path) as beside:
        picture.save(beside, "PNG")


def read_scribbles(path, classes, size=None):
    """Strokes that somebody drew in an editor, as (H, W) uint8, 255 = not marked (chapter 15).

    A palette or RGB PNG in the classes' colours, and VOC's void (224, 224, 192) wherever nothing is said; it is read as
    any label is. Of a layer with strokes alone, what is wholly transparent is void too. size: (height, width) of its
    picture. A ValueError names the file where the size is another, where nothing is marked, and where there is a colour
    of no class, as a brush with soft edges leaves.
    """
    weak = read_layer(path, classes)
    weak = read_label(path, classes) if weak is None else weak
    if size is not None and weak.shape != tuple(size):
        raise ValueError(
            f"{path}: {weak.shape[0]} × {weak.shape[1]}, but its picture is {size[0]} × {size[1]} (height × width): "
            "draw on the picture itself, or export the strokes at its size"
        )
    if (weak == VOID).all():
        raise ValueError(f"{path}: void only; expected strokes in the classes' colours: mark each class at least once")
    return weak


def strokes(drawn, image, classes):
    """Strokes drawn over a photograph in a paint program, as (H, W) uint8, 255 = not marked (chapter 15).

    drawn, image: (H, W, 3) uint8, the photograph with strokes in the classes' colours, and without. A pixel is marked
    where the two differ by more than `JITTER` and the colour is a class's; so black is lost on black. A brush with soft
    edges leaves mixed colours around its strokes; they are no stroke. ValueError for two sizes, and where no stroke is
    found.
    """
    drawn, image = np.asarray(drawn), np.asarray(image)
    if drawn.shape != image.shape or drawn.dtype != np.uint8 or drawn.ndim != 3 or drawn.shape[2] != 3:
        raise ValueError(
            f"drawn of shape {drawn.shape} and {drawn.dtype}, image of {image.shape}: expected one size "
            "(height, width, 3), uint8: save the picture without cropping or resizing it"
        )
    found = classes.indices(drawn)
    same = np.abs(drawn.astype(int) - image).max(axis=2) <= JITTER
    found[same | (found >= len(classes))] = VOID
    if (found == VOID).all():
        changed = (drawn != image).any(axis=2).mean()
        raise ValueError(
            f"no stroke found, {changed:.1%} of the pixels were changed; expected strokes in exactly the classes' "
            f"colours, such as {classes.names[-1]} = {classes.colors[-1]}, saved as PNG: JPEG changes colours"
        )
    return found


class Relabelled(VOCSegDataset):
    """A `VOCSegDataset` with other labels: weak ones, or those that a net and a cut found (chapter 15).

    dataset: whose pictures, crops and seed are taken. labels: a dict {name: (H, W) uint8}, of the pictures as `dataset`
    reduces them. Images are as before; nothing is read of the labels in its place but their sizes. A ValueError names
    the picture that has no label, or one of another size or type.
    """

    def __init__(self, dataset, labels):
        self.__dict__.update(dataset.__dict__)
        self._labels = labels
        missing = [name for name in self.names if name not in labels]
        if missing:
            raise ValueError(f"no label for {len(missing)} of {len(self.names)} pictures, such as {missing[0]}")
        if self._cached:
            self._cached = {name: self._with(name, sample) for name, sample in self._cached.items() if name in labels}

    def _read(self, name):
        return self._with(name, super()._read(name))

    def _with(self, name, sample):
        label, size = self._labels[name], sample["image"].shape[:2]
        if not isinstance(label, np.ndarray) or label.dtype != np.uint8 or label.shape != size:
            found = f"{label.shape}, {label.dtype}" if isinstance(label, np.ndarray) else type(label).__name__
            raise ValueError(f"label given for {name}: {found}; expected a NumPy array {size}, uint8")
        return {**sample, "label": label}


def weak_labels(dataset, draw):
    """{name: weak label} of a data set: each label, reduced as the data set reduces it, through `draw(label, seed=…)`.

    Each picture has a seed of its own, from the data set's seed and the place in its list.
    """
    found = {}
    for index, name in enumerate(dataset.names):
        label = resize(read_label(dataset.root / "SegmentationClass" / f"{name}.png", dataset.classes), dataset.scale)
        found[name] = draw(label, seed=[dataset.seed, index])
    return found


def said(name, weak, label=None):
    """What a weak label says, as a dict: pixels of each class as an array of 256, and with the truth what is wrong.

    label: the full label where there is one. `missed`: classes of it without a mark. `void`: marked pixels where it is
    void. `wrong`: marked pixels where it is of another class.
    """
    marked = weak != VOID
    found = {"name": name, "pixels": np.bincount(weak.ravel(), minlength=VOID + 1), "share": float(marked.mean())}
    if label is not None:
        found["missed"] = sorted(set(np.unique(label).tolist()) - set(np.unique(weak).tolist()) - {VOID})
        found["void"] = int((marked & (label == VOID)).sum())
        found["wrong"] = int((marked & (label != VOID) & (label != weak)).sum())
    return found
