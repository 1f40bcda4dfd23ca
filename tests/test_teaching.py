"""docs/teaching.md: what it quotes stands in the exercises, what it counts on is there."""

import functools
import re

import marks
import nbformat
from conftest import ROOT

PAGE = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
EXERCISES = {path.name[:2]: path for path in sorted((ROOT / "chapters/exercises").glob("[0-9][0-9]_*.ipynb"))}


def part(heading):
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_messages_are_those_of_the_checks():
    rows = re.findall(r"(?m)^\| (\d\d) \| `([^|]+)` \|", part("Mistakes to expect"))
    assert len(rows) >= 15 and {number for number, _ in rows} == set(EXERCISES)
    for number, message in rows:
        assert message in EXERCISES[number].read_text(encoding="utf-8"), f"{number}: {message}"


def test_plans_have_every_chapter_and_name_questions_that_exist():
    for heading in "One day", "Six weeks":
        assert set(re.findall(r"\b\d\d\b", part(heading))) >= set(EXERCISES), heading
    for number, questions in re.findall(r"\b(\d\d): (\d(?: and \d)?)", PAGE):
        cells = nbformat.read(EXERCISES[number], 4).cells
        for question in questions.split(" and "):
            assert any(cell.source.startswith(f"## {question}. ") for cell in cells), f"{number}: {question}"


def test_written_answers_are_those_of_the_notebooks():
    asked = {
        (number, re.search(r"q(\d)", cell.metadata.nbgrader.grade_id).group(1))
        for number, path in EXERCISES.items()
        for cell in nbformat.read(path, 4).cells
        if re.search(r"(?m)^(answer|what_helped) = ", cell.source)
    }
    line = next(line for line in PAGE.splitlines() if line.startswith("- Written answers"))
    assert set(re.findall(r"(\d\d): (\d)", line)) == asked


@functools.cache
def anchors(path):
    """The headings of a page or notebook, as links name them."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join(cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown")
    headings = re.findall(r"(?m)^#+ (.*)$", text)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_weeks_have_two_hours():
    weeks = re.split(r"\n### Week \d: ", part("Six weeks"))[1:]
    assert [sum(map(int, re.findall(r"(?m)^\| (\d+) \|", week))) for week in weeks] == [120] * 6


def test_states_of_marks_are_explained():
    line = PAGE.split("- **`grades.csv`**")[1].split("- **`report.txt`**")[0]
    assert set(re.findall(r"\*([a-z ]+)\*", line)) == set(marks.STATES)


def test_links_and_names_lead_somewhere():
    for target, anchor in re.findall(r"\]\(([^)#]+)(?:#([^)]+))?\)", PAGE):
        path = (ROOT / "docs" / target).resolve()
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), f"{target}#{anchor}"
    assert "](docs/teaching.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"(?m)^([a-z-]+):.*## ", (ROOT / "Makefile").read_text())
    assert set(re.findall(r"`?make ([a-z]+)", PAGE)) - {"each", "of"} <= set(targets)


def test_the_limit_is_the_one_of_the_configuration():
    assert "c.Isolated.timeout = 300" in (ROOT / "tools/nbgrader_config.py").read_text()
    assert "more than five minutes is stopped" in PAGE.replace("\n", " ")
