"""What PyTorch gives for HED and its loss: makes tests/saved/edges.npz.

    .venv-bench/bin/python tests/edges_oracle.py        .venv-bench is what `make bench` sets up

Weights and labels are drawn by their names, so that the tests can draw the same. The net is written here from the
paper's figure 3 with PyTorch's own layers, apart from `utils`. `tests/test_edges.py` reads the record.
"""

import pathlib
import zlib

import numpy as np

RECORD = pathlib.Path(__file__).resolve().parent / "saved" / "edges.npz"
SIZE = 13, 18  # no multiple of 4
CHANNELS = {1: 4, 2: 6, 4: 8}
PICTURES = {"mixed": (0.6, 0.2, 0.2), "no void": (0.9, 0.1, 0), "no edge": (0.8, 0, 0.2), "void": (0, 0, 1)}


def drawn(name, shape):
    """float32, the same for a name and a shape anywhere."""
    scale = 1.0 if name == "picture" else np.sqrt(2 / np.prod(shape[1:])) if len(shape) == 4 else 0.3
    return np.random.RandomState(zlib.crc32(name.encode())).normal(0, scale, shape).astype(np.float32)


def drawn_label(name):
    """(13, 18) float32 of 0, 1 and 255, in the shares that PICTURES has."""
    rng = np.random.RandomState(zlib.crc32(name.encode()))
    return rng.choice([0.0, 1.0, 255.0], SIZE, p=PICTURES[name]).astype(np.float32)


def _balanced(torch, logit, label):
    """Equation 2 of the paper over the labelled pixels, over their number; PyTorch's own loss of each pixel."""
    known = label != 255
    if not known.any():
        return logit.sum() * 0
    target, logit = label[known], logit[known]
    beta = (target == 0).float().mean()
    weight = torch.where(target == 1, beta, 1 - beta)
    return torch.nn.functional.binary_cross_entropy_with_logits(logit, target, weight=weight)


def _enlarged(torch, map_, stride):
    """Cell i at pixel stride · i, the last one repeated, cut to the picture."""
    if stride > 1:
        size = [stride * (n - 1) + 1 for n in map_.shape[2:]]
        map_ = torch.nn.functional.interpolate(map_, size=size, mode="bilinear", align_corners=True)
        map_ = torch.nn.functional.pad(map_, (0, stride, 0, stride), mode="replicate")
    return map_[:, :, : SIZE[0], : SIZE[1]]


def _net(torch, weights, x):
    h, before, sides = x, 3, []
    for stride, channels in CHANNELS.items():
        kernel = weights(f"conv{stride}", (channels, before, 3, 3))
        h = torch.relu(torch.nn.functional.conv2d(h, kernel, stride=1 if stride == 1 else 2, padding=1))
        score = torch.nn.functional.conv2d(h, weights(f"dsn{stride}", (1, channels, 1, 1)), weights(f"b{stride}", (1,)))
        sides.append(_enlarged(torch, score, stride))
        before = channels
    fusion = torch.nn.functional.conv2d(torch.cat(sides, 1), weights("fuse", (1, len(sides), 1, 1)))
    return [fusion, *sides]


def main():
    import torch

    record = {}
    for name in PICTURES:
        label = torch.tensor(drawn_label(name))
        logit = torch.tensor(3 * drawn(f"{name} score", SIZE), requires_grad=True)
        loss = _balanced(torch, logit, label)
        loss.backward()
        record |= {f"{name}, loss": loss.item(), f"{name}, gradient": logit.grad.numpy()}
    made = {}

    def weights(name, shape):
        return made.setdefault(name, torch.tensor(drawn(name, shape), requires_grad=True))

    for sides in 1, 0:
        made.clear()
        outputs = _net(torch, weights, torch.tensor(drawn("picture", (1, 3, *SIZE))))
        losses = [_balanced(torch, out[0, 0], torch.tensor(drawn_label("mixed"))) for out in outputs]
        loss = losses[0] + sides * sum(losses[1:])
        loss.backward()
        record |= {f"hed {sides}, loss": loss.item()}
        record |= {f"hed {sides}, {name}": array.grad.numpy() for name, array in made.items()}
    record["hed outputs"] = torch.stack([out[0, 0] for out in outputs]).detach().numpy()
    np.savez_compressed(RECORD, **record)


if __name__ == "__main__":
    main()
