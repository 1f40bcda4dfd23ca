"""The five questions at each chapter's end: their form, their numbers computed anew, the sections that answers name."""

import utils  # noqa: F401

import collections
import importlib.util
import re

import nbformat
import notebooks
import pytest
from conftest import ROOT

EACH_CHAPTER = pytest.mark.parametrize("path", notebooks.find(), ids=lambda path: path.stem)
INTRO = "## Check yourself\n\nFive questions. Choose an answer, then open it.\n\n"
CHOICE = re.compile(r"<details><summary>(.+?)</summary>\n\n\*\*(Right|No)\.\*\* (.+?)\n\n</details>\n?", re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
Question = collections.namedtuple("Question", "text choices")
Choice = collections.namedtuple("Choice", "summary right answer")


def _quiz(path):
    (cell,) = filter(notebooks.is_quiz, nbformat.read(path, 4).cells)
    return cell


def _questions(path):
    """The five of a chapter; what is none of their parts would be lost, so there must be none."""
    source = _quiz(path).source
    assert source.startswith(INTRO)
    numbers, questions = [], []
    for part in re.split(r"(?m)^(?=\*\*\d\.\*\* )", source[len(INTRO) :])[1:]:
        number, text = re.match(r"\*\*(\d)\.\*\* (.+?)\n\n(?=<details>)", part, re.DOTALL).groups()
        choices = [Choice(summary, word == "Right", answer) for summary, word, answer in CHOICE.findall(part)]
        rest = CHOICE.sub("", part).replace(f"**{number}.** {text}", "")
        assert not rest.strip(), f"question {number}: neither question nor choice: {rest.strip()[:100]!r}"
        numbers.append(number)
        questions.append(Question(text, choices))
    assert numbers == list("12345")
    return questions


def _numbers(summary):
    """The numbers in a choice, as they are printed: ["21", "0.50"]."""
    plain = re.sub(r"</?code>", "", summary).replace("−", "-")
    return NUMBER.findall(re.sub(r"(?<=\d),(?=\d{3})", "", plain))


def _is_number(summary):
    return bool(re.match(r"[(\[]?[-−]?\d", summary.replace("<code>", "")))


def _printed(value, like):
    """A number or several, each with as many decimals as the one it is compared with."""
    values = value if isinstance(value, tuple) else (value,)
    return [f"{v:.{len(as_printed.partition('.')[2])}f}" for v, as_printed in zip(values, like, strict=True)]


def _computed(path):
    """tests/quiz/NN.py as a module."""
    file = ROOT / "tests" / "quiz" / f"{path.name[:2]}.py"
    spec = importlib.util.spec_from_file_location(f"quiz_{file.stem}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _headings(path):
    text = "\n".join(cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown")
    return set(re.findall(r"(?m)^###? (.*)$", text))


@EACH_CHAPTER
def test_the_quiz_stands_before_the_summary(path):
    cells = nbformat.read(path, 4).cells
    place = cells.index(_quiz(path))
    assert _quiz(path).id == "quiz" and cells[place + 1].source.startswith("## Summary\n")
    assert sum("## Check yourself" in cell.source for cell in cells) == 1


@EACH_CHAPTER
def test_each_question_has_one_right_choice_and_each_choice_an_answer(path):
    for number, (text, choices) in enumerate(_questions(path), 1):
        assert "?" in text or text.endswith(":"), f"question {number} asks nothing"
        assert len(choices) in (3, 4) and sum(choice.right for choice in choices) == 1, f"question {number}"
        assert len({choice.summary for choice in choices}) == len(choices), f"question {number}"
        for summary, _, answer in choices:
            where = f"question {number}, {summary!r}"
            assert not re.search(r"[$`*]|\n", summary), f"{where}: a choice is HTML, in which Markdown isn't read"
            assert 8 <= len(answer.split()) <= 45, f"{where}: {len(answer.split())} words"
            for sentence in re.split(r"(?<=[.:?!])\s+", answer):
                assert len(sentence.split()) <= 25, f"{where}: {sentence}"


@EACH_CHAPTER
def test_the_right_choice_is_told_by_neither_place_nor_length(path):
    places, longest = collections.Counter(), 0
    for _, choices in _questions(path):
        lengths = [len(re.sub(r"<.*?>", "", choice.summary)) for choice in choices]
        place = next(i for i, choice in enumerate(choices) if choice.right)
        places[place] += 1
        longest += lengths[place] > max(lengths[:place] + lengths[place + 1 :])
    assert max(places.values()) <= 2, f"places of the right ones: {dict(places)}"
    assert longest <= 2, f"the right choice is the longest in {longest} of 5 questions"


@EACH_CHAPTER
def test_numbers_are_those_that_are_computed(path):
    """Right ones by tests/quiz/NN.py, wrong ones by the mistake that they stand for, where it says how."""
    module, numbers = _computed(path), 0
    for number, (_, choices) in enumerate(_questions(path), 1):
        right = next(choice.summary for choice in choices if choice.right)
        if compute := getattr(module, f"question_{number}", None):
            assert _numbers(right) == _printed(compute(), _numbers(right)), f"question {number}"
        assert compute or not _is_number(right), f"question {number}: {right} isn't computed"
        numbers += _is_number(right)
        if mistakes := getattr(module, f"mistakes_{number}", None):
            wrong = [choice.summary for choice in choices if not choice.right]
            for summary, value in zip(wrong, mistakes(), strict=True):
                assert value is None or _numbers(summary) == _printed(value, _numbers(summary)), summary
                assert value is None or _numbers(summary) != _numbers(right), f"{summary} is right, too"
    assert numbers >= 2


@EACH_CHAPTER
def test_sections_that_answers_name_are_there(path):
    source = _quiz(path).source
    for heading, number in notebooks.SECTION.findall(source):
        where = notebooks.find(number)[0] if number else path
        assert heading in _headings(where), f"{path.name}: See *{heading}*"
        assert where.name <= path.name, f"{path.name} sends to chapter {number}, which comes later"
    text = re.sub(r"```.*?```|`.*?`", "", notebooks.SECTION.sub("", source), flags=re.DOTALL)
    assert not re.search(r"(?<!\*)\*(?!\*)", text), "italics that name no section"


def test_a_wrong_number_is_found():
    assert _numbers("(1, 21, <code>12</code>)") == ["1", "21", "12"] and _numbers("1,234.50 m") == ["1234.50"]
    assert _printed((0.125, -3), ["0.12", "-3"]) == ["0.12", "-3"] and _printed(7, ["8"]) == ["7"]


def test_reading_times_leave_the_questions_out():
    text, code = nbformat.v4.new_markdown_cell("word " * 1000), nbformat.v4.new_code_cell("x = 1\n" * 100)
    quiz = nbformat.v4.new_markdown_cell("word " * 2000, metadata={"tags": ["quiz"]})
    times = [notebooks.times(5, nbformat.v4.new_notebook(cells=cells)) for cells in ([text, code], [text, code, quiz])]
    assert times[0] == times[1] and "about 20 minutes to read" in times[0]


@pytest.mark.filterwarnings("default")
def test_questions_stay_when_a_chapter_is_executed_or_made_a_students_copy():
    path = notebooks.find()[0]
    notebook = nbformat.read(path, 4)
    notebook.cells = [notebook.cells[0], _quiz(path)]
    assert notebooks.without_solutions(notebook).cells[1] == _quiz(path)
    assert notebooks.execute(notebook, path.parent) is None
    assert notebook.cells[1] == _quiz(path)
