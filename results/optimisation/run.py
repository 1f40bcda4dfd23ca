"""What training is made of: one thing changed at a time, three seeds (chapter 10): makes table.csv.

    make results [CAMVID=FOLDER]        or        python -m results.optimisation.run [CAMVID]

Pictures at half size, crops of 80 × 112. On voc_mini the last 40 training pictures are taken out of training and
scored on; its test pictures have no part in this. On CamVid (see results/skips) nothing is chosen: its val pictures
score again what `AGAIN` names. Four bases, each with the changes that `CHANGES` lists, rates among them:

pretrained         FCN-8s on EfficientNet-Lite0 with ImageNet's weights; Adam at 0.001, batches of 8, poly
fcn-8s             FCN-8s on ResNet18 from nothing; the same, for 9 epochs
pretrained, sgd    the pretrained net again, which has no BatchNorm, so that a batch may be of any size; SGD at 0.003
                   with momentum 0.9, batches of 20, poly
plain              a small net without BatchNorm from nothing; the same at 0.05, for 20 epochs

About 50 minutes on two cores.
"""

import utils
from utils.engine.digest import data_digest
from utils.losses import frequency_weights

import time

import mxnet as mx
import numpy as np
from mxnet import gluon, init, nd
from mxnet.gluon import nn

from results import common

CROP, SCALE, HELD_OUT = (80, 112), 0.5, 40
PIXELS = CROP[0] * CROP[1]
ADAM = {"optimizer": "adam", "rate": 1e-3, "batch": 8, "schedule": "poly"}
SGD = {"optimizer": "sgd", "momentum": 0.9, "batch": 20, "schedule": "poly"}
BASES = {
    "pretrained": {"epochs": 7} | ADAM,
    "fcn-8s": {"epochs": 9} | ADAM,
    "pretrained, sgd": {"epochs": 6, "rate": 3e-3} | SGD,
    "plain": {"epochs": 20, "rate": 0.05} | SGD,
}
CAMVID = {"fcn-8s": {"epochs": 10}, "pretrained": {"epochs": 4}}
DECAYED = 0.9 ** (1 / 20)  # momentum that forgets in 20 steps of one image what 0.9 forgets in one step of 20
MATCHED = (1 - DECAYED) / (20 * (1 - 0.9))  # and the rate that gives each image the same weight: 1 / 381


def of_adam(rate, epochs, batch, **_):
    """The questions that are asked with Adam, as changes of a base."""
    return {
        "base": {},
        "weights: median": {"weights": "median"},
        "weights: inverse": {"weights": "inverse"},
        "weights: inverse, taken back": {"weights": "inverse", "back": True},
        "pixels, 1 in 4": {"sample": 1, "keep": 1 / 4},
        "pixels, 1 in 16": {"sample": 1, "keep": 1 / 16},
        "patches, 1 in 4": {"sample": 16, "keep": 1 / 4},
        "patches, 1 in 4, of 4 × the images": {"sample": 16, "keep": 1 / 4, "batch": 4 * batch, "epochs": 5 * epochs},
        "all, of 4 × the images": {"epochs": 4 * epochs},
        "patches, 1 in 16": {"sample": 16, "keep": 1 / 16},
        "sum": {"reduce": "sum"},
        "constant": {"schedule": "constant"},
        "rate / 10": {"rate": rate / 10},
        "rate / 3": {"rate": rate / 3},
        "rate × 3": {"rate": rate * 3},
        "rate × 10": {"rate": rate * 10},
    }


