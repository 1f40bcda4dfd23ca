"""A training is repeated only where something that matters differs."""

import utils
from utils.engine import cache
from utils.engine.digest import net_digest

import json

import numpy as np
import pytest
from mxnet import gluon, nd


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "FOLDER", tmp_path / "kept")


def fit(net, train_set, num_epochs, rate):
    """A training of the net's bias."""
    fit.calls += 1
    for _ in range(num_epochs):
        net.bias.set_data(net.bias.data() + rate)
    return [{"epoch": num_epochs, "mean_iou": float("nan")}]


fit.calls = 0


def _net(value=0.0):
    net = gluon.nn.Dense(2, in_units=3)
    net.initialize()
    net.weight.set_data(nd.full((2, 3), value))
    return net


@pytest.fixture
def train_set(voc_folder):
    return utils.VOCSegDataset(True, (32, 32), voc_folder)


def _trained_again(net, train_set, **settings):
    calls = fit.calls
    utils.train_or_load(fit, net, train_set, **settings)
    return fit.calls > calls


def test_the_same_training_is_loaded_and_says_so(train_set, capsys):
    net, again = _net(), _net()
    history = utils.train_or_load(fit, net, train_set, num_epochs=3, rate=0.5)
    assert capsys.readouterr().out.startswith("trained now, in ")
    loaded = utils.train_or_load(fit, again, train_set, num_epochs=3, rate=0.5)
    out = capsys.readouterr().out
    assert out.startswith("not trained now: the same training ran on ") and "its net was kept: fit-" in out
    np.testing.assert_array_equal(again.bias.data().asnumpy(), net.bias.data().asnumpy())
    assert loaded[0]["epoch"] == history[0]["epoch"] == 3 and np.isnan(loaded[0]["mean_iou"])


def test_another_setting_start_or_picture_trains_again(train_set, voc_folder):
    settings = {"num_epochs": 3, "rate": 0.5}
    assert _trained_again(_net(), train_set, **settings)
    assert not _trained_again(_net(), train_set, **settings)
    assert _trained_again(_net(), train_set, num_epochs=2, rate=0.5)
    assert _trained_again(_net(1.0), train_set, **settings)
    assert _trained_again(_net(), utils.VOCSegDataset(True, (32, 48), voc_folder), **settings)
    assert _trained_again(_net(), utils.VOCSegDataset(True, (32, 32), voc_folder, seed=1), **settings)
    (voc_folder / "JPEGImages/a.jpg").write_bytes((voc_folder / "JPEGImages/b.jpg").read_bytes())
    assert _trained_again(_net(), train_set, **settings)


def test_how_a_weight_will_be_drawn_is_part_of_the_start(train_set):
    def lazy(initializer):
        net = gluon.nn.Dense(2, weight_initializer=initializer)
        net.initialize()
        return net

    def from_weights(value):
        net = lazy("zeros")
        net.weight.shape = (2, 3)
        net.weight.set_data(nd.full((2, 3), value))
        return net

    digests = [net_digest(net) for net in map(lazy, ["zeros", "ones", "zeros"])]
    assert digests[0] == digests[2] != digests[1]
    digests = [net_digest(net) for net in map(from_weights, [1, 2, 1])]
    assert digests[0] == digests[2] != digests[1]


def test_other_code_trains_again(train_set, monkeypatch):
    assert _trained_again(_net(), train_set, num_epochs=1, rate=1.0)
    seen = []
    monkeypatch.setattr(cache, "code_digest", lambda *begins: seen.append(begins) or "other")
    assert _trained_again(_net(), train_set, num_epochs=1, rate=1.0)
    (found,) = seen
    assert found[0] is fit and isinstance(found[1], gluon.nn.Dense) and found[2] is train_set  # see test_digest.py


def test_a_training_that_fails_keeps_nothing(train_set):
    def breaks(net, train_set):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        utils.train_or_load(breaks, _net(), train_set)
    assert not cache.FOLDER.exists()


def test_what_is_kept_can_be_read_by_people(train_set):
    utils.train_or_load(fit, _net(), train_set, num_epochs=1, rate=1.0)
    record = json.loads(next(cache.FOLDER.glob("*.json")).read_text())
    assert record["settings"] == {"num_epochs": 1, "rate": 1.0} and "A training of the net's bias" in record["fit"]


def test_an_interrupted_net_is_not_trained_further_without_a_checkpoint(train_set, capsys):
    def stops(net, train_set):
        net.bias.set_data(net.bias.data() + 1)
        history = utils.engine.train.History()
        history.interrupted = True
        return history

    net = _net()
    utils.train_or_load(stops, net, train_set)
    assert "make the net anew (run its cell again) before the next call" in capsys.readouterr().out
    with pytest.raises(ValueError, match="an interrupted training has changed the net: make it anew"):
        utils.train_or_load(stops, net, train_set)


def test_a_full_disk_loses_no_checkpoint(train_set, monkeypatch):
    def fits(net, train_set, checkpoint):
        checkpoint.mkdir(parents=True)
        (checkpoint / "epoch-0001.npz").write_text("")
        return []

    def short(net, path):
        save(net, path)
        with open(path, "r+b") as file:
            file.truncate(file.seek(0, 2) // 2)

    save = gluon.Block.save_parameters
    monkeypatch.setattr(gluon.Block, "save_parameters", short)
    with pytest.raises(OSError, match="could not be written.*disk full"):
        utils.train_or_load(fits, _net(), train_set)
    left = [path.name.rpartition(".")[2] for path in cache.FOLDER.iterdir()]
    assert left == ["going"] and len(list(cache.FOLDER.glob("*.going/epoch-0001.npz"))) == 1
