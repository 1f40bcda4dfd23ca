"""`python -m utils evaluate`: the scores of a trained net on the test pictures of a data set."""

import math

from ..core.console import Log
from ..core.device import try_gpu
from ..data.dataset import VOCSegDataset
from ..data.voc import read_names
from ..datacheck.report import glance
from ..engine.evaluate import confusion
from ..metrics import SegmentationMetric
from .options import add_averaging, add_model, check_layout, describe, load_net, refuse

HELP = "score a trained net on a data set's test pictures, or on another list"
DESCRIPTION = """\
Score a net on all test pictures (val.txt, or the list that --split names) of a data set that has the classes it was
trained with: pixel accuracy, mean accuracy, mean IoU, frequency-weighted IoU (chapter 06), and the IoU of each class.
Pictures are reduced by the scale that the net was trained with, and scored at that size. Beside each score stands that
of naming one class everywhere, the commonest of the training labels: a net that scores no more has learned nothing.
"""
EPILOG = """\
examples:
  python -m utils evaluate --model mini.params --dataset voc_mini
  python -m utils evaluate --model street.params --dataset my_photos --flip --scales 0.75,1,1.25
"""


def add_arguments(parser):
    describe(parser, DESCRIPTION, EPILOG)
    add_model(parser)
    parser.add_argument("--dataset", required=True, help="voc_mini, voc2012, camvid, or a folder in VOC layout")
    parser.add_argument("--split", default="val", metavar="NAME", help="list in ImageSets/Segmentation to score (val)")
    add_averaging(parser)


def run(args):
    check_layout(args.dataset, args.split)
    net, classes, scale, known = load_net(args.model, try_gpu())
    log = Log()
    test_set, metric, common, nothing = scored(
        args, net, classes, scale, known, log, flip=args.flip, scales=args.scales
    )
    log.line(f"{test_set!r}")
    width = max(len(name) for name in [*classes.names, "pixel_acc"])
    log.line(f"{'':{width}}  {'net':5}  {common} everywhere")
    for name, value in metric.scores().items():
        log.line(f"{name:{width}}  {value:.3f}  {nothing[name]:.3f}")
    log.line("\nIoU of each class")
    for name, value in zip(classes.names, metric.iou, strict=True):
        log.line(f"{name:{width}}  {'does not occur' if math.isnan(value) else format(value, '.3f')}")
    return 0


def scored(args, net, classes, scale, known, log, **averaging):
    """(pictures, filled metric, baseline's class, its scores) of a net on --dataset's list --split.

    What the list may have wrong is refused, or said by `log`, before the first picture goes through the net.
    """
    test_set = VOCSegDataset(False, None, args.dataset, scale, split=args.split)
    if test_set.classes != classes:
        raise ValueError(
            f"{args.dataset}: its classes are {', '.join(test_set.classes.names)}, but {args.model} was trained with "
            f"{', '.join(classes.names)}; names, colours and order must be the same"
        )
    trained_on = known.get("train_split", "train")
    if args.split == trained_on:
        log.line(f"{args.split} is the list that the net was trained on: these scores say nothing of new pictures")
    train = None
    if (test_set.root / f"ImageSets/Segmentation/{trained_on}.txt").is_file() and args.split != trained_on:
        train = read_names(test_set.root, split=trained_on)
    elif trained_on == "trainval" and args.split != trained_on:
        log.line("There is no trainval.txt, VOC's list that this net knows: whether it has seen these isn't looked at")
    report = glance(test_set.root, train, test_set.names, (trained_on, args.split))
    refuse(report, args.dataset)
    for problem in report.doubts:
        log.line(f"Warning: {problem}")
    metric = confusion(net, _Counted(test_set, log), **averaging)
    return test_set, metric, *_baseline(metric.confusion.sum(1), known.get("baseline", {}).get("class"), classes)


def _baseline(pixels, name, classes):
    """(name, scores) of naming one class at each pixel: the commonest of the training labels, which the JSON has.

    A net of before has none there: then the commonest of these labels, `pixels` of each class.
    """
    index = classes.names.index(name) if name in classes.names else int(pixels.argmax())
    metric = SegmentationMetric(len(classes))
    metric.confusion[:, index] = pixels
    return classes.names[index], metric.scores()


class _Counted:
    """A data set that says which picture is being looked at."""

    def __init__(self, dataset, log):
        self.dataset, self.log = dataset, log

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        self.log.status(f"picture {index + 1} of {len(self)}")
        return self.dataset[index]
