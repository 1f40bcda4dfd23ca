"""Checkpoints: what a training needs to go on where it was killed (`utils.train(..., checkpoint=FOLDER)`).

One file an epoch, `epoch-0007.npz`: NumPy's archive of the net's parameters and the optimiser's arrays, by the names of
`net.save_parameters`, and of `training.json`: history, seed, the optimiser's and scheduler's numbers, and what was
trained. No pickle: reading one runs no code. Still, go on from your own checkpoints only: nobody has checked what a
stranger's net has learned. The archive's comment, its last 64 bytes, is the SHA-256 of all before it.
One file, because one file is what an atomic write puts into place whole. Written through Python, because MXNet's own
save does not notice a full disk while its last block is written. The last two are kept.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import random
import re
import weakref
import zipfile

import mxnet as mx
import numpy as np

from ...core.files import atomic_write, check_writable, opened, try_lock
from ...data.dataset import EpochSampler
from .identity import circumstances, identity, other_training, shapes
from .interrupts import interrupts_wait
from .state import arrays_of, check_numbers, numbers_of, put_arrays, put_numbers, settings_of

VERSION, DIGITS, KEPT = 2, 64, 2
ANEW = "make net and trainer anew"
KINDS = {"history": list, "seed": int, "numbers": dict, "identity": dict, "circumstances": dict}
_spoilt = weakref.WeakSet()  # nets trained for a while that no checkpoint holds
_left = weakref.WeakKeyDictionary()  # nets, and their trainers' settings at the last save that was tried


class Checkpoints:
    """The checkpoints of one training. Without a folder nothing is found, seeded or written."""

    def __init__(self, folder, net, trainer, loss, data, contexts, seed):
        self.folder = None if folder is None else pathlib.Path(folder).expanduser()
        self.net, self.trainer, self.data, self.contexts, self.history = net, trainer, data, contexts, []
        if self.folder is not None:
            self.identity = identity(net, trainer, loss, data, seed)
            self.seed = random.SystemRandom().randrange(2**31) if seed is None else seed
            _json(numbers_of(net, trainer))  # what cannot be kept is said now, not after an epoch

    @contextlib.contextmanager
    def opened(self, num_epochs, say):
        """Hold the folder, and put the newest checkpoint that is whole into net, trainer and history."""
        if self.folder is None:
            yield self
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            held = os.open(self.folder, os.O_RDONLY)
            check_writable(self.folder)
        except PermissionError as error:
            raise PermissionError(f"checkpoint={str(self.folder)!r}: {error}") from None
        except OSError as error:
            raise OSError(
                error.errno, f"checkpoint={str(self.folder)!r}: {error.strerror}; name another folder"
            ) from None
        steps = self.trainer.optimizer.num_update
        try:
            if not try_lock(held, say):  # two trainings in one folder would overwrite each other
                raise ValueError(
                    f"{self.folder}: another process is training with these checkpoints; name another folder"
                )
            for left in self.folder.glob("epoch-[0-9]*.npz.*"):  # by a kill during a save
                left.unlink()
            self._restore(num_epochs, say)
            yield self
        finally:
            if not self.history and self.trainer.optimizer.num_update > steps:
                _spoilt.add(self.net)
            with contextlib.suppress(OSError):  # a disk that cannot lock
                fcntl.flock(held, fcntl.LOCK_UN)  # closing is not enough while a loader's worker has it open too
            os.close(held)

    def begin(self, epoch):
        """Seeds, order and crops of one epoch, from the training's seed and the epoch alone.

        The first epoch begins with the caller's seeds, as without a checkpoint: weights made at the first batch are
        the same, and nothing goes on in the middle of it.
        """
        if self.folder is None:
            return
        if epoch > 1:
            number = np.random.RandomState([self.seed, epoch]).randint(2**31)
            for library in random, np.random, mx.random:
                library.seed(int(number))
        sampler = getattr(getattr(self.data, "_batch_sampler", None), "_sampler", None)
        if isinstance(sampler, EpochSampler):
            sampler.epoch = epoch - 2  # it counts from 0, and is started once more

    def save(self, history):
        """Write the checkpoint of the last epoch of `history` and move it into place; Ctrl-C waits for it."""
        if self.folder is None:
            return
        numbers = numbers_of(self.net, self.trainer)
        _left[self.net] = numbers["settings"]
        record = {"version": VERSION, "history": list(history), "seed": self.seed, "numbers": numbers}
        record |= {"identity": self.identity | shapes(self.net), "circumstances": circumstances(self.contexts)}
        path = self.folder / f"epoch-{len(history):04d}.npz"
        with interrupts_wait():
            try:
                _write(path, arrays_of(self.net, self.trainer), _json(record))
            except OSError as error:
                whole = (
                    "The checkpoints before it are whole: make room or take another disk, then the same call goes on"
                )
                then = f"{whole} after the last of them" if self.history else f"Make room, then {ANEW}"
                raise OSError(
                    error.errno, f"{path}: {error.strerror}, so epoch {len(history)} was not kept. {then}"
                ) from None
            self.history = list(history)  # before a Ctrl-C that waited is raised: `hint` tells of it
            for _, old in self._found()[KEPT:]:
                old.unlink()

    def hint(self):
        """What to do after an interrupt, for its line."""
        if self.folder is None:
            return ""
        if not self.history:
            return f"; no checkpoint yet, the next call begins anew (in Python: {ANEW} first)"
        return f"; the same call goes on after epoch {len(self.history)}"

    def _found(self):
        """(epoch, path) of all checkpoints, newest first."""
        names = [(re.fullmatch(r"epoch-(\d+)\.npz", path.name), path) for path in self.folder.iterdir()]
        return sorted(((int(match[1]), path) for match, path in names if match), reverse=True)

    def _restore(self, num_epochs, say):
        damaged = []
        for _, path in self._found():
            try:
                arrays, record = _read(path)
                break
            except ValueError as error:
                damaged.append(f"{path.name}: {error}")
        else:
            if damaged:
                raise ValueError(
                    f"{self.folder}: no checkpoint here can be used ({'; '.join(damaged)}). "
                    "Delete its epoch-*.npz to begin anew, or name another folder"
                )
            if self.net in _spoilt:
                raise ValueError(
                    f"{self.folder}: the net was trained for part of an epoch that no checkpoint holds: {ANEW} "
                    "(run their cells again)"
                )
            return
        with arrays:
            with _sound(path, told=[ValueError]):
                self._check(record, num_epochs)
            if damaged:
                say(f"{'; '.join(damaged)}. Going back to {path.name}")
            _spoilt.add(self.net)
            with _sound(path):
                check_numbers(record["numbers"], self.trainer)
                put_arrays(arrays, self.net, self.trainer, record["numbers"])
                put_numbers(record["numbers"], self.net, self.trainer)
        _spoilt.discard(self.net)
        self.identity |= record["identity"]  # as the training began
        self.seed, self.history = record["seed"], record["history"]
        done = len(self.history)
        end = " was trained before" if done == num_epochs else f" of {num_epochs} was the last one whole: going on"
        say(f"{path.name}: epoch {done}{end}")
        for what, now in circumstances(self.contexts).items():
            if (was := record["circumstances"].get(what)) != now:
                say(f"{what} {was} before, now {now}: the same training, but not to the last bit")

    def _check(self, record, num_epochs):
        settings, left = settings_of(self.net, self.trainer), _left.get(self.net, {})
        if found := other_training(record, self.identity, settings, left):
            more = f" and {len(found) - 3} more differences" if len(found) > 3 else ""
            raise ValueError(
                f"{self.folder}: its checkpoints are of another training: {'; '.join(found[:3])}{more}. "
                "Name another folder, or delete its epoch-*.npz to begin anew"
            )
        if len(record["history"]) > num_epochs:
            raise ValueError(
                f"{self.folder}: {len(record['history'])} epochs were trained already, num_epochs={num_epochs} is "
                "fewer. Ask for as many at least, or name another folder"
            )


def _json(record):
    """As JSON text; a ValueError where an optimiser, scheduler or setting can't be written so."""
    try:
        return json.dumps(record, default=lambda value: value.item())
    except (TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            "a checkpoint holds numbers and texts only; the history's rows, the optimiser or the scheduler more: "
            f"{error}"
        ) from None


