"""Damaged files, many of them: an image, the very label, or one error that names the file; nothing else."""

import utils
from utils.data import image_io

import collections
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import VOC_PALETTE
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from test_bad_input import LONG_EXIF, PHOTO, PLANES, as_rgb, chunks, encoded, exif, interlaced, palette_png, png

CASES = 10_000

NAME = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters='/\\:"'), min_size=1).filter(
    lambda name: name not in (".", "..") and not re.search(r"\.(jpe?g|png)$", name, re.IGNORECASE)
)
LINES = ["a", "b", "", " c ", "../a", "a.jpg", "a -1", "sky:1,2,3::", "sea:4,5,6", "x:1,2", "#", "\0", "é"]
SCRIBBLE = st.one_of(
    st.binary(),
    st.text().map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(st.sampled_from(LINES)).map(lambda lines: "\n".join(lines).encode()),
)
QUICK = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(SCRIBBLE)
@example(b"city/a")
@QUICK
def test_any_split_file_is_names_or_one_error(voc_folder, data):
    path = voc_folder / "ImageSets/Segmentation/train.txt"
    path.write_bytes(data)
    try:
        names = utils.read_names(voc_folder)
    except ValueError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)
    else:
        assert names and len(set(names)) == len(names)
        assert not any(re.search(r"[\\\0-\x1f]|^\s|\s$|\.jpg$", name) for name in names)
        assert not {"", ".", ".."} & {part for name in names for part in name.split("/")}  # folders below are fine
        lines = re.split(r"\r\n|\r|\n", data.decode("utf-8-sig"))
        assert names == [line.strip() for line in lines if line.strip()]


@given(st.lists(NAME, min_size=1, unique=True), st.sampled_from(["\n", "\r\n", "\r", " \n\n"]), st.booleans())
@QUICK
def test_names_come_back_as_they_were_written(voc_folder, names, end, mark):
    path = voc_folder / "ImageSets/Segmentation/train.txt"
    path.write_bytes("".join(name + end for name in names).encode("utf-8-sig" if mark else "utf-8"))
    assert utils.read_names(voc_folder) == names


@given(SCRIBBLE)
@QUICK
def test_any_label_map_is_classes_or_one_error(tmp_path, data):
    path = tmp_path / "labelmap.txt"
    path.write_bytes(data)
    try:
        classes = utils.LabelMap.read(path)
    except ValueError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)
    else:
        assert len(classes.names) == len(set(classes.names)) == len(set(classes.colors)) >= 1


COLOR = st.tuples(*[st.integers(0, 255)] * 3).filter(lambda color: color != utils.VOID_COLOR)


@given(st.dictionaries(NAME.filter(lambda n: n[0] != "#" and n.lower() not in ("void", "ignore", "ignored")), COLOR))
@QUICK
def test_classes_come_back_as_they_were_written(tmp_path, classes):
    if not classes or len(set(classes.values())) < len(classes):
        return
    path = tmp_path / "labelmap.txt"
    path.write_text("".join(f"{name}:{r},{g},{b}::\n" for name, (r, g, b) in classes.items()), encoding="utf-8")
    found = utils.LabelMap.read(path)
    assert dict(zip(found.names, found.colors, strict=True)) == classes


def damaged(data, rng):
    """The bytes with one to three damages of one kind."""
    data, kind = bytearray(data), rng.choice(["flip", "overwrite", "delete", "insert", "truncate", "swap"])
    for _ in range(rng.randint(1, 4)):
        at, length = rng.randint(len(data) + 1), rng.randint(1, 20)
        if kind == "overwrite":
            data[at : at + length] = rng.bytes(len(data[at : at + length]))
        elif kind == "delete":
            del data[at : at + length]
        elif kind == "insert":
            data[at:at] = rng.bytes(length)
        elif kind == "truncate":
            del data[at:]
        elif kind == "swap":
            data[at : at + 2 * length] = data[at + length : at + 2 * length] + data[at : at + length]
        elif at < len(data):
            data[at] ^= 1 << rng.randint(8)
    return bytes(data)


def rearranged(data, rng):
    """A PNG with two chunks swapped, or one left out or doubled."""
    parts = chunks(data)
    i, j = rng.randint(len(parts), size=2)
    if rng.randint(2):
        parts[i], parts[j] = parts[j], parts[i]
    else:
        parts[i : i + 1] = [parts[i]] * rng.choice([0, 2])
    return png(*parts)


