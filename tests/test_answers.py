"""Kept answers to the exercises: right ones pass the checks, wrong ones are refused with a message that teaches.

answers/NN_….py holds them in blocks, each under a line `# %% 2 wrong: what is wrong | words of the message` or
`# %% 2 right: by a loop`; 2 is the question. A block stands in the place of the solution.
"""

import utils

import contextlib
import io
import re
import time
import typing

import nbformat
import notebooks
import pytest
from conftest import ROOT

EXERCISES = notebooks.find(folder=notebooks.CHAPTERS / "exercises")
EACH_EXERCISE = pytest.mark.parametrize("path", EXERCISES, ids=lambda path: path.stem)
HEADER = re.compile(r"(?m)^# %% (?P<question>\d) (?P<verdict>right|wrong): (?P<what>[^|\n]+?)(?: \| (?P<message>.+))?$")
SOLUTION = re.compile(r"(?ms)^### BEGIN SOLUTION$.*?^### END SOLUTION$")


class Answer(typing.NamedTuple):
    question: int
    verdict: str
    what: str
    message: str  # words of the check's message; of wrong answers only
    code: str


def answers(path):
    """The kept answers to one notebook, in the order of the file."""
    file = ROOT / "tests" / "answers" / f"{path.stem.removesuffix('_exercises')}.py"
    parts = re.split(r"(?m)^(?=# %% )", file.read_text(encoding="utf-8"))[1:]
    found = []
    for part in parts:
        line, _, code = part.partition("\n")
        header = HEADER.fullmatch(line)
        assert header, f"{file.name}: {line!r}; expected '# %% 2 wrong: what | message' or '# %% 2 right: what'"
        found.append(Answer(int(header["question"]), header["verdict"], header["what"], header["message"] or "", code))
    return found


def questions(path):
    """Question → its code cells; 0 has what stands before the first."""
    found = {}
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "code":
            name = cell.metadata.nbgrader.grade_id
            found.setdefault(int(name[1]) if name != "setup" else 0, []).append(cell)
    return found


def run(source, name, namespace):
    """A cell's code in `namespace`; what it prints is not of interest here."""
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(source, name, "exec"), namespace)


def verdict(answer, cells, namespace):
    """What is wrong with how the check judges an answer, as a sentence; None if nothing is."""
    utils.seed(0)
    first, *between, check = cells
    assert SOLUTION.search(first.source) and check.metadata.nbgrader.grade
    try:
        run(SOLUTION.sub(lambda _: answer.code, first.source), answer.what, namespace)
        for cell in between:
            run(cell.source, cell.id, namespace)
    except Exception as error:  # whatever an answer may raise
        return f"stops before its check: {error!r}"
    try:
        run(check.source, "check", namespace)
    except AssertionError as error:
        if answer.verdict == "right":
            return f"is right, and refused: {error}"
        return None if answer.message in str(error) else f"is refused with {str(error)!r}"
    except Exception as error:
        return f"makes the check stop with {error!r} in place of an assertion"
    return None if answer.verdict == "right" else "is wrong, and passes"


@EACH_EXERCISE
def test_each_question_has_two_wrong_answers_and_a_right_one(path):
    kept = answers(path)
    for question in sorted(set(questions(path)) - {0}):
        wrong = [answer for answer in kept if (answer.question, answer.verdict) == (question, "wrong")]
        right = [answer for answer in kept if (answer.question, answer.verdict) == (question, "right")]
        assert len(wrong) >= 2 and right, f"question {question}: {len(wrong)} wrong, {len(right)} right answers"
        assert any("hard-coded" in answer.what for answer in wrong), f"question {question}: none is hard-coded"
        assert all(len(answer.message) >= 10 for answer in wrong), f"question {question}: words of each message"
    assert {answer.question for answer in kept} <= set(questions(path))


@pytest.mark.long
@pytest.mark.filterwarnings("default")
@EACH_EXERCISE
def test_answers(path, report, monkeypatch):
    monkeypatch.chdir(path.parent)
    kept, namespace, faults = answers(path), {"__name__": "__main__"}, []
    for question, cells in sorted(questions(path).items()):
        while cells and "### BEGIN SOLUTION" not in cells[0].source:
            run(cells[0].source, cells[0].id, namespace)
            cells = cells[1:]
        for answer in kept:
            if answer.question == question:
                start, fault = time.time(), verdict(answer, cells, dict(namespace))
                report(f"{path.stem} {question} {answer.verdict}: {answer.what}", f"{time.time() - start:.1f} s")
                faults += [f"{question} {answer.verdict}: {answer.what}: {fault}"] if fault else []
        utils.seed(0)
        for cell in cells:
            run(cell.source, cell.id, namespace)
    assert not faults, "\n".join(faults)
