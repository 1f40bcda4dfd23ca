"""SegNet: a decoder that remembers of each map only where its maxima were (chapter 12).

Badrinarayanan, Kendall and Cipolla, PAMI 2017 (arXiv:1511.00561).
"""

from mxnet import gluon
from mxnet.gluon import nn

from .encoder import (
    as_encoder,
    channels_of,
    conv_unit,
    last_enlargement,
    last_score,
    like_map,
    margin_of,
    unpooling_stages,
)
from .unpooling import MaxPoolWithIndices, MaxUnpool
from .zoo import register_model


@register_model("segnet", backbone="efficientnet_lite0")
class SegNet(gluon.HybridBlock):
    """(N, 3, H, W) normalised images → (N, classes, H, W) scores, for any H and W.

    Each step of the decoder puts the values of its map where the finer map of the encoder has the maxima of its 2 × 2
    cells, zeros elsewhere, and convolves. From the encoder come the indices and its last map, nothing more. convs:
    3 × 3 convolutions after each unpooling, one number for all, or one each, the coarsest first; the last one of all
    gives the scores. On VGG16, with convs=(3, 3, 3, 2, 2), it is the paper's net, whose encoder has BatchNorm besides.

    A backbone that halves by strided convolutions never takes those maxima. The indices are then those that pooling
    its maps would give, and `reduce` brings its last map to as many channels as the finer one has indices. Where the
    finest map is at stride 2, scores are enlarged by 2 at the end, as those of the FCNs are.
    """

    def __init__(self, features, classes, convs=2, **kwargs):
        super().__init__(**kwargs)
        self.features = features = as_encoder(features)
        channels = channels_of(features)
        self.stride, finest = max(channels), min(channels)
        with self.name_scope():
            self.reduce = _fitting(channels[self.stride], channels[self.stride // 2])
            self.indices, self.unpool = MaxPoolWithIndices(), MaxUnpool()
            self.decoder = nn.HybridSequential()
            stages = unpooling_stages(channels, convs, scored_by_last=True)
            self.decoder.add(*stages.values())
            self.score = last_score(channels[finest], classes, kernel=3)
            self.upscore = last_enlargement(features, classes)
        steps = {stride: len(stage) + (stride == finest) for stride, stage in stages.items()}
        self.receptive_margin = margin_of(features, steps | {self.stride: 0})

    def hybrid_forward(self, F, x):
        maps = self.features.by_stride(x, self.features.ends)
        h = maps.pop(self.stride)
        h = self.reduce(h) if self.reduce is not None else h
        for stride, stage in zip(reversed(maps), self.decoder, strict=True):
            _, indices = self.indices(maps[stride])
            h = stage(self.unpool(h, indices, like_map(F, x, stride)))
        scores = self.score(h)
        return scores if self.upscore is None else self.upscore(scores, x)


def _fitting(before, channels):
    """1 × 1 from one number of channels to another; None where they are the same."""
    return None if before == channels else conv_unit(before, channels, kernel=1)
