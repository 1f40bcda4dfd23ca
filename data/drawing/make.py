"""Draw the small data set of the course: a look-alike of Pascal VOC2012 segmentation.

Run it from anywhere:

    python data/drawing/make.py [--output FOLDER] [--scenes NAME ...] [--force]

It writes 160 training and 56 validation scenes in VOC's layout (JPEGImages, SegmentationClass,
ImageSets/Segmentation) to FOLDER, by default to `voc_mini` beside this script. Every scene has a
seed of its own, so that `--scenes` can draw some of them again, with the same bytes as in a full
run under the same versions of numpy, OpenCV and Pillow. The drawing is done by three neighbours:
`pen.py` (shapes and shading), `objects.py` (the eight classes) and
`places.py` (backgrounds).

A label follows from the objects' masks: each pixel belongs to the object in front, and a band of
about three pixels along every border between objects, or object and background, is void (255).
"""

import argparse
import io
import os
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import objects
import places
from pen import SCALE, Pen, ellipse, noise_field, pick, placed
from PIL import Image

SEED = 2012
TRAIN, VAL = 160, 56
SMALL = {"train": 6, "val": 3}  # scenes too small for a crop of 160 x 224
FOLDERS = {"JPEGImages", "SegmentationClass", "ImageSets"}
VOID = 255
VOID_BAND = 1.5  # picture pixels on either side of a border
NAMES = [
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
]

# For each class: size of its unit in picture pixels, and its extent left, up, right, down in units
SIZES = {
    "aeroplane": ((86, 126), (1.0, 0.5, 1.0, 0.5)),
    "boat": ((60, 90), (0.95, 1.1, 1.0, 0.1)),
    "bottle": ((100, 146), (0.22, 1.05, 0.22, 0.05)),
    "bus": ((72, 102), (1.0, 0.8, 1.0, 0.05)),
    "car": ((58, 86), (1.0, 0.95, 1.0, 0.05)),
    "pottedplant": ((88, 124), (0.42, 1.0, 0.42, 0.05)),
    "sheep": ((70, 104), (0.92, 1.1, 0.92, 0.05)),
    "tvmonitor": ((70, 100), (0.72, 1.1, 0.72, 0.05)),
}
# For each place: the classes that may stand in it, and how often beside another one
PLACES = {
    "open_sky": {"aeroplane": 2.4},
    "airfield": {"aeroplane": 1, "car": 0.7, "bus": 0.7},
    "open_sea": {"boat": 1, "aeroplane": 0.6},
    "lake": {"boat": 1, "sheep": 0.9, "aeroplane": 0.4},
    "meadow": {"sheep": 1, "aeroplane": 0.4},
    "quay": {"boat": 1, "car": 1, "bus": 0.6, "pottedplant": 0.2},
    "country_road": {"car": 1, "bus": 1, "sheep": 1, "aeroplane": 0.4},
    "street": {"car": 1, "bus": 1, "aeroplane": 0.2},
    "room": {"tvmonitor": 1, "pottedplant": 0.8, "bottle": 0.4},
    "shelf": {"bottle": 1, "tvmonitor": 0.7, "pottedplant": 0.5},
    "window_sill": {"bottle": 1, "pottedplant": 0.6, "tvmonitor": 0.3},
    "terrace": {"pottedplant": 1, "bottle": 0.5, "sheep": 0.2},
}
SPOTS = {
    "aeroplane": "air",
    "boat": "water",
    "bus": "road",
    "car": "road",
    "sheep": "ground",
    "pottedplant": "surface",
    "bottle": "surface",
    "tvmonitor": "surface",
}


# --------------------------------------------------------------------------------------- the plan


def plan():
    """What is in which scene: name to (number, split, place, classes, height, width)."""
    rng = np.random.RandomState(SEED)
    numbers = np.sort(rng.choice(np.arange(1, 4000), TRAIN + VAL, replace=False))
    splits = np.array(["train"] * TRAIN + ["val"] * VAL)
    scenes = {}
    for split in ("train", "val"):
        count = int((splits == split).sum())
        small = set(rng.choice(count, SMALL[split], replace=False).tolist())
        seen = dict.fromkeys(SIZES, 0)
        for k in range(count):
            if k % len(SIZES) == 0:
                order = rng.permutation(sorted(SIZES)).tolist()
            place, classes = contents(rng, order[k % len(SIZES)], seen)
            scenes[len(scenes)] = (split, place, classes, *frame(rng, k in small))
    shuffled = rng.permutation(len(scenes))
    return {
        f"2012_{number:06d}": (int(number), *scenes[int(key)]) for number, key in zip(numbers, shuffled, strict=True)
    }


