"""Executes chapters: `make refresh` and `make exercises` call this; `make course` takes `run` from it (tools/book.py).

refresh    the committed chapters, in place: outputs, and the measured times, also in the README and the index notebook
exercises  the students' copies of the exercise notebooks, without solutions, into my_exercises/
"""

import argparse
import base64
import collections
import io
import json
import os
import pathlib
import re
import shlex
import shutil
import sys
import tempfile
import time

import nbformat
import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "utils" / "core"))  # not `utils`: that imports MXNet
from files import atomic_write  # noqa: E402

CHAPTERS = ROOT / "chapters"
BUILD = ROOT / "build"
RUN = "run.json"  # beside executed chapters: what they were executed with, when and how it went
TIME_LINE = re.compile(r"(?m)^- \*\*Time:\*\* .*$")
SECTION = re.compile(r"See \*([^*]+)\*(?: in chapter (\d\d))?")  # how an answer of a quiz names a section
WORDS_A_MINUTE, LINES_A_MINUTE = 100, 10  # of somebody who wants to understand them: a guess
Executed = collections.namedtuple("Executed", "name title seconds error result when")


def find(number=None, folder=CHAPTERS):
    """The chapters' paths in order, or only the one whose number is given."""
    paths = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    chosen = [path for path in paths if number is None or path.name.startswith(f"{number:0>2}_")]
    if not chosen:
        have = ", ".join(path.name[:2] for path in paths)
        sys.exit(f"no chapter {number}: there are {have}")
    return chosen


def title(notebook):
    """The heading of a chapter, without its number sign."""
    return notebook.cells[0].source.splitlines()[0].lstrip("# ")


def run(number, parameters):
    """Execute chapters into build/chapters/; a failing one stops no other. An Executed for each.

    One chapter takes its place among those that were executed before with the same parameters.
    """
    import papermill

    keep_widgets_quiet()
    folder, paths, executed = BUILD / "chapters", find(number), []
    before = [row for row in earlier(parameters) if row.name not in {path.name for path in paths}]
    try:
        if not before:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        note(before, parameters)
    except OSError as error:
        sys.exit(f"{folder}: {error.strerror}. Run the course in a copy of your own, or its notebooks in copies")
    usual = sum(map(measured, paths))
    print(f"About {usual} s with the course's own data on two quiet cores; `make book` runs nothing", flush=True)
    for path in paths:
        name, usual, start, error = title(nbformat.read(path, 4)), measured(path), time.time(), None
        waits = ", most of it in a few cells that train" if usual > 60 else ""
        print(f"\n{name}, about {usual} s{waits}", flush=True)
        known = papermill.inspect_notebook(str(path))
        try:
            papermill.execute_notebook(
                str(path),
                str(folder / path.name),
                parameters={key: value for key, value in parameters.items() if key in known},
                cwd=str(CHAPTERS),
                kernel_name="python3",
                progress_bar={"bar_format": "  cell {n} of {total} |{bar:30}| {elapsed}"},
            )
        except papermill.PapermillExecutionError as failure:
            error = str(failure)
            print(error, file=sys.stderr)
        seconds = time.time() - start
        print(f"  {'FAILED' if error else 'done'} in {seconds:.0f} s", flush=True)
        notebook = nbformat.read(folder / path.name, 4)
        drop_widgets(notebook)
        nbformat.write(notebook, folder / path.name)
        when = time.strftime("%Y-%m-%d at %H:%M")
        executed.append(Executed(path.name, name, seconds, error, results(notebook), when))
        note(before + executed, parameters)
    return executed


def note(executed, parameters):
    """Write down what lies in build/chapters/."""
    run = {"parameters": parameters, "chapters": [row._asdict() for row in sorted(executed)]}
    with atomic_write(BUILD / "chapters" / RUN) as beside:
        beside.write_text(json.dumps(run, indent=1), encoding="utf-8")


def earlier(parameters):
    """The chapters that lie in build/chapters/, if they were executed with these parameters; and why not, if not."""
    path = BUILD / "chapters" / RUN
    run = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"chapters": []}
    if run["chapters"] and run["parameters"] != parameters:
        print(f"The chapters of {run['chapters'][-1]['when']} were executed with other settings and are dropped.")
        return []
    return [Executed(**row) for row in run["chapters"] if (path.parent / row["name"]).is_file()]


