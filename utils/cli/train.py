"""`python -m utils train`: a net from a folder of pictures and labels."""

import datetime
import shlex
import time

import mxnet as mx
import numpy as np

from ..core.console import Log
from ..core.surroundings import python
from ..data.dataset import VOCSegDataset
from ..data.labelmap import VOC
from ..datacheck.report import glance
from ..engine.distributed import find_ranks
from ..engine.train import seed, train
from ..losses import SoftmaxCrossEntropyLoss, WeightedCrossEntropyLoss, frequency_weights
from ..metrics import SegmentationMetric
from ..models.saving import check_output, save_model
from ..models.zoo import find_builder, get_model
from .options import add_import, check_layout, count, describe, rate, refuse, scale, size

HELP = "train a net on a folder of pictures and labels"
DESCRIPTION = """\
Train a net, as chapter 08 does: the same functions, Adam at a rate that falls to 0, random crops and flips, on the
pictures of train.txt. After each epoch one line says the loss and the score on those of val.txt; both lists can be
others (--train-split, --val-split). The default net is FCN-8s on EfficientNet-Lite0, which begins with ImageNet's
weights: on voc_mini that gives a mean IoU of 0.92 in a minute, in which ResNet18 from random weights gives 0.55. Before
the first epoch all labels are read once: what `data` calls an error stops the training, and the score that a net has to
beat is printed, that of naming one class everywhere. The net goes into two files: FILE.params has its weights, and
FILE.json what `predict`, `evaluate` and `export` need to know about it.
"""
EPILOG = """\
examples:
  python -m utils train --dataset voc_mini --epochs 20 --output mini.params
  python -m utils train --dataset my_photos --scale 0.5 --epochs 30 --output street.params
  python -m utils train --dataset camvid --scale 0.5 --checkpoint build/camvid --output camvid.params
                        closed the laptop? The same command again goes on from the last whole epoch

On several machines: the same command under horovodrun -np 2, or utils.engine.launch (chapter 17). --batch is then that
of all ranks together, so that it is the same training.

Check a folder of your own first: python -m utils data my_photos
Ends with 0, with 2 if something was wrong, with 130 after Ctrl-C.
"""


FCNS = "fcn32s", "fcn16s", "fcn8s", "fcn4s", "fcn2s"
DECODERS = "segnet", "unet", "deconvnet"
DEEPLABS = "deeplab", "deeplab_largefov", "deeplab_aspp", "deeplab_meanfield"


def add_arguments(parser):
    describe(parser, DESCRIPTION, EPILOG)
    parser.add_argument("--dataset", required=True, help="voc_mini, voc2012, camvid, or a folder in VOC layout")
    parser.add_argument("--output", required=True, metavar="FILE.params", help="where the trained net goes")
    parser.add_argument("--train-split", default="train", metavar="NAME", help="list to train on (train)")
    parser.add_argument("--val-split", default="val", metavar="NAME", help="list to score after each epoch (val)")
    parser.add_argument("--crop", type=size, default=(160, 224), metavar="HxW", help="crop for training (160x224)")
    parser.add_argument("--scale", type=scale, default=1.0, help="pictures are reduced by this first (1)")
    parser.add_argument("--epochs", type=count, default=30, help="how often it sees each picture (30)")
    parser.add_argument("--batch", type=count, default=8, help="pictures a step (8)")
    parser.add_argument(
        "--rate",
        type=rate,
        default=5e-4,
        help="Adam's learning rate at the start (0.0005; segnet and unet want 0.01 and a --backbone-rate; heads of "
        "gluoncv_... learn ten times as fast: 0.0001)",
    )
    parser.add_argument(
        "--backbone-rate",
        type=rate,
        metavar="RATE",
        help="another one for the backbone, whose weights know something already: 0.0003 for unet, 0.00001 for segnet "
        "(that of --rate)",
    )
    parser.add_argument(
        "--weights", choices=("median", "inverse"), help="rare classes weigh more, by this frequency (chapter 10; none)"
    )
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="the net: fcn32s, 16s, 8s, 4s, 2s, segnet, unet, deeplab, deeplab_largefov, deeplab_aspp, "
        "gluoncv_fcn, gluoncv_pspnet, gluoncv_deeplabv3, or one of your own (fcn8s)",
    )
    parser.add_argument("--stride", type=int, choices=(32, 16, 8, 4, 2), help="32 is short for --model fcn32s")
    parser.add_argument(
        "--backbone",
        metavar="NAME",
        help="resnet18_v2, 34, 50, 101, 152, vgg16 or efficientnet_lite0, from random weights. Without it: "
        "efficientnet_lite0 with ImageNet's weights, which are installed: a net that has learned photographs needs "
        "fewer of yours, and less time (a net of your own keeps its own backbone)",
    )
    parser.add_argument(
        "--pretrained",
        action="store_true",
        help="with --backbone: start from its ImageNet weights (a download, but for efficientnet_lite0)",
    )
    parser.add_argument("--checkpoint", metavar="FOLDER", help="keeps each epoch there, to go on from after a stop")
    parser.add_argument("--seed", type=int, default=0, help="another number gives other weights and crops (0)")
    add_import(parser)
    parser.add_argument("--force", action="store_true", help="replace FILE.params and FILE.json if they are there")


