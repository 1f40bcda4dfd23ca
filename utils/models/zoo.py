"""Every net by its name, a reader's own among them (chapter 09)."""

import inspect

from mxnet import init

from .backbones import make_backbone

_nets, _builders = {}, {}  # name → what was registered, name → function that builds the net


def get_model(name, classes, backbone=None, pretrained=False, ctx=None, **options):
    """An initialised net by its name: (N, 3, H, W) normalised float32 → (N, classes, H, W) scores.

    name: "fcn32s", "fcn16s", "fcn8s", or what `register_model` was given. classes: their number, or a `LabelMap`.
    backbone: a name in `backbones`, default the net's own. pretrained: start from its ImageNet weights, fetched on
    first use. options: what this net takes besides, such as align of the FCNs, and features, a dict of what its
    backbone takes, such as {"padding": "same"}. ctx: a context or a list of them.
    A name that no net or no backbone has, or an option that the net does not take, is a ValueError that says what there
    is.
    """
    return make(name, find_builder(name), classes, backbone, pretrained, ctx, **options)


def make(name, build, classes, backbone, pretrained, ctx, **options):
    """`get_model`, given what builds the net."""
    given = dict(options)
    if backbone is not None:
        given["backbone"] = backbone
    if pretrained:
        given["pretrained"] = True
    num_classes = len(classes) if hasattr(classes, "__len__") else int(classes)
    signature = inspect.signature(build)
    try:
        bound = signature.bind(num_classes, **given)
    except TypeError as error:
        raise ValueError(f"{name}: {error}; it takes {', '.join(list(signature.parameters)[1:])}") from None
    net = build(num_classes, **given)
    for parameter in net.collect_params().values():
        if parameter._data is None and not parameter._deferred_init:
            parameter.initialize(ctx=ctx, default_init=init.Xavier())
    net.collect_params().reset_ctx(ctx)
    bound.apply_defaults()
    backbone = bound.arguments.get("backbone")
    if made_with := getattr(getattr(net, "features", None), "made_with", None):  # its defaults hang on `pretrained`
        options = options | {"features": made_with}
    net.recipe = {"model": name, "backbone": backbone, "options": options, "classes": num_classes}
    return net


def register_model(name, backbone=None):
    """A decorator that makes a net known by a name, to `get_model`, `save_model` and the command line.

    backbone: the default one's name. The class, or a function that gives a net, is then called with (features,
    classes, **options), features being a `Features`. Without a backbone it is called with (classes, **options), to
    which belong backbone= and pretrained=True where they are asked for. What it leaves uninitialised `get_model`
    initialises (Xavier), in the order of the net's children. A name that is taken is a ValueError.

        @utils.register_model("mine", backbone="resnet18_v2")
        class Mine(gluon.HybridBlock):
            def __init__(self, features, classes): ...

    What a net may say of itself, as attributes: `stride` of its coarsest map, at whose multiples tiles begin (32);
    `receptive_margin`, the pixels on each side beyond which a score depends on nothing (256), or None where it looks at
    the whole picture, and is never tiled; `training_loss`, called without arguments for the loss of `python -m utils
    train` (`SoftmaxCrossEntropyLoss`); `smallest`, the pixels that a picture must have each way (1). It gives one array
    of scores, or a tuple of them: the loss gets all; scores, labels and exported files are made of the first.
    """

    def register(net):
        known = _nets.get(name, net)
        if _origin(known) != _origin(net):  # the same one comes again when a notebook's cell is run again
            raise ValueError(f"a net named {name!r} is registered already, {known!r}: take another name")
        _nets[name], _builders[name] = net, net if backbone is None else _on_backbone(net, backbone)
        return net

    return register


def _on_backbone(net, default):
    def build(classes, backbone=default, pretrained=False, features=None, **options):
        return net(make_backbone(backbone, pretrained, features), classes, **options)

    return build


def _origin(net):
    return net.__module__, getattr(net, "__qualname__", repr(net))


def find_builder(name):
    """What builds a net of this name; a ValueError that lists all names where there is none."""
    if name not in _builders:
        raise ValueError(f"no net named {name!r}: expected {', '.join(_builders)}")
    return _builders[name]
