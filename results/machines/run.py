"""What a larger batch asks of the rate, tried (chapter 17): makes trials.csv and rates.csv. costs.py makes costs.csv.

    make results        or        python -m results.machines.run [--trials] [--adopt]

More machines mean larger batches, and fewer steps an epoch. Here one process takes these steps: chapter 17 shows that
ranks with equal shares take the same ones. FCN-8s on EfficientNet-Lite0 with ImageNet's weights, whose BatchNorm is
fixed, so that a batch of any size may be taken; voc_mini at half size, crops of 80 × 112. All train on the first 128
training pictures for as many epochs: 16, 4 or 1 steps in each. SGD has momentum 0.9. The rate falls to 0 by poly.

trials.csv: the rate of each optimiser and batch, by mean IoU on the 32 other training pictures, one seed.
Rates are a factor 2 apart, and tried until the best lies between others. rates.csv: three other seeds, scored on the
test pictures. With a batch k times the smallest one, whose rate is the best of its trials, `rule` says:

same        the same rate
root        √k times the rate
linear      k times the rate
warm_up     the same, with a warm-up: from the rate itself to k times it in a line, over the first 4 of 16 epochs
peak        no warm-up, and as its first rate the largest that `warm_up` comes to, for poly falls meanwhile
own         the best rate of the trials with this batch; no row where another rule says the same

SGD alone has linear, warm_up and peak: the argument for them is of SGD. It also has quarter and sixteenth, the smallest
batch at a part of its rate: by the linear rule these belong to the larger batches at `same`.

seconds are of training and scoring. About 30 minutes on two cores. CamVid is not used.
"""

import utils
from utils.engine.digest import code_digest, data_digest

import contextlib
import io
import pathlib
import time

import mxnet as mx
import numpy as np
from mxnet import gluon

from results import common

BACKBONE, CROP, SCALE, TRAINED_ON = "efficientnet_lite0", (80, 112), 0.5, 128
EPOCHS, WARM = 16, 4
BATCHES, OPTIONS = (8, 32, 128), {"sgd": {"momentum": 0.9}, "adam": {}}
TRIED_FIRST = {"sgd": {8: 0.002, 32: 0.008, 128: 0.016}, "adam": {8: 0.001, 32: 0.002, 128: 0.004}}
TRIAL_SEEDS, SEEDS = (10,), (0, 1, 2)
KEY = ("data", "optimizer", "batch", "rule", "seed")
FAILED = dict.fromkeys(["pixel_acc", "mean_acc", "mean_iou", "fw_iou", "trimap_iou"], "nan")


class Schedule(mx.lr_scheduler.LRScheduler):
    """Poly from the first step on; before `warm` steps are done the rate rises in a line from one `times`th of it."""

    def __init__(self, rate, steps, warm=0, times=1):
        super().__init__(rate)
        self.rate, self.steps, self.warm, self.times = rate, steps, warm, times

    def __call__(self, step):
        """step: from 1."""
        done = (step - 1) / max(1, self.warm)
        risen = 1 if done >= 1 else (1 + (self.times - 1) * done) / self.times
        return self.rate * risen * (1 - (step - 1) / self.steps) ** 0.9


def datasets(root, trial, seed=0):
    """Training crops, and whole pictures to score, kept in memory once read."""
    names = utils.read_names(root)
    train_set = utils.VOCSegDataset(True, CROP, root, SCALE, seed=seed, names=names[:TRAINED_ON], cache=True)
    scored = names[TRAINED_ON:] if trial else None
    return train_set, utils.VOCSegDataset(False, None, root, SCALE, names=scored, cache=True)


def shared(root, trial):
    """What all rows of a table begin with."""
    return {
        "scored": "held out" if trial else "val",
        "settings": f"scale {SCALE}, crop {CROP[0]}x{CROP[1]}, {TRAINED_ON} pictures, momentum 0.9, poly 0.9, "
        f"trimap {common.TRIMAP}, {BACKBONE}",
        "pictures": " ".join(map(data_digest, datasets(root, trial))),
        "code": code_digest((__file__, "one_run")),
    }


def row(optimizer, batch, rule, rate, seed):
    """What tells one run from another, as texts."""
    found = {"data": "voc_mini", "optimizer": optimizer, "batch": batch, "rule": rule, "rate": f"{rate:g}"}
    found |= {"warm_up": WARM if rule == "warm_up" else 0, "epochs": EPOCHS, "seed": seed}
    return {key: str(value) for key, value in found.items()}


