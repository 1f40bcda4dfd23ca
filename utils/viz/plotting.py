"""Pictures of images, labels and training (from chapter 00 on)."""

import math
import pathlib

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from mxnet import nd

from ..data.labelmap import VOC, VOID, VOID_COLOR, label2image

plt.style.use(pathlib.Path(__file__).with_name("course.mplstyle"))
BLUE, RED, GREEN, ORANGE, SKY, PINK, GREY = plt.rcParams["axes.prop_cycle"].by_key()["color"]


def show_images(imgs, nrows, ncols, figsize=None, titles=None, classes=VOC, legend=True, borders=True):
    """Draw a grid of images, label images (H, W, 3) and labels (H, W) mixed, row by row; return the axes.

    imgs: `NDArray` or NumPy arrays, uint8 colours or class indices. Labels are drawn in their classes' colours, with
    a legend of the classes that occur in them below the grid, and a thin white line where two classes touch, which
    shows dark ones on black; void parts them by itself. `legend` and `borders` False leave them out. figsize: (width,
    height) in inches. titles: one each, or one a column. Axes come as an array of shape (nrows, ncols).
    """
    imgs = [img.asnumpy() if isinstance(img, nd.NDArray) else np.asarray(img) for img in imgs]
    if len(imgs) > nrows * ncols:
        raise ValueError(f"{len(imgs)} images for a grid of {nrows} × {ncols}: expected at most {nrows * ncols}")
    figure, axes = plt.subplots(nrows, ncols, figsize=figsize or _figsize(imgs, nrows, ncols), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    present = set()
    for i, (ax, img) in enumerate(zip(axes.flat, imgs)):  # noqa: B905, the grid may have empty places
        if img.ndim == 2:
            present.update(np.unique(img).astype(int).tolist())
            if borders:
                ax.add_collection(_borders(img), autolim=False)
            img = label2image(img, classes).asnumpy()
        ax.imshow(img)
        if titles is not None and i < len(titles):
            ax.set_title(titles[i])
    if legend and present:
        add_legend(figure, present, classes)
    return axes


def _borders(label):
    """White lines along the edges of pixels between two classes: no class has that colour, and neither has void."""
    named, edges = label != VOID, []
    for row, column in np.argwhere((label[1:] != label[:-1]) & named[1:] & named[:-1]):
        edges.append([(column - 0.5, row + 0.5), (column + 0.5, row + 0.5)])
    for row, column in np.argwhere((label[:, 1:] != label[:, :-1]) & named[:, 1:] & named[:, :-1]):
        edges.append([(column + 0.5, row - 0.5), (column + 0.5, row + 0.5)])
    return LineCollection(edges, colors="white", linewidths=0.8, capstyle="projecting")


def _figsize(imgs, nrows, ncols):
    height, width = np.mean([img.shape[:2] for img in imgs], axis=0)
    column = min(3.2, 10 / ncols)
    return ncols * column, nrows * (column * height / width + 0.25) + 0.4


def add_legend(figure, indices, classes=VOC):
    """Put a legend of class names and colours, those of `indices` only, below a figure."""
    handles = []
    for i in sorted(indices):
        name, color = ("void", VOID_COLOR) if i == VOID else (classes.names[i], classes.colors[i])
        handles.append(Patch(facecolor=np.array(color) / 255, edgecolor="gray", label=name))
    columns = math.ceil(len(handles) / math.ceil(len(handles) / 7))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def overlay(image, label, classes=VOC, opacity=0.6):
    """(H, W, 3) uint8 NumPy image with its label (H, W) painted over it.

    Void and classes whose colour is black, such as VOC's background, stay clear. opacity: 0 to 1.
    """
    image, label = (a.asnumpy() if isinstance(a, nd.NDArray) else np.asarray(a) for a in (image, label))
    colors = label2image(label, classes).asnumpy()
    clear = (colors == 0).all(axis=2) | (label == VOID)
    mixed = (1 - opacity) * image + opacity * colors
    return np.where(clear[..., None], image, mixed).astype(np.uint8)


def draw_seeds(ax, rows, color=BLUE, shift=0, label=None, bars=True):
    """Scores of several runs, row by row: a dot for each seed, the first uppermost, so that none hides another.

    rows: {name: one number a seed}; nan, a seed that diverged, is written at the right. bars: the mean of each row as a
    bar. shift: how far below its row's line the dots lie; two sets of three fit at -0.2 and 0.2. label: for the legend.
    """
    for i, found in enumerate(rows.values()):
        found = np.asarray(found)
        heights = i + shift + 0.12 * (np.arange(len(found)) - (len(found) - 1) / 2)
        ax.plot(found, heights, "o", color=color, markersize=5, label=label if i == 0 else None)
        if bars and len(found):
            ax.plot([found.mean()] * 2, [i + shift - 0.3, i + shift + 0.3], color=color, linewidth=2)
        if lost := np.isnan(found).sum():
            text, where = f"diverged with {lost} of {len(found)} seeds", ax.get_yaxis_transform()
            ax.text(0.99, i + shift, text, va="center", ha="right", color=RED, transform=where)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.grid(True, axis="x")  # True: a second call would switch it off


class LiveCurve:
    """Loss and scores against epochs, redrawn in place while `train` runs: pass it as `on_epoch`.

    baseline: pixel accuracy of predicting one class everywhere, and its mean IoU, as a pair, drawn as dashed lines.
    """

    def __init__(self, num_epochs, baseline=None):
        self.num_epochs, self.baseline, self._shown = num_epochs, baseline, None

    def __call__(self, history):
        from IPython.display import display  # only notebooks call this

        figure = self.draw(history)
        if self._shown is None:
            self._shown = display(figure, display_id=True)
        else:
            self._shown.update(figure)
        plt.close(figure)

    def draw(self, history):
        """The figure for a history as `train` returns it."""
        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
        epochs = [row["epoch"] for row in history]
        left.plot(epochs, [row["loss"] for row in history], color="black", marker=".")
        left.set(title="Loss", ylabel="cross-entropy, mean over images", ylim=(0, None))
        for key, color, name in (
            ("train_acc", GREY, "pixel accuracy, training"),
            ("test_acc", BLUE, "pixel accuracy, test"),
            ("mean_iou", RED, "mean IoU, test"),
        ):
            right.plot(epochs, [row[key] for row in history], color=color, label=name, marker=".")
        for value, color in zip(self.baseline or (), (BLUE, RED), strict=False):
            right.axhline(value, color=color, linestyle="--", linewidth=1)
        if self.baseline:
            right.plot([], [], color="black", linestyle="--", linewidth=1, label="dashed: one class everywhere")
        right.set(title="Scores", ylabel="score, 0 to 1", ylim=(0, 1))
        right.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        for ax in left, right:
            ax.set(xlabel="epoch", xlim=(0.5, self.num_epochs + 0.5))
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
            ax.grid()
        return figure
