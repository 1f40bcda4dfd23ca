"""PyTorch's side of a test: a program run in .venv-bench, where `make bench` has put PyTorch; files go to and fro."""

import subprocess

import pytest
from conftest import ROOT

PYTHON = ROOT / ".venv-bench" / "bin" / "python"
WITHOUT = "no PyTorch; `make bench` sets up .venv-bench"


def needed():
    """Skip the test, aloud, where there is no PyTorch."""
    if not (ROOT / ".venv-bench" / "torch.txt").is_file():
        pytest.skip(WITHOUT)


def run(program, folder, path=()):
    """Run a program's text, or these words, in a folder; path: where to import from besides. Returns its output."""
    words = ["-W", "error", "-c", program] if isinstance(program, str) else program
    done = subprocess.run(
        [PYTHON, *words],
        cwd=folder,
        env={"PYTHONPATH": ":".join(map(str, path)), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
