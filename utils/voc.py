"""Reading data sets in Pascal VOC's layout, cropping, batches (chapters 01 and 02)."""

import pathlib

import numpy as np
from mxnet import nd
from PIL import Image, ImageFile, ImageOps

from .labelmap import VOC, LabelMap, check_known

RGB_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
"""Mean of ImageNet's pictures, on the scale 0 to 1: what Gluon's pretrained nets were trained with."""
RGB_STD = np.array([0.229, 0.224, 0.225], np.float32)

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
_REMEDY = {
    "voc2012": "download VOCtrainval_11-May-2012.tar (2 GB) from host.robots.ox.ac.uk/pascal/VOC/voc2012, unpack it "
    "and move its folder VOCdevkit/VOC2012 there, or give the path of that folder in place of the name",
    "camvid": "bring CamVid into VOC's layout with a labelmap.txt (README, 'Your own pictures') and put it there, "
    "or give the path of that folder in place of the name",
}


def data_root(name="voc_mini"):
    """`pathlib.Path` of a data set's folder (chapter 01).

    name: "voc_mini", which ships with the course; "voc2012" or "camvid", looked for in `data/`; anything
    else is the path of a folder in VOC layout. A folder that isn't there is a FileNotFoundError.
    """
    known = name == "voc_mini" or name in _REMEDY
    root = DATA / name if known else pathlib.Path(name).expanduser()
    if not (root / "ImageSets" / "Segmentation").is_dir():
        found = "no ImageSets/Segmentation in it" if root.is_dir() else "no such folder"
        remedy = _REMEDY.get(
            name, "expected JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/{train,val}.txt"
        )
        raise FileNotFoundError(f"data set {str(name)!r} at {root}: {found}; {remedy}")
    return root


def data_classes(root):
    """`LabelMap` of a data set: its `labelmap.txt`, or the 21 classes of Pascal VOC where it has none."""
    path = data_root(root) / "labelmap.txt"
    return LabelMap.read(path) if path.is_file() else VOC


def read_names(root, train=True):
    """Names in the split file, `train.txt` or `val.txt`, in its order."""
    path = data_root(root) / "ImageSets" / "Segmentation" / ("train.txt" if train else "val.txt")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected one picture's name a line, without .jpg")
    names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    if not names:
        raise ValueError(f"{path}: empty; expected one picture's name a line, without .jpg")
    return names


def image_path(root, name):
    """Where the picture of a name lies."""
    return pathlib.Path(root) / "JPEGImages" / f"{name}.jpg"


def label_path(root, name):
    """Where the label of a name lies."""
    return pathlib.Path(root) / "SegmentationClass" / f"{name}.png"


def _open(path):
    """Decode a picture whole, or raise one error that names the file."""
    # Pillow, unlike OpenCV and MXNet, refuses a file cut short, until `import gluoncv` tells it not to: tell it again
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with open(path, "rb") as file:
            picture = Image.open(file)
            picture.load()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as a picture ({error}); copy or export it anew") from None
    return picture


def read_image(path):
    """A photograph as (H, W, 3) uint8 NumPy array in RGB, turned upright as its EXIF data says."""
    return np.asarray(ImageOps.exif_transpose(_open(path)).convert("RGB"))


def read_label(path, classes=VOC):
    """A label PNG, palette or RGB, as (H, W) uint8 NumPy array of class indices, 255 = void (chapter 03).

    Colours decide: in a palette PNG the class is that of the pixel's palette colour, not its bare index.
    """
    picture = _open(path)
    try:
        if picture.mode == "P":
            palette = np.array(picture.getpalette("RGB"), np.uint8).reshape(-1, 3)
            index = np.asarray(picture)
            if index.max() >= len(palette):
                raise ValueError(f"a pixel of value {index.max()}, but the palette has {len(palette)} colours only")
            label = classes.indices(palette)[index]
            check_known(label, lambda row, column: palette[index[row, column]])
        elif picture.mode == "RGB":
            rgb = np.asarray(picture)
            label = classes.indices(rgb)
            check_known(label, lambda row, column: rgb[row, column])
        else:
            raise ValueError(f"a picture of mode {picture.mode}: expected a palette or RGB PNG in the classes' colours")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return label


def read_pair(root, name, classes=VOC, scale=1.0):
    """Image (H, W, 3) uint8 and label (H, W) uint8 of one name, as NumPy arrays of one size.

    scale < 1 reduces both: the image by averaging, the label by nearest neighbour (chapter 02).
    """
    image, label = read_image(image_path(root, name)), read_label(label_path(root, name), classes)
    _check_sizes(image, label, label_path(root, name))
    return resize(image, scale), resize(label, scale)


def _check_sizes(image, label, path):
    if image.shape[:2] != label.shape[:2]:
        raise ValueError(
            f"{path}: {label.shape[0]} × {label.shape[1]}, but its picture is {image.shape[0]} × {image.shape[1]} "
            "(height × width): the two don't belong together"
        )


def resize(array, scale):
    """Image (H, W, 3) or label (H, W), uint8 NumPy, resized: bilinear and antialiased, or nearest neighbour."""
    if scale == 1:
        return array
    size = scaled_size(array.shape[:2], scale)[::-1]
    method = Image.Resampling.BILINEAR if array.ndim == 3 else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(array).resize(size, method))


def scaled_size(size, scale):
    """(height, width) of a picture once reduced by `scale`."""
    return tuple(max(1, round(n * scale)) for n in size)


def read_images(root=None, train=True):
    """Two lists of (H, W, 3) uint8 `NDArray`: images and label images, in the split file's order (chapter 01).

    The whole split in memory, as the classic tutorials do: 3 bytes a pixel, twice.
    """
    root = data_root() if root is None else data_root(root)
    images, labels = [], []
    for name in read_names(root, train):
        image, label = read_image(image_path(root, name)), np.asarray(_open(label_path(root, name)).convert("RGB"))
        _check_sizes(image, label, label_path(root, name))
        images.append(nd.array(image, dtype=np.uint8))
        labels.append(nd.array(label, dtype=np.uint8))
    return images, labels


def normalize(image):
    """(H, W, 3) uint8 image → float32 of the same shape, minus ImageNet's mean, over its deviation."""
    return (image.astype(np.float32) / 255 - RGB_MEAN) / RGB_STD


def rand_crop(image, label, height, width, rng=np.random):
    """The same random rectangle of an image (H, W, …) and of its label (H, W, …) (chapter 02).

    Both `NDArray` or both NumPy. A picture smaller than the rectangle is a ValueError.
    """
    h, w = label.shape[:2]
    if tuple(image.shape[:2]) != (h, w):
        raise ValueError(f"image of {image.shape[:2]} and label of {(h, w)}: expected one size")
    if h < height or w < width:
        raise ValueError(f"picture of {h} × {w} is smaller than the crop of {height} × {width}: pad it or leave it out")
    top, left = int(rng.randint(h - height + 1)), int(rng.randint(w - width + 1))
    return (
        image[top : top + height, left : left + width],
        label[top : top + height, left : left + width],
    )
