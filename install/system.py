"""What doctor.py asks of the machine itself: libraries, threads, GPU, data, memory, disk.

Each check returns rows of its table. Standard library and Python 3.6, as in machine.py.
"""

import glob
import os
import platform
import re
import shutil
import sys
import tempfile
from collections import namedtuple

import gpu
import machine

REPAIR_GPU = "repair NVIDIA's driver, or go without: make setup DEVICE=cpu"
MEMORY_GB = 4  # what a chapter's training and JupyterLab take at most, with some room
SHARED = "/dev/shm"
SHARED_MB = 256  # two workers' batches of 8 at 480 x 640 take 197 MB of it; a container has 64

# What MXNet's wheels leave to the system. The one for ARM names libraries of Arm.
MXNET_NEEDS = {
    "x86_64": ("libgomp.so.1", "libquadmath.so.0"),
    "aarch64": ("libgomp.so.1", "libarmpl_lp64_mp.so", "libamath.so", "libastring.so"),
}
# library: package for apt, dnf, conda-forge
LIBRARIES = {
    "libgomp.so.1": ("libgomp1", "libgomp", "libgomp"),
    "libquadmath.so.0": ("libquadmath0", "libquadmath", "libgcc"),
    "libGL.so.1": ("libgl1", "mesa-libGL", "libgl"),
}

Row = namedtuple("Row", "mark what found todo")  # mark: "OK", "note" (works, worth knowing), "FIX"


def ok(what, found):
    return Row("OK", what, found, "")


def note(what, found, todo):
    return Row("note", what, found, todo)


def fix(what, found, todo):
    return Row("FIX", what, found, todo)


def check_platform():
    found = f"{platform.system()} on {platform.machine()}"
    problem = machine.platform_problem()
    return [fix("platform", found, problem) if problem else ok("platform", found)]


def remedy(library):
    if library == "libcuda.so.1":
        return REPAIR_GPU
    if library not in LIBRARIES:
        return "docs/platforms.md, ARM: OpenBLAS can take its place"
    apt, dnf, conda = LIBRARIES[library]
    if os.environ.get("CONDA_PREFIX"):
        return "conda install -c conda-forge " + conda
    if shutil.which("dnf"):
        return "sudo dnf install " + dnf
    return "sudo apt install " + apt


def loads(library):
    """Whether the Python that the course runs on finds this library."""
    python = machine.venv_python() if os.path.exists(machine.venv_python()) else sys.executable
    return machine.run([python, "-c", f"import ctypes; ctypes.CDLL('{library}')"])[0] == 0


def check_libraries(findings):
    """MXNet's wheel leaves these to the system (Linux)."""
    if platform.system() != "Linux":
        return []
    rows = []
    for library in MXNET_NEEDS.get(platform.machine(), ()):
        found = loads(library)
        rows.append(ok(library, "found") if found else fix(library, "not found", remedy(library)))
    if loads("libGL.so.1"):
        return rows + [ok("libGL.so.1", "found")]
    if findings["opencv_python"]:
        found = "not found, and opencv-python is installed, which needs it"
        return rows + [fix("libGL.so.1", found, remedy("libGL.so.1"))]
    return rows + [ok("libGL.so.1", "not found, not needed: OpenCV is the headless one")]


def check_threads(findings):
    cores = findings["cores"]
    seen = f"{cores} physical cores" if cores else f"about {about_cores()} cores"
    cores = cores or about_cores()
    value = os.environ.get("OMP_NUM_THREADS")
    if value is None:
        return [ok("threads", f"{seen}, MXNet will use {cores}")]
    if not value.strip().isdigit() or int(value) == 0:
        found = f"OMP_NUM_THREADS is {value!r}, expected a number: MXNet stops at it"
        return [fix("threads", found, "unset OMP_NUM_THREADS")]
    found = f"{seen}, MXNet will use {int(value)}: OMP_NUM_THREADS is set"
    if int(value) == cores:
        return [ok("threads", found)]
    return [note("threads", found, "unset OMP_NUM_THREADS to use all cores")]