def resealed(data, rng):
    """A PNG with damage inside one chunk whose checksum fits again: a file that was written wrong."""
    parts = chunks(data)
    i = rng.randint(len(parts))
    parts[i] = parts[i][0], damaged(parts[i][1], rng)
    return png(*parts)


def in_pieces(data):
    """A PNG with its pixels in chunks of 20 bytes."""
    parts = []
    for kind, content in chunks(data):
        step = 20 if kind == b"IDAT" else len(content) or 1
        parts += [(kind, content[at : at + step]) for at in range(0, len(content) or 1, step)]
    return png(*parts)


def is_image(image):
    return image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size > 0


def is_the_label(label):
    return label.dtype == np.uint8 and np.array_equal(label, PLANES)


def is_a_label(label):
    return label.dtype == np.uint8 and label.ndim == 2 and set(np.unique(label)) <= {*range(21), 255}


def is_text(found):
    return all(isinstance(text, str) and text for text in getattr(found, "names", found))


def sources():
    """(what, file name, its bytes, damage, reader, what may come out)."""
    photo = Image.fromarray(PHOTO)
    for what, data in {
        "JPEG": encoded(photo, "JPEG"),
        "JPEG, progressive, turned": encoded(photo, "JPEG", progressive=True, exif=exif(6)),
        "JPEG, EXIF cut short": encoded(photo, "JPEG", exif=LONG_EXIF.tobytes()[:-9]),
        "JPEG, two pictures": encoded(photo, "MPO", save_all=True, append_images=[photo]),
        "JPEG, CMYK": encoded(photo.convert("CMYK"), "JPEG"),
        "PNG": encoded(photo),
    }.items():
        yield what, "JPEGImages/a.jpg", data, damaged, utils.read_image, is_image
    yield "PNG, resealed", "JPEGImages/a.jpg", encoded(photo, exif=exif(6)), resealed, utils.read_image, is_image
    for what, data in {
        "palette": palette_png(transparency=0),
        "RGB": encoded(Image.fromarray(as_rgb(PLANES))),
        "interlaced": interlaced(PLANES, 3, VOC_PALETTE),
        "in pieces": in_pieces(palette_png()),
    }.items():
        for damage in damaged, rearranged:
            yield f"{what}, {damage.__name__}", "SegmentationClass/a.png", data, damage, utils.read_label, is_the_label
        yield f"{what}, resealed", "SegmentationClass/a.png", data, resealed, utils.read_label, is_a_label
    lines = "".join(f"{name}:{r},{g},{b}::\n" for name, (r, g, b) in zip("abcdé", VOC_PALETTE, strict=False)).encode()
    yield "label map", "labelmap.txt", lines, damaged, utils.LabelMap.read, is_text
    names = "ImageSets/Segmentation/train.txt"
    yield "split", names, lines.replace(b":", b"_"), damaged, lambda path: utils.read_names(path.parents[2]), is_text


def run(folder):
    """Read all the damaged files of a fixed seed; stops at the first that comes out as nothing allowed."""
    every, outcomes = list(sources()), collections.Counter()
    for what, name, data, _, read, allowed in every:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        assert allowed(read(folder / name)), f"{what}, undamaged"
    for count in range(CASES):
        rng = np.random.RandomState(count)
        what, name, data, damage, read, allowed = every[count % len(every)]
        path = folder / name
        path.unlink()  # many times as fast as writing over it
        path.write_bytes(damage(data, rng))
        try:
            found = read(path)
        except ValueError as error:
            assert str(error).startswith(str(path)) and str(error).count(str(path)) == 1, (
                f"case {count}, {what}: {error}"
            )
            outcomes[what, "refused"] += 1
        except BaseException:
            print(f"case {count}, {what}")
            raise
        else:
            assert allowed(found), f"case {count}, {what}: {found}"
            outcomes[what, "read"] += 1
        if read is utils.read_image:
            try:
                assert min(image_io.picture_size(path)) > 0
            except ValueError as error:
                assert str(error).startswith(str(path)), f"case {count}, {what}: {error}"
    for what, *_ in every:
        assert outcomes[what, "read"] and outcomes[what, "refused"], f"{what}: one outcome only"
    return outcomes


@pytest.mark.skipif(sys.platform != "linux", reason="bounds its memory as Linux does")
def test_thousands_of_damaged_files(tmp_path):
    """In a process of its own, so that a crash is a failure here; warnings are errors, memory is bounded."""
    command = [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", __file__, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr[-3000:]


if __name__ == "__main__":
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**31,) * 2)
    print(dict(run(Path(sys.argv[1]))))
