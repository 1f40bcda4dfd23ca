"""CamVid in earnest: the best net that ten minutes of two cores trained; three seeds: makes table.csv.

    python -m results.camvid.run CAMVID             the chosen settings, scored on val
    python -m results.camvid.run CAMVID --trials    trials.csv, by which they were chosen

CAMVID as in results/skips. An FCN on EfficientNet-Lite0, from ImageNet's weights; Adam, at a rate that falls to 0.
Trials leave the last 67 training frames out of training and are scored on them; each has the same minutes of processor
time, whatever a step of it takes. They stay as they were made, whatever the code becomes. The chosen settings train on
all 367 frames for a number of epochs, and meet val once. Nets go to build/camvid, a non-commercial data set's.

About half an hour on two cores, and ten minutes for the trials. A net sees frames enlarged: `predict --scales 1.5`.
"""

import utils
from utils.data.camvid import CLASSES
from utils.data.transforms import resize
from utils.engine import tiling
from utils.engine.digest import code_digest, data_digest
from utils.engine.train import train_batch
from utils.losses import WeightedCrossEntropyLoss

import argparse
import itertools
import pathlib
import time

import mxnet as mx
import numpy as np
from mxnet import gluon
from PIL import Image

from results import common
from results.optimisation.run import class_weights

HELD_OUT, MINUTES = 67, 3
BASE = {"scale": 1.0, "crop": (256, 352), "stride": 4, "frozen": 4, "batch": 8, "rate": 1.5e-3}
TRIALS = {
    "base": {},
    "enlarged 1.5": {"zoom": 1.5},
    "weights": {"weights": 0.5},
    "jitter": {"jitter": (0.75, 1.5), "colour": 0.3},
}
"""Name → what differs from the base. frozen: the stride up to which layers stay as they are; weights: the power of the
median-frequency weights; zoom: frames are enlarged, for training and scoring; jitter: further factors, at random."""

BETTER = BASE | {"weights": 0.5, "zoom": 1.5, "jitter": (0.75, 1.25), "colour": 0.3}
CHOSEN = {"full": BETTER | {"epochs": 32}, "half": BETTER | {"scale": 0.5, "crop": (160, 224), "epochs": 20}}
"""Size → settings: all that was better in the trials, though only the weights by more than seeds may differ."""


def pictures(root, given, seed, held_out=False):
    """What is trained on, and what is scored: the lists train and val, or two parts of train."""
    names = scored = None
    if held_out:
        names = utils.read_names(root)
        names, scored = names[:-HELD_OUT], names[-HELD_OUT:]
    zoom, (low, high) = given.get("zoom", 1), given.get("jitter", (1, 1))
    steps = [] if zoom == low == high == 1 else [utils.RandomScale(zoom * low, zoom * high)]
    steps += [utils.RandomCrop(given["crop"]), utils.RandomFlip()]
    if colour := given.get("colour"):
        steps.append(utils.ColorJitter(*[colour] * 3))
    options = {"root": root, "scale": given["scale"]}
    train_set = utils.VOCSegDataset(True, names=names, transform=utils.Compose(steps), seed=seed, cache=True, **options)
    return train_set, utils.VOCSegDataset(False, names=scored, **options)


def make_net(num_classes, given):
    """An FCN from ImageNet's weights; as the settings have it."""
    features = {key: given[key] for key in ("padding", "train_depthwise") if key in given}
    ctx = utils.try_gpu()
    net = utils.fcn(num_classes, given["stride"], "efficientnet_lite0", pretrained=True, ctx=ctx, features=features)
    if given.get("frozen"):
        for layer in list(net.features)[: net.features.ends[given["frozen"]] + 1]:
            layer.collect_params().setattr("grad_req", "null")
    net.hybridize()
    return net


def train(net, train_set, given):
    """Train for a number of epochs, or of minutes of processor time; (steps, seconds of processor time)."""
    data, ctx, loss = utils.data_loader(train_set, given["batch"]), utils.try_gpu(), utils.SoftmaxCrossEntropyLoss()
    if power := given.get("weights"):
        loss = WeightedCrossEntropyLoss(class_weights(train_set, "median") ** power)
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": given["rate"]})
    clock, share = time.process_time if ctx == mx.cpu() else time.time, 0
    start = clock()
    for step, (x, y) in enumerate(itertools.chain.from_iterable(itertools.repeat(data)), 1):
        trainer.set_learning_rate(given["rate"] * (1 - share) ** 0.9)
        *_, (losses,) = train_batch(net, loss, trainer, x, y, [ctx])
        if not np.isfinite(losses.mean().asscalar()):  # waits for the step, too: the clock is right
            raise FloatingPointError(f"step {step} of {given}: the loss is not finite; take a smaller rate")
        done = (clock() - start) / 60 / given["minutes"] if "minutes" in given else step / len(data) / given["epochs"]
        share = min(done, 1)
        if share == 1:
            return step, clock() - start


