"""One training by several processes, on one machine or on many: ranks (chapter 17).

Each process, a rank, runs the same program on its share of each batch; gradients are summed before each step, so that
all ranks hold the same weights, to the bit. Who sums is Horovod, where horovodrun started the ranks, or MXNet's own
store, `dist_sync`, where DMLC_ROLE says so (launch.py). Without either a process is alone, and trains as usual.
`train` itself knows nothing of it: it is given a loader, a trainer, a callback and a folder from here.
"""

import atexit
import contextlib
import json
import os
import pathlib
import random
import re
import sys
import tempfile
import threading
import time
import zlib

import mxnet as mx
import numpy as np
from mxnet import gluon

from ..core.console import Log
from ..core.device import try_all_gpus
from ..data.dataset import data_loader
from ..data.labelmap import VOID
from ..metrics import SegmentationMetric, scores_of
from .callbacks import Callback
from .checkpoint.checkpoints import newest
from .checkpoint.identity import identity
from .evaluate import confusion
from .train import seed

LIMIT = "DIST_SYNC_TIMEOUT_SECONDS"


class Ranks:
    """A process alone: rank 0 of 1. What ranks have besides are `add`, `waits` and numbers of their own."""

    rank, size, local_rank, data = 0, 1, 0, ()

    def add(self, name, array):
        """An `NDArray` becomes its sum over all ranks, to the bit the same on each; name: its own, and of one shape."""

    def waits(self, what):
        """A context: inside, this rank waits for sums, and may give up."""
        return contextlib.nullcontext()

    def leave(self, code):
        """Called by a rank that ends before the training does: it must not wait for the others at its end."""
        if self.size > 1:
            atexit.register(_exit, code)

    def from_first(self, name, array):
        """An `NDArray` becomes rank 0's."""
        if self.size > 1:
            if self.rank:
                array[:] = 0
            with self.waits(name):
                self.add(name, array)
                array.wait_to_read()

    def total(self, name, values):
        """The sum over all ranks of numbers, float64 NumPy, in the order of ranks."""
        values = np.asarray(values, np.float64)
        parts = self._exchange(name, values.tobytes(), [values.nbytes] * self.size)
        return sum(np.frombuffer(part).reshape(values.shape) for part in parts)

    def gather(self, name, data):
        """The bytes that each rank gives, a list by rank."""
        lengths = self._exchange(f"{name}, lengths", len(data).to_bytes(8, "big"), [8] * self.size)
        return self._exchange(name, data, [int.from_bytes(length, "big") for length in lengths])

    def _exchange(self, name, data, lengths):
        """`gather`, where lengths are known. Three bytes are a float32, exactly, and other ranks add 0: MXNet's server
        refuses whole numbers, and rounds float64 to float32 in silence."""
        ends = np.cumsum([-(-length // 3) for length in lengths])
        own = np.frombuffer(data + bytes(-len(data) % 3), np.uint8).reshape(-1, 3) @ [1, 2**8, 2**16]
        every = np.zeros(max(1, ends[-1]), "float32")
        every[ends[self.rank] - len(own) : ends[self.rank]] = own
        every, name = mx.nd.array(every), f"{name}, {3 * len(every)} bytes"
        with self.waits(name):
            self.add(name, every)
            every = every.asnumpy().astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
        starts = [0, *(3 * end for end in ends)]
        return [every[start : start + length] for start, length in zip(starts, lengths)]  # noqa: B905, one start more

    def agree(self, what, facts):
        """A ValueError where a rank has other facts than rank 0; facts: a dict, compared as texts."""
        own = json.dumps({key: " ".join(str(value).split()) for key, value in facts.items()})
        first, *others = map(json.loads, self.gather(what, own.encode()))
        for rank, other in enumerate(others, 1):
            if differing := [key for key in first | other if first.get(key) != other.get(key)]:
                key = min(differing, key=lambda key: len(first.get(key, "")))  # a net's layers are long to read
                more = f", and {len(differing) - 1} more differ" if len(differing) > 1 else ""
                raise ValueError(
                    f"{what}: {key} is {first.get(key)} on rank 0 and {other.get(key)} on rank {rank}{more}. "
                    "All ranks need the same command, code and data"
                )

    def contexts(self):
        """The devices of this rank: alone every GPU, else one of them, or the CPU."""
        every = try_all_gpus()
        return every if self.size == 1 else [every[self.local_rank % len(every)]]

    def loader(self, dataset, batch_size, num_workers=0):
        """`data_loader` of this rank's share of each batch.

        batch_size: of all ranks together, a multiple of their number. Order and crops are those of one process: a batch
        has the same pictures, whatever the number of ranks.
        """
        if batch_size % self.size:
            raise ValueError(
                f"batches of {batch_size} for {self.size} ranks: take a multiple of {self.size}, so that all have "
                "equally many pictures"
            )
        self.data = data_loader(dataset, batch_size, num_workers)
        if self.size > 1:
            share = _Share(self.data._batch_sampler, self)
            self.data = gluon.data.DataLoader(dataset, batch_sampler=share, num_workers=num_workers)
        return self.data

    def trainer(self, params, optimizer, optimizer_params):
        """A `gluon.Trainer` whose steps are those of the whole batch."""
        given = params, optimizer, optimizer_params
        return gluon.Trainer(*given) if self.size == 1 else _Trainer(self, *given)

    def callbacks(self, test_data):
        """(what `train` evaluates, its first callbacks): ranks evaluate a share each, in a callback."""
        return (test_data, []) if self.size == 1 else (None, [_Joined(self, test_data)])

    @contextlib.contextmanager
    def checkpoint(self, folder):
        """The folder of checkpoints for this rank: rank 0's own; the others a copy of its newest, elsewhere.

        So all ranks go on after the same epoch, and the folder need be on rank 0's machine only.
        """
        if folder is None or self.size == 1:
            yield folder
            return
        name, data = newest(folder) if self.rank == 0 else ("", b"")
        name, _, data = self.gather("checkpoint", name.encode() + b"\n" * bool(name) + data)[0].partition(b"\n")
        with tempfile.TemporaryDirectory() as copy:
            if name:
                pathlib.Path(copy, name.decode()).write_bytes(data)
            yield copy if self.rank else folder

    @contextlib.contextmanager
    def one_voice(self):
        """Inside, rank 0 prints and the others don't; a lost rank is an OSError that says what to do.

        After an error the other ranks wait a second: rank 0 reports it, and the launcher ends them before they repeat
        it. After a lost rank all wait longer, as the launcher knows which rank was lost, and reports that.
        """
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere if self.rank else sys.stdout):
            try:
                yield
            except BaseException as error:
                self.leave(130 if isinstance(error, KeyboardInterrupt) else 2)
                if _is_lost(error):
                    time.sleep(3)
                    raise ConnectionError(self.lost(error)) from None
                time.sleep(1 if self.rank and isinstance(error, Exception) else 0)
                raise

    def lost(self, error):
        """What to say where a sum over all ranks failed."""
        return (
            f"rank {self.rank} of {self.size}: the sum over all ranks failed, so another rank has ended or cannot be "
            "reached; its own message, or that of what started it, says why. With a checkpoint the same command goes "
            f"on after the last whole epoch. ({str(error).strip().splitlines()[-1].split('. ')[0]})"
        )


class _Horovod(Ranks):
    def __init__(self):
        try:
            import horovod.mxnet as hvd
        except ImportError as error:
            raise ValueError(
                f"started by horovodrun, and there is no Horovod here: make setup WITH=horovod ({error})"
            ) from None
        hvd.init()
        self.rank, self.size, self.local_rank, self._add = hvd.rank(), hvd.size(), hvd.local_rank(), hvd.allreduce_

    def add(self, name, array):
        self._add(array, average=False, name=name)


class _DistSync(Ranks):
    """MXNet's own store, which waits for a lost rank, server or scheduler for ever: so each wait has a limit here."""

    def __init__(self):
        self.rank = self.local_rank = int(os.environ["DMLC_TASK_ID"])  # of all machines: `contexts` takes the rest
        self.size, self._limit = int(os.environ["DMLC_NUM_WORKER"]), float(os.environ.get(LIMIT, 300))
        self._known = set()
        with self.waits("all to come"):
            self._store = mx.kv.create("dist_sync")
        atexit.register(self._end)

    def add(self, name, array):
        if name not in self._known:
            with self.waits(name):
                self._store.init(name, array)  # ends when all have come here
            self._known.add(name)
        self._store.pushpull(name, array, out=array)

    def waits(self, what):
        wait = f"waited {self._limit:g} s for {what}; {LIMIT}=600 in the environment waits longer"
        return self._limited(self.lost(wait))

    @contextlib.contextmanager
    def _limited(self, text):
        """Ends this process with a text, where what is inside takes longer than the limit."""
        timer = threading.Timer(self._limit, _exit, [2, text])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _end(self):
        """Ranks that have done all wait here for each other; one that has failed must not."""
        if hasattr(sys, "last_value"):  # a traceback was printed
            _exit(1)
        with self._limited(
            f"rank {self.rank} of {self.size} has done all, and waited {self._limit:g} s for the others to end. "
            "Were they given more batches, or lost?"
        ):
            self._store = None


def _is_lost(error):
    """Whether Horovod could not add; other errors of MXNet are the net's, or a full memory."""
    return isinstance(error, mx.MXNetError) and re.search("horovod|gloo", str(error), re.I) is not None


def _exit(code, text=None):
    """End this process at once, whatever its threads wait for."""
    if text:
        print(text, file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def find_ranks():
    """The ranks among which this process is one, from what its launcher set; `Ranks()` where it is alone."""
    if "HOROVOD_RANK" in os.environ:
        return _Horovod()
    return _DistSync() if os.environ.get("DMLC_ROLE") == "worker" else Ranks()


class _Share(gluon.data.Sampler):
    """A rank's share of each batch of a `BatchSampler`, whose names it has: checkpoints ask for them."""

    def __init__(self, batches, ranks):
        self._batches, self._ranks = batches, ranks
        self._sampler, self._batch_size = batches._sampler, batches._batch_size

    def __iter__(self):
        return (batch[self._ranks.rank :: self._ranks.size] for batch in self._batches)

    def __len__(self):
        return len(self._batches)


class _Trainer(gluon.Trainer):
    """step(n), with the n pictures of this rank, takes the mean of the gradient over the pictures of all."""

    def __init__(self, ranks, params, optimizer, optimizer_params):
        super().__init__(params, optimizer, optimizer_params, kvstore=None)
        self._ranks, self._scale = ranks, self._scale / ranks.size

    def _allreduce_grads(self):
        gradients = {i: p.list_grad()[0] for i, p in enumerate(self._params) if p.grad_req != "null"}
        with self._ranks.waits("the sum of the gradients"):
            for i, gradient in gradients.items():
                self._ranks.add(f"gradient {i}", gradient)
            for gradient in gradients.values():
                gradient.wait_to_read()


class _Joined(Callback):
    """Makes one training of those of all ranks: weights at the start, rows of the history, a check of each epoch."""

    def __init__(self, ranks, test_data):
        self.ranks, self.test_data, self.log = ranks, test_data, Log()

    def train_begin(self, training):
        net, trainer, loss, data = training.net, training.trainer, training.loss, self.ranks.data
        facts = {"MXNet": mx.__version__, "epochs": training.num_epochs, "test pictures": "none"}
        if self.test_data is not None:
            names = getattr(self.test_data, "names", ())
            facts["test pictures"] = f"{len(self.test_data)} ({zlib.crc32(repr(names).encode()):08x})"
        self.ranks.agree("training", facts | identity(net, trainer, loss, data, seed.last))
        self._from_first(training, lambda parameter: True)

    def _from_first(self, training, which):
        for i, parameter in enumerate(training.net.collect_params().values()):
            if which(parameter) and parameter._data is not None:  # others are made at the first batch, from the seed
                self.ranks.from_first(f"weight {i}", parameter.list_data()[0])

    def train_end(self, training):
        if training.history.interrupted:
            self.ranks.leave(130)

    def epoch_begin(self, training):
        self.images = self.labelled = 0
        made = all(parameter._data is not None for parameter in training.net.collect_params().values())
        if self.ranks.rank and made and seed.last is not None:  # other pictures, so other dropout
            number = np.random.RandomState([seed.last, training.epoch, self.ranks.rank]).randint(2**31)
            for library in random, np.random, mx.random:
                library.seed(int(number))

    def batch_end(self, training):
        self.images += sum(len(label) for label in training.labels)
        self.labelled += sum(int((label != VOID).sum().asscalar()) for label in training.labels)

    def epoch_end(self, training):
        try:
            self._join(training)
        except mx.MXNetError as error:  # raised, `train` would keep the epoch with this rank's own row
            if not _is_lost(error):
                raise
            time.sleep(3)
            _exit(2, self.ranks.lost(error))
        self._check(training)

    def _join(self, training):
        self._from_first(training, lambda parameter: parameter.grad_req == "null")  # BatchNorm's statistics
        row, ranks = training.history[-1], self.ranks
        right = np.nan_to_num(np.round(row["train_acc"] * self.labelled))
        own = [row["loss"] * self.images, self.images, right, self.labelled, row["images_per_s"]]
        loss, images, right, labelled, speed = ranks.total("the epoch's row", own)
        row |= {"loss": loss / images, "train_acc": right / labelled, "images_per_s": speed}
        text = f"all {ranks.size} ranks: loss {row['loss']:.3f}, train acc {row['train_acc']:.3f}"
        if self.test_data is not None:
            metric = SegmentationMetric(scores_of(training.scores[0]).shape[1])
            part = self.test_data.shard(ranks.size, ranks.rank)
            counts = confusion(training.net, part, training.contexts).confusion if len(part) else metric.confusion
            metric.confusion = ranks.total("the confusion matrices", counts).astype(np.int64)
            scores = metric.scores()
            row |= {"test_acc": scores["pixel_acc"], "mean_iou": scores["mean_iou"]}
            text += f", test acc {row['test_acc']:.3f}, mean IoU {row['mean_iou']:.3f}"
        self.log.line(f"{text}, {speed:.0f} images/s")

    def _check(self, training):
        """All ranks hold the same weights, to the bit; a ValueError names one that doesn't."""
        mx.nd.waitall()
        digest = 0
        for parameter in training.net.collect_params().values():
            digest = zlib.crc32(parameter.list_data()[0].asnumpy().tobytes(), digest)
        every = self.ranks.total("the check of all weights", np.eye(self.ranks.size)[self.ranks.rank] * digest)
        if (every != every[0]).any():
            other = int(np.flatnonzero(every != every[0])[0])
            raise ValueError(
                f"epoch {training.epoch}: rank {other} has other weights than rank 0. Do all ranks run the same code "
                "and packages, with the same seed, on the same data?"
            )