def tried(rows, optimizer, batch):
    """{rate: mean IoU, the mean over seeds} of the trials; one that diverged counts as 0."""
    found = {}
    for r in rows:
        if (r["optimizer"], r["batch"]) == (optimizer, str(batch)):
            found.setdefault(float(r["rate"]), []).append(np.nan_to_num(float(r["mean_iou"])))
    return {rate: float(np.mean(scores)) for rate, scores in found.items()}


def chosen(rows, optimizer, batch):
    """The rate that did best in the trials."""
    found = tried(rows, optimizer, batch)
    return max(found, key=found.get)


def to_try(rows, optimizer, batch):
    """Rates that were tried, the best of them, and those beside it; before any trial the first guess."""
    found = tried(rows, optimizer, batch)
    best = chosen(rows, optimizer, batch) if found else TRIED_FIRST[optimizer][batch]
    return sorted({*found, *(float(f"{best * times:g}") for times in (0.5, 1, 2))})


def rules(rows, optimizer, batch):
    """{rule: rate} for a batch."""
    base, times = chosen(rows, optimizer, BATCHES[0]), batch / BATCHES[0]
    if times == 1:
        return {"same": base} | ({"quarter": base / 4, "sixteenth": base / 16} if optimizer == "sgd" else {})
    found, own = {"same": base, "root": base * times**0.5}, chosen(rows, optimizer, batch)
    if optimizer == "sgd":
        peak = base * times * (1 - WARM / EPOCHS) ** 0.9
        found |= {"linear": base * times, "warm_up": base * times, "peak": float(f"{peak:.3g}")}
    return found if any(np.isclose(own, rate, rtol=0.1) for rate in found.values()) else found | {"own": own}


def trials(root, same, rows):
    """Jobs of the trials, as far as `rows`, made before, say what to try."""
    for optimizer in OPTIONS:
        for batch in BATCHES:
            for rate in to_try(rows, optimizer, batch):
                for seed in TRIAL_SEEDS:
                    yield row(optimizer, batch, "trial", rate, seed) | same, str(root)


def jobs(root, rows):
    """Jobs of the table, with the rates that the trials' rows say."""
    same = shared(root, False)
    for optimizer in OPTIONS:
        for batch in BATCHES:
            for rule, rate in rules(rows, optimizer, batch).items():
                for seed in SEEDS:
                    yield row(optimizer, batch, rule, rate, seed) | same, str(root)


def train(net, train_set, job):
    """Mean loss of the last epoch, and how many steps there were."""
    batch, epochs, ctx = int(job["batch"]), int(job["epochs"]), utils.try_gpu()
    data, loss = utils.data_loader(train_set, batch), utils.SoftmaxCrossEntropyLoss()
    net.hybridize()
    loss.hybridize()
    warm = int(job["warm_up"]) * len(data)
    schedule = Schedule(float(job["rate"]), epochs * len(data), warm, batch / BATCHES[0])
    options = {"learning_rate": float(job["rate"]), "lr_scheduler": schedule} | OPTIONS[job["optimizer"]]
    trainer = gluon.Trainer(net.collect_params(), job["optimizer"], options)
    with contextlib.redirect_stdout(io.StringIO()):  # a line for each epoch
        history = utils.train(data, None, net, loss, trainer, ctx, epochs)
    if history.interrupted:
        raise KeyboardInterrupt  # no row of half a training
    return history[-1]["loss"], epochs * len(data)


def one_run(job, root):
    """Train and score once; one row of a table, with nan where training diverged."""
    train_set, test_set = datasets(root, job["scored"] == "held out", int(job["seed"]))
    utils.seed(int(job["seed"]))
    net = utils.fcn(len(train_set.classes), 8, BACKBONE, pretrained=True, ctx=utils.try_gpu())
    clock = time.process_time if utils.try_gpu() == mx.cpu() else time.time
    start = clock()
    try:
        loss, steps = train(net, train_set, job)
        scores = common.scores(common.by(net), test_set)
    except ValueError as error:
        if "diverged" not in str(error):
            raise
        loss, steps, scores = float("nan"), "", FAILED
    return job | scores | {"loss": f"{loss:.4g}", "steps": str(steps)} | common.circumstances(clock() - start)


def main():
    args, roots = common.arguments(__doc__, trials=True)
    root, path = roots["voc_mini"], pathlib.Path(__file__).with_name("trials.csv")
    same, todo, before = shared(root, True), None, []
    while todo != before:  # what is tried next hangs on what came out
        before, rows = todo, [trial for trial in common.read(path) if common.matches(trial, same)]
        todo = list(trials(root, same, rows))
        common.make(path, todo, one_run, (*KEY[:-1], "rate", "seed"), args.adopt)
    if not args.trials:
        common.make(path.with_name("rates.csv"), list(jobs(root, rows)), one_run, KEY, args.adopt)


if __name__ == "__main__":
    main()
