"""One's own pictures: exports of annotation tools, `python -m utils data`, and the split it makes."""

import utils
from utils.__main__ import main
from utils.data.voc import label_path
from utils.datacheck.report import check
from utils.datacheck.split import write_split

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, VOC_PALETTE, write_palette_png
from exports.make_exports import COLORS, HERE, UNLABELLED, drawn, ids, picture
from PIL import Image

LISTS = "ImageSets/Segmentation"


def image_path(root, name):
    """Where a new picture goes."""
    return root / "JPEGImages" / f"{name}.jpg"


def run(capsys, *words):
    """Exit code, and what was printed."""
    code = main(["data", *map(str, words)])
    return code, capsys.readouterr().out


def line(report, *parts):
    """The one problem whose line has all the parts."""
    found = [problem for problem in report.problems if all(part in str(problem) for part in parts)]
    assert len(found) == 1, "\n".join(map(str, report.problems))
    return found[0]


def write_list(folder, split, names):
    (folder / LISTS).mkdir(parents=True, exist_ok=True)
    (folder / LISTS / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))


@pytest.fixture
def good(voc_folder):
    """Nine training and three test pictures without a fault; `check` with a crop of 32 × 32 has nothing to say."""
    rng = np.random.RandomState(2)
    (voc_folder / "labelmap.txt").write_text("ground:0,0,0::\nplane:128,0,0::\ncar:128,128,128::\n")
    for name in "abcdefghixyz":
        Image.fromarray(rng.randint(0, 256, (40, 60, 3), np.uint8)).save(image_path(voc_folder, name))
        blocks = rng.choice([0, 1, 7, 255], (4, 6))
        blocks[0, :4] = 0, 1, 7, 255
        write_palette_png(label_path(voc_folder, name), np.kron(blocks, np.ones((10, 10))), VOC_PALETTE)
    write_list(voc_folder, "train", "abcdefghi")
    return voc_folder


@pytest.fixture
def unsplit(good):
    """The same twelve without lists."""
    shutil.rmtree(good / LISTS)
    return good


# ---- Exports ----


@pytest.mark.parametrize("folder", ["plain", "coloured"])
def test_datumaros_exports_read_as_drawn(folder):
    root = HERE / folder
    classes = utils.data_classes(root)
    assert classes.names == ["background", "tree", "house", "boat"]
    assert utils.read_names(root, True) + utils.read_names(root, False) == ids(few=True)
    for i, name in enumerate(ids(few=True)):
        np.testing.assert_array_equal(utils.read_label(label_path(root, name), classes), drawn(i, classes.names))
        difference = utils.read_image(image_path(root, name)).astype(int) - picture(i)
        assert np.abs(difference).mean() < 12  # a JPEG of small patches, of the right picture
    assert len(utils.VOCSegDataset(True, (32, 32), root)) == 3


def test_label_map_without_colours_has_vocs_palette(tmp_path):
    """Datumaro paints in VOC's colours where it writes none; far beyond the 21 of VOC they stay apart."""
    assert ":0,0,0:" not in (HERE / "plain/labelmap.txt").read_text()
    path = tmp_path / "labelmap.txt"
    path.write_text("".join(f"class {i}:::\n" for i in range(60)))
    classes = utils.LabelMap.read(path)
    assert classes.colors[:21] == utils.VOC_COLORMAP and len(set(classes.colors)) == 60
    path.write_text("a:::\nvoid:::\nb:::\n")
    classes = utils.LabelMap.read(path)
    assert (classes.names, classes.colors) == (["a", "b"], [(0, 0, 0), (0, 128, 0)])
    assert (128, 0, 0) in classes.void_colors
    path.write_text("a:0,0,0::\nb:::\n")
    with pytest.raises(ValueError, match=r"labelmap\.txt: no colour for b"):
        utils.LabelMap.read(path)


def test_vocs_label_map_as_datumaro_writes_it():
    assert utils.LabelMap.read(HERE / "voc/labelmap.txt") == utils.VOC


def test_greyscale_export_is_refused_with_a_remedy():
    report = check(HERE / "grey")
    problem = line(report, "four.png", "greyscale of 0 to 3", "apply_colormap=True")
    assert problem.error and problem.file == "SegmentationClass/four.png"
    with pytest.raises(ValueError, match="greyscale of 0 to 3: "):
        utils.read_label(label_path(HERE / "grey", "four"))


