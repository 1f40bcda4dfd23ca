"""Bad input: each case read right, or refused by one error that names the file, what was found and what to do."""

import utils
from utils.data import image_io
from utils.data.image_io import picture_size
from utils.data.voc import image_path, label_path, read_pair

import concurrent.futures
import io
import os
import re
import struct
import zlib

import cv2
import numpy as np
import pytest
from conftest import VOC_PALETTE
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

PLANES = np.kron(np.array([[0, 1, 2, 15], [1, 255, 0, 2]]), np.ones((10, 10))).astype(np.uint8)  # 20 × 40
PHOTO = np.random.RandomState(0).randint(0, 256, (5, 10, 3), np.uint8).repeat(4, 0).repeat(4, 1)  # 20 × 40


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def chunks(data):
    """[(kind, content)] of a PNG."""
    at, found = 8, []
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def png(*parts):
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def encoded(picture, kind="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    return data


def palette_png(values=PLANES, colors=VOC_PALETTE, **options):
    picture = Image.fromarray(values, "P")
    picture.putpalette(np.array(colors, np.uint8).ravel().tolist())
    return encoded(picture, **options)


ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def interlaced(pixels, kind, palette=None):
    """An Adam7 PNG, which Pillow reads but cannot write. pixels: (H, W) or (H, W, 3) uint8; kind: 2 RGB, 3 palette."""
    passes = [pixels[top::down, left::right] for top, left, down, right in ADAM7]
    raw = b"".join(b"\0" + row.tobytes() for part in passes if part.size for row in part)
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, kind, 0, 0, 1)
    colors = [(b"PLTE", np.array(palette, np.uint8).tobytes())] if palette else []
    return png((b"IHDR", head), *colors, (b"IDAT", zlib.compress(raw)), (b"IEND", b""))


def bomb(*extra):
    """A PNG of a kB or two whose header promises 50 000 × 50 000 pixels; extra: chunks after the header."""
    head = struct.pack(">IIBBBBB", 50000, 50000, 8, 0, 0, 0, 0)
    return png((b"IHDR", head), *extra, (b"IDAT", zlib.compress(bytes(10**6), 9)), (b"IEND", b""))


