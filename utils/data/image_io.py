"""Pictures and labels from files: read right, or refused by name (chapters 01 and 03)."""

import contextlib
import io
import struct
import warnings

import numpy as np
from PIL import Image, ImageFile, ImageOps
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from ..core.files import check_pixels, opened
from .labelmap import VOC, VOID, VOID_COLOR, check_known

_ORIENTATION = 0x0112  # EXIF: how the camera was held
_EXIF = {"exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp"}  # where a PNG may have it
_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_OTHERS = [  # position, bytes there, what such a file is
    (0, b"GIF8", "a GIF"),
    (8, b"WEBP", "a WebP"),
    (4, b"ftyp", "a HEIC, AVIF or video"),
    (0, b"BM", "a BMP"),
    (0, b"II*\0", "a TIFF"),
    (0, b"MM\0*", "a TIFF"),
    (0, b"%PDF", "a PDF"),
]

# Pillow warns, naming no file, of EXIF and animation data that it steps over; the pixels don't suffer. Set once, here:
# `warnings.catch_warnings` around each reading would not be safe in a loader's threads.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.(Tiff|Png)ImagePlugin")


@contextlib.contextmanager
def _decoding(path):
    """Inside it, whatever Pillow trips over becomes one error that names the file."""
    try:
        yield
    except Exception as error:  # a broken file can raise nearly anything in Pillow's parsers
        reason = str(error) or type(error).__name__
        raise ValueError(f"{path}: cannot be read as a picture ({reason}); copy or export it anew") from None


def _header(path, file):
    """Pillow's picture with its header read and found fit, nothing decoded yet."""
    start = file.read(64)
    file.seek(0)
    if start.startswith(_PNG):
        width, height, depth = struct.unpack_from(">IIB", start.ljust(25, b"\0"), 16)
        check_pixels(path, height, width)  # before Pillow, which makes room for an animation's first frame at once
        if depth == 16:
            raise ValueError(f"{path}: a PNG of 16 bits a channel; expected 8: export it anew with 8")
        with _decoding(path):
            picture = PngImageFile(file)
        if picture.is_animated:
            raise ValueError(f"{path}: an animation of {picture.n_frames} frames; save the one you mean")
    elif start.startswith(b"\xff\xd8\xff"):
        with _decoding(path):
            picture = JpegImageFile(file)
        check_pixels(path, picture.height, picture.width)
    else:
        raise ValueError(f"{path}: {_kind(start)}; expected a JPEG or PNG: export it as one")
    return picture


def _kind(start):
    """What a file that is neither JPEG nor PNG seems to be, by its first bytes."""
    if not start:
        return "empty (0 bytes)"
    for position, signature, kind in _OTHERS:
        if start.startswith(signature, position):
            return f"{kind} file, whatever its ending says"
    if all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in start):
        return "a text file (a web page or a git-lfs pointer in the picture's place?)"
    return "no picture that is known here"


def _load(path, expected):
    """Pillow's picture, decoded whole."""
    # Pillow, unlike OpenCV and MXNet, refuses a file cut short, until `import gluoncv` tells it not to: tell it again
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    with opened(path, expected) as file:
        data = file.read()
    picture = _header(path, io.BytesIO(data))
    with _decoding(path):
        if picture.format == "PNG":
            PngImageFile(io.BytesIO(data)).verify()  # the checksums, which decoding alone does not look at
        picture.load()
    return picture


def read_image(path):
    """A photograph, JPEG or PNG, as (H, W, 3) uint8 NumPy array in RGB, turned upright as its EXIF data says.

    Greyscale and CMYK become RGB, transparency is dropped; EXIF data too damaged to read turns nothing.
    What cannot be read right is a ValueError.
    """
    picture = _load(path, "a JPEG or PNG")
    picture.info.pop("transparency", None)
    with _decoding(path):
        ImageOps.exif_transpose(picture, in_place=True)
        return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))


def picture_size(path, upright=True):
    """(height, width) of a photograph as `read_image` gives it, or as it lies in the file; reads the header only."""
    with opened(path, "a JPEG or PNG") as file:
        picture = _header(path, file)
        turned = upright and _orientation(path, picture) in (5, 6, 7, 8)  # by 90°
        return picture.size if turned else picture.size[::-1]


def orientation(path):
    """How the camera was held, by EXIF: 1 to 8, 1 = upright; reads the header only."""
    with opened(path, "a JPEG or PNG") as file:
        return _orientation(path, _header(path, file))


