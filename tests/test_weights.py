"""Weights for `pretrained=True`, made up, from a server on this machine, through the model zoo's own path."""

import utils
from utils.core import files
from utils.core.console import Log
from utils.core.files import FetchError
from utils.fetch import weights

import csv
import hashlib
import io
import pathlib
import threading
import zipfile

import numpy as np
import pytest
from conftest import ROOT
from mxnet import base, init, nd
from mxnet.gluon.model_zoo import model_store, vision
from serving import empty_zoo, serving


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    return empty_zoo(model_store, tmp_path, monkeypatch)


def _parameters(name, tmp_path, monkeypatch, **options):
    """A net of the zoo with weights drawn at random, their file's bytes, and the zoo told of their SHA-1."""
    net = vision.get_model(name, **options)
    net.initialize(init.Xavier())
    net(nd.zeros((1, 3, 32, 32)))
    for key, parameter in net.collect_params().items():
        if "running" in key:
            parameter.set_data(nd.random.uniform(0.5, 1.5, parameter.shape))
    net.save_parameters(str(tmp_path / "made"))
    data = (tmp_path / "made").read_bytes()
    monkeypatch.setitem(model_store._model_sha1, name, hashlib.sha1(data).hexdigest())
    return net, data, f"{name}-{hashlib.sha1(data).hexdigest()[:8]}"


def _zip(stem, data):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(f"{stem}.params", data)
    return buffer.getvalue()


def test_pretrained_weights_are_fetched_continued_checked_and_used(zoo, tmp_path, monkeypatch):
    net, data, stem = _parameters("resnet18_v2", tmp_path, monkeypatch)
    path = f"/gluon/models/{stem}.zip"
    with serving({path: _zip(stem, data)}, [{"cut": 6 * 65536}, {}]) as server:
        monkeypatch.setenv("MXNET_GLUON_REPO", server.url(""))
        ours = utils.fcn(4, pretrained=True)
        assert server.seen == [(path, None), (path, f"bytes={6 * 65536}-")]
        assert [file.name for file in zoo.iterdir()] == [f"{stem}.params"]
        utils.fcn(4, 8, pretrained=True)
        assert len(server.seen) == 2
    features = net.features[:-2]
    x = nd.random.normal(shape=(1, 3, 64, 64))
    np.testing.assert_allclose(ours.features(x).asnumpy(), features(x).asnumpy(), rtol=1e-5, atol=1e-5)


def test_the_authors_net_asks_for_vgg16(monkeypatch):
    def asked(name):
        raise LookupError(name)

    monkeypatch.setattr("utils.fetch.weights.pretrained_net", asked)
    with pytest.raises(LookupError, match="vgg16"):
        utils.fcn(4, backbone="vgg16", pretrained=True)


def test_the_zoo_looks_where_its_files_are_put():
    assert weights.zoo_folder() == pathlib.Path(base.data_dir()).expanduser() / "models"


def test_a_wrong_file_is_replaced_and_the_official_server_is_asked_second(zoo, monkeypatch):
    data = b"parameters"
    sha1 = hashlib.sha1(data).hexdigest()
    monkeypatch.setitem(model_store._model_sha1, "resnet18_v2", sha1)
    stem = f"resnet18_v2-{sha1[:8]}"
    zoo.mkdir()
    (zoo / f"{stem}.params").write_bytes(data[:-1])
    path = f"/gluon/models/{stem}.zip"
    with serving({path: _zip(stem, data[:-1])}) as other, serving({path: _zip(stem, data)}) as official:
        monkeypatch.setenv("MXNET_GLUON_REPO", other.url("/"))
        monkeypatch.setattr(model_store, "apache_repo_url", official.url("/"))
        assert weights.fetch("resnet18_v2") == zoo
    assert len(other.seen) == len(official.seen) == 1
    assert (zoo / f"{stem}.params").read_bytes() == data and len(list(zoo.iterdir())) == 1


def test_without_a_network_one_error_says_what_to_do(zoo, tmp_path, monkeypatch):
    with serving({}) as server:
        monkeypatch.setenv("MXNET_GLUON_REPO", server.url(""))
        monkeypatch.setattr(model_store, "apache_repo_url", "http://no.invalid/")
        with pytest.raises(FetchError) as raised:
            utils.fcn(4, pretrained=True)
    stem, text = "resnet18_v2-a81db45f", str(raised.value)
    assert text.startswith(
        f"{stem}.zip could not be downloaded:\n  {server.url('/gluon/models/')}{stem}.zip: answered 404"
    )
    assert f"http://no.invalid/gluon/models/{stem}.zip: its name is not found: is there a network?" in text
    for word in (
        f"{zoo / stem}.params",
        "a81db45fd7b7a2d12ab97cd88ef0a5ac48b8f657",
        "MXNET_GLUON_REPO",
        "pretrained=False",
    ):
        assert word in text
    assert "0.50 to\n0.56 on voc_mini in 80 s" in text and not (zoo / f"{stem}.params").exists()


def test_who_waited_for_another_process_finds_the_weights(zoo, monkeypatch):
    data = b"parameters"
    sha1 = hashlib.sha1(data).hexdigest()
    monkeypatch.setitem(model_store._model_sha1, "resnet18_v2", sha1)
    stem, waits = f"resnet18_v2-{sha1[:8]}", threading.Event()
    monkeypatch.setattr(Log, "line", lambda log, text: waits.set())
    zoo.mkdir()
    with serving({}) as server:
        monkeypatch.setenv("MXNET_GLUON_REPO", server.url(""))
        monkeypatch.setattr(model_store, "apache_repo_url", server.url(""))
        thread = threading.Thread(target=weights.fetch, args=["resnet18_v2"])
        with files.locked(zoo / f".{stem}.lock", print):  # an own lock for each open file, in one process too
            thread.start()
            assert waits.wait(60)
            (zoo / f"{stem}.params").write_bytes(data)
        thread.join(60)
        assert not thread.is_alive() and not server.seen and [file.name for file in zoo.iterdir()] == [f"{stem}.params"]


def test_a_bomb_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "bomb").write_bytes(_zip("some", bytes(10_000)))
    monkeypatch.setattr(weights, "LIMIT", 1000)
    monkeypatch.delattr(zipfile.ZipFile, "open")
    with pytest.raises(ValueError, match="would unpack to 10,000 bytes, expected at most 1,000"):
        weights._check(tmp_path / "bomb", "some.params", "")


def test_a_net_without_weights_is_told_with_those_that_have_some(zoo):
    with pytest.raises(ValueError, match="'resnet99_v2'; there are some for .*resnet18_v2.*vgg16"):
        utils.resnet_features("resnet99_v2", pretrained=True)
    with pytest.raises(ValueError, match="backbone='resnet99_v2': expected resnet18_v2.*vgg16"):
        utils.fcn(4, backbone="resnet99_v2", pretrained=True)
    assert not zoo.exists()


def test_what_training_from_nothing_gives_is_the_table_s():
    """The numbers in the message for those without a network."""
    with open(ROOT / "results/skips/table.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["way"] == "at once"]

    def column(data, net, name):
        return [float(row[name]) for row in rows if (row["data"], row["net"]) == (data, net)]

    assert all(0.50 <= value <= 0.56 for value in column("voc_mini", "32s", "mean_iou"))
    for net, expected in ("32s", 0.42), ("8s", 0.47):
        assert abs(np.mean(column("camvid", net, "mean_iou")) - expected) < 0.006
        assert 200 < np.mean(column("camvid", net, "seconds")) < 280
