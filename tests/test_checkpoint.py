"""A training that was killed, interrupted or damaged ends with the same bits as one that was not, or says why not."""

import utils
from utils.engine import cache
from utils.engine.checkpoint import checkpoints

import errno
import json
import os
import pathlib
import random
import resource
import signal
import subprocess
import sys
import time

import mxnet as mx
import numpy as np
import pytest
import tiny

OPTIMIZERS = sorted(set(mx.optimizer.Optimizer.opt_registry) - {"dcasgd", "lbsgd", "groupadagrad", "test"})


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimiser_goes_on_to_the_bit(voc_folder, tmp_path, optimizer):
    whole = tiny.setup(voc_folder, optimizer)
    history = tiny.train(whole, 3, checkpoint=tmp_path / "whole")
    tiny.train(tiny.setup(voc_folder, optimizer), 2, checkpoint=tmp_path / "parts")
    parts = tiny.setup(voc_folder, optimizer)
    resumed = tiny.train(parts, 3, checkpoint=tmp_path / "parts")
    assert np.isfinite(tiny.weights(whole["net"])).all()
    np.testing.assert_array_equal(tiny.weights(whole["net"]), tiny.weights(parts["net"]))
    assert tiny.without_speed(history) == tiny.without_speed(resumed)


@pytest.mark.parametrize("optimizer", ["dcasgd", "lbsgd"])
def test_an_optimiser_with_more_than_numbers_is_refused_at_once(voc_folder, tmp_path, optimizer):
    with pytest.raises(ValueError, match="a checkpoint can't hold .* of the optimiser"):
        tiny.train(tiny.setup(voc_folder, optimizer), 1, checkpoint=tmp_path / "kept")


def test_other_schedulers_go_on_too(voc_folder, tmp_path):
    for i, make in enumerate(
        [
            lambda: mx.lr_scheduler.FactorScheduler(1, 0.5),
            lambda: mx.lr_scheduler.MultiFactorScheduler([1, 3], 0.1),
            lambda: mx.lr_scheduler.CosineScheduler(6, warmup_steps=1),
        ]
    ):
        ends = []
        for stops in (3,), (1, 2, 3):
            for epochs in stops:
                given = tiny.setup(voc_folder, poly=False, lr_scheduler=make())
                tiny.train(given, epochs, checkpoint=tmp_path / f"{i} {len(stops)}")
            ends.append(tiny.weights(given["net"]))
        np.testing.assert_array_equal(*ends)


def test_parameters_counted_in_another_order(voc_folder, tmp_path, monkeypatch):
    """A net made again in one process: conv10_ sorts before conv9_, so its trainer numbers parameters otherwise."""
    ends, counter = [], mx.name.NameManager._current.value._counter
    for folder, epochs, first in ("whole", 2, 0), ("parts", 1, 0), ("parts", 2, 9):
        monkeypatch.setitem(counter, "conv", first)
        given = tiny.setup(voc_folder)
        assert given["net"][2].name == f"conv{first + 1}"
        tiny.train(given, epochs, checkpoint=tmp_path / folder)
        ends.append(tiny.weights(given["net"]))
    np.testing.assert_array_equal(ends[0], ends[2])


def test_the_numbers_without_dropout_are_those_without_a_checkpoint(voc_folder, tmp_path):
    ends = []
    for kept in None, tmp_path / "kept":
        given = tiny.setup(voc_folder, net=tiny.net_of(dropout=0))
        given["net"](mx.nd.zeros((1, 3, 8, 8)))  # weights drawn before the first epoch
        tiny.train(given, 2, checkpoint=kept)
        ends.append(tiny.weights(given["net"]))
    np.testing.assert_array_equal(*ends)


def test_the_same_bits_for_any_number_of_workers(voc_folder, tmp_path):
    ends = []
    for workers in 0, 1, 2:
        given = tiny.setup(voc_folder, workers=workers)
        next(iter(given["train_data"]))  # a look at a batch, as chapters take it, moves nothing
        tiny.train(given, 2, checkpoint=tmp_path / str(workers))
        ends.append(tiny.weights(given["net"]))
    np.testing.assert_array_equal(ends[0], ends[1])
    np.testing.assert_array_equal(ends[0], ends[2])


