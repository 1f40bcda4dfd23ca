"""Weak labels: points, scribbles, boxes and masks, three seeds, drawings and photographs (chapter 15): makes table.csv.

    make results [CAMVID=FOLDER]        or        python -m results.scribbles.run [CAMVID]

All nets are chapter 09's FCN-8s on EfficientNet-Lite0 with ImageNet's weights. Pictures, rate and test are those of
results/decoders (half size, crops of 80 × 112), whose trials chose the rate. All are trained for the same number of
steps; only the labels of the training pictures differ. Test labels are the full ones. Rows:

points          a dot of 3 pixels for each class of a picture, void elsewhere
scribbles       a stroke for each area, some 3 % of the pixels, void elsewhere
scribbles_cuts  the same strokes, spread by graph cuts: without a net first, then net and cut in turn, three rounds
boxes           the box of each area, filled; in CamVid, which has no background, every class has boxes
masks           the full labels
masks_few       full labels of the first pictures only, as many as cost no more than the scribbles of all do

share, missed   of the weak labels: share of marked pixels, and classes left out, a picture, on the mean
labels_…        how right the labels are that the net learns from, over the pixels that they label
rounds          of scribbles_cuts, after each round: the energy a picture, accuracy and mean IoU of the labels that the
                cut gave, mean IoU of the net on the test pictures
price_s         seconds of a person's work a training picture, by `PRICES`: an estimate, nobody labelled here
seconds         of training; cuts come on top of it

`CUT` was searched on 30 training pictures of each data set, with a net that had learnt from scribbles for 160 steps, by
the mean IoU of the cuts. On voc_mini it is best at 0.862: a strength of 4 gives 0.852, one of 16 0.857; a colour of 1
0.845, one of 10 0.830; 600 superpixels 0.858. On CamVid it has 0.589; what did better there (a strength of 16, a colour
of 10, 1,200 superpixels) is 0.010 above it at most. `ScribbleCut` has the same numbers as its defaults.
"""

import utils
from utils.data import scribbles
from utils.engine import tiling
from utils.engine.digest import code_digest, data_digest

import contextlib
import io

import numpy as np
from scipy import ndimage

from results import common

BACKBONE, CROP, SCALE, RATE = "efficientnet_lite0", (80, 112), 0.5, 1e-3
EPOCHS = (4, 4, 4)  # of 20 batches on voc_mini, of 45 on CamVid; a part for each round of cuts
BACKGROUND = {"voc_mini": 0, "camvid": None}
KINDS = ["points", "scribbles", "scribbles_cuts", "boxes", "masks", "masks_few"]
CUT = {"count": 800, "strength": 8.0, "colour": 3.0}
PRICES = {"absent": 1.0, "points": 2.4, "scribbles": 10.9, "boxes": 7.0, "masks": 79.0}
"""Seconds: a class that is not there, a point, a stroke, a box, an outline.

Bearman and others, *What's the Point*, ECCV 2016, and their repository's plot_times.m: 1 s for each class that is
absent, 2.4 s for a point and 10.9 s for a squiggle, 79 s for an object's outline (from the paper on COCO).
Papadopoulos and others, *Extreme clicking*, ICCV 2017: 7 s for a box (35 s as ImageNet's were drawn). Here a point is
paid for each class, all else for each connected area, which stands for an object; the background's too, where drawn.
"""


def datasets(data, root, seed=0):
    """Training crops and whole test pictures, kept in memory once read."""
    train_set = utils.VOCSegDataset(True, CROP, root, SCALE, seed=seed, cache=True)
    return train_set, utils.VOCSegDataset(False, None, root, SCALE, cache=True)


def jobs(data, root):
    """What each row begins with, and the folder of its pictures."""
    given = ", ".join(f"{key} {value:g}" for key, value in CUT.items())
    same = {
        "settings": f"scale {SCALE}, crop {CROP[0]}x{CROP[1]}, batch {common.BATCH}, adam {RATE}, poly 0.9, "
        f"trimap {common.TRIMAP}, {BACKBONE}, cut: {given}",
        "pictures": " ".join(map(data_digest, datasets(data, root))),
        "code": code_digest((__file__, "one_run")),
    }
    for kind in KINDS:
        parts = EPOCHS if kind == "scribbles_cuts" else [sum(EPOCHS)]
        for seed in range(3):
            row = {"data": data, "labels": kind, "seed": str(seed), "epochs": "+".join(map(str, parts))}
            yield row | same, str(root)


def weak(kind, dataset, background):
    """{name: label (H, W) uint8} to train on."""
    draw = {
        "points": scribbles.draw_points,
        "scribbles": scribbles.draw_scribbles,
        "boxes": lambda label, seed: scribbles.draw_boxes(label, background),
        "masks": lambda label, seed: label,
    }[kind.split("_")[0]]
    return scribbles.weak_labels(dataset, draw)


def price(kind, label, num_classes, background):
    """Seconds of work for one picture, by `PRICES`."""
    present = set(np.unique(label).tolist()) - {utils.VOID}
    absent = num_classes - len(present | {background} - {None})
    drawn = present if kind in ("points", "scribbles") else present - {background}
    each = 1 if kind == "points" else None
    return PRICES["absent"] * absent + PRICES[kind] * sum(each or areas(label == value) for value in drawn)


