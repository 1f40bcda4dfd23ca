"""Lists, class names and missing files as tools and people leave them: each is said, with a command that mends it."""

import utils
from utils.__main__ import main
from utils.core.surroundings import python
from utils.data.voc import label_path
from utils.datacheck.classes import _rows
from utils.datacheck.report import check, glance

import subprocess

import numpy as np
import pytest
from PIL import Image

LISTS = "ImageSets/Segmentation"
LABELMAP = "background:0,0,0::\nroad:128,0,0::\nsky:0,128,0::\n"
NAMES = [f"p{i}" for i in range(12)]


def drawn(i, height=200, width=260):
    """Indices of a disc (sky) and a bar (road) on background."""
    y, x = np.mgrid[:height, :width]
    label = np.zeros((height, width), np.uint8)
    label[150:180] = 1
    label[(y - 70) ** 2 + (x - 60 - 10 * i) ** 2 < 900] = 2
    return label


@pytest.fixture
def folder(tmp_path):
    """Twelve pictures of noise with a disc and a bar, no lists; its path has a space."""
    root, rng = tmp_path / "my photos", np.random.RandomState(0)
    for part in "JPEGImages", "SegmentationClass", LISTS:
        (root / part).mkdir(parents=True)
    (root / "labelmap.txt").write_text(LABELMAP)
    for i, name in enumerate(NAMES):
        label = drawn(i)
        picture = rng.randint(0, 90, (*label.shape, 3)) + 60 * label[..., None]
        Image.fromarray(picture.astype(np.uint8)).save(root / f"JPEGImages/{name}.jpg")
        paint(root, name, label)
    return root


def paint(root, name, label):
    colors = np.array([(0, 0, 0), (128, 0, 0), (0, 128, 0)], np.uint8)
    Image.fromarray(colors[label]).save(label_path(root, name))


def write(root, **lists):
    for split, names in lists.items():
        (root / LISTS / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))


def run(capsys, *words):
    code = main([str(word) for word in words])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def errors(root):
    return [str(problem) for problem in check(root).errors]


def shell(command):
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


# ---- Lists ----


@pytest.mark.parametrize(
    "train, val",
    [
        ("Train", "Validation"), ("training", "valid"), ("TRAIN", "VAL"), ("train", "test"), ("Train", "Test"),
    ],
)  # fmt: skip
def test_lists_of_other_names_are_found_kept_and_mended_by_the_line_that_is_printed(folder, capsys, train, val):
    write(folder, **{train: NAMES[:9], val: NAMES[9:]})
    before = sorted((folder / LISTS).iterdir())
    code, text = run(capsys, "data", folder, "--split")
    assert code == 2 and sorted((folder / LISTS).iterdir()) == before and "No split" not in text
    report = check(folder)
    assert [len(names) for names in report.lists.values()] == [9, 3]
    for split, name in ("train", train), ("val", val):
        if name != split:
            (problem,) = [p for p in report.errors if p.file == f"{LISTS}/{name}.txt"]
            assert problem.expected == f"{LISTS}/{split}.txt" and "\n" not in str(problem)
            shell(problem.remedy)
    assert utils.read_names(folder) == NAMES[:9] and utils.read_names(folder, train=False) == NAMES[9:]
    assert not check(folder).errors


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_train_and_evaluate_say_the_line_for_lists_of_other_names(folder, capsys, tmp_path, command):
    write(folder, train=NAMES[:9], Validation=NAMES[9:])
    words = {"train": ["--output", tmp_path / "a.params"], "evaluate": ["--model", tmp_path / "a.params"]}[command]
    code, text = run(capsys, command, "--dataset", folder, *words)
    assert code == 2 and f"Validation.txt: expected {LISTS}/val.txt; mv -n " in text
    shell(text.partition("; ")[2])
    assert utils.read_names(folder, train=False) == NAMES[9:]
    for path in (folder / LISTS).iterdir():
        path.unlink()
    code, text = run(capsys, command, "--dataset", folder, *words)
    assert code == 2 and f"no lists in its ImageSets/Segmentation/; to have them made: {python()} -m utils data" in text


