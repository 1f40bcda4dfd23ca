"""HED with and without its side losses, beside Sobel and Canny, three seeds (chapter 14): makes two tables.

    make results [CAMVID=FOLDER]        or        python -m results.edges.run [CAMVID]

trials.csv has the trials by which rates are chosen, table.csv three seeds of each net with these rates.
All nets stand on EfficientNet-Lite0, with ImageNet's weights or from nothing. voc_mini has its full size, CamVid half
of it; crops of 80 × 112, Adam, poly; all nets see the same number of crops. The truth is the borders between classes
and objects, `utils.data.edges.EdgeDataset`. CamVid has no numbers of objects: there it is the borders of classes.

A net has two rates: the backbone's, and that of what is behind it. Trials are made on voc_mini, without the last 40
training pictures, scored by ODS on these, in half of the epochs, with one seed. They begin with `TRIED_FIRST`, and go
on until the best pair lies between others that were tried: either rate a step of `RATES` less and more; from nothing
both together. CamVid has the same rates. Sobel and Canny learn nothing: their settings are the best of GRID on the
16 training pictures, one of so many.

net       hed_sides: fusion and each side have a loss; hed_fusion: the fusion alone; sobel, canny
ods, ois, ap    by `utils.postprocess.edges.EdgeMetric`, within 0.75 % of the picture's diagonal
threshold       of the strength, for ods: the best on the test pictures, as in the published tables
f_chosen        F on the test pictures at threshold_chosen, the best on the 16 training pictures: what a user gets
sides           ods of each side output by itself, from fine to coarse; on every 4th test picture
fuse            the fusion's weights, from fine to coarse
mean_iou        of "no edge" and "edge", pixel by pixel, at a strength of 0.5, of baselines at threshold_chosen
"""

import utils
from utils.data.edges import EdgeDataset
from utils.engine.digest import code_digest, data_digest
from utils.losses import HEDLoss
from utils.postprocess import edges

import contextlib
import io
import itertools
import time

import mxnet as mx
import numpy as np
import skimage
from mxnet import gluon

from results import common, rate_search
from results.decoders.run import set_rates

BACKBONE, CROP, HELD_OUT, CHOSEN_ON = "efficientnet_lite0", (80, 112), 40, 16
EPOCHS = {"voc_mini": 16, "camvid": 6}
VOID = {"voc_mini": {"band": 4, "rim": 2}, "camvid": {"band": 2, "rim": 1}}  # half size, half the widths
SIDES_EVERY = 4
SIDE_WEIGHT = {"hed_sides": 1.0, "hed_fusion": 0.0}
KINDS = [(start, net) for start in ("imagenet", "nothing") for net in SIDE_WEIGHT]
TRIED_FIRST = {kind: (1e-3, 3e-3) if kind[0] == "imagenet" else (3e-3, 3e-3) for kind in KINDS}
# thresholds; grey is 0 to 1
STEPS = {"sobel": np.geomspace(0.005, 0.4, 19).round(4), "canny": np.geomspace(0.02, 2, 19).round(4)}
GRID = {"sobel": {"sigma": (1, 1.5, 2)}, "canny": {"sigma": (0.7, 1, 1.5, 2, 3), "ratio": (0.2, 0.4, 0.6)}}


def datasets(data, root, trial, seed=0):
    """Training crops, and whole pictures to score, kept in memory once read: labels are edges."""
    names = utils.read_names(root)
    scored = names[-HELD_OUT:] if trial else utils.read_names(root, split="val")
    given = {"cache": True} | VOID[data]
    train_set = EdgeDataset(
        True, CROP, root, common.SCALE[data], seed=seed, names=names[:-HELD_OUT] if trial else names, **given
    )
    return train_set, EdgeDataset(False, None, root, common.SCALE[data], names=scored, **given)