def test_export_that_lost_its_background_is_told():
    assert line(check(HERE / "alphabet"), "labelmap.txt", "rename arch").error
    assert not any("sorts first" in str(problem) for problem in check(HERE / "coloured").problems)


def test_cvats_export_from_the_download_to_the_training_data(tmp_path, capsys):
    """Pictures missing, then no split, then ready: each step says what the next one is."""
    root = shutil.copytree(HERE / "cvat", tmp_path / "my photos")
    code, text = run(capsys, root)
    assert code == 1 and "pictures missing (11)" in text and "Save images" in text and "and 10 more" in text
    for i, name in enumerate(ids(few=False)):
        (root / "JPEGImages").mkdir(exist_ok=True)
        Image.fromarray(picture(i)).save(image_path(root, name))
    code, text = run(capsys, root)
    assert code == 1 and f"{UNLABELLED}.png: no such file" in text and text.endswith("my photos' --split\n")
    assert not (root / LISTS / "train.txt").exists()  # nothing is written unless asked
    code, text = run(capsys, root, "--split")
    assert code == 0 and f"a label: {UNLABELLED}\n" in text and "make course DATASET='" in text
    train, test = utils.VOCSegDataset(True, (32, 32), root), utils.VOCSegDataset(False, None, root)
    assert (len(train), len(test)) == (8, 2)
    for name in train.names + test.names:
        label = utils.read_label(label_path(root, name), train.classes)
        np.testing.assert_array_equal(label, drawn(int(name[1:]), train.classes.names))
    assert set(train.classes.colors) == {(0, 0, 0), *COLORS.values()}


# ---- What is found ----


def test_nothing_to_say_of_a_good_folder(good, capsys):
    assert check(good, (32, 32)).problems == []
    assert run(capsys, good, "--crop", "32x32", "--scale", "0.9")[1].endswith(
        "CHAPTER=08 CROP=32x32 SCALE=0.9 EPOCHS=30\n"
    )


def test_frequencies_are_numpys(good):
    report = check(good)
    for split, names in ("train", "abcdefghi"), ("val", "xyz"):
        index = np.stack([np.asarray(Image.open(label_path(good, name))) for name in names])
        pixels, pictures = report.frequencies(split)
        assert pixels.tolist() == [(index == i).sum() for i in (0, 1, 7, 255)]
        assert pictures.tolist() == [(index == i).any((1, 2)).sum() for i in (0, 1, 7, 255)]


def test_table_gives_shares_in_percent(good, capsys):
    index = np.stack([np.asarray(Image.open(label_path(good, name))) for name in "xyz"])
    row = next(row.split() for row in run(capsys, good)[1].splitlines() if row.startswith("plane"))
    assert row[3:] == [f"{100 * (index == 1).mean():.2f}", "3"]


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def paint(path):
    """A patch of a colour that no class has."""
    rgb = np.array(Image.open(path).convert("RGB"))
    rgb[:10, :20] = 90, 200, 60
    Image.fromarray(rgb).save(path)


def unplane(root, names):
    """Planes become ground."""
    for name in names:
        rgb = np.array(Image.open(label_path(root, name)).convert("RGB"))
        rgb[(rgb == (128, 0, 0)).all(-1)] = 0
        Image.fromarray(rgb).save(label_path(root, name))


def smear(path):
    label = Image.open(path).convert("RGB")
    label.resize((30, 20), Image.Resampling.BILINEAR).resize((60, 40), Image.Resampling.BILINEAR).save(path)


