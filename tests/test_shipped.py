"""The trained net that ships: small, under its licence, and as good as its JSON says."""

import utils

import numpy as np
import pytest
from conftest import ROOT

from results import common
from results.shipped import run


@pytest.fixture(scope="module")
def shipped():
    return utils.load_model(run.NET)


def test_it_is_small_and_names_its_weights(shipped):
    *_, known = shipped
    assert run.NET.stat().st_size <= 8e6
    assert "Apache-2.0" in known["weights"] and f"{run.EPOCHS} epochs, seed {run.SEED}" in known["settings"]
    chapter = (ROOT / "chapters" / "00_before_you_start.ipynb").read_text(encoding="utf-8")
    assert f"results/shipped/{run.NET.name}" in chapter


def test_it_scores_as_its_json_says(shipped):
    """And as the net that the run left, before it was written in half precision."""
    net, classes, scale, known = shipped
    _, test_set = common.datasets("voc_mini", utils.data_root(), 0)
    assert classes == utils.VOC and scale == 1
    found = common.scores(common.by(net), test_set)
    for name in "mean_iou", "pixel_acc", "trimap_iou":
        assert abs(float(found[name]) - float(known["shipped"][name])) < 1e-3, name
        assert abs(float(found[name]) - float(known["trained"][name])) < 2e-3, name


def test_half_a_net_loads_as_a_whole_one(tmp_path):
    net, classes = utils.fcn(3, 8), utils.LabelMap(list("abc"), utils.VOC_COLORMAP[:3])
    x = utils.data_loader(utils.VOCSegDataset(False, (64, 64)).take(1), 1)
    before = next(net(images) for images, _ in x).asnumpy()
    for name, half in ("whole", False), ("half", True):
        utils.save_model(tmp_path / f"{name}.params", net, classes, half=half)
    sizes = [(tmp_path / f"{name}.params").stat().st_size for name in ("whole", "half")]
    assert 1.9 < sizes[0] / sizes[1] < 2.1
    again, *_ = utils.load_model(tmp_path / "half.params")
    for mine, theirs in zip(again.collect_params().values(), net.collect_params().values(), strict=True):
        assert mine.data().dtype == np.float32
        np.testing.assert_array_equal(mine.data().asnumpy(), theirs.data().asnumpy().astype(np.float16))
    after = next(again(images) for images, _ in x).asnumpy()
    assert 0 < np.abs(after - before).max() < 0.01 * np.abs(before).max()
