"""What this machine offers the course: a Python, a platform, disk space, a set-up in .venv.

Shared by bootstrap.py and doctor.py. Both run before anything is installed,
so this file keeps to the standard library and to Python 3.6.
"""

import glob
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections import namedtuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYPROJECT = os.path.join(ROOT, "pyproject.toml")
CUDA = os.path.join(ROOT, "utils", "core", "cuda.py")  # a script that links CUDA's libraries
WANTED = ("3.11", "3.10")  # NumPy 1.23.5, which MXNet 1.9.1 needs, has no wheel for 3.12
SETUP_GB = {"cpu": 2.5, "gpu": 10}  # measured: 1.1 and 4.9 in .venv; pip's downloads lie in its cache and /tmp besides


class SetupError(Exception):
    """What the reader is told in place of a traceback."""


def say(text="", end="\n"):
    # ASCII, as a laptop's locale may know nothing else.
    print(text.encode("ascii", "backslashreplace").decode("ascii"), end=end, flush=True)


def run(command, timeout=30, **options):
    """Run `command`: (exit code, output, errors). A command that cannot start has code None."""
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(command, stdout=pipe, stderr=pipe, stdin=subprocess.DEVNULL, **options)
    except OSError as error:
        return None, "", str(error)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, _ = process.communicate()
        return None, out.decode("utf-8", "replace"), f"no answer within {timeout} s"
    return process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def last_line(text):
    return (text.strip().splitlines() or ["no message"])[-1].strip()


# ---- Python ----

# Runs in the candidate, which may even be a Python 2. The base of a venv is what a new venv needs.
PROBE = """
import platform, struct, sys
print(sys.version.split()[0].rstrip("+"))
print(getattr(sys, "_base_executable", None) or sys.executable)
print(platform.python_implementation())
print(platform.machine() if struct.calcsize("P") == 8 else "32-bit")
for name in ("venv", "ensurepip", "ssl", "ctypes"):
    try:
        __import__(name)
    except ImportError:
        print(name)
"""

Candidate = namedtuple("Candidate", "path version problem")


def probe_python(path):
    """Run the Python at `path`: what it is, and why it does not serve ("" if it does)."""
    code, out, err = run([path, "-E", "-c", PROBE])
    lines = out.splitlines()
    if code != 0 or len(lines) < 4:  # a pyenv shim may exist and fail
        return Candidate(path, "", "does not run: " + last_line(err))
    version, base, implementation, machine = lines[:4]
    minor, missing = version.rsplit(".", 1)[0], lines[4:]
    problem = ""
    if minor not in WANTED:
        problem = "found Python {}, expected {}".format(version, " or ".join(WANTED))
    elif implementation != "CPython":
        problem = f"found {implementation}, expected CPython"
    elif machine == "32-bit":
        problem = "found a 32-bit Python, expected 64-bit"
    elif platform.system() == "Darwin" and machine == "arm64":
        problem = "found an Apple silicon Python, for which MXNet has no wheel; expected x86_64"
    elif missing:
        problem = "Python {} lacks {}".format(version, ", ".join(missing))
        if "ensurepip" in missing and shutil.which("apt-get"):
            problem += f": sudo apt install python{minor}-venv"
    return Candidate(path if problem else base, version, problem)


def python_paths():
    """Where a Python may be: the running one, those on PATH, those behind pyenv's shims."""
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    names = ["python" + version for version in WANTED] + ["python3", "python"]
    found = [sys.executable or ""] + [os.path.join(f, name) for name in names for f in folders]
    for shims in folders:
        if os.path.basename(shims) == "shims":
            versions = glob.escape(os.path.join(os.path.dirname(shims), "versions"))
            for version in WANTED:
                found += sorted(glob.glob(os.path.join(versions, version + ".*/bin/python")))
    return [path for path in found if os.access(path, os.X_OK)]


def find_python(override=None):
    """The Python to build .venv with, or None; and the candidates that do not serve.

    `override` (PYTHON=...) is a path or a name on PATH; where it is given, nothing else is tried.
    """
    rejected, seen = [], set()
    for path in [shutil.which(override) or override] if override else python_paths():
        if os.path.realpath(path) not in seen:
            seen.add(os.path.realpath(path))
            candidate = probe_python(path)
            if not candidate.problem:
                return candidate, rejected
            rejected.append(candidate)
    return None, rejected


# ---- Platform and disk ----

CONTAINER = "`docker build -t segmentation .` (docs/platforms.md, The container)"