def turn(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(path).save(path, exif=exif)


def blank(path, size, color=0):
    Image.new("RGB", size, color).save(path)


def convert(path, mode):
    Image.open(path).convert(mode).save(path)


def fade(path):
    picture = Image.open(path).convert("RGBA")
    picture.putalpha(100)
    picture.save(path)


def add(path, *lines):
    path.write_text(path.read_text() + "".join(f"{line}\n" for line in lines))


def copy(root, old, new):
    shutil.copy(image_path(root, old), image_path(root, new))
    shutil.copy(label_path(root, old), label_path(root, new))


def tint(path):
    """Half of the planes of a label nearly in their colour."""
    rgb = np.array(Image.open(path).convert("RGB"))
    planes = (rgb == (128, 0, 0)).all(-1)
    planes[:, ::2] = False
    rgb[planes] = 128, 3, 0
    Image.fromarray(rgb).save(path)


def relink(path):
    path.unlink()
    path.symlink_to("nowhere")


def one_class(root):
    (root / "labelmap.txt").write_text("ground:0,0,0::\n")
    for path in (root / "SegmentationClass").glob("*.png"):
        blank(path, (60, 40))


# what is done to a good folder r: parts of the line that tells of it
ERRORS = {
    "picture missing": (lambda r: image_path(r, "a").unlink(), "JPEGImages/a.jpg: no such file", "copy"),
    "label missing": (lambda r: label_path(r, "a").unlink(), "SegmentationClass/a.png: no such file", "label it"),
    "suffix": (lambda r: image_path(r, "b").rename(r / "JPEGImages/b.tif"), "b.jpg: no such file, but b.tif; save"),
    "label's suffix": (lambda r: label_path(r, "b").rename(r / "SegmentationClass/b.PNG"), "b.PNG; rename it to b.png"),
    "suffix in a list": (lambda r: add(r / LISTS / "val.txt", "q.jpg"), "JPEGImages/q.jpg.jpg", "leave .jpg out"),
    "picture cut short": (lambda r: truncate(image_path(r, "c")), "JPEGImages/c.jpg: cannot be read"),
    "label cut short": (lambda r: truncate(label_path(r, "c")), "SegmentationClass/c.png: cannot be read"),
    "label empty": (lambda r: label_path(r, "d").write_bytes(b""), "SegmentationClass/d.png: "),
    "sizes": (lambda r: blank(image_path(r, "d"), (50, 40)), "d.png: 40 × 60 (height × width); expected 40 × 50"),
    "turned, label not": (lambda r: turn(image_path(r, "e")), "e.png: 40 × 60", "EXIF", "expected 60 × 40"),
    "grey label": (lambda r: convert(label_path(r, "f"), "L"), "Class/f.png: greyscale of 0 to", "export with colours"),
    "transparent label": (lambda r: fade(label_path(r, "f")), "Class/f.png: a PNG picture of mode RGBA: 100.0% of"),
    "label as JPEG": (
        lambda r: Image.open(label_path(r, "f")).convert("RGB").save(label_path(r, "f"), "JPEG"),
        "f.png: saved as JPEG",
    ),
    "label's suffix is .jpg": (
        lambda r: (
            Image.open(label_path(r, "f")).convert("RGB").save(label_path(r, "f").with_suffix(".jpg"))
            or label_path(r, "f").unlink()
        ),
        "f.png: no such file, but f.jpg",
        "does not bring the classes' colours back",
    ),
    "a slip of the brush": (lambda r: tint(label_path(r, "f")), "3 away from the colour of plane: repaint it"),
    "other palette": (
        lambda r: [paint(label_path(r, name)) for name in "gx"],
        "colour 90,200,60 is not in labelmap.txt: 400 pixels in 2 labels, such as g.png",
        "write the line NAME:90,200,60::",
    ),
    "smeared": (lambda r: smear(label_path(r, "h")), "SegmentationClass/h.png", "unknown colours", "blended"),
    "name twice": (lambda r: add(r / LISTS / "train.txt", "i"), "train.txt: i, 2 times"),
    "name in both": (lambda r: add(r / LISTS / "val.txt", "i"), "val.txt: i is in train.txt too"),
    "picture missing in a third list": (
        lambda r: write_list(r, "held_out", ["x", "new"]),
        "JPEGImages/new.jpg: no such",
    ),
    "same picture, train and val": (
        lambda r: [copy(r, "i", "new"), add(r / LISTS / "val.txt", "new")],
        "JPEGImages/new.jpg: the same pixels as JPEGImages/i.jpg of train.txt",
    ),
    "no val.txt": (lambda r: (r / LISTS / "val.txt").unlink(), "val.txt: no such file", "default.txt"),
    "empty val.txt": (lambda r: write_list(r, "val", []), "val.txt: empty"),
    "UTF-16": (lambda r: (r / LISTS / "val.txt").write_text("x", "utf-16"), "val.txt: not UTF-8", "save"),
    "suffix that exists": (
        lambda r: [copy(r, "i", "new.jpg"), add(r / LISTS / "train.txt", "new.jpg")],
        "train.txt",
        "'new.jpg' is a path or file name",
    ),
    "climbing name": (lambda r: add(r / LISTS / "val.txt", "../x"), "val.txt: line 4: '../x' is a path"),
    "two columns": (lambda r: add(r / LISTS / "val.txt", "x -1"), "val.txt: line 4: 'x -1' has two columns"),
    "label map gone": (lambda r: relink(r / "labelmap.txt"), "labelmap.txt: no such file", "mend it first"),
    "one class": (lambda r: one_class(r), "labelmap.txt: one class; expected two or more", "background"),
    "accents coded otherwise": (
        lambda r: [copy(r, "i", "Ko\u0308ln"), add(r / LISTS / "val.txt", "K\u00f6ln")],
        "JPEGImages/K\u00f6ln.jpg: no such file, but Ko\u0308ln.jpg, which looks the same",
    ),
    "seven to train": (lambda r: write_list(r, "train", "abcdefg"), "train.txt: 7 names; expected 8 or more"),
    "void alone": (lambda r: [blank(label_path(r, n), (60, 40), utils.VOID_COLOR) for n in "xyz"], "val.txt: 100%"),
    "label map": (lambda r: (r / "labelmap.txt").write_text("ground\n"), "labelmap.txt", "line 1", "mend it first"),
}
WARNINGS = {
    "third list, in train": (
        lambda r: write_list(r, "held_out", "xab"),
        "held_out.txt: 2 names are in train.txt",
        "a;",
    ),
    "third list, no labels": (lambda r: write_list(r, "test", ["new"]), "test.txt: no label for any of its names"),
    "third list, empty": (lambda r: write_list(r, "test", []), "test.txt: empty"),
    "turned": (lambda r: turn(image_path(r, "e")), "JPEGImages/e.jpg: EXIF orientation 6", "upright"),
    "all void": (lambda r: blank(label_path(r, "i"), (60, 40), utils.VOID_COLOR), "i.png: void only"),
    "too small": (
        lambda r: [blank(image_path(r, "i"), (31, 40)), blank(label_path(r, "i"), (31, 40))],
        "JPEGImages/i.jpg: 40 × 31; expected 32 × 32",
    ),
    "same picture twice": (
        lambda r: [copy(r, "i", "new"), add(r / LISTS / "train.txt", "new")],
        "new.jpg: the same pixels as JPEGImages/i.jpg;",
    ),
    "pair in no list": (lambda r: copy(r, "i", "new"), "new.png: with its picture, but in no list"),
    "label in no list": (lambda r: shutil.copy(label_path(r, "i"), label_path(r, "new")), "new.png: no picture"),
    "picture in no list": (lambda r: blank(image_path(r, "new"), (9, 9)), "JPEGImages: 1 without a label", "new"),
    "TIFF in no list": (lambda r: blank(r / "JPEGImages/new.tif", (9, 9)), "new.tif: ends in .tif, and is in no list"),
    "two pictures of a name": (
        lambda r: blank(r / "JPEGImages/i.png", (60, 40)),
        "JPEGImages/i.jpg: beside i.png; this one is read",
    ),
    "class of void's colour": (
        lambda r: add(r / "labelmap.txt", "sand:224,224,192::"),
        "labelmap.txt: sand has void's colour 224,224,192",
    ),
    "class nowhere": (lambda r: add(r / "labelmap.txt", "cow:64,128,0::"), "labelmap.txt: no pixel of cow"),
    "class not in train": (lambda r: unplane(r, "abcdefghi"), "train.txt: no pixel of plane", "cannot be learnt"),
    "class not in val": (lambda r: unplane(r, "xyz"), "val.txt: no pixel of plane", "cannot be tested"),
    "void": (lambda r: [blank(label_path(r, n), (60, 40), utils.VOID_COLOR) for n in "xy"], "val.txt: ", "are void"),
}
FAULTS = ERRORS | WARNINGS


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_told_in_one_line(good, fault):
    damage, *parts = FAULTS[fault]
    damage(good)
    problem = line(check(good, (32, 32)), *parts)
    assert problem.error == (fault in ERRORS) and "\n" not in str(problem)


def test_a_third_list_is_counted_beside_the_two(good, capsys):
    """Lists that a split is made from are not: all of their names stand in others."""
    write_list(good, "held_out", "yz")
    write_list(good, "trainval", "abcdefghixyz")
    report = check(good, (32, 32))
    assert list(report.lists) == ["train", "val", "held_out"] and not report.problems
    assert main(["data", str(good), "--crop", "32x32"]) == 0
    text = capsys.readouterr().out
    assert "9 in train, 3 in val, 2 in held_out" in text
    labels = np.stack([utils.read_label(label_path(good, n), report.classes) for n in "yz"])
    assert re.search(rf"(?m)^car .* {100 * (labels == 2).mean():.2f} +2$", text), text


def test_many_faults_at_once(good, capsys):
    faults = [
        "picture missing", "suffix", "label cut short", "sizes", "grey label", "other palette", "smeared",
        "name twice", "same picture, train and val", "suffix in a list",
    ]  # fmt: skip
    for fault in faults:
        FAULTS[fault][0](good)
    report = check(good, (32, 32))
    for fault in faults:
        line(report, *FAULTS[fault][1:])
    code, text = run(capsys, good, "--crop", "32x32")
    assert code == 1 and f"Not ready: {len(report.errors)} errors" in text
    told = text.splitlines()
    assert all(any(str(problem) == printed.strip() for printed in told) for problem in report.problems)


def test_many_faults_of_a_kind_are_cut_short_unless_asked(good, capsys):
    for name in "abcdefghi":
        image_path(good, name).unlink()
    text = run(capsys, good)[1]
    assert "JPEGImages/a.jpg and 8 more (--all shows them): no such file" in text  # one line, as all say the same
    text = run(capsys, good, "--all")[1]
    assert " more" not in text and all(f"JPEGImages/{name}.jpg: no such file" in text for name in "abcdefghi")


def test_pictures_of_other_tasks_and_third_lists_are_no_fault(good):
    """VOC2012 has 14,000 pictures without labels, which is told in one line, and a list to keep is no leftover."""
    for name in "pqr":
        Image.new("RGB", (9, 9)).save(image_path(good, name))
    copy(good, "a", "kept")
    write_list(good, "test", ["kept"])
    report = check(good, (32, 32))
    assert [problem.found for problem in report.problems] == ["3 without a label and in no list, such as p"]


def test_what_systems_leave_behind_is_no_fault(good):
    for part, name in ("JPEGImages", "._a.jpg"), ("SegmentationClass", "._a.png"), ("JPEGImages", ".cache/b.jpg"):
        (good / part / name).parent.mkdir(exist_ok=True)
        (good / part / name).write_bytes(b"\0\x05\x16\x07")
    assert not check(good, (32, 32)).problems


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in ("turned, label not",)])
def test_what_has_no_error_trains_and_what_the_course_refuses_has_one(good, fault):
    """The check and the reading agree: the same folder is Ready or refused by both."""
    FAULTS[fault][0](good)
    report = check(good, (32, 32))
    try:
        for train in True, False:
            dataset = utils.VOCSegDataset(train, (32, 32), good)
            [dataset[i] for i in range(len(dataset))]
        refused = ""
    except (OSError, ValueError) as error:
        refused = str(error)
    if refused:
        assert report.errors, refused
    readable = {"seven to train", "void alone", "name in both", "same picture, train and val", "one class"}
    readable.add("picture missing in a third list")  # until somebody asks for that list

    assert bool(refused) == (bool(report.errors) and fault not in readable)


