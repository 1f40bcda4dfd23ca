"""What each rank of tests/test_distributed.py runs: a small training; its weights and history go into a file.

python tests/one_rank.py FOLDER OUT EPOCHS CHECKPOINT (or -) OPTIMIZER
    [dropout=0.5] [norm=1] [pause=0.1] [die=2] [stop=1]

pause: seconds after each batch. die: the epoch whose last step is rank 1's last: it is gone before the rows are joined.
stop: rank 1 stands still where the first weights are sent.
"""

import utils
from utils.engine.distributed import find_ranks

import os
import pathlib
import signal
import sys
import time

import mxnet as mx
import numpy as np
from mxnet import init
from tiny import net_of, weights, without_speed


def main(folder, out, epochs, checkpoint="-", optimizer="sgd", *more):
    given = dict.fromkeys(["dropout", "norm", "pause", "die", "stop"], 0.0)
    given |= {name: float(value) for name, value in (word.split("=") for word in more)}
    ranks = find_ranks()
    pathlib.Path(f"{out}{ranks.rank}.pid").write_text(str(os.getpid()))
    with ranks.one_voice(), ranks.checkpoint(None if checkpoint == "-" else checkpoint) as kept:
        utils.seed(0)
        net = net_of(dropout=given["dropout"], norm=bool(given["norm"]))
        net.initialize(init.Xavier(), ctx=mx.cpu())
        data = ranks.loader(utils.VOCSegDataset(True, (32, 32), folder), 2)
        rate = {"learning_rate": 0.05} | ({"momentum": 0.9} if optimizer == "sgd" else {})
        trainer = ranks.trainer(net.collect_params(), optimizer, rate)
        test, callbacks = ranks.callbacks(utils.VOCSegDataset(False, None, folder))

        def die(history):
            if ranks.rank == 1 and len(history) == given["die"]:
                os.kill(os.getpid(), signal.SIGKILL)

        if ranks.rank == 1 and given["stop"]:
            ranks.from_first = lambda name, array: os.kill(os.getpid(), signal.SIGSTOP)
        pause = utils.Callback()
        pause.batch_end = lambda training: time.sleep(given["pause"])
        callbacks = [die, *callbacks, pause]
        loss, options = utils.SoftmaxCrossEntropyLoss(), {"checkpoint": kept, "callbacks": callbacks}
        history = utils.train(data, test, net, loss, trainer, mx.cpu(), int(epochs), **options)
    np.savez(f"{out}{ranks.rank}.npz", weights=weights(net), history=without_speed(history))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