ANIMATED = encoded(
    Image.fromarray(PHOTO), save_all=True, append_images=[Image.fromarray(255 - PHOTO)], duration=100, loop=0
)
# a first frame to be wiped out, for which Pillow makes room as it opens the file
ANIMATED_BOMB = bomb(
    (b"acTL", struct.pack(">II", 2, 0)), (b"fcTL", struct.pack(">5I2H2B", 0, 50000, 50000, 0, 0, 1, 1, 1, 0))
)
JPEG = encoded(Image.fromarray(PHOTO), "JPEG", quality=95)
AT = JPEG.index(b"\xff\xc0") + 5  # where a JPEG tells its height and width
JPEG_BOMB = JPEG[:AT] + struct.pack(">HH", 60000, 50000) + JPEG[AT + 4 :]
SHORT_PALETTE = png(*[(k, c[:6] if k == b"PLTE" else c) for k, c in chunks(palette_png())])
SHORT_OF_99 = png(*[(k, c[:6] if k == b"PLTE" else c) for k, c in chunks(palette_png(PLANES * 0 + 99))])
NO_PALETTE = png(*[(k, c) for k, c in chunks(palette_png()) if k != b"PLTE"])
GREY_PALETTE = [(i, i, i) for i in range(256)]
DEEP_RGB = png(
    (b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)),
    (b"IDAT", zlib.compress(bytes(25) * 4)),
    (b"IEND", b""),
)
deep_and_damaged = bytearray(DEEP_RGB)
deep_and_damaged[-13] ^= 1  # a checksum
NOT_PICTURES = [
    (b"", r"empty \(0 bytes\); expected a JPEG or PNG"),
    (b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "a text file .a web page or a git-lfs pointer"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146", "a text file .*git-lfs pointer"),
    (b"\0\0\0\x24ftypheic\0\0\0\0mif1heic", "a HEIC, AVIF or video file.*export it"),
    (encoded(Image.fromarray(PHOTO), "GIF"), "a GIF file, whatever its ending says.*export it"),
    (encoded(Image.fromarray(PHOTO), "WEBP"), "a WebP file.*export it"),
    (encoded(Image.fromarray(PHOTO), "TIFF"), "a TIFF file.*export it"),
    (encoded(Image.fromarray(PHOTO), "BMP"), "a BMP file.*export it"),
    (bytes(range(256)), "no picture that is known here; expected a JPEG or PNG"),
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "cannot be read as a picture.*copy or export it anew"),
    (b"\xff\xd8\xff", "cannot be read as a picture.*copy or export it anew"),
    (bomb(), r"50000 × 50000 .*, 2,500,000,000 pixels, but at most 250,000,000 are read; reduce"),
    (ANIMATED_BOMB, r"50000 × 50000 \(height × width\), 2,500,000,000 pixels"),
    (JPEG_BOMB, r"60000 × 50000 \(height × width\), 3,000,000,000 pixels"),
    (ANIMATED, "an animation of 2 frames; save the one you mean"),
    (bytes(deep_and_damaged), "a PNG of 16 bits a channel; expected 8: export it anew with 8"),
]
DEEP = [
    (DEEP_RGB, "a PNG of 16 bits a channel; expected 8: export it anew with 8"),
    (encoded(Image.new("I;16", (4, 4))), "a PNG of 16 bits a channel; expected 8: export it anew with 8"),
]
BAD_PICTURES = [
    *NOT_PICTURES,
    *DEEP,
    (JPEG[: len(JPEG) // 2], "cannot be read as a picture .*truncated.*copy or export it anew"),
    (encoded(Image.fromarray(PHOTO))[:-40], "cannot be read as a picture"),
]
flipped = bytearray(palette_png())
flipped[flipped.index(b"IDAT") + 12] ^= 1
BAD_LABELS = [
    *NOT_PICTURES,
    (JPEG, "saved as JPEG, which changes colours; export the label anew as a PNG"),
    (bytes(flipped), "cannot be read as a picture .*checksum.*copy or export it anew"),
    (palette_png()[:-12], "cannot be read as a picture .*truncated.*copy or export it anew"),
    (DEEP_RGB, r"16 bits of bare values \(0\) that could be class indices"),
    (encoded(Image.new("I;16", (4, 4))), r"of mode I;16: 16 bits of bare values \(0\) that could be class indices"),
    (
        encoded(Image.fromarray(PLANES)),
        r"greyscale of 0 to 255: its bare values \(0, 1, 2, 15, 255\) could be.*relabel",
    ),
    (
        encoded(Image.fromarray(PLANES < 1)),
        "of mode 1: a mask of 0 and 255, and white is no class; .*expected a palette or",
    ),
    (
        encoded(Image.new("RGBA", (4, 4))),
        "of mode RGBA: 100.0% of its pixels are transparent, .*; if they are background",
    ),
    (encoded(Image.new("LA", (4, 4), (9, 255))), "of mode LA: its bare values .9. could be class indices; .*relabel"),
    (encoded(Image.new("RGB", (4, 4), (60, 70, 80))), r"unknown colour \(60, 70, 80\) at row 0, column 0 \(16 pixels"),
    (palette_png(colors=GREY_PALETTE), r"its bare values \(0, 1, 2, 15, 255\) could be class indices; .*relabel"),
    (
        palette_png(values=PLANES * 0 + 99, colors=GREY_PALETTE),
        r"its greys \(99\) are no classes' colours; .*look again$",
    ),
    (SHORT_PALETTE, "a pixel of value 255, but the palette has 2 colours only; its bare values .*relabel"),
    (NO_PALETTE, "a pixel of value 255, but the palette has 0 colours only; its bare values .*relabel"),
    (SHORT_OF_99, "value 99, but .* 2 colours only; expected .*it anew$"),
    (palette_png(exif=exif(6)), "its EXIF data says to turn it; save the label upright"),
]


def named(number_and_case):
    return re.sub(r"\W+", " ", str(number_and_case)[:30]) if isinstance(number_and_case, str) else ""


def refused(path, message, read, *arguments):
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}.*{message}") as caught:
        read(*arguments)
    assert str(caught.value).count(str(path)) == 1 and "\n" not in str(caught.value)


@pytest.mark.parametrize("data, message", BAD_PICTURES, ids=named)
def test_bad_picture(tmp_path, data, message):
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    refused(path, message, utils.read_image, path)


@pytest.mark.parametrize("data, message", BAD_LABELS, ids=named)
def test_bad_label(tmp_path, data, message):
    path = tmp_path / "label.png"
    path.write_bytes(data)
    refused(path, message, utils.read_label, path)


@pytest.mark.parametrize("data, message", [*NOT_PICTURES, *DEEP], ids=named)
def test_bad_label_image(tmp_path, data, message):
    """Of a label read for its colours, not for classes."""
    path = tmp_path / "label.png"
    path.write_bytes(data)
    refused(path, message, image_io.read_label_image, path)


def test_a_label_image_of_a_mode_that_is_not_read(tmp_path):
    path = tmp_path / "label.png"
    for picture in Image.fromarray(PLANES), Image.new("RGBA", (4, 4)), Image.new("LA", (4, 4), (0, 254)):
        picture.save(path)
        refused(path, f"mode {picture.mode}; expected .* nothing in it transparent", image_io.read_label_image, path)


@pytest.mark.parametrize("data, message", NOT_PICTURES, ids=named)
def test_a_data_set_looks_at_every_header_first(voc_folder, data, message):
    path = image_path(voc_folder, "c")
    path.write_bytes(data)
    refused(path, message, utils.VOCSegDataset, True, (32, 32), voc_folder)


def as_rgb(values):
    return np.array(VOC_PALETTE, np.uint8)[values]


SMALL = PLANES % 2  # two classes fit any depth
GOOD_LABELS = {
    "palette": (palette_png(), PLANES),
    "RGB": (encoded(Image.fromarray(as_rgb(PLANES))), PLANES),
    "interlaced palette": (interlaced(PLANES, 3, VOC_PALETTE), PLANES),
    "interlaced RGB": (interlaced(as_rgb(PLANES), 2), PLANES),
    "one index transparent": (palette_png(transparency=0), PLANES),
    "many half transparent": (palette_png(transparency=bytes([0, 128] * 128)), PLANES),
    "a transparent colour": (encoded(Image.fromarray(as_rgb(PLANES)), transparency=(128, 0, 0)), PLANES),
    **{f"{bits} bits": (palette_png(SMALL, VOC_PALETTE[:2], bits=bits), SMALL) for bits in (1, 2, 4, 8)},
    "upright by EXIF": (palette_png(exif=exif(1)), PLANES),
}


@pytest.mark.parametrize("case", GOOD_LABELS)
def test_unusual_labels_are_read_right(tmp_path, case):
    data, expected = GOOD_LABELS[case]
    path = tmp_path / "label.png"
    path.write_bytes(data)
    np.testing.assert_array_equal(utils.read_label(path), expected)
    np.testing.assert_array_equal(image_io.read_label_image(path), as_rgb(expected))
    if case.endswith("bits"):  # the depth that was asked for is what stands in the file
        assert data[24] == int(case[0])


BLACK_AND_WHITE = utils.LabelMap(["ground", "grey", "object"], [(0, 0, 0), (100, 100, 100), (255, 255, 255)])
SAME_PICTURE = {
    "opaque RGBA": Image.fromarray(as_rgb(PLANES)).convert("RGBA"),
    "opaque LA": Image.fromarray(np.uint8([0, 100, 255])[PLANES % 3]).convert("LA"),
    "1 bit": Image.fromarray(PLANES % 2 > 0),
}


@pytest.mark.parametrize("case", SAME_PICTURE)
def test_labels_in_colours_that_say_nothing_more_are_read_as_pillow_converts_them(tmp_path, case):
    """A full alpha channel, or one bit: the same picture as RGB."""
    path, right = (
        tmp_path / "label.png",
        {"opaque RGBA": PLANES, "opaque LA": PLANES % 3, "1 bit": PLANES % 2 * 2}[case],
    )
    SAME_PICTURE[case].save(path)
    classes = utils.VOC if case == "opaque RGBA" else BLACK_AND_WHITE
    with Image.open(path) as picture:
        assert picture.mode == SAME_PICTURE[case].mode
        np.testing.assert_array_equal(image_io.read_label_image(path), np.asarray(picture.convert("RGB")))
    np.testing.assert_array_equal(utils.read_label(path, classes), right)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_one_transparent_pixel_is_enough_to_refuse_a_label(tmp_path, mode):
    path, picture = tmp_path / "label.png", Image.new(mode, (40, 20), (0, 0, 0, 255)[-len(mode) :])
    picture.save(path)
    np.testing.assert_array_equal(utils.read_label(path), np.zeros((20, 40)))
    picture.putpixel((39, 19), (0, 0, 0, 254)[-len(mode) :])
    picture.save(path)
    refused(path, "0.1% of its pixels are transparent, some in part, .*transparent", utils.read_label, path)


def test_the_remedy_for_bare_indices_works(tmp_path):
    path, classes = tmp_path / "label.png", utils.VOC
    path.write_bytes(palette_png(colors=GREY_PALETTE))
    with pytest.raises(ValueError) as caught:
        utils.read_label(path)
    code, before = re.search(r"from utils.data.relabel.*$", str(caught.value))[0], path.read_bytes()
    exec(code, {"path": path, "classes": classes})
    assert path.read_bytes() == before
    np.testing.assert_array_equal(utils.read_label(tmp_path / "label_new.png"), PLANES)


CMYK = encoded(Image.fromarray(PHOTO).convert("CMYK"), "JPEG", quality=95)
ADOBE = CMYK.index(b"Adobe")  # the last byte of this block tells how the inks are stored
LONG_EXIF = exif(6)
LONG_EXIF[0x010F] = "a camera's name"
GOOD_PHOTOS = {
    "PNG named .jpg": (encoded(Image.fromarray(PHOTO)), 0),
    "interlaced PNG": (interlaced(PHOTO, 2), 0),
    "transparent PNG": (encoded(Image.fromarray(PHOTO).convert("RGBA")), 0),
    "palette with transparency": (encoded(Image.fromarray(PHOTO).quantize(256), transparency=bytes([0, 9] * 128)), 0),
    "greyscale": (encoded(Image.fromarray(PHOTO).convert("L"), "JPEG", quality=95), 0),
    "progressive": (encoded(Image.fromarray(PHOTO), "JPEG", quality=95, progressive=True), 0),
    "CMYK": (CMYK, 3),
    "YCCK": (CMYK[: ADOBE + 11] + b"\2" + CMYK[ADOBE + 12 :], 3),
    "CMYK of unknown make": (CMYK.replace(b"Adobe", b"adobe"), 3),
    "EXIF is nonsense": (encoded(Image.fromarray(PHOTO), "JPEG", exif=b"Exif\0\0nonsense"), 0),
    "EXIF cut short": (encoded(Image.fromarray(PHOTO), "JPEG", exif=LONG_EXIF.tobytes()[:-9]), 0),
    "two pictures in one file": (
        encoded(Image.fromarray(PHOTO), "MPO", save_all=True, append_images=[Image.fromarray(255 - PHOTO)]),
        0,
    ),
    **{f"EXIF {i}": (encoded(Image.fromarray(PHOTO), "JPEG", exif=exif(i)), 0) for i in range(1, 9)},
}


@pytest.mark.filterwarnings("ignore:Truncated File Read")  # silent outside pytest: test_mutations.py
@pytest.mark.parametrize("case", GOOD_PHOTOS)
def test_unusual_photographs_are_read_as_opencv_reads_them(tmp_path, case):
    data, tolerance = GOOD_PHOTOS[case]
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    image = utils.read_image(path)
    theirs = cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1]
    assert image.dtype == np.uint8 and image.shape == theirs.shape
    assert abs(image.astype(int) - theirs).max() <= tolerance
    assert image_io.picture_size(path) == image.shape[:2]


