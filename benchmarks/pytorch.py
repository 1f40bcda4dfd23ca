"""PyTorch: the course's FCN-32s on ResNet18, layer for layer, in plain torch. It runs in an environment of its own.

    .venv-bench/bin/python -m benchmarks.pytorch WEIGHTS.npz SCORES.npy

runs the net with the course's weights on the picture `x` among them: `tests/test_benchmarks.py` compares the scores.
"""

import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from . import pictures
from .side import serve


class FixedNorm(nn.BatchNorm2d):
    """BatchNorm of the image: no scale, no offset, and in training too the statistics that it was given."""

    def __init__(self, channels):
        super().__init__(channels, affine=False)

    def forward(self, x):
        return functional.batch_norm(x, self.running_mean, self.running_var, eps=self.eps)


class Block(nn.Module):
    """ResNet's basic block, version 2: normalisation and ReLU before each convolution."""

    def __init__(self, before, channels, stride):
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm2d(before), nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.downsample = nn.Conv2d(before, channels, 1, stride, bias=False) if before != channels else None

    def forward(self, x):
        a = functional.relu(self.bn1(x), inplace=True)
        residual = x if self.downsample is None else self.downsample(a)
        return self.conv2(functional.relu(self.bn2(self.conv1(a)), inplace=True)) + residual


class FCN32s(nn.Module):
    """(N, 3, H, W) → (N, classes, H, W). Names and numbers of the layers are those of `utils.FCN32s`."""

    def __init__(self, classes):
        super().__init__()
        layers = [FixedNorm(3), nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(True)]
        layers.append(nn.MaxPool2d(3, 2, 1))
        before = 64
        for channels, stride in (64, 1), (128, 2), (256, 2), (512, 2):
            layers.append(nn.Sequential(Block(before, channels, stride), Block(channels, channels, 1)))
            before = channels
        self.features = nn.Sequential(*layers, nn.BatchNorm2d(512), nn.ReLU(True))
        self.score_fr = nn.Conv2d(512, classes, 1)

    def forward(self, x):
        scores = self.score_fr(self.features(x))
        high, wide = (32 * n + 1 for n in scores.shape[2:])
        # cell i at pixel 32 i, the last one repeated; compiled, the backward pass of a replicating `pad` fails
        scores = torch.cat([scores, scores[:, :, -1:]], dim=2)
        scores = torch.cat([scores, scores[:, :, :, -1:]], dim=3)
        scores = functional.interpolate(scores, size=(high, wide), mode="bilinear", align_corners=True)
        return scores[:, :, : x.shape[2], : x.shape[3]]


def load(net, weights):
    """Copy the course's parameters, a dict of arrays by their Gluon names."""
    words = {"gamma": "weight", "beta": "bias"}
    state = {}
    for name, array in weights.items():
        layer, what = name.rsplit(".", 1)
        if not name.startswith("upscore") and name not in ("features.0.gamma", "features.0.beta"):
            state[f"{layer}.{words.get(what, what)}"] = torch.from_numpy(array)
    missing, unexpected = net.load_state_dict(state, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ValueError(f"another net: {missing} missing, {unexpected} unexpected")


def _format(channels_last):
    return torch.channels_last if channels_last else torch.contiguous_format


def measures(Net):
    """The two measures of a net made by Net(classes), for `serve`."""

    def step(batch, height, width, classes, compiled, channels_last):
        """Forward, loss, backward and update on one batch."""
        torch.manual_seed(0)
        net = Net(classes).to(memory_format=_format(channels_last))
        optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=1e-4, fused=True)
        x, y = map(torch.from_numpy, pictures.batch(batch, height, width, classes))
        x = x.to(memory_format=_format(channels_last))

        def loss(x, y):
            return functional.cross_entropy(net(x), y, ignore_index=pictures.VOID)

        if compiled:
            loss = torch.compile(loss)

        def once():
            optimizer.zero_grad(set_to_none=True)
            loss(x, y).backward()
            optimizer.step()

        return once, batch

    def predict(batch, height, width, classes, compiled, channels_last, frozen=False):
        """Normalised image → labels. frozen: compiled with weights as constants, laid out for the processor."""
        torch.manual_seed(0)
        net, (x, _) = Net(classes).eval(), pictures.batch(batch, height, width, classes)
        net = net.to(memory_format=_format(channels_last))

        def labels(x):
            return net(x).argmax(dim=1).to(torch.uint8)

        if compiled:
            labels = torch.compile(labels, options={"freezing": frozen})

        def once():
            with torch.inference_mode():
                labels(torch.from_numpy(x).to(memory_format=_format(channels_last))).numpy()

        return once, batch

    return step, predict


def _scores(weights_path, scores_path):
    weights = dict(np.load(weights_path))
    x, net = torch.from_numpy(weights.pop("x")), FCN32s(len(weights["score_fr.weight"])).eval()
    load(net, weights)
    with torch.inference_mode():
        np.save(scores_path, net(x).numpy())


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _scores(*sys.argv[1:])
    else:
        serve(*measures(FCN32s))
