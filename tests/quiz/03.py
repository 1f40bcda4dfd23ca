"""The numbers of chapter 03's questions."""

import utils

import tempfile

import numpy as np
from PIL import Image


def question_1():
    """Megabytes of the table, as NumPy says."""
    return np.zeros(256**3).nbytes / 1e6


def mistakes_1():
    """One byte an entry; float32."""
    return [np.zeros(256**3, np.uint8).nbytes / 1e6, np.zeros(256**3, np.float32).nbytes / 1e6]


def question_2():
    """The entry: three bytes, the most significant first."""
    return int.from_bytes(bytes(utils.VOC_COLORMAP[1]), "big")


def mistakes_2():
    """Blue first; multiplied once; each channel alike."""
    return [int.from_bytes(bytes(utils.VOC_COLORMAP[1]), "little"), 128 * 256, 128 * 3]


def question_3():
    """What `read_label` makes of a pixel whose number is 21 and whose colour is black."""
    picture = Image.fromarray(np.full((1, 1), 21, np.uint8), "P")
    picture.putpalette([200] * 3 * 21 + [0, 0, 0])
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        picture.save(file.name)
        return utils.read_label(file.name).item()


def mistakes_3():
    """The bare number; void."""
    return [21, utils.VOID]


LABEL = np.repeat([0, 7, utils.VOID], [70, 20, 10]).reshape(10, 10)


def question_4():
    """Background in percent, after a table that starts as zeros."""
    table = np.zeros(256**3, np.uint8)
    for i, (r, g, b) in enumerate(utils.VOC_COLORMAP):
        table[(r * 256 + g) * 256 + b] = i
    decoded = table[utils.label2image(LABEL).asnumpy().astype(int) @ [256**2, 256, 1]]
    return 100 * (decoded == 0).mean()


def mistakes_4():
    """Nothing changed; of the labelled pixels."""
    return [100 * (LABEL == 0).mean(), 100 * (LABEL == 0).sum() / (LABEL != utils.VOID).sum()]


def question_5():
    """No number: a wrong answer says what lies between aeroplane and background."""
    half = tuple((np.add(utils.VOC_COLORMAP[1], utils.VOC_COLORMAP[0]) // 2).tolist())
    assert half == (64, 0, 0) and utils.VOC_CLASSES[utils.VOC_COLORMAP.index(half)] == "cat"
    return ()
