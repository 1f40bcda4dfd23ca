"""Writes what `make grade` found: grading/grades.csv and grading/report.txt.

A student's record has for each exercise handed in its `answers`, question → [points, state, message], and `notes`.
What students wrote, names of folders and files among it, passes through `visible`, and into the CSV through
`for_spreadsheet`.
"""

import collections
import csv
import re

STATES = ["right", "wrong", "blank", "crashed", "stopped", "not graded", "not handed in"]


def visible(text, keep="", most=None):
    """A stranger's text that is safe to print: what can't be seen as itself is an escape, such as \\x1b or \\u202e.

    So no text moves the cursor of a terminal, begins a line, runs from right to left, or can't be written as UTF-8.
    keep: characters that stay, such as newlines. most: characters of the text that are shown, of a longer one.
    """
    shown = text if most is None else text[:most]
    seen = "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in shown)
    return seen + " …" * (len(shown) < len(text))


def for_spreadsheet(name):
    """A name for a spreadsheet: an apostrophe before what it would take for a formula, at the start or after ; or ,."""
    return re.sub(r"(^|[;,|]\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])", r"\1'", visible(name))


def points_of(notebook):
    """Question → points that it is worth."""
    graded = [cell.metadata.nbgrader for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    return {kind.grade_id.removesuffix("-check"): kind.points for kind in graded}


def handed_in(records, releases):
    """{exercise: {question: points that it is worth}} of those that anybody handed in."""
    return {name: points_of(releases[name]) for name in releases if any(name in record for record in records.values())}


def write(folder, records, releases):
    """Write grades.csv and report.txt of {student: record}, with the exercises that anybody handed in."""
    worth = handed_in(records, releases)
    none = [0, "not handed in", ""]
    marks = {
        (student, name, question): record.get(name, {}).get("answers", {}).get(question, none)
        for student, record in records.items()
        for name in worth
        for question in worth[name]
    }
    with (folder / "grades.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("student", "exercise", "question", "points", "max", "state"))
        for (student, name, question), (points, state, _) in marks.items():
            rows.writerow((for_spreadsheet(student), name, question, f"{points:g}", worth[name][question], state))
    parts = points_table(marks, records, worth), questions(marks, worth), students(records, worth)
    text = "\n\n".join("\n".join(map(visible, lines)) for lines in parts)
    (folder / "report.txt").write_text(text + "\n", encoding="utf-8")


def number_of(name):
    return name.split("_")[0]


def points_table(marks, records, worth):
    """Students × exercises."""
    width = max(len(visible(student)) for student in [*records, "POINTS"])
    head = [f"{number_of(name)} ({sum(worth[name].values()):g})" for name in worth]
    lines = [f"{'POINTS':{width}}" + "".join(f"{cell:>9}" for cell in [*head, "all"])]
    for student, record in records.items():
        sums = {name: sum(marks[student, name, question][0] for question in worth[name]) for name in worth}
        cells = [f"{sums[name]:g}" if name in record else "-" for name in worth]
        lines.append(
            f"{visible(student):{width}}" + "".join(f"{cell:>9}" for cell in [*cells, f"{sum(sums.values()):g}"])
        )
    return lines


def questions(marks, worth):
    """How each question went, and its commonest messages; those that differ in numbers only count as one."""
    lines = ["QUESTIONS, of those who handed them in"]
    asked = [(name, question) for name in worth for question in worth[name]]
    for name, question in asked:
        found = [mark for key, mark in marks.items() if key[1:] == (name, question) and mark[1] != "not handed in"]
        states = collections.Counter(state for _, state, _ in found)
        others = ", ".join(f"{states[state]} {state}" for state in STATES[1:] if states[state])
        right = f"{states['right']} of {len(found)} right"
        lines.append(f"  {number_of(name)} {question}: {right}{others and '; '}{others}")
        alike = collections.defaultdict(list)
        for _, _, message in found:
            alike[re.sub(r"\d[\d.]*", "0", message)].append(message)
        alike.pop("", None)
        for messages in sorted(alike.values(), key=len, reverse=True)[:3]:
            lines.append(f"    {len(messages)} × {short(messages[0])[:100]}")
    return lines


def short(message):
    """A check's own words, without the cell's name."""
    return re.sub(r"^\S+: (AssertionError: )?", "", message)


def students(records, worth):
    """For each student what failed, by which message, and what was amiss with the files."""
    lines = ["STUDENTS"]
    for student, record in records.items():
        answers = {name: record[name]["answers"] for name in worth if name in record}
        total = sum(points for found in answers.values() for points, _, _ in found.values())
        lines.append(f"{student}: {total:g} point{'' if total == 1 else 's'}")
        for name in worth:
            if name not in answers:
                lines.append(f"  {name}: not handed in")
                continue
            got = sum(points for points, _, _ in answers[name].values())
            lines.append(f"  {name}: {got:g} of {sum(worth[name].values()):g}")
            lines += [f"    {note}" for note in record[name]["notes"]]
            for question, (_, state, message) in answers[name].items():
                if message or state == "blank":
                    lines.append(f"    {message or f'{question}: blank'}")
        lines += [f"  {note}" for note in record["other files"]["notes"]]
    return lines