def test_classes_are_not_called_absent_where_labels_could_not_be_counted(good, capsys):
    unplane(good, "abcdefghixyz")
    assert line(check(good, (32, 32)), "no pixel of plane")
    truncate(label_path(good, "a"))
    code, text = run(capsys, good, "--crop", "32x32")
    assert code == 1 and "no pixel of" not in text and "1 without a label that can be counted" in text


def test_a_list_of_unusual_line_ends_is_read_as_the_course_reads_it(good):
    copy(good, "i", "new\u2028line")
    add(good / LISTS / "train.txt", "new\u2028line")
    assert len(utils.read_names(good)) == 10
    assert not check(good, (32, 32)).errors


def test_a_folder_that_may_not_be_entered_is_no_missing_label(good, monkeypatch, capsys):
    listdir = os.listdir

    def not_labels(folder):
        if "SegmentationClass" in str(folder):
            raise PermissionError(13, "Permission denied", str(folder))
        return listdir(folder)

    monkeypatch.setattr(os, "listdir", not_labels)
    assert main(["data", str(good)]) == 2
    assert "SegmentationClass: you may not look into it" in capsys.readouterr().err


def test_nothing_is_fetched_unasked(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert main(["data", "camvid"]) == 2
    assert "`make data DATASET=camvid` fetches it" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_progress_counts_to_the_end(good):
    seen = []
    check(good, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 12) for i in range(1, 13)]


