"""Training pairs of one size, lazily read, and batches of them (chapter 02)."""

import copy
import numbers

import numpy as np
import psutil
from mxnet import gluon, nd

from .image_io import picture_size
from .transforms import CenterCrop, Compose, RandomCrop, RandomFlip, check_crop, normalize, resize, scaled_size
from .voc import data_classes, data_root, image_path, name_fault, read_names, read_pair, split_name

_NORMALIZED = normalize(np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1)).T.copy()
"""(3, 256): what `normalize` makes of a byte in each channel; to look it up is three times as fast as to compute it."""


class VOCSegDataset(gluon.data.Dataset):
    """A list in VOC layout as pairs (3, H, W) float32 normalised image, (H, W) float32 label (chapter 02).

    split: which list of `ImageSets/Segmentation`, such as "trainval" or "held_out". names: these pictures, in this
    order, in place of a list. train: whether pairs are for training, so that `data_loader` takes them in a new order
    each epoch, whole batches only; default: True for the list "train", else False. Without split and names, train=True
    stands for "train" and train=False for "val".
    transform: what is done to a picture and its label, for any list: `Compose([RandomScale(), RandomCrop(size), …])`,
    or a function (sample, rng) → sample (`utils/data/transforms.py`). Without one, crop_size decides: (height, width)
    is a random crop and flip for training, else the crop at the centre; None is the whole picture, not for training.
    root: folder of the data set, default voc_mini. scale: pictures are reduced by it first, 1 = as they are.
    small: pictures smaller than the crop are padded ("pad": image with the mean, label with void) or left
    out ("skip"). Items are read when asked for, so memory does not grow with the data. cache=True reads all of it
    at the start and keeps it, 4 bytes a pixel: 0.75 MB a picture of 375 × 500, 1.1 GB for VOC2012's 1,464 training
    pictures; a MemoryError where that is not free. Workers of a loader share it.
    extra: further targets that transforms carry along, as {"edges": function}, where function(name) reads an array
    (H, W), uint8 or float32, for a picture's name. An item is then (image, label, edges), all float32, and so is a
    batch: `train` hands the loss all of it, `evaluate` leaves them out. A transform may add targets too.

    `dataset[i]` draws its crop from `np.random`; `dataset[epoch, i]`, which `data_loader` uses, from
    (seed, epoch, i) alone, so that it is the same in every process and on every run. Gluon's `take`, `shard` and
    `sample` give a part of it, a `VOCSegDataset` again.
    """

    def __init__(
        self, train=None, crop_size=None, root=None, scale=1.0, small="pad", seed=0, cache=False, *,
        split=None, names=None, transform=None, extra=None,
    ):  # fmt: skip
        if small not in ("pad", "skip"):
            raise ValueError(f"small={small!r}: expected 'pad' or 'skip'")
        if not isinstance(scale, numbers.Real) or not 0 < scale <= 1:
            raise ValueError(f"scale={scale!r}: expected a number above 0, at most 1")
        if split is not None and names is not None:
            raise ValueError(f"split={split!r} and names: give one, as both say which pictures are meant")
        if train is None:
            train = names is None and split in (None, "train")
        self.split = split_name(train, split) if names is None else None
        if transform is None and crop_size is None and train:
            raise ValueError(
                "crop_size=None gives whole pictures, for testing: training needs (height, width), or a transform"
            )
        if transform is not None and crop_size is not None:
            raise ValueError(
                f"crop_size={crop_size!r} and a transform: the transform crops, as in utils.Compose([..., "
                f"utils.RandomCrop({crop_size!r})]); leave crop_size out"
            )
        if crop_size is not None:
            check_crop(crop_size)
        if taken := {"image", "label", "padding"}.intersection(extra or {}):
            raise ValueError(f"extra={', '.join(map(repr, taken))}: taken already; give the target another name")
        self._own = transform is not None
        self._transform = _transform(transform, train, crop_size)
        self.train, self.scale, self.seed, self.extra = train, scale, seed, dict(extra or {})
        self.crop_size = self._transform.size if self._own else crop_size
        self.root = data_root() if root is None else data_root(root)
        self.classes = data_classes(self.root)
        self.names, self._small = read_names(self.root, split=self.split) if names is None else _given(names), []
        if self.crop_size is not None:
            self._small = [name for name in self.names if self._is_small(name)]
        self._skipped = set(self._small) if small == "skip" else set()
        self.names = [name for name in self.names if name not in self._skipped]
        if not self.names:
            raise ValueError(
                f"{self.root}: every picture is smaller than the crop {self.crop_size}: take a smaller crop_size, "
                "or small='pad'"
            )
        self._cached = self._read_all() if cache else None

    def _is_small(self, name):
        height, width = scaled_size(picture_size(image_path(self.root, name)), self.scale)
        return height < self.crop_size[0] or width < self.crop_size[1]

    def _read_all(self):
        sizes = [scaled_size(picture_size(image_path(self.root, name)), self.scale) for name in self.names]
        a_pixel = 4 * (1 + len(self.extra))
        needed, free = a_pixel * sum(height * width for height, width in sizes), psutil.virtual_memory().available
        if needed > free:
            raise MemoryError(f"{self.root}: cache=True needs {needed / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free")
        samples = {name: self._read(name) for name in self.names}
        for array in (array for sample in samples.values() for array in sample.values()):
            array.setflags(write=False)  # a transform that writes into what it is given would spoil the next epoch
        return samples

    def _read(self, name):
        """The sample of a name, as transforms take it."""
        image, label = read_pair(self.root, name, self.classes, self.scale)
        sample = {"image": image, "label": label}
        for key, function in self.extra.items():
            target = resize(_target(key, function, name), self.scale)
            if target.shape != label.shape:
                raise ValueError(
                    f"extra target {key!r} of {name}, at scale {self.scale:g}: {target.shape}, "
                    f"but its label is {label.shape} (height, width)"
                )
            sample[key] = target
        return sample

    def __len__(self):
        return len(self.names)

    def __getitem__(self, key):
        if isinstance(key, tuple):
            epoch, index = key
            rng = np.random.RandomState([self.seed, epoch, index])
        else:
            index, rng = key, np.random
        name = self.names[index]
        sample = self._cached[name] if self._cached else self._read(name)
        image, label, padding, *extra = _parts(**self._transform(sample, rng))
        x = np.empty((3, *label.shape), np.float32)
        for plane, channel, values in zip(x, image.transpose(2, 0, 1), _NORMALIZED, strict=True):
            plane[:] = values[channel]
        if padding is not None:
            x[:, padding] = 0  # the mean, as no byte is
        return tuple(nd.array(array) for array in (x, label, *extra))

    def _part(self, indices):
        part = copy.copy(self)
        part.names = [self.names[i] for i in indices]
        kept = self._skipped.union(part.names)
        part._small = [name for name in self._small if name in kept]
        return part

    def take(self, count):
        """A data set of the first `count` pictures."""
        return self._part(super().take(count)._indices)

    def shard(self, num_shards, index):
        """A data set of one of `num_shards` parts of nearly the same length."""
        return self._part(super().shard(num_shards, index)._indices)

    def sample(self, sampler):
        """A data set of the pictures at the indices that a `gluon.data.Sampler` gives."""
        return self._part(super().sample(sampler)._indices)

    def __repr__(self):
        what = "whole pictures" if self.crop_size is None else "crops of {} × {}".format(*self.crop_size)
        what = repr(self._transform) if self._own else what
        count = "all" if self._small == self.names else len(self._small)
        small = f", {count} smaller than the crop" if self._small else ""
        done = (" left out" if self._skipped else " padded") if self._small else ""
        scale = "" if self.scale == 1 else f", scale {self.scale}"
        role = "" if self.split == split_name(self.train) else (" to train with" if self.train else " to test on")
        extra = f", with {', '.join(self.extra)}" if self.extra else ""
        return (
            f"VOCSegDataset: {len(self)} {self.split or 'named'} pairs of {self.root.name}{role}{scale}, "
            f"{len(self.classes)} classes, {what}{small}{done}{extra}"
        )


