"""What fetching large files asks of a disk: room, a lock, and errors that say what to do."""

import contextlib
import errno
import fcntl
import os
import shutil


class FetchError(FileNotFoundError):
    """A file or data set that could not be had: which, why, and what to do. One text."""


@contextlib.contextmanager
def writing_to(folder, elsewhere):
    """Inside, an error of the disk (full, read-only, no such folder) becomes a FetchError.

    elsewhere: how another folder can be named.
    """
    try:
        yield
    except FetchError:
        raise
    except OSError as error:
        where, what = error.filename or folder, error.strerror or error
        raise FetchError(f"{where}: {what}. Make room or get leave to write there, or {elsewhere}") from None


@contextlib.contextmanager
def work_folder(path):
    """Make a folder, where it isn't there; afterwards, take it away if nothing is left in it."""
    path.mkdir(exist_ok=True)
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):  # not empty, or gone
            path.rmdir()


def need_room(folder, needed):
    """Raise an OSError where `folder` has fewer than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        text = f"needs {needed / 1e9:.2f} GB of free disk, found {free / 1e9:.2f} GB"
        raise OSError(errno.ENOSPC, text, str(folder))


def write(file, data):
    """Write all of `data` to an unbuffered file, so that nothing is left for closing it to fail on."""
    data = memoryview(data)
    try:
        while data:
            data = data[file.write(data) :]
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file.name)) from None


@contextlib.contextmanager
def locked(path, say):
    """Hold the lock of that name; where another process holds it, say so and wait.

    The system frees it when its process ends, however that happens. The file goes with each holder.
    """
    while True:
        with open(path, "a", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Another process is fetching the same: waiting for it.")
                fcntl.flock(file, fcntl.LOCK_EX)
            if not _is(file, path):  # the one who held it took the file away
                continue
            try:
                yield
            finally:
                os.unlink(path)
            return


def _is(file, path):
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
