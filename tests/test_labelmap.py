import utils
from utils import VOC, LabelMap

import gluoncv
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mxnet import nd


def test_palette_is_vocs_bit_shuffle():
    """VOC's devkit spreads the bits of an index over the colour channels."""
    for index, color in [*enumerate(utils.VOC_COLORMAP), (255, utils.VOID_COLOR)]:
        channels = [0, 0, 0]
        for bit in range(8):
            channels[bit % 3] |= (index >> bit & 1) << (7 - bit // 3)
        assert tuple(channels) == color


def test_names_are_gluoncvs():
    assert list(gluoncv.data.VOCDetection.CLASSES) == utils.VOC_CLASSES[1:]


LABELS = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2), elements=st.sampled_from([*range(21), 255]))


@given(LABELS)
@settings(max_examples=50, deadline=None)
def test_round_trip(label):
    image = utils.label2image(label)
    assert image.dtype == np.uint8 and image.shape == (*label.shape, 3)
    back = utils.image2label(image)
    assert back.dtype == np.int32
    np.testing.assert_array_equal(back.asnumpy(), label)


def test_every_class_and_void_against_the_double_loop():
    label = np.array([[*range(21), 255]])
    image = utils.label2image(nd.array(label)).asnumpy()
    colormap = dict(zip([*utils.VOC_COLORMAP, utils.VOID_COLOR], [*range(21), 255], strict=True))
    slow = [[colormap[tuple(pixel)] for pixel in row] for row in image.tolist()]
    np.testing.assert_array_equal(slow, label)
    np.testing.assert_array_equal(utils.image2label(nd.array(image, dtype=np.uint8)).asnumpy(), slow)


def test_unknown_colour_is_named_and_placed():
    image = np.zeros((4, 5, 3), np.uint8)
    image[2, 3] = 12, 34, 56
    with pytest.raises(ValueError, match=r"\(12, 34, 56\) at row 2, column 3 \(1 pixel in all"):
        utils.image2label(image)


@pytest.mark.parametrize("index", [21, 254, -1, 0.5])
def test_unknown_index_is_named_and_placed(index):
    label = np.zeros((4, 5), np.float32)
    label[1, 4] = index
    with pytest.raises(ValueError, match=f"index {index}.* at row 1, column 4"):
        utils.label2image(label)


def test_wrong_shapes():
    with pytest.raises(ValueError, match=r"\(4, 5\): expected \(height, width, 3\)"):
        utils.image2label(np.zeros((4, 5), np.uint8))
    with pytest.raises(ValueError, match=r"\(4, 5, 3\): expected \(height, width\)"):
        utils.label2image(np.zeros((4, 5, 3), np.uint8))


def test_labelmap_file(tmp_path):
    path = tmp_path / "labelmap.txt"
    path.write_text(
        "# label:color_rgb:parts:actions\r\nsky:1,2,3::\n\nignored:9,9,9::\nroad: 4, 5, 6::\nx:224,224,192::\n"
    )
    classes = LabelMap.read(path)
    assert classes.names == ["sky", "road"] and classes.colors == [(1, 2, 3), (4, 5, 6)]
    image = np.array([[[1, 2, 3], [4, 5, 6], [9, 9, 9], [224, 224, 192]]], np.uint8)
    assert utils.image2label(image, classes).asnumpy().tolist() == [[0, 1, 255, 255]]


@pytest.mark.parametrize(
    "text, message",
    [
        ("sky:1,2\n", "labelmap.txt, line 1: 'sky:1,2' is not name:r,g,b"),
        ("sky:1,2,3,4::\n", "labelmap.txt, line 1: 'sky:1,2,3,4::' is not name:r,g,b"),
        ("sky\n", "labelmap.txt, line 1: 'sky'"),
        ("sky:1,2,3::\nsea:1,2,3::\n", r"labelmap.txt: colour given twice: \(1, 2, 3\)"),
        ("sky:1,2,3::\nsky:4,5,6::\n", "labelmap.txt: name given twice: sky"),
        ("sky:1,2,300::\n", "labelmap.txt.*300"),
        ("", "labelmap.txt: 0 classes"),
    ],
)
def test_bad_labelmap_file(tmp_path, text, message):
    path = tmp_path / "labelmap.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        LabelMap.read(path)


def test_repr_and_equality():
    assert repr(LabelMap(["a", "b"], [(0, 0, 0), (1, 1, 1)])) == "LabelMap of 2 classes: a, b"
    assert VOC == LabelMap(utils.VOC_CLASSES, utils.VOC_COLORMAP) != LabelMap(["a"], [(0, 0, 0)])
