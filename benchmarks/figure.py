"""The figure: each ratio beside what it should reach, and cost against size."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from . import report
from .plan import TARGETS

REACHED, MISSED = "#0072b2", "#d55e00"  # apart for the colour-blind too


def draw(path, rows):
    """Bars from 1: each ratio as a share of what it should reach, above; time and memory against megapixels, below."""
    figure = plt.figure(figsize=(14, 9), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[1.1, 1])
    left, right = above.subplots(1, 2)
    _bars(left, rows, ">=", "Times as fast: right of the line is wanted")
    _bars(right, rows, "<=", "Times the cost: left of the line is wanted")
    for axis, kind in zip(below.subplots(1, 2), ("time", "memory"), strict=True):
        _curves(axis, rows, kind)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _bars(axis, rows, sense, title):
    labels = []
    for target in TARGETS:
        *_, found = report.ratios(rows, target)
        if not found or target.under is None or target.bound is None or target.sense != sense:
            continue
        median, low, high = (value / target.bound for value in report.summary(found))
        color = REACHED if report.reached(target, median * target.bound) else MISSED
        place, errors = len(labels), [[median - low], [high - median]]
        axis.plot([1, median], [place, place], color=color, linewidth=6, solid_capstyle="butt", alpha=0.4)
        axis.errorbar(median, place, xerr=errors, fmt="o", color=color, capsize=3)
        axis.annotate(f"  {median * target.bound:.2f}", (max(high, 1), place), va="center")
        labels.append(f"{target.text}\n{'at least' if sense == '>=' else 'at most'} {target.bound:g}")
    axis.set_yticks(range(len(labels)), labels, fontsize=8)
    axis.invert_yaxis()
    axis.axvline(1, color="black", linewidth=2)
    axis.set_title(title, fontsize=11)
    axis.set_xlabel("ratio ÷ target, median and quartiles; blue: reached", fontsize=9)
    if sense == ">=":
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter("{x:g}")
    axis.margins(x=0.25, y=0.1)
    axis.grid(axis="x", alpha=0.3)


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
