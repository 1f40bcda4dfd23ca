"""Releases and grades the exercises with nbgrader: `make release`, `make grade`, `make feedback` call this.

release   what students get, in grading/release/exercises: no solutions, no hidden tests, checks locked
grade     FOLDER/STUDENT/NN_….ipynb by what was released: grading/grades.csv and grading/report.txt
feedback  a page for each graded notebook, grading/feedback/STUDENT/exercises/NN_….html

Each notebook is executed in a process of its own, with limits of time and output. That keeps accidents apart; it is
no wall against malice (docs/teaching.md).
"""

import argparse
import contextlib
import copy
import csv
import hashlib
import json
import logging
import os
import pathlib
import re
import shutil
import sys

import course
import nbformat
import psutil

GRADING = pathlib.Path(os.environ.get("COURSE_GRADING", course.ROOT / "grading")).resolve()
EXERCISES = "exercises"  # nbgrader's name for all of them: one assignment


def tool(name, student="*", notebook="*", timeout=None):
    """One of nbgrader's converters on grading/, for one or all students and notebooks."""
    from nbgrader import converters
    from nbgrader.coursedir import CourseDirectory

    GRADING.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(filename=GRADING / "grading.log", level=logging.INFO)
    os.environ["PATH"] = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"  # nbgrader calls alembic
    config = course.nbgrader_config()
    if timeout:
        config.Isolated.timeout = timeout
    folder = CourseDirectory(config=config, root=str(GRADING), student_id=student, notebook_id=notebook)
    folder.assignment_id = EXERCISES
    return getattr(converters, name)(coursedir=folder, config=config, force=True)


def gradebook():
    from nbgrader.api import Gradebook

    return Gradebook(f"sqlite:///{GRADING / 'gradebook.db'}")


def release():
    """Make the students' notebooks anew from chapters/exercises, and remember their checks for grading."""
    source = GRADING / "source" / EXERCISES
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    for path in course.find(folder=course.CHAPTERS / "exercises"):
        shutil.copy(path, source)
    tool("GenerateAssignment").start()
    print(f"{len(released())} notebooks for students are in {show(GRADING / 'release' / EXERCISES)}")


def released():
    """Name → notebook of all that was released."""
    paths = sorted((GRADING / "release" / EXERCISES).glob("*.ipynb"))
    return {path.stem: nbformat.read(path, 4) for path in paths}


