"""Files: reading people's, with one error that names what is wrong; atomic writes; locks; room on a disk."""

import contextlib
import errno
import fcntl
import json
import os
import pathlib
import re
import shutil
import stat
import sys

MAX_PIXELS = 250_000_000
"""Pixels of the largest picture that is read: the 200 million of the largest telephones pass, and take 2 GB."""
MOST_JSON = 2**24  # bytes: what describes a net or a training is a thousandth of it


@contextlib.contextmanager
def opened(path, expected):
    """Open a file to read bytes. If that fails, one error says the path, what was found and what was expected."""
    try:
        if stat.S_IFMT(os.stat(path).st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
            raise ValueError(f"{path}: a pipe or device; expected {expected}")  # where reading might wait for ever
        with open(path, "rb") as file:
            yield file
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{path}: no such file; expected {expected}") from None
    except IsADirectoryError:
        raise ValueError(f"{path}: a folder; expected {expected}") from None
    except PermissionError:
        raise PermissionError(f"{path}: you may not read it; change its owner or its permissions") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}); expected {expected}") from None


def check_pixels(path, height, width):
    """Raise a ValueError for a picture of more than `MAX_PIXELS`."""
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"{path}: {height} × {width} (height × width), {height * width:,} pixels, "
            f"but at most {MAX_PIXELS:,} are read; reduce or cut it"
        )


def read_lines(path, expected):
    """[(number, line)] of a UTF-8 text file: counted from 1, outer spaces stripped, empty lines left out."""
    with opened(path, expected) as file:
        data = file.read()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    lines = [(number, line.strip()) for number, line in enumerate(re.split("\r\n|\r|\n", text), 1)]
    for number, line in lines:
        if re.search(r"[\0-\x08\x0b-\x1f\x7f]", line):
            raise ValueError(f"{path}, line {number}: control characters in {short(line)}; save it as UTF-8 text")
    return [(number, line) for number, line in lines if line]


def read_json(path, expected):
    """A dict from a JSON file; whatever else is in it, too deep, too large or damaged is a ValueError."""
    with opened(path, expected) as file:
        data = file.read(MOST_JSON + 1)
    try:
        if len(data) > MOST_JSON:
            raise ValueError(f"more than {MOST_JSON:,} bytes")
        found = json.loads(data)
        if not isinstance(found, dict):
            raise ValueError(f"a {type(found).__name__}, not a dict")
    except RecursionError:
        raise ValueError(f"{path}: lists in lists without end; expected {expected}") from None
    except ValueError as error:  # of JSON, UTF-8 and digits too
        raise ValueError(f"{path}: damaged ({error}); expected {expected}") from None
    return found


def short(text):
    """A text in quotes for a message, cut where it is long."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


class FetchError(FileNotFoundError):
    """A file or data set could not be fetched: one text says which, why, and what to do."""


REMEDY = {
    **dict.fromkeys([errno.ENOSPC, errno.EDQUOT, errno.EFBIG], "make room, or "),
    **dict.fromkeys([errno.EACCES, errno.EPERM, errno.EROFS], "get leave to write there, or "),
}


@contextlib.contextmanager
def writing_to(folder, elsewhere):
    """Inside, an error of the disk (full, read-only, no such folder) becomes a FetchError.

    elsewhere: how another folder can be named.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:  # not the system's: a text that says what to do already
            raise
        advice = REMEDY.get(error.errno, "") + elsewhere
        where = f"{error.filename or folder}: {error.strerror}"
        raise FetchError(f"{where}. {advice[0].upper()}{advice[1:]}") from None


def check_writable(path):
    """Raise a PermissionError where `path`, a file or a folder that may not be there yet, could not be written.

    So the error comes before the work, not after hours of it.
    """
    path = pathlib.Path(path).absolute()
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    if not os.access(there, os.W_OK) or there != path and not there.is_dir():
        raise PermissionError(f"{there}: cannot be written to; take another folder for {path.name}")


def advice(error):
    """The text of an OSError with its file's name and what to do, where the system gave it."""
    if not getattr(error, "errno", None) or not error.filename:
        return str(error)
    text = f"{REMEDY.get(error.errno, '')}name another place"
    return f"{error.filename}: {error.strerror}. {text[0].upper()}{text[1:]}"


@contextlib.contextmanager
def one_message():
    """Inside, Ctrl-C and errors of a disk or a data set end a command with one message, without a traceback."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. What has come is kept: the same command continues.")
    except (OSError, ValueError) as error:
        where = getattr(error, "filename", None)
        sys.exit(f"\n{where}: {error.strerror}" if where else f"\n{error}")


@contextlib.contextmanager
def atomic_write(path):
    """A path beside `path` to write to; at the end it is moved into place, once the disk has it, or deleted.

    So the file of that name is always complete, the old one or the new one, whatever stops the program. For what a
    program writes, not for what it fetches (`work_folder`).
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        yield beside
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name too, not the content alone
        finally:
            os.close(folder)
    except OSError as error:
        if error.errno is None:  # not the system's: a text that says what to do already
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None  # not by the name beside it
    finally:
        beside.unlink(missing_ok=True)


def write_parameters(net, beside, path, half=False):
    """`net.save_parameters`, read again: MXNet does not notice a full disk. path: where they go, for the OSError.

    half: as float16, in half the bytes.
    """
    import mxnet as mx  # here: what fetches data sets needs no MXNet

    try:
        if half:
            parameters = net._collect_params_with_prefix().items()
            mx.nd.save(str(beside), {name: parameter._reduce().astype("float16") for name, parameter in parameters})
        else:
            net.save_parameters(str(beside))
        mx.nd.load(str(beside))
    except mx.MXNetError:
        raise OSError(
            f"{path}: could not be written, or what was written cannot be read again; nothing is kept. Is the disk "
            "full? Make room, or take another place"
        ) from None


@contextlib.contextmanager
def work_folder(path):
    """Make a folder, where it isn't there; afterwards, take it away if nothing is left in it."""
    path.mkdir(exist_ok=True)
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):  # not empty, or gone
            path.rmdir()


def names_in(folder):
    """What lies in a folder; nothing where there is none."""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []
    except PermissionError:
        raise PermissionError(f"{folder}: you may not look into it; change its owner or its permissions") from None


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


def try_lock(file, say):
    """Whether this process has the lock of an open file or folder now; False where another holds it.

    The system frees it when its process ends, however that happens. A disk without locks, as some of a network are, is
    no reason to stop: it is said, and counts as locked.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        say(f"This disk cannot lock files ({error.strerror}): don't run the same twice at once.")
    return True


@contextlib.contextmanager
def locked(path, say):
    """Hold the lock of that name (`try_lock`); where another process holds it, say so and wait.

    The file goes with each holder.
    """
    while True:
        with open(path, "a", encoding="utf-8") as file:
            if not try_lock(file, say):
                say("Another process is fetching the same: waiting for it.")
                fcntl.flock(file, fcntl.LOCK_EX)
            if not _is(file, path):  # the one who held it took the file away
                continue
            try:
                yield
            finally:
                pathlib.Path(path).unlink(missing_ok=True)  # without locks, another may have taken it away
            return


def _is(file, path):
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
