"""This course: the calls that its chapters and `utils` make."""

import utils
from utils.engine.tiling import labels as tile_labels
from utils.engine.train import train_batch
from utils.metrics import best_class

import itertools
import os
import subprocess
import sys
import time

import mxnet as mx
from mxnet import autograd, gluon, nd

from . import pictures
from .side import serve

CPU = mx.cpu()


def _net(classes, stride, **net):
    utils.seed(0)
    net = utils.fcn(classes, stride, **net)
    net.hybridize()
    return net


def _training(classes, stride, **net):
    """Net, loss and trainer, as chapters 08 and 09 make them. net: backbone and pretrained, where not ResNet18's."""
    net, loss = _net(classes, stride, **net), utils.SoftmaxCrossEntropyLoss()
    loss.hybridize()
    return net, loss, gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 1e-4})


def _batch(batch, height, width, classes):
    x, y = pictures.batch(batch, height, width, classes)
    return nd.array(x), nd.array(y)


def step(batch, height, width, classes, stride, **net):
    """One step on one batch, as `utils.train` does it."""
    given, (x, y) = _training(classes, stride, **net), _batch(batch, height, width, classes)

    def once():
        train_batch(*given, x, y, [CPU])
        nd.waitall()

    return once, batch


def train(batch, height, width, classes, stride):
    """All of `utils.train`: the step, the loss, the training accuracy, and its looks at what may go wrong."""
    batches = [_batch(batch, height, width, classes)] * 12  # more would tell less of what is done once a training
    given = _training(classes, stride)
    return lambda: utils.train(batches, None, *given, CPU, num_epochs=1) and None, batch * len(batches)


def backbone(batch, height, width, classes, backbone="resnet18_v2", pretrained=False):
    """Forward and backward of a classifier's convolutional part alone."""
    x, _ = _batch(batch, height, width, classes)
    features = utils.backbones[backbone](pretrained=pretrained)
    if not pretrained:
        features.initialize(mx.init.Xavier())
    features.hybridize()

    def once():
        with autograd.record():
            last = features(x)
        last.backward()
        nd.waitall()

    return once, batch


def predict(batch, height, width, classes, stride, **net):
    """Normalised image → labels: one picture as `utils.predict` does it, several as `evaluate` does."""
    net, (x, _) = _net(classes, stride, **net), pictures.batch(batch, height, width, classes)

    def once():
        if batch == 1:
            tile_labels(net, x[0], CPU)
        else:
            best_class(net(nd.array(x)))

    return once, batch


def learn(goal, rate, epochs, **net):
    """Seconds of training of FCN-8s on voc_mini, crops and loading included, until val has this mean IoU.

    The rate falls to 0 at the last epoch. Val is looked at every quarter of an epoch, which is not counted; each call
    has another seed. A training that never comes there is an error.
    """
    test_set, seeds = utils.VOCSegDataset(False, None), itertools.count()

    def once():
        seed = next(seeds)  # of the crops too: a pretrained net with scores from zero has no other chance in it
        utils.seed(seed)
        train_set = utils.VOCSegDataset(True, (160, 224), seed=seed)
        net_, loss = utils.fcn(21, 8, **net), utils.SoftmaxCrossEntropyLoss()
        net_.hybridize()
        batches, seconds, best = utils.data_loader(train_set, 8), 0.0, 0.0
        schedule = mx.lr_scheduler.PolyScheduler(epochs * len(batches), rate, pwr=0.9)
        trainer = gluon.Trainer(net_.collect_params(), "adam", {"learning_rate": rate, "lr_scheduler": schedule})
        start = time.perf_counter()
        for number, (x, y) in enumerate(itertools.chain.from_iterable(itertools.repeat(batches, epochs)), 1):
            train_batch(net_, loss, trainer, x, y, [CPU])
            nd.waitall()
            if number % (len(batches) // 4) == 0:
                seconds += time.perf_counter() - start
                best = max(best, utils.evaluate(net_, test_set)["mean_iou"])
                if best >= goal:
                    return seconds
                start = time.perf_counter()
        raise RuntimeError(f"{epochs} epochs reached {best:.3f}, not {goal}")

    return once, 1


def label(pairs):
    """Label files → class indices."""
    root = pictures.make(pairs)
    paths = [utils.label_path(root, name) for name in utils.read_names(root, train=True)]

    def once():
        for path in paths:
            utils.read_label(path)

    return once, pairs


def pair(pairs, height, width, cache=False):
    """Files, or what is kept of them, → image and label, cropped and normalised, one after the other."""
    dataset = utils.VOCSegDataset(True, (height, width), pictures.make(pairs), cache=cache)

    def once():
        for i in range(pairs):
            dataset[0, i]
        nd.waitall()

    return once, pairs


def _endless(pairs, batch, height, width, workers):
    """Batches of one epoch after the other."""
    dataset = utils.VOCSegDataset(True, (height, width), pictures.make(pairs))
    loader = utils.data_loader(dataset, batch, workers)
    return itertools.chain.from_iterable(itertools.repeat(loader))


def load(pairs, batch, height, width, workers, count=16):
    """Batches from the loader with nothing else to do; what it had made ready before doesn't count."""
    batches = _endless(pairs, batch, height, width, workers)

    def once():
        for _ in range(2 * workers):
            next(batches)
        start = time.perf_counter()
        for _ in range(count):
            next(batches)
        return time.perf_counter() - start

    return once, batch * count


def fed_step(pairs, batch, height, width, workers, classes, stride, count=4):
    """Steps on batches that the loader makes meanwhile."""
    given, batches = _training(classes, stride), _endless(pairs, batch, height, width, workers)

    def once():
        for _ in range(count):
            train_batch(*given, *next(batches), [CPU])
            nd.waitall()

    return once, batch * count


def epoch(pairs, batch, height, width, cache=False):
    """All batches once: for its memory."""
    loader = utils.data_loader(utils.VOCSegDataset(True, (height, width), pictures.make(pairs), cache=cache), batch)

    def once():
        for x, _ in loader:
            x.wait_to_read()

    return once, pairs


def evaluate(batch, height, width, classes, stride):
    """`utils.evaluate` over pictures in memory, one at a time."""
    net, data = _net(classes, stride), gluon.data.ArrayDataset(*_batch(batch, height, width, classes))
    return lambda: utils.evaluate(net, data, CPU) and None, batch


def forward(batch, height, width, classes, stride):
    """The forward passes that this needs, and nothing else."""
    net, (x, _) = _net(classes, stride), _batch(batch, height, width, classes)

    def once():
        for image in x:
            net(image.expand_dims(0))
        nd.waitall()

    return once, batch


def importing(module):
    """Seconds of an import in a fresh Python."""
    code = f"import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    command = [sys.executable, "-W", "ignore", "-c", code]
    return lambda: float(subprocess.run(command, env=environment, check=True, capture_output=True).stdout), 1


if __name__ == "__main__":
    serve(step, train, backbone, predict, learn, label, pair, load, fed_step, epoch, evaluate, forward, importing)
