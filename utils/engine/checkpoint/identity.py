"""What tells one training from another, so that a checkpoint of another one is not taken for this one's."""

import hashlib
import os
import re
import weakref

import mxnet as mx

from ...data.dataset import VOCSegDataset
from .state import PLAIN, names_of, settings_of

MOVING = {"num_update", "begin_num_update", "rescale_grad"}
END = "scheduler's max_update"  # the step at which a falling rate ends
_begun = weakref.WeakKeyDictionary()  # trainers, and how they were set when first seen: training changes some of it


def identity(net, trainer, loss, data, seed):
    """Names and values, numbers or texts: net, optimiser, loss, data and seed."""
    found = {"net": re.sub(r"(None|\d+) ->|in_channels=(None|\d+)", "", repr(net))}  # not known before a first batch
    for parameter, name in names_of(net, trainer).items():
        found[f"dtype of {name}"] = str(parameter.dtype)
    found |= shapes(net)
    found |= _begun.setdefault(trainer, _settings(trainer.optimizer) | settings_of(net, trainer))
    found["loss"] = getattr(loss, "__qualname__", type(loss).__name__)
    return found | _data(data) | {"seed": seed}


def shapes(net):
    """The shapes of all parameters, as far as they are known: before a first batch some are not."""
    parameters = net._collect_params_with_prefix().items()
    return {f"shape of {name}": parameter.shape and list(parameter.shape) for name, parameter in parameters}


def _settings(optimizer):
    found = {"optimizer": type(optimizer).__name__}
    found |= {f"optimizer's {k}": v for k, v in vars(optimizer).items() if isinstance(v, PLAIN) and k not in MOVING}
    scheduler = optimizer.lr_scheduler
    if scheduler is None:
        return found | {"scheduler": None}
    found["scheduler"] = getattr(scheduler, "__qualname__", type(scheduler).__name__)
    inside = getattr(scheduler, "__dict__", {}).items()
    found |= {f"scheduler's {key}": value for key, value in inside if isinstance(value, PLAIN)}
    return found | {f"scheduler's {key}": str(value) for key, value in inside if _plain_parts(value)}


def _plain_parts(value):
    parts = [*value, *value.values()] if isinstance(value, dict) else value
    return isinstance(parts, (list, tuple)) and all(isinstance(part, PLAIN) for part in parts)


def _data(data):
    """A loader's batches and its pictures, by name: they are not read for it."""
    dataset = getattr(data, "_dataset", data)
    found = {"batches an epoch": len(data), "pictures": type(dataset).__name__}
    found["batch size"] = getattr(getattr(data, "_batch_sampler", None), "_batch_size", None)
    if isinstance(dataset, VOCSegDataset):
        text = f"{dataset.names} {dataset.classes.names} {dataset.classes.colors} {dataset.seed}"
        found |= {"pictures": repr(dataset), "their names": hashlib.sha256(text.encode()).hexdigest()[:12]}
    return found


def circumstances(contexts):
    """What may change the last bits of a training, and nothing else."""
    threads = os.environ.get("OMP_NUM_THREADS")
    return {"devices": ", ".join(map(str, contexts)), "threads": threads, "MXNet": mx.__version__}


def other_training(record, identity, settings, left):
    """Texts: in what a checkpoint's training is another one than that of `identity`.

    settings: the present ones, which a training that was stopped leaves as its last epoch had them. left: those of
    the last save that was tried, or {}.
    """
    before, saved = record["identity"], record["numbers"]["settings"]
    kept = {what: before.get(what) for what in saved if "parameter" in what and settings.get(what) == saved[what]}
    if found := differences(before, identity | kept):  # a new trainer of a net that was unfrozen is no other one
        if epochs := _of_epochs(before, identity):
            found = [epochs, *(text for text in found if not text.startswith("scheduler's max_"))]
        return found
    allowed = [(what, [known[what] for known in (saved, identity, left) if what in known]) for what in settings]
    return [f"{what} {ways[0]}, now {settings[what]}" for what, ways in allowed if settings[what] not in ways]


def _of_epochs(before, now):
    """Text where a falling rate was made for another number of whole epochs, else ""."""
    ends, batches = [known.get(END) for known in (before, now)], now["batches an epoch"]
    if ends[0] == ends[1] or before["batches an epoch"] != batches:
        return ""
    if not all(isinstance(end, int) and batches and end % batches == 0 for end in ends):
        return ""
    old, new = (end // batches for end in ends)
    return (
        f"epochs over which its rate falls {old}, now {new}; the number is fixed from the start, so take {old} again "
        "(num_epochs, on the command line --epochs)"
    )


def differences(before, now):
    """Texts for a message; shapes may be unknown (None, or 0) before a first batch."""
    found = []
    for what in {**before, **now}:
        old, new = before.get(what), now.get(what)
        if what.startswith("shape") and what in before and what in now and _may_be_same(old, new):
            continue
        if old != new:
            found.append("other layers in the net" if what == "net" else f"{what} {old}, now {new}")
    return found


def _may_be_same(old, new):
    if not old or not new:
        return True
    return len(old) == len(new) and all(a == b or 0 in (a, b) for a, b in zip(old, new, strict=True))
