"""Several ranks are one training: by MXNet's own store and, where it is built, by Horovod (chapter 17)."""

import utils
from utils.engine import distributed, launch
from utils.engine.callbacks import Training

import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import mxnet as mx
import numpy as np
import one_rank
import psutil
import pytest
import relay
import tiny
import yaml
from conftest import ROOT
from mxnet import gluon, nd

CLUSTER = ROOT / "docs" / "cluster"
RUN = str(ROOT / "tests" / "one_rank.py")
HOROVODRUN = pathlib.Path(sys.executable).with_name("horovodrun")
BOTH = pytest.mark.parametrize("by", ["dist_sync", "horovod"])
SETTINGS = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "tests")}


def command(by, ranks, words):
    """The words that start a command as so many ranks."""
    if by == "horovod" and not HOROVODRUN.exists():
        pytest.skip("Horovod is not built here: make setup WITH=horovod")
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


def run(by, ranks, folder, out, epochs=4, checkpoint="-", optimizer="sgd", *more):
    """(weights and histories of all ranks, what was printed)."""
    printed = ""
    if by == "alone":  # in this process, which has MXNet already
        one_rank.main(folder, out, epochs, checkpoint, optimizer, *more)
    else:
        process = started(by, ranks, folder, out, epochs, checkpoint, optimizer, *more)
        printed = printed_by(process)
        assert process.returncode == 0, printed
    found = [np.load(f"{out}{rank}.npz") for rank in range(ranks)]
    return [one["weights"] for one in found], [str(one["history"]) for one in found], printed


_WHOLE = {}


def whole(by, folder, tmp_path, *more):
    """(folder of checkpoints, weights, history, what was printed) of a training that nobody kills, made once."""
    key = (by, *more)
    if key not in _WHOLE:
        kept = tmp_path / "kept whole"
        (one, other), histories, printed = run(by, 2, folder, tmp_path / "whole", 4, kept, *more)
        assert (one == other).all() and histories[0] == histories[1]
        _WHOLE[key] = kept, one, histories[0], printed
    return _WHOLE[key]


def numbers(history):
    return np.array([float(number) for number in re.findall(r": ([\d.e+-]+|nan)", history)])


def check_same(found, expected):
    """One training to rounding: weights, and histories as texts."""
    (weights, history), (expected_weights, expected_history) = found, expected
    assert np.abs(weights - expected_weights).max() < 1e-6 and not (expected_weights == 0).all()
    assert np.allclose(numbers(history), numbers(expected_history), atol=1e-4, equal_nan=True)


@BOTH
def test_ranks_hold_the_same_bits_and_what_one_process_learns_from_the_whole_batch(by, voc_folder, tmp_path):
    command(by, 2, [])
    kept, weights, history, printed = whole(by, voc_folder, tmp_path)
    (alone,), (expected,), _ = run("alone", 1, voc_folder, tmp_path / "alone")
    check_same((weights, history), (alone, expected))
    assert len(re.findall("all 2 ranks: loss", printed)) == 4, "rank 0 prints, the others don't"
    shutil.copytree(kept, tmp_path / "go on")
    (tmp_path / "go on" / "epoch-0004.npz").unlink()
    (again,), (history,), _ = run("alone", 1, voc_folder, tmp_path / "again", 4, tmp_path / "go on")
    check_same((again, history), (alone, expected))
    assert (again != alone).any(), "of three epochs it had the ranks' bits"


@pytest.mark.parametrize("given, each", [(None, "4"), ("8", "4"), ("3", "3")])
def test_ranks_share_the_cores(given, each, monkeypatch, capfd):
    """8 cores: 8 threads are what `import utils` has set in the process that launches, and no wish of the reader's."""
    monkeypatch.setattr(launch, "physical_cores", lambda: 8)
    settings = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    settings |= {"OMP_NUM_THREADS": given} if given else {}
    words = "-c", "import os; os.environ['DMLC_ROLE'] == 'worker' and print(os.environ['OMP_NUM_THREADS'])"
    assert launch.launch(2, words, env=settings) == 0
    assert capfd.readouterr().out.split() == [each, each]


@pytest.mark.long
@BOTH
def test_ranks_go_on_from_a_checkpoint_of_one_process_and_share_one_test_picture(by, voc_folder, tmp_path):
    (voc_folder / "ImageSets/Segmentation/val.txt").write_text("x\n")  # rank 1 has none
    (alone,), (expected,), _ = run("alone", 1, voc_folder, tmp_path / "alone")
    run("alone", 1, voc_folder, tmp_path / "first", 2, tmp_path / "kept")
    found, histories, printed = run(by, 2, voc_folder, tmp_path / "of", 4, tmp_path / "kept")
    assert "epoch-0002.npz: epoch 2 of 4 was the last one whole: going on" in printed
    assert (found[0] == found[1]).all() and histories[0] == histories[1]
    check_same((found[0], histories[0]), (alone, expected))