def test_shipped_data_is_ready(capsys):
    code, text = run(capsys, "voc_mini")
    assert code == 0 and "160 in train, 56 in val" in text and text.endswith("DATASET=voc_mini CHAPTER=08\n")
    small = utils.VOCSegDataset(True, (160, 224), "voc_mini", small="skip")
    assert f"pictures smaller than the crop ({160 - len(small)})" in text


def test_photographs_are_ready(camvid):
    assert not check(camvid).errors


# ---- The split ----


def lists_of(root):
    return [(root / LISTS / f"{split}.txt").read_text().split() for split in ("train", "val")]


@pytest.mark.parametrize("source", ["default", "trainval", None])
def test_split_of_a_list_or_of_all_labels(unsplit, source):
    names = "abcdefghixy" if source else "abcdefghixyz"
    if source:
        write_list(unsplit, source, names)
    made = write_split(check(unsplit))
    train, val = lists_of(unsplit)
    assert sorted(train + val) == list(names) and not set(train) & set(val)
    assert (made["train"], made["val"], made["left out"]) == (train, val, [])
    assert len(val) == 2
    assert check(unsplit, (32, 32)).errors == []


def test_split_is_the_same_for_a_seed_and_another_for_another(unsplit):
    report, seen = check(unsplit), set()
    for seed in (0, 0, 1, 2, 3):
        write_split(report, share=0.25, seed=seed)
        seen.add((seed, tuple(lists_of(unsplit)[1])))
        shutil.rmtree(unsplit / LISTS)
    assert len(seen) == 4 and len({val for _, val in seen}) > 1


