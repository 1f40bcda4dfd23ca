"""The FCNs that the paper's authors published, on VGG16, name for name (chapters 07 and 11)."""

from mxnet import gluon, init
from mxnet.gluon import nn

from .surgery import receptive_field, receptive_margin
from .upsampling import BilinearUpsampling, reach

BLOCKS = {1: (2, 64), 2: (2, 128), 3: (3, 256), 4: (3, 512), 5: (3, 512)}
"""VGG16's convolutions: number and channels in each block, before its pooling."""


class VGG16FCN(gluon.HybridBlock):
    """(N, 3, H, W) normalised images → (N, classes, H, W) scores: FCN-32s, 16s or 8s (voc-fcn32s, 16s, 8s).

    The image is padded by 100 in conv1_1, so that fc6, whose kernel is 7 × 7 at stride 32, has something to look at in
    small images too; pooling rounds sizes up, as Caffe's does; every sum and the output are cut by the offsets
    that this brings (19; 5 and 27; 5, 9 and 31). Enlargement is bilinear and fixed, without padding. Biases learn at
    double rate and without decay. Score layers begin with zeros. `finest` is 32, 16 or 8, what it was made with as
    stride; `stride` that of its coarsest map, always 32.
    """

    stride = 32

    def __init__(self, num_classes=21, stride=32, **kwargs):
        super().__init__(**kwargs)
        self.finest = stride
        with self.name_scope():
            channels = 3
            for block, (count, width) in BLOCKS.items():
                for i in range(1, count + 1):
                    padding = 100 if channels == 3 else 1
                    setattr(self, f"conv{block}_{i}", _conv(channels, width, 3, padding, activation="relu"))
                    channels = width
                setattr(self, f"pool{block}", nn.MaxPool2D(2, 2, ceil_mode=True))
            self.fc6 = _conv(channels, 4096, 7, activation="relu")
            self.drop6 = nn.Dropout(0.5)
            self.fc7 = _conv(4096, 4096, 1, activation="relu")
            self.drop7 = nn.Dropout(0.5)
            self.score_fr = _score(4096, num_classes)
            if stride == 32:
                self.upscore = _upscore(num_classes, 32)
            else:
                self.upscore2 = _upscore(num_classes, 2)
                self.score_pool4 = _score(BLOCKS[4][1], num_classes)
            if stride == 16:
                self.upscore16 = _upscore(num_classes, 16)
            if stride == 8:
                self.upscore_pool4 = _upscore(num_classes, 2)
                self.score_pool3 = _score(BLOCKS[3][1], num_classes)
                self.upscore8 = _upscore(num_classes, 8)
        for parameter in self.collect_params(".*bias").values():
            parameter.lr_mult, parameter.wd_mult = 2.0, 0.0
        self.receptive_margin = self._margin()

    def hybrid_forward(self, F, x):
        pooled, h = {}, x
        for block, (count, _) in BLOCKS.items():
            for i in range(1, count + 1):
                h = getattr(self, f"conv{block}_{i}")(h)
            h = pooled[block] = getattr(self, f"pool{block}")(h)
        h = self.drop6(self.fc6(h))
        scores = self.score_fr(self.drop7(self.fc7(h)))  # 1/32
        if self.finest == 32:
            return _crop(F, self.upscore(scores), x, 19)
        upscore2 = self.upscore2(scores)  # 1/16
        fuse_pool4 = upscore2 + _crop(F, self.score_pool4(pooled[4]), upscore2, 5)
        if self.finest == 16:
            return _crop(F, self.upscore16(fuse_pool4), x, 27)
        upscore_pool4 = self.upscore_pool4(fuse_pool4)  # 1/8
        fuse_pool3 = upscore_pool4 + _crop(F, self.score_pool3(pooled[3]), upscore_pool4, 9)
        return _crop(F, self.upscore8(fuse_pool3), x, 31)

    def _margin(self):
        """The most that a pixel's score looks beyond it, by way of fc7, pool4 and pool3, cut as in `hybrid_forward`."""
        layers = list(self._children.values())  # in the order of the figure, up to drop7
        ways = {32: [(self.drop7, [32], 0)], 16: [(self.drop7, [2, 16], 0), (self.pool4, [16], -5)]}
        ways[8] = [(self.drop7, [2, 2, 8], 0), (self.pool4, [2, 8], -5), (self.pool3, [8], -9)]
        cut, margins = {32: 19, 16: 27, 8: 31}[self.finest], []
        for last, factors, start in ways[self.finest]:
            low, high = (end - cut for end in reach(factors, None, start))
            margins.append(receptive_margin(receptive_field(layers[: layers.index(last) + 1]), low, high))
        return max(margins)

    def copy_classifier(self, vgg16):
        """Take over the convolutions of Gluon's `vgg16`; its first two fully connected layers become fc6 and fc7."""
        theirs = [layer for layer in vgg16.features if isinstance(layer, (nn.Conv2D, nn.Dense))]
        ours = [getattr(self, f"conv{block}_{i + 1}") for block, (count, _) in BLOCKS.items() for i in range(count)]
        for mine, layer in zip([*ours, self.fc6, self.fc7], theirs, strict=True):
            mine.weight.set_data(layer.weight.data().reshape(mine.weight.shape))
            mine.bias.set_data(layer.bias.data())


def _conv(in_channels, channels, kernel_size, padding=0, **options):
    return nn.Conv2D(channels, kernel_size, padding=padding, in_channels=in_channels, **options)


def _score(in_channels, num_classes):
    return _conv(in_channels, num_classes, 1, weight_initializer=init.Zero())


def _upscore(num_classes, stride):
    return BilinearUpsampling(num_classes, stride, align=None)


def _crop(F, x, like, offset):
    """Cut `offset` rows and columns off the top and left, then x to the height and width of `like`."""
    return F.slice_like(F.slice(x, begin=(None, None, offset, offset), end=(None,) * 4), like, axes=(2, 3))