def of_sgd(rate, **_):
    """And with SGD and momentum."""
    return {
        "base": {},
        "rate / 3": {"rate": rate / 3},
        "rate × 3": {"rate": rate * 3},
        "1 image, matched": {"batch": 1, "momentum": DECAYED, "rate": rate * MATCHED},
        "1 image, rate / 20, momentum 0.9": {"batch": 1, "rate": rate / 20},
        "1 image, rate / 20": {"batch": 1, "momentum": DECAYED, "rate": rate / 20},
        "1 image, same rate": {"batch": 1, "momentum": DECAYED},
        "sum": {"reduce": "sum"},
        "sum, rate / pixels": {"reduce": "sum", "rate": rate / PIXELS},
        "decay": {"decay": 5e-4},
        "decay, biases free and twice as fast": {"decay": 5e-4, "biases": 2},
    }


CHANGES = {base: (of_sgd if "momentum" in given else of_adam)(**given) for base, given in BASES.items()}
AGAIN = ["base", "weights: median", "weights: inverse", "weights: inverse, taken back"]  # on CamVid, with Adam
FAILED = dict.fromkeys(["pixel_acc", "mean_acc", "mean_iou", "fw_iou", "trimap_iou"], "nan")


def pictures(data, root, seed):
    """What is trained on, and what is scored."""
    names = scored = None  # the lists train and val
    if data == "voc_mini":
        names = utils.read_names(root)
        names, scored = names[:-HELD_OUT], names[-HELD_OUT:]
    train_set = utils.VOCSegDataset(True, CROP, root, SCALE, seed=seed, names=names)
    return train_set, utils.VOCSegDataset(False, None, root, SCALE, names=scored)


class PlainNet(gluon.HybridBlock):
    """Six convolutions, the last one dilated, and scores at stride 8: a small FCN without BatchNorm."""

    def __init__(self, num_classes):
        super().__init__()
        self.features = nn.HybridSequential()
        for channels, stride, dilation in (32, 2, 1), (64, 2, 1), (64, 1, 1), (128, 2, 1), (128, 1, 1), (128, 1, 2):
            self.features.add(nn.Conv2D(channels, 3, stride, dilation, dilation, activation="relu"))
        self.score_fr = nn.Conv2D(num_classes, 1, weight_initializer=init.Xavier())  # zeros: chapter 08
        self.upscore = utils.BilinearUpsampling(num_classes, 8)
        self.initialize(init.MSRAPrelu(slope=0), ctx=utils.try_gpu())

    def hybrid_forward(self, F, x):
        return F.slice_like(self.upscore(self.score_fr(self.features(x))), x, axes=(2, 3))


def class_weights(train_set, way):
    """One weight a class, by how often it occurs in the training labels."""
    pixels = np.zeros((len(train_set), len(train_set.classes)), np.int64)
    for row, name in zip(pixels, train_set.names, strict=True):
        label = utils.read_label(utils.label_path(train_set.root, name), train_set.classes)
        row[:] = np.bincount(label[label != utils.VOID], minlength=len(row))
    return frequency_weights(pixels, way)


