"""Packs all that an install needs into wheelhouse/, for a room without a network. `make wheelhouse` runs this.

    .venv/bin/python install/wheelhouse.py                              for this kind of machine
    .venv/bin/python install/wheelhouse.py linux-x86_64 linux-aarch64   for both of these
    .venv/bin/python install/wheelhouse.py linux-x86_64-gpu             for GPUs: locks/gpu.txt

The variable WHEELHOUSE names another folder, such as one on a stick. install/bootstrap.py installs from
the folder by find() and settings(); these run before any set-up: standard library and Python 3.6.
"""

import glob
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

import machine
from machine import SetupError

MANIFEST = "wheelhouse.json"
NEEDED_GB = {"cpu": 0.48, "gpu": 2.7}  # a platform, measured: wheels for two Pythons, 0.03 of Python, uv

# What pip calls a platform, beginning with the oldest system that has all wheels; and what uv calls it.
LINUX = [f"manylinux_2_{n}" for n in range(28, 4, -1)] + ["manylinux2014"]
TAGS = {f"linux-{arch}": [f"{tag}_{arch}" for tag in LINUX] for arch in ("x86_64", "aarch64")}
TAGS["macos-x86_64"] = ["macosx_13_0_x86_64"]
UV_NAMES = {target: target + ("-none" if target.startswith("macos") else "-gnu") for target in TAGS}
GPU = "linux-x86_64-gpu"  # the platform that has another lock
TAGS[GPU], UV_NAMES[GPU] = TAGS["linux-x86_64"], UV_NAMES["linux-x86_64"]

README = """What the segmentation course needs, for machines without a network
=================================================================

Packed by `make wheelhouse` for {platforms}, with Python {pythons}: {count} files, {mb} MB.

On the other machine:

1. Copy the course's folder there, without .venv, .bootstrap and build, and this folder into it
   (it is called wheelhouse). Or leave this folder on the stick and add WHEELHOUSE=/path/to/it
   in step 2.
2. make setup, then make check.

`make` and some Python from 3.6 must be there before, with its venv module (Debian, Ubuntu:
python3-venv), and on Linux libgomp1 and, on x86-64, libquadmath0: no wheelhouse can bring those.
{python}
Every file is checked against the hashes in locks/ when it is installed.
"""


def this_platform(device="cpu"):
    if device == "gpu":
        return GPU
    system = {"Darwin": "macos"}.get(platform.system(), platform.system().lower())
    # On Apple silicon only an Intel Python serves, whatever the Python is that runs this.
    return system + "-" + ("x86_64" if system == "macos" else platform.machine())


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def locks(targets):
    """The locks that hold on these platforms: file name -> hash."""
    paths = [machine.lock(name) for name in [*map(device, targets), "bootstrap"]]
    return {os.path.basename(path): sha256(path) for path in paths}


def device(target):
    return "gpu" if target == GPU else "cpu"


def place():
    """The folder that WHEELHOUSE names, or wheelhouse/ in the course's own."""
    return os.path.abspath(os.path.expanduser(os.environ.get("WHEELHOUSE") or os.path.join(machine.ROOT, "wheelhouse")))


def files(folder):
    """Every file of a wheelhouse but its manifest: name relative to the folder -> bytes."""
    paths = [os.path.join(top, name) for top, _, names in os.walk(folder) for name in names]
    found = {os.path.relpath(path, folder): os.path.getsize(path) for path in paths}
    return {name: found[name] for name in sorted(found) if name != MANIFEST}


# ---- Installing from one ----


