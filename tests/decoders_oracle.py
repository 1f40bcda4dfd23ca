"""What PyTorch's layers give for unpooling and for the nets of chapter 12: makes tests/saved/decoders.npz.

    .venv-bench/bin/python tests/decoders_oracle.py        .venv-bench is what `make bench` sets up

Weights are drawn by their names (`drawn`), so that the tests can draw the same; the nets are written here from the
papers' figures with PyTorch's own layers, apart from `utils`. `tests/test_decoders.py` reads the record.
"""

import pathlib
import zlib

import numpy as np

RECORD = pathlib.Path(__file__).resolve().parent / "saved" / "decoders.npz"
WIDTH, CLASSES = 2, 3
POOLED = {  # name: (shape, whether values repeat)
    "even": ((1, 2, 4, 6), False),
    "odd": ((2, 1, 5, 7), False),
    "thin": ((1, 2, 1, 3), False),
    "ties": ((1, 2, 6, 5), True),
}
PICTURES = {"segnet": (37, 50), "unet": (37, 50), "deconvnet": (50, 67), "published": (188, 204)}


def drawn(name, shape):
    """float32, the same for a name and a shape anywhere."""
    rng = np.random.RandomState(zlib.crc32(name.encode()))
    if name.endswith(("gamma", "running_var")):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    scale = np.sqrt(2 / np.prod(shape[1:])) if name.endswith("weight") else 0.3
    return rng.normal(0, scale, shape).astype(np.float32)


def pooled_array(name):
    shape, repeats = POOLED[name]
    array = drawn(name, shape)
    return np.round(array * 3) if repeats else array


def picture(name):
    return drawn(name, (1, 3, *PICTURES[name]))


def _record_pooling(torch):
    record = {}
    for name in POOLED:
        x = torch.tensor(pooled_array(name), requires_grad=True)
        maxima, flat = torch.nn.functional.max_pool2d(x, 2, 2, ceil_mode=True, return_indices=True)
        values = torch.tensor(drawn(f"{name} values", tuple(maxima.shape)), requires_grad=True)
        whole = torch.nn.MaxUnpool2d(2, 2)(values, flat, output_size=x.shape)
        whole.backward(torch.tensor(drawn(f"{name} slope", tuple(x.shape))))
        maxima.backward(torch.tensor(drawn(f"{name} maxima's slope", tuple(maxima.shape))))
        rows, columns = flat // x.shape[3], flat % x.shape[3]
        found = {"maxima": maxima, "indices": rows % 2 * 2 + columns % 2, "whole": whole}
        found |= {"values' gradient": values.grad, "x's gradient": x.grad}
        record |= {f"{name}, {what}": array.detach().numpy() for what, array in found.items()}
    return record


