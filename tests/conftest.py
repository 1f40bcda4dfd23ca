"""What the tests share: `utils` before MXNet (threads), seeds, and a small data set made on the spot."""

import utils

import gc
import os
import pathlib
import random

import mxnet as mx
import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

settings.register_profile("course", derandomize=True)  # the same examples on every run: no verdict by luck
settings.load_profile("course")
ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True, scope="module")
def _frozen():
    """What imports and caches keep is no garbage: Gluon looks through all there is each time it makes a DataLoader."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _seeded():
    random.seed(0)
    np.random.seed(0)
    mx.random.seed(0)


@pytest.fixture
def report():
    """A function of what was tried and what came out, for the report of `make test-all`."""

    def write(what, found):
        if path := os.environ.get("COURSE_REPORT"):
            with open(path, "a", encoding="utf-8") as file:
                file.write(f"{what}\n    {found}\n")

    return write


def write_palette_png(path, index, colors):
    """A palette PNG with `colors` as its palette, in that order; index: (H, W) uint8."""
    picture = Image.fromarray(index.astype(np.uint8), "P")
    picture.putpalette(np.array(colors, np.uint8).ravel().tolist())
    picture.save(path)


VOC_PALETTE = [*utils.VOC_COLORMAP, *[(0, 0, 0)] * (255 - 21), utils.VOID_COLOR]


@pytest.fixture
def voc_folder(tmp_path):
    """A folder in VOC layout: 6 train and 3 val pictures of 40 × 60 noise with blocks of classes; returns its path."""
    rng = np.random.RandomState(1)
    for folder in "JPEGImages", "SegmentationClass", "ImageSets/Segmentation":
        (tmp_path / folder).mkdir(parents=True)
    for split, names in ("train", "abcdef"), ("val", "xyz"):
        (tmp_path / "ImageSets/Segmentation" / f"{split}.txt").write_text("".join(f"{n}\n" for n in names))
        for name in names:
            Image.fromarray(rng.randint(0, 256, (40, 60, 3), np.uint8)).save(tmp_path / f"JPEGImages/{name}.jpg")
            label = np.kron(rng.choice([0, 1, 7, 20, 255], (4, 6)), np.ones((10, 10)))
            write_palette_png(tmp_path / f"SegmentationClass/{name}.png", label, VOC_PALETTE)
    return tmp_path


@pytest.fixture
def camvid():
    """Folder of real photographs in VOC layout, where the machine has one."""
    root = os.environ.get("CAMVID_ROOT")
    if not root:
        pytest.skip("CAMVID_ROOT is not set: no real photographs here")
    return pathlib.Path(root)