def test_a_test_list_stands_for_val_only_where_there_is_none(folder):
    write(folder, train=NAMES[:9], val=NAMES[9:11], test=NAMES[11:])
    report = check(folder)
    assert not report.errors and list(report.lists) == ["train", "val", "test"]
    write(folder, Train=NAMES[:8], Valid=NAMES[8:9], Test=NAMES[9:])
    for split in "train", "val", "test":
        (folder / LISTS / f"{split}.txt").unlink()
    assert check(folder).lists == {"train": NAMES[:8], "val": NAMES[8:9]}


def test_a_contest_s_test_list_keeps_no_one_from_a_split(folder, capsys):
    write(folder, test=["q1", "q2"])
    code, text = run(capsys, "data", folder, "--split")
    assert code == 0 and "Written: train.txt with 10 names" in text, text


def test_lists_beside_the_folder_are_found(folder):
    for split, names in ("train", NAMES[:9]), ("val", NAMES[9:]):
        (folder / f"{split}.txt").write_text("\n".join(names))
    for problem in check(folder).errors:
        shell(problem.remedy)
    assert not check(folder).errors and utils.read_names(folder) == NAMES[:9]


def test_an_empty_trainval_is_passed_over_aloud(folder, capsys):
    write(folder, trainval=[])
    code, text = run(capsys, "data", folder)
    assert code == 1 and "trainval.txt: empty" in text and "the labels that are there (12 names)" in text, text
    assert run(capsys, "data", folder, "--split")[0] == 0 and len(utils.read_names(folder)) == 10


# ---- Classes ----


@pytest.mark.parametrize("split", ["train", "val"])
def test_one_class_everywhere_is_an_error(folder, split):
    write(folder, train=NAMES[:9], val=NAMES[9:])
    for name in NAMES[:9] if split == "train" else NAMES[9:]:
        paint(folder, name, np.zeros((200, 260), np.uint8))
    (error,) = errors(folder)
    assert error.startswith(f"{LISTS}/{split}.txt: background is the only class in all")


BESIDE = {
    "class_names.txt": "_background_\nroad\nsky\n",
    "LabelMap.txt": "background:0,0,0::\nroad:128,0,0::\nsky:0,128,0::\n",
    "label_map.txt": "background:0,0,0\nroad:128,0,0\nsky:0,128,0\n",
    "_classes.csv": "Pixel Value, Class\n0, background\n1, road\n2, sky\n",
    "class_dict.csv": "name,r,g,b\nbackground,0,0,0\nroad,128,0,0\nsky,0,128,0\n",
    "label_colors.txt": "0 0 0\tbackground\n128 0 0\troad\n0 128 0\tsky\n",
    "classes.txt": "0: background\n1: road\n2: sky\n",
    "labels.txt": "__ignore__\n_background_\nroad\nsky\n",
}


@pytest.mark.parametrize("name", BESIDE)
def test_class_names_beside_the_data_become_a_labelmap_by_the_line_that_is_printed(folder, capsys, name):
    (folder / "labelmap.txt").unlink()
    (folder / name).write_text(BESIDE[name])
    write(folder, train=NAMES[:9], val=NAMES[9:])
    (problem,) = [p for p in check(folder).errors if p.file == name]
    assert "names 3 classes, background, road, sky" in problem.found
    words = ["train", "--dataset", folder, "--output", folder / "a.params"]
    code, text = run(capsys, *words)
    assert code == 2 and f"{name}: names 3 classes" in text
    shell("printf" + problem.remedy.partition(": printf")[2])
    assert utils.data_classes(folder) == utils.LabelMap(["background", "road", "sky"], utils.VOC_COLORMAP[:3])
    assert not check(folder).errors


