"""What ImageNet's weights are worth, by what is trained and by how many pictures (chapter 11): makes two tables.

    make results [CAMVID=FOLDER]        or        python -m results.transfer.run [CAMVID]

trials.csv has the trials by which rates are chosen, table.csv what was done with these rates.
FCN-8s on EfficientNet-Lite0, half-size pictures, crops of 80 × 112, Adam, poly. `WAYS` lists what is compared:

start        "imagenet", or "nothing": random weights
trained      "all", or the score layers only ("last")
statistics   of BatchNorm: "frozen", folded into the convolutions, or "learning", as layers. From nothing "frozen" is
             a net without BatchNorm

Depthwise convolutions learn from nothing only (`efficientnet_lite0`). The pictures are drawn by the seed, the same ones
for all ways, and the same number of steps is made with them. `CHANGES` are made to the second of the ways alone.
The last of the ways is made with all pictures for four times the steps too.

Trials never see what is scored in table.csv: trained on 40 of the training pictures, scored on the last 40 of them.
A rate is chosen for each data set, way and change of rates; where the best is the first or the last one tried, the
next is tried too.
On one core, voc_mini: trials 9 minutes, table 32. CamVid: 7 and 25.
"""

import utils
from utils.engine.digest import code_digest, data_digest
from utils.models.backbones import make_backbone
from utils.models.fcn import FCN2s, FCN4s

import contextlib
import functools
import io
import itertools
import pathlib
import time

import mxnet as mx
import numpy as np
from mxnet import gluon, init

from results import common

CROP, SCALE, BATCH, HELD_OUT = (80, 112), 0.5, 8, 40
STEPS = {10: 50, 40: 100, 160: 180, 367: 135}  # whole epochs, of whole batches
PICTURES = {"voc_mini": [10, 40, 160], "camvid": [10, 40, 367]}
MIDDLE = 40
WAYS = [
    ("imagenet", "last", "frozen"),
    ("imagenet", "all", "frozen"),
    ("imagenet", "last", "learning"),
    ("imagenet", "all", "learning"),
    ("nothing", "last", "frozen"),
    ("nothing", "all", "frozen"),
    ("nothing", "all", "learning"),
]
USUAL = WAYS[1]
CHANGES = {  # and whether they are tried with each number of pictures, or with the largest alone
    "rate x 10 for scores": True,
    "rate / 10 for the backbone": True,
    "fcn-4s": False,
    "fcn-2s": False,
    "same": False,
    "same, told symmetric": False,
}
FOUR_TIMES = "four times the steps"  # from nothing, all pictures: is it pictures that it lacks, or steps?
CEILING = ("truth", "", "")  # no net: the truth itself, reduced by 8 and enlarged again (`utils.ceiling`)
RATES = [3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1]
TRIED_FIRST = {  # by start and what is trained
    ("imagenet", "last"): [1e-3, 3e-3, 1e-2],
    ("imagenet", "all"): [3e-4, 1e-3, 3e-3],
    ("nothing", "last"): [1e-2, 3e-2, 1e-1],
    ("nothing", "all"): [1e-2, 3e-2, 1e-1],
}
LONGER = ("voc_mini", *WAYS[-1])  # with the rate that was best, also for twice the steps: does it only need longer?
FAILED = dict.fromkeys(["pixel_acc", "mean_acc", "mean_iou", "fw_iou", "trimap_iou"], "nan")
COLUMNS = ("data", "start", "trained", "statistics", "change", "pictures", "rate", "steps", "seed")
KEY = ("data", "start", "trained", "statistics", "change", "pictures", "seed")  # in the table each has one rate
TRIALS = pathlib.Path(__file__).with_name("trials.csv")


def drawn(names, count, seed):
    """`count` of the names, drawn by the seed: those of a smaller count are among those of a larger one."""
    return [names[i] for i in np.random.RandomState(seed).permutation(len(names))[:count]]


def lists(data, root, trial):
    """Names that may be trained on, and names that are scored: of a trial, parts of the training list."""
    names = utils.read_names(root)
    if trial:
        return names[:-HELD_OUT], names[-HELD_OUT:]
    return names, utils.read_names(root, split="val")


