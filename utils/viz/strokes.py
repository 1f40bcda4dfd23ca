"""A photograph with strokes drawn over it, and what a cut makes of them, in a running notebook (chapter 15)."""

import base64
import html
import io
import itertools
import json
import os
import pathlib

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageDraw

from ..data.image_io import read_image
from ..data.labelmap import VOID, LabelMap
from ..data.painted import marks_of
from ..data.scribbles import strokes, write_scribbles
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
    scale = _scale(image, side)
    image, marks = resize(image, scale), _reduced(strokes(drawn, image, classes), scale)
    if len(found := np.unique(marks[marks != VOID])) < 2:
        raise ValueError(
            f"strokes in {classes.names[found[0]]} only: one colour would take the whole picture; draw in two colours "
            f"at least, of {', '.join(f'{n} {c}' for n, c in zip(classes.names, classes.colors, strict=True))}"
        )
    return image, marks, ScribbleCut(image, marks, len(classes), **settings)()[0]


def _scale(image, side):
    return min(1, side / max(image.shape[:2]))


def _reduced(marks, scale):
    """Marks at the size of a reduced picture; a thin stroke stays, which nearest neighbours would leave in dashes."""
    if scale == 1:
        return marks
    small = np.array(resize(marks, scale))
    rows, columns = (np.nonzero(marks != VOID)[i] * small.shape[i] // marks.shape[i] for i in (0, 1))
    small[rows, columns] = marks[marks != VOID]
    return small


def draw_strokes(image, marks, label, classes=PENS):
    """The figure of `scribble`: the photograph, the areas that came of the strokes laid over it, and the strokes."""
    figure, ax = plt.subplots(figsize=(4.2, 3.4), layout="constrained")
    uncropped(figure)
    ax.imshow(_painted(overlay(image, label, classes, 0.4), marks, classes))
    ax.axis("off")
    if (found := np.unique(marks[marks != VOID])).size:
        add_legend(figure, found.tolist(), classes)
    return figure


WIDTH = 4
"""Pixels of a stroke that is drawn in the notebook, on the reduced photograph."""
_SCRIPT = """
const box = this.parentElement, canvas = box.querySelector('canvas'), pen = canvas.getContext('2d');
const done = [];
let line = null;
function at(event) {
  const scale = canvas.width / canvas.clientWidth;
  return [Math.round(event.offsetX * scale), Math.round(event.offsetY * scale)];
}
function draw() {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.lineWidth = WIDTH; pen.lineCap = pen.lineJoin = 'round';
  for (const [number, points] of line ? [...done, line] : done) {
    pen.strokeStyle = box.querySelectorAll('input')[number].value;
    pen.beginPath(); pen.moveTo(...points[0]); pen.lineTo(...points[0]);
    for (const point of points) pen.lineTo(...point);
    pen.stroke();
  }
}
function send(text = JSON.stringify(done)) {
  const sent = box.closest('.widget-vbox').querySelector('textarea');
  draw(); sent.value = text; sent.dispatchEvent(new Event('input', {bubbles: true}));
}
canvas.onpointerdown = event => {
  canvas.setPointerCapture(event.pointerId); event.preventDefault();
  line = [[...box.querySelectorAll('input')].findIndex(choice => choice.checked), [at(event)]]; draw();
};
canvas.onpointermove = event => { if (line) { line[1].push(at(event)); draw(); } };
canvas.onpointerup = canvas.onpointercancel = () => { if (line) { done.push(line); line = null; send(); } };
box.querySelector('.back').onclick = () => { done.pop(); send(); };
box.querySelector('.clear').onclick = () => { done.length = 0; send('clear'); };
""".replace("WIDTH", str(WIDTH))
_PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
"""A transparent pixel: scripts in a widget are not run, but what a picture says to do once it is loaded is."""


def _easel(image, classes):
    """HTML: the photograph with a canvas over it, a pen for each class; strokes go to the text field beside it."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=90)
    photograph = f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
    pens = "".join(
        f'<label style="margin-right: 1em"><input type="radio" name="pen{id(image)}" value="rgb{color}" '
        f'{"checked" if i == 0 else ""}> <span style="border-bottom: 4px solid rgb{color}">{html.escape(name)}</span>'
        "</label>"
        for i, (name, color) in enumerate(zip(classes.names, classes.colors, strict=True))
    )
    height, width = image.shape[:2]
    return (
        f'<div>{pens}<button type="button" class="back">take back</button> <button type="button" class="clear">clear'
        f'</button><br><canvas width="{width}" height="{height}" aria-label="the photograph, to draw on" '
        f'style="background: url({photograph}) 0 0 / 100% 100%; max-width: 100%; max-height: 55vh; touch-action: none; '
        'cursor: crosshair"></canvas>'
        f'<img alt="" src="{_PIXEL}" onload="{html.escape(_SCRIPT)}"></div>'
    )


def _by_hand(text, size):
    """Marks of the strokes that a canvas sent, a list of [class, [[x, y], …]] as JSON."""
    marks = Image.fromarray(np.full(size, VOID, np.uint8))
    brush = ImageDraw.Draw(marks)
    for number, points in json.loads(text or "[]"):
        brush.line([tuple(point) for point in points], number, WIDTH, "curve")
        for x, y in points[0], points[-1]:
            brush.ellipse((x - WIDTH // 2, y - WIDTH // 2, x + WIDTH // 2, y + WIDTH // 2), number)
    return np.array(marks)


def _painted(image, marks, classes):
    """The picture with strokes on it."""
    shown = image.copy()
    shown[marks != VOID] = np.array(classes.colors, np.uint8)[marks[marks != VOID]]
    return shown


def scribble(photograph, drawn=None, classes=PENS, side=640):
    """Divide a photograph by strokes: draw on it in the notebook, or upload it and a copy with strokes (chapter 15).

    photograph: path of a JPEG or PNG. drawn: path of the PNG that a paint program saved after somebody drew over it.
    What is drawn in the notebook lies over these strokes. What can't be read, and strokes that can't be used, are said
    above the figure. "save" writes NAME_strokes.png and NAME_areas.png, palette PNGs of the reduced size, into the
    folder of the notebook; where they are there already, NAME_strokes_2.png and so on.
    """
    import ipywidgets as widgets

    message, easel = widgets.HTML(), widgets.HTML()
    hand = widgets.Textarea(layout=widgets.Layout(display="none"))
    wide, given = widgets.Layout(width="max-content"), {}
    buttons = {
        "photograph": widgets.FileUpload(accept=".jpg,.jpeg,.png", description="your photograph", layout=wide),
        "strokes": widgets.FileUpload(accept=".png", description="the same with strokes (PNG)", layout=wide),
    }
    save = widgets.Button(description="save", layout=wide)

    def take(name, image, marks=None):
        """Begin with a photograph and a file's strokes, or none."""
        scale = _scale(image, side)
        small = resize(image, scale)
        marks = np.full(small.shape[:2], VOID, np.uint8) if marks is None else _reduced(marks, scale)
        given.update(name=name, photograph=image, small=small, marks=marks)
        hand.unobserve(redraw, "value")
        hand.value, easel.value = "", _easel(_painted(small, marks, classes), classes)
        hand.observe(redraw, "value")

    def show():
        by_hand = _by_hand(hand.value, given["marks"].shape)
        marks, label = np.where(by_hand == VOID, given["marks"], by_hand), np.full_like(by_hand, VOID)
        if len(np.unique(marks[marks != VOID])) < 2:
            say("Draw strokes in two colours at least: one on what you want apart, one on all the rest.")
        else:
            label = ScribbleCut(given["small"], marks, len(classes))()[0]
        given.update(shown=(marks, label))
        return draw_strokes(given["small"], marks, label, classes)

    def say(text, wrong=False):
        text = html.escape(text)
        message.value = f'<b style="color: var(--jp-error-color1, #b00020)">{text}</b>' if wrong else text

    def bring(key):
        button = buttons[key]
        if not button.value:
            return
        file, button.value = button.value[0], ()
        content = bytes(file.content)
        try:
            if key == "strokes" and content[:2] == b"\xff\xd8":
                raise ValueError(f"{file.name}: a JPEG, whose colours are inexact; save the copy with strokes as PNG")
            image = read_upload(file.name, content, side=10**6)
            if key == "strokes":
                marks, told = marks_of(file.name, image, given["photograph"], classes)
                text = f"{file.name} read{told and f'; {told}'}"
                take(given["name"], given["photograph"], marks)
            else:
                text = f"{file.name} read"
                take(pathlib.Path(file.name).stem, image)
        except ValueError as error:
            say(str(error) + "; choose your photograph first, then its copy" * (key == "strokes"), wrong=True)
            return
        say(text)
        live.draw()

    def redraw(_):
        if hand.value == "clear":
            take(given["name"], given["photograph"])
        say("")
        live.draw()

    def keep(_):
        for turn in itertools.count(1):  # nothing that is there is replaced
            end = f"_{turn}.png" if turn > 1 else ".png"
            files = [f"{given['name']}_{what}{end}" for what in ("strokes", "areas")]
            if not any(map(os.path.lexists, files)):
                break
        for name, label in zip(files, given["shown"], strict=True):
            write_scribbles(name, label, classes)
        say(f"saved: {', '.join(files)}")

    image, live = read_image(photograph), Redrawn(show)
    take(pathlib.Path(photograph).stem, image, None if drawn is None else strokes(read_image(drawn), image, classes))
    for key, button in buttons.items():
        button.observe(lambda _, key=key: bring(key), "value")
    save.on_click(keep)
    controls(widgets.VBox([widgets.HBox([*buttons.values(), save]), message, easel, hand]))
    live.draw()
