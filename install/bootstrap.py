"""Sets up .venv: finds a Python, installs locks/cpu.txt or locks/gpu.txt and the course. `make setup` runs this.

Any Python from 3.6 runs this file; it finds a 3.11 or 3.10 itself, or lets uv bring one.

    python3 install/bootstrap.py             set up; nothing to do where that was done
    python3 install/bootstrap.py --quiet     the same, silent where there is nothing to do
    WITH=horovod python3 install/bootstrap.py    and build Horovod (extras.py)
    python3 install/bootstrap.py uv ...      run the pinned uv (locks/bootstrap.txt)
"""

import contextlib
import glob
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time

import extras
import gpu
import machine
import wheelhouse
from machine import ROOT, SetupError, say

BOOTSTRAP = os.path.join(ROOT, ".bootstrap")  # uv, and the Python that uv brings

HOW_TO_GET_PYTHON = """Install one, then run `make setup` again:
  Debian 12           sudo apt install python3.11-venv
  Ubuntu 22.04        sudo apt install python3.10-venv
  Ubuntu 24.04        sudo add-apt-repository ppa:deadsnakes/ppa
                      sudo apt install python3.11-venv
  Fedora              sudo dnf install python3.11
  macOS, Homebrew     brew install python@3.11
  conda, anywhere     conda create -p .bootstrap/conda python=3.11
                      make setup PYTHON=.bootstrap/conda/bin/python
  uv, anywhere        uv python install 3.11
                      make setup PYTHON="$(uv python find 3.11)"
"""

# What pip's log says, and what may help then.
HINTS = (
    ("No space left", "The disk is full: free {cpu} GB, or {gpu} GB for a GPU.".format(**machine.SETUP_GB)),
    ("onnection", "The network: is it up? A proxy needs HTTPS_PROXY=http://host:port."),
    ("timed out", "The network is slow: run it again; what was downloaded is kept."),
    ("SSL", "A proxy replaces certificates: PIP_CERT=/path/to/its/certificate.pem"),
    ("DO NOT MATCH THE HASHES", "A download differs from the lock: run it again; if it stays so, "
     "ask who runs your proxy or package mirror."),
    ("No matching distribution", "The index could not be reached, or has no file for this platform "
     "(pip's own settings: `.venv/bin/python -m pip config list`)."),
    ("Failed to build", "A package without a wheel for this platform needs a C compiler: Debian, "
     "Ubuntu `sudo apt install build-essential`, macOS `xcode-select --install`."),
    ("Permission denied", "This folder, or pip's cache, belongs to another user."),
)  # fmt: skip


# ---- A Python ----


def get_uv(rejected):
    """The pinned uv, installed from PyPI into .bootstrap by a Python that doesn't serve itself."""
    lock = machine.lock("bootstrap")
    pinned = re.search(r"^uv==(\S+)", machine.read(lock), re.M).group(1)
    places = [
        os.path.join(BOOTSTRAP, "env", "bin", "uv"),
        os.path.join(BOOTSTRAP, "lib", "bin", "uv"),
    ]
    for uv in places:
        if machine.run([uv, "--version"])[1].split()[1:2] == [pinned]:
            return uv
    say(f"Getting uv {pinned} into .bootstrap ...")
    # The newest Python has the newest pip, which knows the most kinds of wheels.
    newest = max(rejected, key=lambda c: [int(n) for n in re.findall(r"\d+", c.version)], default=None)
    python = newest.path if newest and newest.version else sys.executable
    pip = ["-m", "pip", "install", "--disable-pip-version-check", "--require-hashes", "--no-deps"]
    pip += ["-r", lock]
    environment, library = os.path.join(BOOTSTRAP, "env"), os.path.join(BOOTSTRAP, "lib")
    code, _, error = machine.run([python, "-m", "venv", "--clear", environment], timeout=300)
    if code == 0:
        inside = os.path.join(environment, "bin", "python")
        code, _, error = machine.run([inside] + pip, timeout=900)
    else:  # Debian without python3-venv may still have pip
        shutil.rmtree(environment, ignore_errors=True)
        pip += ["--upgrade", "--target", library]
        code, _, error = machine.run([python] + pip, timeout=900)
    for uv in places:
        if code == 0 and os.access(uv, os.X_OK):
            return uv
    raise SetupError(f"uv could not be installed with {python}: {machine.last_line(error)}")