def find(wanted="cpu"):
    """The wheelhouse for a "cpu" or "gpu" set-up, or None. SetupError where one is there and does not fit."""
    named, folder = os.environ.get("WHEELHOUSE"), place()
    if named == "none" or not (named or os.path.isdir(folder)):
        return None
    way_out = ". Pack it anew with `make wheelhouse`, or install from the network: WHEELHOUSE=none."
    if wanted == "gpu":
        way_out += " Without the GPU: DEVICE=cpu."
    try:
        with open(os.path.join(folder, MANIFEST)) as file:
            manifest = json.load(file)
        platforms, digests, sizes = list(manifest["platforms"]), dict(manifest["locks"]), dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise SetupError(
            f"{folder}: found no {MANIFEST} that can be read, expected a folder made by `make wheelhouse`" + way_out
        ) from None
    here = this_platform(wanted)
    if here not in platforms:
        packed = " and ".join(map(str, platforms))
        raise SetupError(f"{folder}: packed for {packed}, expected {here}" + way_out)
    other = sorted(name for name, digest in locks([here]).items() if digests.get(name) != digest)
    if other:
        raise SetupError(f"{folder}: packed for another locks/{other[0]} than this one" + way_out)
    there = files(folder)
    bad = [name for name, size in sizes.items() if there.get(name) != size]
    if bad:
        count = f"{len(bad)} of {len(sizes)} files"
        raise SetupError(f"{folder}: {count} missing or cut short, first {bad[0]}. Copy the folder again.")
    return folder


def settings(folder):
    """Environment variables by which pip and uv take everything from this wheelhouse and ask no network."""
    from pathlib import Path

    return {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": Path(folder).as_uri(),  # pip splits a path at its spaces
        "PIP_CONFIG_FILE": os.devnull,  # which may name an index
        "UV_OFFLINE": "1",
        "UV_PYTHON_CACHE_DIR": os.path.join(folder, "python"),
    }


# ---- Packing one ----