def one_run(job, root):
    """Train and score once; one row of a table."""
    given, seed, trial = settings(job), int(job["seed"]), "trial" in job
    train_set, test_set = pictures(root, given, seed, trial)
    utils.seed(seed)
    net = make_net(len(train_set.classes), given)
    steps, seconds = train(net, train_set, given)
    if not trial:
        path = pathlib.Path(f"build/camvid/{job['size']}-{seed}.params")
        path.parent.mkdir(parents=True, exist_ok=True)
        utils.save_model(path, net, train_set.classes, given["scale"], force=True)
    views = [Views(net, given.get("zoom", 1), flip) for flip in (False, True)]
    plain, both = (common.scores(view, test_set) for view in views)
    row = {"steps": str(steps), **plain} | {f"flip_{key}": both[key] for key in ("mean_iou", "trimap_iou", "iou")}
    if not trial:
        best = common.scores(lambda x, y: most(y.asnumpy(), given)[None], test_set)
        row |= {f"ceiling_{key}": best[key] for key in ("mean_iou", "trimap_iou", "iou")}
    return job | row | {"worst": views[0].worst(test_set)} | common.circumstances(seconds)


def most(label, given):
    """(H, W) labels: the truth as the net would see and enlarge it, the most that its stride lets it score."""
    zoom, num_classes = given.get("zoom", 1), len(CLASSES)
    found = utils.ceiling(resize(label.astype(np.uint8), zoom), given["stride"], num_classes)
    return np.asarray(Image.fromarray(found).resize(label.shape[::-1], Image.Resampling.NEAREST))


class Views:
    """What a net says, for `common.scores`; flip: of a frame and its mirror image together. Keeps frames' scores."""

    def __init__(self, net, zoom=1, flip=False):
        self.net, self.zoom, self.flip, self.found = net, zoom, flip, []

    def __call__(self, x, y):
        label, num_classes = tiling.labels(self.net, x.asnumpy(), utils.try_gpu(), self.flip, (self.zoom,))
        labels, metric = mx.nd.array(label[None]), utils.SegmentationMetric(num_classes)
        metric.update(y.expand_dims(0), labels)
        self.found.append(metric.scores()["mean_iou"])
        return labels

    def worst(self, test_set, count=5):
        """The frames of the lowest mean IoU, the worst first."""
        order = np.argsort(self.found)[:count]
        return "; ".join(f"{test_set.names[i]} {self.found[i]:.3f}" for i in order)


def settings(job):
    """What a run is given."""
    if "trial" in job:
        return BASE | TRIALS[job["trial"]] | {"minutes": MINUTES}
    return CHOSEN[job["size"]]


def text(given):
    return "; ".join(f"{key} {'x'.join(map(str, v)) if isinstance(v, tuple) else v}" for key, v in given.items())


def jobs(root, trials=False):
    """What each row begins with, and the folder of its pictures."""
    for name in TRIALS if trials else CHOSEN:
        row = {"data": "camvid"} | ({"trial": name} if trials else {"size": name})
        given = settings(row)
        row["settings"] = text(given)
        row["pictures"] = " ".join(map(data_digest, pictures(root, given, 0, trials)))
        if not trials:
            row["code"] = code_digest((__file__, "one_run"))
        for seed in range(1 if trials else 3):
            yield row | {"seed": str(seed)}, str(root)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("camvid", help="CamVid in VOC layout")
    parser.add_argument("--trials", action="store_true", help="the trials by which settings were chosen")
    args = parser.parse_args()
    root = utils.data_root(args.camvid)
    name, key = ("trials.csv", "trial") if args.trials else ("table.csv", "size")
    common.make(pathlib.Path(__file__).with_name(name), list(jobs(root, args.trials)), one_run, (key, "seed"))


if __name__ == "__main__":
    main()