def grade_id(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def checks(notebook):
    """Question → points that it is worth."""
    graded = [cell.metadata.nbgrader for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    return {kind.grade_id.removesuffix("-check"): kind.points for kind in graded}


def rebuilt(submission, release):
    """The released notebook with the student's solutions, and further cells, in their places; and what was amiss."""
    notebook, notes = copy.deepcopy(release), []
    names, texts = {grade_id(cell) for cell in release.cells}, {cell.source for cell in release.cells}
    mine, further, place = {}, {}, ""
    for cell in submission.cells:
        name = grade_id(cell)
        if name and name in names and name not in mine:
            mine[name], place = cell.source, name
        elif cell.cell_type == "code":
            further.setdefault(place, []).append(nbformat.v4.new_code_cell(cell.source))
        elif cell.cell_type == "markdown" and cell.source not in texts:
            further.setdefault(place, []).append(nbformat.v4.new_markdown_cell(cell.source))
    notebook.cells = further.get("", [])
    for cell in copy.deepcopy(release.cells):
        notebook.cells.append(cell)
        if not (name := grade_id(cell)):
            continue
        if name not in mine:
            notes.append(f"{name} was missing: " + ("blank" if cell.metadata.nbgrader.solution else "put back"))
        elif cell.metadata.nbgrader.solution:
            cell.source = mine[name]
        elif cell.source.split() != mine[name].split():
            notes.append(f"{name} was changed: the original counts")
        notebook.cells += further.get(name, [])
    return notebook, notes


def grade_notebook(student, name, path, release, timeout):
    """Question → points of one notebook, and sentences on what went wrong."""
    points = dict.fromkeys(checks(release), 0)
    if path is None:
        return points, ["not handed in"]
    try:
        notebook, notes = rebuilt(nbformat.read(path, 4), release)
    except Exception as error:  # whatever a file may hold
        return points, [f"cannot be read as a notebook ({type(error).__name__}: {str(error)[:100]}): ask for it again"]
    submitted = GRADING / "submitted" / student / EXERCISES / f"{name}.ipynb"
    submitted.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, submitted)
    error = in_a_process(student, name, timeout)
    graded = GRADING / "autograded" / student / EXERCISES / f"{name}.ipynb"
    if error or not graded.exists():
        return points, [*notes, f"not graded: {error or 'nbgrader gave up'}. {show(GRADING / 'grading.log')} has more"]
    with gradebook() as book:
        for grade in book.find_submission_notebook(name, EXERCISES, student).grades:
            points[grade.name.removesuffix("-check")] = grade.score
    return points, notes + what_failed(nbformat.read(graded, 4))


def what_failed(notebook):
    """A sentence on each question's first error."""
    found = {}
    for cell in notebook.cells:
        errors = [out for out in cell.get("outputs", []) if out.output_type == "error"]
        if errors and (name := grade_id(cell)):
            about = f"{errors[-1].ename}: {' '.join(errors[-1].evalue.split())[:200]}"
            blank = cell.metadata.nbgrader.solution and errors[-1].ename == "NotImplementedError"
            question = "not run" if errors[-1].ename == "NotRun" else name.split("-")[0]
            found.setdefault(question, f"{name}: {'blank' if blank else about}")
    return [*found.values()]


def in_a_process(student, name, timeout):
    """Autograde one notebook in a process, and end it with all its children; what went wrong, or None."""
    with (GRADING / "grading.log").open("a", encoding="utf-8") as log:
        print(f"\n=== {student} {name}", file=log, flush=True)
        words = [
            sys.executable,
            __file__,
            "autograde",
            "--student",
            student,
            "--notebook",
            name,
            "--timeout",
            str(timeout),
        ]
        process = psutil.Popen(words, stdout=log, stderr=log)
        try:
            code = process.wait(5 * timeout + 60)
            return f"its process ended with {code}" if code else None
        except psutil.TimeoutExpired:
            return "its process did not end"
        finally:
            if process.is_running():
                for child in [*process.children(recursive=True), process]:
                    child.kill()
                process.wait()


def grade_student(folder, releases, timeout):
    """Grade one student's folder into grading/records, unless that is done and nothing has changed since."""
    from nbgrader.api import MissingEntry

    student, record = folder.name, GRADING / "records" / f"{folder.name}.json"
    files = {path.stem: path for path in sorted(folder.rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts}
    state = hashlib.sha256(repr([releases, [(name, path.read_bytes()) for name, path in files.items()]]).encode())
    if record.exists() and json.loads(record.read_text(encoding="utf-8"))["state"] == state.hexdigest():
        return "graded before, unchanged"
    for kind in "submitted", "autograded", "feedback":
        shutil.rmtree(GRADING / kind / student, ignore_errors=True)
    with gradebook() as book, contextlib.suppress(MissingEntry):
        book.remove_submission(EXERCISES, student)
    points, notes = {}, {}
    for name, release in releases.items():
        points[name], notes[name] = grade_notebook(student, name, files.get(name), release, timeout)
        print(f"  {name}: {sum(points[name].values()):g} of {sum(checks(release).values())}", flush=True)
    if unknown := sorted(set(files) - set(releases)):
        notes["other files"] = [f"{files[name].name}: no exercise has this name" for name in unknown]
    record.parent.mkdir(exist_ok=True)
    part = record.with_suffix(".part")
    part.write_text(json.dumps({"state": state.hexdigest(), "points": points, "notes": notes}), encoding="utf-8")
    part.replace(record)
    return f"{total(points):g} points"


def grade(submitted, timeout):
    """Grade each student's folder in `submitted`, and write the marks of all that were ever graded."""
    releases = released()
    if not releases:
        sys.exit(f"{show(GRADING / 'release')}: nothing was released; `make release` comes first")
    folders = [path for path in sorted(submitted.glob("*")) if path.is_dir() and path.name[0] != "."]
    if not folders:
        sys.exit(
            f"{submitted}: no folders in it; expected one for each student, with notebooks: anna/{[*releases][0]}.ipynb"
        )
    if bad := [path.name for path in folders if set(path.name) & set("*?[]")]:
        sys.exit(f"{submitted}: folder {bad[0]!r}; expected a name without * ? [ ]: rename it")
    for number, folder in enumerate(folders, 1):
        print(f"{folder.name} ({number} of {len(folders)})", flush=True)
        print(f"  {grade_student(folder, releases, timeout)}", flush=True)
    write_marks(releases)


def write_marks(releases):
    """grading/grades.csv, a row for each question of each student, and grading/report.txt."""
    rows, lines = [("student", "exercise", "question", "points", "max")], []
    for path in sorted((GRADING / "records").glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        lines.append(f"{path.stem}: {total(record['points']):g} points")
        for name, worth in ((name, checks(release)) for name, release in releases.items()):
            found = record["points"].get(name, {})
            rows += [(path.stem, name, question, f"{found.get(question, 0):g}", worth[question]) for question in worth]
            lines.append(f"  {name}: {sum(found.values()):g} of {sum(worth.values())}")
            lines += [f"    {note}" for note in record["notes"].get(name, [])]
        lines += [f"  {note}" for note in record["notes"].get("other files", [])]
    with (GRADING / "grades.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    (GRADING / "report.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"Marks: {show(GRADING / 'grades.csv')}; what went wrong, where: {show(GRADING / 'report.txt')}")


def total(points):
    return sum(sum(found.values()) for found in points.values())


def feedback():
    """Write the pages that students get back; they show the hidden tests."""
    if not (GRADING / "autograded").exists():
        sys.exit(f"{show(GRADING)}: nothing is graded; `make grade SUBMITTED=FOLDER` comes first")
    tool("GenerateFeedback").start()
    for path in (GRADING / "feedback").rglob("*.html"):  # they shall load nothing from a network
        path.write_text(re.sub(r'<script src="http[^>]*>\s*</script>', "", path.read_text("utf-8")), "utf-8")
    print(f"A folder of pages for each student: {show(GRADING / 'feedback')}")


def show(path):
    return path.relative_to(GRADING.parent)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["release", "grade", "feedback", "autograde"])
    parser.add_argument("--submitted", type=pathlib.Path, metavar="FOLDER", help="has a folder for each student")
    parser.add_argument("--timeout", type=int, default=180, help="seconds a cell may take, 180")
    parser.add_argument("--student", help=argparse.SUPPRESS)
    parser.add_argument("--notebook", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.command == "release":
        release()
    elif args.command == "feedback":
        feedback()
    elif args.command == "autograde":  # of one notebook: grade calls this
        tool("Autograde", args.student, args.notebook, args.timeout).start()
    elif args.submitted is None or not args.submitted.is_dir():
        sys.exit(f"{args.submitted}: no such folder; expected one that has a folder for each student")
    else:
        grade(args.submitted, args.timeout)


if __name__ == "__main__":
    main()
