"""A trained FCN for PyTorch: its weights by PyTorch's names, NAME.npz, and the lines that load them, NAME.py."""

import json
import pathlib
import re
import sys

import numpy as np
from mxnet import nd

from ..core.files import atomic_write
from ..data.transforms import RGB_MEAN, RGB_STD

NETS = "fcn32s", "fcn16s", "fcn8s", "fcn4s", "fcn2s"
TAKEN = {*sys.stdlib_module_names, "torch", "numpy", "PIL"}  # NAME.py would stand before the one that it imports
NAMES = {"gamma": "weight", "beta": "bias"}  # of BatchNorm: Gluon's and PyTorch's


def torch_paths(path):
    """The paths that `export_torch` writes, .npz and .py; a ValueError where the .py would hide what it imports."""
    path = pathlib.Path(str(path).removesuffix(".npz"))
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


BEGIN = '''\
"""@title@, @classes@ classes, for PyTorch and NumPy alone: written by `python -m utils export --torch`.

`net, about = load()` reads @name@.npz beside this file; about: classes, colors, mean, deviation, scale.
`python @name@.py photo.jpg` writes photo-label.png; for that it needs Pillow.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from torch import nn
'''

FIXED = '''

class FixedNorm(nn.BatchNorm2d):
    """BatchNorm on the picture: what it subtracts and divides by stays as it is, in training too."""

    def __init__(self):
        super().__init__(3, affine=False)

    def forward(self, x):
        return nn.functional.batch_norm(x, self.running_mean, self.running_var, eps=self.eps)
'''

RESNET = (
    FIXED
    + '''

class Block(nn.Module):
    """Of a ResNet V2: BatchNorm and ReLU come before each convolution."""

@block@

def features():
    layers, before = [FixedNorm(), nn.Conv2d(3, 64, 7, 2, 3, bias=False)], 64  # 1/2
    layers += [nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]  # 1/4
    for number, (count, channels) in enumerate(@stages@):  # 1/4, 1/8, 1/16, 1/32
        blocks = [Block(before, channels, 2 if number else 1)]
        blocks += [Block(channels, channels, 1) for _ in range(count - 1)]
        layers.append(nn.Sequential(*blocks))
        before = channels
    return nn.Sequential(*layers, nn.BatchNorm2d(before), nn.ReLU())
'''
)

BASIC = """\
    def __init__(self, before, channels, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.downsample = None if before == channels else nn.Conv2d(before, channels, 1, stride, bias=False)

    def forward(self, x):
        h = self.bn1(x).relu()
        shortcut = x if self.downsample is None else self.downsample(h)
        h = self.conv1(h)
        return shortcut + self.conv2(self.bn2(h).relu())
"""

BOTTLENECK = """\
    def __init__(self, before, channels, stride):
        super().__init__()
        inside = channels // 4
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, inside, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(inside)
        self.conv2 = nn.Conv2d(inside, inside, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(inside)
        self.conv3 = nn.Conv2d(inside, channels, 1, bias=False)
        self.downsample = None if before == channels else nn.Conv2d(before, channels, 1, stride, bias=False)

    def forward(self, x):
        h = self.bn1(x).relu()
        shortcut = x if self.downsample is None else self.downsample(h)
        h = self.conv2(self.bn2(self.conv1(h)).relu())
        return shortcut + self.conv3(self.bn3(h).relu())
"""

EFFICIENTNET = (
    FIXED
    + '''

class ConvNorm(nn.Module):
    def __init__(self, before, channels, kernel, stride=1, groups=1, activated=True):
        super().__init__()
        self.activated = activated
        padding = @padding@
        self.conv = nn.Conv2d(before, channels, kernel, stride, padding, groups=groups, bias=@bias@)
@norm@

    def forward(self, x):
@pad@
        x = @normed@
        return nn.functional.relu6(x) if self.activated else x


class Block(nn.Sequential):
    """Many maps, each looked at by itself, few maps; its input is added, where it has their shape."""

    def __init__(self, before, channels, kernel, stride, times):
        inside = before * times
        first = [ConvNorm(before, inside, 1)] if times > 1 else []
        middle = ConvNorm(inside, inside, kernel, stride, inside)
        super().__init__(*first, middle, ConvNorm(inside, channels, 1, activated=False))
        self.adds = stride == 1 and before == channels

    def forward(self, x):
        return super().forward(x) + x if self.adds else super().forward(x)


def features():
    layers, before = [FixedNorm(), ConvNorm(3, 32, 3, 2)], 32
    for count, kernel, stride, times, channels in (
        (1, 3, 1, 1, 16),  # 1/2
        (2, 3, 2, 6, 24),  # 1/4
        (2, 5, 2, 6, 40),  # 1/8
        (3, 3, 2, 6, 80),
        (3, 5, 1, 6, 112),  # 1/16
        (4, 5, 2, 6, 192),
        (1, 3, 1, 6, 320),  # 1/32
    ):
        for number in range(count):
            layers.append(Block(before, channels, kernel, 1 if number else stride, times))
            before = channels
    return nn.Sequential(*layers)
'''
)

ALIGNED = "((pixels - offset).clamp(min=0) / factor).clamp(max=cells - 1)  # outside, the last cell is repeated"
CLASSIC = "(pixels - (factor - 1) / 2) / factor  # as a transposed convolution with kernel 2 · factor"