def run(args):
    ranks = find_ranks()
    with ranks.one_voice():
        ranks.agree("options", {"--" + name.replace("_", "-"): value for name, value in vars(args).items()})
        return _run(args, ranks)


def _run(args, ranks):
    name, backbone, pretrained = _net(args)
    check_output(args.output, args.force)
    check_layout(args.dataset, args.train_split, args.val_split)
    contexts = ranks.contexts()
    train_set = VOCSegDataset(True, args.crop, args.dataset, args.scale, seed=args.seed, split=args.train_split)
    test_set = VOCSegDataset(False, None, args.dataset, args.scale, split=args.val_split)
    if args.batch > len(train_set):
        raise ValueError(f"--batch {args.batch}, but {train_set!r}: take at most {len(train_set)}")
    batches = ranks.loader(train_set, args.batch)
    pixels, nothing = _look(args, train_set, test_set)
    ranks.agree("labels", {f"{n}, in pixels,": k for n, k in zip(train_set.classes.names, pixels.sum(0), strict=True)})
    seed(args.seed)
    net = get_model(name, train_set.classes, backbone, pretrained, contexts)
    if args.backbone_rate:
        _features_of(net, name).setattr("lr_mult", args.backbone_rate / args.rate)
    net.hybridize()
    schedule = mx.lr_scheduler.PolyScheduler(args.epochs * len(batches), args.rate, pwr=0.9)
    trainer = ranks.trainer(net.collect_params(), "adam", {"learning_rate": args.rate, "lr_scheduler": schedule})
    loss, (test_data, callbacks) = _loss(args, net, pixels), ranks.callbacks(test_set)
    with ranks.checkpoint(args.checkpoint) as folder:
        options = {"checkpoint": folder, "callbacks": callbacks}
        history = train(batches, test_data, net, loss, trainer, contexts, args.epochs, **options)
    if len(history) < args.epochs:
        kept = f"they are kept in {args.checkpoint}, the same command goes on" if history else "none is kept"
        kept = kept if args.checkpoint else "with --checkpoint FOLDER each would be kept"
        print(f"Stopped after {len(history)} of {args.epochs} epochs, {args.output} not written: {kept}")
        return 130
    if ranks.rank:
        return 0  # rank 0 writes the net
    about = {"dataset": args.dataset, "train_split": args.train_split, "crop": args.crop, "epochs": args.epochs}
    about |= {"val_split": args.val_split, "train_pictures": len(train_set), "val_pictures": len(test_set)}
    about |= {"batch": args.batch, "rate": args.rate, "seed": args.seed, "pretrained": bool(pretrained)}
    about |= {"date": datetime.date.today().isoformat()}
    about |= {"loss": getattr(loss, "__qualname__", type(loss).__name__), "scores": history[-1], "baseline": nothing}
    save_model(args.output, net, train_set.classes, args.scale, force=args.force, **about)
    score, beat = history[-1]["mean_iou"], nothing["mean_iou"]
    more = "" if score > beat else ": it has learned nothing yet, give it more --epochs"
    print(f"Mean IoU {score:.3f}; {nothing['class']} everywhere: {beat:.3f}{more}")
    print(f"Written: {args.output} and its .json")
    print(f"Next: {python()} -m utils predict --model {shlex.quote(args.output)} photo.jpg --output labels")
    return 0


