import utils
from utils.core import device

import os
import subprocess
import sys

import mxnet as mx
import psutil
import pytest


def _run(code, **env):
    env = {k: v for k, v in {**os.environ, **env}.items() if v is not None}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)


def test_all_physical_cores_unless_the_reader_says_otherwise():
    code = "import utils, os; print(os.environ['OMP_NUM_THREADS'])"
    assert _run(code, OMP_NUM_THREADS=None).stdout == f"{utils.physical_cores()}\n"
    assert _run(code, OMP_NUM_THREADS="1").stdout == "1\n"


def test_mxnet_imported_too_early_is_said():
    late = _run("import mxnet, utils", OMP_NUM_THREADS=None)
    assert "restart the kernel and import utils first" in late.stderr
    assert _run("import utils, mxnet", OMP_NUM_THREADS=None).stderr == ""
    assert _run("import mxnet, utils", OMP_NUM_THREADS="2").stderr == ""


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads as Linux lists them")
def test_a_large_copy_starts_no_second_team_of_threads():
    code = """if True:
        import utils, os, numpy as np
        from mxnet import nd
        nd.relu(nd.ones((2000, 2000))).wait_to_read()  # the engine's team
        before = len(os.listdir("/proc/self/task"))
        nd.array(np.zeros((2000, 2000), np.float32)).asnumpy()
        print(len(os.listdir("/proc/self/task")) - before)
    """
    more = {size: _run(code, OMP_NUM_THREADS="3", MXNET_CPU_PARALLEL_SIZE=size).stdout for size in (None, "200000")}
    assert more == {None: "0\n", "200000": "2\n"}


@pytest.mark.parametrize(
    "cores, bound, quota, expected",
    [(8, 16, "max 100000", 8), (8, 4, "max 100000", 4), (8, 16, "150000 100000", 2), (None, 1, "10000 100000", 1)],
)
def test_the_smallest_of_cores_binding_and_quota(monkeypatch, tmp_path, cores, bound, quota, expected):
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: cores if not logical else 16)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(bound)), raising=False)
    monkeypatch.setattr(device.pathlib, "Path", lambda _: tmp_path / "cpu.max")
    assert utils.physical_cores() == expected


def test_without_a_gpu_the_cpu(monkeypatch):
    monkeypatch.setattr(mx.context, "num_gpus", lambda: 0)
    assert utils.try_gpu() == mx.cpu() and utils.try_all_gpus() == [mx.cpu()]


def test_with_two_gpus(monkeypatch):
    monkeypatch.setattr(mx.context, "num_gpus", lambda: 2)
    assert utils.try_gpu(1) == mx.gpu(1) and utils.try_gpu(2) == mx.cpu()
    assert utils.try_all_gpus() == [mx.gpu(0), mx.gpu(1)]


@pytest.mark.parametrize("value, number", [("all", False), ("4,3,2", False), ("2 ", True), ("", True), ("0", True)])
def test_a_value_that_mxnet_dies_of_is_refused_and_no_other(value, number, report):
    alone, ours = (_run(f"import {what}", OMP_NUM_THREADS=value) for what in ("mxnet", "utils"))
    assert (alone.returncode == 0) == (ours.returncode == 0) == number
    if not number:
        assert "Invalid Parameter format" in alone.stderr and alone.returncode < 0
        last = ours.stderr.strip().splitlines()[-1]
        report(f"OMP_NUM_THREADS={value}", last)
        assert last.startswith(f"ImportError: OMP_NUM_THREADS={value!r}: ") and "unset" in last


def test_another_numpy_is_named():
    """NumPy 1.23 keeps the names that 1.24 took away in a table; without it, it answers as 1.24 does."""
    code = "import numpy; numpy.__deprecated_attrs__.pop('bool'); numpy.__version__ = '1.24.4'; import utils"
    last = _run(code, OMP_NUM_THREADS=None).stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: NumPy 1.24.4, expected 1.23.5: ") and "make setup" in last