def test_a_training_that_is_done_is_loaded(voc_folder, tmp_path, capsys):
    given = tiny.setup(voc_folder)
    history = tiny.train(given, 2, checkpoint=tmp_path / "kept")
    capsys.readouterr()
    again = tiny.setup(voc_folder)
    assert repr(tiny.train(again, 2, checkpoint=tmp_path / "kept")) == repr(history)  # nan included
    assert capsys.readouterr().out == "epoch-0002.npz: epoch 2 was trained before\n"
    np.testing.assert_array_equal(tiny.weights(again["net"]), tiny.weights(given["net"]))
    assert sorted(os.listdir(tmp_path / "kept")) == ["epoch-0001.npz", "epoch-0002.npz"]


def test_two_are_kept_and_leftovers_go(voc_folder, tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/epoch-0007.npz.4711").write_bytes(b"half")
    tiny.train(tiny.setup(voc_folder), 3, checkpoint=str(tmp_path / "kept"))
    assert sorted(os.listdir(tmp_path / "kept")) == ["epoch-0002.npz", "epoch-0003.npz"]


def test_fsync_then_into_place_then_fsync_of_the_folder(voc_folder, tmp_path, monkeypatch):
    events, fsync, replace = [], os.fsync, os.replace
    kinds = {True: "folder", False: "file"}
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append(kinds[os.path.isdir(f"/proc/self/fd/{fd}")]), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (events.append(pathlib.Path(b).name), replace(a, b)))
    tiny.train(tiny.setup(voc_folder), 1, checkpoint=tmp_path / "kept")
    assert events == ["file", "epoch-0001.npz", "folder"]


# Damaged


@pytest.fixture
def kept(voc_folder, tmp_path):
    """The folder of a training of three epochs, and what its weights are."""
    given = tiny.setup(voc_folder)
    tiny.train(given, 3, checkpoint=tmp_path / "kept")
    return tmp_path / "kept", tiny.weights(given["net"])


DAMAGES = {
    "cut short": lambda data: data[:-100],
    "half": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "a few bytes": lambda data: b"PK\3\4",
    "longer": lambda data: data + b"0",
    "zeros at the end": lambda data: data[:-4096] + bytes(4096),
    "one bit": lambda data: data[:1000] + bytes([data[1000] ^ 1]) + data[1001:],
    "its checksum": lambda data: data[:-1] + (b"1" if data[-1:] == b"0" else b"0"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_is_passed_over_aloud(voc_folder, kept, capsys, damage):
    folder, end = kept
    newest = folder / "epoch-0003.npz"
    newest.write_bytes(DAMAGES[damage](newest.read_bytes()))
    capsys.readouterr()
    given = tiny.setup(voc_folder)
    tiny.train(given, 3, checkpoint=folder)
    first, second, _ = capsys.readouterr().out.splitlines()
    assert first.startswith("epoch-0003.npz: cut short or changed") and first.endswith("Going back to epoch-0002.npz")
    assert second == "epoch-0002.npz: epoch 2 of 3 was the last one whole: going on"
    np.testing.assert_array_equal(tiny.weights(given["net"]), end)
    checkpoints._read(newest)  # written anew


def test_any_bit_that_flips_is_noticed(kept, tmp_path):
    data, rng = (kept[0] / "epoch-0003.npz").read_bytes(), random.Random(0)
    for _ in range(200):
        at = rng.randrange(len(data))
        (tmp_path / "x.npz").write_bytes(data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :])
        with pytest.raises(ValueError, match="cut short or changed"):
            checkpoints._read(tmp_path / "x.npz")


def test_nothing_but_damage_is_refused(voc_folder, kept):
    for path in kept[0].iterdir():
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="no checkpoint here can be used .*Delete its epoch-\\*.npz to begin anew"):
        tiny.train(tiny.setup(voc_folder), 3, checkpoint=kept[0])