FCN = '''

def enlarge(x, size, factor, offset):
    """Bilinear: (N, C, h, w) → (N, C, *size), cell i at pixel factor · i + offset."""

    def tents(length, cells):
        pixels = torch.arange(length, dtype=x.dtype, device=x.device)
        place = @place@
        return (1 - (place[:, None] - torch.arange(cells, dtype=x.dtype, device=x.device)).abs()).clamp(min=0)

    return tents(size[0], x.shape[2]) @ x @ tents(size[1], x.shape[3]).T


class FCN(nn.Module):
    """(N, 3, H, W) normalised pictures → (N, classes, H, W) scores, for any H and W."""

    ends = @ends@  # stride: the last layer at it
    channels = @channels@
    offsets = @offsets@  # from cells at this stride to the next finer one's

    def __init__(self, classes=@classes@):
        super().__init__()
        self.features = features()
        for stride, channels in self.channels.items():
            name = "score_fr" if stride == 32 else f"score_pool{stride.bit_length() - 1}"
            setattr(self, name, nn.Conv2d(channels, classes, 1))

    def forward(self, x):
        maps, h = {}, x
        for number, layer in enumerate(self.features):
            h = layer(h)
            maps |= {stride: h for stride, end in self.ends.items() if end == number}
        strides, scores = list(maps)[::-1], self.score_fr(h)
        for stride, finer in zip(strides, [*strides[1:], 1], strict=True):
            size = (maps[finer] if finer > 1 else x).shape[2:]
            scores = enlarge(scores, size, stride // finer, self.offsets[stride])
            if finer > 1:
                scores = scores + getattr(self, f"score_pool{finer.bit_length() - 1}")(maps[finer])
        return scores
'''

VGG16 = '''

class FCN(nn.Module):
    """(N, 3, H, W) normalised pictures → (N, classes, H, W) scores, by the names of the paper's authors."""

    finest = @finest@  # stride of the finest map that is scored

    def __init__(self, classes=@classes@):
        super().__init__()
        before = 3
        for block, (count, channels) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)], 1):
            for number in range(1, count + 1):
                padding = 100 if before == 3 else 1
                setattr(self, f"conv{block}_{number}", nn.Conv2d(before, channels, 3, padding=padding))
                before = channels
        self.fc6, self.fc7 = nn.Conv2d(512, 4096, 7), nn.Conv2d(4096, 4096, 1)
        self.drop = nn.Dropout(0.5)
        self.score_fr = nn.Conv2d(4096, classes, 1)
        factors = {32: {"upscore": 32}, 16: {"upscore2": 2, "upscore16": 16}}
        factors[8] = {"upscore2": 2, "upscore_pool4": 2, "upscore8": 8}
        for name, factor in factors[self.finest].items():
            layer = nn.ConvTranspose2d(classes, classes, 2 * factor, factor, groups=classes, bias=False)
            setattr(self, name, layer.requires_grad_(False))  # bilinear, fixed
        if self.finest < 32:
            self.score_pool4 = nn.Conv2d(512, classes, 1)
        if self.finest < 16:
            self.score_pool3 = nn.Conv2d(256, classes, 1)

    def forward(self, x):
        pooled, h = {}, x
        for block, count in enumerate((2, 2, 3, 3, 3), 1):
            for number in range(1, count + 1):
                h = getattr(self, f"conv{block}_{number}")(h).relu()
            h = pooled[block] = nn.functional.max_pool2d(h, 2, ceil_mode=True)
        h = self.drop(self.fc6(h).relu())
        scores = self.score_fr(self.drop(self.fc7(h).relu()))  # 1/32
        if self.finest == 32:
            return self.crop(self.upscore(scores), x, 19)
        scores = self.upscore2(scores)  # 1/16
        scores = scores + self.crop(self.score_pool4(pooled[4]), scores, 5)
        if self.finest == 16:
            return self.crop(self.upscore16(scores), x, 27)
        scores = self.upscore_pool4(scores)  # 1/8
        scores = scores + self.crop(self.score_pool3(pooled[3]), scores, 9)
        return self.crop(self.upscore8(scores), x, 31)

    @staticmethod
    def crop(x, like, offset):
        height, width = like.shape[2:]
        return x[:, :, offset : offset + height, offset : offset + width]
'''

END = '''

def load(path=None):
    """(net, about): with the weights of path, default the .npz beside this file. No pickle: nothing in it is run."""
    with np.load(path or pathlib.Path(__file__).with_suffix(".npz"), allow_pickle=False) as arrays:
        state = {name: torch.from_numpy(arrays[name]) for name in arrays.files if name != "about"}
        about = json.loads(str(arrays["about"]))
    net = FCN(len(about["classes"]))
    net.load_state_dict(state, strict=True)
    return net.eval(), about


def label(net, about, image):
    """(height, width) array of class indices of a picture (height, width, 3), uint8."""
    x = (np.float32(image) / 255 - np.float32(about["mean"])) / np.float32(about["deviation"])
    with torch.no_grad():
        return net(torch.from_numpy(x.transpose(2, 0, 1)[None].copy()))[0].argmax(0).numpy()


def main(pictures):
    if not pictures:
        sys.exit(__doc__)
    from PIL import Image

    net, about = load()
    for path in map(pathlib.Path, pictures):
        image = Image.open(path).convert("RGB")
        seen = [max(1, round(side * about["scale"])) for side in image.size]
        found = label(net, about, np.asarray(image.resize(seen, Image.Resampling.BILINEAR)))
        picture = Image.fromarray(found.astype(np.uint8)).resize(image.size, Image.Resampling.NEAREST)
        picture.putpalette(np.uint8(about["colors"]).tobytes())
        picture.save(path.with_name(f"{path.stem}-label.png"))
        print(path.with_name(f"{path.stem}-label.png"))


if __name__ == "__main__":
    main(sys.argv[1:])
'''