@pytest.mark.long
@BOTH
def test_batchnorm_is_of_each_rank_s_own_share_and_its_statistics_are_rank_0_s(by, voc_folder, tmp_path):
    (alone,), _, _ = run("alone", 1, voc_folder, tmp_path / "alone", 2, "-", "sgd", "norm=1")
    found, histories, _ = run(by, 2, voc_folder, tmp_path / "of", 2, "-", "sgd", "norm=1")
    assert (found[0] == found[1]).all() and histories[0] == histories[1]
    assert np.abs(found[0] - alone).max() > 1e-4


def wait_for(process, found):
    """Wait until `found()`; a job that ends before is an error."""
    while not found():
        assert process.poll() is None, printed_by(process)
        time.sleep(0.02)


def check_killed(by, folder, tmp_path, moment, *more):
    """A rank is killed so many seconds after both are there, of a training of 3 s; the job ends and says which, and the
    same command ends with the bits of one that nobody killed. Returns the epochs kept, and seconds from kill to end."""
    _, weights, history, _ = whole(by, folder, tmp_path, *more)
    kept, rank = tmp_path / "kept", round(moment * 7) % 2
    more = more or ("sgd",)
    process = started(by, 2, folder, tmp_path / "of", 4, kept, *more, "pause=0.25")
    wait_for(process, lambda: all((tmp_path / f"of{rank}.pid").exists() for rank in range(2)))
    time.sleep(moment)
    epochs = len(list(kept.glob("epoch-*.npz")))
    os.kill(int((tmp_path / f"of{rank}.pid").read_text()), signal.SIGKILL)
    start = time.time()
    printed = printed_by(process)
    seconds = time.time() - start
    assert process.returncode != 0 and seconds < 10, f"{seconds:.1f} s: {printed}"
    named = (
        f"rank {rank} was killed by signal SIGKILL" if by == "dist_sync" else f"Process {rank} exit with status code"
    )
    assert named in printed, printed
    again, histories, printed = run(by, 2, folder, tmp_path / "of", 4, kept, *more)
    assert bool(epochs) <= ("was the last one whole: going on" in printed), printed
    assert (again[0] == weights).all() and (again[1] == weights).all() and histories == [history, history]
    return epochs, seconds


def test_a_killed_rank_ends_the_job_and_the_same_command_goes_on_to_the_same_bits(voc_folder, tmp_path, report):
    _, seconds = check_killed("dist_sync", voc_folder, tmp_path, 1.5)
    report("a rank of dist_sync killed", f"over after {seconds:.1f} s")


@pytest.mark.long
@BOTH
def test_an_epoch_whose_rows_could_not_be_joined_is_not_kept(by, voc_folder, tmp_path):
    command(by, 2, [])
    _, weights, history, _ = whole(by, voc_folder, tmp_path)
    words = voc_folder, tmp_path / "of", 4, tmp_path / "kept", "sgd"
    process = started(by, 2, *words, "die=2")
    printed = printed_by(process)
    assert process.returncode != 0
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["epoch-0001.npz"], printed
    again, histories, printed = run(by, 2, *words)
    assert (again[0] == weights).all() and histories == [history, history], printed


@pytest.mark.long
@BOTH
@pytest.mark.parametrize("draw", range(10))
def test_killed_at_ten_random_moments(by, draw, voc_folder, tmp_path, report):
    command(by, 2, [])
    moment = random.Random(draw).uniform(0, 3)
    epochs, seconds = check_killed(by, voc_folder, tmp_path, moment, "adam", "dropout=0.5")
    report(f"a rank of {by} killed after {moment:.2f} s, {epochs} epochs kept", f"over after {seconds:.1f} s")


@pytest.mark.long
@pytest.mark.parametrize("name", ["server", "scheduler"])
def test_a_killed_server_or_scheduler_ends_the_job_too(name, voc_folder, tmp_path):
    kept = tmp_path / "kept"
    process = started("dist_sync", 2, voc_folder, tmp_path / "of", 9, kept, "sgd", "pause=0.2")
    wait_for(process, lambda: list(kept.glob("epoch-*.npz")))
    roles = {child.environ()["DMLC_ROLE"]: child for child in psutil.Process(process.pid).children()}
    roles[name].kill()
    start = time.time()
    assert f"{name} was killed by signal SIGKILL: ending the others" in printed_by(process)
    assert process.returncode == 137 and time.time() - start < 10


