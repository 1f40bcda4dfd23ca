"""Ten and thirty photographs of one's own, as docs/own_pictures.md has it, tried on frames of CamVid: makes table.csv.

    python -m results.own_pictures.run CAMVID

CAMVID as in results/skips. Three times (seeds) ten frames, and thirty, are drawn from its list train. Sky, road and
car are marked in them as somebody in a hurry would: polygons that keep away from the borders and cut corners, void
along their edges, small ones left out, the rest background. From there on the commands of the page are run. Each net
is scored three times, at full size: on the test pictures of its own folder, by their rough labels; on every sixth
frame of train that nobody drew, by the true ones (so the settings for thirty were compared); on CamVid's val by the
true ones (what the net is worth). Folders and nets go to build/own_pictures. About ten minutes on two cores.
"""

import utils
from utils.__main__ import main as command
from utils.data.image_io import palette_picture
from utils.engine.digest import code_digest, data_digest

import argparse
import pathlib
import shutil
import time

import cv2
import numpy as np

from results import common

NAMES = ["background", "car", "road", "sky"]
CLASSES = utils.LabelMap(NAMES, [(0, 0, 0), (204, 51, 102), (50, 183, 250), (250, 50, 83)])
ORDER = ("sky", "road", "car")  # the last is drawn over the others
AWAY, TOLERANCE, LEAST, BAND = 2, 3, 350, 5
"""In pixels: how far a polygon keeps from the border, how far it cuts corners, its least area, the width of void."""

TEN = "--scale 0.5 --epochs 30"
WAYS = {
    (10, "ResNet18 from nothing"): f"{TEN} --stride 32 --backbone resnet18_v2",  # chapter 08's net
    (10, "default"): TEN,
    (30, "default"): TEN,
    (30, "60 epochs"): "--scale 0.5 --epochs 60",
    (30, "rate 0.001"): f"{TEN} --rate 0.001",
}
"""What is added to `train --dataset FOLDER --output FILE`, by the number of photographs."""


def marked(label, names):
    """(H, W) uint8 labels in `CLASSES`, as drawn by hand: from true ones, indices of `names`."""
    rough, outlines = np.zeros_like(label), []
    for name in ORDER:
        mask = cv2.erode((label == names.index(name)).astype(np.uint8), np.ones([2 * AWAY + 1] * 2))
        for outline in cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]:
            polygon = cv2.approxPolyDP(outline, TOLERANCE, True)
            if cv2.contourArea(polygon) >= LEAST:
                cv2.fillPoly(rough, [polygon], NAMES.index(name))
                outlines.append(polygon)
    cv2.polylines(rough, outlines, True, utils.VOID, BAND)
    return rough


def truth(label, names):
    """(H, W) uint8 labels in `CLASSES`, to the pixel: true ones with other classes as background."""
    table = np.full(256, utils.VOID, np.uint8)
    table[: len(names)] = [NAMES.index(name) if name in NAMES else 0 for name in names]
    return table[label]


def write_folder(folder, root, lists, relabelled):
    """A data set in VOC layout, of frames of CamVid; lists: name of a list → its frames."""
    shutil.rmtree(folder, ignore_errors=True)
    for part in "JPEGImages", "SegmentationClass", "ImageSets/Segmentation":
        (folder / part).mkdir(parents=True)
    lines = [f"{name}:{r},{g},{b}::\n" for name, (r, g, b) in zip(NAMES, CLASSES.colors, strict=True)]
    (folder / "labelmap.txt").write_text("".join(lines), encoding="utf-8")
    classes = utils.data_classes(root)
    for title, names in lists.items():
        text = "".join(f"{name}\n" for name in names)
        (folder / f"ImageSets/Segmentation/{title}.txt").write_text(text, encoding="utf-8")
        for name in names:
            shutil.copy(utils.image_path(root, name), folder / "JPEGImages")
            label = relabelled(utils.read_label(utils.label_path(root, name), classes), classes.names)
            palette_picture(label, CLASSES).save(folder / f"SegmentationClass/{name}.png")


def draws(root):
    """(photographs, draw) → names of frames, and the names of those to compare by, which no draw has."""
    names = utils.read_names(root)
    drawn = {
        (count, draw): list(np.random.RandomState([count, draw]).choice(names, count, replace=False))
        for count in (10, 30)
        for draw in range(3)
    }
    taken = set().union(*drawn.values())
    return drawn, [name for name in names[::6] if name not in taken]


def prepare(root):
    """All folders, made anew."""
    build, (drawn, others) = pathlib.Path("build/own_pictures"), draws(root)
    for (count, draw), names in drawn.items():
        folder = build / f"{count}-{draw}"
        write_folder(folder, root, {"default": names}, marked)
        _run("data", folder, "--split")
    write_folder(build / "true", root, {"others": others, "val": utils.read_names(root, train=False)}, truth)
    return build


def _run(*words):
    if code := command([str(word) for word in words]):
        raise RuntimeError(f"python -m utils {' '.join(map(str, words))}: ended with {code}")


def one_run(job, build):
    """Train by the command, and score; one row of the table."""
    build = pathlib.Path(build)
    name = f"{job['photos']}-{job['seed']}"
    path = build / f"{name}, {job['way']}.params"
    start = time.process_time()
    _run("train", "--dataset", build / name, "--output", path, "--force", "--seed", job["seed"], *job["words"].split())
    seconds = time.process_time() - start
    net, classes, scale, known = utils.load_model(path, utils.try_gpu())
    row = {"own_iou": f"{known['scores']['mean_iou']:.4f}", "own_baseline": f"{known['baseline']['mean_iou']:.4f}"}
    for split in "others", "val":
        whole = utils.VOCSegDataset(False, None, build / "true", split=split)
        images = (utils.read_image(utils.image_path(whole.root, name)) for name in whole.names)
        found = common.scores(lambda x, y: utils.predict(net, next(images), scale=scale).expand_dims(0), whole)  # noqa: B023
        row |= {f"{split}_{key}": found[key] for key in ("mean_iou", "pixel_acc", "baseline_iou", "iou")}
    return job | row | {"mean_iou": row["val_mean_iou"]} | common.circumstances(seconds)


def jobs(root, build):
    """What each row begins with, and the folder of its folders."""
    same = {"code": code_digest((__file__, "one_run"))}
    for (count, way), words in WAYS.items():
        for draw in range(3):
            folder = build / f"{count}-{draw}"
            sets = [utils.VOCSegDataset(train, (8, 8), folder) for train in (True, False)]
            row = {"photos": str(count), "way": way, "seed": str(draw), "words": words}
            yield row | {"pictures": " ".join(map(data_digest, sets))} | same, str(build)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("camvid", help="CamVid in VOC layout")
    root = utils.data_root(parser.parse_args().camvid)
    table = pathlib.Path(__file__).with_name("table.csv")
    common.make(table, list(jobs(root, prepare(root))), one_run, ("photos", "way", "seed"))


if __name__ == "__main__":
    main()
