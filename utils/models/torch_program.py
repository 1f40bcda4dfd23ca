"""The program that `export_torch` writes beside a net's weights, for PyTorch: its parts, with @names@ to be filled in.

`torch_state.lines` puts them together. They run where PyTorch is, never here.
"""

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

    paths = [pathlib.Path(picture) for picture in pictures]
    targets = [path.with_name(f"{path.stem}-label.png") for path in paths]
    for path, target in zip(paths, targets, strict=True):
        if not path.is_file():
            sys.exit(f"{path}: no such picture")
        if target.exists() or targets.count(target) > 1:
            sys.exit(f"{target}: would be replaced; move what is there away, or give {path} another name")
    net, about = load()
    for path, target in zip(paths, targets, strict=True):
        image = Image.open(path).convert("RGB")
        seen = [max(1, round(side * about["scale"])) for side in image.size]
        found = label(net, about, np.asarray(image.resize(seen, Image.Resampling.BILINEAR)))
        picture = Image.fromarray(found.astype(np.uint8)).resize(image.size, Image.Resampling.NEAREST)
        picture.putpalette(np.uint8(about["colors"]).tobytes())
        picture.save(target)
        print(target)


if __name__ == "__main__":
    main(sys.argv[1:])
'''
