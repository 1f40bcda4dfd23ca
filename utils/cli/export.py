"""`python -m utils export`: a trained net as files that load without the course."""

import os
import pathlib

from ..core.files import check_writable
from ..models.export import export, export_paths
from ..models.torch_state import export_torch, torch_paths
from .options import add_model, describe, load_net

HELP = "write a trained net as files that load without the course"
DESCRIPTION = """\
Write a net as NAME-symbol.json and NAME-0000.params, which MXNet loads (gluon.SymbolBlock.imports), or with --onnx as
NAME.onnx, which onnxruntime and other programs load. Neither needs the course. Both take normalised pictures of any
size and give scores; docs/command_line.md has ten lines for each. With --torch an FCN becomes NAME.npz, its weights by
PyTorch's names, and NAME.py, which loads them there. Take models from people you trust: outside the course nothing
checks these files.
"""
EPILOG = """\
examples:
  python -m utils export --model street.params --output street
  python -m utils export --model street.params --output street.onnx --onnx
  python -m utils export --model street.params --output street --torch
"""


def add_arguments(parser):
    describe(parser, DESCRIPTION, EPILOG)
    add_model(parser)
    parser.add_argument("--output", required=True, metavar="NAME", help="name of the new files, without their endings")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--onnx", action="store_true", help="write NAME.onnx in place of the two files for MXNet")
    kind.add_argument("--torch", action="store_true", help="write NAME.npz and NAME.py, for PyTorch (docs/pytorch.md)")
    parser.add_argument("--force", action="store_true", help="replace files that are there already")


def run(args):
    if not pathlib.Path(args.output).name or os.path.isdir(args.output) or args.output.endswith("/"):
        raise ValueError(f"--output {args.output!r}: expected a name for the new files, such as labels/street")
    if args.output.endswith(".onnx") and not args.onnx:
        raise ValueError(f"--output {args.output}: for an ONNX file say --onnx too; for MXNet leave the ending out")
    for path in torch_paths(args.output) if args.torch else export_paths(args.output, args.onnx):
        check_writable(path)
        if os.path.lexists(path) and not args.force:
            raise FileExistsError(f"{path}: is there already; take another name, or --force to replace it")
    net, classes, scale, about = load_net(args.model)
    if args.torch:
        written = export_torch(net, args.output, classes, scale)
        print(f"Written: {', '.join(map(str, written))}")
        print(f"With PyTorch, python {written[1]} photo.jpg labels a picture; docs/pytorch.md has more")
        return 0
    written = export(net, args.output, onnx=args.onnx)
    print(f"Written: {', '.join(map(str, written))}")
    where = pathlib.Path(args.model).with_suffix(".json") if "format" in about else "utils.VOC, RGB_MEAN and RGB_STD"
    print(f"Its classes, and the mean and deviation to normalise with: {where}")
    return 0