def test_files_that_name_no_classes_or_voc_s_are_passed_over(folder):
    write(folder, train=NAMES[:9], val=NAMES[9:])
    (folder / "labelmap.txt").unlink()
    (folder / "class_names.txt").write_text("\n".join(utils.VOC_CLASSES))
    assert not errors(folder)
    (folder / "labels.txt").write_text("")
    (folder / "class_names.txt").write_text("\n".join(["a note", "a note"]))
    assert not errors(folder)
    path = folder / "classes.txt"
    path.write_text("traffic light\nroad 2\n")
    assert _rows(path) == [("traffic light", None), ("road 2", None)]


@pytest.mark.parametrize("name", ["ignore_region", "unlabeled", "Unknown", "__ignore__", "don't care", "255"])
def test_a_class_whose_name_says_that_it_is_none_is_warned_of(folder, name):
    write(folder, train=NAMES[:9], val=NAMES[9:])
    (folder / "labelmap.txt").write_text(LABELMAP.replace("sky", name))
    (problem,) = check(folder).problems
    assert not problem.error and f"{name} is a class" in problem.found
    line = problem.remedy.partition("labelmap.txt: ")[2]
    (folder / "labelmap.txt").write_text(LABELMAP.replace("sky:0,128,0::", line))
    assert utils.data_classes(folder).names == ["background", "road"] and not check(folder).errors


@pytest.mark.parametrize("full", [0, 1, 3])
def test_a_swallowed_background_is_told_though_some_pictures_are_labelled_all_over(folder, full):
    """Datumaro's order: arch, background, road; what is unmarked became arch."""
    (folder / "labelmap.txt").write_text("arch:128,0,0::\nbackground:0,0,0::\nroad:0,128,0::\n")
    write(folder, train=NAMES[:9], val=NAMES[9:])
    for i, name in enumerate(NAMES):
        paint(folder, name, np.full((200, 260), 2, np.uint8) if i < full else np.where(drawn(i) == 0, 1, 2))
    assert any("rename arch" in error for error in errors(folder))


# ---- Missing files ----


def moved(root, to, pattern="{}"):
    (root / to).mkdir(exist_ok=True)
    for name in NAMES:
        label_path(root, name).rename(root / to / f"{pattern.format(name)}.png")
    if to != "SegmentationClass":
        (root / "SegmentationClass").rmdir()


MISSING = {
    "_mask": lambda r: moved(r, "SegmentationClass", "{}_mask"),
    "_gtFine_color": lambda r: moved(r, "SegmentationClass", "{}_gtFine_color"),
    "name.jpg.png": lambda r: moved(r, "SegmentationClass", "{}.jpg"),
    "SegmentationClassPNG": lambda r: moved(r, "SegmentationClassPNG"),
    "masks": lambda r: moved(r, "masks"),
    "Labels": lambda r: moved(r, "Labels"),
    "PNG": lambda r: [label_path(r, n).rename(label_path(r, n).with_suffix(".PNG")) for n in NAMES],
    "Png": lambda r: [label_path(r, n).rename(label_path(r, n).with_suffix(".Png")) for n in NAMES],
    "Jpg": lambda r: [(r / f"JPEGImages/{n}.jpg").rename(r / f"JPEGImages/{n}.Jpg") for n in NAMES],
    "case": lambda r: [label_path(r, n).rename(label_path(r, n.upper())) for n in NAMES],
    "images": lambda r: (r / "JPEGImages").rename(r / "images"),
}


@pytest.mark.parametrize("fault", MISSING)
def test_a_file_that_is_missing_for_a_reason_comes_by_the_line_that_is_printed(folder, fault):
    write(folder, train=NAMES[:9], val=NAMES[9:])
    MISSING[fault](folder)
    found = [problem for problem in check(folder).errors if problem.kind.endswith(" missing")]
    assert len(found) == 12 and all("\n" not in str(problem) and ", but " in problem.found for problem in found)
    if "; rename it to" in str(found[0]):  # items.py says the one file
        return
    for command in dict.fromkeys(problem.remedy for problem in found):
        shell(command)
    assert not check(folder).errors