def contents(rng, first, seen):
    """A place for the first class, and which others join it there; rare ones join more often."""
    place = pick(rng, [p for p in sorted(PLACES) for _ in range(int(10 * PLACES[p].get(first, 0)))])
    menu = PLACES[place]
    classes = [first]
    for _ in range(pick(rng, [1, 1, 2, 2, 3]) if place != "open_sky" else pick(rng, [0, 0, 1])):
        odds = np.array([menu[c] / (3 + seen[c] + 2 * classes.count(c)) ** 2 for c in menu])
        if "aeroplane" in classes and place != "open_sky":
            odds *= np.array([c != "aeroplane" for c in menu])
        classes.append(list(menu)[int(rng.choice(len(menu), p=odds / odds.sum()))])
    for name in set(classes):
        seen[name] += 1
    return place, classes


def frame(rng, small):
    """Height and width of a picture: mostly landscape, some portrait, a few small."""
    if small:
        return int(rng.randint(128, 150)), int(rng.randint(180, 214))
    height, width = int(rng.randint(170, 214)), int(rng.randint(228, 274))
    return (width, height) if rng.rand() < 0.07 else (height, width)


# --------------------------------------------------------------------------------------- a scene


def draw_scene(number, place, classes, height, width):
    """One scene: picture (height, width, 3) and label (height, width), both 8-bit."""
    rng = np.random.RandomState([SEED, number])
    canvas = np.zeros((height * SCALE, width * SCALE, 3), np.uint8)
    grain = noise_field(rng, *canvas.shape[:2], (2, 5, 16), (0.8, 0.7, 0.8))
    pen = Pen(canvas, grain)
    spots = getattr(places, place)(pen, rng, height, width)
    owner = np.zeros(canvas.shape[:2], np.uint8)
    names = [None]
    if rng.rand() < 0.1:
        far_off(pen, rng, spots, owner, names)
    for name, x, y, size in arrange(rng, spots, classes, height, width):
        mask = draw_object(pen, rng, name, x, y, size, spots)
        names.append(name)
        owner[mask > 0] = len(names) - 1
    if rng.rand() < 0.14:
        in_front(pen, rng, spots, owner, height, width)
    return finish(rng, canvas, height, width), label_of(owner, names)


def arrange(rng, spots, classes, height, width):
    """Where the objects go: (class, x, y, size), back to front; they overlap but a little."""
    put, boxes = [], []
    scale = min(height, width) / 190 * (1.05 if len(classes) > 2 else 1.15)
    for name in classes:
        (low, high), (left, up, right, down) = SIZES[name]
        kind = SPOTS[name]
        if name == "aeroplane" and "runway" in spots and rng.rand() < 0.5:
            kind = "runway"
        for attempt in range(30):
            x0, y0, x1, y1 = pick(rng, spots[kind])
            depth = rng.rand()
            x, y = rng.uniform(x0, x1), y0 + depth * (y1 - y0)
            flat = kind in ("air", "surface")
            size = rng.uniform(low, high) * scale * 0.985**attempt
            size *= 1 if flat else 0.68 + 0.4 * depth
            if kind == "surface" and y1 < height * 0.6:
                size = min(size, 0.95 * y1 / up)
            if kind == "air":  # above land, smaller the less sky there is
                size = min(size * 0.9, (y1 - y0) * 2.2) if len(spots) > 1 else min(size, 0.45 * width)
                x = np.clip(x, 0.75 * size, width - 0.75 * size)
                y = np.clip(y, 0.3 * size, height - 0.6 * size)
            if name == "bottle" and "shelf" not in spots:
                size *= 0.85
            if name == "pottedplant" and "road" in spots:
                size *= 0.7
            if kind in ("ground", "road", "runway") and (name == "sheep" or rng.rand() > 0.15):
                inside = 1.25 if name == "sheep" else 0.75
                x = np.clip(x, left * size * inside, width - right * size * inside)
            now = (x - left * size, y - up * size, x + right * size, y + down * size)
            if all(overlap(now, other) < allowed(name, who) for who, other in boxes):
                put.append((name, x, y, size))
                boxes.append((name, now))
                break
    return sorted(put, key=lambda one: (SPOTS[one[0]] != "air", one[2]))


def allowed(one, other):
    """How far objects of two classes may overlap: little where the telling part would be hidden."""
    pair = {one, other}
    if pair & {"sheep", "aeroplane"} or ("pottedplant" in pair and pair & {"car", "bus"}):
        return 0.12
    return 0.3


