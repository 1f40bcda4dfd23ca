"""A trained net in files that say what net it is: NAME.params, and NAME.json beside it."""

import contextlib
import hashlib
import io
import json
import os
import pathlib
import re

import mxnet as mx

from ..core.files import atomic_write, check_writable, opened, read_json, write_parameters
from ..core.parameters import LARGEST, load_parameters
from ..data.labelmap import LabelMap
from ..data.transforms import RGB_MEAN, RGB_STD
from .zoo import get_model

FORMAT = "segmentation-course net, 2"
FCN_FORMAT = "segmentation-course net, 1"  # of version 0.1: nets of `fcn` alone


def check_output(path, force=False):
    """The paths of the parameters and of the JSON: a FileExistsError if one is there, a ValueError for another name."""
    path = pathlib.Path(path)
    if path.suffix != ".params":
        raise ValueError(f"{path}: expected a name that ends in .params, such as street.params")
    for target in path, path.with_suffix(".json"):
        if target.is_dir():
            raise ValueError(f"{target}: a folder; expected the name of a file")
        if os.path.lexists(target) and not force:
            raise FileExistsError(f"{target}: is there already; take another name, or --force to replace it")
    check_writable(path)
    return path, path.with_suffix(".json")


def save_model(path, net, classes, scale=1.0, *, force=False, half=False, **about):
    """Write NAME.params, a net's weights, and NAME.json, what it takes to make it again and use it.

    net: made by `get_model` or `fcn`, however trained since. classes: its `LabelMap`. scale: by which pictures are
    reduced before it sees them. force: replace what is there. half: weights as float16, half the bytes, three digits;
    `load_model` makes float32 of them again. about: what else is worth knowing, such as its scores; what JSON can hold.
    ValueError for another net, FileExistsError, OSError where it can't be written.
    """
    recipe = getattr(net, "recipe", None)
    if recipe is None:
        raise ValueError(
            f"{type(net).__name__} doesn't know how it was made: make it by utils.get_model or utils.fcn; a class of "
            "your own by utils.get_model, after utils.register_model"
        )
    if len(classes) != recipe["classes"]:
        raise ValueError(f"{len(classes)} classes, but the net was made for {recipe['classes']}")
    path, record = check_output(path, force)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(record) as text, atomic_write(path) as beside:
        write_parameters(net, beside, path, half)
        known = {
            "format": FORMAT,
            **recipe,
            "scale": scale,
            "classes": classes.names,
            "colors": classes.colors,
            "void_colors": classes.void_colors,
            "mean": [round(float(v), 6) for v in RGB_MEAN],
            "deviation": [round(float(v), 6) for v in RGB_STD],
            "sha256": hashlib.sha256(beside.read_bytes()).hexdigest(),
            **about,
        }
        lines = ",\n".join(f"  {json.dumps(key)}: {_json(key, value)}" for key, value in known.items())
        text.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def _json(key, value):
    try:
        return json.dumps(value)
    except TypeError as error:
        raise ValueError(f"{key}: {error}; expected numbers, texts, lists and dicts") from None


def load_model(path, ctx=None):
    """(net, classes, scale, what the JSON says) of a net that `save_model` or `python -m utils train` wrote.

    path: NAME.params, with NAME.json beside it. ctx: where the net goes. A net of your own must be registered before
    (`register_model`). Files that are not such a pair, damaged or of another net are a ValueError. Take models from
    people you trust: both files are checked before MXNet reads them, and nothing in them is run, but nobody has
    checked what a stranger's net has learned.
    """
    path = pathlib.Path(path)
    record = path.with_suffix(".json")
    expected = "the two files that `python -m utils train` writes, NAME.params and NAME.json"
    if path.suffix != ".params":
        raise ValueError(f"{path}: expected a name that ends in .params; a net is {expected}")
    known = read_json(record, expected)
    try:
        name, backbone, options, classes, scale = _described(known)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{record}: not the description of a net ({error}); expected {expected}") from None
    if _sha256(path, expected) != known["sha256"]:
        raise ValueError(
            f"{path}: not the parameters that {record.name} describes, or a damaged copy: copy both files anew"
        )
    try:
        net = get_model(name, classes, backbone, ctx=ctx, **options)
    except (TypeError, ValueError, OverflowError, mx.MXNetError) as error:  # an option that it does not take, or not so
        raise ValueError(f"{record}: {str(error).strip().splitlines()[-1]}") from None
    _infer_shapes(net)
    load_parameters(net, path, expected, ctx or mx.cpu())
    net.hybridize()
    return net, classes, scale, known


def _described(known):
    """Name, backbone, options, classes and scale of the net that a JSON describes; an error where it does not."""
    if known["format"] not in (FORMAT, FCN_FORMAT):
        raise ValueError(f"format {known['format']!r}")
    names = known["classes"]
    if not isinstance(names, list) or not all(
        isinstance(name, str) and name.isprintable() and len(name) <= 200 for name in names
    ):
        raise ValueError("classes: expected a list of texts of one line, of at most 200 characters")  # they are printed
    if len(known["void_colors"]) > 1000:
        raise ValueError(f"{len(known['void_colors'])} void_colors")
    classes = LabelMap(names, known["colors"], known["void_colors"])
    if known["format"] == FCN_FORMAT:
        known |= {"model": f"fcn{known['stride']}s", "options": {"align": known["align"]}}
    name, backbone, options = known["model"], known["backbone"], dict(known["options"])
    scale = float(known["scale"])
    if not 0 < scale <= 4:
        raise ValueError(f"scale {scale}, expected a number above 0, at most 4")
    if "pretrained" in options:
        raise ValueError("option 'pretrained': its weights are in the .params")  # nothing is fetched on a file's word
    if not re.fullmatch(r"[\w.-]+", known.get("train_split", "train")):
        raise ValueError(f"train_split {known['train_split']!r}, expected the name of a list")
    if not isinstance(known.get("baseline", {}), dict) or not isinstance(known["sha256"], str):
        raise ValueError("baseline or sha256 is of another type")
    return name, backbone, options, classes, scale


def _sha256(path, expected):
    digest = hashlib.sha256()
    with opened(path, expected) as file:
        if os.fstat(file.fileno()).st_size > LARGEST:
            raise ValueError(f"{path}: larger than any net; expected {expected}")
        while data := file.read(2**20):
            digest.update(data)
    return digest.hexdigest()


def _infer_shapes(net):
    """Let a net find the shapes that its layers learn from a picture, to hold a file against them.

    A net of a reader's own that cannot be traced so has them unknown.
    """
    if isinstance(net, mx.gluon.HybridBlock):
        with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
            net.infer_shape(mx.nd.zeros((1, 3, 512, 512)))