def about_cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_gpu(findings):
    """What the driver shows, which lock .venv has or would get, and whether MXNet sees the GPUs."""
    gpus, problem = gpu.look()
    device, seen = machine.venv_device(), "; ".join(gpus) or "none"
    failed = findings["failed"].get("devices") or (findings["gpus"] == 0 and "MXNet sees none")
    if device == "gpu" and (problem or failed):
        found = f"{seen}, and .venv has locks/gpu.txt: {machine.last_line(problem or failed)}"
        return [fix("GPU", found, REPAIR_GPU)]
    if problem:
        found = f"{seen}: the course runs on the CPU, as {problem}"
        return [note("GPU", found, "locks/cpu.txt is the right one") if gpus else ok("GPU", found)]
    if device == "cpu":
        return [note("GPU", f"{seen}, not used: .venv has locks/cpu.txt", "make setup DEVICE=gpu")]
    return [ok("GPU", f"{seen}, used by locks/gpu.txt" + ("" if device else " after make setup"))]


def check_data():
    """Every name in a split file of voc_mini has its picture and its label."""
    root = os.path.join(machine.ROOT, "data", "voc_mini")
    git = os.path.exists(os.path.join(machine.ROOT, ".git"))
    todo = "git checkout -- data/voc_mini" if git else "unpack the course's archive again"
    splits, missing, names = [], [], set()
    for path in sorted(glob.glob(os.path.join(glob.escape(root), "ImageSets/Segmentation/*.txt"))):
        split = machine.read(path).split()
        splits.append(f"{os.path.basename(path)[:-4]} {len(split)}")
        names.update(split)
    for name in sorted(names):
        for path in (f"JPEGImages/{name}.jpg", f"SegmentationClass/{name}.png"):
            full = os.path.join(root, path)
            if not os.path.isfile(full) or not os.path.getsize(full):
                missing.append(path)
    if not names:
        return [fix("data", "data/voc_mini: no split file with names in it", todo)]
    if missing:
        count = f"{len(missing)} of {2 * len(names)} files missing or empty, first {missing[0]}"
        return [fix("data", "data/voc_mini: " + count, todo)]
    return [ok("data", "data/voc_mini: {} pairs ({})".format(len(names), ", ".join(splits)))]


def available_gb():
    """Memory that can be had now: the system's, or what a container may still take."""
    if platform.system() == "Darwin":
        return int(machine.run(["sysctl", "-n", "hw.memsize"])[1]) / 1e9
    amounts = [int(re.search(r"MemAvailable:\s+(\d+)", machine.read("/proc/meminfo")).group(1)) * 1024]
    limits = "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"
    if all(os.path.isfile(path) for path in limits):
        most, used = (machine.read(path).strip() for path in limits)
        if most != "max":
            amounts.append(int(most) - int(used))
    return min(amounts) / 1e9


def check_memory():
    found = f"{available_gb():.1f} GB available"
    if available_gb() >= MEMORY_GB:
        return [ok("memory", found)]
    return [fix("memory", found + f", expected {MEMORY_GB} GB", "close other programs")]


def check_shared():
    """Workers of a loader hand over their batches here, and die of signal 7 or hang where it is full (Linux)."""
    try:
        found = os.statvfs(SHARED)
    except OSError:
        return []
    free = found.f_bavail * found.f_frsize / 1e6
    seen = f"{free:,.0f} MB of {SHARED} free"
    if free >= SHARED_MB:
        return [ok("shared memory", seen)]
    todo = "in a container --shm-size=1g, else clear it; or keep num_workers=0, as the chapters do"
    return [note("shared memory", seen + f", loader workers may need {SHARED_MB}", todo)]


def check_disk():
    device = machine.venv_device() or ("cpu" if gpu.look()[1] else "gpu")
    needed = 0.5 if machine.setup_state()[0] == "ok" else machine.SETUP_GB[device]
    found = f"{machine.free_gb():.1f} GB free"
    if machine.free_gb() >= needed:
        return [ok("disk", found)]
    return [fix("disk", f"{found}, expected {needed:.1f} GB", "free some, e.g. pip cache purge")]


def check_folder():
    try:
        tempfile.TemporaryFile(dir=machine.ROOT).close()
    except OSError as error:
        todo = "copy the course to a folder of your own, or: sudo chown -R $USER ."
        return [fix("this folder", f"cannot be written: {error.strerror}", todo)]
    return [ok("this folder", "can be written")]