@functools.cache
def scored(root, names):
    """Whole pictures to score, read once a process."""
    return utils.VOCSegDataset(False, None, root, SCALE, names=names, cache=True)


def build(classes, way, change=""):
    """A net, and the dict of its parameters that learn."""
    start, trained, statistics = way
    features = {"folded": statistics == "frozen"} | ({"padding": "same"} if change.startswith("same") else {})
    features = make_backbone("efficientnet_lite0", start == "imagenet", features)
    if change == "same, told symmetric":
        features.place = lambda stride: 0
    net = {"fcn-4s": FCN4s, "fcn-2s": FCN2s}.get(change, utils.FCN8s)(features, classes)
    # Xavier, as `utils.fcn`, lets maps vanish after depthwise convolutions where no BatchNorm follows: He's there
    rule = init.Xavier("gaussian", "in", 2) if (start, statistics) == ("nothing", "frozen") else init.Xavier()
    for parameter in net.collect_params().values():
        if parameter._data is None:  # the score layers, and from nothing all
            parameter.initialize(default_init=rule)
    net.collect_params().reset_ctx(utils.try_gpu())
    learns = net._collect_params_with_prefix()
    if trained == "last":
        for name, parameter in features.collect_params().items():
            if statistics == "frozen" or not name.endswith(("gamma", "beta")):
                parameter.grad_req = "null"  # a layer without a backward pass would not move its statistics
        learns = {name: parameter for name, parameter in learns.items() if name.startswith("score")}
    for name, parameter in learns.items():
        is_score = name.startswith("score")
        if change == "rate x 10 for scores" and is_score:
            parameter.lr_mult = 10
        if change == "rate / 10 for the backbone" and not is_score:
            parameter.lr_mult = 0.1
    return net, learns


