"""Archives unpacked so that nothing in them can do harm."""

import contextlib
import pathlib
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections import namedtuple

from ..core.files import FetchError, need_room, write

Member = namedtuple("Member", "name kind size open")
BROKEN = tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError


def unpack(archive, target, limit, log, inside="."):
    """Write what lies in the folder `inside` of a tar or zip to the new folder `target`.

    Only regular files and folders, with the rights that new files get here. A path that would leave the target, a link,
    device or pipe, a name given twice, more than `limit` bytes, a broken archive: one FetchError that names archive
    and member, and nothing is left behind. Everything is judged before anything is written. Python's own
    `tarfile` filters are not in 3.10.0 to 3.10.11 and 3.11.0 to 3.11.3.
    """
    archive, target = pathlib.Path(archive), pathlib.Path(target)
    try:
        with _members(archive) as members:
            chosen = _judge(archive, members, pathlib.PurePosixPath(inside), limit)
            target.mkdir(parents=True)
            try:
                need_room(target, sum(member.size for member in chosen.values()))
                for count, (path, member) in enumerate(chosen.items(), 1):
                    _write(archive, target / path, member)
                    log.status(f"{archive.name}: unpacking, {count:,} of {len(chosen):,} files")
            except BaseException:
                shutil.rmtree(target)
                raise
    except BROKEN as error:
        raise FetchError(f"{archive}: cannot be unpacked ({error}): fetch or copy it anew") from None


def judge_size(file, limit):
    """Raise a ValueError where the members of an open ZipFile have more than `limit` bytes: before any is read."""
    total = sum(info.file_size for info in file.infolist())
    if total > limit:
        raise ValueError(f"would unpack to {total:,} bytes, expected at most {limit:,}")


@contextlib.contextmanager
def _members(archive):
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            yield [_zip_member(file, info) for info in file.infolist()]
    else:
        with tarfile.open(archive, "r:") as file:
            members = file.getmembers()
            file.fileobj.seek(file.offset)
            if file.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):  # tarfile ends there without a word
                raise tarfile.ReadError(f"short or damaged after {members[-1].name}")
            yield [_tar_member(file, info) for info in members]


def _zip_member(file, info):
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where another system than Unix made it
    if info.is_dir() and kind in (0, stat.S_IFDIR):
        kind = "folder"
    else:
        kind = {0: "file", stat.S_IFREG: "file", stat.S_IFLNK: "symbolic link"}.get(kind, "special file")
    return Member(info.filename, kind, info.file_size, lambda: file.open(info))


def _tar_member(file, info):
    kinds = {tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.DIRTYPE: "folder"}
    kinds |= {tarfile.SYMTYPE: "symbolic link", tarfile.LNKTYPE: "hard link", tarfile.FIFOTYPE: "named pipe"}
    kinds |= {tarfile.CHRTYPE: "device", tarfile.BLKTYPE: "device"}
    kind = "special file" if info.sparse else kinds.get(info.type, "special file")
    return Member(info.name, kind, info.size, lambda: file.extractfile(info))


def _judge(archive, members, inside, limit):
    """Path below the target → member, for those that are to be written; a FetchError for one that must not be."""
    chosen = {}
    for member in members:
        path = pathlib.PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts or "\\" in member.name or "\0" in member.name:
            raise _bad(archive, member, "a path that leaves the folder it is unpacked to")
        if not path.is_relative_to(inside):
            continue
        path = path.relative_to(inside)
        if member.kind not in ("file", "folder"):
            raise _bad(archive, member, f"a {member.kind}, expected regular files and folders only")
        if path in chosen and "file" in (member.kind, chosen[path].kind):
            raise _bad(archive, member, "a name given twice")
        chosen[path] = member
    total = sum(member.size for member in chosen.values())
    if total > limit:
        raise FetchError(
            f"{archive}: would unpack to {total:,} bytes, expected at most {limit:,}: not the archive it should be"
        )
    if not chosen:
        raise FetchError(f"{archive}: has no folder {inside}: not the archive it should be")
    return chosen


def _write(archive, path, member):
    try:
        (path if member.kind == "folder" else path.parent).mkdir(parents=True, exist_ok=True)
        if member.kind == "folder":
            return
        with open(path, "xb", buffering=0) as file, member.open() as source:
            while chunk := source.read(1 << 20):
                write(file, chunk)
    except (FileExistsError, NotADirectoryError):  # a file where a folder is, or names that differ in case only
        raise _bad(archive, member, "a name given twice") from None


def _bad(archive, member, what):
    return FetchError(f"{archive}: member {member.name!r} is {what}. Nothing was unpacked: don't use this archive")
