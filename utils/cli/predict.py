"""`python -m utils predict`: label PNGs and overlays of pictures."""

import os
import pathlib
import shlex

import numpy as np
import psutil
from PIL import Image

from ..core.console import Log
from ..core.device import try_gpu
from ..core.files import atomic_write, check_writable
from ..data.image_io import palette_picture, read_image
from ..engine.predict import predict
from ..postprocess.crf import DenseCRF
from ..viz.plotting import overlay
from .options import add_averaging, add_model, describe, load_net, scale

HELP = "label pictures with a trained net"
DESCRIPTION = """\
Label pictures of any size, JPEG or PNG. For each IMAGE, DIR gets

  NAME.png            the label: a palette PNG in the classes' colours, whose values are the classes' indices
  NAME_overlay.jpg    the picture with its label painted over it

With --crf labels follow the picture's own borders: a fully connected CRF, with the settings that were saved with the
net, if there are any. All pictures are read once before the first is labelled; if one cannot be, nothing is written.
Take models from people you trust (docs/command_line.md).
"""
EPILOG = """\
examples:
  python -m utils predict --model street.params photo.jpg --output labels
  python -m utils predict --model street.params holiday/*.jpg --output labels --flip
  python -m utils predict --model street.params photo.jpg --output labels --crf

Ends with 0, with 2 if something was wrong, with 130 after Ctrl-C (what was labelled so far stays, whole).
"""


def add_arguments(parser):
    describe(parser, DESCRIPTION, EPILOG)
    add_model(parser)
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="a picture, JPEG or PNG")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder of the labels, made if need be")
    parser.add_argument("--scale", type=scale, help="pictures are reduced by this first (as the net was trained)")
    add_averaging(parser)
    parser.add_argument(
        "--crf", action="store_true", help="let labels follow the picture's own borders (chapter 13): slower"
    )
    parser.add_argument("--force", action="store_true", help="replace labels and overlays that are in DIR already")


def run(args):
    log, folder = Log(), pathlib.Path(args.output)
    for path in args.images:
        if os.path.isdir(path):
            raise ValueError(_pictures_in(path))
    targets = _targets(args.images, folder, args.force)
    sizes = {}
    for i, path in enumerate(args.images, 1):
        log.status(f"reading {i} of {len(args.images)}: {path}")
        sizes[path] = read_image(path).shape[:2]
    net, classes, trained, about = load_net(args.model, try_gpu())
    reduced = args.scale or trained
    for path, size in sizes.items():
        _check_room(path, size, net, reduced, max(1, *args.scales))
    crf = _crf(args.model, about) if args.crf else None
    folder.mkdir(parents=True, exist_ok=True)
    for i, (path, (label_file, overlay_file)) in enumerate(zip(args.images, targets, strict=True), 1):
        image = read_image(path)
        log.status(f"{i} of {len(args.images)}: {path}, {image.shape[0]} × {image.shape[1]}")
        label = predict(net, image, scale=reduced, flip=args.flip, scales=args.scales, crf=crf)
        label = label.asnumpy().astype(np.uint8)
        bands = [slice(row, row + 512) for row in range(0, len(image), 512)]  # overlay computes in float64
        painted = np.concatenate([overlay(image[band], label[band], classes) for band in bands])
        with atomic_write(label_file) as beside:
            palette_picture(label, classes).save(beside, "PNG")
        with atomic_write(overlay_file) as beside:
            Image.fromarray(painted).save(beside, "JPEG", quality=90)
        log.line(f"{label_file}: {_shares(label, classes)}")
    return 0


def _check_room(path, size, net, reduced, largest):
    """A ValueError for a picture that a net sees whole, and that memory has no room for (chapter 16)."""
    needed = getattr(net, "bytes_a_pixel", 0) * size[0] * size[1] * (reduced * largest) ** 2 / 1e9
    free = psutil.virtual_memory().available / 1e9
    if needed > free:
        raise ValueError(
            f"{path}: {size[0]} × {size[1]} pixels. This net sees a picture whole, and takes some {needed:.1f} GB for "
            f"it; {free:.1f} GB are free. Reduce it by --scale, such as {reduced * (free / needed / 2) ** 0.5:.2f}"
        )


def _crf(model, about):
    """The CRF whose settings were saved with a net, `save_model(…, crf=crf.settings)`, or the default one."""
    try:
        return DenseCRF(**about.get("crf", {}))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{pathlib.Path(model).with_suffix('.json')}: crf: {error}") from None


def _pictures_in(folder):
    """What to type in place of a folder: its pictures, or that there is none."""
    endings = ".jpg", ".jpeg", ".png"
    found = sorted(name for name in os.listdir(folder) if name.lower().endswith(endings) and not name.startswith("."))
    if not found:
        return f"{folder}: a folder; expected a JPEG or PNG, and there is none in it"
    kinds = dict.fromkeys(pathlib.Path(name).suffix for name in found)
    words = " ".join(f"{shlex.quote(str(pathlib.Path(folder)))}/*{kind}" for kind in kinds)
    return f"{folder}: a folder; expected a JPEG or PNG: name its {len(found)} pictures, {words}"


def _targets(images, folder, force):
    """(label, overlay) paths of each picture, none of them there, none twice, none a picture itself."""
    if os.path.lexists(folder) and not folder.is_dir():
        raise FileExistsError(f"{folder}: a file; expected a folder, which is made if need be")
    check_writable(folder)
    targets, sources = [], {}
    originals = {os.path.realpath(image): image for image in images}
    for i, image in enumerate(images):
        stem = pathlib.Path(image).stem
        targets.append((folder / f"{stem}.png", folder / f"{stem}_overlay.jpg"))
        for target in targets[-1]:
            other = sources.setdefault(str(target).lower(), i)  # some systems don't tell a from A
            if other != i:
                raise ValueError(f"{images[other]} and {image} would both become {target}: rename one")
            if os.path.realpath(target) in originals:
                raise ValueError(f"{target}: would replace the picture itself; take another folder for --output")
            if os.path.lexists(target) and not force:
                raise FileExistsError(f"{target}: is there already; take another folder, or --force to replace it")
    return targets


def _shares(label, classes):
    counts = np.bincount(label.ravel(), minlength=len(classes))
    order = [i for i in np.argsort(-counts) if counts[i]]
    return ", ".join(f"{classes.names[i]} {100 * counts[i] / label.size:.1f} %" for i in order)