# Of another training


def _others(folder):
    yield "epochs over which its rate falls 20, now 25; .*so take 20 again", {"updates": 50}
    yield "optimizer's lr 0.05, now 0.01", {"poly": False, "learning_rate": 0.01}
    yield "optimizer's momentum 0.9, now 0.8", {"momentum": 0.8}
    yield "optimizer SGD, now Adam", {"optimizer": "adam"}
    yield "batch size 3, now 2", {"batch": 2}
    yield "seed 0, now 1", {"seed": 1}
    yield "other layers in the net", {"net": tiny.net_of(dropout=0.5)}
    yield r"shape of 2.weight \[21, 8, 1, 1\], now \[9, 0, 1, 1\]", {"net": tiny.net_of(9)}


@pytest.mark.parametrize("index", range(8))
def test_another_training_is_refused_with_the_reason(voc_folder, tmp_path, index, report):
    words, other = list(_others(voc_folder))[index]
    tiny.train(tiny.setup(voc_folder, poly=index != 1), 1, checkpoint=tmp_path / "kept")
    with pytest.raises(
        ValueError, match=f"checkpoints are of another training: .*{words}.*or delete its epoch"
    ) as error:
        tiny.train(tiny.setup(voc_folder, **other), 2, checkpoint=tmp_path / "kept")
    report("checkpoint of another training", error.value)


def test_other_pictures_loss_or_fewer_epochs_are_refused(voc_folder, kept):
    given = tiny.setup(voc_folder)
    given["train_data"]._dataset.names.reverse()
    with pytest.raises(ValueError, match="their names"):
        tiny.train(given, 3, checkpoint=kept[0])
    given = tiny.setup(voc_folder) | {"loss": lambda scores, labels: (scores - 1).mean((1, 2, 3))}
    with pytest.raises(ValueError, match="loss SoftmaxCrossEntropyLoss, now"):
        tiny.train(given, 3, checkpoint=kept[0])
    with pytest.raises(ValueError, match="3 epochs were trained already, num_epochs=2 is fewer"):
        tiny.train(tiny.setup(voc_folder), 2, checkpoint=kept[0])


def test_a_learning_rate_set_by_hand_is_not_overruled_in_silence(voc_folder, tmp_path):
    given = tiny.setup(voc_folder, poly=False)
    tiny.train(given, 1, checkpoint=tmp_path / "kept")
    given["trainer"].set_learning_rate(0.001)
    with pytest.raises(ValueError, match="optimizer's lr 0.05, now 0.001"):
        tiny.train(given, 2, checkpoint=tmp_path / "kept")


def test_a_learning_rate_set_in_on_epoch_goes_on(voc_folder, tmp_path):
    ends = []
    for stops in (3,), (1, 2, 3):
        for epochs in stops:
            given = tiny.setup(voc_folder, poly=False)
            lower = lambda rows, t=given["trainer"]: t.set_learning_rate(t.learning_rate / 2)  # noqa: E731
            tiny.train(given, epochs, checkpoint=tmp_path / str(len(stops)), on_epoch=lower)
        ends.append(tiny.weights(given["net"]))
    np.testing.assert_array_equal(*ends)


def test_another_process_in_the_folder_is_refused(voc_folder, tmp_path):
    kept = checkpoints.Checkpoints(tmp_path / "kept", **_parts(tiny.setup(voc_folder)))
    with kept.opened(1, print), pytest.raises(ValueError, match="another process is training with these checkpoints"):
        tiny.train(tiny.setup(voc_folder), 1, checkpoint=tmp_path / "kept")


def _parts(given):
    contexts = given["ctx"] if isinstance(given["ctx"], list) else [given["ctx"]]
    parts = {key: given[key] for key in ("net", "trainer", "loss")}
    return parts | {"data": given["train_data"], "contexts": contexts, "seed": 0}


def test_a_folder_that_cannot_be_made_is_one_error(voc_folder, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="name another folder"):
        tiny.train(tiny.setup(voc_folder), 1, checkpoint=tmp_path / "file" / "kept")