@pytest.mark.long
@pytest.mark.parametrize("where", ["first weights", "steps"])
def test_a_rank_that_stands_still_is_waited_for_as_long_as_the_limit_says(where, voc_folder, tmp_path, monkeypatch):
    monkeypatch.setitem(SETTINGS, distributed.LIMIT, "8")
    kept, stop = tmp_path / "kept", ["stop=1"] * (where == "first weights")
    process = started("dist_sync", 2, voc_folder, tmp_path / "of", 9, kept, "sgd", "pause=0.2", *stop)
    if not stop:
        wait_for(process, lambda: list(kept.glob("epoch-*.npz")))
        os.kill(int((tmp_path / "of1.pid").read_text()), signal.SIGSTOP)
    printed = printed_by(process, 60)
    assert process.returncode == 2
    what = r"weight \d" if stop else "the sum of the gradients|the epoch's row|the confusion matrices|the check"
    assert re.search(rf"rank 0 of 2: .*\(waited 8 s for ({what})", printed), printed


@pytest.mark.long
def test_a_rank_that_has_done_all_does_not_wait_for_ever_for_one_with_more_batches(tmp_path, monkeypatch):
    program = (
        "from utils.engine.distributed import find_ranks\nimport mxnet\nranks, one = find_ranks(), mxnet.nd.ones(1)\n"
        "for _ in range(3 - ranks.rank):\n    ranks.add('one', one)\n    one.wait_to_read()"
    )
    settings = SETTINGS | {distributed.LIMIT: "5"}
    words = [*command("dist_sync", 2, ["-c", program])]
    done = subprocess.run(words, env=settings, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2 and "rank 1 of 2 has done all, and waited 5 s for the others to end" in done.stderr


@pytest.mark.long
@BOTH
def test_the_command_trains_as_ranks_and_only_the_first_speaks_and_writes(by, voc_folder, tmp_path):
    words = ["-m", "utils", "train", "--dataset", voc_folder, "--crop", "32x32", "--batch", 2, "--epochs", 2]
    words += ["--output", tmp_path / "a.params", "--checkpoint", tmp_path / "kept"]
    options = {"env": SETTINGS, "cwd": ROOT, "capture_output": True, "text": True, "timeout": 300}
    done = subprocess.run(command(by, 2, list(map(str, words))), **options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("all 2 ranks: loss") == 2 and done.stdout.count("Written: ") == 1
    assert len(utils.load_model(tmp_path / "a.params")[1]) == 21
    assert len(list((tmp_path / "kept").glob("epoch-*.npz"))) == 2


@contextlib.contextmanager
def over(relay, by, folder, tmp_path, *words):
    """A job whose two ranks are in namespaces: its processes, whose output is in `tmp_path`/job.txt."""
    relay.ssh(tmp_path)
    settings = SETTINGS | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHON": sys.executable}
    words = [RUN, *map(str, [folder, tmp_path / "of", *words])]
    if by == "horovod":
        hosts = ",".join(f"{address}:1" for address in relay.addresses)
        more = ["-H", hosts, "--network-interfaces", "relay0", "--disable-cache"]
        started = command(by, 2, [])
        jobs = [(0, [*started[:-1], *more, sys.executable, *words])]
    else:  # scheduler, server and rank 0 in the first one
        rank = ["sh", str(CLUSTER / "rank.sh")]
        jobs = [(i, [*rank, str(n), "4", relay.addresses[0], *words]) for n, i in enumerate([0, 0, 0, 1])]
    processes = []
    with open(tmp_path / "job.txt", "a") as file:
        try:
            for i, job in jobs:
                own = settings | {"DMLC_INTERFACE": "relay0", "DMLC_NODE_HOST": relay.addresses[i]}
                options = {"stdout": file, "stderr": subprocess.STDOUT, "env": own, "cwd": ROOT}
                processes.append(subprocess.Popen(relay.words(i, *job), **options))
            yield processes
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(60)


def end_of(processes, seconds):
    """The exit codes of the ranks, or of horovodrun: those of a scheduler and a server are for Slurm to end."""
    return [process.wait(seconds) for process in processes[-2:]]


@pytest.mark.long
@BOTH
@pytest.mark.parametrize("what", ["delay and loss", "cut for 5 s", "cut for ever"])
def test_ranks_in_namespaces_of_a_bad_network(by, what, voc_folder, tmp_path, report, monkeypatch):
    command(by, 2, [])
    if missing := relay.missing():
        pytest.skip(missing)
    _, weights, history, _ = whole("dist_sync", voc_folder, tmp_path)
    for limit in distributed.LIMIT, "HOROVOD_GLOO_TIMEOUT_SECONDS":
        monkeypatch.setitem(SETTINGS, limit, "30" if what == "cut for 5 s" else "8")
    kept = tmp_path / "kept"
    words = voc_folder, tmp_path, 4, kept, "sgd", "pause=0.3"
    with relay.Relay(2, *((0.01, 0.02) if what == "delay and loss" else ())).running() as network:
        with over(network, by, *words) as processes:
            start = time.time()
            if "cut" in what:
                while not list(kept.glob("epoch-*.npz")):
                    assert all(process.poll() is None for process in processes), (tmp_path / "job.txt").read_text()
                    time.sleep(0.05)
                network.cut, start = True, time.time()
            if what == "cut for 5 s":
                time.sleep(5)
                network.cut = False
            codes = end_of(processes, 120)
            report(f"{by}: {what}", f"{codes} after {time.time() - start:.0f} s; {network}")
        text = (tmp_path / "job.txt").read_text()
        if what == "cut for ever":
            assert all(codes) and time.time() - start < 30, text
            assert re.search(r"rank \d of 2: the sum over all ranks failed, so another rank", text), text
            network.cut = False
            with over(network, by, *words) as processes:
                codes = end_of(processes, 120)
            assert "was the last one whole: going on" in (tmp_path / "job.txt").read_text()
        assert not any(codes), (tmp_path / "job.txt").read_text()
        assert network.dropped if what == "delay and loss" else network.withheld
    for rank in range(2):
        found = np.load(tmp_path / f"of{rank}.npz")
        assert (found["weights"] == weights).all() and str(found["history"]) == history


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


class Threads(distributed.Ranks):
    """Ranks that are threads of this process: the sums are real, each in its turn."""

    def __init__(self, rank, size, barrier, sums):
        self.rank, self.size, self._barrier, self._sums = rank, size, barrier, sums

    def add(self, name, array):
        self._sums[self.rank] = name, array.asnumpy().astype(np.float32)  # as MXNet's server does
        self._barrier.wait(20)
        names, arrays = zip(*self._sums.values(), strict=True)
        assert len(set(names)) == 1 and len({a.shape for a in arrays}) == 1, f"ranks add {names}"
        total = sum(arrays)
        self._barrier.wait(20)
        array[:] = total


def of_each(size, function):
    """What `function(ranks)` gives, or raises, on each of so many ranks."""
    barrier, sums, found = threading.Barrier(size), {}, {}

    def call(rank):
        try:
            found[rank] = function(Threads(rank, size, barrier, sums))
        except ValueError as error:
            found[rank] = str(error)

    threads = [threading.Thread(target=call, args=[rank]) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return [found.get(rank) for rank in range(size)]


def test_gather_gives_all_ranks_the_bytes_of_each():
    given = [b"", bytes(range(256)) * 9, b"one"]
    assert of_each(3, lambda ranks: ranks.gather("a", given[ranks.rank])) == [given] * 3
    assert of_each(2, lambda ranks: ranks.gather("a", b"")) == [[b"", b""]] * 2


def test_totals_are_exact_though_the_store_adds_in_float32():
    """Pixels of a large test set are more than 2**24."""
    found = of_each(3, lambda ranks: ranks.total("a", [[2**40 + ranks.rank, 1 / 3]]))
    assert all(total.tolist() == [[3 * 2**40 + 3, 1 / 3 + 1 / 3 + 1 / 3]] for total in found)


def test_ranks_that_were_told_different_things_say_so_in_one_sentence():
    facts = [{"--epochs": 3, "--batch": 4}, {"--epochs": 3, "--batch": 4}, {"--epochs": 5, "--batch": 8}]
    said = of_each(3, lambda ranks: ranks.agree("options", facts[ranks.rank]))
    assert said[0].startswith("options: --epochs is 3 on rank 0 and 5 on rank 2, and 1 more differ. All ranks need")
    assert len(set(said)) == 1
    assert of_each(2, lambda ranks: ranks.agree("options", facts[0])) == [None, None]


@pytest.mark.parametrize("what", ["classes", "epochs", "rate", "pictures", "test pictures", "seed of the pictures"])
def test_other_nets_data_and_settings_are_found_before_the_first_sum_of_weights(what, voc_folder):
    def begin(ranks):
        def other(name, one, another):
            return another if ranks.rank and what == name else one

        net = tiny.net_of(classes=other("classes", 21, 20))
        net.initialize()
        names = utils.read_names(voc_folder)[:4]
        seed = other("seed of the pictures", 0, 1)
        names = other("pictures", names, names[::-1])
        ranks.loader(utils.VOCSegDataset(True, (32, 32), voc_folder, names=names, seed=seed), 4)
        trainer = ranks.trainer(net.collect_params(), "sgd", {"learning_rate": other("rate", 0.1, 0.2)})
        split = other("test pictures", "val", "train")
        _, (joined,) = ranks.callbacks(utils.VOCSegDataset(False, None, voc_folder, split=split))
        loss, contexts = utils.SoftmaxCrossEntropyLoss(), ranks.contexts()
        joined.train_begin(Training(net, loss, trainer, contexts, other("epochs", 2, 3), []))

    first, second = of_each(2, begin)
    assert first == second and re.match(r"training: .* is .* on rank 0 and .* on rank 1", first), first
    found = {
        "classes": "is [21",
        "epochs": "epochs is 2",
        "rate": "optimizer's lr is 0.1",
        "test pictures": "test pictures is 3",
    }
    assert found.get(what, "") in first


def test_the_newest_whole_checkpoint_of_rank_0_reaches_all(voc_folder, tmp_path):
    utils.train(**tiny.setup(voc_folder), test_data=None, num_epochs=2, checkpoint=tmp_path / "kept")
    (tmp_path / "kept" / "epoch-0003.npz").write_bytes(b"damaged")

    def folders(ranks):
        with ranks.checkpoint(tmp_path / "kept" if ranks.rank == 0 else "elsewhere") as folder:
            return folder, {path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir()}

    (first, own), (second, copied), (third, _) = of_each(3, folders)
    assert first == tmp_path / "kept" and len({first, second, third}) == 3
    assert copied == {"epoch-0002.npz": own["epoch-0002.npz"]}


def test_a_batch_that_ranks_cannot_share_equally_is_refused(voc_folder):
    with pytest.raises(ValueError, match="batches of 3 for 2 ranks: take a multiple of 2"):
        as_rank(1, 2).loader(utils.VOCSegDataset(True, (32, 32), voc_folder), 3)


def test_each_rank_has_a_gpu_of_its_machine(monkeypatch):
    gpus = [mx.gpu(0), mx.gpu(1)]
    monkeypatch.setattr(distributed, "try_all_gpus", lambda: gpus)
    ranks = [as_rank(rank, 4) for rank in range(4)]
    for rank in ranks:
        rank.local_rank = rank.rank  # as MXNet's store, which doesn't know machines
    assert [rank.contexts() for rank in ranks] == [[gpus[0]], [gpus[1]], [gpus[0]], [gpus[1]]]
    assert distributed.Ranks().contexts() == gpus


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (mx.MXNetError("Horovod has been shut down. This was caused by ..."), "rank 1 of 2: .* failed.*been shut down"),
        (mx.MXNetError("[gloo/transport/tcp/pair.cc:589] Read error"), "rank 1 of 2: the sum over all ranks failed"),
        (mx.MXNetError("Shape inconsistent"), "^Shape inconsistent$"),
        (ValueError("no such folder"), "^no such folder$"),
    ],
)
def test_only_a_failed_sum_is_called_a_lost_rank(error, raised, monkeypatch):
    left = []
    monkeypatch.setattr(distributed.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(distributed.atexit, "register", lambda *words: left.append(words[1:]))
    with pytest.raises(Exception, match=raised), as_rank(1, 2).one_voice():
        raise error
    assert left == [(2,)]


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
    known, seen = set(re.findall(r'"(--[a-z-]+)"', (ROOT / "utils/cli/train.py").read_text())), 0
    for path in CLUSTER.iterdir():
        text = path.read_text().replace("docs/cluster/slurm.sbatch --", "-m utils train --")
        text = text.replace("docs/cluster/ssh.sh --", "-m utils train --")
        for line in re.findall(r"-m utils train (--[^`]*?)(?:\n\s*(?:env|#)|\Z|`)", text, re.S):
            options = re.findall(r"--[\w-]+", line)
            assert set(options) <= known, f"{path.name}: {set(options) - known}"
            seen += len(options)
    assert seen > 10


@pytest.mark.long
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
