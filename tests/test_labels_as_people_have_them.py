"""Label files as annotation tools and image editors write them: read right, or refused with a line that mends them.

Each advised line is executed on a copy of the folder: the new folder reads as the right labels, the old one stays.
"""

import utils
from utils.__main__ import main
from utils.data.label_hints import WAYS, hint
from utils.data.voc import label_path
from utils.datacheck.report import check

import io
import re
import shlex
import shutil
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image, ImageFilter

H, W = 200, 260
NAMES = [f"p{i}" for i in range(10)]
COLORS = {"background": (0, 0, 0), "road": (50, 183, 250), "sky": (250, 50, 83)}


def drawn(i, classes=3, void=True):
    """(H, W) indices: a disc, a bar, and a band of void."""
    y, x = np.mgrid[:H, :W]
    label = np.zeros((H, W), np.uint8)
    label[(y - 100) ** 2 + (x - 60 - 12 * i) ** 2 < 40**2] = 1
    if classes > 2:
        label[20 + 3 * i : 60 + 3 * i] = 2
    if void:
        label[150:155] = 255
    return label


def folder(tmp_path, encode, labelmap=COLORS, void=True):
    """A data set of ten discs and bars on noise, each label written by encode(label, path)."""
    root = tmp_path / "my photos"
    for part in "JPEGImages", "SegmentationClass", "ImageSets/Segmentation":
        (root / part).mkdir(parents=True)
    for i, name in enumerate(NAMES):
        label = drawn(i, len(labelmap), void)
        rng = np.random.RandomState(i)
        noise = np.clip(rng.randint(0, 60, (H, W, 3)) + 60 * (label % 4)[..., None], 0, 255).astype(np.uint8)
        Image.fromarray(noise).save(root / f"JPEGImages/{name}.jpg")
        encode(label, root / f"SegmentationClass/{name}.png")
    (root / "labelmap.txt").write_text("".join(f"{n}:{','.join(map(str, c))}::\n" for n, c in labelmap.items()))
    (root / "ImageSets/Segmentation/train.txt").write_text("\n".join(NAMES[:8]))
    (root / "ImageSets/Segmentation/val.txt").write_text("\n".join(NAMES[8:]))
    return root


def as_rgb(label, colors=COLORS, void=utils.VOID_COLOR):
    table = np.zeros((256, 3), np.uint8)
    table[: len(colors)], table[255] = list(colors.values()), void
    return table[label]


def grey(label, path, table=None):
    Image.fromarray(label if table is None else np.array(table)[label].astype(np.uint8)).save(path)


def palette(label, path, colors):
    """A palette PNG; colours that are not given are zeros."""
    picture = Image.fromarray(label)
    picture.putpalette(np.ravel([colors.get(i, (0, 0, 0)) for i in range(256)]).astype(np.uint8).tobytes())
    picture.save(path)


def png(pixels, depth, kind):
    """A PNG at a depth that Pillow does not write. pixels: big-endian samples, or packed bits, one row each."""
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", W, H, depth, kind, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )


def deep(values, path):
    path.write_bytes(png(values.astype(">u2"), 16, 0))


