"""Training any Gluon net (chapter 08)."""

import random
import time

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon

from ..core import memory
from ..core.console import Log
from ..data.batches import Batches
from ..metrics import SegmentationMetric, scores_of
from .callbacks import Training, teller
from .checkpoint.checkpoints import Checkpoints
from .evaluate import evaluate
from .preflight import Checked, Watch, check_start


def seed(number):
    """Set the seeds of Python, NumPy and MXNet: weights and crops drawn after it are the same on each run."""
    for library in random, np.random, mx.random:
        library.seed(number)
    seed.last = number  # a checkpoint names it


seed.last = None


class History(list):
    """What `train` returns: a list of rows. interrupted: whether Ctrl-C ended the training before its last epoch."""

    interrupted = False


def train(
    train_data, test_data, net, loss, trainer, ctx, num_epochs=10, *, on_epoch=None, checkpoint=None, callbacks=()
):
    """Train a Gluon net, a segmenter or a classifier, and return its history.

    train_data: batches (images, labels), a `DataLoader`. test_data: what `evaluate` takes, or None.
    loss(scores, labels) gives one value an image. Where the net gives a tuple of scores, the loss is given the tuple,
    and the first of it is scored. Where batches have more than images and labels, the loss is given the rest too.
    callbacks: a list of `Callback`s, or of functions of the history, called after each epoch, such as `LiveCurve`;
    on_epoch: one such function, the last to be called.

    History: a list of dicts with epoch (from 1), loss (mean over images), train_acc and test_acc (pixel accuracy, 0 to
    1, training's measured on the batches as they are trained), mean_iou (of test_data; nan for classifiers) and
    images_per_s. One line is printed an epoch. Ctrl-C, or a notebook's interrupt button, ends the training: the history
    so far comes back, with `interrupted` True, and the net keeps the weights of that moment.

    ctx: a context, or a list of them, over which each batch is split as evenly as it goes; the net must be on all of
    them. Without BatchNorm several devices train as one does, to rounding. BatchNorm takes the mean and variance of
    each device's own part of a batch, as if batches were smaller, and keeps running ones apart; `evaluate` takes the
    first device's. FCN-8s with batches of 8 on two devices: the first loss 0.8 % off, the next eleven 0 to 17 %.

    checkpoint: a folder, one for each training. After each epoch all that is needed to go on is put there; the same
    call, in this process or another, goes on after the last whole epoch. A training that was killed at any moment and
    resumed ends with the same bits as one that was not, on the same machine (tried on CPUs) with as many threads. For
    that each epoch but the first is seeded anew, by the last `utils.seed` and its own number. So random numbers such
    as dropout's are other ones than without `checkpoint` (the crops of a new `data_loader` are the same). A checkpoint
    is taken if its net, optimiser, loss, data and seed are those of this call; the weights to start with don't count.
    An epoch that a kill cuts short may call `on_epoch` twice.

    Errors, each with what to try: ValueError for what is wrong with net, loss, labels or folder, and for a net that
    diverged; MemoryError where a batch is too large; RuntimeError where a loader's worker died; OSError where data is
    gone or a checkpoint can't be written. A damaged checkpoint is left out with a message, one of another training
    refused.
    """
    contexts = ctx if isinstance(ctx, list) else [ctx]
    check_start(train_data, net, trainer, contexts)
    log, batches, history = Log(), Batches(train_data), History()
    watch, checked = Watch(trainer, contexts, batches.classes, log.line), Checked(loss)
    tell = teller([*callbacks, *([] if on_epoch is None else [on_epoch])])
    training = Training(net, loss, trainer, contexts, num_epochs, history)
    kept = Checkpoints(checkpoint, net, trainer, loss, train_data, contexts, seed.last)
    with kept.opened(num_epochs, log.line):
        history += kept.history
        show = _status(log, len(batches), len(history), num_epochs)
        try:
            tell("train_begin", training)
            for training.epoch in range(len(history) + 1, num_epochs + 1):
                kept.begin(training.epoch)
                tell("epoch_begin", training)
                history.append(_epoch(training, batches, test_data, checked, watch, show, tell))
                log.line(_line(history[-1], num_epochs))
                try:
                    tell("epoch_end", training)
                finally:  # the epoch is whole, whatever a callback met with
                    kept.save(history)
                if training.stop:
                    log.line(f"stopped by a callback after {len(history)} of {num_epochs} epochs")
                    break
        except KeyboardInterrupt:
            history.interrupted = len(history) < num_epochs
            log.line(f"interrupted after {len(history)} of {num_epochs} epochs{kept.hint()}")
        tell("train_end", training)
    memory.give_back()
    return history