def bring(dataset):
    """Fetch a data set that has a name, check a folder: what is wrong stops here rather than inside a chapter."""
    import utils
    from utils.core.files import one_message
    from utils.datacheck.report import check

    with one_message():
        root = utils.data_root(dataset)
        errors = check(root).errors if os.path.isdir(dataset) else []
        if errors:
            raise ValueError(
                f"{dataset}: not ready, {len(errors)} errors, such as\n  {errors[0]}\n"
                f"All of them: .venv/bin/python -m utils data {shlex.quote(dataset)}"
            )


def results(notebook):
    """What the cells tagged `result` printed."""
    cells = [cell for cell in notebook.cells if "result" in cell.metadata.get("tags", [])]
    return "".join(out.get("text", "") for cell in cells for out in cell.outputs)


def refresh(number):
    """Execute the committed chapters and exercises anew and rewrite them; a failing one stays as it was."""
    ok = True
    exercises = [path for path in find(number, CHAPTERS / "exercises")]
    for path in [*find(number), *exercises]:
        notebook, start = nbformat.read(path, 4), time.time()
        print(f"{path.relative_to(ROOT)} …", end=" ", flush=True)
        error = execute(notebook, path.parent)
        if error:
            print(f"FAILED, left as it was\n{error}", flush=True)
            ok = False
            continue
        seconds = time.time() - start
        if path.parent == CHAPTERS:
            notebook.cells[0].source = TIME_LINE.sub(times(seconds, notebook), notebook.cells[0].source)
        nbformat.write(notebook, path)
        print(f"{seconds:.0f} s, {path.stat().st_size / 1000:.0f} kB", flush=True)
    write_times(ROOT / "README.md", CHAPTERS / "index.ipynb")
    return ok


def execute(notebook, folder):
    """Execute a notebook in place, in the folder where readers have it; the traceback if it fails."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    keep_widgets_quiet()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        ours = {"tags", "nbgrader", "mystnb", "slide"}  # what a picture shows, in words; what a slide shows
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in ours}
    client = NotebookClient(notebook, timeout=900, record_timing=False, resources={"metadata": {"path": str(folder)}})
    with tempfile.TemporaryDirectory() as kept:  # alone and from nothing: what was trained before doesn't count
        try:
            client.execute(env=os.environ | {"COURSE_KEPT": kept})
        except CellExecutionError as failure:
            return str(failure)
    shrink_pictures(notebook)
    drop_widgets(notebook)
    notebook.metadata.language_info = {"name": "python"}
    return None


def keep_widgets_quiet():
    """Keep nbclient from telling a kernel what a widget shows, on the socket on which it waits for the cell's end.

    Sending reads what wakes the one who waits: if the reply has come by then, it waits for ever. No cell asks for it.
    """
    from nbclient.output_widget import OutputWidget

    OutputWidget.sync_state = lambda widget: None


def drop_widgets(notebook):
    """Sliders live in a running notebook only: their views leave the outputs, their state the metadata."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            view = "application/vnd.jupyter.widget-view+json"
            cell.outputs = [out for out in cell.outputs if view not in out.get("data", {})]
    notebook.metadata.pop("widgets", None)


def shrink_pictures(notebook):
    """Figures with photographs in them to 256 colours: a third of the bytes in a committed notebook."""
    for output in (out for cell in notebook.cells for out in cell.get("outputs", [])):
        png = output.get("data", {}).get("image/png", "")
        if len(png) > 40_000:
            picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
            small = io.BytesIO()
            quantized(picture).save(small, "PNG", optimize=True)
            output.data["image/png"] = base64.b64encode(small.getvalue()).decode()


def quantized(picture):
    """In 256 colours: those of VOC's classes, void, and curves exactly as drawn, so that legends tell the truth."""
    exact = [*map(voc_color, range(21)), (224, 224, 192), (255, 255, 255)]
    style = (ROOT / "utils" / "viz" / "course.mplstyle").read_text(encoding="utf-8")
    exact += [tuple(bytes.fromhex(color)) for color in re.findall(r'"([0-9A-F]{6})"', style)]
    rest = 256 - len(exact)
    small = picture.quantize(rest, kmeans=1)
    pixels, indices = np.asarray(picture), np.array(small)
    for i, color in enumerate(exact, rest):
        indices[(pixels == color).all(axis=2)] = i
    palette = (small.getpalette() + [0] * 3 * rest)[: 3 * rest]
    small.putdata(indices.ravel())
    small.putpalette([*palette, *(value for color in exact for value in color)])
    return small


