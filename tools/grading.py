"""Releases and grades the exercises with nbgrader: `make release` and `make grade` call this.

release   what students get: the exercises without solutions and hidden tests, in grading/release/exercises, and the
          course with these in the place of the solved ones, grading/release/course.zip
grade     FOLDER/STUDENT/NN_….ipynb by what was released: grading/grades.csv and grading/report.txt; with a class list,
          grading/grades-moodle.csv or grades-canvas.csv too (rosters.py)

Each notebook is executed in a process of its own, with limits of time and output, its kernel behind a wall (wall.py;
docs/teaching.md says what that keeps out). --trust-students does without the wall.
"""

import argparse
import hashlib
import json
import logging
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile

import handins
import marks
import nbformat
import notebooks
import psutil
import rosters
import wall
from handins import grade_id
from marks import visible

GRADING = pathlib.Path(os.environ.get("COURSE_GRADING", notebooks.ROOT / "grading")).resolve()
EXERCISES = "exercises"  # nbgrader's name for all of them: one assignment


def tool(name, student="*", notebook="*", timeout=None, sockets=""):
    """One of nbgrader's converters on grading/, for one or all students and notebooks."""
    from nbgrader import converters
    from nbgrader.coursedir import CourseDirectory

    GRADING.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(filename=GRADING / "grading.log", level=logging.INFO)
    os.environ["PATH"] = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"  # nbgrader calls alembic
    config = notebooks.nbgrader_config()
    if timeout:
        config.Isolated.timeout = timeout
    config.Isolated.sockets = sockets
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
    for path in notebooks.find(folder=notebooks.CHAPTERS / "exercises"):
        shutil.copy(path, source)
    tool("GenerateAssignment").start()
    print(f"{len(released())} notebooks for students are in {show(GRADING / 'release' / EXERCISES)}")
    print(pack(GRADING / "release" / "course.zip"))


def pack(target):
    """Pack what was committed, without the tests, which have answers, and with released notebooks for the solved."""
    target.unlink(missing_ok=True)
    words = ["git", "archive", "--prefix=segmentation/", f"--output={target}", "HEAD", "."]
    words += [":(exclude)tests", ":(exclude)chapters/exercises"]
    try:
        subprocess.run(words, cwd=notebooks.ROOT, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", None) or str(error)
        return f"No {show(target)}: it is packed from what git has committed, and git says: {why.strip()}"
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((GRADING / "release" / EXERCISES).glob("*.ipynb")):
            archive.write(path, f"segmentation/chapters/exercises/{path.name}")
    return f"The course with these notebooks, without solutions and tests, is {show(target)}"


def released():
    """Name → notebook of all that was released."""
    paths = sorted((GRADING / "release" / EXERCISES).glob("*.ipynb"))
    return {path.stem: nbformat.read(path, 4) for path in paths}


def grade_notebook(student, name, data, release, timeout, trusted):
    """Question → [points, state, message] of one notebook, and sentences on what was amiss with it."""
    worth = marks.points_of(release)
    answers = none_graded(release)
    for kind, suffix in ("autograded", "ipynb"), ("feedback", "html"):  # what came before counts no more
        (GRADING / kind / student / EXERCISES / f"{name}.{suffix}").unlink(missing_ok=True)
    try:
        notebook, notes = handins.rebuilt(handins.parsed(data), release)
    except Exception as error:  # whatever a file may hold
        why = visible(f"{type(error).__name__}: {str(error)[:100]}")
        return answers, [f"cannot be read as a notebook ({why}): ask for it again"]
    notes += handins.to_read(notebook, release)
    submitted = GRADING / "submitted" / student / EXERCISES / f"{name}.ipynb"
    submitted.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, submitted)
    error, over = in_a_process(student, name, timeout, trusted)
    notes += [f"{over}: its kernel was ended"] if over else []
    graded = GRADING / "autograded" / student / EXERCISES / f"{name}.ipynb"
    if not error and graded.exists() and graded.stat().st_size > 2 * handins.SIZE:
        error = f"its outputs are larger than {2 * handins.SIZE // 1_000_000} MB"
    if error or not graded.exists():
        return answers, [*notes, f"not graded: {error or 'nbgrader gave up'}. {show(GRADING / 'grading.log')} has more"]
    failed = what_failed(as_graded(graded), release)
    with gradebook() as book:
        for grade in book.find_submission_notebook(name, EXERCISES, student).grades:
            question = grade.name.removesuffix("-check")
            if not 0 <= grade.score <= worth[question]:
                notes.append(f"{question}: {grade.score} points of {worth[question]}: refused")
                continue
            state = ["right", ""] if grade.score >= worth[question] else failed.get(question, ["wrong", ""])
            answers[question] = [grade.score, *state]
    return answers, notes + [message for name, (_, message) in failed.items() if name not in worth]


