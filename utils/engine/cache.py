"""Trainings kept, so that the same one is not done twice (chapters 08 and 09)."""

import ast
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

from ..core.files import atomic_write, write_parameters
from ..data.voc import image_path, label_path
from .train import History

HERE = pathlib.Path(__file__).resolve().parents[1]
FOLDER = pathlib.Path(os.environ.get("COURSE_KEPT", HERE.parent / "build" / "kept"))
NOT_TRAINING = {"__init__", "__main__", "classifiers", "cuda", "keeping", "live", "plotting", "predicting", "progress"}
_stopped = weakref.WeakKeyDictionary()  # nets of trainings that were interrupted: their digests then and at the start


def train_or_load(fit, net, train_set, **settings):
    """Train a net by `fit(net, train_set, **settings)`, or load what the same training gave before; its `History`.

    fit: a function that trains `net` in place and returns its history. train_set: a `VOCSegDataset`. settings:
    numbers and texts, such as num_epochs. The same training: the same text of `fit`, net and weights to start with,
    pictures, settings, code of `utils`, MXNet, device and threads. What `fit` takes from outside (a loss, a class of
    the notebook, test pictures) is not seen: name it by a setting, such as loss="weighted".
    A line says which happened. Kept in `build/kept/`, or in the folder that the variable COURSE_KEPT names; deleting it
    or `make clean` forgets all. Where `fit` has a parameter named checkpoint, it is given a folder in there, for
    `train(..., checkpoint=checkpoint)`: a training that was killed or interrupted then goes on the next time.
    Seed before the net is made and in `fit`, or no start will be like another.
    """
    contexts = next(iter(net.collect_params().values())).list_ctx()
    digest = _net_digest(net)
    stopped, begun = _stopped.get(net, (None, None))
    first = begun if digest == stopped else digest
    resumable = "checkpoint" in inspect.signature(fit).parameters
    if first != digest and not resumable:
        raise ValueError("the net is as an interrupted training left it: make it anew (run its cell again)")
    identity = {
        "fit": inspect.getsource(fit),
        "net": first,
        "data": data_digest(train_set),
        "settings": settings,
        "code": code_digest(),
        "mxnet": mx.__version__,
        "device": [str(ctx) for ctx in contexts],
        "threads": os.environ.get("OMP_NUM_THREADS"),
    }
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
    weights, record = FOLDER / f"{fit.__name__}-{key}.params", FOLDER / f"{fit.__name__}-{key}.json"
    if record.is_file():
        kept = json.loads(record.read_text(encoding="utf-8"))
        net.load_parameters(str(weights), ctx=contexts)
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
            _stopped[net] = _net_digest(net), first
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


def _net_digest(net):
    """What a net is, and what its weights are as far as they are known yet."""
    digest = hashlib.sha256(repr(net).encode())
    for parameter in net.collect_params().values():
        digest.update(f"{parameter.shape} {parameter.grad_req} {parameter.lr_mult} {parameter.wd_mult}".encode())
        try:
            digest.update(parameter.list_data()[0].asnumpy().tobytes())
        except mx.gluon.parameter.DeferredInitializationError:  # made at the first batch: from what?
            own, _, default, data = parameter._deferred_init
            digest.update(f"{_name(own)} {_name(default)}".encode() if data is None else data.asnumpy().tobytes())
    return digest.hexdigest()


def _name(initializer):
    return initializer.dumps() if isinstance(initializer, mx.init.Initializer) else repr(initializer)


def data_digest(dataset):
    """12 hexadecimal digits that stand for the pictures, labels and classes of a `VOCSegDataset`, and its settings."""
    digest = hashlib.sha256(repr(dataset).encode())
    digest.update(f"{dataset.classes.names} {dataset.classes.colors} {dataset.seed}".encode())
    for name in dataset.names:
        for path in image_path(dataset.root, name), label_path(dataset.root, name):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def code_digest(paths=None):
    """12 hexadecimal digits that stand for what code does, comments and docstrings aside.

    paths: files; default: those of `utils` that a training runs through.
    """
    digest = hashlib.sha256()
    for path in paths or sorted(HERE.rglob("*.py")):
        if paths or path.stem not in NOT_TRAINING:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                body = getattr(node, "body", None)
                if isinstance(body, list):  # a text that stands alone is a docstring
                    node.body = [line for line in body if not _is_text(line)]
            digest.update(ast.dump(tree).encode())
    return digest.hexdigest()[:12]


def _is_text(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