def bring_python(rejected):
    """A CPython 3.11 by uv, in .bootstrap/python."""
    folder = os.path.join(BOOTSTRAP, "python")
    pattern = os.path.join(glob.escape(folder), "cpython-3.11*", "bin", "python3.11")
    if not glob.glob(pattern):
        uv = get_uv(rejected)
        say("Getting Python 3.11 into .bootstrap by uv (about 30 MB) ...")
        # Without the second variable, uv puts a python3.11 into ~/.local/bin as well.
        settings = dict(os.environ, UV_PYTHON_INSTALL_DIR=folder, UV_PYTHON_INSTALL_BIN="0")
        code, _, error = machine.run([uv, "python", "install", "3.11"], 900, env=settings)
        if code != 0 or not glob.glob(pattern):
            raise SetupError("uv could not get a Python: " + machine.last_line(error))
    candidate = machine.probe_python(sorted(glob.glob(pattern))[-1])
    if candidate.problem:
        raise SetupError("the Python that uv got does not serve: " + candidate.problem)
    return candidate


def choose_python():
    """A Python 3.11 or 3.10, or one message that says what to install."""
    override = os.environ.get("PYTHON")
    found, rejected = machine.find_python(override)
    problem = machine.platform_problem()
    if problem and not (found and platform.system() == "Darwin"):  # an Intel Python serves there
        raise SetupError(problem)
    if override and not found:
        raise SetupError(f"PYTHON={override}: {rejected[0].problem}")
    if found:
        return found
    try:
        return bring_python(rejected)
    except SetupError as error:
        seen = "".join(f"  {c.path}: {c.problem}\n" for c in rejected)
        wanted = " or ".join(machine.WANTED)
        report = f"No Python {wanted} was found, and {error}\n"
        raise SetupError(report + (seen and "Looked at:\n" + seen) + HOW_TO_GET_PYTHON) from None


# ---- The packages ----


class Counter:
    """The line `[ 37/130] jupyterlab 4.6.6`, drawn from what pip writes into its log."""

    def __init__(self, total):
        self.total, self.done, self.tty = total, 0, sys.stdout.isatty()
        self.order, self.before, self.start = [], 0, time.time()

    def read(self, line):
        package = re.match(r"(?:Collecting|Processing|Requirement already satisfied:) (\S+)", line)
        if line.startswith("Ignoring "):  # not for this Python or platform
            self.total -= 1
        elif package:
            word = os.path.basename(package.group(1))  # name==version, or a wheel's file name
            name = word.replace("==", " ") if "==" in word else " ".join(word.split("-")[:2])
            self.show(self.done + 1, "getting " + name)
        elif line.startswith("Installing collected packages: "):
            self.order = line.split(": ", 1)[1].strip().split(", ")
            self.before, self.total, self.done = len(machine.installed()), len(self.order), 0

    def look(self):
        """While pip installs, it writes nothing: count what has appeared in .venv."""
        done = len(machine.installed()) - self.before
        if self.order and self.done < done < self.total:
            self.show(done, "installing " + self.order[done])

    def show(self, done, what):
        last, self.done = self.done, done
        line = f"[{done:3}/{self.total}] {what}"
        if self.tty:
            width = shutil.get_terminal_size().columns - 1
            line = f"{line} ({int(time.time() - self.start)} s)"
            say("\r" + line[:width].ljust(width), end="")
        elif done // 20 > last // 20 or done == self.total:
            say(line)

    def end(self):
        if self.tty:
            say("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r", end="")


def pip(arguments, counter=None):
    """Run pip in .venv with its whole output in .venv/setup.log; SetupError where it fails."""
    # Variables that would bring packages from outside .venv, or put them there.
    hidden = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV")
    settings = {name: value for name, value in os.environ.items() if name not in hidden}
    settings.update(PIP_USER="0", PYTHONUNBUFFERED="1", PYTHONIOENCODING="utf-8")
    command = [machine.venv_python(), "-m", "pip", "install", "--disable-pip-version-check"]
    command += ["--no-input", "--progress-bar", "off", "--no-deps"] + arguments
    log_path = os.path.join(machine.VENV, "setup.log")
    with open(log_path, "ab") as log, open(log_path, encoding="utf-8", errors="replace") as lines:
        lines.seek(0, os.SEEK_END)
        # close_fds: pip keeps the lock of alone() too, so that a pip whose parent was killed still
        # holds off the next set-up.
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT, env=settings, close_fds=False)
        text, rest = "", ""
        try:
            while True:
                ended = process.poll() is not None
                new = lines.read()
                text += new
                complete, _, rest = (rest + new).rpartition("\n")
                for line in complete.splitlines() if counter else ():
                    counter.read(line)
                if ended:
                    break
                if counter:
                    counter.look()
                time.sleep(0.2)
        finally:
            if process.poll() is None:  # interrupted: leave no pip behind that goes on
                process.terminate()
                process.wait()
            if counter:
                counter.end()
    if process.returncode != 0:
        told = [line for line in text.strip().splitlines() if not line.startswith("Ignoring ")]
        end = "".join(f"  | {line}\n" for line in told[-12:])
        hints = "".join(f"- {hint}\n" for sign, hint in HINTS if sign in text)
        raise SetupError(
            "pip failed. The end of its log (all of it: {}):\n{}{}Then run `make setup` again.".format(
                log_path, end, "What may help:\n" + hints if hints else ""
            )
        )


