"""data/README.md: the questions of a datasheet, and numbers that are those of the files."""

import utils
from utils.data.voc import read_pair

import re

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

PAGE = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())
QUESTIONS = [  # Gebru et al. 2021, section 3, in their order
    "Motivation",
    "Composition",
    "Collection process",
    "Preprocessing and labelling",
    "Uses",
    "Distribution",
    "Maintenance",
]


@pytest.fixture(scope="module")
def labels():
    root = utils.data_root("voc_mini")
    return {
        split: [read_pair(root, n)[1] for n in utils.read_names(root, split == "train")] for split in ("train", "val")
    }


def test_it_asks_the_questions_in_order():
    section = PAGE.split("\n## voc_mini\n")[1].split("\n## ")[0]
    assert re.findall("(?m)^### (.*)$", section) == QUESTIONS


def test_classes_scenes_and_shares_are_those_of_the_files(labels):
    rows = re.findall(r"(?m)^\| (\w+) \| (\d+) \| (\d+) \| (\d+) \| ([\d.]+) % \| ([\d.]+) % \|$", PAGE)
    counts = {split: sum(np.bincount(y.ravel(), minlength=256)[:256] for y in found) for split, found in labels.items()}
    assert [int(row[1]) for row in rows] == [*np.flatnonzero(counts["train"][:21])]
    for name, index, *scenes_and_shares in rows:
        assert utils.VOC_CLASSES[int(index)] == name
        scenes = [sum((y == int(index)).any() for y in labels[split]) for split in ("train", "val")]
        shares = [100 * counts[split][int(index)] / counts[split][:21].sum() for split in ("train", "val")]
        assert scenes_and_shares == [*map(str, scenes), *(f"{share:.1f}" for share in shares)], name
    for count in counts.values():
        assert f"void, which is {100 * count[255] / count.sum():.1f} % of all pixels in either split" in TEXT


def test_sizes_and_files_are_those_on_the_disk(labels):
    files = [path for path in utils.data_root("voc_mini").rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    assert f"{len(files)} files with {size:,} bytes" in TEXT
    number = {split: len(found) for split, found in labels.items()}
    assert f"{number['train']} training and {number['val']} validation scenes" in TEXT
    assert f"{sum(number.values())} pairs" in TEXT
    sizes = np.array([y.shape for found in labels.values() for y in found])
    (low, left), (high, right), (height, width) = sizes.min(0), sizes.max(0), np.median(sizes, axis=0)
    told = f"{low} to {high} pixels high and {left} to {right} wide, the median is {height:g} × {width:g}"
    assert told in TEXT
    small = {
        "in both directions": lambda h, w: h < 160 and w < 224,
        "because they are upright": lambda h, w: h >= 160 and w < 224,
    }
    for words, is_small in small.items():
        found = [sum(is_small(*y.shape) for y in labels[split]) for split in ("train", "val")]
        assert f"| {words} | {found[0]} | {found[1]} |" in PAGE


def test_photographs_are_as_large_as_it_says():
    for name in "coffee", "chelsea":
        path = ROOT / f"data/photo/{name}.jpg"
        with Image.open(path) as image:
            kilobytes = round(path.stat().st_size / 1000)
            assert f"`photo/{name}.jpg`, {image.height} × {image.width} pixels, {kilobytes} kB" in TEXT