def _transform(given, train, crop_size):
    """A `Compose` of what was given, or of what `train` and `crop_size` ask for."""
    if given is not None:
        return given if isinstance(given, Compose) else Compose([given])
    if crop_size is None:
        return Compose([])
    return Compose([RandomCrop(crop_size), RandomFlip()] if train else [CenterCrop(crop_size)])


def _given(names):
    """Names from elsewhere than a list, as a list."""
    names = names if isinstance(names, str) else list(names)
    wrong = not names or isinstance(names, str) or not all(isinstance(name, str) for name in names)
    if wrong or len(set(names)) < len(names) or any(map(name_fault, names)):
        raise ValueError(f"names={names!r:.80}: expected names of pictures, each once and without .jpg")
    return names


def _target(key, function, name):
    target = function(name)
    if not isinstance(target, np.ndarray) or target.ndim != 2 or target.dtype.name not in ("uint8", "float32"):
        found = f"{target.shape}, {target.dtype}" if isinstance(target, np.ndarray) else type(target).__name__
        raise ValueError(f"extra target {key!r} of {name}: {found}; expected a NumPy array (H, W), uint8 or float32")
    return target


def _parts(image, label, padding=None, **extra):
    return image, label, padding, *extra.values()


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

    Train: new order and new crops in each epoch, an incomplete last batch left out. Test: in order, all of it. Which
    of the two, `dataset.train` says, not the list that its pictures are from. Extra targets follow as further arrays
    (N, H, W) float32: batches are then (x, y, edges, ...). The same for any number of worker processes. A batch larger
    than the training data is a ValueError, and so is one of pictures whose size no crop decides. Workers hand over
    batches through /dev/shm: a MemoryError where these would not fit, as in a container, an OSError where it is shut.
    """
    for what, value, least in ("batch_size", batch_size, 1), ("num_workers", num_workers, 0):
        if not isinstance(value, numbers.Integral) or value < least:
            raise ValueError(f"{what}={value!r}: expected a whole number, at least {least}")
    if dataset.train and batch_size > len(dataset):
        raise ValueError(f"batch_size {batch_size}, but {dataset!r}: take at most {len(dataset)}")
    if dataset.crop_size is None and batch_size != 1:
        raise ValueError(
            f"batch_size {batch_size}: whole pictures differ in size, take 1 or give a crop_size; a transform ends in "
            "RandomCrop or CenterCrop, or says by its attribute `size` what (height, width) it gives"
        )
    if num_workers:
        from .shared_memory import check_room

        check_room(dataset, batch_size, num_workers)
    sampler = EpochSampler(len(dataset), shuffle=dataset.train, seed=dataset.seed)
    return gluon.data.DataLoader(
        dataset,
        batch_size,
        sampler=sampler,
        last_batch="discard" if dataset.train else "keep",
        num_workers=num_workers,
    )