def as_graded(path):
    """An autograded notebook, without nbformat's validation: of odd outputs that takes minutes."""
    return nbformat.v4.reads_json(path.read_text(encoding="utf-8"))


def none_graded(release):
    return {question: [0, "not graded", ""] for question in marks.points_of(release)}


def what_failed(notebook, release):
    """Question (or "setup") → what became of it, and its first error; a check's own words before a stub that stayed."""
    stubs = {grade_id(cell): cell.source.split() for cell in release.cells}
    kinds = {
        "AssertionError": "wrong",
        "CellTimeoutError": "stopped",
        "NotRun": "not graded",
        "ChecksDisabled": "not graded",
    }
    found, not_run = {}, ""
    for cell in notebook.cells:
        errors = [out for out in cell.get("outputs", []) if out.output_type == "error"]
        if not errors or not (name := grade_id(cell)):
            continue
        kind, says = visible(errors[-1].ename), visible(" ".join(errors[-1].evalue.split()), most=300)
        state, message = kinds.get(kind, "crashed"), f"{name}: {kind}: {says}".rstrip(": ")
        if kind == "NotImplementedError" and cell.source.split() == stubs[name]:
            state, message = "blank", ""
        elif kind == "NotRun":
            state = "crashed" if f"lost in {name} " in says else state
            not_run, message = says, "" if says == not_run else message
        before = found.setdefault(name.split("-")[0], [state, message])
        if kind == "AssertionError" and before[1].endswith(": NotImplementedError"):
            before[:] = state, message
    return found


def in_a_process(student, name, timeout, trusted):
    """Autograde one notebook in a process, and end it with all its children.

    Returns what went wrong, or None, and which limit its kernel was ended for, or None.
    """
    words = ["autograde", f"--student={student}", f"--notebook={name}", f"--timeout={timeout}"]
    over, before = None, wall.shared_memory()
    with (
        (GRADING / "grading.log").open("a", encoding="utf-8") as log,
        tempfile.TemporaryDirectory(prefix="grading-", dir="/tmp") as sockets,  # a short path: addresses have 107 bytes
    ):
        print(f"\n=== {student} {name}", file=log, flush=True)
        words += [] if trusted else [f"--sockets={sockets}"]
        with wall.family() as family:
            process = psutil.Popen([sys.executable, __file__, *words], stdout=log, stderr=log)
            end = time.monotonic() + 5 * timeout + 60
            try:
                while time.monotonic() < end:
                    try:
                        code = process.wait(0.5)
                        return f"its process ended with {code}" if code else None, over
                    except psutil.TimeoutExpired:
                        if wall.memory(process) > wall.GRADER:
                            return "its kernel sent more than there is room for", over
                        kernel = [one for one in family() if one != process]
                        if found := wall.too_much(kernel, before):
                            over = over or found
                            wall.kill(kernel)
                return "its process did not end", over
            finally:
                wall.kill([process])
                process.wait()


def grade_student(folder, releases, timeout, trusted):
    """Grade the notebooks in one student's folder into grading/records, but for those graded before and unchanged."""
    path = GRADING / "records" / f"{folder.name}.json"
    record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    files, odd = handins.notebooks_in(folder, releases)
    record["other files"] = {"notes": odd}
    save(record, path)
    for name, file in files.items():
        data, refused = b"", None
        try:
            data = handins.content(file)
        except ValueError as error:
            refused = str(error)
        source = GRADING / "source" / EXERCISES / f"{name}.ipynb"
        digest = hashlib.sha256(source.read_bytes() + data).hexdigest()
        if record.get(name, {}).get("digest") == digest:
            print(f"  {name}: graded before, unchanged", flush=True)
            continue
        try:
            answers, notes = grade_notebook(folder.name, name, data, releases[name], timeout, trusted)
        except Exception as error:  # of this notebook; all others are graded
            answers = none_graded(releases[name])
            notes = [f"not graded: {type(error).__name__}: {visible(str(error), most=handins.NAME)}"]
        notes = [f"{visible(file.name)} {refused}"] if refused else notes
        points, worth = sum(points for points, _, _ in answers.values()), sum(marks.points_of(releases[name]).values())
        print(f"  {name}: {points:g} of {worth}", flush=True)
        again = any(wall.LEFT in note for note in notes)
        record[name] = {"digest": "" if again else digest, "answers": answers, "notes": notes}
        save(record, path)


