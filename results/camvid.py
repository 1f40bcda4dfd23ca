"""What drawings are worth for photographs, and what the BatchNorm trap costs (chapter 08): makes camvid.csv.

    python results/camvid.py FOLDER [--epochs 4] [--seeds 3]

FOLDER is CamVid in VOC layout. The same FCN-32s is trained on it at half size from three starts: "nothing",
"voc_mini" (the backbone first trained on the course's drawings as in chapter 08) and "nothing, without cure" (the
backbone as the model zoo has it, whose first BatchNorm never learns its statistics on a CPU). About 25 minutes on two
cores. A run that is in the table already, with the same settings, is not repeated.
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
from mxnet import gluon
from mxnet.gluon import nn

TABLE = pathlib.Path(__file__).resolve().parent / "camvid.csv"
CROP, SCALE, BATCH, RATE = (160, 224), 0.5, 8, 1e-3
STARTS = ("nothing", "voc_mini", "nothing, without cure")


def seed_all(seed):
    for library in random, np.random, mx.random:
        library.seed(seed)


def trained(net, train_set, epochs, ctx):
    """Train with the settings of chapter 08; seconds."""
    net.hybridize()
    data, loss = utils.data_loader(train_set, BATCH), utils.SoftmaxCrossEntropyLoss()
    schedule = mx.lr_scheduler.PolyScheduler(epochs * len(data), RATE, pwr=0.9)
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": RATE, "lr_scheduler": schedule})
    start = time.time()
    utils.train(data, None, net, loss, trainer, ctx, epochs)
    return time.time() - start


def net_from(start, classes, seed, ctx):
    """An untrained net for `classes` classes, but for what its start brings along."""
    net = utils.fcn(classes, ctx=ctx)
    if start == "voc_mini":
        drawings = utils.VOCSegDataset(True, CROP, utils.data_root("voc_mini"), seed=seed)
        teacher = utils.fcn(len(drawings.classes), ctx=ctx)
        trained(teacher, drawings, 8, ctx)
        net = utils.FCN32s(teacher.features, classes)
        net.score_fr.initialize(mx.init.Zero(), ctx=ctx)
        net.upscore.initialize(ctx=ctx)
    elif start == "nothing, without cure":
        features = nn.HybridSequential()
        features.add(*gluon.model_zoo.vision.resnet18_v2().features[:-2])
        features.initialize(mx.init.Xavier(), ctx=ctx)
        net = utils.FCN32s(features, classes)
        net.score_fr.initialize(mx.init.Zero(), ctx=ctx)
        net.upscore.initialize(ctx=ctx)
    return net


def one_run(folder, start, seed, epochs):
    """One row of the table."""
    ctx = utils.try_gpu()
    seed_all(seed)
    train_set = utils.VOCSegDataset(True, CROP, folder, SCALE, seed=seed)
    test_set = utils.VOCSegDataset(False, None, folder, SCALE)
    net = net_from(start, len(train_set.classes), seed, ctx)
    seconds = trained(net, train_set, epochs, ctx)
    metric = utils.confusion(net, test_set, ctx)
    counts = metric.confusion.sum(1)
    scores = {key: f"{value:.4f}" for key, value in metric.scores().items()}
    iou = {f"iou_{name}": f"{value:.4f}" for name, value in zip(train_set.classes.names, metric.iou, strict=True)}
    return {
        "start": start,
        "seed": seed,
        "epochs": epochs,
        "settings": f"half size, crop {CROP[0]}x{CROP[1]}, batch {BATCH}, adam {RATE}, poly 0.9",
        **scores,
        "baseline_acc": f"{counts.max() / counts.sum():.4f}",
        "baseline_iou": f"{counts.max() / counts.sum() / len(counts):.4f}",
        **iou,
        "seconds": f"{seconds:.0f}",
        "machine": f"{platform.machine()}, {utils.physical_cores()} cores",
        "versions": f"mxnet {mx.__version__}, numpy {np.__version__}, python {platform.python_version()}",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="CamVid in VOC layout")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    rows = list(csv.DictReader(TABLE.open())) if TABLE.is_file() else []
    for seed in range(args.seeds):
        for start in STARTS:
            if any((row["start"], row["seed"], row["epochs"]) == (start, str(seed), str(args.epochs)) for row in rows):
                print(f"{start}, seed {seed}: in the table already")
                continue
            print(f"{start}, seed {seed}", flush=True)
            rows.append(one_run(args.folder, start, seed, args.epochs))
            rows.sort(key=lambda row: (STARTS.index(row["start"]), int(row["seed"])))
            with TABLE.open("w", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)


if __name__ == "__main__":
    main()