def _epoch(training, batches, test_data, checked, watch, show, tell):
    """One pass over the batches, and the test: a row of the history."""
    net, trainer, contexts, epoch = training.net, training.trainer, training.contexts, training.epoch
    total, images, metric, start = 0.0, 0, None, time.time()
    for training.batch, (x, y, *more) in enumerate(batches, 1):
        where = f"epoch {epoch}, batch {training.batch}"
        with watch.at(where, x):
            loss = training.loss if checked.passed else checked  # the first batches are looked at before their step
            scores, labels, losses = train_batch(net, loss, trainer, x, y, contexts, *more)
            training.scores, training.labels, training.losses = scores, labels, losses
            scores = [scores_of(part) for part in scores]
            metric = metric or SegmentationMetric(scores[0].shape[1])
            metric.update(labels, scores)
            batch_loss = sum(float(part.sum().asscalar()) for part in losses)
            watch.seen(where, batch_loss, metric)
        total += batch_loss
        images += x.shape[0]
        show(epoch, training.batch)
        tell("batch_end", training)
    seconds, test = time.time() - start, {}
    watch.passed(f"epoch {epoch}", metric)
    if test_data is not None:
        with watch.at(f"epoch {epoch}, test"):
            test = evaluate(net, test_data, contexts)
    return {
        "epoch": epoch,
        "loss": total / images,
        "train_acc": metric.get()[1][0],
        "test_acc": test.get("pixel_acc", float("nan")),
        "mean_iou": test.get("mean_iou", float("nan")) if scores[0].ndim == 4 else float("nan"),
        "images_per_s": images / seconds,
    }


def train_batch(net, loss, trainer, x, y, contexts, *more):
    """One step of gradient descent on one batch; lists of scores, labels and losses, one entry a context.

    Chapter 08's loop, with each batch split over the contexts. more: further arrays of the batch, for the loss.
    """
    busy, idle = contexts[: len(x)], contexts[len(x) :]  # a last batch may have fewer images than there are devices
    inputs, labels, *rest = (gluon.utils.split_and_load(part, busy, even_split=False) for part in (x, y, *more))
    with autograd.record():
        scores = [net(part) for part in inputs]
        losses = [loss(*parts) for parts in zip(scores, labels, *rest, strict=True)]
    autograd.backward(losses)
    no_gradient(trainer, idle)
    trainer.step(x.shape[0])
    return scores, labels, losses


def _status(log, batches, before, num_epochs):
    """A function that shows how far the training is, and how long it will take; before: epochs done in another run."""
    start = time.time()

    def show(epoch, batch):
        done = (epoch - before - 1 + batch / batches) / (num_epochs - before)
        left = (time.time() - start) * (1 - done) / done
        log.status(f"epoch {epoch} of {num_epochs}, batch {batch} of {batches}, about {left:.0f} s left")

    return show


def _line(row, num_epochs):
    text = f"epoch {row['epoch']:{len(str(num_epochs))}} of {num_epochs}: loss {row['loss']:.3f}, "
    text += f"train acc {row['train_acc']:.3f}"
    if row["test_acc"] == row["test_acc"]:
        text += f", test acc {row['test_acc']:.3f}"
    if row["mean_iou"] == row["mean_iou"]:
        text += f", mean IoU {row['mean_iou']:.3f}"
    return f"{text}, {row['images_per_s']:.0f} images/s"


def no_gradient(trainer, contexts):
    """Contexts without an image add 0 to a step, not what the batch before left there."""
    for parameter in trainer._params:
        if parameter.grad_req != "null":
            for ctx in contexts:
                parameter.grad(ctx)[:] = 0
                parameter.data(ctx)._fresh_grad = True  # the trainer would call it stale
