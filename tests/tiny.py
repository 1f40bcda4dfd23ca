"""Small trainings for the tests: a second or less each, and every source of chance in them."""

import utils

import mxnet as mx
import numpy as np
from mxnet import gluon, init


def net_of(classes=21, dropout=0.2, norm=False):
    """A net that keeps the size, with dropout, so that random numbers count."""
    net = gluon.nn.HybridSequential()
    net.add(gluon.nn.Conv2D(8, 3, padding=1, activation="relu"), gluon.nn.Dropout(dropout))
    if norm:
        net.add(gluon.nn.BatchNorm())
    net.add(gluon.nn.Conv2D(classes, 1))
    return net


def setup(folder, optimizer="sgd", poly=True, workers=0, ctx=None, batch=3, updates=40, net=None, seed=0, **options):
    """Everything that `utils.train` takes but test data and epochs, as a script makes it anew."""
    ctx = mx.cpu() if ctx is None else ctx
    utils.seed(seed)
    net = net_of() if net is None else net
    if net[0].weight._data is None and not net[0].weight._deferred_init:
        net.initialize(init.Xavier(), ctx=ctx)
    dataset = utils.VOCSegDataset(True, (32, 32), folder)
    data = utils.data_loader(dataset, batch, workers)
    given = {"learning_rate": 0.05 if optimizer in ("sgd", "nag") else 0.005}
    given |= {"momentum": 0.9} if optimizer in ("sgd", "nag") else {}
    if poly:
        given["lr_scheduler"] = mx.lr_scheduler.PolyScheduler(updates, given["learning_rate"], pwr=0.9)
    trainer = gluon.Trainer(net.collect_params(), optimizer, given | options)
    return {"train_data": data, "net": net, "loss": utils.SoftmaxCrossEntropyLoss(), "trainer": trainer, "ctx": ctx}


def train(given, epochs, test=None, **options):
    return utils.train(**given, test_data=test, num_epochs=epochs, **options)


def weights(net):
    """All parameters on all their devices, as one array."""
    mx.nd.waitall()
    arrays = [array for parameter in net.collect_params().values() for array in parameter.list_data()]
    return np.concatenate([array.asnumpy().ravel() for array in arrays])


def without_speed(history):
    """What must be the same in two runs, nan included."""
    return repr([{key: value for key, value in row.items() if key != "images_per_s"} for row in history])
