"""`make release`, `make grade`, `make feedback`, end to end: two small exercises made here, and the course's own."""

import csv
import json
import pathlib
import shutil
import sys
import time
import zipfile

import feedback
import grading
import marks
import nbformat
import notebooks
import pytest
import wall
from conftest import ROOT

pytestmark = pytest.mark.filterwarnings("default")  # nbgrader's own
DOUBLE = """### BEGIN SOLUTION
def double(x):
    return 2 * x


### END SOLUTION"""
HIDDEN = '### BEGIN HIDDEN TESTS\nassert double(5) == 10, f"double(5) gives {double(5)}"\n### END HIDDEN TESTS'
CELLS = {
    "setup": "import warnings",
    "q1": DOUBLE,
    "q1-check": f'assert double(3) == 6, f"double(3) gives {{double(3)}}"\n{HIDDEN}',
    "q2": "### BEGIN SOLUTION\nfour = double(2)\n### END SOLUTION",
    "q2-check": 'warnings.warn("this costs nothing")\nassert four == 4, f"four is {four}"',
    "q3-given": "y = 10",
    "q3": "### BEGIN SOLUTION\nz = y + 1\n### END SOLUTION",
    "q3-check": 'assert z == 11, f"z is {z}"',
}


def cell(name, source):
    solution, grade = "BEGIN SOLUTION" in source, name.endswith("-check")
    kind = dict(grade_id=name, cell_type="code", schema_version=3, task=False)
    kind |= dict(solution=solution, locked=not solution, grade=grade) | (dict(points=1) if grade else {})
    return nbformat.v4.new_code_cell(source, id=name, metadata={"nbgrader": kind})


@pytest.fixture(scope="module")
def course_of_two(tmp_path_factory):
    """A course with two exercises, 01_small and 02_small, released; yields the folder for submissions."""
    root = tmp_path_factory.mktemp("course")
    (root / "chapters/exercises").mkdir(parents=True)
    for name in "01_small", "02_small":
        cells = [nbformat.v4.new_markdown_cell("# Small", id="title"), *(cell(*item) for item in CELLS.items())]
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(notebook, root / f"chapters/exercises/{name}.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notebooks, "CHAPTERS", root / "chapters")
        patch.setattr(grading, "GRADING", root / "grading")
        patch.setenv("COURSE_GRADING", str(root / "grading"))
        grading.release()
        yield root / "submitted"


def hand_in(folder, student, changes=(), name="01_small", drop=(), edit=None):
    """A student's notebook: what was released, with some cells' sources replaced."""
    notebook = grading.released()[name]
    notebook.cells = [cell for cell in notebook.cells if grading.grade_id(cell) not in drop]
    for cell in notebook.cells:
        cell.source = dict(changes).get(grading.grade_id(cell), cell.source)
    if edit:
        edit(notebook)
    (folder / student).mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / student / f"{name}.ipynb")


RIGHT = {"q1": "def double(x):\n    return x + x", "q2": "four = 4", "q3": "z = 11"}


def cheat(notebook):
    """Every check made easy, moved, worth a hundred points, or no check any more."""
    for cell in notebook.cells:
        if "-check" in grading.grade_id(cell):
            cell.source = "assert True"
            cell.metadata.nbgrader.points = 100
    notebook.cells[3].metadata.nbgrader.grade_id = "q9-check"
    notebook.cells[5].metadata = {}
    notebook.cells[8].cell_type = "raw"
    del notebook.cells[8]["outputs"], notebook.cells[8]["execution_count"]
    notebook.cells.append(cell_again := notebook.cells[3].copy())
    cell_again.id = "again"


def split_in_two(notebook):
    """As JupyterLab's "Split Cell" does it: both halves keep the metadata. And imports above everything."""
    second = nbformat.v4.new_code_cell(
        "def double(x):\n    return x + x + three - three", metadata=notebook.cells[2].metadata
    )
    notebook.cells[2].source = "three = 3"
    notebook.cells[3:3] = [second, nbformat.v4.new_markdown_cell("what I thought")]
    notebook.cells.insert(0, nbformat.v4.new_code_cell("import math"))


