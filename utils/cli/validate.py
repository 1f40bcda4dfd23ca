"""`python -m utils data`: validates a folder; prints what datacheck/ finds in it, and has a split made."""

import argparse
import os
import pathlib
import shlex
import sys

from ..core.console import Log
from ..core.surroundings import python
from ..data.scribbles import SCRIBBLES
from ..datacheck import scribbles
from ..datacheck.items import merged
from ..datacheck.lists import SPLITS
from ..datacheck.report import CROP_SIZE, check, find
from ..datacheck.split import refusal, refuse_existing, write_split
from .options import scale, share, size

FEW = 5  # lines of each kind
COURSE = pathlib.Path(__file__).resolve().parents[2]  # where its Makefile is

HELP = "check a folder of pictures and labels, and make a split"
DESCRIPTION = """\
Look at a data set in VOC layout and report every problem at once, before you train on it. Nothing is written,
unless you ask for a split.

  errors     the course would stop, or a score would be wrong
  warnings   worth knowing; training works all the same

--split writes ImageSets/Segmentation/train.txt and val.txt where there is neither: from default.txt, which CVAT
writes, or trainval.txt, or else from all labels. It tries to have each class on both sides. It cannot know which
pictures show the same thing: frames of one video, or ten photographs of one cup, must not fall on both sides, or the
score says little. Write the two lists by hand then, one name a line, without .jpg.
"""
EPILOG = "Ends with 0 if there is no error, 1 if there are errors, 2 if the command itself was wrong."


def add_arguments(parser):
    parser.formatter_class, parser.description, parser.epilog = (
        argparse.RawDescriptionHelpFormatter,
        DESCRIPTION,
        EPILOG,
    )
    parser.add_argument("folder", help="a folder in VOC layout, or voc_mini, voc2012, camvid")
    parser.add_argument("--crop", type=size, default=CROP_SIZE, metavar="HxW", help="crop for training (160x224)")
    parser.add_argument("--scale", type=scale, default=1.0, help="pictures are reduced by this first (1)")
    parser.add_argument("--split", action="store_true", help="make train.txt and val.txt, if there is neither")
    parser.add_argument("--val", type=share, default=0.2, metavar="SHARE", help="share of test pictures (0.2)")
    parser.add_argument("--seed", type=int, default=0, help="another number gives another split (0)")
    parser.add_argument(
        "--scribbles",
        nargs="?",
        const=SCRIBBLES,
        metavar="FOLDER",
        help=f"look at scribbles too ({SCRIBBLES})",
    )
    parser.add_argument("--all", action="store_true", help="every problem, not only the first five of each kind")


def run(args):
    """Check, have a split made if asked, print, and return the exit code."""
    log, split = Log(), ""
    try:
        root = find(args.folder)
        if args.split:
            refuse_existing(root)
        report = check(root, args.crop, args.scale, lambda i, n: log.status(f"{i} of {n} pairs looked at"))
        marked = _scribbles(report, args.scribbles) if args.scribbles else []
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    if args.split:
        try:
            made = write_split(report, args.val, args.seed)
            report = check(root, args.crop, args.scale, pairs=report.pairs)
            left = "".join(
                f"; left out, without a picture or a label: {name}" for name in [", ".join(made["left out"])] if name
            )
            split = f"Written: train.txt with {len(made['train'])} names, val.txt with {len(made['val'])}{left}"
        except (OSError, ValueError) as error:
            split = f"No split was made: {error}"
    for line in [
        *lines(report, None if args.all else FEW),
        *marked,
        *([split] if split else []),
        _verdict(report),
        _next(report, args),
    ]:
        log.line(line)
    return 1 if report.errors else 0


def _scribbles(report, folder):
    """Lines on the scribbles of the training pictures; their problems become the report's."""
    if report.classes is None:
        return []
    split = next((split for split in ("train", *report.lists) if split in report.lists), "train")
    found = scribbles.check(report.root, split, report.lists.get(split, []), report.classes, folder)
    scribbled = {mark["name"] for mark in found.marks}  # they need no label
    report.problems[:] = [
        problem
        for problem in report.problems
        if not (problem.kind == "labels missing" and pathlib.PurePosixPath(problem.file).stem in scribbled)
    ]
    report.problems.extend(found.problems)
    return [*scribbles.lines(found, report.classes), ""]


def lines(report, few=FEW):
    """A `Report` as lines of text: what is there, how often each class occurs, problems by kind, `few` of each."""
    size = ", ".join(f"{len(names)} in {split}" for split, names in report.lists.items())
    uncounted = sum(pair.pixels is None for pair in report.pairs.values())
    yield f"{report.root}: {size}" + f"; {uncounted} without a label that can be counted" * bool(uncounted)
    if any(pair.pixels is not None for pair in report.pairs.values()):
        yield from _table(report)
    for error, title in (
        (True, "ERRORS: the course would stop, or a score be wrong"),
        (False, "WARNINGS: worth knowing"),
    ):
        problems = [problem for problem in report.problems if problem.error == error]
        yield from ["", title] * bool(problems)
        for kind in dict.fromkeys(problem.kind for problem in problems):
            found = [problem for problem in problems if problem.kind == kind]
            yield f"  {kind} ({len(found)})"
            told = list(merged(found)) if few else [str(problem) for problem in found]
            yield from (f"    {text}" for text in told[:few])
            if len(told[:few]) < len(told):
                yield f"    and {len(told) - few} more (--all shows them)"
    yield ""


def _table(report):
    """Share of pixels and number of pictures of each class in each list."""
    counts = [report.frequencies(split) for split in report.lists]
    width = max(len(name) for name in [*report.classes.names, "class"])
    yield (f"{'':{width}}" + "".join(f"  {split:^21}" for split in report.lists)).rstrip()
    yield f"{'class':{width}}" + "  % of pixels  pictures" * len(counts)
    for i, name in enumerate([*report.classes.names, "(void)"]):
        if not any(pictures[i] for _, pictures in counts):
            continue  # a warning names them
        shares = ((100 * pixels[i] / max(1, pixels.sum()), pictures[i]) for pixels, pictures in counts)
        yield f"{name:{width}}" + "".join(f"  {share:11.2f}  {pictures:8}" for share, pictures in shares)


def _verdict(report):
    errors, warnings = len(report.errors), len(report.problems) - len(report.errors)
    counts = [f"{n} {what}{'s' * (n != 1)}" for n, what in ((errors, "error"), (warnings, "warning")) if n]
    return ("Not ready: " if errors else "Ready: ") + (", ".join(counts) or "nothing to mend")


def _next(report, args):
    """The command to type next."""
    folder = shlex.quote(str(args.folder))
    again = f"{python()} -m utils data {folder}"
    if not report.errors:
        crop = "" if args.crop == CROP_SIZE else " CROP={}x{}".format(*args.crop)
        scale = "" if args.scale == 1 else f" SCALE={args.scale}"
        epochs = " EPOCHS=30" if len(report.lists["train"]) < 40 else ""  # few steps make an epoch
        where = "" if os.path.isfile("Makefile") and os.path.isdir("chapters") else f" -C {shlex.quote(str(COURSE))}"
        if where and os.path.exists(args.folder):
            folder = shlex.quote(os.path.abspath(args.folder))
        return f"Next: make{where} course DATASET={folder} CHAPTER=08{crop}{scale}{epochs}"
    if not set(report.lists) & set(SPLITS) and not refusal(report):
        return f"Next: {again} --split"
    return f"Next: repair what is listed under ERRORS, then {again}"