def overlap(one, other):
    """The share of the smaller of two boxes that the other covers."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    tall = min(one[3], other[3]) - max(one[1], other[1])
    if wide <= 0 or tall <= 0:
        return 0.0
    return wide * tall / min((b[2] - b[0]) * (b[3] - b[1]) for b in (one, other))


def draw_object(pen, rng, name, x, y, size, spots):
    """Draw one object with its reflection, in some pose; returns its mask on the canvas."""
    mirror = rng.rand() < 0.5
    grounded = name == "aeroplane" and "runway" in spots and y > spots["air"][0][3] + 10
    turn = {"aeroplane": rng.uniform(-24, 24), "boat": rng.uniform(-4, 4), "bottle": rng.uniform(-2, 2)}.get(
        name, rng.uniform(-1.5, 1.5)
    )
    if grounded:
        turn, y = 0, y - 0.36 * size
    squeeze, lean = rng.uniform(0.92, 1.08), rng.uniform(-0.04, 0.04)
    where = "ground" if grounded else "high" if len(spots) == 1 else "low"
    own = pen.on(placed(x, y, size, mirror, turn, squeeze, lean))
    if name == "aeroplane":
        objects.aeroplane(own, rng, where)
    else:
        objects.CLASSES[name](own, rng)
    bright = rng.uniform(0.86, 1.0)
    own.light(*((1.06, bright) if rng.rand() < 0.5 else (bright, 1.06)))
    if name == "boat":
        shore = int(min(spots["water"][0][3] + 6, len(own.canvas) / SCALE) * SCALE)
        reflect(own, int(y * SCALE), shore, size)
    return own.mask


def reflect(pen, line, shore, size):
    """Mirror a boat in the water between the rows `line` and `shore`, rippled and dim."""
    tall = min(int(size * 0.9 * SCALE), line, shore - line)
    if tall < 4:
        return
    above = slice(line - tall, line)
    picture = pen.canvas[above][::-1].astype(float)
    mask = pen.mask[above][::-1] * np.uint8(255)
    mask = cv2.GaussianBlur(mask, (21, 9), 5)
    rows = np.arange(tall)
    shift = np.rint(np.sin(rows / 5.0) * (2 + rows / 14)).astype(int)
    columns = (np.arange(pen.canvas.shape[1])[None] + shift[:, None]) % pen.canvas.shape[1]
    picture, mask = picture[rows[:, None], columns], mask[rows[:, None], columns]
    share = (mask / 255.0 * np.linspace(0.5, 0, tall)[:, None])[:, :, None]
    below = slice(line, line + tall)
    under = pen.canvas[below].astype(float)
    new = np.clip(np.rint(under + (picture * 0.85 - under) * share), 0, 255)
    free = (pen.mask[below] == 0)[:, :, None]
    pen.canvas[below] = np.where(free, new, pen.canvas[below])


def far_off(pen, rng, spots, owner, names):
    """One object too small to tell, far away: wholly void, as VOC's annotators left such ones."""
    kinds = [name for name in ("boat", "car", "sheep") if SPOTS[name] in spots]
    if not kinds:
        return
    name = pick(rng, kinds)
    x0, y0, x1, _ = spots[SPOTS[name]][0]
    own = pen.on(placed(rng.uniform(x0, x1), y0 - 4, rng.uniform(6, 9), rng.rand() < 0.5))
    objects.CLASSES[name](own, rng)
    names.append("void")
    owner[own.mask > 0] = len(names) - 1


def in_front(pen, rng, spots, owner, height, width):
    """Something of no class before the objects: a post, a fence, a buoy or a curtain."""
    own = pen.on(pen.matrix)
    if "ground" in spots:
        places.fence(own, rng, width, height + 4, rng.uniform(26, 38))
    elif "road" in spots:
        places.lamp_post(own, rng, rng.uniform(0.1, 0.9) * width, height + 3, height * 0.9)
    elif "water" in spots:
        own.fill(
            ellipse(rng.uniform(0.1, 0.9) * width, height * 0.98, 9, 12), [(236, 110, 60), (120, 40, 30)], axis="x"
        )
    elif "surface" in spots:
        places.curtain(
            own,
            rng,
            *pick(rng, [(-3, 16), (width - 16, width + 3)]),
            height + 2,
            pick(rng, [(190, 120, 100), (200, 196, 180), (110, 130, 150)]),
            True,
        )
    owner[own.mask > 0] = 0