def _orientation(path, picture):
    if picture.format == "PNG" and not _EXIF.intersection(picture.info):
        return 1  # Pillow would decode all of it, to look behind the pixels too
    with _decoding(path):
        return picture.getexif().get(_ORIENTATION, 1)


def read_layer(path, classes):
    """Strokes on a transparent layer, (H, W) uint8 class indices, 255 where nothing is painted; None of other files."""
    try:
        with Image.open(path) as picture:
            if picture.format != "PNG" or picture.mode != "RGBA" or picture.getextrema()[3] != (0, 255):
                return None
            pixels = np.array(picture)
    except (OSError, ValueError, SyntaxError):
        return None  # `read_label` says what is wrong
    marks, clear = classes.indices(pixels[..., :3]), pixels[..., 3] == 0
    marks[clear] = VOID
    known = (pixels[..., 3] == 255) & ((marks < len(classes)) | (marks == VOID))
    return marks.astype(np.uint8) if (known | clear).all() else None


def read_label(path, classes=VOC):
    """A label PNG as (H, W) uint8 NumPy array of class indices, 255 = void (chapter 03).

    Colours decide: in a palette PNG the class is that of the pixel's palette colour, not its bare index. RGB does as
    well, with an alpha channel too if all of it is opaque, and 1 bit, black and white. Anything else, a colour of no
    class, or a palette in which void's index has the colour of a class (padded with zeros, say), is a ValueError that
    says what it seems to be: never a guess.
    """
    try:
        return _read_label(path, classes)
    except ValueError:
        from .label_hints import explained  # only here: most labels are right

        if text := explained(path, classes):
            raise ValueError(text) from None
        raise


def _read_label(path, classes):
    pixels, palette = _label(path)
    table = classes.indices(pixels if palette is None else palette)
    label = table if palette is None else _looked_up(table, pixels)
    if palette is not None and _is_doubtful(table, len(classes)):
        from .label_hints import misread

        if misread(path, classes):
            raise ValueError(f"{path}: two indices have one colour")
    try:
        check_known(label, lambda row, column: (pixels if palette is None else palette[pixels])[row, column])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return label


def _is_doubtful(table, num_classes):
    """Whether a palette, as class indices, gives two classes' indices one colour, or void's the colour of a class."""
    known = table[:num_classes][table[:num_classes] < num_classes].tolist()
    return len(set(known)) < len(known) or any(table[VOID:] < num_classes)


def _looked_up(table, pixels):
    """`table[pixels]` of up to 256 bytes, twice as fast: `translate` knows that both are bytes."""
    table = table.tobytes().ljust(256, b"\0")
    return np.frombuffer(bytearray(pixels).translate(table), np.uint8).reshape(pixels.shape)


def read_label_image(path):
    """A label PNG as its colours, (H, W, 3) uint8 NumPy array; they need not be those of classes (chapter 01)."""
    pixels, palette = _label(path)
    return pixels if palette is None else palette[pixels]


def _label(path):
    """A label's pixels and their palette: (H, W) values and (N, 3) colours, or (H, W, 3) colours and None."""
    picture = _load(path, "a palette or RGB PNG, the label of the picture of that name")
    if picture.format != "PNG":
        raise ValueError(f"{path}: saved as {picture.format}, which changes colours; export the label anew as a PNG")
    if _orientation(path, picture) != 1:
        raise ValueError(f"{path}: its EXIF data says to turn it; save the label upright and without EXIF data")
    if picture.mode in ("RGBA", "LA") and picture.getextrema()[-1] == (255, 255) or picture.mode == "1":
        picture = picture.convert("RGB")  # drops what says nothing
    pixels = np.asarray(picture)
    if picture.mode == "RGB":
        return pixels, None
    if picture.mode != "P":
        raise ValueError(
            f"{path}: a picture of mode {picture.mode}; expected a palette or RGB PNG in the classes' colours, "
            "nothing in it transparent: export it as one"
        )
    palette = np.array(picture.getpalette("RGB"), np.uint8).reshape(-1, 3)
    if pixels.max() >= len(palette):
        raise ValueError(
            f"{path}: a pixel of value {pixels.max()}, but the palette has {len(palette)} colours only; export it anew"
        )
    return pixels, palette


def palette_picture(label, classes):
    """A Pillow picture to save as a palette PNG: in the classes' colours, its values the classes' indices.

    label: (H, W) uint8 NumPy class indices, 255 = void. classes: `LabelMap`. `read_label` reads it back.
    """
    colors = np.zeros((256, 3), np.uint8)
    colors[: len(classes)], colors[VOID] = classes.colors, VOID_COLOR
    picture = Image.fromarray(label)
    picture.putpalette(colors.tobytes())
    return picture
