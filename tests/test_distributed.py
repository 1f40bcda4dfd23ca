"""Several ranks are one training: by MXNet's own store and, where it is built, by Horovod (chapter 17)."""

import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT

RUN = str(ROOT / "tests" / "one_rank.py")
HOROVODRUN = pathlib.Path(sys.executable).with_name("horovodrun")
BOTH = pytest.mark.parametrize("by", ["dist_sync", "horovod"])
SETTINGS = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "tests")}


def command(by, ranks, words):
    """The words that start a command as so many ranks."""
    if by == "horovod" and not HOROVODRUN.exists():
        pytest.skip("Horovod is not built here: make setup WITH=horovod")
    if by == "alone":
        return [sys.executable, *words]
    if by == "dist_sync":
        return [sys.executable, "-m", "utils.engine.launch", str(ranks), *words]
    return [str(HOROVODRUN), "--gloo", "-np", str(ranks), sys.executable, *words]


def started(by, ranks, *words):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": ROOT, "env": SETTINGS}
    return subprocess.Popen(command(by, ranks, [RUN, *map(str, words)]), **options)


def printed_by(process, timeout=600):
    """All that a command printed; one that does not end in time is ended, and its ranks with it."""
    try:
        return process.communicate(timeout=timeout)[0]
    finally:
        process.terminate()


def run(by, ranks, folder, out, epochs=2, checkpoint="-", optimizer="sgd", *more):
    """(weights and histories of all ranks, what was printed)."""
    process = started(by, ranks, folder, out, epochs, checkpoint, optimizer, *more)
    printed = printed_by(process)
    assert process.returncode == 0, printed
    found = [np.load(f"{out}{rank}.npz") for rank in range(ranks)]
    return [one["weights"] for one in found], [str(one["history"]) for one in found], printed


def numbers(history):
    return np.array([float(number) for number in re.findall(r": ([\d.e+-]+|nan)", history)])


@BOTH
@pytest.mark.parametrize("ranks", [2])
def test_ranks_hold_the_same_bits_and_what_one_process_learns_from_the_whole_batch(by, ranks, voc_folder, tmp_path):
    (alone,), (history,), _ = run("alone", 1, voc_folder, tmp_path / "alone", 3)
    found, histories, printed = run(by, ranks, voc_folder, tmp_path / "of", 3)
    assert all((one == found[0]).all() for one in found)
    assert all(one == histories[0] for one in histories)
    assert np.abs(found[0] - alone).max() < 1e-6 and not (alone == 0).all()
    assert np.allclose(numbers(histories[0]), numbers(history), atol=1e-4, equal_nan=True)
    assert len(re.findall(f"all {ranks} ranks: loss", printed)) == 3, "rank 0 prints, the others don't"


@BOTH
def test_batchnorm_is_of_each_rank_s_own_share_and_its_statistics_are_rank_0_s(by, voc_folder, tmp_path):
    (alone,), _, _ = run("alone", 1, voc_folder, tmp_path / "alone", 2, "-", "sgd", "norm=1")
    found, histories, _ = run(by, 2, voc_folder, tmp_path / "of", 2, "-", "sgd", "norm=1")
    assert (found[0] == found[1]).all() and histories[0] == histories[1]
    assert np.abs(found[0] - alone).max() > 1e-4


def check_killed(by, folder, tmp_path, moment):
    """A rank is killed at a moment from 0 to 1; the job ends and says which, and the same command ends with the bits
    of one that nobody killed. Returns the seconds from kill to end."""
    words = folder, 6, "adam", "dropout=0.5", "pause=0.2"
    folder, epochs, *more = words
    (whole, _), (history, _), _ = run(by, 2, folder, tmp_path / "whole", epochs, tmp_path / "kept whole", *more)
    process = started(by, 2, folder, tmp_path / "of", epochs, tmp_path / "kept", *more)
    kept = tmp_path / "kept"
    while not list(kept.glob("epoch-*.npz")):
        assert process.poll() is None, printed_by(process)
        time.sleep(0.02)
    time.sleep(moment)
    rank = round(moment * 7) % 2
    os.kill(int((tmp_path / f"of{rank}.pid").read_text()), signal.SIGKILL)
    start = time.time()
    printed = printed_by(process)
    seconds = time.time() - start
    assert process.returncode != 0 and seconds < 10, f"{seconds:.1f} s: {printed}"
    if by == "dist_sync":
        assert f"rank {rank} was killed by signal SIGKILL" in printed, printed
    else:
        assert re.search(rf"rank.*\b{rank}\b|Process {rank} exit|name: {rank}", printed), printed
    again, histories, printed = run(by, 2, folder, tmp_path / "of", epochs, tmp_path / "kept", *more)
    assert re.search(r"epoch-000\d.npz: epoch \d of 6 was the last one whole: going on", printed), printed
    assert (again[0] == whole).all() and (again[1] == whole).all() and histories == [history, history]
    return seconds


@BOTH
def test_a_killed_rank_ends_the_job_and_the_same_command_goes_on_to_the_same_bits(by, voc_folder, tmp_path, report):
    command(by, 2, [])
    report(f"a rank of {by} killed", f"over after {check_killed(by, voc_folder, tmp_path, 0.5):.1f} s")


@pytest.mark.long
@BOTH
@pytest.mark.parametrize("draw", range(10))
def test_killed_at_ten_random_moments(by, draw, voc_folder, tmp_path, report):
    command(by, 2, [])
    moment = random.Random(draw).random()
    seconds = check_killed(by, voc_folder, tmp_path, moment)
    report(f"a rank of {by} killed {moment:.2f} s after the first epoch", f"over after {seconds:.1f} s")