def grade(folder, timeout=30):
    """{student: (points of 01_small, the report's text)} of all that were graded so far."""
    grading.grade(folder, timeout, trusted=wall.probe() is not None)
    points, report = {}, {}
    with (grading.GRADING / "grades.csv").open() as file:
        for row in csv.DictReader(file):
            assert row["max"] == "1" and row["question"] in ("q1", "q2", "q3")
            assert row["points"] == ("1" if row["state"] == "right" else "0") and row["state"] in marks.STATES
            if row["exercise"] == "01_small":
                points.setdefault(row["student"], []).append(int(row["points"]))
    for line in (grading.GRADING / "report.txt").read_text().split("\nSTUDENTS\n")[1].splitlines():
        if line[0] != " ":
            student = line.split(":")[0]
        report[student] = report.get(student, "") + line + "\n"
    return {student: (points[student], report[student]) for student in points}


@pytest.fixture(scope="module")
def graded(course_of_two):
    folder = course_of_two / "class"
    hand_in(folder, "right", RIGHT)
    hand_in(folder, "right", RIGHT, "02_small")
    hand_in(folder, "split", RIGHT, edit=split_in_two)
    hand_in(
        folder, "wrong", RIGHT | {"q1": "def double(x):\n    return 6", "q3": "z = 12", "q3-check": "assert z == 12"}
    )
    hand_in(folder, "blank")
    hand_in(folder, "cheat", edit=cheat)
    stub = "\nraise NotImplementedError"  # below the answer, or above it
    hand_in(folder, "leftover", {"q1": RIGHT["q1"] + stub, "q2": f"four = 5{stub}", "q3": f"{stub}\nz = 11"})
    hand_in(folder, "deleted", RIGHT, drop=("setup", "q1-check", "q2", "q3-given"))
    (folder / "broken").mkdir()
    (folder / "broken/01_small.ipynb").write_text('{"cells": [')
    (folder / "broken/02_small (1).ipynb").write_text("")
    (folder / "nothing/01_small.ipynb").mkdir(parents=True)
    hand_in(folder / "blank", "old")
    (folder / "read me.txt").write_text("not a student")
    return grade(folder)


@pytest.mark.parametrize(
    ("student", "points", "said"),
    [
        ("right", [1, 1, 1], "right: 6 points"),
        ("split", [1, 1, 1], "split: 3 points"),
        ("wrong", [0, 1, 0], "q1-check: AssertionError: double(5) gives 6"),
        ("wrong", [0, 1, 0], "q3-check was changed: the original counts"),
        ("blank", [0, 0, 0], "q1: blank"),
        ("blank", [0, 0, 0], "old/01_small.ipynb: a second one"),
        ("cheat", [0, 0, 0], "q1-check was missing: put back"),
        ("deleted", [1, 0, 1], "q2 was missing: blank"),
        ("broken", [0, 0, 0], "cannot be read as a notebook (JSONDecodeError: "),
        ("broken", [0, 0, 0], "02_small (1).ipynb: no exercise's name"),
        ("nothing", [0, 0, 0], "  01_small: not handed in"),
        ("leftover", [1, 0, 0], "q2-check: AssertionError: four is 5\n    q3: NotImplementedError"),
    ],
)
def test_marks_and_what_the_report_says(graded, student, points, said):
    assert graded[student][0] == points and said in graded[student][1], graded[student]


def test_each_folder_is_a_student_and_nothing_else(graded):
    assert len(graded) == 9


def test_the_report_begins_with_totals_and_with_each_question(graded):
    text = (grading.GRADING / "report.txt").read_text()
    points, questions, _ = text.split("\n\n")
    table = {line.split()[0]: line.split()[1:] for line in points.splitlines()[1:]}
    assert table["right"] == ["3", "3", "6"] and table["wrong"] == ["1", "-", "1"], text
    assert "  01 q1: 4 of 8 right; 1 wrong, 2 blank, 1 not graded\n    1 × double(5) gives 6\n" in questions, text
    assert "  02 q1: 1 of 1 right\n" in questions, text


def test_messages_that_differ_in_numbers_only_count_as_one():
    said = {"anna": "12.0", "ben": "7", "eva": "nan"}
    found = {(name, "01_a", "q1"): [0, "wrong", f"q1-check: AssertionError: {said[name]} pixels"] for name in said}
    lines = marks.questions(found, {"01_a": {"q1": 1}})
    assert lines[1:] == ["  01 q1: 0 of 3 right; 3 wrong", "    2 × 12.0 pixels", "    1 × nan pixels"]