def two_bits(label, path):
    v = (label % 4).reshape(H, W // 4, 4)
    path.write_bytes(png((v[..., 0] << 6 | v[..., 1] << 4 | v[..., 2] << 2 | v[..., 3]).astype(np.uint8), 2, 0))


def rgba(label, path, alpha=255):
    full = np.full((H, W), 255, np.uint8) if isinstance(alpha, int) else alpha(label)
    Image.fromarray(np.dstack([as_rgb(label), full])).save(path)


def like(data, kind):
    buffer = io.BytesIO()
    Image.fromarray(data).save(buffer, kind)
    return buffer.getvalue()


GREYS = {"background": (0, 0, 0), "road": (100, 100, 100), "sky": (255, 255, 255)}
MASK = {"background": (0, 0, 0), "object": (255, 255, 255)}
TWO = {"background": (0, 0, 0), "road": (50, 183, 250)}

# how the labels are written, labelmap.txt, void in it or not, what the check says of each
CASES = {
    "mask, white a class": (lambda a, p: grey(a * 255, p), MASK, False, "has the classes' colours"),
    "mask, two classes": (lambda a, p: grey(a * 255, p), TWO, False, "a mask of 0 and 255; expected"),
    "RGB mask": (lambda a, p: grey(as_rgb(a, MASK), p), TWO, False, "a mask of 0 and 255"),
    "1 bit": (lambda a, p: Image.fromarray(a > 0).save(p), TWO, False, "a mask of 0 and 255"),
    "greys that are colours": (lambda a, p: grey(a, p, [0, 100, 255]), GREYS, False, "has the classes' colours"),
    "indices": (grey, COLORS, True, "greyscale of 0 to 255: its bare values (0, 1, 2, 255) could be class indices"),
    "indices as RGB": (lambda a, p: grey(np.dstack([a] * 3), p), COLORS, True, "its bare values (0, 1, 2, 255)"),
    "indices in red": (
        lambda a, p: grey(np.dstack([a, a * 0, a * 0]), p),
        COLORS,
        True,
        "its bare values (0, 1, 2, 255) could be",
    ),
    "indices, grey palette": (
        lambda a, p: palette(a, p, {i: (i, i, i) for i in range(256)}),
        COLORS,
        True,
        "its bare values (0, 1, 2, 255) could be",
    ),
    "indices in 16 bits": (lambda a, p: deep(a, p), COLORS, True, "16 bits of bare values (0, 1, 2, 255)"),
    "KITTI": (lambda a, p: deep(a.astype(int) * 256 + 7, p), COLORS, True, "could be class × 256 + object"),
    "greys in 16 bits": (
        lambda a, p: deep(np.array([0, 100, 255])[a] * 257, p),
        GREYS,
        False,
        "16 bits of greys that are classes' colours",
    ),
    "nothing painted is transparent": (
        lambda a, p: rgba(a, p, lambda a: ((a > 0) * 255).astype(np.uint8)),
        COLORS,
        True,
        "of its pixels are transparent, the others have classes' colours",
    ),
    "half painted is painted": (
        lambda a, p: rgba(a, p, lambda a: np.array([0, 200, 128] + [255] * 253, np.uint8)[a]),
        COLORS,
        True,
        "of its pixels are transparent, some in part, the others have classes' colours",
    ),
    "opaque RGBA, indices": (
        lambda a, p: Image.fromarray(np.dstack([a] * 3)).convert("RGBA").save(p),
        COLORS,
        True,
        "a PNG picture of mode RGBA: its bare values (0, 1, 2, 255) could be class indices",
    ),
    "red and blue swapped": (lambda a, p: grey(as_rgb(a)[..., ::-1], p), COLORS, True, "red and blue are swapped"),
    "padded with zeros": (
        lambda a, p: palette(a, p, dict(enumerate(COLORS.values()))),
        COLORS,
        True,
        "index 255, on 1,300 pixels, has the colour 0,0,0 of index 0: it is read as background",
    ),
    "a palette of the first class only": (
        lambda a, p: palette(a, p, {255: utils.VOID_COLOR}),
        COLORS,
        True,
        "index 2, on 10,400 pixels, has the colour 0,0,0 of index 0",
    ),
    "2 bits": (two_bits, COLORS, False, "its bare values (0, 1, 2) could be class indices"),
    "stretched": (
        lambda a, p: grey(a, p, [0, 127, 255]),
        COLORS,
        False,
        "its greys (0, 127, 255) could be class indices stretched",
    ),
    "indices from 1": (
        lambda a, p: grey((a + 1).astype(np.uint8), p),
        COLORS,
        True,
        "its bare values (0, 1, 2, 3) could be class indices from 1, with 0 for void",
    ),
    "colours a little off": (
        lambda a, p: grey(np.abs(as_rgb(a).astype(int) - (2, 1, 3)).astype(np.uint8), p),
        COLORS,
        True,
        "have the nearest class's colour taken",
    ),
}


def files(root):
    return {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def advised(text):
    """The commands in a text."""
    return [found[0] for found in re.finditer(r"\S+ -c '(?:[^']|'\"'\"')*'", text)]


def execute(command):
    """As a shell would."""
    words = shlex.split(command)
    return subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True)


@pytest.mark.parametrize("case", CASES)
def test_the_advised_line_gives_a_new_folder_of_right_labels(tmp_path, case):
    encode, labelmap, void, message = CASES[case]
    root = folder(tmp_path, encode, labelmap, void)
    before, report = files(root), check(root)
    texts = [str(problem) for problem in report.errors]
    assert any(message in text for text in texts), "\n".join(texts)
    commands = {command for text in texts for command in advised(text)}
    assert len(commands) == 1, commands
    command = commands.pop()
    with pytest.raises(ValueError, match=re.escape(command)):
        utils.read_label(label_path(root, "p0"), utils.data_classes(root))
    done = execute(command)
    assert done.returncode == 0, done.stderr
    assert files(root) == before
    new = tmp_path / "my photos_relabelled"
    classes = utils.data_classes(new)
    for i, name in enumerate(NAMES):
        right = drawn(i, len(labelmap), void)
        np.testing.assert_array_equal(utils.read_label(label_path(new, name), classes), right)
    assert not check(new).errors
    unlike = {path for path, data in files(new).items() if before[path] != data}
    assert all(path.parts[0] == "SegmentationClass" for path in unlike)


def test_a_palette_padded_with_zeros_does_no_harm_where_no_pixel_is_of_its_zeros(tmp_path):
    label = drawn(0, void=False)
    palette(label, tmp_path / "label.png", dict(enumerate(COLORS.values())))
    classes = utils.LabelMap([*COLORS], [*COLORS.values()])
    np.testing.assert_array_equal(utils.read_label(tmp_path / "label.png", classes), label)


# what no line can mend: how it is written, labelmap.txt, what is said
NO_LINE = {
    "mask without classes": (lambda a, p: grey(a * 255 * (a < 2), p), COLORS, "a mask of 0 and 255, and white is no"),
    "smoothed mask": (
        lambda a, p: Image.fromarray((a == 1) * np.uint8(255)).filter(ImageFilter.GaussianBlur(2)).save(p),
        MASK,
        "blended at edges",
    ),
    "colours turned to grey": (
        lambda a, p: Image.fromarray(as_rgb(a)).convert("L").save(p),
        COLORS,
        "are the classes' colours turned to grey",
    ),
    "ids of another list": (lambda a, p: grey(a, p, [7, 11, 23]), COLORS, "its greys (7, 11, 23) are no classes'"),
    "smoothed transparency": (
        lambda a, p: Image.fromarray(
            np.dstack([as_rgb(a) // (1 + (a == 1))[..., None], np.where(a == 1, 128, 255)]).astype(np.uint8)
        ).save(p),
        COLORS,
        "some in part; ",
    ),
    "16 bits of ids": (lambda a, p: deep(a.astype(int) * 1000, p), COLORS, "16 bits of values (0, 1000, 2000)"),
    "a photograph": (
        lambda a, p: Image.fromarray(np.random.RandomState(0).randint(1, 256, (H, W, 3), np.uint8)).save(p),
        COLORS,
        "a photograph, or a label laid over one",
    ),
}


@pytest.mark.parametrize("case", NO_LINE)
def test_no_line_where_none_is_right(tmp_path, case):
    encode, labelmap, message = NO_LINE[case]
    texts = [str(problem) for problem in check(folder(tmp_path, encode, labelmap, False)).errors]
    assert any(message in text for text in texts), "\n".join(texts)
    assert not any(advised(text) or "could be class indices" in text for text in texts)


AS_THEY_ARE = {
    "opaque RGBA": (rgba, COLORS, True),
    "opaque LA": (lambda a, p: Image.fromarray(np.uint8([0, 100, 255])[a]).convert("LA").save(p), GREYS, False),
    "1 bit, white a class": (lambda a, p: Image.fromarray(a > 0).save(p), MASK, False),
}


@pytest.mark.parametrize("case", AS_THEY_ARE)
def test_labels_that_need_no_line_are_read_and_nothing_is_said(tmp_path, case):
    encode, labelmap, void = AS_THEY_ARE[case]
    root = folder(tmp_path, encode, labelmap, void)
    assert not check(root).problems
    for i, name in enumerate(NAMES):
        label = utils.read_label(label_path(root, name), utils.data_classes(root))
        np.testing.assert_array_equal(label, drawn(i, len(labelmap), void))


def test_white_is_void_by_a_line_of_labelmap_txt(tmp_path):
    colors = {**dict(enumerate(COLORS.values())), 255: (255, 255, 255)}
    root = folder(tmp_path, lambda a, p: palette(a, p, colors))
    (problem,) = check(root).errors
    text = re.search(r"add the line (\S+) to labelmap.txt", str(problem))[1]
    with (root / "labelmap.txt").open("a") as file:
        file.write(text + "\n")
    assert not check(root).errors
    label = utils.read_label(label_path(root, "p3"), utils.data_classes(root))
    np.testing.assert_array_equal(label, drawn(3))


def test_mask_without_labelmap_is_told_what_to_write(tmp_path):
    """Followed to the word: two lines, then the line for white."""
    root = folder(tmp_path, lambda a, p: grey(a * 255, p), MASK, False)
    (root / "labelmap.txt").unlink()
    (remedy,) = {problem.remedy for problem in check(root).errors}
    subprocess.run(["sh", "-c", "printf" + remedy.partition(": printf")[2]], check=True)
    assert (root / "labelmap.txt").read_text() == "background:0,0,0::\nobject:255,255,255::\n"
    (command,) = {command for problem in check(root).errors for command in advised(str(problem))}
    assert execute(command).returncode == 0
    new = tmp_path / "my photos_relabelled"
    np.testing.assert_array_equal(utils.read_label(label_path(new, "p0"), utils.data_classes(new)), drawn(0, 2, False))


def test_the_three_lines_of_the_page_on_own_pictures(tmp_path):
    root = folder(tmp_path, lambda a, p: grey(a * 255, p), TWO, False)
    (root / "labelmap.txt").unlink()
    shutil.rmtree(root / "ImageSets")
    shutil.move(root, tmp_path / "my_photos")
    page = (ROOT / "docs/own_pictures.md").read_text(encoding="utf-8")
    lines = re.findall("^    (.*)$", page.partition("## Labels of another kind")[2], re.M)[:3]
    script = "\n".join(lines).replace(".venv/bin/python", shlex.quote(sys.executable))
    done = subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "Ready" in done.stdout, done.stdout + done.stderr
    new = tmp_path / "my_photos_relabelled"
    for i, name in enumerate(NAMES):
        label = utils.read_label(label_path(new, name), utils.data_classes(new))
        np.testing.assert_array_equal(label, drawn(i, 2, False))


def test_the_page_on_own_pictures_has_each_way():
    page = (ROOT / "docs/own_pictures.md").read_text(encoding="utf-8")
    assert all(f'`"{way}"`' in page for way in WAYS)


def test_background_and_void_alone_are_no_mask_beside_other_indices(tmp_path):
    root = folder(tmp_path, grey)
    grey(np.where(drawn(0) == 255, 255, 0).astype(np.uint8), label_path(root, "p0"))
    texts = [str(problem) for problem in check(root).errors]
    assert not any("a mask of" in text for text in texts)
    assert len({command for text in texts for command in advised(text)}) == 1


def test_relabel_overwrites_nothing_and_leaves_nothing_half_done(tmp_path, capsys):
    from utils.data.relabel import relabel

    root = folder(tmp_path, grey)
    with pytest.raises(FileExistsError, match="is there already and stays"):
        relabel(root, root, "indices")
    with pytest.raises(ValueError, match="lies in"):
        relabel(root, root / "new", "indices")
    with pytest.raises(ValueError, match="no label that 'red and blue swapped' fits"):
        relabel(root, tmp_path / "new", "red and blue swapped")
    with pytest.raises(ValueError, match="expected one of colours, "):
        relabel(root, tmp_path / "new", "index")
    with pytest.raises(ValueError, match="tree: no such class; expected some of background, road, sky"):
        relabel(root, tmp_path / "new", {0: "tree"})
    assert not (tmp_path / "new").exists()
    label_path(root, "p1").write_bytes(b"broken")
    Image.fromarray(as_rgb(drawn(2))).save(label_path(root, "p2"))
    good = label_path(root, "p2").read_bytes()
    relabel(root, tmp_path / "new", "indices")
    assert "8 labels anew; copied unchanged: 1, such as p1.png" in capsys.readouterr().out
    assert label_path(tmp_path / "new", "p2").read_bytes() == good


def test_good_labels_are_not_suspected(tmp_path):
    """VOC's palette, the course's own, and one with unused colours twice."""
    for number, colors in enumerate(
        ({i: c for i, c in enumerate([*COLORS.values(), (0, 0, 0)])} | {255: utils.VOID_COLOR}, None)
    ):

        def encode(label, path, colors=colors):
            if colors:
                palette(label, path, colors)
            else:
                Image.fromarray(as_rgb(label)).save(path)

        assert not check(folder(tmp_path / str(number), encode)).errors


def test_from_the_check_through_the_line_to_a_training(tmp_path, capsys, monkeypatch):
    """As a user would: data, the line, data, train; the object of a mask is learnt, not void."""
    root = folder(tmp_path, lambda a, p: grey(a * 255, p), MASK, False)
    monkeypatch.chdir(tmp_path)
    assert main(["data", root.name]) == 1
    (command,) = set(advised(capsys.readouterr().out))
    done = execute(command)
    assert "Next: " in done.stdout, done.stderr
    following = shlex.split(done.stdout.partition("Next: ")[2])
    assert main(following[3:]) == 0
    assert "Ready" in capsys.readouterr().out
    words = ["train", "--dataset", following[-1], "--epochs", "1", "--scale", "0.25", "--crop", "32x32"]
    assert main([*words, "--output", "net.params"]) == 0
    label = utils.VOCSegDataset(False, None, following[-1])[0][1].asnumpy()
    assert set(np.unique(label)) == {0, 1}


@pytest.mark.parametrize("fault", ["cut short", "checksum", "turned", "moving"])
def test_broken_labels_get_no_line(tmp_path, fault):
    """A line would make a good file of half a label, or of one that lies on its side."""
    root = folder(tmp_path, lambda a, p: Image.fromarray(as_rgb(a)).save(p))
    path, good = label_path(root, "p1"), Image.fromarray(as_rgb(drawn(1)))
    if fault == "cut short":
        path.write_bytes(path.read_bytes()[:-40])
    elif fault == "checksum":
        data = bytearray(path.read_bytes())
        data[-13] ^= 1  # the last byte before the end's own twelve
        path.write_bytes(data)
    elif fault == "turned":
        exif = Image.Exif()
        exif[0x0112] = 6
        good.save(path, exif=exif)
    else:
        good.save(path, save_all=True, append_images=[Image.fromarray(as_rgb(drawn(2)))])
    (problem,) = check(root).errors
    assert "p1.png" in str(problem) and not advised(str(problem)), problem
    assert hint(path, utils.data_classes(root)) is None


@pytest.mark.parametrize("gap", [False, True])
def test_numbered_objects_in_the_place_of_classes(tmp_path, gap):
    """VOC's SegmentationObject has its palette too: the second object of a picture would be a bicycle."""

    def encode(label, path):
        objects = np.zeros((H, W), np.uint8)
        for k in range(int(path.stem[1:]) % 5 + 1):
            objects[:, 30 * k : 30 * k + 20] = k + 1 + gap
        palette(objects, path, dict(enumerate(utils.VOC_COLORMAP)))

    root = folder(tmp_path, encode)
    (root / "labelmap.txt").unlink()
    texts = [str(problem) for problem in check(root).problems]
    assert any("may be numbered objects" in text for text in texts) != gap


def test_a_label_saved_without_loss_under_another_ending_is_converted(tmp_path):
    root = folder(tmp_path, lambda a, p: Image.fromarray(as_rgb(a)).save(p))
    Image.open(label_path(root, "p0")).save(label_path(root, "p0").with_suffix(".bmp"))
    label_path(root, "p0").unlink()
    (problem,) = check(root).errors
    assert "but p0.bmp" in str(problem) and "does not bring" not in str(problem)
    Image.open(label_path(root, "p0").with_suffix(".bmp")).save(label_path(root, "p0"))  # to the word
    np.testing.assert_array_equal(utils.read_label(label_path(root, "p0"), utils.data_classes(root)), drawn(0))


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "GIF"])
def test_another_kind_of_file_called_png(tmp_path, kind):
    """Editors save what they like under the name that was typed."""
    root = folder(tmp_path, lambda a, p: p.write_bytes(like(as_rgb(a), kind)))
    (command,) = {command for problem in check(root).errors for command in advised(str(problem))}
    assert execute(command).returncode == 0
    new = tmp_path / "my photos_relabelled"
    np.testing.assert_array_equal(utils.read_label(label_path(new, "p4"), utils.data_classes(new)), drawn(4))
