"""The course's surroundings: which Python runs it, and clear errors for what breaks MXNet's import."""

import os
import re
import shlex
import shutil
import sys

PAGE = "docs/if_something_looks_wrong.md"


def check_threads():
    """Raise an ImportError where the value of OMP_NUM_THREADS would make MXNet end Python without an exception."""
    value = os.environ.get("OMP_NUM_THREADS", "")
    if value.strip() and not re.fullmatch(r"\s*[+-]?\d+\s*", value):
        raise ImportError(
            f"OMP_NUM_THREADS={value!r}: MXNet expects one number and ends Python at anything else. Before Python "
            f"starts: unset OMP_NUM_THREADS, or set it to a number ({PAGE})"
        )


def check_numpy(error):
    """Raise an ImportError where NumPy is too new for MXNet 1.9.1, which asks for names that 1.24 took away."""
    if "module 'numpy' has no attribute" in str(error):
        import numpy

        raise ImportError(
            f"NumPy {numpy.__version__}, expected 1.23.5: MXNet 1.9.1 asks for what NumPy 1.24 took away. "
            f"make setup puts the locked version back ({PAGE})"
        ) from None


def python():
    """The Python to type in a command, this one: another may have no MXNet."""
    path = os.path.relpath(sys.executable)
    if not path.startswith(".."):
        return shlex.quote(path)
    return "python" if shutil.which("python") == sys.executable else shlex.quote(sys.executable)