def test_arrays_of_indices_become_palette_pngs_by_the_line_that_is_printed(folder):
    """As labelme writes them; -1 is void. What is there stays."""
    write(folder, train=NAMES[:9], val=NAMES[9:])
    for i, name in enumerate(NAMES[:3]):
        label_path(folder, name).unlink()
        index = drawn(i).astype(np.int32)
        index[:5] = -1
        np.save(folder / f"SegmentationClass/{name}.npy", index)
    before = label_path(folder, "p5").read_bytes()
    remedies = {problem.remedy for problem in check(folder).errors}
    assert len(remedies) == 1 and not errors(folder)[0].count("\n")
    shell(remedies.pop())
    label = utils.read_label(label_path(folder, "p1"), utils.data_classes(folder))
    assert (label[:5] == utils.VOID).all() and (label[5:] == drawn(1)[5:]).all()
    assert label_path(folder, "p5").read_bytes() == before and not check(folder).errors


# ---- What train and evaluate refuse ----


def test_equal_lines_become_one_with_their_number(folder, capsys):
    write(folder, train=NAMES[:9], val=NAMES[9:])
    for name in NAMES:
        label_path(folder, name).unlink()
    text = run(capsys, "data", folder)[1]
    assert (
        text.count("no such file") == 1 and "SegmentationClass/p0.png and 11 more (--all shows them): no such" in text
    )
    assert run(capsys, "data", folder, "--all")[1].count("no such file") == 12


