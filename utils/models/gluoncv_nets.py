"""FCN, PSPNet and DeepLabV3 of GluonCV as nets of this course: pictures of any size, known by name (chapter 16).

`get_model("gluoncv_fcn", ...)`, "gluoncv_pspnet" and "gluoncv_deeplabv3" make them; `ready_made` makes those that
GluonCV has trained on VOC. GluonCV is imported where one is made: it changes a setting of Pillow for the process.
"""

import contextlib
import io

from mxnet import autograd, gluon, nd

from ..core.parameters import load_parameters
from ..data.labelmap import VOC_CLASSES
from ..losses import AuxiliaryLoss, SoftmaxCrossEntropyLoss
from .zoo import get_model, register_model

WEIGHTS = "weights of GluonCV's"
BACKBONES = "resnet50", "resnet101", "resnet152"
VOC_NETS = {
    "fcn_resnet101_voc": ("gluoncv_fcn", "resnet101"),
    "psp_resnet101_voc": ("gluoncv_pspnet", "resnet101"),
    "deeplab_resnet101_voc": ("gluoncv_deeplabv3", "resnet101"),
    "deeplab_resnet152_voc": ("gluoncv_deeplabv3", "resnet152"),
}
"""GluonCV's names of the nets whose weights for VOC it offers, and what `get_model` calls them."""


class GluonCVNet(gluon.HybridBlock):
    """(N, 3, H, W) normalised images → a tuple of (N, classes, H, W) scores, by the head and by the auxiliary head.

    net: GluonCV's FCN, PSPNet or DeepLabV3, whose parameters keep their names. Its enlargements have sizes that were
    set before; here each takes its size from an array, for the time of a call. The scores are those that `net.predict`
    gives, to rounding (in a net that isn't hybridized: GluonCV's own `predict` keeps a hybridized one's size). Without
    an auxiliary head (`aux=False`) it is one array of scores.

    What the net says of itself: its map has stride 8; a score depends on the whole picture (PSPNet and DeepLabV3
    average over it, and corners are aligned to its corners). So it is never tiled, and its memory grows with the
    picture: `bytes_a_pixel`, on a processor. GluonCV's own rates stay: its heads learn ten times as fast as its
    backbone (`lr_mult`), also in a net that was saved and loaded.
    """

    stride = 8
    receptive_margin = None
    bytes_a_pixel = 1700  # measured: ResNet50, a megapixel

    def __init__(self, net, **kwargs):
        super().__init__(**kwargs)
        self.net, self._averages = net, hasattr(net.head, "psp") or hasattr(net.head, "aspp")
        self.training_loss = AuxiliaryLoss if net.aux else SoftmaxCrossEntropyLoss

    def forward(self, x):
        if autograd.is_training() and isinstance(x, nd.NDArray) and len(x) == 1 and self._averages:
            raise ValueError(
                f"{type(self.net).__name__}: one picture to train on; expected two or more (a device). BatchNorm after "
                "the mean of the whole picture has one number then, and its deviation becomes 0"
            )
        return super().forward(x)

    def hybrid_forward(self, F, x):
        c3, c4 = self.net.base_forward(x)  # both 1/8
        with _sizes_of(c4, self.net.head):
            maps = [self.net.head(c4)]
        if self.net.aux:
            maps.append(self.net.auxlayer(c3))
        scores = tuple(F.contrib.BilinearResize2D(each, x, mode="like") for each in maps)
        return scores if self.net.aux else scores[0]


@contextlib.contextmanager
def _sizes_of(maps, head):
    """What the head enlarges inside, the parts' means of PSPNet and DeepLabV3, becomes as large as `maps`."""
    sizes = {}

    def change(layer):
        if hasattr(layer, "_up_kwargs"):
            sizes[layer], layer._up_kwargs = layer._up_kwargs, {"like": maps, "mode": "like"}

    head.apply(change)
    try:
        yield
    finally:
        for layer, size in sizes.items():
            layer._up_kwargs = size