def voc_color(i):
    """The colour of VOC's class i: bit 3k + c of i is bit 7 - k of channel c (utils would import MXNet for it)."""
    return tuple(sum((i >> 3 * k + c & 1) << 7 - k for k in range(8)) for c in range(3))


def rounded(seconds):
    """To 5 s, so that a time is not new each time."""
    return max(5, 5 * round(seconds / 5))


def times(seconds, notebook):
    """The line of a chapter's head: measured for machines, for people estimated from words and lines of code.

    The questions at its end (the cell tagged `quiz`) are done afterwards, or in class: their words don't count.
    """
    read = [cell for cell in notebook.cells if cell.cell_type == "markdown" and not is_quiz(cell)]
    words = sum(len(cell.source.split()) for cell in read)
    lines = sum(len(cell.source.splitlines()) for cell in notebook.cells if cell.cell_type == "code")
    minutes = rounded(words / WORDS_A_MINUTE + lines / LINES_A_MINUTE)
    return f"- **Time:** runs in about {rounded(seconds)} s on two processor cores; about {minutes} minutes to read"


def is_quiz(cell):
    """True for the cell of a chapter that asks its five questions, "Check yourself"."""
    return "quiz" in cell.metadata.get("tags", [])


def measured(path):
    """The seconds that a chapter says it takes."""
    line = TIME_LINE.search(nbformat.read(path, 4).cells[0].source)
    return int(re.search(r"\d+", line.group()).group())


def write_times(readme, index):
    """Copy the chapters' times into the tables of the README and of the index notebook, where there are such."""
    readme.write_text(with_times(readme.read_text(encoding="utf-8")), encoding="utf-8")
    if index.exists():
        notebook = nbformat.read(index, 4)
        for cell in notebook.cells:
            cell.source = with_times(cell.source)
        nbformat.write(notebook, index)


def with_times(text):
    """A text whose table rows start with a chapter's number and end with its time, with the times of now."""
    for path in find():
        row = re.compile(rf"(?m)^(\| \[{path.name[:2]} .*\| )[^|]*( \|)$")
        text = row.sub(rf"\g<1>{measured(path)} s\g<2>", text)
    return text


def without_solutions(notebook):
    """The student's copy, as `make release` makes it: no solutions, hidden tests or outputs, checks locked."""
    from nbgrader.preprocessors import ClearHiddenTests, ClearOutput, ClearSolutions, LockCells

    if not any("### BEGIN SOLUTION" in cell.source for cell in notebook.cells):
        return notebook  # it is such a copy: in the course that students get, all are
    for step in LockCells, ClearSolutions, ClearOutput, ClearHiddenTests:
        notebook, _ = step(config=nbgrader_config()).preprocess(notebook, {})
    return notebook


def nbgrader_config():
    """What tools/nbgrader_config.py says."""
    from traitlets.config import PyFileConfigLoader

    return PyFileConfigLoader("nbgrader_config.py", os.path.dirname(__file__)).load_config()


def exercises(number):
    """Write the students' copies; one that is already there is the student's own work and stays."""
    folder = ROOT / "my_exercises"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        sys.exit(f"{folder}: {error.strerror}. Make a copy of the course that is your own")
    for path in find(number, CHAPTERS / "exercises"):
        copy = folder / path.name
        if copy.exists():
            print(f"{copy.relative_to(ROOT)} is there already and stays: delete it to start again")
        else:
            nbformat.write(without_solutions(nbformat.read(path, 4)), copy)
            print(f"{copy.relative_to(ROOT)} written")
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["refresh", "exercises"])
    parser.add_argument("--chapter", metavar="NN", help="only this one")
    args = parser.parse_args()
    sys.exit(0 if {"refresh": refresh, "exercises": exercises}[args.command](args.chapter) else 1)


if __name__ == "__main__":
    main()