def finish(rng, canvas, height, width):
    """Reduce the canvas by area averaging, then tone, vignette, softness and grain of a photo."""
    picture = canvas.reshape(height, SCALE, width, SCALE, 3).sum((1, 3), dtype=np.int64)
    picture = picture / float(SCALE**2)
    picture *= rng.uniform(0.97, 1.12) * rng.uniform(0.965, 1.035, 3)
    picture = 128 + (picture - 128) * rng.uniform(0.98, 1.14)
    rows = np.linspace(-1, 1, height)[:, None]
    columns = np.linspace(-1, 1, width)[None, :]
    picture *= (1 - rng.uniform(0.02, 0.11) * (rows**2 + columns**2))[:, :, None]
    light = noise_field(rng, height, width, (90, 45), (1, 0.5))
    picture *= (1 + 0.025 * light)[:, :, None]
    picture = cv2.GaussianBlur(picture, (5, 5), rng.uniform(0.32, 0.55))
    shared = rng.normal(size=(height, width, 1)) * rng.uniform(1.0, 3.0)
    picture += shared + rng.normal(size=picture.shape) * 0.8
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def label_of(owner, names):
    """The label at picture size from a map of the object in front at canvas size."""
    edge = np.zeros(owner.shape, bool)
    edge[:, 1:] |= owner[:, 1:] != owner[:, :-1]
    edge[1:] |= owner[1:] != owner[:-1]
    middle = slice(SCALE // 2, None, SCALE)
    index = np.array([0 if n is None else VOID if n == "void" else NAMES.index(n) for n in names], np.uint8)
    label = index[owner[middle, middle]]
    if edge.any():
        distance = cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, 5)
        label[distance[middle, middle] < VOID_BAND * SCALE] = VOID
    return label


# ---------------------------------------------------------------------------------------- writing


def palette():
    """VOC's colours: the bits of an index, dealt out to red, green and blue from the top bit on."""
    colors = np.zeros((256, 3), int)
    for index in range(256):
        for bit in range(8):
            for channel in range(3):
                colors[index, channel] |= (index >> 3 * bit + channel & 1) << 7 - bit
    return colors.astype(np.uint8)


def encode(picture, label):
    """The bytes of the JPEG and of the palette PNG."""
    jpeg, png = io.BytesIO(), io.BytesIO()
    Image.fromarray(picture).save(jpeg, "JPEG", quality=92, subsampling=0)
    indexed = Image.fromarray(label)
    indexed.putpalette(palette().ravel().tolist())
    indexed.save(png, "PNG", optimize=True)
    return jpeg.getvalue(), png.getvalue()


def write_whole(path, data):
    """Write a file so that it is either whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    os.replace(part, path)


def make(folder, scenes, chosen):
    """Draw the chosen scenes into a folder, with the lists of their names."""
    for done, name in enumerate(chosen):
        if done % 24 == 0:
            print(f"{done} of {len(chosen)} scenes", file=sys.stderr, flush=True)
        number, _, *rest = scenes[name]
        jpeg, png = encode(*draw_scene(number, *rest))
        write_whole(folder / "JPEGImages" / f"{name}.jpg", jpeg)
        write_whole(folder / "SegmentationClass" / f"{name}.png", png)
    for split in ("train", "val"):
        lines = "".join(f"{name}\n" for name in chosen if scenes[name][1] == split)
        write_whole(folder / "ImageSets" / "Segmentation" / f"{split}.txt", lines.encode())


def main(arguments=None):
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "voc_mini")
    parser.add_argument("--scenes", nargs="+", metavar="NAME", help="draw only these")
    parser.add_argument("--force", action="store_true", help="replace the folder if it is there")
    options = parser.parse_args(arguments)
    scenes = plan()
    chosen = sorted(set(options.scenes or scenes))
    unknown = [name for name in chosen if name not in scenes]
    if unknown:
        parser.error(f"no such scene: {', '.join(unknown)}")
    output = options.output.resolve()
    if output.exists():
        if not options.force:
            parser.error(f"{options.output} is there already; --force replaces it")
        if not output.is_dir() or not {path.name for path in output.iterdir()} <= FOLDERS:
            parser.error(f"{options.output} holds other things than such a data set: left alone")
    part = output.with_name(output.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    make(part, scenes, chosen)
    if output.exists():
        shutil.rmtree(output)
    part.rename(output)
    print(f"{len(chosen)} scenes in {options.output}")


if __name__ == "__main__":
    cv2.setNumThreads(1)
    sys.exit(main())
