"""Weak labels: points, scribbles, boxes and masks, three seeds, drawings and photographs (chapter 15): makes table.csv.

    make results [CAMVID=FOLDER]        or        python -m results.scribbles.run [CAMVID]

All nets are chapter 09's FCN-8s on EfficientNet-Lite0 with ImageNet's weights, trained as there (results/skips) for the
same number of epochs; only the labels of the training pictures differ. Test labels are the full ones. Rows:

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
"""

import utils
from utils.data import scribbles
from utils.engine import tiling

import numpy as np
from scipy import ndimage

from results import common

BACKBONE = "efficientnet_lite0"
PLAN = {"voc_mini": {"rate": 1e-3, "epochs": (3, 2, 2)}, "camvid": {"rate": 1e-3, "epochs": (4, 3, 3)}}
BACKGROUND = {"voc_mini": 0, "camvid": None}
KINDS = ["points", "scribbles", "scribbles_cuts", "boxes", "masks", "masks_few"]
CUT = {"count": 400, "strength": 2.0, "colour": 0.3}
PRICES = {"absent": 1.0, "points": 2.4, "scribbles": 10.9, "boxes": 7.0, "masks": 79.0}
"""Seconds: a class that is not there, a point, a stroke, a box, an outline.

Bearman and others, *What's the Point*, ECCV 2016: 1 s for each class that is absent, 2.4 s for a point and 10.9 s for a
squiggle a class, 79 s (from the paper on COCO) for an object's outline: 22.1, 34.9 and 239.7 s for a picture of VOC.
Papadopoulos and others, *Extreme clicking*, ICCV 2017: 7 s for a box (35 s as ImageNet's were drawn).
"""


def jobs(data, root):
    """What each row begins with, and the folder of its pictures."""
    rate, epochs = PLAN[data]["rate"], PLAN[data]["epochs"]
    given = ", ".join(f"{key} {value:g}" for key, value in CUT.items())
    same = {"settings": f"{common.settings(data, rate)}, {BACKBONE}, cut: {given}"}
    same |= common.provenance(__file__, data, root)
    for kind in KINDS:
        stages = "+".join(map(str, epochs)) if kind == "scribbles_cuts" else str(sum(epochs))
        for seed in range(3):
            yield {"data": data, "labels": kind, "seed": str(seed), "epochs": stages} | same, str(root)


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
    if kind in ("points", "scribbles"):
        return PRICES["absent"] * absent + PRICES[kind] * len(present)
    objects = 0
    for value in present - {background}:
        numbered, _ = ndimage.label(label == value)
        objects += int((np.bincount(numbered.ravel())[1:] >= scribbles.LEAST).sum())
    return PRICES["absent"] * absent + PRICES[kind] * objects


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


def trained(job, train_set, marks, truths, test_set, epochs):
    """A net, its seconds, the labels that it learnt from last, and what each round gave, as text."""
    rate, net = PLAN[job["data"]]["rate"], utils.fcn(len(train_set.classes), 8, BACKBONE, True, ctx=utils.try_gpu())
    if job["labels"] != "scribbles_cuts":
        return net, common.train(net, utils.Relabelled(train_set, marks), sum(epochs), rate), marks, ""
    rounds, seconds, text = Rounds(train_set, marks, truths), 0, []
    for i, part in enumerate(epochs):
        energy, accuracy, iou = rounds.cut(net if i else None)
        seconds += common.train(net, utils.Relabelled(train_set, rounds.labels), part, rate)
        score = common.scores(common.by(net), test_set)["mean_iou"]
        text.append(f"{i + 1}: energy {energy:.1f}, labels {accuracy:.4f} {iou:.4f}, test {score}")
    return net, seconds, rounds.labels, "; ".join(text)


def one_run(job, root):
    """Draw, cut, train and score once; one row of the table."""
    background, kind = BACKGROUND[job["data"]], job["labels"]
    train_set, test_set = common.datasets(job["data"], root, int(job["seed"]))
    count, truths = len(train_set.classes), weak("masks", train_set, None)
    if kind == "masks_few":
        train_set = train_set.take(affordable(train_set, truths, background))
    marks, epochs = weak(kind, train_set, background), PLAN[job["data"]]["epochs"]
    if kind == "masks_few":  # as many steps as the others: fewer pictures, more often
        epochs = (round(sum(epochs) * len(truths) / len(train_set)),)
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
