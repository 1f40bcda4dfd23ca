"""The figure: each ratio beside what it should reach, and cost against size."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from . import report
from .plan import TARGETS

REACHED, MISSED, MARK = "#0072b2", "#d55e00", "black"  # apart for the colour-blind too


def draw(path, rows):
    """Bars of ratios with their targets, above; time and memory against megapixels, below."""
    figure, axes = plt.subplots(2, 2, figsize=(13, 9), gridspec_kw={"height_ratios": [1.2, 1]}, layout="constrained")
    _bars(axes[0, 0], rows, ">=", "How many times faster (at least the mark wanted)")
    _bars(axes[0, 1], rows, "<=", "How many times the cost (at most the mark wanted)")
    for axis, kind in zip(axes[1], ("time", "memory"), strict=True):
        _curves(axis, rows, kind)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _bars(axis, rows, sense, title):
    labels = []
    for target in TARGETS:
        *_, found = report.ratios(rows, target)
        if not found or target.under is None or target.bound is None or target.sense != sense:
            continue
        median, low, high = report.summary(found)
        color = REACHED if report.reached(target, median) else MISSED
        place = len(labels)
        axis.barh(place, median, color=color, xerr=[[median - low], [high - median]], capsize=3)
        axis.plot([target.bound] * 2, [place - 0.45, place + 0.45], color=MARK, linewidth=2.5)
        axis.annotate(f" {median:.2f}", (max(high, target.bound), place), va="center")
        labels.append(target.text)
    axis.set_yticks(range(len(labels)), labels)
    axis.invert_yaxis()
    axis.axvline(1, color="grey", linewidth=0.8, linestyle=":")
    axis.set(title=title, xlabel="median of the rounds' ratios, with quartiles; blue: reached, orange: not")
    axis.margins(x=0.12)


def _curves(axis, rows, kind):
    for side, color in ("course, step", REACHED), ("course, prediction", MISSED):
        points = report.curve(rows, side)
        for square, growing, mark in (True, "image", "o-"), (False, "batch", "s--"):
            mine = [point for point in points if _is_square(point[0]) == square]
            x = [pixels for _, pixels, _, _ in mine]
            y = [seconds[0] if kind == "time" else megabytes for *_, seconds, megabytes in mine]
            axis.plot(x, y, mark, color=color, label=f"{side.split(', ')[1]}, growing {growing}", markersize=5)
    unit = "seconds" if kind == "time" else "MB above the framework"
    axis.set(title=f"FCN-32s: {kind} against size", xlabel="megapixels in the batch", ylabel=unit)
    axis.set(xlim=(0, None), ylim=(0, None))
    axis.legend()


def _is_square(task):
    return task.split(" × ")[1] == task.split(" × ")[2]
