"""The shipped drawings: what the chapters and results rely on. Frozen: these numbers do not change."""

import utils
from utils.data.voc import image_path, label_path, read_pair

import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, VOC_PALETTE
from PIL import Image

SHOWN = ["aeroplane", "boat", "bottle", "bus", "car", "sheep", "tvmonitor", "pottedplant"]


@pytest.fixture(scope="module")
def root():
    return utils.data_root("voc_mini")


@pytest.fixture(scope="module")
def pairs(root):
    return {train: [read_pair(root, name) for name in utils.read_names(root, train)] for train in (True, False)}


def test_size_on_disk(root):
    assert sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) < 6_000_000


def test_splits(root):
    train, val = utils.read_names(root, True), utils.read_names(root, False)
    assert len(set(train)) == 160 and len(set(val)) == 56 and not set(train) & set(val)
    for folder, ending in ("JPEGImages", ".jpg"), ("SegmentationClass", ".png"):
        assert {path.name for path in (root / folder).iterdir()} == {name + ending for name in train + val}


def test_palette_pngs_like_vocs(root):
    for name in utils.read_names(root, False):
        with Image.open(label_path(root, name)) as label, Image.open(image_path(root, name)) as image:
            assert label.mode == "P" and image.format == "JPEG"
            palette = np.array(label.getpalette("RGB")).reshape(-1, 3)
        np.testing.assert_array_equal(palette[[*range(21), 255]], np.array(VOC_PALETTE)[[*range(21), 255]])


@pytest.mark.parametrize("train", [True, False])
def test_classes_and_shares(pairs, train):
    counts = sum(np.bincount(label.ravel(), minlength=256) for _, label in pairs[train])
    assert {utils.VOC_CLASSES[i] for i in np.nonzero(counts[1:21])[0] + 1} == set(SHOWN)
    assert 0.65 <= counts[0] / counts[:21].sum() <= 0.80
    for name in SHOWN:
        index = utils.VOC_CLASSES.index(name)
        assert sum((label == index).any() for _, label in pairs[train]) >= (20 if train else 7), name
        assert counts[index] / counts[:21].sum() > 0.01, name
    assert all(np.any((label > 0) & (label < 255)) for _, label in pairs[train])


def test_sizes_vary_and_a_few_are_too_small_for_the_crop(pairs):
    sizes = [label.shape for both in pairs.values() for _, label in both]
    assert len(set(sizes)) > 50 and 180 < np.mean(sizes, axis=0)[0] < 210 and 220 < np.mean(sizes, axis=0)[1] < 260
    for both in pairs.values():
        assert 2 <= sum(label.shape[0] < 160 and label.shape[1] < 224 for _, label in both) <= 10


def test_void_bands_of_about_three_pixels(pairs):
    """Along a row, the usual run of void between background and an object."""
    runs = []
    for _, label in pairs[False]:
        for row in label[::7]:
            edges = np.flatnonzero(np.diff(np.r_[0, row == 255, 0]))
            runs += list(edges[1::2] - edges[::2])
    assert 2 <= np.median(runs) <= 5


def test_no_class_touches_another(pairs):
    """Void lies around every object, so that all of a label's border lies beside void (chapter 12)."""
    for split in pairs.values():
        for _, label in split:
            for one, other in (label[1:], label[:-1]), (label[:, 1:], label[:, :-1]):
                assert ((one == other) | (one == 255) | (other == 255)).all()


def test_script_reproduces_the_shipped_pixels(root, tmp_path):
    names = [*utils.read_names(root, True)[::20], *utils.read_names(root, False)[::14]]
    script = ROOT / "data" / "drawing" / "make.py"
    command = [sys.executable, str(script), "--output", str(tmp_path / "again"), "--scenes", *names]
    subprocess.run(command, check=True, capture_output=True)
    for name in names:
        for path_of in image_path, label_path:
            again, shipped = Image.open(path_of(tmp_path / "again", name)), Image.open(path_of(root, name))
            np.testing.assert_array_equal(np.asarray(again), np.asarray(shipped))