def first(data, root):
    """The training pictures on which thresholds, and the baselines' settings, are chosen."""
    names = utils.read_names(root)
    names = names[:: len(names) // CHOSEN_ON][:CHOSEN_ON]  # neighbours are of one film
    return EdgeDataset(False, None, root, common.SCALE[data], names=names, cache=True, **VOID[data])


def shared(data, root, trial):
    """What all rows of a table begin with."""
    return {
        "scored": "held out" if trial else "val",
        "settings": f"scale {common.SCALE[data]}, crop {CROP[0]}x{CROP[1]}, batch {common.BATCH}, adam, poly 0.9, "
        f"chosen on {CHOSEN_ON}, band {VOID[data]['band']}, rim {VOID[data]['rim']}, {BACKBONE}",
        "pictures": " ".join(map(data_digest, datasets(data, root, trial))),
        "code": code_digest((__file__, "one_run")),
    }


def trials(root, same, rows):
    """Jobs of the trials, as far as `rows`, made before, say what to try."""
    for start, net in KINDS:
        for pair in dict.fromkeys(rate_search.to_try(rows, start, net, "ods", TRIED_FIRST[start, net])):
            yield rate_search.row("voc_mini", start, net, 0, pair, EPOCHS["voc_mini"] // 2) | same, str(root)


def jobs(data, root, rows):
    """Jobs of the table, with the rates that the trials' rows say."""
    same = shared(data, root, False)
    for start, net in KINDS:
        for seed in range(3):
            pair = rate_search.chosen(rows, start, net, "ods")
            yield rate_search.row(data, start, net, seed, pair, EPOCHS[data]) | same, str(root)
    for name in GRID:
        yield rate_search.row(data, "", name, 0) | same, str(root)


def train(net, loss, train_set, epochs, rate):
    """As `common.train`, with this loss; seconds of processor time (on a GPU: of time)."""
    net.hybridize()
    loss.hybridize()
    data, ctx = utils.data_loader(train_set, common.BATCH), utils.try_gpu()
    schedule = mx.lr_scheduler.PolyScheduler(epochs * len(data), rate, pwr=0.9)
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": rate, "lr_scheduler": schedule})
    clock = time.process_time if ctx == mx.cpu() else time.time
    start = clock()
    with contextlib.redirect_stdout(io.StringIO()):  # a line for each epoch
        if utils.train(data, None, net, loss, trainer, ctx, epochs).interrupted:
            raise KeyboardInterrupt  # no row of half a training
    mx.nd.waitall()
    return clock() - start


def judged(strength_of, dataset, thresholds):
    """`EdgeMetric` of what a function says of each picture (3, H, W)."""
    metric = edges.EdgeMetric(thresholds)
    for x, y in dataset:
        metric.update(y, strength_of(x))
    return metric


def at(metric, threshold):
    """F over a split at one threshold."""
    precision, recall = (values[np.flatnonzero(metric.thresholds == threshold)[0]] for values in metric.curve())
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def scores(strength_of, chosen_on, test_set, thresholds):
    """Scores as texts."""
    metric = judged(strength_of, test_set, thresholds)
    found = {key: f"{value:.4f}" for key, value in metric.scores().items()}
    best = judged(strength_of, chosen_on, thresholds).scores()["threshold"]
    return found | {"threshold_chosen": f"{best:g}", "f_chosen": f"{at(metric, best):.4f}"}


def best_baseline(name, chosen_on):
    """A function (3, H, W) → strength by the best settings of GRID on these pictures, and those, as text."""

    def by(sigma, ratio=None):
        def strength_of(x):
            image = utils.denormalize(x)
            if name == "sobel":
                return edges.suppress(skimage.filters.sobel(skimage.color.rgb2gray(image)), sigma)
            return edges.canny_strength(image, STEPS[name], sigma, ratio)

        return strength_of

    settings = [dict(zip(GRID[name], values, strict=True)) for values in itertools.product(*GRID[name].values())]
    found = [judged(by(**given), chosen_on, STEPS[name]).scores()["ods"] for given in settings]
    best = settings[int(np.argmax(found))]
    return by(**best), "; ".join(f"{key} {value:g}" for key, value in best.items())


def two_classes(label_of, dataset):
    """Mean IoU of "no edge" and "edge", pixel by pixel, as a text: shows why edges are scored otherwise."""
    metric = utils.SegmentationMetric(2)
    for x, y in dataset:
        metric.update(y.expand_dims(0), mx.nd.array(label_of(x)[None]))
    return f"{metric.scores()['mean_iou']:.4f}"


def one_run(job, root):
    """Train, or search, and score once; one row of a table."""
    data, trial = job["data"], job["scored"] == "held out"
    (train_set, test_set), chosen_on = datasets(data, root, trial, int(job["seed"])), first(data, root)
    if job["net"] in GRID:
        start = time.process_time()
        strength_of, settings = best_baseline(job["net"], chosen_on)
        found = scores(strength_of, chosen_on, test_set, STEPS[job["net"]])
        threshold = float(found["threshold_chosen"])
        found |= {"chosen": settings, "mean_iou": two_classes(lambda x: strength_of(x) >= threshold, test_set)}
        return job | found | common.circumstances(time.process_time() - start)
    utils.seed(int(job["seed"]))
    net = utils.get_model("hed", 2, BACKBONE, job["start"] == "imagenet", ctx=utils.try_gpu())
    rate = set_rates(net, (float(job["rate_backbone"]), float(job["rate_behind"])))
    seconds = train(net, HEDLoss(SIDE_WEIGHT[job["net"]]), train_set, int(job["epochs"]), rate)
    says = common.by(net)

    def strength_of(x, output=0):
        return edges.suppress(edges.edge_strength(says(x, None)[output]))

    found = scores(strength_of, chosen_on, test_set, edges.THRESHOLDS)
    some = range(0, len(test_set), SIDES_EVERY)
    alone = [
        judged(lambda x, i=i: strength_of(x, i), (test_set[at] for at in some), edges.THRESHOLDS).scores()["ods"]
        for i in range(1, len(net.strides) + 1)
        if not trial
    ]
    found |= {"sides": "; ".join(f"{stride} {ods:.4f}" for stride, ods in zip(net.strides, alone, strict=False))}
    found |= {"fuse": "; ".join(f"{weight:.3f}" for weight in net.fuse.weight.data().asnumpy().ravel())}
    found |= {"mean_iou": two_classes(lambda x: edges.edge_strength(says(x, None)[0]) > 0.5, test_set)}
    return job | found | common.circumstances(seconds)


if __name__ == "__main__":
    rate_search.command(__doc__, __file__, shared, trials, jobs, one_run)
