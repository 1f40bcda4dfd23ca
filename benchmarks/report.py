"""From measurements to ratios, the table in README.md and the figure."""

import csv

import numpy as np

from .plan import TARGETS

COLUMNS = ["part", "task", "side", "round", "seconds", "items", "megabytes", "elsewhere", "date"]
NUMBERS = COLUMNS[3:8]
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def read(path):
    """({what: value} of the run, [row]) of a results.csv: lines `# what: value`, then a table."""
    lines = path.read_text(encoding="utf-8").splitlines()
    about = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
    rows = list(csv.DictReader(line for line in lines if not line.startswith("# ")))
    return about, [row | {name: float(row[name]) for name in NUMBERS} for row in rows]


def write(path, about, rows):
    """The inverse of `read`."""
    beside = path.with_suffix(".part")
    with beside.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"# {what}: {value}\n" for what, value in about.items())
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(row | {name: f"{row[name]:.6g}" for name in NUMBERS} for row in rows)
    beside.replace(path)


# ---- Ratios ----


def values(rows, part, task, side, kind="seconds"):
    """{round: seconds an item, or megabytes} of one side."""
    mine = [row for row in rows if (row["part"], row["task"], row["side"]) == (part, task, side)]
    return {row["round"]: row["seconds"] / row["items"] if kind == "seconds" else row["megabytes"] for row in mine}


def fastest(rows, part, task, name):
    """The side of that name, or, where it ends in *, the one of the least median among those that begin so."""
    sides = {row["side"] for row in rows if (row["part"], row["task"]) == (part, task)}
    sides = [side for side in sides if side == name or name.endswith("*") and side.startswith(name[:-1])]
    return min(sides, key=lambda side: np.median(list(values(rows, part, task, side).values())), default=None)


def ratios(rows, target):
    """The sides compared, and one value a round: what `over` took by what `under` took in the same round."""
    over = fastest(rows, target.part, *target.over)
    above = values(rows, target.part, target.over[0], over, target.kind)
    if target.under is None:
        return over, None, list(above.values())
    under = fastest(rows, target.part, *target.under)
    below = values(rows, target.part, target.under[0], under, target.kind)
    return over, under, [above[number] / below[number] for number in sorted(above.keys() & below.keys())]


def summary(numbers):
    """Median, lower and upper quartile."""
    return tuple(float(value) for value in np.percentile(numbers, [50, 25, 75]))


def reached(target, median):
    """Whether a median is what the target wants; None where it wants nothing."""
    if target.bound is None:
        return None
    return median >= target.bound if target.sense == ">=" else median <= target.bound


# ---- The table ----


def tables(about, rows):
    """Markdown: the run, targets, medians, and cost against size."""
    text = ["; ".join(f"{what}: {value}" for what, value in about.items()) + ".", "", *_targets(rows), ""]
    return "\n".join([*text, *_medians(rows), "", *_sizes(rows)]).rstrip() + "\n"


def _targets(rows):
    yield "| what is divided by what | median of the rounds (quartiles) | to reach | reached | fastest of several |"
    yield "|---|---|---|---|---|"
    for target in TARGETS:
        over, under, found = ratios(rows, target)
        if not found:
            yield f"| {target.text} | not measured | {_bound(target)} | | |"
            continue
        median, low, high = summary(found)
        digits = 0 if median >= 100 else 2
        spread = f" ({low:.{digits}f} to {high:.{digits}f})" if len(found) > 1 else ""
        verdict = {None: "", True: "yes", False: "**no**"}[reached(target, median)]
        sides = over if target.over[1].endswith("*") else ""
        yield f"| {target.text} | {median:.{digits}f}{spread} | {_bound(target)} | {verdict} | {sides} |"


def _bound(target):
    return "" if target.bound is None else f"{'≥' if target.sense == '>=' else '≤'} {target.bound:g}"


def _sides(rows, keep):
    """Rows of each (part, task, side) in the order in which they were first measured."""
    found = {}
    for row in rows:
        if keep(row["part"]):
            found.setdefault((row["part"], row["task"], row["side"]), []).append(row)
    return found.items()


def _medians(rows):
    yield "| part | task | side | ms an item, median (quartiles) | items/s | MB | cores busy elsewhere |"
    yield "|---|---|---|---|---|---|---|"
    for (part, task, side), mine in _sides(rows, lambda part: part != "size"):
        median, low, high = (1000 * value for value in summary([row["seconds"] / row["items"] for row in mine]))
        numbers = f"{median:.4g} ({low:.4g} to {high:.4g}) | {1000 / median:.4g}"
        elsewhere = np.median([row["elsewhere"] for row in mine])
        megabytes = max(row["megabytes"] for row in mine)
        yield f"| {part} | {task} | {side} | {numbers} | {megabytes:.0f} | {elsewhere:.2f} |"


def megapixels(task):
    """Of a batch that is named `8 × 320 × 480`."""
    return np.prod([int(number) for number in task.split(" × ")]) / 1e6


def curve(rows, side):
    """Megapixels, (median, lower, upper) seconds of a call, and megabytes, of each task in the part `size`."""
    found = [(task, mine) for (_, task, name), mine in _sides(rows, lambda part: part == "size") if name == side]
    return [
        (
            task,
            megapixels(task),
            summary([row["seconds"] for row in mine]),
            np.median([row["megabytes"] for row in mine]),
        )
        for task, mine in found
    ]


def _sizes(rows):
    yield "| FCN-32s: images × height × width | side | ms | ms a megapixel | MB | MB a megapixel |"
    yield "|---|---|---|---|---|---|"
    for side in sorted({row["side"] for row in rows if row["part"] == "size"}, reverse=True):
        for task, pixels, (seconds, _, _), megabytes in curve(rows, side):
            time = f"{1000 * seconds:.0f} | {1000 * seconds / pixels:.0f}"
            yield f"| {task} | {side} | {time} | {megabytes:.0f} | {megabytes / pixels:.0f} |"
    yield ""
    yield from _lines(rows)


def _lines(rows):
    """How straight the curves are: a line through each by least squares."""
    yield "| a line through all sizes | start | for each megapixel | R² |"
    yield "|---|---|---|---|"
    for side in sorted({row["side"] for row in rows if row["part"] == "size"}, reverse=True):
        _, pixels, seconds, megabytes = zip(*curve(rows, side), strict=True)
        for values, unit in ([1000 * median for median, _, _ in seconds], "ms"), (megabytes, "MB"):
            slope, start = np.polyfit(pixels, values, 1)
            with np.errstate(invalid="ignore"):  # of values that are all the same: nan
                straight = np.corrcoef(pixels, values)[0, 1] ** 2
            yield f"| {side} | {start:.0f} {unit} | {slope:.0f} {unit} | {straight:.3f} |"


def into_readme(path, text):
    """Put the tables between the two marks of a README."""
    before, rest = path.read_text(encoding="utf-8").split(BEGIN)
    path.write_text(f"{before}{BEGIN}\n{text}{END}{rest.split(END)[1]}", encoding="utf-8")
