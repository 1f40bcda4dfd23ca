"""The numbers of chapter 01's questions."""

import utils

import numpy as np

LABEL = np.repeat([utils.VOID, 0, 7], [20, 60, 20]).reshape(10, 10)


def question_1():
    """Different values in a label of three horses with void between them."""
    label = np.zeros((5, 20), np.uint8)
    label[1:4, 1:19] = utils.VOID
    for left in 2, 8, 14:
        label[2, left : left + 4] = utils.VOC_CLASSES.index("horse")
    return len(np.unique(label))


def question_2():
    """The car's share of labelled pixels, in percent."""
    return 100 * (LABEL == 7).sum() / (LABEL != utils.VOID).sum()


def mistakes_2():
    """Void in the total; cars for each pixel of background."""
    return [100 * (LABEL == 7).mean(), 100 * (LABEL == 7).sum() / (LABEL == 0).sum()]


def question_3():
    """The share of background in voc_mini's training labels, in percent."""
    root = utils.data_root()
    counts = sum(
        np.bincount(utils.read_label(utils.label_path(root, name)).ravel(), minlength=256)
        for name in utils.read_names(root)
    )
    return 100 * counts[0] / counts[: utils.VOID].sum()


def mistakes_3():
    """One of 21 classes; nothing; one of the nine that occur."""
    return [100 / 21, 0, 100 / 9]


def question_4():
    """Gigabytes of VOC2012's label images: of one, made and measured."""
    return 1464 * np.zeros((375, 500, 3), np.uint8).nbytes / 1e9


def mistakes_4():
    """Class indices; with the pictures; as float32."""
    return [question_4() / 3, question_4() * 2, question_4() * 4]