@pytest.mark.parametrize("seed", range(5))
def test_split_has_each_class_on_both_sides_where_it_can(unsplit, seed):
    """Of twelve pictures two have the plane and one the car: the plane goes to both sides, the car is learnt."""
    for name in "abcdefghixyz":
        blocks = np.zeros((4, 6))
        blocks[0, 0] = {"a": 1, "f": 1, "z": 7}.get(name, 0)
        write_palette_png(label_path(unsplit, name), np.kron(blocks, np.ones((10, 10))), VOC_PALETTE)
    train, val = (set(names) for names in list(write_split(check(unsplit), 0.25, seed).values())[:2])
    assert len(train & {"a", "f"}) == len(val & {"a", "f"}) == 1 and "z" in train and len(val) == 3


def test_split_keeps_the_same_pixels_together(unsplit):
    copy(unsplit, "a", "b")
    for seed in range(8):
        _, val, _ = write_split(check(unsplit), 0.3, seed).values()
        assert len({"a", "b"} & set(val)) != 1
        shutil.rmtree(unsplit / LISTS)


def test_split_leaves_eight_to_train(unsplit):
    write_list(unsplit, "default", "abcdefghi")
    write_split(check(unsplit), share=0.5)
    assert [len(names) for names in lists_of(unsplit)] == [8, 1]


@pytest.mark.parametrize("there", ["train", "val"])
def test_split_overwrites_nothing(unsplit, there, capsys):
    write_list(unsplit, there, "ab")
    before = (unsplit / LISTS / f"{there}.txt").read_bytes()
    assert main(["data", str(unsplit), "--split"]) == 2
    assert f"{there}.txt: is there already" in capsys.readouterr().err
    with pytest.raises(FileExistsError):
        write_split(check(unsplit))
    assert [path.name for path in (unsplit / LISTS).iterdir()] == [f"{there}.txt"]
    assert (unsplit / LISTS / f"{there}.txt").read_bytes() == before


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda r: truncate(image_path(r, "a")), "1 pairs are to be mended first, such as a"),
        (lambda r: paint(label_path(r, "b")), "1 pairs are to be mended first, such as b"),
        (lambda r: [image_path(r, n).unlink() for n in "abcd"], "8 of 12 names have both"),
        (lambda r: (r / "labelmap.txt").write_text("ground\n"), "labelmap.txt is to be mended first"),
        (lambda r: copy(r, "a", "photo -1"), "1 names can't stand in a list, such as 'photo -1' (has two columns)"),
    ],
)
def test_split_waits_until_pairs_are_mended(unsplit, capsys, damage, reason):
    damage(unsplit)
    code, text = run(capsys, unsplit, "--split")
    assert code == 1 and f"No split was made: {reason}" in text and "ERRORS" in text
    assert not (unsplit / LISTS).exists()


