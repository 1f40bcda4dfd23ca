"""What the commands of `python -m utils` have in common: the values that their options take."""

import argparse
import importlib
import pathlib
import re
import shlex


def size(text):
    match = re.fullmatch(r"([1-9]\d*)[x×]([1-9]\d*)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r}: expected HEIGHTxWIDTH, such as 160x224")
    return tuple(int(n) for n in match.groups())


def scale(text):
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number above 0, at most 1")
    return value


def share(text):
    value = scale(text)
    if value == 1:
        raise argparse.ArgumentTypeError("1: nothing would be left to train with")
    return value


def count(text):
    if not re.fullmatch(r"[1-9]\d*", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number above 0")
    return int(text)


def rate(text):
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number above 0, such as 0.0005")
    return value


def scales(text):
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = (0,)
    if not all(0 < value <= 2 for value in values):
        raise argparse.ArgumentTypeError(f"{text!r}: expected numbers above 0, at most 2, such as 0.75,1,1.25")
    return values


def describe(parser, description, epilog):
    from ..core.surroundings import python  # here, and below: tools/ takes this module alone, without MXNet

    parser.formatter_class, parser.description, parser.epilog = (
        argparse.RawDescriptionHelpFormatter,
        description,
        epilog.replace("python -m utils", f"{python()} -m utils"),
    )


def add_model(parser):
    parser.add_argument(
        "--model",
        required=True,
        metavar="FILE.params",
        help="a net that `train` wrote; or one of GluonCV's for VOC by its name there, such as deeplab_resnet101_voc, "
        "whose weights are fetched on first use (chapter 16)",
    )
    add_import(parser)


def load_net(name, ctx=None):
    """What `load_model` gives, of FILE.params or of one of GluonCV's nets for VOC."""
    from ..data.labelmap import VOC
    from ..models.gluoncv_nets import VOC_NETS, ready_made
    from ..models.saving import load_model

    if name not in VOC_NETS:
        return load_model(name, ctx)
    net = ready_made(name, ctx)
    return net, VOC, 1.0, net.recipe


def add_import(parser):
    parser.add_argument(
        "--import",
        type=_module,
        action="append",
        metavar="MODULE",
        help="Python module, such as my_net for my_net.py here, that registers nets of your own",
    )


def _module(text):
    try:
        return importlib.import_module(text)
    except (ImportError, ValueError) as error:
        raise argparse.ArgumentTypeError(
            f"{text!r}: {error}; expected a module, such as my_net for my_net.py"
        ) from None


def add_averaging(parser):
    parser.add_argument("--flip", action="store_true", help="average over the picture and its mirror image: slower")
    parser.add_argument(
        "--scales", type=scales, default=(1,), metavar="A,B,...", help="average over these sizes: 0.75,1,1.25 (1)"
    )


def check_layout(folder, *splits):
    """Raise a FileNotFoundError that says what to do with a folder that is nearly in VOC's layout, or holds such a one.

    splits: the lists that are wanted, which may be there under another name.
    """
    from ..core.surroundings import python
    from ..datacheck.lists import list_file, other_lists, rename_command
    from ..datacheck.missing import layout

    path = pathlib.Path(folder).expanduser()
    for split, found in other_lists(path).items():
        if split in splits:
            raise FileNotFoundError(f"{found}: expected {list_file(split)}; {rename_command(path, split, found)}")
    if any((path / "ImageSets" / "Segmentation").glob("*.txt")):
        return
    if (path / "SegmentationClass").is_dir():
        make = f"{python()} -m utils data {shlex.quote(str(folder))} --split"
        raise FileNotFoundError(f"{path}: no lists in its ImageSets/Segmentation/; to have them made: {make}")
    if told := layout(path):
        raise FileNotFoundError(told)


def refuse(report, folder):
    """Raise a ValueError that names the errors of a `Report`: training and scoring accept none of them."""
    from ..core.surroundings import python
    from ..datacheck.items import merged

    if errors := report.errors:
        told = list(merged(errors))
        more = f"\n  and {len(told) - 3} more" if len(told) > 3 else ""
        raise ValueError(
            f"{folder}: not ready, {len(errors)} error{'s' * (len(errors) > 1)}:\n  "
            + "\n  ".join(told[:3])
            + more
            + f"\nAll of them: {python()} -m utils data {shlex.quote(str(folder))}"
        )
