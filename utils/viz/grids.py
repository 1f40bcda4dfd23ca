"""Grids of numbers, and the stamps of a transposed convolution one after the other (chapter 04)."""

import base64
import pathlib
import tempfile

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter

from .plotting import GREY, RED


def draw_grid(ax, numbers, title="", vmax=None, fontsize=10):
    """Draw a grid of numbers (h, w), darker where they are larger; masked ones stay white and empty.

    vmax: the largest number of several grids that share their shades; by default this one's.
    """
    numbers = np.ma.asarray(numbers)
    ax.imshow(numbers, cmap="Blues", vmin=0, vmax=1.7 * (vmax or np.abs(numbers).max()))
    for (i, j), number in np.ndenumerate(numbers):
        if not np.ma.getmaskarray(numbers)[i, j]:
            ax.text(j, i, f"{number:g}", ha="center", va="center", fontsize=fontsize)
    ax.set_xticks(np.arange(numbers.shape[1] + 1) - 0.5, [])
    ax.set_yticks(np.arange(numbers.shape[0] + 1) - 0.5, [])
    ax.grid(color=GREY, linewidth=0.7, alpha=1)
    ax.tick_params(length=0)
    ax.set_title(title)


def frame_cells(ax, row, column, size, **line):
    """Draw a square around `size` × `size` cells of a grid; row, column: its first cell."""
    line = {"edgecolor": RED, "linewidth": 3, **line}
    ax.add_patch(plt.Rectangle((column - 0.5, row - 0.5), size, size, fill=False, zorder=3, **line))


def stamp_steps(x, kernel, stride):
    """What each picture of the animation shows: (place of the number or None, its stamp or None, output, title).

    Nothing yet; then two pictures for each number of `x`, before and after its stamp is added; the output; and the
    output with the border marked that a padding of 1 cuts off, which is the last.
    """
    (h, w), k = x.shape, len(kernel)
    output = np.zeros((stride * (h - 1) + k, stride * (w - 1) + k))
    steps = [(None, None, output.copy(), "output")]
    for i, j in np.ndindex(h, w):
        steps.append(((i, j), x[i, j] * kernel, output.copy(), "output: goes here"))
        output[stride * i : stride * i + k, stride * j : stride * j + k] += x[i, j] * kernel
        steps.append(((i, j), x[i, j] * kernel, output.copy(), "output: added"))
    inner = " × ".join(str(size - 2) for size in output.shape)
    return [*steps, (None, None, output, "output"), (None, None, output, f"padding 1: border cut, {inner} stay")]


def show_stamps(x, kernel, stride):
    """Show a transposed convolution without padding as an animation (a GIF), stamp after stamp; return its bytes.

    x: (h, w), kernel: (k, k), NumPy arrays.
    """
    from IPython.display import display

    steps = stamp_steps(x, kernel, stride)
    k, most, output = len(kernel), steps[-1][2].max(), steps[-1][2]
    widths = [x.shape[1], k, output.shape[1]]
    figure, axes = plt.subplots(1, 3, figsize=(6.4, 2.8), width_ratios=widths, layout="none")
    figure.subplots_adjust(left=0.01, right=0.99, top=0.9, bottom=0.02, wspace=0.1)

    def draw(number):
        place, one, total, title = steps[number]
        for ax in axes:
            ax.clear()
        draw_grid(axes[0], x, "input", fontsize=14)
        draw_grid(axes[2], total, title, vmax=most, fontsize=14)
        axes[1].axis("off" if place is None else "on")
        if place is not None:
            draw_grid(axes[1], one, f"{x[place]} × kernel", vmax=most, fontsize=14)
            frame_cells(axes[0], *place, 1)
            frame_cells(axes[2], stride * place[0], stride * place[1], k, linestyle=":" if "goes" in title else "-")
        if number == len(steps) - 1:
            border = np.pad(np.zeros(np.subtract(output.shape, 2)), 1, constant_values=1)
            axes[2].imshow(np.ma.masked_equal(border, 0), cmap="Greys", alpha=0.6, vmin=0, vmax=1.5, zorder=4)

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "stamps.gif"
        FuncAnimation(figure, draw, frames=len(steps)).save(path, writer=PillowWriter(fps=0.8), dpi=64)
        gif = path.read_bytes()
    plt.close(figure)
    alt = (
        f"Animation: each input number, times the kernel, is added to the output, {stride} pixels beyond the last; "
        "in the last picture a border of 1 pixel is cut"
    )
    picture = f'<img alt="{alt}" src="data:image/gif;base64,{base64.b64encode(gif).decode()}">'
    display({"text/html": picture, "text/plain": alt}, raw=True)
    return gif