def train(net, learns, train_set, steps, rate):
    """Adam and a poly schedule over so many steps; the mean loss of the last epoch."""
    data, ctx = utils.data_loader(train_set, BATCH), utils.try_gpu()
    loss = utils.SoftmaxCrossEntropyLoss()
    for block in net, loss:
        block.hybridize()
    schedule = mx.lr_scheduler.PolyScheduler(steps, rate, pwr=0.9)
    trainer = gluon.Trainer(learns, "adam", {"learning_rate": rate, "lr_scheduler": schedule})
    with contextlib.redirect_stdout(io.StringIO()):  # a line for each of up to 80 epochs
        history = utils.train(data, None, net, loss, trainer, ctx, steps // len(data))
    if history.interrupted:
        raise KeyboardInterrupt  # no row of half a training
    return history[-1]["loss"]


def one_run(job, root):
    """Train and score once; one row of a table, with nan where training diverged."""
    seed, count = int(job["seed"]), int(job["pictures"])
    names, test = lists(job["data"], root, job["scored"] == "held out")
    if job["start"] == "truth":
        test_set = scored(root, tuple(test))
        scores = common.scores(lambda x, y: utils.ceiling(y, 8, len(test_set.classes))[None], test_set)
        return job | scores | common.circumstances(0)
    names = drawn(names, count, seed)
    train_set = utils.VOCSegDataset(True, CROP, root, SCALE, seed=seed, names=names, cache=True)
    utils.seed(seed)
    way = job["start"], job["trained"], job["statistics"]
    net, learns = build(len(train_set.classes), way, job["change"])
    clock = time.process_time if utils.try_gpu() == mx.cpu() else time.time
    start = clock()
    try:
        loss = train(net, learns, train_set, int(job["steps"]), float(job["rate"]))
        mx.nd.waitall()
        seconds = clock() - start
        scores = common.scores(common.by(net), scored(root, tuple(test)))
    except ValueError as error:
        if "diverged" not in str(error):
            raise
        loss, seconds, scores = float("nan"), clock() - start, FAILED
    return job | scores | {"loss": f"{loss:.4g}"} | common.circumstances(seconds)


def shared(data, root, trial):
    """What all rows of a data set begin and end with."""
    names, test = lists(data, root, trial)
    sets = utils.VOCSegDataset(True, CROP, root, SCALE, names=names), scored(root, tuple(test))
    settings = f"scale {SCALE}, crop {CROP[0]}x{CROP[1]}, batch {BATCH}, adam, poly 0.9, trimap {common.TRIMAP}"
    return {
        "scored": "held out" if trial else "val",
        "settings": settings,
        "pictures_digest": " ".join(map(data_digest, sets)),
        "code": code_digest((__file__, "one_run")),
    }


def kinds(data):
    """(way, change, numbers of pictures) of all that is compared on a data set."""
    yield from ((way, "", PICTURES[data]) for way in WAYS)
    yield from ((USUAL, change, PICTURES[data][0 if each else -1 :]) for change, each in CHANGES.items())
    yield WAYS[-1], FOUR_TIMES, PICTURES[data][-1:]


def row(data, way, change, pictures, rate, steps, seed):
    """What tells one run from another, as texts."""
    return dict(zip(COLUMNS, map(str, (data, *way, change, pictures, f"{rate:g}", steps, seed)), strict=True))


def tried(rows, data, way, change=""):
    """{rate: mean IoU} of the trials of a way, those with the usual number of steps; 0 where training diverged."""
    mine = [r for r in rows if tuple(r[name] for name in KEY[:5]) == (data, *way, change)]
    mine = [r for r in mine if r["steps"] == str(STEPS[MIDDLE])]
    return {float(r["rate"]): float(np.nan_to_num(float(r["mean_iou"]))) for r in mine}


def chosen(rows, data, way, change=""):
    """The rate that did best in the trials of a way; of another net (FCN-4s, "same" padding) the usual way's."""
    found = tried(rows, data, way, change if change.startswith("rate") else "")
    if not found:
        kind = ", ".join(filter(None, (*way, change)))
        raise ValueError(f"{TRIALS.name} has no trial of {kind} on {data}: make it first")
    return max(found, key=found.get)


def trials(data, root, rows):
    """Jobs of the trials, as far as `rows`, made before, say what to try."""
    same = shared(data, root, True)
    for way, change in [(w, c) for w, c, _ in kinds(data) if not c or c.startswith("rate")]:
        found = tried(rows, data, way, change)
        rates = sorted({*TRIED_FIRST[way[:2]], *found})
        if found.keys() >= {*rates}:
            at = RATES.index(chosen(rows, data, way, change))
            rates = sorted({*rates, *RATES[max(at - 1, 0) : at + 2]})
        runs = [(rate, STEPS[MIDDLE]) for rate in rates]
        if (data, *way) == LONGER and found.keys() >= {*rates}:
            runs.append((chosen(rows, data, way), 2 * STEPS[MIDDLE]))
        for rate, steps in runs:
            yield row(data, way, change, MIDDLE, rate, steps, 0) | same, str(root)


def jobs(data, root, rows):
    """Jobs of the table, with the rates that the trials' rows say."""
    same = shared(data, root, False)
    for way, change, counts in kinds(data):
        for count, seed in itertools.product(counts, range(3)):
            steps = STEPS[count] * (4 if change == FOUR_TIMES else 1)
            yield row(data, way, change, count, chosen(rows, data, way, change), steps, seed) | same, str(root)
    yield row(data, CEILING, "", 0, 0, 0, 0) | same, str(root)


def main():
    args, roots = common.arguments(__doc__, trials=True)
    for data, root in roots.items():
        same, todo, before = shared(data, root, True), None, []
        while todo != before:  # what is tried next hangs on what came out
            before, rows = todo, [trial for trial in common.read(TRIALS) if common.matches(trial, same)]
            todo = list(trials(data, root, rows))
            common.make(TRIALS, todo, one_run, COLUMNS, args.adopt)
        if not args.trials:
            common.make(TRIALS.with_name("table.csv"), list(jobs(data, root, rows)), one_run, KEY, args.adopt)


if __name__ == "__main__":
    main()