class Loss:
    """Cross-entropy as `utils.SoftmaxCrossEntropyLoss`, with what this script changes about it.

    reduce: "mean" over each image's labelled pixels, or their "sum". weights: one a class. keep: the share of squares
    of `sample` × `sample` pixels that count, drawn anew for each batch.
    """

    def __init__(self, reduce="mean", weights=None, sample=1, keep=1):
        self.reduce, self.sample, self.keep = reduce, sample, keep
        self.weights = None if weights is None else nd.array(weights, ctx=utils.try_gpu())

    def __call__(self, scores, labels):
        if self.keep < 1:
            labels = nd.where(self.drawn(labels), labels, nd.ones_like(labels) * utils.VOID)
        known = labels != utils.VOID
        target = labels * known
        losses = -nd.pick(nd.log_softmax(scores.transpose((0, 2, 3, 1)), axis=-1), target) * known
        if self.weights is not None:
            losses = losses * self.weights.take(target)
        total = losses.sum((1, 2))
        return total if self.reduce == "sum" else total / nd.maximum(known.sum((1, 2)), 1)

    def drawn(self, labels):
        count, height, width = labels.shape
        rows, columns = -(-height // self.sample), -(-width // self.sample)
        squares = nd.random.uniform(shape=(count, rows, columns), ctx=labels.context) < self.keep
        return squares.repeat(self.sample, 1).repeat(self.sample, 2)[:, :height, :width]


def train(net, train_set, given):
    """Train with one of the settings above; the mean loss of the last epoch."""
    data, ctx = utils.data_loader(train_set, given["batch"]), utils.try_gpu()
    weights = class_weights(train_set, given["weights"]) if "weights" in given else None
    loss = Loss(given.get("reduce", "mean"), weights, given.get("sample", 1), given.get("keep", 1))
    options = {"learning_rate": given["rate"], "wd": given.get("decay", 0)}
    if given["schedule"] == "poly":
        options["lr_scheduler"] = mx.lr_scheduler.PolyScheduler(given["epochs"] * len(data), given["rate"], pwr=0.9)
    if "momentum" in given:
        options["momentum"] = given["momentum"]
    if "biases" in given:
        for bias in net.collect_params(".*bias").values():
            bias.lr_mult, bias.wd_mult = given["biases"], 0
    trainer = gluon.Trainer(net.collect_params(), given["optimizer"], options)
    history = utils.train(data, None, net, loss, trainer, ctx, given["epochs"])
    if history.interrupted:
        raise KeyboardInterrupt  # no row of half a training
    return history[-1]["loss"]


def answers(net, train_set, given):
    """What the net says, for `common.scores`; with "back", log(weight) is taken off the scores of each class."""
    if "back" not in given:
        return common.by(net)
    weights = class_weights(train_set, given["weights"])
    log = nd.array(np.log(np.where(weights > 0, weights, 1)), ctx=utils.try_gpu()).reshape((1, -1, 1, 1))
    return lambda x, y: nd.broadcast_sub(common.by(net)(x, y), log)


def settings(data, base, kind):
    """What a run is given."""
    return BASES[base] | (CAMVID[base] if data == "camvid" else {}) | CHANGES[base][kind]


def jobs(data, root):
    """What each row begins with, and the folder of its pictures."""
    sets = pictures(data, root, 0)
    same = common.provenance(__file__, data, root) | {"pictures": " ".join(map(data_digest, sets))}
    for base, changes in CHANGES.items():
        for kind in changes:
            if data == "voc_mini" or (base in CAMVID and kind in AGAIN):
                given = "; ".join(f"{key} {value}" for key, value in settings(data, base, kind).items())
                for seed in range(3):
                    row = {"data": data, "base": base, "kind": kind, "seed": str(seed), "settings": given}
                    yield row | same, str(root)


def new_net(base, num_classes):
    """The net of a base, as training begins."""
    if base == "plain":
        return PlainNet(num_classes)
    if base == "fcn-8s":
        return utils.fcn(num_classes, 8, plain=True, ctx=utils.try_gpu())
    return utils.fcn(num_classes, 8, "efficientnet_lite0", pretrained=True, ctx=utils.try_gpu())


def one_run(job, root):
    """Train and score once; one row of the table, with nan where training diverged."""
    train_set, test_set = pictures(job["data"], root, int(job["seed"]))
    utils.seed(int(job["seed"]))
    net = new_net(job["base"], len(train_set.classes))
    net.hybridize()
    given = settings(job["data"], job["base"], job["kind"])
    clock = time.process_time if utils.try_gpu() == mx.cpu() else time.time
    start = clock()
    try:
        loss = train(net, train_set, given)
        seconds = clock() - start
        scores = common.scores(answers(net, train_set, given), test_set)
    except ValueError as error:
        if "diverged" not in str(error):
            raise
        loss, seconds, scores = float("nan"), clock() - start, FAILED
    return job | scores | {"loss": f"{loss:.4g}"} | common.circumstances(seconds)


if __name__ == "__main__":
    common.command(__doc__, __file__, jobs, one_run, key=("data", "base", "kind", "seed"))
