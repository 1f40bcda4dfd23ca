"""Training pairs of one size, lazily read, and batches of them (chapter 02)."""

import numbers

import numpy as np
import psutil
from mxnet import gluon, nd

from .image_io import picture_size
from .labelmap import VOID
from .voc import (
    check_crop,
    data_classes,
    data_root,
    image_path,
    normalize,
    rand_crop,
    read_names,
    read_pair,
    scaled_size,
)

_NORMALIZED = normalize(np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1)).T.copy()
"""(3, 256): what `normalize` makes of a byte in each channel; to look it up is three times as fast as to compute it."""


class VOCSegDataset(gluon.data.Dataset):
    """A split in VOC layout as pairs (3, H, W) float32 normalised image, (H, W) float32 label (chapter 02).

    train: the split, and what is done to a pair: random crop and flip, or (False) the crop at the centre.
    crop_size: (height, width), or None for whole pictures of any size (test split only).
    root: folder of the data set, default voc_mini. scale: pictures are reduced by it first, 1 = as they are.
    small: pictures smaller than the crop are padded ("pad": image with the mean, label with void) or left
    out ("skip"). Items are read when asked for, so memory does not grow with the data. cache=True reads all of it
    at the start and keeps it, 4 bytes a pixel: 0.75 MB a picture of 375 × 500, 1.1 GB for VOC2012's 1,464 training
    pictures; a MemoryError where that is not free. Workers of a loader share it.

    `dataset[i]` draws its crop from `np.random`; `dataset[epoch, i]`, which `data_loader` uses, from
    (seed, epoch, i) alone, so that it is the same in every process and on every run.
    """

    def __init__(self, train, crop_size, root=None, scale=1.0, small="pad", seed=0, cache=False):
        if small not in ("pad", "skip"):
            raise ValueError(f"small={small!r}: expected 'pad' or 'skip'")
        if not isinstance(scale, numbers.Real) or not 0 < scale <= 1:
            raise ValueError(f"scale={scale!r}: expected a number above 0, at most 1")
        if crop_size is None and train:
            raise ValueError("crop_size=None gives whole pictures, for testing: training needs (height, width)")
        if crop_size is not None:
            check_crop(crop_size)
        self.train, self.crop_size, self.scale, self.seed = train, crop_size, scale, seed
        self.root = data_root() if root is None else data_root(root)
        self.classes = data_classes(self.root)
        self.names, self._small = read_names(self.root, train), []
        if crop_size is not None:
            self._small = [name for name in self.names if self._is_small(name)]
        self._skipped = set(self._small) if small == "skip" else set()
        self.names = [name for name in self.names if name not in self._skipped]
        if not self.names:
            raise ValueError(
                f"{self.root}: every picture is smaller than the crop {crop_size}: take a smaller crop_size, "
                "or small='pad'"
            )
        self._cached = self._read_all() if cache else None

    def _is_small(self, name):
        height, width = scaled_size(picture_size(image_path(self.root, name)), self.scale)
        return height < self.crop_size[0] or width < self.crop_size[1]

    def _read_all(self):
        sizes = [scaled_size(picture_size(image_path(self.root, name)), self.scale) for name in self.names]
        needed, free = 4 * sum(height * width for height, width in sizes), psutil.virtual_memory().available
        if needed > free:
            raise MemoryError(f"{self.root}: cache=True needs {needed / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free")
        return [self._read(name) for name in self.names]

    def _read(self, name):
        return read_pair(self.root, name, self.classes, self.scale)

    def __len__(self):
        return len(self.names)

    def __getitem__(self, key):
        if isinstance(key, tuple):
            epoch, index = key
            rng = np.random.RandomState([self.seed, epoch, index])
        else:
            index, rng = key, np.random
        image, label = self._cached[index] if self._cached else self._read(self.names[index])
        size = self.crop_size or label.shape
        image, label = self._crop(image, label, size, rng)
        flip = self.train and rng.randint(2)
        # all of the crop, for a picture smaller than it: the mean, which is 0 once normalised, and void
        x, y = np.zeros((3, *size), np.float32), np.full(size, VOID, np.float32)
        height, width = label.shape
        for plane, channel, values in zip(x, image.transpose(2, 0, 1), _NORMALIZED, strict=True):
            plane[:height, :width] = values[channel]
        y[:height, :width] = label
        if flip:
            x, y = x[:, :, ::-1], y[:, ::-1]
        return nd.array(x), nd.array(y)

    def _crop(self, image, label, size, rng):
        height, width = map(min, size, label.shape)
        if self.train:
            return rand_crop(image, label, height, width, rng)
        top, left = (label.shape[0] - height) // 2, (label.shape[1] - width) // 2
        return image[top : top + height, left : left + width], label[top : top + height, left : left + width]

    def __repr__(self):
        what = "whole pictures" if self.crop_size is None else "crops of {} × {}".format(*self.crop_size)
        count = "all" if self._small == self.names else len(self._small)
        small = f", {count} smaller than the crop" if self._small else ""
        done = (" left out" if self._skipped else " padded") if self._small else ""
        scale = "" if self.scale == 1 else f", scale {self.scale}"
        return (
            f"VOCSegDataset: {len(self)} {'train' if self.train else 'val'} pairs of {self.root.name}{scale}, "
            f"{len(self.classes)} classes, {what}{small}{done}"
        )


class EpochSampler(gluon.data.Sampler):
    """Yields (epoch, index) over all indices; the epoch counts how often the sampler was started.

    Loader workers are forked once and never hear of a new epoch, so the keys themselves carry it.
    """

    def __init__(self, length, shuffle, seed=0):
        self.length, self.shuffle, self.seed, self.epoch = length, shuffle, seed, -1

    def __iter__(self):
        self.epoch += 1
        order = np.arange(self.length)
        if self.shuffle:
            order = np.random.RandomState([self.seed, self.epoch]).permutation(self.length)
        return iter([(self.epoch, int(i)) for i in order])

    def __len__(self):
        return self.length


def data_loader(dataset, batch_size, num_workers=0):
    """`DataLoader` of a `VOCSegDataset`: batches (N, 3, H, W) and (N, H, W) float32 (chapter 02).

    Train: new order and new crops in each epoch, an incomplete last batch left out. Test: in order, all of it.
    The same for any number of worker processes. A batch larger than the training data is a ValueError.
    """
    for what, value, least in ("batch_size", batch_size, 1), ("num_workers", num_workers, 0):
        if not isinstance(value, numbers.Integral) or value < least:
            raise ValueError(f"{what}={value!r}: expected a whole number, at least {least}")
    if dataset.train and batch_size > len(dataset):
        raise ValueError(f"batch_size {batch_size}, but {dataset!r}: take at most {len(dataset)}")
    if dataset.crop_size is None and batch_size != 1:
        raise ValueError(f"batch_size {batch_size}: whole pictures differ in size, take 1 or give a crop_size")
    sampler = EpochSampler(len(dataset), shuffle=dataset.train, seed=dataset.seed)
    return gluon.data.DataLoader(
        dataset,
        batch_size,
        sampler=sampler,
        last_batch="discard" if dataset.train else "keep",
        num_workers=num_workers,
    )
