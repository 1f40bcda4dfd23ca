"""HED: an edge score at every stride, each taught by itself, and their fusion (chapter 14).

Xie and Tu, *Holistically-Nested Edge Detection*, ICCV 2015 (arXiv:1504.06375).
"""

from mxnet import gluon, init
from mxnet.gluon import nn

from ..losses import HEDLoss
from .encoder import _offset, as_encoder, channels_of
from .surgery import receptive_margin
from .upsampling import MatrixUpsampling, reach
from .zoo import register_model


@register_model("hed", backbone="efficientnet_lite0")
class HED(gluon.HybridBlock):
    """(N, 3, H, W) normalised images → a tuple of (N, 2, H, W) scores: the fusion, then the sides, from fine to coarse.

    A 1 × 1 convolution, `score_dsn`, makes one score a cell of the backbone's last map at each stride. Enlarged
    bilinearly, from where its cells look, it is a side output. `fuse`, a 1 × 1 convolution over all, begins as their
    mean. The score of "no edge" is always 0: the softmax of the two is the sigmoid of the other, and a net of edges
    predicts as any other net, 0 and 1.

    classes: 2, or a ValueError. strides: those of the sides, default all that the backbone has. On VGG16 the paper's
    five, conv1_2 to conv5_3, are strides=(1, 2, 4, 8, 16). Layers behind the deepest side learn nothing: a trainer must
    not have them. zero: whether the sides' convolutions begin with zeros, as in the paper.
    """

    training_loss = HEDLoss

    def __init__(self, features, classes=2, strides=None, zero=True, **kwargs):
        super().__init__(**kwargs)
        if classes != 2:
            raise ValueError(
                f"HED for {classes} classes: expected 2, no edge and edge, as utils.data.edges.write_edges makes them"
            )
        self.features = features = as_encoder(features)
        channels = channels_of(features, padded=False)
        self.strides = sorted(channels if strides is None else strides)
        if missing := [stride for stride in self.strides if stride not in channels] or not self.strides:
            found, known = strides if missing is True else missing, ", ".join(map(str, channels))
            raise ValueError(f"strides={found!r}: expected some of {known}, the strides of this backbone's maps")
        self.stride = self.strides[-1]
        self.receptive_margin = max(map(self._margin, self.strides))
        with self.name_scope():
            self.score_dsn = nn.HybridSequential(prefix="")
            self.upscore = nn.HybridSequential(prefix="")
            for i, stride in enumerate(self.strides, 1):
                begin = init.Zero() if zero else None
                score = nn.Conv2D(1, 1, in_channels=channels[stride], weight_initializer=begin, prefix=f"score_dsn{i}_")
                self.score_dsn.add(score)
                self.upscore.add(MatrixUpsampling(1, stride, offset=_offset(features, stride)))
            count = len(self.strides)
            self.fuse = nn.Conv2D(1, 1, use_bias=False, in_channels=count, weight_initializer=init.Constant(1 / count))

    def _margin(self, stride):
        within = reach([stride], True, 0, [_offset(self.features, stride)])
        return receptive_margin(self.features.receptive_field(stride), *within)

    def hybrid_forward(self, F, x):
        maps = self.features.by_stride(x, self.strides)
        sides = [
            enlarge(score(maps[stride]), x)
            for stride, score, enlarge in zip(self.strides, self.score_dsn, self.upscore, strict=True)
        ]
        fusion = self.fuse(F.concat(*sides, dim=1))
        return tuple(F.concat(F.zeros_like(score), score, dim=1) for score in (fusion, *sides))