def install(version, device):
    lock = machine.lock(device)
    say(f"Installing the packages of locks/{device}.txt (log: .venv/setup.log) ...")
    python = machine.venv_python()
    if machine.run([python, "-m", "pip", "--version"])[0] != 0:  # a venv made by uv has no pip
        machine.run([python, "-m", "ensurepip"], timeout=300)
    counter = Counter(len(re.findall(r"^\S+==", machine.read(lock), re.M)))
    pip(["--require-hashes", "-r", lock], counter)
    say("Installing the course itself ...")
    pip(["--no-build-isolation", "-e", ROOT])  # apart: pip hashes nothing editable
    if device == "gpu":
        code, _, error = machine.run([python, machine.CUDA])
        if code != 0:
            raise SetupError(machine.last_line(error))
    machine.write_stamp(version, device)


# ---- The set-up ----


def use_wheelhouse(device):
    """Where there is a wheelhouse, pip and uv take everything from it and ask no network."""
    folder = wheelhouse.find(device)
    if folder:
        say(f"Everything is taken from {folder}, nothing from a network.")
        os.environ.update(wheelhouse.settings(folder))


@contextlib.contextmanager
def alone():
    """Two set-ups at once would spoil each other: the second waits here for the first."""
    import fcntl  # not on Windows, which has been told so by now

    with open(os.path.abspath(__file__), "r+") as file:
        os.set_inheritable(file.fileno(), True)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another set-up is at work in this folder: waiting for it ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            pass  # a file system without locks: go on, two at once are rare
        yield


def set_up(quiet=False):
    state, reason = machine.setup_state()
    if state == "ok":
        if os.environ.get("PYTHON"):
            say("PYTHON= is not used: .venv is complete. To change it, `make distclean` first.")
        elif not quiet:
            say("Nothing to do: .venv is complete.")
        return
    if platform.system() == "Windows":
        raise SetupError(machine.platform_problem())
    with alone():
        state, reason = machine.setup_state()  # another set-up may just have ended
        if state == "ok":
            return
        if state == "refuse":
            raise SetupError(f"{reason}. Remove it with `make distclean`, then `make setup`.")
        start = time.time()
        say(f"Setting up .venv: {reason}.")
        device = machine.venv_device() if state == "complete" else None
        if not device:
            device, why = gpu.choose(os.environ.get("DEVICE", ""))
            say(f"For the {device.upper()}: {why}.")
        needed = machine.SETUP_GB[device] if state == "build" else 0.5
        use_wheelhouse(device)
        if state == "build":
            python = choose_python()
        free = machine.free_gb()
        if free < needed:
            raise SetupError(f"Disk: found {free:.1f} GB free, the set-up needs {needed:.1f} GB.")
        if state == "build":
            say(f"Python {python.version}: {python.path}")
            code, out, error = machine.run([python.path, "-m", "venv", "--clear", machine.VENV], 300)
            if code != 0:
                raise SetupError("venv failed: " + machine.last_line(error + out))
        _, out, _ = machine.run([machine.venv_python(), "--version"])
        version = ".".join(out.split()[1].split(".")[:2])
        with open(machine.started_path(), "w"):
            pass
        try:
            install(version, device)
        except SetupError:
            if state == "complete":  # pip gave up by itself, so what was there is still whole
                os.remove(machine.started_path())
            raise
        os.remove(machine.started_path())
        count, seconds = len(machine.installed()), time.time() - start
        then = "" if quiet else " Next: make lab"
        say(f"Ready after {int(seconds)} s: Python {version}, {count} packages in .venv.{then}")


def main(arguments):
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end as by Ctrl-C, and pip with it
    try:
        if arguments[:1] == ["uv"]:
            return subprocess.call([get_uv([])] + arguments[1:], cwd=ROOT)
        extra = extras.wanted()
        set_up(quiet="--quiet" in arguments)
        if extra:
            with alone():
                extras.install(extra, pip)
    except SetupError as error:
        say("\n" + str(error))
        return 1
    except KeyboardInterrupt:
        say("\nInterrupted. `make setup` starts anew; what was downloaded is kept.")
        return 130
    except OSError as error:  # a read-only folder, a full disk
        say(f"\nThe set-up failed: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
