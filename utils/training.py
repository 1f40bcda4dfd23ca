"""Training any Gluon net (chapter 08)."""

import random
import time

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon

from .evaluating import evaluate
from .metrics import SegmentationMetric
from .progress import Log


def seed(number):
    """Set the seeds of Python, NumPy and MXNet: weights and crops drawn after it are the same on each run."""
    for library in random, np.random, mx.random:
        library.seed(number)


def train(train_data, test_data, net, loss, trainer, ctx, num_epochs=10, *, on_epoch=None):
    """Train a Gluon net, a segmenter or a classifier, and return its history.

    train_data: batches (images, labels), a `DataLoader`. test_data: what `evaluate` takes, or None.
    loss(scores, labels) gives one value an image. ctx: a context or a list of them, over which each batch is split.
    on_epoch: function of the history, called after each epoch (`LiveCurve`).

    History: a list of dicts with epoch (from 1), loss (mean over images), train_acc and test_acc (pixel accuracy, 0 to
    1, training's measured on the batches as they are trained), mean_iou (of test_data; nan for classifiers) and
    images_per_s. One line is printed an epoch.
    """
    contexts = ctx if isinstance(ctx, list) else [ctx]
    history, log, start = [], Log(), time.time()
    for epoch in range(1, num_epochs + 1):
        total, images, metric, epoch_start = 0.0, 0, None, time.time()
        for i, (x, y) in enumerate(train_data, 1):
            scores, labels, losses = train_batch(net, loss, trainer, x, y, contexts)
            metric = metric or SegmentationMetric(scores[0].shape[1])
            metric.update(labels, scores)
            total += sum(float(part.sum().asscalar()) for part in losses)
            images += x.shape[0]
            done = (epoch - 1 + i / len(train_data)) / num_epochs
            left = (time.time() - start) * (1 - done) / done
            log.status(f"epoch {epoch} of {num_epochs}, batch {i} of {len(train_data)}, about {left:.0f} s left")
        if not images:
            raise ValueError(f"{train_data!r} gave no batch: is the batch size larger than the data?")
        seconds = time.time() - epoch_start
        test = {} if test_data is None else evaluate(net, test_data, contexts)
        history.append(
            {
                "epoch": epoch,
                "loss": total / images,
                "train_acc": metric.get()[1][0],
                "test_acc": test.get("pixel_acc", float("nan")),
                "mean_iou": test.get("mean_iou", float("nan")) if scores[0].ndim == 4 else float("nan"),
                "images_per_s": images / seconds,
            }
        )
        log.line(_line(history[-1], num_epochs))
        if on_epoch is not None:
            on_epoch(history)
    return history


def train_batch(net, loss, trainer, x, y, contexts):
    """One step of gradient descent on one batch; lists of scores, labels and losses, one entry a context."""
    inputs = gluon.utils.split_and_load(x, contexts, even_split=False)
    labels = gluon.utils.split_and_load(y, contexts, even_split=False)
    with autograd.record():
        scores = [net(part) for part in inputs]
        losses = [loss(score, label) for score, label in zip(scores, labels, strict=True)]
    autograd.backward(losses)
    trainer.step(x.shape[0])
    return scores, labels, losses


def _line(row, num_epochs):
    text = f"epoch {row['epoch']:{len(str(num_epochs))}} of {num_epochs}: loss {row['loss']:.3f}, "
    text += f"train acc {row['train_acc']:.3f}"
    if row["test_acc"] == row["test_acc"]:
        text += f", test acc {row['test_acc']:.3f}"
    if row["mean_iou"] == row["mean_iou"]:
        text += f", mean IoU {row['mean_iou']:.3f}"
    return f"{text}, {row['images_per_s']:.0f} images/s"