def test_nan_is_never_kept(voc_folder, tmp_path):
    given = tiny.setup(voc_folder)
    poison = lambda rows: given["net"][0].bias.set_data(mx.nd.full((8,), np.nan))  # noqa: E731
    with pytest.raises(ValueError, match="0.bias is nan or infinite: the net has diverged"):
        tiny.train(given, 2, checkpoint=tmp_path / "kept", on_epoch=poison)
    assert os.listdir(tmp_path / "kept") == []


# Disk full


@pytest.mark.parametrize("way", ["no space", "limit"])
def test_a_full_disk_leaves_the_last_checkpoint_whole(voc_folder, tmp_path, monkeypatch, way, report):
    folder, write, fsync, calls = tmp_path / "kept", checkpoints._write, os.fsync, []

    def no_space(number):
        calls.append(number)
        if len(calls) > 2:  # of the second checkpoint
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(number)

    def limited(path, arrays, text):
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        calls.append(path)
        if len(calls) > 1:
            resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limit[1]))
        try:
            write(path, arrays, text)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)

    with monkeypatch.context() as patch:
        if way == "no space":
            patch.setattr(os, "fsync", no_space)
        else:
            patch.setattr(checkpoints, "_write", limited)
        with pytest.raises(
            OSError, match="epoch 2 was not kept. The checkpoints before it are whole: make room"
        ) as error:
            tiny.train(tiny.setup(voc_folder), 3, checkpoint=folder)
    report("disk full at a save", error.value)
    assert os.listdir(folder) == ["epoch-0001.npz"]
    given = tiny.setup(voc_folder)
    tiny.train(given, 3, checkpoint=folder)
    whole = tiny.setup(voc_folder)  # its weights are drawn at its first batch, from the seed
    tiny.train(whole, 3, checkpoint=tmp_path / "whole")
    np.testing.assert_array_equal(tiny.weights(given["net"]), tiny.weights(whole["net"]))


# Interrupted


class Interrupting:
    """A loss during whose nth call somebody presses Ctrl-C."""

    def __init__(self, at):
        self.__qualname__ = "SoftmaxCrossEntropyLoss"  # as what it stands for
        self.loss, self.left = utils.SoftmaxCrossEntropyLoss(), at

    def __call__(self, scores, labels):
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)
        return self.loss(scores, labels)


@pytest.mark.parametrize("workers", [0, 2])
def test_ctrl_c_gives_the_history_so_far_and_the_same_call_goes_on(voc_folder, tmp_path, capsys, workers):
    given = tiny.setup(voc_folder, workers=workers) | {"loss": Interrupting(4)}  # second batch of epoch 2
    history = tiny.train(given, 3, checkpoint=tmp_path / "kept")
    assert len(history) == 1 and history.interrupted
    line = capsys.readouterr().out.splitlines()[-1]
    assert line == "interrupted after 1 of 3 epochs; the same call goes on after epoch 1"
    assert os.listdir(tmp_path / "kept") == ["epoch-0001.npz"]
    history = tiny.train(given, 3, checkpoint=tmp_path / "kept")  # net, trainer and loader as they were left
    assert len(history) == 3 and not history.interrupted
    whole = tiny.setup(voc_folder)
    tiny.train(whole, 3, checkpoint=tmp_path / "whole")
    np.testing.assert_array_equal(tiny.weights(given["net"]), tiny.weights(whole["net"]))


def test_ctrl_c_without_a_checkpoint(voc_folder, capsys):
    history = tiny.train(tiny.setup(voc_folder) | {"loss": Interrupting(2)}, 3)
    assert history == [] and history.interrupted
    assert capsys.readouterr().out == "interrupted after 0 of 3 epochs\n"


