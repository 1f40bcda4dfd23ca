"""`python -m utils train`: a net from a folder of pictures and labels."""

import mxnet as mx
from mxnet import gluon

from ..core.device import try_all_gpus
from ..data.dataset import VOCSegDataset, data_loader
from ..engine.train import seed, train
from ..losses import SoftmaxCrossEntropyLoss
from ..models.saving import check_output, save_model
from ..models.zoo import find_builder, get_model
from .options import add_import, count, describe, python, rate, scale, size

HELP = "train a net on a folder of pictures and labels"
DESCRIPTION = """\
Train a net, as chapter 08 does: the same functions, Adam at a rate that falls to 0, random crops and flips, on the
pictures of train.txt. After each epoch one line says the loss and the score on those of val.txt; both lists can be
others (--train-split, --val-split). The net goes into two files: FILE.params, its weights, and FILE.json, what
`predict`, `evaluate` and `export` have to know about it.
"""
EPILOG = """\
examples:
  python -m utils train --dataset voc_mini --epochs 20 --output mini.params
  python -m utils train --dataset my_photos --scale 0.5 --epochs 30 --output street.params
  python -m utils train --dataset camvid --scale 0.5 --model fcn8s --checkpoint build/camvid --output camvid.params
                        closed the laptop? The same command again goes on from the last whole epoch

Check a folder of your own first: python -m utils data my_photos
Ends with 0, with 2 if something was wrong, with 130 after Ctrl-C.
"""


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
    parser.add_argument("--rate", type=rate, default=5e-4, help="Adam's learning rate at the start (0.0005)")
    parser.add_argument("--model", metavar="NAME", help="the net: fcn32s, fcn16s, fcn8s, or one of your own (fcn32s)")
    parser.add_argument("--stride", type=int, choices=(32, 16, 8), help="8 is short for --model fcn8s")
    parser.add_argument("--backbone", metavar="NAME", help="resnet18_v2, 34, 50, 101, 152 or vgg16 (the net's own)")
    parser.add_argument("--pretrained", action="store_true", help="start from ImageNet's weights (a download)")
    parser.add_argument("--checkpoint", metavar="FOLDER", help="keeps each epoch there, to go on from after a stop")
    parser.add_argument("--seed", type=int, default=0, help="another number gives other weights and crops (0)")
    add_import(parser)
    parser.add_argument("--force", action="store_true", help="replace FILE.params and FILE.json if they are there")


def run(args):
    name = _model(args)
    check_output(args.output, args.force)
    contexts = try_all_gpus()
    train_set = VOCSegDataset(True, args.crop, args.dataset, args.scale, seed=args.seed, split=args.train_split)
    test_set = VOCSegDataset(False, None, args.dataset, args.scale, split=args.val_split)
    batches = data_loader(train_set, args.batch)
    seed(args.seed)
    net = get_model(name, train_set.classes, args.backbone, args.pretrained, contexts)
    net.hybridize()
    schedule = mx.lr_scheduler.PolyScheduler(args.epochs * len(batches), args.rate, pwr=0.9)
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": args.rate, "lr_scheduler": schedule})
    options = {"checkpoint": args.checkpoint} if args.checkpoint else {}
    loss = getattr(net, "training_loss", SoftmaxCrossEntropyLoss)()
    history = train(batches, test_set, net, loss, trainer, contexts, args.epochs, **options)
    if len(history) < args.epochs:
        kept = f"they are kept in {args.checkpoint}, the same command goes on" if history else "none is kept"
        kept = kept if args.checkpoint else "with --checkpoint FOLDER each would be kept"
        print(f"Stopped after {len(history)} of {args.epochs} epochs, {args.output} not written: {kept}")
        return 130
    about = {"dataset": args.dataset, "crop": args.crop, "epochs": args.epochs, "scores": history[-1]}
    save_model(args.output, net, train_set.classes, args.scale, force=args.force, **about)
    print(f"Written: {args.output} and its .json")
    print(f"Next: {python()} -m utils predict --model {args.output} photo.jpg --output labels")
    return 0


def _model(args):
    """The name of the net that --model or --stride asks for, both at once only where they agree."""
    short = f"fcn{args.stride or 32}s"
    if args.model and args.stride and args.model != short:
        raise ValueError(
            f"--stride {args.stride} is short for --model {short}, --model says {args.model}: leave one out"
        )
    name = args.model or short
    find_builder(name)
    return name