def test_a_label_for_the_unturned_photo(voc_folder):
    path = image_path(voc_folder, "a")
    Image.open(path).save(path, exif=exif(6))
    message = r"40 × 60, but its picture is 60 × 40 .*turned by its EXIF data and the label is not: turn the label too"
    refused(label_path(voc_folder, "a"), message, read_pair, voc_folder, "a")
    refused(label_path(voc_folder, "a"), message, utils.read_images, voc_folder)
    Image.new("RGB", (40, 60)).save(path)  # no EXIF data to blame
    refused(label_path(voc_folder, "a"), "the two don't belong together", read_pair, voc_folder, "a")


def test_a_file_cut_short_is_refused_after_gluoncv(voc_folder):
    import gluoncv  # noqa: F401 - it tells Pillow to accept such files
    from PIL import ImageFile

    for path, read in (image_path(voc_folder, "a"), utils.read_image), (label_path(voc_folder, "a"), utils.read_label):
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        refused(path, "cannot be read as a picture", read, path)


@pytest.mark.parametrize("read", [utils.read_image, utils.read_label, image_io.picture_size, utils.LabelMap.read])
def test_folders_locked_and_missing_files(tmp_path, monkeypatch, read):
    refused(tmp_path, "a folder; expected a", read, tmp_path)
    path = tmp_path / "a"
    with pytest.raises(FileNotFoundError, match=f"^{path}: no such file; expected a"):
        read(path)
    path.write_bytes(b"text")
    with pytest.raises(FileNotFoundError, match=f"^{path}/b: no such file; expected a"):
        read(path / "b")

    def locked(*_):
        raise PermissionError(13, "Permission denied", str(path))

    for module in image_io, utils.core.files:  # the tests may run as a user who may read everything
        monkeypatch.setattr(module, "open", locked, raising=False)
    with pytest.raises(PermissionError, match=f"^{path}: you may not read it; change its owner or its permissions$"):
        read(path)