def test_ctrl_c_in_on_epoch_keeps_that_epoch(voc_folder, tmp_path):
    def stop(rows):
        raise KeyboardInterrupt

    assert len(tiny.train(tiny.setup(voc_folder), 3, checkpoint=tmp_path / "kept", on_epoch=stop)) == 1
    assert os.listdir(tmp_path / "kept") == ["epoch-0001.npz"]


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_during_a_save_waits_for_it_and_twice_does_not(voc_folder, tmp_path, monkeypatch, capsys, times):
    fsync = os.fsync

    def press(number):
        monkeypatch.setattr(os, "fsync", fsync)
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        fsync(number)

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(os, "fsync", press)
    history = tiny.train(tiny.setup(voc_folder), 3, checkpoint=tmp_path / "kept")
    assert len(history) == 1 and history.interrupted
    assert os.listdir(tmp_path / "kept") == ["epoch-0001.npz"][: 2 - times]
    end = "the same call goes on after epoch 1" if times == 1 else "make net and trainer anew first)"
    assert capsys.readouterr().out.rstrip().endswith(end)
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_in_the_first_epoch_asks_for_a_new_net(voc_folder, tmp_path, capsys):
    given = tiny.setup(voc_folder) | {"loss": Interrupting(2)}
    tiny.train(given, 2, checkpoint=tmp_path / "kept")
    assert capsys.readouterr().out.endswith("(in Python: make net and trainer anew first)\n")
    with pytest.raises(ValueError, match="trained for part of an epoch that no checkpoint holds: make net and trainer"):
        tiny.train(given, 2, checkpoint=tmp_path / "kept")
    anew = tiny.setup(voc_folder)
    tiny.train(anew, 2, checkpoint=tmp_path / "kept")
    whole = tiny.setup(voc_folder)
    tiny.train(whole, 2, checkpoint=tmp_path / "whole")
    np.testing.assert_array_equal(tiny.weights(anew["net"]), tiny.weights(whole["net"]))
    tiny.train(given, 2, checkpoint=tmp_path / "kept")  # what is restored needs no new net
    np.testing.assert_array_equal(tiny.weights(given["net"]), tiny.weights(whole["net"]))


def _unfreezing(given):
    def unfreeze(rows):
        given["net"][0].collect_params().setattr("grad_req", "write" if len(rows) > 1 else "null")
        given["net"][2].collect_params().setattr("lr_mult", 1 / len(rows))

    given["net"][0].collect_params().setattr("grad_req", "null")
    return unfreeze


def test_unfreezing_in_on_epoch_goes_on(voc_folder, tmp_path):
    ends = []
    for stops in (4,), (1, 2, 3, 4):
        for epochs in stops:
            given = tiny.setup(voc_folder)
            tiny.train(given, epochs, checkpoint=tmp_path / str(len(stops)), on_epoch=_unfreezing(given))
        ends.append(tiny.weights(given["net"]))
    given = tiny.setup(voc_folder) | {"loss": Interrupting(6)}  # in epoch 3, and on in the same process
    unfreeze = _unfreezing(given)
    tiny.train(given, 4, checkpoint=tmp_path / "same", on_epoch=unfreeze)
    given["trainer"] = tiny.setup(voc_folder, net=given["net"])["trainer"]  # anew, as a `fit` makes it
    assert len(tiny.train(given, 4, checkpoint=tmp_path / "same", on_epoch=unfreeze)) == 4
    again = tiny.setup(voc_folder)
    unfreeze = _unfreezing(again)
    tiny.train(again, 4, checkpoint=tmp_path / "same", on_epoch=unfreeze)  # as the training began: no other one
    for end in ends[1], tiny.weights(given["net"]), tiny.weights(again["net"]):
        np.testing.assert_array_equal(ends[0], end)


def test_a_multiplier_set_by_hand_is_not_overruled_in_silence(voc_folder, tmp_path):
    given = tiny.setup(voc_folder)
    tiny.train(given, 1, checkpoint=tmp_path / "kept")
    given["net"][0].weight.lr_mult = 0.1
    with pytest.raises(ValueError, match=r"parameter 0.weight \['write', 1.0, 1.0\], now \['write', 0.1, 1.0\]"):
        tiny.train(given, 2, checkpoint=tmp_path / "kept")