def areas(inside):
    """How many connected areas somebody would mark."""
    numbered, _ = ndimage.label(inside)
    return int((np.bincount(numbered.ravel())[1:] >= scribbles.LEAST).sum())


def affordable(dataset, truths, background):
    """How many pictures' masks, from the first one on, cost no more than the scribbles of all."""
    count = len(dataset.classes)
    budget = sum(price("scribbles", label, count, background) for label in truths.values())
    spent = np.cumsum([price("masks", truths[name], count, background) for name in dataset.names])
    return max(common.BATCH, int((spent <= budget).sum()))


class Rounds:
    """Net and cut in turn, over all training pictures."""

    def __init__(self, dataset, marks, truths):
        count = len(dataset.classes)
        whole = utils.VOCSegDataset(False, None, dataset.root, dataset.scale, names=dataset.names)
        self.cuts, self.inputs, self.labels, self.truths = {}, {}, {}, truths
        for name, (x, _) in zip(dataset.names, whole, strict=True):
            self.inputs[name] = x.asnumpy()
            self.cuts[name] = utils.ScribbleCut(utils.denormalize(x), marks[name], count, **CUT)

    def cut(self, net):
        """Cut every picture anew, with what a net says or with None: the energy a picture, accuracy and mean IoU."""
        total = 0
        for name, cut in self.cuts.items():
            said = None if net is None else tiling.probabilities(net, self.inputs[name], utils.try_gpu())
            self.labels[name], energies = cut(said, self.labels.get(name))
            total += energies[-1]
        return [total / len(self.cuts), *rightness(self.labels, self.truths)]


def rightness(labels, truths):
    """(accuracy, mean IoU) of labels against the full ones; pixels that they leave void are not counted."""
    count = 1 + max(int(label[label != utils.VOID].max(initial=0)) for label in truths.values())
    metric = utils.SegmentationMetric(count)
    for name, label in labels.items():
        known = label != utils.VOID
        if known.any():
            metric.update(np.where(known, truths[name], utils.VOID)[None], np.where(known, label, 0)[None])
    scores = metric.scores()
    return scores["pixel_acc"], scores["mean_iou"]


def learn(net, dataset, epochs):
    """Seconds of a training, of which nothing is printed."""
    with contextlib.redirect_stdout(io.StringIO()):
        return common.train(net, dataset, epochs, RATE)


def trained(job, train_set, marks, truths, test_set, epochs):
    """A net, its seconds, the labels that it learnt from last, and what each round gave, as text."""
    net = utils.fcn(len(train_set.classes), 8, BACKBONE, True, ctx=utils.try_gpu())
    if job["labels"] != "scribbles_cuts":
        return net, learn(net, utils.Relabelled(train_set, marks), sum(epochs)), marks, ""
    rounds, seconds, text = Rounds(train_set, marks, truths), 0, []
    for i, part in enumerate(epochs):
        energy, accuracy, iou = rounds.cut(net if i else None)
        seconds += learn(net, utils.Relabelled(train_set, rounds.labels), part)
        score = common.scores(common.by(net), test_set)["mean_iou"]
        text.append(f"{i + 1}: energy {energy:.1f}, labels {accuracy:.4f} {iou:.4f}, test {score}")
    return net, seconds, rounds.labels, "; ".join(text)


def one_run(job, root):
    """Draw, cut, train and score once; one row of the table."""
    background, kind = BACKGROUND[job["data"]], job["labels"]
    train_set, test_set = datasets(job["data"], root, int(job["seed"]))
    count, truths, epochs = len(train_set.classes), weak("masks", train_set, None), EPOCHS
    if kind == "masks_few":
        train_set = train_set.take(affordable(train_set, truths, background))
        steps = [len(names) // common.BATCH for names in (truths, train_set.names)]
        epochs = (round(sum(epochs) * steps[0] / steps[1]),)  # as many steps as the others: fewer pictures, more often
    marks = weak(kind, train_set, background)
    told = [scribbles.said(name, marks[name], truths[name]) for name in train_set.names]
    utils.seed(int(job["seed"]))
    net, seconds, labels, rounds = trained(job, train_set, marks, truths, test_set, epochs)
    accuracy, iou = rightness(labels, truths)
    one = kind.split("_")[0]
    row = common.scores(common.by(net), test_set) | {
        "pictures_labelled": str(len(train_set)),
        "share": f"{np.mean([mark['share'] for mark in told]):.4f}",
        "missed": f"{np.mean([len(mark['missed']) for mark in told]):.3f}",
        "labels_acc": f"{accuracy:.4f}",
        "labels_iou": f"{iou:.4f}",
        "rounds": rounds,
        "price_s": f"{np.mean([price(one, truths[name], count, background) for name in train_set.names]):.1f}",
    }
    return job | row | common.circumstances(seconds)


if __name__ == "__main__":
    common.command(__doc__, __file__, jobs, one_run, key=("data", "labels", "seed"))