def test_split_file_is_a_folder(voc_folder):
    path = voc_folder / "ImageSets/Segmentation/train.txt"
    path.unlink()
    path.mkdir()
    refused(path, "a folder; expected one picture's name a line", utils.read_names, voc_folder)


@pytest.mark.parametrize(
    "data, names",
    [
        (b"my photo 1\r\n\r\n b \r\n", ["my photo 1", "b"]),
        (b"a\rb\rc", ["a", "b", "c"]),
        (b"\xef\xbb\xbfa\nb", ["a", "b"]),
        ("Köln\n東京\nnarrow\u202fspace".encode(), ["Köln", "東京", "narrow\u202fspace"]),
        (b"2008_000008\n2008_000015\n", ["2008_000008", "2008_000015"]),
        (b"v1.2\na.b\n#1\n", ["v1.2", "a.b", "#1"]),
        (b"city/a\ncity/more/b\n", ["city/a", "city/more/b"]),
    ],
)
def test_split_files_read_right(voc_folder, data, names):
    (voc_folder / "ImageSets/Segmentation/train.txt").write_bytes(data)
    assert utils.read_names(voc_folder) == names


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", ": empty; expected one picture's name a line"),
        (b"\n \r\n", ": empty; expected one picture's name a line"),
        (b"a\nb\n\na\n", ", lines 1 and 4: 'a' twice, so it would count twice; delete one"),
        (b"a\n/data/b\n", ", line 2: '/data/b' is a path or file name; expected one picture's name a line"),
        (b"../b\n", ", line 1: '../b' is a path"),
        (b"city/../../b\n", ", line 1: 'city/../../b' is a path"),
        (b"city/..\n", ", line 1: 'city/..' is a path"),
        (b"./b\n", ", line 1: './b' is a path"),
        (b"city//b\n", ", line 1: 'city//b' is a path"),
        (b"city/\n", ", line 1: 'city/' is a path"),
        (b"..\\b\n", r", line 1: '..\\\\b' is a path"),
        (b"C:b\n", ", line 1: 'C:b' is a path"),
        (b"JPEGImages/a.jpg\n", ", line 1: 'JPEGImages/a.jpg' is a path or file name"),
        (b"a.jpg\n", ", line 1: 'a.jpg' is a path or file name; expected .* without .jpg"),
        (b"a.JPEG\n", ", line 1: 'a.JPEG' is a path or file name; expected .* without .jpg"),
        (b"/JPEGImages/a.jpg /SegmentationClass/a.png\n", ", line 1: .* is a path"),
        (b"2008_000008 -1\n2008_000015  1\n", ", line 1: '2008_000008 -1' has two columns; expected"),
        (b"2008_000015  1\n", ", line 1: '2008_000015  1' has two columns; expected"),
        (b"a\tb\n", r", line 1: .* has two columns; expected"),
        (b"a\nb\0c\n", r", line 2: control characters in .*save it as UTF-8"),
        ("a\nb\n".encode("utf-16"), r": not UTF-8 text \(byte 0\); save it as UTF-8"),
        ("a\nb\n".encode("utf-16-le"), ", line 1: control characters in .*save it as UTF-8"),
        ("Köln\n".encode("latin-1"), r": not UTF-8 text \(byte 1\); save it as UTF-8"),
    ],
)
def test_bad_split_file(voc_folder, data, message):
    path = voc_folder / "ImageSets/Segmentation/train.txt"
    path.write_bytes(data)
    refused(path, message, utils.read_names, voc_folder)


