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