@pytest.mark.parametrize("failing", [1, 2])
def test_split_that_fails_midway_leaves_nothing(unsplit, monkeypatch, capsys, failing):
    calls, replace = [], os.replace

    def broken(*paths):
        calls.append(paths)
        if len(calls) == failing:
            raise OSError("disk full")
        replace(*paths)

    monkeypatch.setattr(os, "replace", broken)
    code, text = run(capsys, unsplit, "--split")
    assert code == 1 and "No split was made: disk full" in text
    assert list((unsplit / LISTS).iterdir()) == []


# ---- The command ----


def command(*words, **settings):
    words, settings = [sys.executable, "-m", "utils", *words], os.environ | settings
    return subprocess.run(words, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=120)


def test_command_ends_with_its_code_and_no_traceback(tmp_path):
    done = command("data", str(HERE / "grey"), PYTHONIOENCODING="ascii")
    assert done.returncode == 1 and "labels without colours (4)" in done.stdout and done.stderr == ""
    done = command("data", str(tmp_path / "nowhere"))
    assert done.returncode == 2 and "no such folder" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "required: COMMAND"),
        (["data"], "required: folder"),
        (["data", "voc_mini", "--crop", "160"], "expected HEIGHTxWIDTH"),
        (["data", "voc_mini", "--scale", "2"], "'2': expected a number above 0, at most 1"),
        (["data", "voc_mini", "--val", "1"], "nothing would be left"),
    ],
)
def test_wrong_use_is_explained(capsys, words, reason):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2 and reason in capsys.readouterr().err