@pytest.mark.parametrize("ending", [".jpeg", ".JPG", ".JPEG", ".png"])
def test_other_endings_of_pictures(voc_folder, ending):
    path = image_path(voc_folder, "a")
    expected = read_pair(voc_folder, "a")[0]
    path.rename(path.with_suffix(ending))
    assert image_path(voc_folder, "a") == path.with_suffix(ending)
    np.testing.assert_array_equal(read_pair(voc_folder, "a")[0], expected)
    path.write_bytes(JPEG)  # .jpg comes first
    assert image_path(voc_folder, "a") == path


def test_missing_picture_and_label(voc_folder):
    image_path(voc_folder, "a").unlink()
    with pytest.raises(FileNotFoundError, match=r"/a\.jpg: no such file, nor one in \.jpeg, .*\.png; add the picture"):
        read_pair(voc_folder, "a")
    with pytest.raises(FileNotFoundError, match=r"/a\.jpg: no such file"):
        utils.VOCSegDataset(True, (32, 32), voc_folder)
    label_path(voc_folder, "b").unlink()
    with pytest.raises(FileNotFoundError, match=r"/b\.png: no such file; expected a palette or RGB PNG, the label of"):
        read_pair(voc_folder, "b")
    with pytest.raises(FileNotFoundError, match=r"a{300}\.jpg: no such file"):
        image_path(voc_folder, "a" * 300)