def _look(args, train_set, test_set):
    """Refuse what `data` calls an error; print classes and baseline.

    Returns the training labels' pixels, (pictures, classes), and the baseline: its class and scores, on labels at
    --scale, as the net is scored. Labels are read whole, pictures' headers only: a full check reads those too.
    """
    log, start, classes = Log(), time.time(), train_set.classes
    where = "VOC's, as there is no labelmap.txt" if classes == VOC else "labelmap.txt"
    log.line(f"{len(classes)} classes ({where}): {', '.join(classes.names)}")
    same = args.train_split == args.val_split  # asked for by name: whether a net can learn at all
    report = glance(
        train_set.root,
        train_set.names,
        [] if same else test_set.names,
        (args.train_split, args.val_split),
        lambda i, n: log.status(f"{i} of {n} labels looked at"),
        args.scale,
    )
    refuse(report, args.dataset)
    for problem in report.doubts:
        log.line(f"Warning: {problem}")
    if same:
        log.line(f"Scored on {args.val_split}, the pictures it is trained on: that says nothing of new ones")
    log.line(f"{len(report.pairs)} labels looked at in {time.time() - start:.1f} s")
    pixels = np.array([report.pairs[name].pixels[:-1] for name in train_set.names])
    index = int(sum(report.pairs[name].scaled[:-1] for name in train_set.names).argmax())
    metric = SegmentationMetric(len(classes))
    metric.confusion[:, index] = sum(report.pairs[name].scaled[:-1] for name in test_set.names)
    nothing = {"class": classes.names[index]} | metric.scores()
    text = "pixel accuracy {pixel_acc:.3f}, mean IoU {mean_iou:.3f}".format(**nothing)
    log.line(f"To beat: {classes.names[index]} everywhere has {text}")
    return pixels, nothing


def _features_of(net, name):
    """Parameters of a net's backbone."""
    if not hasattr(net, "features"):
        raise ValueError(f"--backbone-rate: {name} has no backbone that it calls `features`, so leave it out")
    return net.features.collect_params()


def _loss(args, net, pixels):
    """The net's own, or cross-entropy, weighted if asked."""
    own = getattr(net, "training_loss", None)
    if not args.weights:
        return (own or SoftmaxCrossEntropyLoss)()
    if own:
        raise ValueError(f"--weights {args.weights}: {type(net).__name__} has a loss of its own, {own.__name__}")
    loss = WeightedCrossEntropyLoss(frequency_weights(pixels, args.weights))
    loss.__qualname__ = f"WeightedCrossEntropyLoss, {args.weights} frequency"  # a checkpoint is asked about it
    return loss


def _net(args):
    """The name of the net that --model or --stride asks for, both at once only where they agree; backbone, pretrained.

    Where no backbone is named, the course's nets get the one whose weights are installed.
    """
    short = f"fcn{args.stride or 8}s"
    if args.model and args.stride and args.model != short:
        raise ValueError(
            f"--stride {args.stride} is short for --model {short}, --model says {args.model}: leave one out"
        )
    name = args.model or short
    find_builder(name)
    if args.backbone or name not in (*FCNS, *DECODERS, *DEEPLABS):
        return name, args.backbone, args.pretrained
    return name, "efficientnet_lite0", True
