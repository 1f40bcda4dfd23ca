"""`python -m utils export`: a trained net as files that load without the course, and its model card."""

import contextlib
import datetime
import importlib.metadata
import os
import pathlib

from ..core.console import Log
from ..core.files import atomic_write, check_writable
from ..models.card import card, fingerprint
from ..models.export import export, export_paths
from ..models.torch_state import export_torch, torch_paths
from .evaluate import scored
from .options import add_model, check_layout, describe, load_net

HELP = "write a trained net as files that load without the course"
DESCRIPTION = """\
Write a net as NAME-symbol.json and NAME-0000.params, which MXNet loads (gluon.SymbolBlock.imports), or with --onnx as
NAME.onnx, which onnxruntime and other programs load. Neither needs the course. Both take normalised pictures of any
size and give scores; docs/command_line.md has ten lines for each. With --torch an FCN becomes NAME.npz, its weights by
PyTorch's names, and NAME.py, which loads them there. Take models from people you trust: outside the course nothing
checks these files.

NAME-card.md says what is known of the net: what it is, what it learned from, its scores beside a baseline, and what it
is not for. With --dataset it is scored now, class by class. A card of this net that is there already stays as it is.
"""
EPILOG = """\
examples:
  python -m utils export --model street.params --output street
  python -m utils export --model street.params --output street.onnx --onnx
  python -m utils export --model street.params --output street --torch
  python -m utils export --model street.params --output street --dataset my_photos
"""


def add_arguments(parser):
    describe(parser, DESCRIPTION, EPILOG)
    add_model(parser)
    parser.add_argument("--output", required=True, metavar="NAME", help="name of the new files, without their endings")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--onnx", action="store_true", help="write NAME.onnx in place of the two files for MXNet")
    kind.add_argument("--torch", action="store_true", help="write NAME.npz and NAME.py, for PyTorch (docs/pytorch.md)")
    parser.add_argument("--dataset", metavar="NAME", help="score the net on it for the card: voc_mini, or a folder")
    parser.add_argument("--split", default="val", metavar="NAME", help="list in ImageSets/Segmentation to score (val)")
    parser.add_argument("--force", action="store_true", help="replace files that are there already")


def run(args):
    name = without_ending(args)
    if not pathlib.Path(name).name or os.path.isdir(args.output) or name.endswith("/"):
        raise ValueError(f"--output {args.output!r}: expected a name for the new files, such as labels/street")
    if args.output.endswith(".onnx") and not args.onnx:
        raise ValueError(f"--output {args.output}: for an ONNX file say --onnx too; for MXNet leave the ending out")
    paths = torch_paths(args.output) if args.torch else export_paths(args.output, args.onnx)
    about_net = pathlib.Path(f"{name}-card.md")
    for path in paths:
        check_writable(path)
        if os.path.lexists(path) and not args.force:
            raise FileExistsError(f"{path}: is there already; take another name, or --force to replace it")
    if args.dataset:
        check_layout(args.dataset, args.split)
    net, classes, scale, about = load_net(args.model)
    kept = _is_kept(about_net, about, args)
    measured = _measured(args, net, classes, scale, about) if args.dataset else None
    given = {"date": datetime.date.today().isoformat(), "version": importlib.metadata.version("segmentation-course")}
    text = card(net, classes, scale, about, str(about_net).removesuffix("-card.md"), measured=measured, **given)
    with contextlib.nullcontext() if kept else _at_the_end(about_net, text):
        if args.torch:
            written = export_torch(net, args.output, classes, scale)
        else:
            written = export(net, args.output, onnx=args.onnx)
    print(f"Written: {', '.join(map(str, written if kept else [*written, about_net]))}")
    if kept:
        print(f"{about_net} is of this net already, and stays as it is; --force writes it anew")
    if args.torch:
        print(f"With PyTorch, python {written[1]} photo.jpg labels a picture; docs/pytorch.md has more")
        return 0
    where = pathlib.Path(args.model).with_suffix(".json") if "format" in about else "utils.VOC, RGB_MEAN and RGB_STD"
    print(f"Its classes, and the mean and deviation to normalise with: {where}")
    return 0


def without_ending(args):
    """NAME of --output, where an ending may stand already."""
    return args.output.removesuffix(".onnx" if args.onnx else ".npz" if args.torch else "")


@contextlib.contextmanager
def _at_the_end(path, text):
    """Write a text at once, and move it to `path` when all that is inside went well: so there is all or nothing."""
    waiting, new = path.with_name(f"{path.name}.waiting.{os.getpid()}"), not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with atomic_write(waiting) as beside:
            beside.write_text(text, encoding="utf-8")
        yield
        os.replace(waiting, path)
    finally:
        waiting.unlink(missing_ok=True)
        if new:
            with contextlib.suppress(OSError):  # not empty, as it should be
                path.parent.rmdir()


def _is_kept(path, about, args):
    """Whether a card of this net is there, perhaps with what somebody filled in; a FileExistsError for another file."""
    if args.force or not os.path.lexists(path):
        return False
    if path.is_file() and not args.dataset and fingerprint(about) in path.read_text(encoding="utf-8", errors="replace"):
        return True
    why = "its scores would change" if args.dataset else "not this net's card"
    raise FileExistsError(f"{path}: is there already, {why}; take another name, or --force to replace it")


def _folder(dataset):
    """The last part of a data set's name or path: what the JSON has may be relative to another folder."""
    return os.path.basename(os.path.abspath(str(dataset)))


def _measured(args, net, classes, scale, about):
    test_set, metric, common, nothing = scored(args, net, classes, scale, about, Log())
    return {
        "dataset": args.dataset,
        "train_split": about.get("train_split") if _folder(args.dataset) == _folder(about.get("dataset")) else None,
        "val_split": args.split,
        "val_pictures": len(test_set),
        "scores": {name: float(value) for name, value in metric.scores().items()},
        "baseline": {"class": common} | {name: float(value) for name, value in nothing.items()},
        "iou": {name: float(value) for name, value in zip(classes.names, metric.iou, strict=True)},
    }