@register_model("gluoncv_fcn")
def gluoncv_fcn(classes, backbone="resnet50", pretrained=False, aux=True):
    """GluonCV's FCN: a ResNet with holes, and a 3 × 3 convolution before the scores (chapter 16).

    backbone: "resnet50", "resnet101" or "resnet152". pretrained: it begins with ImageNet's weights, GluonCV's own,
    which are fetched on first use. aux: with the auxiliary head, so that there are two outputs for `AuxiliaryLoss`.
    """
    return _adapted("FCN", classes, backbone, pretrained, aux)


@register_model("gluoncv_pspnet")
def gluoncv_pspnet(classes, backbone="resnet50", pretrained=False, aux=True):
    """GluonCV's PSPNet (Zhao, Shi, Qi, Wang and Jia, CVPR 2017): means of parts of the picture too.

    backbone, pretrained and aux: as of `gluoncv_fcn`. Training on one picture at a time is a ValueError: of
    one, BatchNorm takes all away that the mean of the whole picture says.
    """
    return _adapted("PSPNet", classes, backbone, pretrained, aux)


@register_model("gluoncv_deeplabv3")
def gluoncv_deeplabv3(classes, backbone="resnet50", pretrained=False, aux=True):
    """GluonCV's DeepLabV3 (Chen, Papandreou, Schroff and Adam, arXiv:1706.05587): ASPP (chapter 13), and the mean.

    backbone, pretrained, aux and the batch: as of `gluoncv_pspnet`.
    """
    return _adapted("DeepLabV3", classes, backbone, pretrained, aux)


def _adapted(kind, classes, backbone, pretrained, aux):
    if backbone not in BACKBONES:
        found = ", ".join(BACKBONES)
        raise ValueError(f"backbone {backbone!r}: expected one whose last maps GluonCV's heads fit, {found}")
    from gluoncv import model_zoo

    with contextlib.redirect_stdout(io.StringIO()):  # PSPNet prints a line when it is made
        net = getattr(model_zoo, kind)(classes, backbone, aux, pretrained_base=False)
    if pretrained:
        _copy_backbone(net, f"{backbone}_v1s")
    return GluonCVNet(net)


def _copy_backbone(net, name):
    from gluoncv import model_zoo

    from ..fetch.weights import gluoncv_weights

    classifier = getattr(model_zoo, name)(dilated=True)
    load_parameters(classifier, gluoncv_weights(name), WEIGHTS, named=f"the name {name}")
    trained = classifier._collect_params_with_prefix()
    for key, parameter in net._collect_params_with_prefix().items():
        if not key.startswith(("head.", "auxlayer.")):
            parameter.shape = trained[key].shape
            parameter.initialize()
            parameter.set_data(trained[key].data())


def ready_made(name, ctx=None):
    """A net that GluonCV has trained on VOC, as a net of this course: the 21 classes of `utils.VOC`.

    name: "fcn_resnet101_voc", "psp_resnet101_voc", "deeplab_resnet101_voc" or "deeplab_resnet152_voc", GluonCV's own
    names; others are a ValueError. The weights are fetched on first use, as those of `pretrained=True`
    are; a FetchError says what to do where they can't be had. ctx: a context or a list of them. The net is hybridized.
    """
    if name not in VOC_NETS:
        raise ValueError(f"no net named {name!r} with weights for VOC: expected {', '.join(VOC_NETS)}")
    from ..fetch.weights import gluoncv_weights

    path, (model, backbone) = gluoncv_weights(name), VOC_NETS[name]  # first the weights: making the net takes seconds
    net = get_model(model, len(VOC_CLASSES), backbone, ctx=ctx)
    load_parameters(net.net, path, WEIGHTS, ctx, named=f"the name {name}")
    net.recipe["train_split"] = "trainval"  # also in the file that `save_model` writes: `evaluate` refuses its pictures
    net.hybridize()
    return net
