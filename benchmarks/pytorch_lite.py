"""PyTorch: EfficientNet-Lite0 as published, and the course's FCN-8s on it, in plain torch, in its own environment.

    .venv-bench/bin/python -m benchmarks.pytorch_lite record WEIGHTS.pth PICTURES.npz RECORD.json
    .venv-bench/bin/python -m benchmarks.pytorch_lite scores WEIGHTS.pth SCORES.npz

The first writes what the published net says of pictures, which `tests/test_efficientnet_lite.py` holds the course's net
to; the second adds `scores`, of FCN-8s with the score layers and the picture `x` that the file has. WEIGHTS.pth is that
of the package in NOTICE, read by `torch.load`.
"""

import json
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .pytorch import measures
from .side import serve

STAGES = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192)]
STAGES += [(1, 3, 1, 6, 320)]
ENDS = {2: 4, 4: 8, 10: 16, 15: 32}  # block: stride of its map
MEAN, DEVIATION = (torch.tensor(values).reshape(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


class Conv(nn.Conv2d):
    """Padded on both sides alike, or as TensorFlow does: what is left over behind."""

    def __init__(self, before, channels, kernel, stride=1, groups=1, bias=False, same=False):
        self.behind = same and stride > 1
        super().__init__(before, channels, kernel, stride, 0 if self.behind else kernel // 2, groups=groups, bias=bias)

    def forward(self, x):
        if self.behind:
            whole = [max(0, (-(-n // 2) - 1) * 2 + self.kernel_size[0] - n) for n in (x.shape[3], x.shape[2])]
            x = functional.pad(x, [part for n in whole for part in (n // 2, n - n // 2)])
        return super().forward(x)


class Block(nn.Module):
    """Names are those of the file."""

    def __init__(self, before, channels, kernel, stride, times, same):
        super().__init__()
        inside, self.times = before * times, times
        if times > 1:
            self._expand_conv = Conv(before, inside, 1)
            self._bn0 = nn.BatchNorm2d(inside, eps=1e-3)
        self._depthwise_conv = Conv(inside, inside, kernel, stride, inside, same=same)
        self._bn1 = nn.BatchNorm2d(inside, eps=1e-3)
        self._project_conv = Conv(inside, channels, 1)
        self._bn2 = nn.BatchNorm2d(channels, eps=1e-3)
        self.adds = stride == 1 and before == channels

    def forward(self, x):
        out = functional.relu6(self._bn0(self._expand_conv(x)), inplace=True) if self.times > 1 else x
        out = functional.relu6(self._bn1(self._depthwise_conv(out)), inplace=True)
        out = self._bn2(self._project_conv(out))
        return out + x if self.adds else out


class Lite0(nn.Module):
    """The classifier: (N, 3, H, W), normalised as the course does it → (N, 1000)."""

    def __init__(self, same=True):
        super().__init__()
        self._conv_stem, self._bn0 = Conv(3, 32, 3, 2, same=same), nn.BatchNorm2d(32, eps=1e-3)
        blocks, before = [], 32
        for repeat, kernel, stride, times, channels in STAGES:
            for i in range(repeat):
                blocks.append(Block(before, channels, kernel, 1 if i else stride, times, same))
                before = channels
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1, self._fc = Conv(320, 1280, 1), nn.BatchNorm2d(1280, eps=1e-3), nn.Linear(1280, 1000)

    def maps(self, x):
        """{stride: map}."""
        x = (255 * (x * DEVIATION + MEAN) - 127) / 128
        x, found = functional.relu6(self._bn0(self._conv_stem(x)), inplace=True), {}
        for i, block in enumerate(self._blocks):
            x = block(x)
            if i in ENDS:
                found[ENDS[i]] = x
        return found

    def forward(self, x):
        x = functional.relu6(self._bn1(self._conv_head(self.maps(x)[32])))
        return self._fc(x.mean((2, 3)))


def fold(net):
    """BatchNorm into the convolutions, in place: weights times γ/σ, a bias instead."""
    pairs = [(net, "_conv_stem", "_bn0"), (net, "_conv_head", "_bn1")]
    for block in net._blocks:
        names = ("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")
        pairs += [(block, *two) for two in names if hasattr(block, two[0])]
    for owner, conv, norm in pairs:
        layer, values = getattr(owner, conv), (getattr(getattr(owner, norm), name) for name in _NORM)
        fused = nn.utils.fuse_conv_bn_weights(layer.weight, None, *values)
        layer.weight, layer.bias = (nn.Parameter(part.detach()) for part in fused)
        setattr(owner, norm, nn.Identity())
    return net


_NORM = "running_mean", "running_var", "eps", "weight", "bias"


class FCN8s(nn.Module):
    """The course's, on the folded net with its depthwise convolutions frozen: symmetric padding, aligned."""

    def __init__(self, classes, features=None):
        super().__init__()
        self.features = fold((features or Lite0(same=False)).eval())
        del self.features._conv_head, self.features._fc
        for block in self.features._blocks:
            block._depthwise_conv.requires_grad_(False)
        self.score_fr, self.score_pool4, self.score_pool3 = (nn.Conv2d(n, classes, 1) for n in (320, 112, 40))

    def forward(self, x):
        maps = self.features.maps(x)
        scores = enlarge(self.score_fr(maps[32]), 2, maps[16]) + self.score_pool4(maps[16])
        scores = enlarge(scores, 2, maps[8]) + self.score_pool3(maps[8])
        return enlarge(scores, 8, x)


def enlarge(scores, factor, like):
    """Cell i at pixel factor · i, the last one repeated."""
    high, wide = (factor * n + 1 for n in scores.shape[2:])
    scores = torch.cat([scores, scores[:, :, -1:]], dim=2)
    scores = torch.cat([scores, scores[:, :, :, -1:]], dim=3)
    scores = functional.interpolate(scores, size=(high, wide), mode="bilinear", align_corners=True)
    return scores[:, :, : like.shape[2], : like.shape[3]]


def _published(path, same):
    net = Lite0(same).eval()
    net.load_state_dict(torch.load(path, weights_only=True))
    return net


def _record(weights, given, path):
    found = {}
    for name, x in np.load(given).items():
        for padding in "same", "symmetric":
            net = _published(weights, padding == "same")
            with torch.inference_mode():
                scores, maps = net(torch.from_numpy(x))[0], net.maps(torch.from_numpy(x))
            top = scores.topk(5)
            found[f"{name}, {padding}"] = {
                "top": top.indices.tolist(),
                "scores": [round(value, 6) for value in [*top.values.tolist(), *scores[::50].tolist()]],
                "maps": {str(s): [round(f(m).item(), 6) for f in (torch.mean, torch.std)] for s, m in maps.items()},
            }
    with open(path, "w", encoding="utf-8") as file:
        file.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in found.items()) + "\n}\n")


def _scores(weights, path):
    arrays = dict(np.load(path))
    net = FCN8s(len(arrays["score_fr.weight"]), _published(weights, same=False)).eval()
    state = {name: torch.from_numpy(array) for name, array in arrays.items() if name.startswith("score_")}
    assert not net.load_state_dict(state, strict=False).unexpected_keys
    with torch.inference_mode():
        np.savez(path, **arrays, scores=net(torch.from_numpy(arrays["x"])).numpy())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        {"record": _record, "scores": _scores}[sys.argv[1]](*sys.argv[2:])
    else:
        serve(*measures(FCN8s))
