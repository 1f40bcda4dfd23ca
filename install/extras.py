"""What only some readers need: `make setup WITH=horovod`, for chapter 17. bootstrap.py runs this after the set-up.

Horovod has no wheel: it is built here against .venv's MXNet, with Gloo, which needs neither MPI nor a network card.
Standard library and Python 3.6, as the rest of the set-up.
"""

import os
import re
import shutil

import machine
from machine import SetupError, say

KNOWN = ("horovod",)
COMPILER = (
    "Horovod is built from its source, and this machine has no C++ compiler (looked for c++, g++ and clang++). Debian, "
    "Ubuntu: `sudo apt install g++ make`; Fedora: `sudo dnf install gcc-c++ make`; macOS: `xcode-select --install`. "
    "Then run `make setup WITH=horovod` again. The course works without it: chapter 17 then runs on MXNet's own store"
)
FEATURES = ("WITH_MXNET", "WITH_GLOO", "WITHOUT_MPI", "WITHOUT_TENSORFLOW", "WITHOUT_PYTORCH")


def wanted():
    """The extra that WITH= names, or ""; SetupError where it names another one."""
    name = os.environ.get("WITH", "")
    if name and name not in KNOWN:
        raise SetupError("WITH={}: expected {}".format(name, ", ".join(KNOWN)))
    return name


def locked(name):
    """{package: (version, its part of the extra's lock)}, in the order in which they are installed."""
    text = machine.read(machine.lock(name))
    found = {m.group(1): (m.group(2), m.group(0)) for m in re.finditer(r"^(\S+)==(\S+)(?:.*\\\n)+.*\n", text, re.M)}
    return {package: found[package] for package in sorted(found)}  # cmake, then what it builds


def install(name, pip):
    """Build an extra into .venv; pip: bootstrap.py's. Nothing to do where it is there."""
    packages = locked(name)
    if {f"{package}-{version}" for package, (version, _) in packages.items()} <= set(machine.installed()):
        say(f"Nothing to do: {name} is in .venv.")
        return
    if not any(map(shutil.which, (os.environ.get("CXX") or "c++", "g++", "clang++"))) or not shutil.which("make"):
        raise SetupError(COMPILER)
    cmake, part = (os.path.join(machine.VENV, *words) for words in (("bin", "cmake"), (name + ".txt",)))
    os.environ.update({"HOROVOD_" + feature: "1" for feature in FEATURES}, HOROVOD_CMAKE=cmake)
    say(f"Building {name} from its source: some minutes (log: .venv/setup.log) ...")
    for _, lines in packages.values():  # one after the other: cmake must be there when pip looks at the next
        with open(part, "w") as file:
            file.write(lines)
        pip(["--require-hashes", "--no-build-isolation", "-r", part])
    code, out, error = machine.run([machine.venv_python(), "-c", "import horovod.mxnet"], 60)
    if code != 0:
        raise SetupError(f"{name} was built and does not import: {machine.last_line(error)}")
    say(f"Ready: {name} {packages[name][0]} is in .venv.")