def _write(path, arrays, text):
    with atomic_write(path) as beside, open(beside, "w+b") as file:
        with zipfile.ZipFile(file, "w") as archive:
            archive.comment = b"0" * DIGITS
            archive.writestr(zipfile.ZipInfo("training.json"), text)
            for name, array in arrays:
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
        digest = _digest(file)
        file.seek(-DIGITS, os.SEEK_END)
        file.write(digest)


def _digest(file):
    """SHA-256 of all but the last 64 bytes, as 64 hexadecimal digits."""
    left, digest = file.seek(0, os.SEEK_END) - DIGITS, hashlib.sha256()
    file.seek(0)
    while left > 0:
        data = file.read(min(left, 2**20))
        digest.update(data)
        left -= len(data)
    return digest.hexdigest().encode()


def _read(path):
    """(arrays by name, record) of a checkpoint; a ValueError with the reason where it is damaged."""
    with opened(path, "a checkpoint") as file:
        digest = _digest(file)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - DIGITS))
        if file.read() != digest:
            raise ValueError("cut short or changed: its SHA-256 is not what its last 64 bytes say")
    with _sound(told=[ValueError]):
        with zipfile.ZipFile(path) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ValueError("its parts are compressed")  # and may be larger than memory
        arrays = np.load(path, allow_pickle=False)
        record = json.loads(arrays["training.json"])
        if record["version"] != VERSION:
            raise ValueError(f"of version {record['version']}, expected {VERSION}")
        for what, kind in KINDS.items():
            if not isinstance(record[what], kind):
                raise ValueError(f"its {what} is a {type(record[what]).__name__}, expected a {kind.__name__}")
        if not 0 <= record["seed"] < 2**32 or not all(isinstance(row, dict) for row in record["history"]):
            raise ValueError("no seed, or no rows in its history")
    return arrays, record


def newest(folder):
    """(name, bytes) of the newest checkpoint of a folder that is whole; ("", b"") where there is none."""
    folder = pathlib.Path(folder).expanduser()
    for path in sorted(folder.glob("epoch-[0-9]*.npz"), key=lambda path: int(path.stem[6:]), reverse=True):
        with contextlib.suppress(ValueError):  # damaged: what is said of it, `train` says
            _read(path)[0].close()
            return path.name, path.read_bytes()
    return "", b""


@contextlib.contextmanager
def _sound(path=None, told=()):
    """Inside, whatever fails because of what a checkpoint holds is a ValueError, but for the kinds of error in told."""
    try:
        yield
    except (OSError, *told):
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[-1]}"
        where, advice = (f"{path}: ", f". Delete it, {ANEW}, and the same call goes on before it") if path else ("", "")
        raise ValueError(f"{where}not as a checkpoint is written ({reason}){advice}") from None
