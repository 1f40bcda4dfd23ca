"""A trained FCN for PyTorch: its weights by PyTorch's names, NAME.npz, and the lines that load them, NAME.py."""

import json
import keyword
import pathlib
import re
import sys

import numpy as np
from mxnet import nd

from ..core.files import atomic_write
from ..data.transforms import RGB_MEAN, RGB_STD
from .torch_program import ALIGNED, BASIC, BEGIN, BOTTLENECK, CLASSIC, EFFICIENTNET, END, FCN, RESNET, VGG16

NETS = "fcn32s", "fcn16s", "fcn8s", "fcn4s", "fcn2s"
TAKEN = {*sys.stdlib_module_names, "torch", "numpy", "PIL"}  # NAME.py would stand before the one that it imports
NAMES = {"gamma": "weight", "beta": "bias"}  # of BatchNorm: Gluon's and PyTorch's


def torch_paths(path):
    """The paths that `export_torch` writes, .npz and .py; a ValueError where the .py can't be imported, or import."""
    path = pathlib.Path(str(path).removesuffix(".npz"))
    if not path.name.isidentifier() or keyword.iskeyword(path.name):
        raise ValueError(
            f"{path}: PyTorch's program, {path.name}.py, is imported by its name, and Python takes no {path.name!r}; "
            "take one of letters, digits and _, such as my_street"
        )
    if path.name in TAKEN:
        raise ValueError(f"{path}: {path.name}.py would find itself where it imports {path.name}; take another name")
    return [path.with_name(path.name + ending) for ending in (".npz", ".py")]


def export_torch(net, path, classes, scale=1.0):
    """Write PATH.npz, a net's weights, and PATH.py, a program of PyTorch and NumPy alone that loads and uses them.

    net: an FCN of `fcn` or `get_model`, with weights. classes: its `LabelMap`. scale: by which pictures are reduced
    before it sees them. Another net is a ValueError. PyTorch isn't needed. In the .npz is an array for each name of the
    state dict, and a text in JSON, `about`, with what `save_model` knows of classes and normalisation: no pickle, so
    that nothing in it is run. Returns both paths; what is there is replaced.
    """
    weights, program = torch_paths(path)
    state, text = state_dict(net), lines(net, weights.stem)
    about = {
        **net.recipe,
        "scale": scale,
        "classes": classes.names,
        "colors": [[int(value) for value in color] for color in classes.colors],
        "mean": [round(float(value), 6) for value in RGB_MEAN],
        "deviation": [round(float(value), 6) for value in RGB_STD],
    }
    weights.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(program) as beside_program, atomic_write(weights) as beside_weights:
        beside_program.write_text(text, encoding="utf-8")
        with beside_weights.open("wb") as file:
            np.savez(file, about=json.dumps(about), **state)
    return [weights, program]


def state_dict(net):
    """{PyTorch's name: float32 array} of an FCN's weights, for `lines`. A net of another kind is a ValueError.

    Enlargements are fixed, and are computed there. EfficientNet's maps, which come with their signs turned here
    (`ReLU6`), come as published there.
    """
    _check(net)
    net(nd.zeros((1, 3, 64, 64), ctx=next(iter(net.collect_params().values())).list_ctx()[0]))  # deferred weights
    own = {name: p._reduce().asnumpy() for name, p in net._collect_params_with_prefix().items()}
    state = {}
    for name, array in own.items():
        layer, kind = name.rsplit(".", 1)
        if "upscore" in name and net.recipe["backbone"] != "vgg16" or ".relu6." in name:
            continue
        if layer == "features.0" and kind in NAMES:  # the picture's BatchNorm has neither
            continue
        unit, last = layer.rsplit(".", 1) if "." in layer else ("", layer)
        if f"{unit}.relu6.turn.weight" in own:  # it gives 6 − y
            folded = f"{unit}.conv.bias" in own
            if kind == "gamma" or folded and kind == "weight":
                array = -array
            elif kind in ("beta", "bias"):
                array = 6 - array
        if layer.startswith("upscore"):
            layer = layer.removesuffix(".conv")
        state[f"{layer}.{NAMES.get(kind, kind)}"] = array.astype(np.float32)
    return state


