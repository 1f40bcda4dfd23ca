"""Dice as a loss, alone and beside cross-entropy, three seeds (chapter 10): makes table.csv.

    make results        or        python -m results.dice.run

Nets, pictures, schedule and seeds are those of `results.optimisation`, its bases "pretrained" and "fcn-8s", so that a
row may be compared with the base's row of the same seed. voc_mini only: trained on without its last 40 training
pictures, and scored on those. About 4 minutes on one core.
"""

import utils
from utils.engine.digest import data_digest

import time

import mxnet as mx
from mxnet import gluon, nd

from results import common
from results.optimisation.run import BASES, new_net, pictures

RUNS = {
    "Dice": {"losses": "dice"},
    "Dice, rate / 3": {"losses": "dice", "rate": 1e-3 / 3},
    "Dice + cross-entropy": {"losses": "dice cross-entropy"},
}


def dice_loss(scores, labels):
    """1 minus Dice, with probabilities for counts: for each picture the mean over the classes that it shows."""
    known = (labels != utils.VOID).expand_dims(1)
    truth = nd.one_hot(labels, scores.shape[1]).transpose((0, 3, 1, 2))  # all 0 for void, 255
    found = nd.softmax(scores, axis=1) * known
    dice = 2 * (found * truth).sum(axis=(2, 3)) / (found + truth).sum(axis=(2, 3)).clip(1e-6, float("inf"))
    shown = truth.max(axis=(2, 3))
    return 1 - (dice * shown).sum(axis=1) / nd.maximum(shown.sum(axis=1), 1)


def settings(base, kind):
    """What a run is given."""
    return BASES[base] | RUNS[kind]


def jobs(data, root):
    """What each row begins with, and the folder of its pictures."""
    if data != "voc_mini":
        return
    sets = pictures(data, root, 0)
    same = common.provenance(__file__, data, root) | {"pictures": " ".join(map(data_digest, sets))}
    for base in "pretrained", "fcn-8s":
        for kind in RUNS:
            given = "; ".join(f"{key} {value}" for key, value in settings(base, kind).items())
            for seed in range(3):
                row = {"data": data, "base": base, "kind": kind, "seed": str(seed), "settings": given}
                yield row | same, str(root)


def train(net, train_set, given):
    """Train as the base does, with another loss; the mean loss of the last epoch."""
    data, by_pixel = utils.data_loader(train_set, given["batch"]), utils.SoftmaxCrossEntropyLoss()

    def loss(scores, labels):
        dice = dice_loss(scores, labels)
        return dice + by_pixel(scores, labels) if "cross-entropy" in given["losses"] else dice

    schedule = mx.lr_scheduler.PolyScheduler(given["epochs"] * len(data), given["rate"], pwr=0.9)
    options = {"learning_rate": given["rate"], "lr_scheduler": schedule}
    trainer = gluon.Trainer(net.collect_params(), given["optimizer"], options)
    history = utils.train(data, None, net, loss, trainer, utils.try_gpu(), given["epochs"])
    if history.interrupted:
        raise KeyboardInterrupt  # no row of half a training
    return history[-1]["loss"]


def one_run(job, root):
    """Train and score once; one row of the table."""
    train_set, test_set = pictures(job["data"], root, int(job["seed"]))
    utils.seed(int(job["seed"]))
    net = new_net(job["base"], len(train_set.classes))
    net.hybridize()
    clock = time.process_time if utils.try_gpu() == mx.cpu() else time.time
    start = clock()
    loss = train(net, train_set, settings(job["base"], job["kind"]))
    seconds = clock() - start
    return job | common.scores(common.by(net), test_set) | {"loss": f"{loss:.4g}"} | common.circumstances(seconds)


if __name__ == "__main__":
    common.command(__doc__, __file__, jobs, one_run, key=("data", "base", "kind", "seed"))
