"""Trainings kept, so that the same one is not done twice (chapters 08 and 09)."""

import datetime
import hashlib
import inspect
import json
import os
import pathlib
import shutil
import time
import weakref

import mxnet as mx

from ..core.files import atomic_write, read_json, write_parameters
from ..core.parameters import load_parameters
from .digest import ROOT, code_digest, data_digest, net_digest
from .train import History

FOLDER = pathlib.Path(os.environ.get("COURSE_KEPT", ROOT / "build" / "kept"))
_stopped = weakref.WeakKeyDictionary()  # nets of trainings that were interrupted: their digests then and at the start


def train_or_load(fit, net, train_set, **settings):
    """Train a net by `fit(net, train_set, **settings)`, or load what the same training gave before; its `History`.

    fit: a function that trains `net` in place and returns its history. train_set: a `VOCSegDataset`. settings:
    numbers and texts, such as num_epochs. The same training: the same text of `fit` and of the functions beside it that
    it calls, net and weights to start with, pictures, settings, code that it runs through (`code_digest`), MXNet,
    device and threads. A class of the notebook, values and test pictures that `fit` takes from outside are not seen:
    name them by a setting, such as loss="weighted".
    A line says which happened. Kept in `build/kept/`, or in the folder that the variable COURSE_KEPT names; deleting it
    or `make clean` forgets all. Where `fit` has a parameter named checkpoint, it is given a folder in there, for
    `train(..., checkpoint=checkpoint)`: a training that was killed or interrupted then goes on the next time.
    Seed before the net is made and in `fit`, or no start will be like another.
    """
    contexts = next(iter(net.collect_params().values())).list_ctx()
    digest = net_digest(net)
    stopped, begun = _stopped.get(net, (None, None))
    first = begun if digest == stopped else digest
    resumable = "checkpoint" in inspect.signature(fit).parameters
    if first != digest and not resumable:
        raise ValueError("an interrupted training has changed the net: make it anew (run its cell again)")
    identity = {
        "fit": inspect.getsource(fit),
        "net": first,
        "data": data_digest(train_set),
        "settings": settings,
        "code": code_digest(fit, net, train_set),
        "mxnet": mx.__version__,
        "device": [str(ctx) for ctx in contexts],
        "threads": os.environ.get("OMP_NUM_THREADS"),
    }
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
    weights, record = FOLDER / f"{fit.__name__}-{key}.params", FOLDER / f"{fit.__name__}-{key}.json"
    if record.is_file():
        expected = f"what a training kept; delete {record.name} there, and the net is trained anew"
        kept = read_json(record, expected)
        if (
            not {"date": str, "seconds": float, "history": list}.items()
            <= {k: type(v) for k, v in kept.items()}.items()
        ):
            raise ValueError(f"{record}: not as it was written; expected {expected}")
        load_parameters(net, weights, expected, contexts)
        print(
            f"not trained now: the same training ran on {kept['date']}, in {kept['seconds']:.0f} s, "
            f"and its net was kept: {weights.name}"
        )
        return History(kept["history"])
    going = FOLDER / f"{fit.__name__}-{key}.going"
    start, done = time.time(), False
    try:
        history = fit(net, train_set, **settings, **({"checkpoint": going} if resumable else {}))
        mx.nd.waitall()
        done = not getattr(history, "interrupted", False)
    finally:
        if not done:
            _stopped[net] = net_digest(net), first
    if not done:
        goes_on = any(going.glob("epoch-*.npz"))
        then = "the same call goes on" if goes_on else "make the net anew (run its cell again) before the next call"
        print(f"interrupted, so nothing was kept; {then}")
        return history
    kept = {"history": history, "seconds": time.time() - start, "date": str(datetime.date.today())}
    FOLDER.mkdir(parents=True, exist_ok=True)
    with atomic_write(weights) as beside:
        write_parameters(net, beside, weights)
    with atomic_write(record) as beside:
        beside.write_text(json.dumps(kept | identity), encoding="utf-8")
    shutil.rmtree(going, ignore_errors=True)
    print(f"trained now, in {kept['seconds']:.0f} s, and kept: {weights.name}")
    return History(history)
