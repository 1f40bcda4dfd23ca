"""Loader workers where /dev/shm is small, as in a container: said before a worker dies, and after."""

import utils
from utils.data import shared_memory

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import types

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "install"))
import system  # noqa: E402

SMALL = """
import sys, time
import utils
from utils.data import shared_memory
from utils.data.batches import Batches
how = sys.argv[1]
if how != "looked at":
    shared_memory.check_room = lambda *given: None
loader = utils.data_loader(utils.VOCSegDataset(True, (320, 480)), 8, 2)
for x, y in Batches(loader) if how == "watched" else loader:
    x.wait_to_read()
    time.sleep(0.1 if how == "looked at" else 3)  # the workers fill the room meanwhile, on a busy machine too
print("all read")
"""


MEASURED = """
import os, sys, time
import numpy as np
import utils
from utils.data import shared_memory
batch, workers, extra = map(int, sys.argv[1:])
def used():
    found = os.statvfs("/dev/shm")
    return (found.f_blocks - found.f_bfree) * found.f_frsize
def target(name):
    return utils.read_label(utils.label_path(utils.data_root(), name)).astype(np.float32)
targets = {f"target {i}": target for i in range(extra)}
dataset = utils.VOCSegDataset(True, (160, 192), extra=targets)
most = 0
for arrays in utils.data_loader(dataset, batch, workers):
    for _ in range(20):
        time.sleep(0.01)
        most = max(most, used())
print(most, shared_memory.needed(dataset, batch, workers))
"""


@pytest.fixture
def inside():
    """`inside(size, code, *words)`: what a process says at last that has a /dev/shm of its own, of that size."""
    own = ["unshare", "--mount", "bash", "-c"]
    mount = "mount -t tmpfs -o size={} tmpfs /dev/shm && "
    try_ = [*own, mount.format("1m") + "true"]
    if not shutil.which("unshare") or subprocess.run(try_, capture_output=True).returncode:
        pytest.skip("no mount namespace of one's own here (root on Linux has one)")

    def run(size, code, *words):
        command = [*own, mount.format(size) + 'exec "$0" "$@"', sys.executable, "-c", code, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=100)
        return ((done.stdout + done.stderr).strip().splitlines() or [""])[-1]

    return run


@pytest.mark.long  # hangs on how fast workers fill the room
def test_without_a_look_a_worker_dies(inside):
    """What the check is for: what MXNet says by itself."""
    assert re.match("ConnectionRefusedError|ConnectionResetError|EOFError", inside("64m", SMALL, "as it was"))


def test_the_loader_looks_before_the_first_batch(inside, report):
    said = inside("64m", SMALL, "looked at")
    report("64 MB of /dev/shm", said)
    words = "MemoryError: num_workers=2 with batches of 8 fill up to 98 MB of /dev/shm, of which 67 MB are free"
    assert said.startswith(words) and "num_workers=0" in said and "--shm-size" in said


@pytest.mark.long  # hangs on how fast workers fill the room
def test_a_worker_that_found_no_room_is_explained(inside, report):
    said = inside("64m", SMALL, "watched")
    report("64 MB of /dev/shm, not looked at before", said)
    assert re.match(r"RuntimeError: a worker of the loader died \(signal 7\).*/dev/shm.* has 67 MB.*--shm-size", said)


def test_enough_room_is_enough(inside):
    assert inside("100m", SMALL, "looked at") == "all read"


@pytest.mark.long  # as above
@pytest.mark.parametrize("batch, workers, extra", [(2, 1, 0), (4, 2, 0), (4, 2, 1)])
def test_what_is_needed_is_what_is_used(inside, batch, workers, extra):
    most, needed = map(int, inside("1g", MEASURED, batch, workers, extra).split())
    assert most == pytest.approx(needed, rel=0.02)


def _full(monkeypatch, every, free):
    """A /dev/shm of so many bytes."""
    found = types.SimpleNamespace(f_blocks=every, f_bavail=free, f_frsize=1)
    monkeypatch.setattr(shared_memory.os, "statvfs", lambda path: found)


def test_no_workers_need_no_room(monkeypatch, voc_folder):
    _full(monkeypatch, 64_000_000, 0)
    dataset = utils.VOCSegDataset(True, (32, 32), voc_folder)
    assert len(utils.data_loader(dataset, 2)) > 0
    with pytest.raises(MemoryError, match="of which 0 MB are free"):
        utils.data_loader(dataset, 2, num_workers=1)


def test_whole_pictures_count_by_their_largest(voc_folder):
    dataset = utils.VOCSegDataset(False, None, voc_folder)
    height, width = max((utils.read_image(path).shape[:2] for path in _pictures(dataset)), key=np.prod)
    assert shared_memory.needed(dataset, 1, 2) == height * width * 16 * 5


def _pictures(dataset):
    return [utils.image_path(dataset.root, name) for name in dataset.names]


def test_a_folder_that_may_not_be_written(inside):
    said = inside("64m,ro", SMALL, "looked at")
    assert said.startswith("OSError: /dev/shm: missing, or may not be written") and "num_workers=0" in said


@pytest.mark.skipif(sys.platform != "linux", reason="a Mac has none and needs none")
def test_where_there_is_none(monkeypatch, voc_folder):
    monkeypatch.setattr(shared_memory, "FOLDER", "/nowhere")
    with pytest.raises(OSError, match="/nowhere: missing.*num_workers=0"):
        utils.data_loader(utils.VOCSegDataset(True, (32, 32), voc_folder), 2, num_workers=1)


def test_a_long_path_for_temporary_files(inside, monkeypatch, report):
    """The longest that is let through works, one byte more is refused."""
    base = pathlib.Path(tempfile.mkdtemp(dir="/tmp"))
    for length, said in (75, "all read"), (76, "OSError: "):
        folder = base / ("x" * (length - 1 - len(str(base))))
        folder.mkdir()
        monkeypatch.setenv("TMPDIR", str(folder))
        found = inside("1g", SMALL, "looked at")
        report(f"TMPDIR of {length} bytes", found)
        assert found.startswith(said)
    assert "a path of 76 bytes" in found and "TMPDIR" in found
    shutil.rmtree(base)


@pytest.mark.parametrize("free, mark", [(64e6, "note"), (8e9, "OK")])
def test_make_check_looks(monkeypatch, free, mark):
    found = types.SimpleNamespace(f_bavail=free, f_frsize=1)
    monkeypatch.setattr(system.os, "statvfs", lambda path: found)
    (row,) = system.check_shared()
    assert row.mark == mark and ("--shm-size=1g" in row.todo) == (mark == "note")


def test_each_way_to_start_a_container_asks_for_room():
    page = (ROOT / "docs/platforms.md").read_text(encoding="utf-8")
    lines = re.findall(r"(?m)^ {4}docker run .*8888.*", page)
    settings = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    assert lines and all(" --shm-size=1g " in line for line in lines) and "--shm-size=1g" in settings["runArgs"]
