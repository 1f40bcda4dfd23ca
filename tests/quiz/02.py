"""The numbers of chapter 02's questions."""

import utils

import numpy as np
from PIL import Image


def question_1():
    """Halfway between 8 and 12, by Pillow."""
    label = Image.fromarray(np.array([[8, 12]], np.uint8))
    return np.asarray(label.resize((1, 1), Image.Resampling.BILINEAR)).item()


def mistakes_1():
    """The two that there were; void."""
    return [(8, 12), utils.VOID]


def question_2():
    """Corners at which a crop lies inside the picture, counted."""
    return sum(top + 160 <= 186 and left + 224 <= 264 for top in range(186) for left in range(264))


def mistakes_2():
    """Without + 1; added in place of multiplied."""
    return [(186 - 160) * (264 - 224), (186 - 160 + 1) + (264 - 224 + 1)]


def question_3():
    """A crop, of which every second row and column is taken, five times."""
    crop = np.zeros((160, 224))
    for _ in range(5):
        crop = crop[::2, ::2]
    return crop.shape


def mistakes_3():
    """Divided by 5; halved four times; halved once."""
    return [(160 / 5, 224 / 5), (160 / 2**4, 224 / 2**4), (160 / 2, 224 / 2)]


def question_4():
    """No number: two calls give two places of one size, and no error."""
    places, rng = np.arange(186 * 264).reshape(186, 264), np.random.RandomState(0)
    crop, _ = utils.rand_crop(places, places, 160, 224, rng)
    _, crop_label = utils.rand_crop(places, places, 160, 224, rng)
    assert crop.shape == crop_label.shape and (crop != crop_label).all()
    return ()


def question_5():
    """Different numbers of four generators in one state, each asked six times."""
    workers = [np.random.RandomState(1) for _ in range(4)]
    return len({worker.randint(10**6) for worker in workers for _ in range(6)})


def mistakes_5():
    """As if each had a state of its own; with two workers."""
    return [24, 12]
