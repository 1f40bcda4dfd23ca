"""Releases and grades the exercises with nbgrader: `make release` and `make grade` call this.

release   what students get: the exercises without solutions and hidden tests, in grading/release/exercises, and the
          course with these in the place of the solved ones, grading/release/course.zip
grade     FOLDER/STUDENT/NN_….ipynb by what was released: grading/grades.csv and grading/report.txt

Each notebook is executed in a process of its own, with limits of time and output. That keeps accidents apart; it is
no wall against malice (docs/teaching.md).
"""

import argparse
import copy
import hashlib
import json
import logging
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import marks
import nbformat
import notebooks
import psutil

GRADING = pathlib.Path(os.environ.get("COURSE_GRADING", notebooks.ROOT / "grading")).resolve()
EXERCISES = "exercises"  # nbgrader's name for all of them: one assignment


def tool(name, student="*", notebook="*", timeout=None):
    """One of nbgrader's converters on grading/, for one or all students and notebooks."""
    from nbgrader import converters
    from nbgrader.coursedir import CourseDirectory

    GRADING.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(filename=GRADING / "grading.log", level=logging.INFO)
    os.environ["PATH"] = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"  # nbgrader calls alembic
    config = notebooks.nbgrader_config()
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


def grade_id(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


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
    """Question → [points, state, message] of one notebook, and sentences on what was amiss with it."""
    worth = marks.points_of(release)
    answers = {question: [0, "not graded", ""] for question in worth}
    for kind, suffix in ("autograded", "ipynb"), ("feedback", "html"):  # what came before counts no more
        (GRADING / kind / student / EXERCISES / f"{name}.{suffix}").unlink(missing_ok=True)
    try:
        notebook, notes = rebuilt(nbformat.read(path, 4), release)
    except Exception as error:  # whatever a file may hold
        return answers, [f"cannot be read as a notebook ({type(error).__name__}: {str(error)[:100]}): ask for it again"]
    submitted = GRADING / "submitted" / student / EXERCISES / f"{name}.ipynb"
    submitted.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, submitted)
    error = in_a_process(student, name, timeout)
    graded = GRADING / "autograded" / student / EXERCISES / f"{name}.ipynb"
    if error or not graded.exists():
        return answers, [*notes, f"not graded: {error or 'nbgrader gave up'}. {show(GRADING / 'grading.log')} has more"]
    failed = what_failed(nbformat.read(graded, 4), release)
    with gradebook() as book:
        for grade in book.find_submission_notebook(name, EXERCISES, student).grades:
            question = grade.name.removesuffix("-check")
            state = ["right", ""] if grade.score >= worth[question] else failed.get(question, ["wrong", ""])
            answers[question] = [grade.score, *state]
    return answers, notes + [message for name, (_, message) in failed.items() if name not in worth]


def what_failed(notebook, release):
    """Question (or "setup") → what became of it, and its first error; a check's own words before a stub that stayed."""
    stubs = {grade_id(cell): cell.source.split() for cell in release.cells}
    kinds = {"AssertionError": "wrong", "CellTimeoutError": "stopped", "NotRun": "not graded"}
    found, not_run = {}, ""
    for cell in notebook.cells:
        errors = [out for out in cell.get("outputs", []) if out.output_type == "error"]
        if not errors or not (name := grade_id(cell)):
            continue
        kind, says = errors[-1].ename, " ".join(errors[-1].evalue.split())[:300]
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


def in_a_process(student, name, timeout):
    """Autograde one notebook in a process, and end it with all its children; what went wrong, or None."""
    with (GRADING / "grading.log").open("a", encoding="utf-8") as log:
        print(f"\n=== {student} {name}", file=log, flush=True)
        words = ["autograde", f"--student={student}", f"--notebook={name}", f"--timeout={timeout}"]
        process = psutil.Popen([sys.executable, __file__, *words], stdout=log, stderr=log)
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
    """Grade the notebooks in one student's folder into grading/records, but for those graded before and unchanged."""
    path = GRADING / "records" / f"{folder.name}.json"
    record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    files, odd = {}, []
    for file in sorted(folder.rglob("*.ipynb")):
        if not file.is_file() or ".ipynb_checkpoints" in file.parts:
            continue
        if file.stem in releases and file.stem not in files:
            files[file.stem] = file
        else:
            odd.append(
                f"{file.relative_to(folder)}: " + ("a second one" if file.stem in files else "no exercise's name")
            )
    record["other files"] = {"notes": odd}
    save(record, path)
    for name, file in files.items():
        source = GRADING / "source" / EXERCISES / f"{name}.ipynb"
        digest = hashlib.sha256(source.read_bytes() + content(file)).hexdigest()
        if record.get(name, {}).get("digest") == digest:
            print(f"  {name}: graded before, unchanged", flush=True)
            continue
        answers, notes = grade_notebook(folder.name, name, file, releases[name], timeout)
        points, worth = sum(points for points, _, _ in answers.values()), sum(marks.points_of(releases[name]).values())
        print(f"  {name}: {points:g} of {worth}", flush=True)
        record[name] = {"digest": digest, "answers": answers, "notes": notes}
        save(record, path)


def content(file):
    """The bytes of a file; none of one that may not be read, which is no notebook then."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def save(record, path):
    path.parent.mkdir(exist_ok=True)
    with notebooks.atomic_write(path) as beside:
        beside.write_text(json.dumps(record), encoding="utf-8")


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
        grade_student(folder, releases, timeout)
    marks.write(GRADING, records(), releases)
    print(f"Marks: {show(GRADING / 'grades.csv')}; what went wrong, where: {show(GRADING / 'report.txt')}")


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
    parser.add_argument("--timeout", type=int, default=300, help="seconds a cell may take, 300")
    parser.add_argument("--student", help=argparse.SUPPRESS)
    parser.add_argument("--notebook", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.command == "release":
        release()
    elif args.command == "autograde":  # of one notebook: grade calls this
        tool("Autograde", args.student, args.notebook, args.timeout).start()
    elif args.submitted is None or not args.submitted.is_dir():
        sys.exit(f"{args.submitted}: no such folder; expected one that has a folder for each student")
    else:
        grade(args.submitted, args.timeout)


if __name__ == "__main__":
    main()