def test_help_tells_of_bursts_and_exit_codes(capsys):
    with pytest.raises(SystemExit):
        main(["data", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "frames of one video" in text and "Ends with 0 if there is no error" in text


def _paint(folder, name, colors, top=2):
    """A photograph of `good` with a horizontal stroke for each colour."""
    painted = np.array(utils.read_image(image_path(folder, name)))
    for i, color in enumerate(colors):
        painted[8 * i + top : 8 * i + top + 2, 5:50] = color
    (folder / "painted").mkdir(exist_ok=True)
    return Image.fromarray(painted)


def test_strokes_painted_over_photographs_become_labels_by_the_line_of_the_page(good, monkeypatch, capsys):
    shutil.rmtree(good / "SegmentationClass")
    for name in "abcdefghixyz":
        _paint(good, name, [(0, 0, 0), (128, 0, 0), (128, 128, 128)]).save(good / "painted" / f"{name}.png")
    (good / "my_photos").symlink_to(good)
    monkeypatch.chdir(good)
    page = (ROOT / "docs/own_pictures.md").read_text(encoding="utf-8").split("## Strokes in the place of outlines")[1]
    exec(re.search(r"python -c '(.*)'", page)[1], {})
    assert re.search(r"c.png: ground \d\d, plane \d\d, car \d\d pixels\n", capsys.readouterr().out)
    label = utils.read_label(label_path("my_photos", "c"), utils.data_classes("my_photos"))
    for value in range(3):  # a pixel that was of nearly that colour before is none of the stroke
        stroke = label[8 * value + 2 : 8 * value + 4, 5:50]
        assert (stroke == value).mean() > 0.95 and set(np.unique(stroke)) <= {value, utils.VOID}
    assert (label[:, 50:] == utils.VOID).all() and (label[30:] == utils.VOID).all()
    code, printed = run(capsys, "my_photos")
    assert not code and "89% of the pixels are void; nothing is learnt from them" in printed


def test_painted_photographs_that_cannot_be_used_are_named_and_the_others_taken(good, capsys):
    shutil.rmtree(good / "SegmentationClass")
    right = _paint(good, "a", [(0, 0, 0), (128, 0, 0)])
    right.save(good / "painted/a.PNG")
    _paint(good, "b", [(0, 0, 0), (120, 10, 10)]).save(good / "painted/b.png")  # no class's colour
    right.convert("RGB").save(good / "painted/c.jpg")
    right.resize((30, 20)).save(good / "painted/d.png")
    _paint(good, "e", [(0, 0, 0)]).transpose(Image.ROTATE_90).save(good / "painted/e.png")
    utils.data.painted.write_scribbles(label_path(good, "f"), np.zeros((40, 60), np.uint8), utils.VOC)
    _paint(good, "f", [(0, 0, 0)]).save(good / "painted/f.png")
    _paint(good, "g", []).save(good / "painted/g.png")
    right.save(good / "painted/nobody.png")
    utils.data.painted.take_strokes(good)
    told = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert told["a.PNG"] == "ground 90, plane 90 pixels"
    assert told["b.png"].startswith(
        "ground 90 pixels; 1 left out, in no class's colour: such as (120, 10, 10); the nearest is plane"
    )
    assert told["c.jpg"].startswith("not taken: a JPEG")
    assert told["d.png"].startswith("not taken: 20 × 30, but its photograph is 40 × 60")
    assert told["e.png"].startswith("not taken: turned sideways")
    assert told["f.png"].startswith("not taken: SegmentationClass/f.png is there already and stays")
    assert told["g.png"].startswith("not taken: no stroke found")
    assert told["nobody.png"].startswith("not taken: ") and "nobody.jpg" in told["nobody.png"]
    assert sorted(path.name for path in (good / "SegmentationClass").iterdir()) == ["a.png", "b.png", "f.png"]
    assert told["Written"].endswith("SegmentationClass, 2 labels of 8 files")
    with pytest.raises(ValueError, match="no file of 8 was taken"):
        utils.data.painted.take_strokes(good)
    with pytest.raises(ValueError, match="no files; expected photographs with strokes"):
        utils.data.painted.take_strokes(good, "elsewhere")


def test_a_photograph_saved_with_few_colours_is_said_to_have_lost_strokes():
    image = utils.read_image(ROOT / "data/photo/chelsea.jpg")
    drawn = np.array(image)
    drawn[100:106, 50:200], drawn[200:206, 50:200] = (128, 0, 0), (0, 0, 128)  # aeroplane, boat
    marks, told = utils.data.painted.marks_of("all.png", drawn, image, utils.VOC)
    assert set(np.unique(marks)) == {1, 4, utils.VOID} and not told
    few = np.array(Image.fromarray(drawn).quantize(256).convert("RGB"))
    few[100:106, 50:200] = 128, 0, 0
    marks, told = utils.data.painted.marks_of("few.png", few, image, utils.VOC)
    assert (marks[100:106, 50:200] == 1).all()
    assert re.match(r"\d\d+ other areas were changed a little.*full colour", told)
    fewer = np.array(Image.fromarray(drawn).quantize(8).convert("RGB"))
    with pytest.raises(ValueError, match="fewer.png: no stroke found, .* of the pixels were changed"):
        utils.data.painted.marks_of("fewer.png", fewer, image, utils.VOC)


def test_scribbles_need_no_labels_and_may_be_a_transparent_layer(good, capsys):
    shutil.rmtree(good / "SegmentationClass")
    (good / "ScribbleClass").mkdir()
    for name in "abcdefghi":
        layer = np.zeros((40, 60, 4), np.uint8)
        layer[5:7, 5:50], layer[15:17, 5:50], layer[25:27, 5:50] = (
            (0, 0, 0, 255),
            (128, 0, 0, 255),
            (128, 128, 128, 255),
        )
        Image.fromarray(layer).save(good / "ScribbleClass" / f"{name}.png")
    _, printed = run(capsys, good, "--crop", "32x32", "--scribbles")
    assert "ScribbleClass: 9 of 9 files of train, 11.2% of the pixels marked" in printed
    assert "labels missing (3)" in printed, "val has no scribbles, and needs labels"
    painted = _paint(good, "a", [(0, 0, 0)])
    painted.save(good / "ScribbleClass/a.png")
    (good / "ScribbleClass/b.png").rename(good / "ScribbleClass/b.jpg")
    black = Image.new("RGB", (60, 40))
    black.save(good / "ScribbleClass/c.png")
    _, printed = run(capsys, good, "--crop", "32x32", "--scribbles", "--all")
    assert "the photograph is still beneath the strokes: utils.data.painted.take_strokes" in printed
    assert "no such file, but b.jpg" in printed
    assert "100% of the pixels are marked, most of them ground (0, 0, 0); expected some 3%; fill with void" in printed
