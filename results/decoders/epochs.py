"""How many epochs of each net fit into the budget of results/decoders: prints a table for `EPOCHS` in run.py.

OMP_NUM_THREADS=1 python -m results.decoders.epochs [STEPS]        on a quiet machine; 20 steps each by default

One step is one batch of noise at the size of a training crop, by the processor time it takes, loss and Adam included.
"""

import utils

import sys
import time

import mxnet as mx
from mxnet import autograd, gluon, nd

from results import common
from results.decoders.run import BUDGET, CROP, KINDS, made

BATCHES = {"voc_mini": 20, "camvid": 46}  # of an epoch: 160 and 367 pictures


def seconds_of_a_step(net, steps, classes=12):
    ctx = utils.try_gpu()
    x = nd.random.normal(shape=(common.BATCH, 3, *CROP), ctx=ctx)
    y = nd.floor(nd.random.uniform(0, classes, (common.BATCH, *CROP), ctx=ctx))
    loss = utils.SoftmaxCrossEntropyLoss()
    net.hybridize()
    loss.hybridize()
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 1e-4})
    for step in range(steps + 1):
        if step == 1:  # the first one prepares
            mx.nd.waitall()
            start = time.process_time()
        with autograd.record():
            value = loss(net(x), y)
        value.backward()
        trainer.step(common.BATCH)
        mx.nd.waitall()
    return (time.process_time() - start) / steps


if __name__ == "__main__":
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    for start, name in KINDS:
        seconds = seconds_of_a_step(made(name, start, 12), steps)
        fit = {data: f"{BUDGET / seconds / batches:.1f}" for data, batches in BATCHES.items()}
        print(f"{start:9} {name:10} {seconds:.3f} s a step; epochs that fit:", fit, flush=True)
