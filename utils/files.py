"""Opening the files that people put into a data set: what is wrong with one becomes one error that names it."""

import contextlib
import os
import re
import stat


@contextlib.contextmanager
def opened(path, expected):
    """A file to read bytes from. What the system says against it is one error: path, what was found, what expected."""
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


def short(text):
    """A text in quotes for a message, cut where it is long."""
    return repr(text if len(text) <= 60 else text[:57] + "...")
