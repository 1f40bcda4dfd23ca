"""A net that was saved before the library was rebuilt still loads (the door: test_layers.py)."""

import utils

import lzma
import shutil

import numpy as np
import pytest
from conftest import ROOT

SAVED = ROOT / "tests" / "saved"


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """The net that commit a679460 saved, unpacked."""
    path = tmp_path_factory.mktemp("saved") / "fcn8s.params"
    path.write_bytes(lzma.decompress((SAVED / "fcn8s.params.xz").read_bytes()))
    shutil.copy(SAVED / "fcn8s.json", path.with_suffix(".json"))
    return path


def test_a_net_saved_before_gives_the_same_label(old):
    net, classes, scale, known = utils.load_model(old)
    assert classes == utils.VOC and scale == 1 and isinstance(net, utils.FCN8s)
    assert known["format"] == "segmentation-course net, 1"
    label = utils.predict(net, utils.read_image(utils.image_path(utils.data_root(), "2012_000026")), scale=scale)
    expected = utils.read_label(SAVED / "fcn8s_label.png")
    assert len(np.unique(expected)) > 1
    assert (label.asnumpy() == expected).mean() >= 0.999


def test_saved_again_it_is_the_same_net(old, tmp_path):
    net, classes, _, known = utils.load_model(old)
    utils.save_model(tmp_path / "again.params", net, classes, dataset=known["dataset"])
    again, *_, about = utils.load_model(tmp_path / "again.params")
    assert about["model"] == "fcn8s" and about["options"] == {"align": True} and about["dataset"] == "voc_mini"
    for mine, theirs in zip(again.collect_params().values(), net.collect_params().values(), strict=True):
        np.testing.assert_array_equal(mine.data().asnumpy(), theirs.data().asnumpy())