def test_other_steps_of_a_scheduler_are_refused_and_more_epochs_explained(voc_folder, tmp_path):
    steps = lambda *steps: mx.lr_scheduler.MultiFactorScheduler(list(steps))  # noqa: E731
    tiny.train(tiny.setup(voc_folder, poly=False, lr_scheduler=steps(200, 400)), 1, checkpoint=tmp_path / "steps")
    with pytest.raises(ValueError, match=r"scheduler's step \[200, 400\], now \[2, 4\]"):
        tiny.train(tiny.setup(voc_folder, poly=False, lr_scheduler=steps(2, 4)), 2, checkpoint=tmp_path / "steps")
    tiny.train(tiny.setup(voc_folder, updates=4), 1, checkpoint=tmp_path / "poly")
    with pytest.raises(ValueError, match="its rate falls 2, now 4; .*so take 2 again .num_epochs") as error:
        tiny.train(tiny.setup(voc_folder, updates=8), 2, checkpoint=tmp_path / "poly")
    assert "max_" not in str(error.value)
    with pytest.raises(ValueError, match="max_update 4, now 5"):  # no whole epochs
        tiny.train(tiny.setup(voc_folder, updates=5), 2, checkpoint=tmp_path / "poly")
    with pytest.raises(ValueError, match="max_update 4, now 6; .*batches an epoch 2, now 3"):
        tiny.train(tiny.setup(voc_folder, updates=6, batch=2), 2, checkpoint=tmp_path / "poly")


def test_a_rate_lowered_before_a_save_that_failed(voc_folder, tmp_path, monkeypatch):
    given, write = tiny.setup(voc_folder, poly=False), checkpoints._write
    lower = lambda rows, t=given["trainer"]: t.set_learning_rate(0.05 / (1 + len(rows)))  # noqa: E731

    def full(path, *args):
        if path.name == "epoch-0002.npz":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, *args)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="then the same call goes on"):
        patch.setattr(checkpoints, "_write", full)
        tiny.train(given, 3, checkpoint=tmp_path / "kept", on_epoch=lower)
    assert len(tiny.train(given, 3, checkpoint=tmp_path / "kept", on_epoch=lower)) == 3