def save(record, path):
    path.parent.mkdir(exist_ok=True)
    with notebooks.atomic_write(path) as beside:
        beside.write_text(json.dumps(record), encoding="utf-8")


def grade(submitted, timeout, trusted=False, roster=None):
    """Grade each student's folder in `submitted`, and write the marks of all that were ever graded.

    roster: the path of a class list, for the marks as the school's system imports them.
    """
    releases = released()
    if not releases:
        sys.exit(f"{show(GRADING / 'release')}: nothing was released; `make release` comes first")
    try:
        roster = rosters.read(roster) if roster else None
    except ValueError as error:
        sys.exit(visible(f"Nothing was graded: {error}"))
    folders, refused = handins.students(submitted)
    shutil.rmtree(GRADING / "canvas", ignore_errors=True)
    refused |= handins.from_canvas(submitted, GRADING / "canvas", releases)
    if (GRADING / "canvas").is_dir():
        folders += handins.students(GRADING / "canvas")[0]
    for name in handins.nobodys(submitted):
        print(f"{name}: not graded, as it lies in no student's folder; put it into one")
    if not folders and not refused:
        sys.exit(
            f"{submitted}: no folders in it; expected one for each student, with notebooks: anna/{[*releases][0]}.ipynb"
        )
    if not trusted and (why := wall.probe(GRADING, submitted.resolve())):
        sys.exit(
            f"Nothing was graded: students' code would run as you, with your files and your network, as no wall can be "
            f"put round it here: {why}. If you trust each student with that, grade without a wall: "
            "make grade ARGS=--trust-students (docs/teaching.md)"
        )
    for number, folder in enumerate(folders, 1):
        print(f"{folder.name} ({number} of {len(folders)})", flush=True)
        try:
            grade_student(folder, releases, timeout, trusted)
        except Exception as error:  # of this folder; all others are graded
            refused[folder.name] = f"not graded: {type(error).__name__}: {visible(str(error), most=handins.NAME)}"
    write_marks(refused, releases)
    print(f"Marks: {show(GRADING / 'grades.csv')}; what went wrong, where: {show(GRADING / 'report.txt')}")
    write_for_school(roster, releases)


def write_for_school(roster, releases):
    """The marks as Moodle or Canvas imports them; those of before go, as they lack what was graded now."""
    for name in rosters.FILES.values():
        (GRADING / name).unlink(missing_ok=True)
    try:
        for line in rosters.write(GRADING, roster, records(), releases) if roster else []:
            print(line)
    except ValueError as error:
        sys.exit(visible(str(error), "\n"))


def write_marks(refused, releases):
    """The table and the report of all that were ever graded, and of folders that were not: whole, or as before."""
    found = records()
    for name, why in refused.items():
        record = found.setdefault(name, {})
        record["other files"] = {"notes": [*record.get("other files", {"notes": []})["notes"], why]}
    with tempfile.TemporaryDirectory(dir=GRADING) as beside:
        marks.write(pathlib.Path(beside), found, releases)
        for name in "grades.csv", "report.txt":
            with notebooks.atomic_write(GRADING / name) as new:
                shutil.move(os.path.join(beside, name), new)


def records():
    """Student → record of all that were ever graded."""
    paths = sorted((GRADING / "records").glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def show(path):
    return path.relative_to(GRADING.parent)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["release", "grade", "autograde"])
    parser.add_argument("--submitted", type=pathlib.Path, metavar="FOLDER", help="has a folder for each student")
    parser.add_argument("--roster", type=pathlib.Path, metavar="FILE", help="class list, CSV, of Moodle or Canvas")
    parser.add_argument("--timeout", type=int, default=300, help="seconds a cell may take, 300")
    parser.add_argument(
        "--trust-students", action="store_true", help="no wall: students' code runs as you, with your files and network"
    )
    parser.add_argument("--sockets", default="", help=argparse.SUPPRESS)
    parser.add_argument("--student", help=argparse.SUPPRESS)
    parser.add_argument("--notebook", help=argparse.SUPPRESS)
    args = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")  # names in a terminal that lacks their letters
    if args.command == "release":
        release()
    elif args.command == "autograde":  # of one notebook: grade calls this
        wall.end_with_parent()
        tool("Autograde", args.student, args.notebook, args.timeout, args.sockets).start()
    elif args.submitted is None or not args.submitted.is_dir():
        sys.exit(f"{args.submitted}: no such folder; expected one that has a folder for each student")
    else:
        grade(args.submitted, args.timeout, args.trust_students, args.roster)


if __name__ == "__main__":
    main()
