"""What a notebook shows and changes in place: a figure with controls above it, a picture that someone brings."""

import pathlib
import tempfile
import time

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

from ..pictures import read_image
from ..voc import resize


class Redrawn:
    """A figure redrawn in place, so that a saved notebook has the last one; before the first, a line of text."""

    def __init__(self, figure):
        self._figure, self._shown, self._said = figure, None, 0.0

    def draw(self, _=None):
        self.put(self._figure())

    def put(self, figure):
        self._show(figure)
        plt.close(figure)

    def say(self, text):
        if time.time() - self._said > 0.5:
            self._said = time.time()
            self._show({"text/plain": text}, raw=True)

    def _show(self, what, **how):
        from IPython.display import display  # only notebooks call this

        if self._shown is None:
            self._shown = display(what, display_id=True, **how)
        else:
            self._shown.update(what, **how)


def controls(box):
    """Display widgets without the text that stands for them where there are none: the figure is enough there."""
    from IPython.display import display

    data = box._repr_mimebundle_()
    display({kind: value for kind, value in data.items() if kind != "text/plain"}, raw=True)


def uncropped(figure):
    """The figure with a frame that isn't seen: notebooks crop figures, and what stands below would jump about."""
    figure.add_artist(Rectangle((0, 0), 1, 1, fill=False, linewidth=0))
    return figure


def read_upload(name, data, side=1024, scale=1.0):
    """A JPEG's or PNG's bytes as (H, W, 3) uint8 NumPy array, upright, reduced by `scale` and to `side` pixels at most.

    Read as `read_image` reads a file: what that refuses is a ValueError which begins with the name.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "upload"
        path.write_bytes(data)
        try:
            image = read_image(path)
        except ValueError as error:
            raise ValueError(str(error).replace(str(path), name)) from None
    return resize(image, min(scale, side / max(image.shape[:2])))