def locked(path, target, python):
    """The part of a lock that holds for a platform and a Python: {name==version: its lines}, markers left out.

    pip's own `download --platform` looks at the markers with the Python and the machine that run it.
    """
    from packaging.requirements import Requirement

    system, arch = target.split("-")[:2]
    environment = {
        "python_version": python,
        "python_full_version": python + ".0",
        "sys_platform": {"macos": "darwin"}.get(system, system),
        "platform_system": {"macos": "Darwin"}.get(system, "Linux"),
        "platform_machine": arch,
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    entries = re.findall(r"^(\w[^\\\n]*)((?:\\\n[^\\\n]*)*)", machine.read(path), re.M)
    found = {}
    for head, hashes in entries:
        requirement = Requirement(head)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            found[head.split(";")[0].strip()] = hashes
    return found


def download(path, target, python, folder):
    """What a lock asks for on a platform and a Python, by pip into `folder`; what is there already is kept."""
    wanted = locked(path, target, python)
    print(f"{target}, Python {python}, {os.path.basename(path)}: {len(wanted)} to get ...", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        part = os.path.join(scratch, "lock.txt")
        with open(part, "w") as file:
            file.writelines(f"{pin} {hashes}\n" for pin, hashes in wanted.items())
        command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--no-deps"]
        command += ["--require-hashes", "--only-binary=:all:", "--progress-bar", "off", "-r", part, "-d", folder]
        command += ["--implementation", "cp", "--python-version", python]
        command += [word for tag in TAGS[target] for word in ("--platform", tag)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        told, done = [], 0
        for line in process.stdout:
            told.append(line.strip())
            if line.startswith("Collecting ") and sys.stdout.isatty():
                done += 1
                print(f"\r[{done:3}/{len(wanted)}] {line.split()[1]}"[:79].ljust(79), end="\r", flush=True)
        if process.wait() != 0:
            errors = [line for line in told if line.startswith("ERROR")] or told[-3:]
            raise SetupError(
                f"pip could not get everything for {target} with Python {python}:\n"
                + "".join(f"  | {line}\n" for line in errors)
                + "If the network failed, run it again: what was downloaded is kept."
            )


def fetch_python(target, folder):
    """A Python 3.11 for machines without one: the archive that uv would download. What stopped it, or ""."""
    with tempfile.TemporaryDirectory() as scratch:  # uv unpacks it too
        variables = {"UV_PYTHON_CACHE_DIR": os.path.join(folder, "python"), "UV_PYTHON_INSTALL_DIR": scratch}
        command = [sys.executable, os.path.join(machine.ROOT, "install", "bootstrap.py"), "uv", "python", "install"]
        command += [f"cpython-{machine.WANTED[0]}-{UV_NAMES[target]}"]
        code, out, error = machine.run(command, 900, env=dict(os.environ, UV_PYTHON_INSTALL_BIN="0", **variables))
    return "" if code == 0 else machine.last_line(out + error).replace("cause: ", "")


def drop_foreign(folder):
    """Remove wheels whose hash stands in no lock: of an older lock, or cut short."""
    known = set()
    for path in map(machine.lock, ("cpu", "gpu", "bootstrap")):
        known.update(re.findall(r"sha256:(\w+)", machine.read(path)))
    for wheel in glob.glob(os.path.join(glob.escape(folder), "*.whl")):
        if sha256(wheel) not in known:
            os.remove(wheel)


def write_last(folder, targets, without_python):
    """The README and, as the last file, the manifest."""
    python = "Where there is no Python 3.11 or 3.10, a 3.11 is in here and is taken."
    if without_python:
        python = "A Python 3.11 or 3.10 must be there too: none could be packed for " + ", ".join(without_python) + "."
    found = files(folder)
    facts = {"platforms": ", ".join(targets), "pythons": " or ".join(machine.WANTED), "python": python}
    with open(os.path.join(folder, "README.txt"), "w") as file:
        file.write(README.format(count=len(found), mb=sum(found.values()) // 10**6, **facts))
    manifest = {"locks": locks(targets), "platforms": targets, "pythons": machine.WANTED, "files": files(folder)}
    with open(os.path.join(folder, MANIFEST), "w") as file:
        json.dump(manifest, file, indent=1)


def pack(folder, targets):
    """Write a wheelhouse: in FOLDER.part, which a later run goes on with, then renamed to FOLDER."""
    unknown = [target for target in targets if target not in TAGS]
    if unknown:
        raise SetupError(f"PLATFORM: found {unknown[0]}, expected {', '.join(TAGS)}.")
    if os.path.isdir(folder) and os.listdir(folder) and not os.path.exists(os.path.join(folder, MANIFEST)):
        raise SetupError(f"{folder}: found a folder that `make wheelhouse` did not make. Name another one.")
    part = folder.rstrip(os.sep) + ".part"
    os.makedirs(part, exist_ok=True)
    drop_foreign(part)
    needed = sum(NEEDED_GB[device(target)] for target in targets) - sum(files(part).values()) / 1e9
    free = machine.free_gb(part)
    if free < needed:
        raise SetupError(f"Disk of {folder}: found {free:.1f} GB free, expected {needed:.1f} GB.")
    without_python = []
    for target in targets:
        for python in machine.WANTED:
            download(machine.lock(device(target)), target, python, part)
        download(machine.lock("bootstrap"), target, machine.WANTED[0], part)
        stopped = fetch_python(target, part)
        if stopped:
            without_python.append(target)
            print(f"Python itself could not be packed for {target}: {stopped}")
    write_last(part, targets, without_python)
    if os.path.isdir(folder):
        shutil.rmtree(folder + ".old", ignore_errors=True)  # of a run that was stopped while it removed it
        os.replace(folder, folder + ".old")
    os.replace(part, folder)
    shutil.rmtree(folder + ".old", ignore_errors=True)
    return without_python


def main(targets):
    folder = place()
    try:
        without_python = pack(folder, targets or [this_platform(machine.venv_device() or "cpu")])
    except (SetupError, OSError) as error:
        print(f"\nNo wheelhouse was packed. {error}")
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. `make wheelhouse` goes on: what was downloaded is kept.")
        return 130
    packed = files(folder)
    print(f"Packed {len(packed)} files, {sum(packed.values()) / 1e6:.0f} MB: {folder}")
    if without_python:
        print("A Python 3.11 or 3.10 must be on the other machine already: none is in it.")
    print("On the other machine: README.txt in it says what to do.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
