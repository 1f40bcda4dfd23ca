"""DeconvNet: the mirror image of a classifier, its fully connected layers in the middle (chapter 12).

Noh, Hong and Han, ICCV 2015 (arXiv:1505.04366).
"""

from mxnet import gluon, nd
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


@register_model("deconvnet", backbone="efficientnet_lite0")
class DeconvNet(gluon.HybridBlock):
    """(N, 3, H, W) normalised images → (N, classes, H, W) scores, for pictures of at least kernel cells each way.

    fc6, fc7: a convolution of kernel × kernel, unpadded, and one of 1 × 1, to `units` channels, as the classifier has
    them. deconv_fc6 goes back to the last map's channels, then each step unpools as `SegNet` does and convolves by
    transposed convolutions of 3 × 3, `convs` of them. The paper's net is on VGG16 with kernel=7, units=4096 and
    convs=(3, 3, 3, 2, 2): 252 million parameters, for pictures of 224 × 224. kernel=7 needs 7 × 7 cells of the coarsest
    map, 193 pixels at stride 32 (`smallest`); a smaller picture is a ValueError.
    """

    def __init__(self, features, classes, kernel=7, units=4096, convs=2, **kwargs):
        super().__init__(**kwargs)
        if not all(isinstance(number, int) and number >= 1 for number in (kernel, units)):
            raise ValueError(f"kernel={kernel!r}, units={units!r}: expected whole numbers from 1 on")
        self.features = features = as_encoder(features)
        channels = channels_of(features)
        self.stride, self._kernel = max(channels), kernel
        self.smallest = (kernel - 1) * self.stride + 1
        last, before = channels[self.stride], channels[self.stride // 2]
        with self.name_scope():
            self.fc6 = conv_unit(last, units, kernel, padding=0)
            self.fc7 = conv_unit(units, units, kernel=1)
            self.deconv_fc6 = conv_unit(units, before, kernel, padding=0, transposed=True)
            self.indices, self.unpool = MaxPoolWithIndices(), MaxUnpool()
            self.decoder = nn.HybridSequential()
            stages = unpooling_stages(channels, convs, scored_by_last=False, transposed=True)
            self.decoder.add(*stages.values())
            self.score = last_score(channels[min(channels)], classes)
            self.upscore = last_enlargement(features, classes)
        steps = {stride: len(stage) for stride, stage in stages.items()}
        self.receptive_margin = margin_of(features, steps | {self.stride: kernel - 1})

    def forward(self, x, *args):
        if isinstance(x, nd.NDArray) and min(x.shape[2:]) < self.smallest:
            kernel = self._kernel
            raise ValueError(
                f"picture of {x.shape[2]} × {x.shape[3]}: this DeconvNet's fc6 needs {kernel} × {kernel} cells, "
                f"{self.smallest} pixels each way; enlarge the picture, or make the net with a smaller kernel"
            )
        return super().forward(x, *args)

    def hybrid_forward(self, F, x):
        maps = self.features.by_stride(x, self.features.ends)
        h = self.deconv_fc6(self.fc7(self.fc6(maps.pop(self.stride))))
        for stride, stage in zip(reversed(maps), self.decoder, strict=True):
            _, indices = self.indices(maps[stride])
            h = stage(self.unpool(h, indices, like_map(F, x, stride)))
        scores = self.score(h)
        return scores if self.upscore is None else self.upscore(scores, x)
