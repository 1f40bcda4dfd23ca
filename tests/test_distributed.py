"""Several ranks are one training: by MXNet's own store and, where it is built, by Horovod (chapter 17)."""

import utils
from utils.engine import distributed, launch

import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml
from conftest import ROOT
from mxnet import gluon, nd

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


def as_rank(rank, size):
    """A rank without others, to look at its share."""
    ranks = distributed.Ranks()
    ranks.rank, ranks.size = rank, size
    return ranks


def test_shares_are_parts_of_the_batches_that_one_process_has(voc_folder):
    def batches(ranks):
        loader = ranks.loader(utils.VOCSegDataset(True, (32, 32), voc_folder, seed=3), 4)
        assert len(loader) == 1, "six pictures: the incomplete last batch is left out"
        return [[array.asnumpy() for array in batch] for _ in range(2) for batch in loader]  # two epochs

    alone = batches(as_rank(0, 1))
    for rank in range(2):
        for (x, y), (whole_x, whole_y) in zip(batches(as_rank(rank, 2)), alone, strict=True):
            assert (x == whole_x[rank::2]).all() and (y == whole_y[rank::2]).all()


def test_a_batch_that_ranks_cannot_share_equally_is_refused(voc_folder):
    with pytest.raises(ValueError, match="batches of 3 for 2 ranks: take a multiple of 2"):
        as_rank(1, 2).loader(utils.VOCSegDataset(True, (32, 32), voc_folder), 3)


def test_alone_everything_is_as_ever(voc_folder, monkeypatch):
    for name in "HOROVOD_RANK", "DMLC_ROLE":
        monkeypatch.delenv(name, raising=False)
    ranks, net = distributed.find_ranks(), gluon.nn.Dense(1)
    net.initialize()
    assert (ranks.rank, ranks.size) == (0, 1)
    assert type(ranks.trainer(net.collect_params(), "sgd", {})) is gluon.Trainer
    assert ranks.callbacks("test") == ("test", [])
    array = nd.ones((2,))
    ranks.add("a", array)
    ranks.from_first("a", array)
    assert array.asnumpy().tolist() == [1, 1] and ranks.total("b", [2, 3]).tolist() == [2, 3]
    with ranks.checkpoint(voc_folder) as kept:
        assert kept == voc_folder


def test_horovodrun_without_horovod_says_how_to_get_it(monkeypatch):
    monkeypatch.setenv("HOROVOD_RANK", "0")
    monkeypatch.setitem(sys.modules, "horovod.mxnet", None)
    monkeypatch.setitem(sys.modules, "horovod", None)
    with pytest.raises(ValueError, match="make setup WITH=horovod"):
        distributed.find_ranks()


def test_the_launcher_ends_all_where_one_fails_and_names_it():
    program = "import os, sys, time\nsys.exit(3) if os.environ.get('DMLC_TASK_ID') == '1' else time.sleep(60)"
    said, start = [], time.time()
    assert launch.launch(2, ["-c", program], said.append) == 3
    assert said == ["rank 1 ended with 3: ending the others"] and time.time() - start < 10


def test_the_launcher_starts_a_scheduler_a_server_and_the_ranks(tmp_path):
    program = (
        "import os, pathlib, sys\nnames = 'DMLC_ROLE', 'DMLC_TASK_ID', 'DMLC_NUM_WORKER'\n"
        "pathlib.Path(sys.argv[1], '-'.join(os.environ.get(name, '') for name in names)).touch()"
    )
    assert launch.launch(3, ["-c", program, str(tmp_path)]) == 0
    found = sorted(path.name for path in tmp_path.iterdir())
    assert found == ["scheduler--3", "server--3", "worker-0-3", "worker-1-3", "worker-2-3"]


def test_the_launcher_asks_for_a_number(capsys):
    assert launch.main(["two", "-c", "pass"]) == 2
    assert "expected a number of ranks" in capsys.readouterr().err


CLUSTER = ROOT / "docs" / "cluster"


def test_files_for_clusters_have_no_mistake_of_syntax():
    for name, shell in ("rank.sh", "sh"), ("ssh.sh", "sh"), ("slurm.sbatch", "bash"):
        done = subprocess.run([shell, "-n", str(CLUSTER / name)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    service, job = yaml.safe_load_all((CLUSTER / "kubernetes.yaml").read_text())
    pod = job["spec"]["template"]["spec"]
    assert service["metadata"]["name"] == pod["subdomain"] == job["metadata"]["name"]
    (script,) = pod["containers"][0]["args"]
    count = job["spec"]["completions"]
    assert count == job["spec"]["parallelism"] and f'"$JOB_COMPLETION_INDEX" {count} segmentation-0' in script
    assert {m["name"] for m in pod["containers"][0]["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


def test_the_files_train_what_the_command_line_takes():
    """Each option in them is one of `python -m utils train`."""
    known = set(re.findall(r'"(--[a-z-]+)"', (ROOT / "utils/cli/train.py").read_text()))
    for path in CLUSTER.iterdir():
        for line in re.findall(r"--(?:dataset|output|checkpoint|force|epochs|batch)\b", path.read_text()):
            assert line in known, f"{path.name}: {line}"


def test_scheduler_server_and_ranks_find_each_other_by_a_machine_s_name(voc_folder, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        settings = SETTINGS | {"DMLC_PS_ROOT_PORT": str(free.getsockname()[1]), "PYTHON": sys.executable}
    settings |= {"DMLC_INTERFACE": "lo", "DMLC_NODE_HOST": "127.0.0.1"}
    words = [RUN, str(voc_folder), str(tmp_path / "of"), "1", "-", "sgd"]
    commands = [["sh", str(CLUSTER / "rank.sh"), str(number), "4", "localhost", *words] for number in range(4)]
    processes = [subprocess.Popen(words, env=settings, cwd=ROOT) for words in commands]
    try:
        assert [process.wait(timeout=600) for process in processes] == [0] * 4
    finally:
        for process in processes:
            process.kill()
    first, second = (np.load(tmp_path / f"of{rank}.npz")["weights"] for rank in range(2))
    assert (first == second).all()