def platform_problem(system=None, machine=None, musl=None):
    """Why MXNet 1.9.1 has no wheel for this machine, and the way round; "" if it has one."""
    system, machine = system or platform.system(), machine or platform.machine()
    if musl is None:
        musl = bool(glob.glob("/lib/ld-musl-*")) and platform.libc_ver()[0] != "glibc"
    if system == "Windows":
        return (
            "MXNet 1.9.1 has no wheel for Windows itself. Work inside WSL2, a Linux on Windows: "
            "`wsl --install -d Ubuntu-22.04` in an administrator's PowerShell, then `make` there"
        )
    if system == "Darwin" and machine == "arm64":
        return (
            f"MXNet 1.9.1 has no wheel for Apple silicon. Use a Linux container: {CONTAINER}. Or an Intel "
            "Python under Rosetta: `make setup PYTHON=/usr/local/bin/python3.11`"
        )
    if system == "Linux" and machine not in ("x86_64", "aarch64"):
        return f"MXNet 1.9.1 has wheels for Linux on x86_64 and aarch64, none for {machine}"
    if system == "Linux" and musl:
        return f"MXNet 1.9.1 has no wheel for musl (Alpine). Use a container: {CONTAINER}"
    if system not in ("Linux", "Darwin"):
        return f"MXNet 1.9.1 has wheels for Linux and Intel macOS, none for {system}"
    return ""


def free_gb(folder=None):
    return shutil.disk_usage(folder or ROOT).free / 1e9


# ---- The set-up in .venv ----


def venv_python():
    return os.path.join(VENV, "bin", "python")


def stamp_path():
    """Written when a set-up is whole, and never before."""
    return os.path.join(VENV, "course-setup.json")


def started_path():
    """There while a set-up runs. Found at the start of another, it tells of an interruption."""
    return os.path.join(VENV, "course-setup-started")


def lock(device):
    """What is locked for "cpu", "gpu" or "bootstrap", which is uv."""
    return os.path.join(ROOT, "locks", device + ".txt")


def fingerprint(device):
    """Changes with the locked packages and with the project's own packaging."""
    digest = hashlib.sha256()
    for path in (lock(device), PYPROJECT):
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def installed():
    """The packages in .venv but pip, each as `name-version`."""
    pattern = os.path.join(glob.escape(VENV), "lib/python3*/site-packages/*.dist-info")
    names = [os.path.basename(path)[: -len(".dist-info")] for path in glob.glob(pattern)]
    return sorted(name for name in names if not name.startswith("pip-"))


def read_stamp():
    """What write_stamp wrote, or None."""
    try:
        with open(stamp_path()) as file:
            stamp = json.load(file)
    except (OSError, ValueError):
        return None
    whole = isinstance(stamp, dict) and {"root", "python", "fingerprint", "packages"} <= set(stamp)
    return stamp if whole else None


def venv_device():
    """Which lock .venv was set up by, "cpu" or "gpu"; None where it has no MXNet."""
    stamp = read_stamp()
    if stamp:
        return stamp.get("device", "cpu")
    names = [name.split("-")[0] for name in installed()]
    return "gpu" if "mxnet_cu112" in names else "cpu" if "mxnet" in names else None


def setup_state():
    """("ok" | "build" anew | "complete" by installing over it | "refuse", the reason)."""
    if not os.path.isdir(VENV):
        return "build", "there is none yet"
    code, out, _ = run([venv_python(), "-c", "import sys; print('%s.%s' % sys.version_info[:2])"])
    version = out.strip()
    if code != 0:
        return "build", "the Python of .venv does not run any more"
    if os.path.exists(started_path()):
        return "build", "the last set-up did not end"
    stamp, device, asked = read_stamp(), venv_device(), os.environ.get("DEVICE")
    if device and asked and asked != device:  # the two own the same folder: never one over the other
        return "build" if stamp else "refuse", f".venv has locks/{device}.txt, DEVICE={asked}"
    if stamp is None and version not in WANTED:
        return "refuse", ".venv has Python {}, expected {}".format(version, " or ".join(WANTED))
    if stamp is None:
        return "complete", ".venv was not made by `make setup`"
    if stamp["root"] != ROOT and os.path.islink(VENV):  # building anew would empty what it leads to
        return "refuse", ".venv is a link to that of " + stamp["root"]
    if stamp["root"] != ROOT or stamp["python"] != version:
        return "build", ".venv was moved, or its Python replaced"
    if stamp["fingerprint"] != fingerprint(device):
        return "complete", f"locks/{device}.txt or pyproject.toml changed"
    gone = sorted(set(stamp["packages"]) - set(installed()))
    if gone:
        return "complete", "gone or changed: " + ", ".join(gone)
    return "ok", ""


def write_stamp(version, device):
    """Mark the set-up as whole: beside first, then renamed, so that half a stamp never exists."""
    stamp = {"root": ROOT, "python": version, "device": device, "fingerprint": fingerprint(device)}
    stamp["packages"] = installed()
    with open(stamp_path() + ".new", "w") as file:
        json.dump(stamp, file, indent=1)
    os.replace(stamp_path() + ".new", stamp_path())