def test_what_nobody_handed_in_is_no_row(course_of_two, tmp_path):
    answers = {"q1": [1, "right", ""], "q2": [0, "blank", ""], "q3": [0, "wrong", "q3-check: AssertionError: z is 12"]}
    record = {"02_small": {"answers": answers, "notes": []}, "other files": {"notes": []}}
    release = nbformat.read(course_of_two.parent / "grading/release/exercises/02_small.ipynb", 4)
    marks.write(tmp_path, {"anna": record}, {"01_small": release, "02_small": release})
    assert (tmp_path / "grades.csv").read_text().splitlines() == [
        "student,exercise,question,points,max,state",
        "anna,02_small,q1,1,1,right",
        "anna,02_small,q2,0,1,blank",
        "anna,02_small,q3,0,1,wrong",
    ]


@pytest.mark.long
@pytest.mark.parametrize(
    ("cells", "points", "said"),
    [
        ({"q2": "while True:\n    pass"}, [1, 0, 1], "q2: CellTimeoutError: stopped after 5 s"),
        (
            {"q3": "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"},
            [1, 1, 0],
            "q3: CellTime",
        ),
        ({"q2": "import os\nos._exit(7)"}, [1, 0, 0], "q2: NotRun: the kernel was lost in q2 (Kernel died); nothing"),
        ({"q2": "import os\nfour = 4\nos.kill(os.getppid(), 9)"}, [1, 1, 1], "q2: read it, it has os"),
        ({"q1": 'while True:\n    print("x" * 100000)'}, [0, 1, 1], "q1: CellTimeoutError: stopped after 5 s"),
        ({"q1": f"{RIGHT['q1']}\nfor i in range(9999): print('x' * 99999)"}, [1, 1, 1], "3 points"),
    ],
    ids=["loop", "stubborn", "exit", "murder", "flood", "much"],
)
def test_accidents_cost_nobody_else_s_marks(course_of_two, tmp_path, cells, points, said):
    if "getppid" in str(cells) and wall.probe():
        points, said = [0, 0, 0], "not graded: its process ended with -9"
    hand_in(tmp_path, "accident", RIGHT | cells)
    hand_in(tmp_path, "neighbour", RIGHT | {"q2": f"four = 4  # {said}"})  # not graded before
    found = grade(tmp_path, timeout=5)
    assert found["accident"][0] == points and said in found["accident"][1], found["accident"]
    assert found["neighbour"][0] == [1, 1, 1]
    assert max(path.stat().st_size for path in (grading.GRADING / "autograded").rglob("*.ipynb")) < 1e6


def test_released_notebooks_hold_no_solution(course_of_two):
    for path in (grading.GRADING / "release").rglob("*.ipynb"):
        alone = notebooks.without_solutions(nbformat.read(notebooks.CHAPTERS / "exercises" / path.name, 4))
        assert [cell.source for cell in alone.cells] == [cell.source for cell in nbformat.read(path, 4).cells]
        assert not {"SOLUTION", "HIDDEN", "double(5)"} & set(path.read_text().replace('"', " ").split())
        for cell in nbformat.read(path, 4).cells[1:]:
            assert cell.metadata.get("editable", True) == cell.metadata.nbgrader.solution


def test_the_course_for_students_has_released_notebooks_in_the_place_of_solved_ones(course_of_two):
    path = grading.GRADING / "release/course.zip"
    if not path.exists():
        pytest.skip("no repository of git's here to pack")
    with zipfile.ZipFile(path) as archive:
        names = {name.removeprefix("segmentation/"): name for name in archive.namelist()}
        exercises = sorted(name for name in names if name.startswith("chapters/exercises/") and name[-1] != "/")
        assert exercises == ["chapters/exercises/01_small.ipynb", "chapters/exercises/02_small.ipynb"]
        assert {"Makefile", "chapters/index.ipynb", "utils/__init__.py"} <= set(names)
        assert not [name for name in names if name.startswith("tests")]
        notebooks = [archive.read(names[name]) for name in names if name.endswith(".ipynb")]
    assert not any(word in text for text in notebooks for word in (b"### BEGIN SOLUTION", b"### BEGIN HIDDEN"))


def test_a_copy_without_solutions_stays_as_it_is():
    for path in notebooks.find(folder=ROOT / "chapters/exercises"):
        copy = notebooks.without_solutions(nbformat.read(path, 4))  # as `make exercises` writes it
        assert "SOLUTION" not in str(copy) and notebooks.without_solutions(copy.copy()) == copy, path.name


