"""U-Net: a decoder that is given every map of the encoder whole (chapter 12).

Ronneberger, Fischer and Brox, MICCAI 2015 (arXiv:1505.04597).
"""

from mxnet import gluon
from mxnet.gluon import nn

from .backbones import Features, register_backbone
from .encoder import as_encoder, channels_of, conv_unit, last_enlargement, last_score, margin_of
from .zoo import register_model


@register_backbone("unet")
def unet_features(pretrained=False, width=64, padding=1, batch_norm=True):
    """U-Net's contracting path as `Features`: maps of width, 2, 4, 8 and 16 · width channels at strides 1 to 16.

    Two 3 × 3 convolutions at each stride, 2 × 2 max-pooling between. padding=0, batch_norm=False: as published, so that
    maps get smaller from layer to layer. Its dropout is left out. pretrained: there are no weights, a ValueError.
    """
    if pretrained:
        raise ValueError("pretrained=True: nobody has ImageNet's weights for U-Net's own path; take another backbone")
    features, before = Features(prefix="unet_"), 3
    with features.name_scope():
        for i in range(5):
            if i:
                features.add(nn.MaxPool2D(2))
            channels = width * 2**i
            for one in before, channels:
                features.add(*conv_unit(one, channels, batch_norm=batch_norm, padding=padding))
            before = channels
            features.ends[2**i] = len(features) - 1
    features.made_with = {"width": width, "padding": padding, "batch_norm": batch_norm}
    return features


@register_model("unet", backbone="efficientnet_lite0")
class UNet(gluon.HybridBlock):
    """(N, 3, H, W) normalised images → (N, classes, H, W) scores, for any H and W.

    Each step of the decoder doubles its map by a transposed convolution (`upconv`), puts it beside the encoder's map of
    that stride, and convolves both together twice, 3 × 3. All have as many channels as the encoder's map there. Where
    the finest map is at stride 2, scores are enlarged by 2 at the end, as those of the FCNs are.

    batch_norm: in the decoder, and of each of the encoder's maps before it is used. The maps of Lite0, for one, have
    values several times those of the decoder's.

    padding=0, on `unet_features` with padding=0: the published net. Its scores are those of the picture's middle, less
    `border` pixels on each side: 572 × 572 → 388 × 388. Both sides of a picture must be 16 n + 12 pixels, 188 at least.
    Training, prediction and evaluation need the padded one.
    """

    def __init__(self, features, classes, padding=1, batch_norm=True, **kwargs):
        super().__init__(**kwargs)
        self.features = features = as_encoder(features)
        channels = channels_of(features, padded=bool(padding))
        *finer, coarsest = channels
        finer = finer[::-1]
        self.stride = coarsest
        self.receptive_margin = margin_of(features, dict.fromkeys(finer, 2) | {coarsest: 0})
        self._crops, self.border = (None, 0) if padding else _crops(features, finer)
        with self.name_scope():
            self.norm, self.upconv, self.decoder = (nn.HybridSequential() for _ in range(3))
            for count in channels.values() if batch_norm else ():
                self.norm.add(nn.BatchNorm(in_channels=count))
            before = channels[coarsest]
            for stride in finer:
                after = channels[stride]
                self.upconv.add(nn.Conv2DTranspose(after, 2, strides=2, in_channels=before))
                stage = nn.HybridSequential(prefix="")
                for one in 2 * after, after:
                    stage.add(conv_unit(one, after, batch_norm=batch_norm, padding=padding))
                self.decoder.add(stage)
                before = after
            self.score = last_score(before, classes)
            self.upscore = last_enlargement(features, classes) if padding else None

    def hybrid_forward(self, F, x):
        maps = self.features.by_stride(x, self.features.ends).values()
        *finer, h = (norm(fine) for norm, fine in zip(self.norm, maps, strict=True)) if len(self.norm) else maps
        crops = self._crops or [None] * len(finer)
        for fine, upconv, stage, crop in zip(reversed(finer), self.upconv, self.decoder, crops, strict=True):
            h = upconv(h)
            if crop is None:
                h = F.slice_like(h, fine, axes=(2, 3))
            else:  # the middle of the encoder's map, where this one looks
                fine = F.slice_like(F.slice(fine, begin=(None, None, crop, crop), end=(None,) * 4), h, axes=(2, 3))
            h = stage(F.concat(fine, h, dim=1))
        scores = self.score(h)
        return scores if self.upscore is None else self.upscore(scores, x)


def _crops(features, finer):
    """Cells that the encoder's maps have before the decoder's first one, the coarsest first; and the scores' pixels.

    Unpadded, each map begins where its first cell sees a whole window: by where cells look (`place`).
    """
    crops, place = [], features.place(max(features.ends))
    for stride in finer:
        place -= stride / 2  # of two cells in the place of one, the first
        crops.append(int((place - features.place(stride)) / stride))
        place += 2 * stride  # two convolutions, each a cell on
    return crops, int(place)