def lines(net, name="net"):
    """The program, a text: the net as a PyTorch module, `load`, and labels for pictures. name: of its .npz."""
    _check(net)
    recipe, family = net.recipe, net.recipe["backbone"]
    title = f"{recipe['model'].replace('fcn', 'FCN-')} on {family}"
    whole = BEGIN + (VGG16 if family == "vgg16" else _backbone(net) + _fcn(net)) + END
    given = {"title": title, "name": name, "classes": recipe["classes"], "finest": getattr(net, "finest", None)}
    for key, value in given.items():
        whole = whole.replace(f"@{key}@", str(value))
    return whole


def _check(net):
    recipe = getattr(net, "recipe", {})
    name = recipe.get("model", type(net).__name__)
    if name not in NETS or not re.fullmatch(r"resnet\d+_v2|efficientnet_lite0|vgg16", str(recipe["backbone"])):
        on = f" on {recipe['backbone']}" if recipe.get("backbone") else ""
        raise ValueError(
            f"{name}{on}: can't be written for PyTorch, expected {', '.join(NETS)} on a ResNet, EfficientNet-Lite0 or "
            "VGG16 of the course. Export it with --onnx: onnxruntime runs that beside PyTorch"
        )


def _backbone(net):
    family = net.recipe["backbone"]
    if family == "efficientnet_lite0":
        made = net.features.made_with
        body = EFFICIENTNET.replace("@bias@", str(made["folded"]))
        norm = "" if made["folded"] else "        self.norm = nn.BatchNorm2d(channels, eps=0.001)\n"
        body = body.replace("@norm@\n", norm)
        body = body.replace("@normed@", "self.conv(x)" if made["folded"] else "self.norm(self.conv(x))")
        if made["padding"] == "same":  # padded behind alone, where it is strided
            body = body.replace("@padding@", "0 if stride > 1 else kernel // 2").replace(
                "@pad@\n",
                "        if self.conv.stride[0] > 1:  # begins one pixel on\n"
                "            before, behind = self.conv.kernel_size[0] // 2 - 1, self.conv.kernel_size[0] // 2 + 1\n"
                "            x = nn.functional.pad(x, (before, behind, before, behind))\n",
            )
        return body.replace("@padding@", "kernel // 2").replace("@pad@\n", "")
    first = net.features[5][0]
    bottleneck = hasattr(first, "bn3")
    blocks = [len(stage) for stage in list(net.features)[5:9]]
    channels = [256, 512, 1024, 2048] if bottleneck else [64, 128, 256, 512]
    body = RESNET.replace("@block@", BOTTLENECK if bottleneck else BASIC)
    return body.replace("@stages@", repr(tuple(zip(blocks, channels, strict=True))))


def _fcn(net):
    strides = [32 // 2**i for i in range(NETS.index(net.recipe["model"]) + 1)]
    layers = [layer for name, layer in net._children.items() if name.startswith("upscore")]
    offsets = [getattr(layer, "offset", getattr(layer, "_offset", 0)) for layer in layers]
    align = getattr(layers[0], "align", getattr(layers[0], "_align", True))
    ends = {stride: net.features.ends[stride] for stride in strides}
    channels = {
        stride: net.score_fr.weight.shape[1]
        if stride == 32
        else getattr(net, f"score_pool{stride.bit_length() - 1}").weight.shape[1]
        for stride in strides
    }
    if 0 in channels.values():
        raise ValueError("a net without weights: run it once on a picture, or train it")
    body = FCN.replace("@place@", ALIGNED if align else CLASSIC)
    given = {"ends": ends, "channels": channels, "offsets": dict(zip(strides, offsets, strict=True))}
    for key, value in given.items():
        body = body.replace(f"@{key}@", repr(value))
    return body
