"""A photograph with strokes drawn over it, and what a cut makes of them, in a running notebook (chapter 15)."""

import html

import matplotlib.pyplot as plt
import numpy as np

from ..data.image_io import read_image
from ..data.labelmap import VOID, LabelMap
from ..data.scribbles import strokes
from ..data.transforms import resize
from ..postprocess.graphcut import ScribbleCut
from .plotting import add_legend, overlay
from .widgets import Redrawn, controls, read_upload, uncropped

PENS = LabelMap(
    ["red", "green", "blue", "yellow", "magenta", "cyan"],
    [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255), (0, 255, 255)],
)
"""Colours that every paint program has, each a class of its own."""


def segment(image, drawn, classes=PENS, side=640, **settings):
    """(image, strokes, label): a photograph divided by strokes that somebody drew over it (chapter 15).

    image, drawn: (H, W, 3) uint8, the photograph without and with strokes in the classes' colours, saved as PNG. Both
    are reduced so that the longer side has at most `side` pixels. settings: of `ScribbleCut`. A ValueError says what is
    missing: two colours at least, for one alone would take the whole picture.
    """
    marks = strokes(drawn, image, classes)
    scale = min(1, side / max(image.shape[:2]))
    image, marks = resize(image, scale), _reduced(marks, scale)
    if len(found := np.unique(marks[marks != VOID])) < 2:
        raise ValueError(
            f"strokes in {classes.names[found[0]]} only: one colour would take the whole picture; draw in two colours "
            f"at least, of {', '.join(f'{n} {c}' for n, c in zip(classes.names, classes.colors, strict=True))}"
        )
    return image, marks, ScribbleCut(image, marks, len(classes), **settings)()[0]


def _reduced(marks, scale):
    """Marks at the size of a reduced picture; a thin stroke stays, which nearest neighbours would leave in dashes."""
    if scale == 1:
        return marks
    small = np.array(resize(marks, scale))
    rows, columns = (np.nonzero(marks != VOID)[i] * small.shape[i] // marks.shape[i] for i in (0, 1))
    small[rows, columns] = marks[marks != VOID]
    return small


def draw_strokes(image, marks, label, classes=PENS):
    """The figure of `scribble`: strokes on the photograph, and the areas that came of them."""
    figure = uncropped(plt.figure(figsize=(10, 3.8), layout="constrained"))
    shown = image.copy()
    shown[marks != VOID] = np.array(classes.colors, np.uint8)[marks[marks != VOID]]
    pictures = shown, overlay(image, label, classes)
    for ax, picture, title in zip(figure.subplots(1, 2), pictures, ("strokes", "by a cut"), strict=True):
        ax.imshow(picture)
        ax.set_title(title)
        ax.axis("off")
    add_legend(figure, np.unique(label).tolist(), classes)
    return figure


def scribble(photograph, drawn, classes=PENS, side=640):
    """Show what strokes over a photograph give; upload your own two files (chapter 15).

    photograph, drawn: paths, a JPEG or PNG, and the PNG that a paint program saved after you drew over it. What can't
    be read, and strokes that can't be used, are said above the figure.
    """
    import ipywidgets as widgets

    message, given = widgets.HTML(), {"photograph": read_image(photograph), "strokes": read_image(drawn)}
    wide = widgets.Layout(width="max-content")
    buttons = {
        "photograph": widgets.FileUpload(accept=".jpg,.jpeg,.png", description="1. your photograph", layout=wide),
        "strokes": widgets.FileUpload(accept=".png", description="2. the same with strokes", layout=wide),
    }
    live = Redrawn(lambda: draw_strokes(*segment(given["photograph"], given["strokes"], classes, side), classes))

    def bring(key):
        button = buttons[key]
        if not button.value:
            return
        file, button.value = button.value[0], ()
        try:
            given[key] = read_upload(file.name, bytes(file.content), side=10**6)
            if key == "strokes":
                live.draw()
            message.value = f"{html.escape(file.name)} read" + (": now its strokes" if key == "photograph" else "")
        except ValueError as error:
            message.value = f'<b style="color: var(--jp-error-color1, #b00020)">{html.escape(str(error))}</b>'

    for key, button in buttons.items():
        button.observe(lambda _, key=key: bring(key), "value")
    controls(widgets.VBox([widgets.HBox(list(buttons.values())), message]))
    live.draw()