class _Nets:
    """The papers' figures in PyTorch's functions; layers are numbered as in the course's nets."""

    def __init__(self, torch):
        self.torch, self.f = torch, torch.nn.functional

    def value(self, name, *shape):
        return self.torch.tensor(drawn(name, shape))

    def batch_norm(self, x, name):
        parts = (self.value(f"{name}.{part}", x.shape[1]) for part in ("running_mean", "running_var", "gamma", "beta"))
        return self.f.batch_norm(x, *parts, eps=1e-5)

    def norm(self, x, name):
        return self.f.relu(self.batch_norm(x, name))

    def conv(self, x, name, channels, kernel=3, padding=1, transposed=False, bias=True):
        size = (x.shape[1], channels) if transposed else (channels, x.shape[1])
        layer = self.f.conv_transpose2d if transposed else self.f.conv2d
        bias = self.value(f"{name}.bias", channels) if bias else None
        return layer(x, self.value(f"{name}.weight", *size, kernel, kernel), bias, padding=padding)

    def unit(self, x, name, channels, kernel=3, padding=1, transposed=False):
        x = self.conv(x, f"{name}.0", channels, kernel, padding, transposed, bias=False)
        return self.norm(x, f"{name}.1")

    def contracting(self, x, padding=1, batch_norm=True):
        """Each map before its pooling, what pooling says of it, and the last map."""
        layer, before = 0, []
        for i in range(5):
            if i:
                pooled, flat = self.f.max_pool2d(x, 2, 2, ceil_mode=True, return_indices=True)
                before.append((x, flat))
                x, layer = pooled, layer + 1
            for _ in range(2):
                channels = WIDTH * 2**i
                x = self.conv(x, f"features.{layer}", channels, padding=padding, bias=not batch_norm)
                x = self.norm(x, f"features.{layer + 1}") if batch_norm else self.f.relu(x)
                layer += 3 if batch_norm else 2
        return before[::-1], x

    def unpooled(self, before, h, transposed):
        for step, (fine, flat) in enumerate(before):
            h = self.torch.nn.MaxUnpool2d(2, 2)(h, flat, output_size=fine.shape)
            last, channels = step == len(before) - 1, fine.shape[1]
            counts = [channels, channels if last else channels // 2]
            for i, after in enumerate(counts[: 1 if last and not transposed else 2]):
                h = self.unit(h, f"decoder.{step}.{i}", after, transposed=transposed)
        return h

    def segnet(self, x):
        before, h = self.contracting(x)
        h = self.unit(h, "reduce", WIDTH * 8, 1, 0)
        return self.conv(self.unpooled(before, h, False), "score", CLASSES)

    def deconvnet(self, x):
        before, h = self.contracting(x)
        h = self.unit(self.unit(h, "fc6", 8, 3, 0), "fc7", 8, 1, 0)
        h = self.unit(h, "deconv_fc6", WIDTH * 8, 3, 0, transposed=True)
        return self.conv(self.unpooled(before, h, True), "score", CLASSES, 1, 0)

    def unet(self, x, padding=1, batch_norm=True):
        before, h = self.contracting(x, padding, batch_norm)
        if batch_norm:  # of each map, the finest first
            h = self.batch_norm(h, f"norm.{len(before)}")
        for step, (fine, _) in enumerate(before):
            channels = fine.shape[1]
            if batch_norm:
                fine = self.batch_norm(fine, f"norm.{len(before) - 1 - step}")
            weight = self.value(f"upconv.{step}.weight", h.shape[1], channels, 2, 2)
            h = self.f.conv_transpose2d(h, weight, self.value(f"upconv.{step}.bias", channels), stride=2)
            if padding:
                h = h[:, :, : fine.shape[2], : fine.shape[3]]
            else:  # the published net crops the middle
                top, left = ((fine.shape[axis] - h.shape[axis]) // 2 for axis in (2, 3))
                fine = fine[:, :, top : top + h.shape[2], left : left + h.shape[3]]
            h = self.torch.cat([fine, h], 1)
            for i in range(2):
                name = f"decoder.{step}.{i}"
                if batch_norm:
                    h = self.unit(h, name, channels)
                else:
                    h = self.f.relu(self.conv(h, f"{name}.0", channels, padding=padding))
        return self.conv(h, "score", CLASSES, 1, 0)

    def published(self, x):
        return self.unet(x, padding=0, batch_norm=False)


def main():
    import torch

    record, nets = _record_pooling(torch), _Nets(torch)
    for name in PICTURES:
        x = torch.tensor(picture(name), requires_grad=True)
        scores = getattr(nets, name)(x)
        scores.backward(torch.tensor(drawn(f"{name} slope", tuple(scores.shape))))
        slope = x.grad[:, :, ::3, ::3]  # a ninth of it, to keep the file small
        record |= {f"{name}, scores": scores.detach().numpy(), f"{name}, x's gradient": slope.numpy()}
    np.savez_compressed(RECORD, **record)
    print(f"{RECORD.name}: {len(record)} arrays by PyTorch {torch.__version__}")


if __name__ == "__main__":
    main()