def test_what_comes_later_is_graded_and_the_rest_stays(graded, course_of_two, tmp_path, capsys):
    shutil.copytree(course_of_two / "class/right", tmp_path / "right")
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong/01_small.ipynb").write_text("")  # the better one of before counts no more
    hand_in(tmp_path, "blank", name="02_small")
    found = grade(tmp_path)
    assert "01_small: graded before, unchanged" in capsys.readouterr().out and found["right"] == graded["right"]
    assert found["wrong"][0] == [0, 0, 0] and not list((grading.GRADING / "autograded/wrong").rglob("*.ipynb"))
    assert found["blank"] != graded["blank"] and "not handed in" not in found["blank"][1]
    assert found["deleted"] == graded["deleted"]


def test_pages_for_students_load_nothing_from_a_network(graded):
    feedback.feedback()
    pages = {path.parts[-3]: path.read_text() for path in (grading.GRADING / "feedback").rglob("01_small.html")}
    assert {"right", "blank", "deleted"} <= set(pages)
    assert "q1</a>: blank, 0 of 1. </li>" in pages["blank"] and "Test cell" not in pages["blank"]
    assert "NotImplementedError" in pages["blank"] and "NotImplementedError" not in pages["right"]
    for page in pages.values():
        assert not any(f'{attribute}="http' in page for attribute in ("src", "href"))


def test_students_see_none_of_nbgrader_s_menus():
    ours = json.loads((ROOT / "tools/jupyter/jupyter_server_config.d/nbgrader.json").read_text())
    theirs = json.loads(pathlib.Path(sys.prefix, "etc/jupyter/jupyter_server_config.d/nbgrader.json").read_text())
    off, on = (settings["ServerApp"]["jpserver_extensions"] for settings in (ours, theirs))
    assert set(on) <= set(off) and not any(off.values())
    disabled = json.loads((ROOT / "tools/jupyter/labconfig/page_config.json").read_text())["disabledExtensions"]
    assert all((pathlib.Path(sys.prefix, "share/jupyter/labextensions") / name).is_dir() for name in disabled)


@pytest.mark.parametrize(
    ("make", "words", "message"),
    [
        ([], ["grade"], "None: no such folder"),
        ([], ["grade", "--submitted", "sub"], "sub: no such folder; expected one that has a folder for each student"),
        (["sub"], ["grade", "--submitted", "sub"], "release: nothing was released; `make release` comes first"),
    ],
)
def test_what_is_missing_is_said(tmp_path, monkeypatch, make, words, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(grading, "GRADING", tmp_path / "grading")
    monkeypatch.setattr(sys, "argv", ["grading.py", *words])
    for name in make:
        (tmp_path / name).mkdir()
    with pytest.raises(SystemExit, match=message):
        grading.main()


def test_a_folder_of_no_students_is_said(course_of_two, tmp_path, capsys):
    (tmp_path / "01_small.ipynb").write_text("whose?")
    with pytest.raises(SystemExit, match="no folders in it"):
        grading.grade(tmp_path, timeout=5)
    assert "01_small.ipynb: not graded, as it lies in no student's folder; put it into one" in capsys.readouterr().out


@pytest.mark.long
def test_the_solutions_get_all_points_in_ten_minutes(tmp_path, monkeypatch, report):
    monkeypatch.setattr(notebooks, "CHAPTERS", ROOT / "chapters")  # `course_of_two` of the tests above may still stand
    monkeypatch.setattr(grading, "GRADING", tmp_path / "grading")
    monkeypatch.setenv("COURSE_GRADING", str(tmp_path / "grading"))
    grading.release()
    (tmp_path / "submitted").mkdir()
    shutil.copytree(notebooks.CHAPTERS / "exercises", tmp_path / "submitted/anna")
    start = time.time()
    grading.grade(tmp_path / "submitted", timeout=300)
    seconds = time.time() - start
    report("one student's eleven notebooks, graded", f"{seconds:.0f} s")
    rows = list(csv.DictReader((tmp_path / "grading/grades.csv").open()))
    lost = [f"{row['exercise']} {row['question']}" for row in rows if float(row["points"]) < float(row["max"])]
    assert not lost, f"{lost}\n{(tmp_path / 'grading/report.txt').read_text()}"
    assert len(rows) > 40 and seconds < 600


def test_one_point_is_one_point():
    records = {
        name: {"05_x": {"answers": {"q1": (points, "right", "")}, "notes": []}, "other files": {"notes": []}}
        for name, points in (("anna", 1), ("ben", 2), ("chen", 0.5))
    }
    said = marks.students(records, {"05_x": {"q1": 2}})
    assert {"anna: 1 point", "ben: 2 points", "chen: 0.5 points"} < set(said)
