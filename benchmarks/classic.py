"""The way of the classic Gluon tutorials: dense learned enlargement, softmax over axis 1, the data set in memory.

Nothing of `utils` is imported, as that would set the threads. The net is hybridized and Adam trains it, as on the other
sides, though the tutorials do neither.
"""

import functools

import mxnet as mx
import numpy as np
import psutil
from mxnet import autograd, gluon, image, nd
from mxnet.gluon import nn

from . import pictures
from .side import serve

MEAN, DEVIATION = nd.array([0.485, 0.456, 0.406]), nd.array([0.229, 0.224, 0.225])


def bilinear(channels, size):
    """(channels, channels, size, size): each channel enlarged into itself, zeros for the other pairs."""
    tent = 1 - np.abs(np.arange(size) - (size - 1) / 2) / (size / 2)
    return nd.array(np.eye(channels)[:, :, None, None] * np.outer(tent, tent))


def fcn(classes):
    """FCN-32s, its enlargement a full transposed convolution that begins bilinear and learns."""
    mx.random.seed(0)
    net = nn.HybridSequential()
    net.add(*gluon.model_zoo.vision.resnet18_v2().features[:-2])
    enlargement = nn.Conv2DTranspose(classes, kernel_size=64, strides=32, padding=16)
    net.add(nn.Conv2D(classes, kernel_size=1), enlargement)
    net.initialize(mx.init.Xavier())
    net(nd.zeros((1, 3, 64, 64)))
    enlargement.weight.set_data(bilinear(classes, 64))
    net.hybridize()
    return net


def loss_function():
    """Over all pixels: void has no index of its own here."""
    return gluon.loss.SoftmaxCrossEntropyLoss(axis=1)


def step(batch, height, width, classes):
    """Forward, loss, backward and update on one batch."""
    net, loss = fcn(classes), loss_function()
    loss.hybridize()
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 1e-4})
    x, y = pictures.batch(batch, height, width, classes)
    x, y = nd.array(x), nd.array(np.where(y == pictures.VOID, 0, y))

    def once():
        with autograd.record():
            losses = loss(net(x), y)
        losses.backward()
        trainer.step(batch)
        nd.waitall()

    return once, batch


def predict(batch, height, width, classes):
    """Normalised image → labels."""
    net, (x, _) = fcn(classes), pictures.batch(batch, height, width, classes)

    def once():
        net(nd.array(x)).argmax(axis=1).asnumpy()

    return once, batch


@functools.cache
def color_table():
    """(256³,) float64, 128 MB: the class of each colour, 0 for those of no class, void among them."""
    table = np.zeros(256**3)
    for index, (red, green, blue) in enumerate(pictures.palette()[:21].astype(int)):
        table[(red * 256 + green) * 256 + blue] = index
    return table


def indices(label_image, table):
    """(H, W, 3) colours, `NDArray` → (H, W) float64 class indices."""
    rgb = label_image.asnumpy().astype(np.int32)
    return table[(rgb[:, :, 0] * 256 + rgb[:, :, 1]) * 256 + rgb[:, :, 2]]


def _read(root, names):
    """All pictures, then all label images, decoded."""
    images = [image.imread(str(root / "JPEGImages" / f"{name}.jpg")) for name in names]
    return images, [image.imread(str(root / "SegmentationClass" / f"{name}.png")) for name in names]


class InMemory(gluon.data.Dataset):
    """Every picture decoded and normalised at the start, every label decoded to colours."""

    def __init__(self, root, crop_size):
        self.crop_size, self.table = crop_size, color_table()
        images, self.labels = _read(root, (root / "ImageSets/Segmentation/train.txt").read_text().split())
        self.images = [(picture.astype("float32") / 255 - MEAN) / DEVIATION for picture in images]
        nd.waitall()

    def __getitem__(self, index):
        height, width = self.crop_size
        picture, rectangle = image.random_crop(self.images[index], (width, height))
        label = image.fixed_crop(self.labels[index], *rectangle)
        return picture.transpose((2, 0, 1)), nd.array(indices(label, self.table))

    def __len__(self):
        return len(self.images)


def label(pairs):
    """Label files → class indices."""
    folder, table = pictures.make(pairs) / "SegmentationClass", color_table()
    paths = sorted(map(str, folder.glob("*.png")))

    def once():
        for path in paths:
            indices(image.imread(path), table)

    return once, pairs


def pair(pairs, height, width, in_memory):
    """Image and label, cropped and normalised: from files, or from memory in the epochs after the first."""
    root = pictures.make(pairs)
    kept = InMemory(root, (height, width)) if in_memory else None

    def once():
        dataset = kept or InMemory(root, (height, width))
        for i in range(pairs):
            dataset[i]
        nd.waitall()

    return once, pairs


def epoch(pairs, batch, height, width):
    """All batches once: for its memory."""
    root, needed = pictures.make(pairs), pairs * np.prod(pictures.SIZE) * (3 + 3 + 12)
    if needed > 0.8 * psutil.virtual_memory().available:
        raise MemoryError(f"the whole data set in memory takes {needed / 1e9:.1f} GB, more than is free here")
    loader = gluon.data.DataLoader(InMemory(root, (height, width)), batch, shuffle=True, last_batch="discard")

    def once():
        for x, _ in loader:
            x.wait_to_read()

    return once, pairs


if __name__ == "__main__":
    serve(step, predict, label, pair, epoch)