FAULTS = {
    "val inside train": (lambda r: write(r, val=NAMES[7:]), "val.txt: p7 is in train.txt too"),
    "a copy": (
        lambda r: (r / "JPEGImages/p9.jpg").write_bytes((r / "JPEGImages/p0.jpg").read_bytes()),
        "JPEGImages/p9.jpg: the same pixels as JPEGImages/p0.jpg of train.txt",
    ),
    "one class in val": (
        lambda r: [paint(r, n, np.ones((200, 260), np.uint8)) for n in NAMES[9:]],
        "val.txt: road is the only class",
    ),
    "one class in labelmap.txt": (lambda r: (r / "labelmap.txt").write_text("road:128,0,0::\n"), "one class; expected"),
    "no labelled pixel": (
        lambda r: [Image.new("RGB", (260, 200), utils.VOID_COLOR).save(label_path(r, n)) for n in NAMES[9:]],
        "val.txt: 100% of the pixels are void",
    ),
    "an unknown colour in val": (
        lambda r: Image.new("RGB", (260, 200), (9, 99, 199)).save(label_path(r, "p11")),
        "colour 9,99,199 is not in labelmap.txt",
    ),
    "a label of val missing": (lambda r: label_path(r, "p10").unlink(), "SegmentationClass/p10.png: no such file"),
    "sizes": (lambda r: paint(r, "p10", np.ones((100, 130), np.uint8)), "p10.png: 100 × 130"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_train_refuses_what_data_calls_an_error(folder, capsys, tmp_path, fault):
    write(folder, train=NAMES[:9], val=NAMES[9:])
    damage, told = FAULTS[fault]
    damage(folder)
    assert any(told in error for error in errors(folder)), errors(folder)
    output = tmp_path / "a.params"
    code, text = run(capsys, "train", "--dataset", folder, "--crop", "32x32", "--epochs", 1, "--output", output)
    assert code == 2 and told in text and "epoch" not in text and "Traceback" not in text, text
    assert f"-m utils data '{folder}'" in text and not output.exists()


def test_a_glance_finds_nothing_in_a_good_folder_and_names_other_lists(folder):
    write(folder, train=NAMES[:9], val=NAMES[9:])
    report = glance(folder, NAMES[:9], NAMES[9:])
    assert not report.problems and all(pair.digest is None for pair in report.pairs.values())
    whole = check(folder)
    for split in "train", "val":
        np.testing.assert_array_equal(report.frequencies(split), whole.frequencies(split))
    (error,) = glance(folder, NAMES[:9], NAMES[8:], ("most", "held_out")).errors
    assert str(error).startswith(f"{LISTS}/held_out.txt: p8 is in most.txt too")


# ---- Lists of paths, folders of another layout ----


@pytest.mark.parametrize(
    "line",
    ["{}.jpg", "JPEGImages/{}.jpg", "/data/JPEGImages/{}.jpg /data/SegmentationClass/{}.png", "./{}.jpg\t{}.png"],
)
def test_a_list_of_paths_is_read_by_names_and_mended_by_the_line_that_is_printed(folder, line):
    write(folder, train=[line.replace("{}", name) for name in NAMES[:9]], val=NAMES[9:])
    before = (folder / LISTS / "train.txt").read_bytes()
    (problem,) = check(folder).errors  # not one more for each picture
    assert "is a path or file name" in problem.found or "has two columns" in problem.found
    shell(problem.remedy)
    assert utils.read_names(folder) == NAMES[:9] and not check(folder).errors
    assert (folder / LISTS / "train.txt.before").read_bytes() == before
    subprocess.run(["bash", "-c", problem.remedy], check=False)  # once more: nothing is lost
    assert utils.read_names(folder) == NAMES[:9]
    assert (folder / LISTS / "train.txt.before").read_bytes() == before


def test_a_column_of_numbers_is_no_path(folder):
    write(folder, train=[f"{name} -1" for name in NAMES[:9]], val=NAMES[9:])
    assert any("has two columns" in error for error in errors(folder))


def test_labels_beside_their_photographs_are_found_and_photographs_are_no_labels(folder):
    write(folder, train=NAMES[:9], val=NAMES[9:])
    moved(folder, "JPEGImages")
    (command,) = {problem.remedy for problem in check(folder).errors}
    shell(command)
    assert not check(folder).errors
    for name in NAMES:
        label_path(folder, name).unlink()
        (folder / f"JPEGImages/{name}.jpg").unlink()
    assert not any("but one in" in error for error in errors(folder))


def test_a_folder_of_another_layout_says_what_is_to_be_done(folder, capsys):
    write(folder, train=NAMES[:9], val=NAMES[9:])
    outer, output = folder.parent, folder.parent / "a.params"
    for words in ["data", outer], ["train", "--dataset", outer, "--output", output]:
        code, text = run(capsys, *words)
        assert code == 2 and f"{outer}: no SegmentationClass/ in it, but in {folder}" in text
    (folder / "ImageSets").rename(outer / "kept")
    code, text = run(capsys, "train", "--dataset", folder, "--output", output)
    assert code == 2 and f"to have them made: {python()} -m utils data '{folder}' --split" in text
    (outer / "kept").rename(folder / "ImageSets")
    (folder / "JPEGImages").rename(folder / "Images")
    (folder / "SegmentationClass").rename(folder / "masks")
    code, text = run(capsys, "data", folder)
    assert code == 2 and "Images/ and masks/; expected JPEGImages/" in text
    shell(text.partition("the labels: ")[2])
    assert not check(folder).errors
    archive = outer / "photos.zip"
    archive.write_bytes(b"PK")
    code, text = run(capsys, "data", archive)
    assert code == 2 and f"photos.zip: a file; expected a folder in VOC layout; unpack it: unzip -n {archive}" in text


@pytest.mark.parametrize("line", ["photos/{0}.JPG\tlabels/{0}.png", "{0} {0}_label", "{1}\timg/{0}x.jpg\tgt/{0}x.png"])
def test_lines_that_are_no_names_are_one_error(folder, capsys, line):
    """And not two more for each, of a picture and a label that nobody looks for."""
    write(folder, train=[line.format(f"{name}_", i) for i, name in enumerate(NAMES[:9])], val=NAMES[9:])
    code, text = run(capsys, "data", folder)
    if "\t" in line:
        (problem,) = check(folder).errors
        assert problem.file == f"{LISTS}/train.txt" and "(9 such lines)" in problem.found
    assert code == 1 and text.count("such lines") == ("\t" in line)


def test_mxnet_s_lists_with_an_index_are_mended_by_the_line_that_is_printed(folder):
    lines = [f"{i}\tJPEGImages/{name}.jpg\tSegmentationClass/{name}.png" for i, name in enumerate(NAMES[:9])]
    write(folder, train=lines, val=NAMES[9:])
    (problem,) = check(folder).errors
    shell(problem.remedy)
    assert utils.read_names(folder) == NAMES[:9] and not check(folder).problems


def test_one_command_for_all_labels_stands_once(folder, capsys, tmp_path):
    """Though the bare values differ from label to label; in what `train` refuses too."""
    write(folder, train=NAMES[:9], val=NAMES[9:])
    for i, name in enumerate(NAMES):
        label = drawn(i)
        label[: 10 * (i % 3)] = utils.VOID  # in two of three
        Image.fromarray(label).save(label_path(folder, name))
    for words in ["data", folder], ["train", "--dataset", folder, "--output", tmp_path / "a.params"]:
        code, text = run(capsys, *words)
        assert code and text.count("relabel(") == 1 and "p0.png and 11 more (--all shows them)" in text, text
    assert run(capsys, "data", folder, "--all")[1].count("relabel(") == 12


def test_the_score_to_beat_is_of_the_pictures_as_they_are_scored(folder, capsys, tmp_path):
    """Small squares that a scale of a half makes more or fewer."""
    write(folder, train=NAMES[:9], val=NAMES[9:])
    for i, name in enumerate(NAMES):
        label = drawn(i)
        label[:100:2, ::2] = 1  # with stripes in the rows that a half keeps, or drops
        paint(folder, name, label)
    test_set = utils.VOCSegDataset(False, None, folder, 0.5)
    index, scores = utils.baseline(utils.VOCSegDataset(True, (32, 32), folder, 0.5), test_set)
    whole = utils.baseline(utils.VOCSegDataset(True, (32, 32), folder), utils.VOCSegDataset(False, None, folder))[1]
    assert abs(scores["pixel_acc"] - whole["pixel_acc"]) > 0.01
    words = ["--dataset", folder, "--crop", "32x32", "--scale", 0.5, "--epochs", 1, "--output", tmp_path / "a.params"]
    code, text = run(capsys, "train", *words)
    name = utils.data_classes(folder).names[index]
    beat = f"{name} everywhere has pixel accuracy {scores['pixel_acc']:.3f}, mean IoU {scores['mean_iou']:.3f}"
    assert code == 0 and beat in text, text


def test_a_swallowed_background_is_an_error_to_the_check_and_a_warning_to_a_training(folder, capsys, tmp_path):
    """Only who made the labels knows whether all is marked."""
    (folder / "labelmap.txt").write_text("arch:128,0,0::\nbackground:0,0,0::\nroad:0,128,0::\n")
    write(folder, train=NAMES[:9], val=NAMES[9:])
    for i, name in enumerate(NAMES):
        paint(folder, name, np.where(drawn(i) == 0, 1, 2))
    assert any("rename arch" in error for error in errors(folder))
    words = ["--dataset", folder, "--crop", "32x32", "--epochs", 1]
    code, text = run(capsys, "train", *words, "--output", tmp_path / "a.params")
    assert code == 0 and text.index("Warning: labelmap.txt: background (0,0,0) is in no label") < text.index("epoch 1")
    code, text = run(capsys, "evaluate", "--model", tmp_path / "a.params", "--dataset", folder)
    assert code == 0 and "Warning: labelmap.txt" in text