def test_files_of_others_stay_and_rows_must_be_numbers(voc_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/film.mp4.part").write_bytes(b"half")
    tiny.train(tiny.setup(voc_folder), 1, checkpoint="~/kept")
    assert sorted(os.listdir(tmp_path / "kept")) == ["epoch-0001.npz", "film.mp4.part"]
    for value in object(), np.zeros(2):
        put = lambda rows, value=value: rows[-1].update(more=value)  # noqa: E731
        with pytest.raises(ValueError, match="only; the history's rows, the optimiser or the scheduler more"):
            tiny.train(tiny.setup(voc_folder), 2, checkpoint="~/kept", on_epoch=put)


def test_a_forked_child_does_not_hold_the_folder(voc_folder, tmp_path):
    kept = checkpoints.Checkpoints(tmp_path / "kept", **_parts(tiny.setup(voc_folder)))
    with kept.opened(1, print):
        if not (process := os.fork()):
            time.sleep(60)
            os._exit(0)
    try:
        with kept.opened(1, print):
            pass
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def test_a_dataset_of_ones_own_with_names(voc_folder, tmp_path):
    class Own(mx.gluon.data.ArrayDataset):
        names = ("a", "b")

    given = tiny.setup(voc_folder)
    given["train_data"] = mx.gluon.data.DataLoader(Own(np.zeros((2, 3, 8, 8), "f"), np.zeros((2, 8, 8), "f")), 1)
    assert len(tiny.train(given, 1, checkpoint=tmp_path / "kept")) == 1


# Killed


def child(data, folder, optimizer, workers, epochs):
    """What the killed process runs. Its saves take their time, so that kills fall into them; a log says where it is."""
    folder, write, fsync = pathlib.Path(folder), checkpoints._write, os.fsync
    given = tiny.setup(pathlib.Path(data), optimizer, workers=int(workers), updates=2 * int(epochs))
    with open(folder.with_suffix(".log"), "ab", buffering=0) as log:

        def slow_write(*args):
            log.write(b"s")
            write(*args)
            log.write(b"t")

        checkpoints._write = slow_write
        os.fsync = lambda number: (time.sleep(0.03), fsync(number))
        log.write(b"t")
        history = tiny.train(given, int(epochs), checkpoint=folder)
    np.savez(folder.with_suffix(".end.npz"), weights=tiny.weights(given["net"]), history=tiny.without_speed(history))


def _start(data, folder, *words):
    """A child that has reached its training."""
    before, out = _log(folder), folder.with_suffix(".out")
    with open(out, "wb") as file:
        command = [sys.executable, "-W", "ignore", __file__, str(data), str(folder), *map(str, words)]
        process = subprocess.Popen(command, stdout=file, stderr=file)
    while _log(folder) == before:
        time.sleep(0.01)
        assert process.poll() is None, out.read_text()
    return process


def _log(folder):
    path = folder.with_suffix(".log")
    return path.read_bytes() if path.exists() else b""


def _kill_and_resume(data, tmp_path, optimizer, workers, epochs, kills):
    """Kill a training again and again: how many kills fell into a save, and the epoch that was reached by then.

    It must end like one that nobody killed.
    """
    whole, folder, rng, saves = tmp_path / "whole", tmp_path / "killed", random.Random(0), 0
    process, start = _start(data, whole, optimizer, workers, epochs), time.time()
    assert process.wait(300) == 0, whole.with_suffix(".out").read_text()
    epoch = (time.time() - start) / epochs
    for _ in range(kills):
        process = _start(data, folder, optimizer, workers, epochs)
        time.sleep(rng.uniform(0, 1.5 * epoch))
        assert process.poll() is None, f"not killed: {folder.with_suffix('.out').read_text()}"
        process.kill()
        process.wait()
        saves += _log(folder).endswith(b"s")
    reached = max([int(path.stem[6:]) for path in folder.glob("epoch-*.npz")], default=0)
    assert _start(data, folder, optimizer, workers, epochs).wait(300) == 0, folder.with_suffix(".out").read_text()
    ends = [np.load(path.with_suffix(".end.npz")) for path in (whole, folder)]
    np.testing.assert_array_equal(ends[0]["weights"], ends[1]["weights"])
    assert ends[0]["history"] == ends[1]["history"]
    return saves, reached


def test_three_kills(voc_folder, tmp_path):
    _kill_and_resume(voc_folder, tmp_path, "adam", 0, 16, 3)  # epochs enough if later ones are faster


@pytest.mark.long
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_twenty_kills(voc_folder, tmp_path, report, optimizer, workers):
    saves, reached = _kill_and_resume(voc_folder, tmp_path, optimizer, workers, 40, 20)
    assert saves, "no kill fell into a save"
    report(
        f"kills, {optimizer}, {workers} workers",
        f"20 survived, {saves} of them during a save, {reached} of 40 epochs done by then; the same bits at the end",
    )


# In a notebook


@pytest.fixture
def keeping_losses(voc_folder, tmp_path, monkeypatch):
    """A function of losses: (net as it begins, `train_or_load` of a net, each training with the next loss)."""

    monkeypatch.setattr(cache, "FOLDER", tmp_path / "kept")
    dataset = utils.VOCSegDataset(True, (32, 32), voc_folder)

    def begin(losses):
        def fit(net, train_set, num_epochs, checkpoint):
            given = tiny.setup(voc_folder, net=net) | {"loss": losses.pop(0)}
            return tiny.train(given, num_epochs, checkpoint=checkpoint)

        def made():
            utils.seed(0)
            net = tiny.net_of()
            net.initialize()
            return net

        return made, lambda net: utils.train_or_load(fit, net, dataset, num_epochs=3)

    return begin


def test_what_train_or_load_was_training_goes_on(keeping_losses, tmp_path, capsys):
    losses = [Interrupting(4), utils.SoftmaxCrossEntropyLoss()]
    made, train_or_load = keeping_losses(losses)
    assert len(train_or_load(made())) == 1
    assert "interrupted, so nothing was kept" in capsys.readouterr().out
    net, again = made(), made()
    history = train_or_load(net)
    assert len(history) == 3 and "epoch 1 of 3 was the last one whole" in capsys.readouterr().out
    assert train_or_load(again) == json.loads(json.dumps(history)) and not losses
    np.testing.assert_array_equal(tiny.weights(net), tiny.weights(again))
    assert sorted(path.suffix for path in (tmp_path / "kept").iterdir()) == [".json", ".params"]


def test_train_or_load_goes_on_with_the_same_net_in_one_process(keeping_losses, tmp_path):
    ends = []
    for losses in [utils.SoftmaxCrossEntropyLoss()], [Interrupting(4), utils.SoftmaxCrossEntropyLoss()]:
        made, train_or_load = keeping_losses(losses)
        net = made()
        for _ in list(losses):
            history = train_or_load(net)
        assert isinstance(history, utils.engine.train.History) and len(history) == 3
        ends.append(tiny.weights(net))
        loaded = made()
        history = train_or_load(loaded)  # kept for the weights at the start
        assert isinstance(history, utils.engine.train.History) and not losses
        ends.append(tiny.weights(loaded))
        for path in (tmp_path / "kept").iterdir():
            path.unlink()
    for end in ends[1:]:
        np.testing.assert_array_equal(ends[0], end)


CELLS = """
import sys
sys.path.insert(0, {tests!r})
import utils
import os, pathlib, tiny
---
given = tiny.setup(pathlib.Path({data!r}), net=tiny.net_of())
---
def stop(rows):
    print("at", len(rows), flush=True)
    while len(rows) == 2 and not os.path.exists({go!r}):
        pass
history = tiny.train(given, 4, checkpoint={kept!r}, on_epoch=stop)
---
import numpy as np
np.save({end!r}, tiny.weights(given["net"]))
"""


def test_a_notebooks_training_cell_goes_on_after_interrupt_and_restart(voc_folder, tmp_path, report):
    """The interrupt button in epoch 2 and the cell again; the kernel restarted in it, and all cells again."""
    from jupyter_client.manager import start_new_kernel

    go, kept, end = tmp_path / "go", tmp_path / "kept", tmp_path / "end.npy"
    names = {"tests": os.path.dirname(__file__), "data": voc_folder, "go": go, "kept": kept, "end": end}
    first, make, fit, last = CELLS.format(**{key: str(value) for key, value in names.items()}).split("---")
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        run = lambda code: client.execute_interactive(code, timeout=120, output_hook=lambda message: None)  # noqa: E731
        assert all(run(code)["content"]["status"] == "ok" for code in (first, make))
        client.execute(fit)
        _wait_for(client, "at 2")
        manager.interrupt_kernel()
        shown = _wait_for(client, "interrupted after 2 of 4 epochs; the same call goes on after epoch 2")
        assert "Traceback" not in shown
        manager.restart_kernel(now=True)  # SIGKILL
        client.wait_for_ready(timeout=60)
        go.touch()
        assert all(run(code)["content"]["status"] == "ok" for code in (first, make, fit, last))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    whole = tiny.setup(voc_folder)
    tiny.train(whole, 4, checkpoint=tmp_path / "whole")
    np.testing.assert_array_equal(np.load(end), tiny.weights(whole["net"]))
    report("notebook interrupted, then its kernel restarted", shown.splitlines()[-1])


def _wait_for(client, words):
    """What the kernel shows, up to those words."""
    shown, start = "", time.time()
    while words not in shown:
        assert time.time() - start < 120, shown
        content = client.get_iopub_msg(timeout=120)["content"]
        text = content.get("text", "") + content.get("data", {}).get("text/plain", "") + content.get("evalue", "")
        shown += text
        assert "ename" not in content, shown
    return shown


if __name__ == "__main__":
    child(*sys.argv[1:])