@pytest.mark.parametrize("crop", [0, 32, (32,), (0, 32), (32, -1), (32.0, 32), "32", (32, 32, 3), (None, 32)])
def test_bad_crop(voc_folder, crop):
    with pytest.raises(ValueError, match=r"crop_size=.*: expected \(height, width\), two whole numbers above 0"):
        utils.VOCSegDataset(True, crop, voc_folder)


def test_bad_numbers(voc_folder):
    for scale in 0, -1, 1.5, "half", None, float("nan"):
        with pytest.raises(ValueError, match="scale=.*: expected a number above 0, at most 1"):
            utils.VOCSegDataset(True, (32, 32), voc_folder, scale=scale)
    dataset = utils.VOCSegDataset(True, (32, 32), voc_folder)
    for batch_size in 0, -1, 2.0, None:
        with pytest.raises(ValueError, match="batch_size=.*: expected a whole number, at least 1"):
            utils.data_loader(dataset, batch_size)
    with pytest.raises(ValueError, match="num_workers=-1: expected a whole number, at least 0"):
        utils.data_loader(dataset, 2, -1)
    with pytest.raises(ValueError, match="two whole numbers above 0"):
        utils.rand_crop(PHOTO, PLANES, 0, 5)


def test_crop_larger_than_every_picture(voc_folder):
    dataset = utils.VOCSegDataset(True, (64, 96), voc_folder)
    assert "all smaller than the crop padded" in repr(dataset)
    image, label = dataset[0]
    assert image.shape == (3, 64, 96) and label.shape == (64, 96)
    assert (label[40:].asnumpy() == 255).all() and (label[:, 60:].asnumpy() == 255).all()


def test_threads_share_a_reader(voc_folder):
    """The table of colours is made at first use, which many threads may be."""
    expected = [read_pair(voc_folder, name)[1] for name in "abcdef"]
    for _ in range(5):
        classes = utils.LabelMap(utils.VOC_CLASSES, utils.VOC_COLORMAP)
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            read = list(threads.map(lambda name, c=classes: read_pair(voc_folder, name, c)[1], "abcdef"))
        for label, right in zip(read, expected, strict=True):
            np.testing.assert_array_equal(label, right)


def test_a_pipe_in_a_picture_s_place_is_no_wait_for_ever(voc_folder):
    for path in image_path(voc_folder, "a"), voc_folder / "SegmentationClass/b.png":
        path.unlink()
        os.mkfifo(path)
        refused(path, ": a pipe or device; expected", read_pair, voc_folder, path.stem)


def test_size_of_a_png_photograph_is_read_from_its_header(tmp_path, monkeypatch):
    """Pillow's own `getexif` of a PNG decodes all of it, in search of EXIF data behind the pixels."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40)).save(tmp_path / "plain.png")
    Image.new("RGB", (60, 40)).save(tmp_path / "turned.png", exif=exif)
    monkeypatch.setattr(PngImageFile, "load", lambda self: pytest.fail("decoded"))
    assert picture_size(tmp_path / "plain.png") == (40, 60) and picture_size(tmp_path / "turned.png") == (60, 40)
