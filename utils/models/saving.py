"""A trained net in files that know what net it is: NAME.params, and NAME.json beside it."""

import hashlib
import json
import os
import pathlib

import mxnet as mx

from ..core.files import atomic_write, check_writable, opened, write_parameters
from ..data.labelmap import LabelMap
from ..data.transforms import RGB_MEAN, RGB_STD
from .fcn import fcn

FORMAT = "segmentation-course net, 1"
NET = ("stride", "backbone", "align")


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


def save(path, net, classes, scale, force=False, *, stride, backbone, align=True, **about):
    """Write a net of `fcn` and what it takes to use it again; about: what else is worth knowing, such as its scores."""
    path, record = check_output(path, force)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(record) as text, atomic_write(path) as beside:
        write_parameters(net, beside, path)
        known = {
            "format": FORMAT,
            "stride": stride,
            "backbone": backbone,
            "align": align,
            "scale": scale,
            "classes": classes.names,
            "colors": classes.colors,
            "void_colors": classes.void_colors,
            "mean": [round(float(v), 6) for v in RGB_MEAN],
            "deviation": [round(float(v), 6) for v in RGB_STD],
            "sha256": hashlib.sha256(beside.read_bytes()).hexdigest(),
            **about,
        }
        lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in known.items())
        text.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def load(path, ctx=None):
    """(net, classes, scale, what the JSON says) of a net that `save` wrote."""
    path = pathlib.Path(path)
    record = path.with_suffix(".json")
    expected = "the two files that `python -m utils train` writes, NAME.params and NAME.json"
    if path.suffix != ".params":
        raise ValueError(f"{path}: expected a name that ends in .params; a net is {expected}")
    with opened(record, expected) as file:
        text = file.read()
    with opened(path, expected) as file:
        found = hashlib.sha256(file.read()).hexdigest()
    try:
        known = json.loads(text)
        if known["format"] != FORMAT:
            raise ValueError(f"format {known['format']!r}")
        classes = LabelMap(known["classes"], known["colors"], known["void_colors"])
        settings = {key: known[key] for key in NET}
        scale, digest = float(known["scale"]), known["sha256"]
    except (KeyError, TypeError, ValueError) as error:  # a JSON that cannot be decoded is a ValueError
        raise ValueError(f"{record}: not the description of a net ({error}); expected {expected}") from None
    if found != digest:
        raise ValueError(
            f"{path}: not the parameters that {record.name} describes, or a damaged copy: copy both files anew"
        )
    net = fcn(len(classes), ctx=ctx, **settings)
    try:
        net.load_parameters(str(path), ctx=ctx or mx.cpu())
    except (AssertionError, ValueError, mx.MXNetError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{path}: the parameters of another net than {record.name} says ({reason})") from None
    net.hybridize()
    return net, classes, scale, known
