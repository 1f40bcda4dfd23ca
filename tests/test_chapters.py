"""Every committed chapter and exercise notebook: skeleton, executed, clean, small. nbval executes them."""

import utils

import base64
import io
import os
import pathlib
import re
import shutil

import book as maker
import nbformat
import notebooks
import numpy as np
import pytest
from conftest import ROOT, write_palette_png
from nbclient.output_widget import OutputWidget
from nbgrader.preprocessors import CheckCellMetadata
from PIL import Image

CHAPTERS = notebooks.find()
EXERCISES = notebooks.find(folder=notebooks.CHAPTERS / "exercises")
BOTH = pytest.mark.parametrize("path", [*CHAPTERS, *EXERCISES], ids=lambda path: path.stem)
EACH_CHAPTER = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
EACH_EXERCISE = pytest.mark.parametrize("path", EXERCISES, ids=lambda path: path.stem)
MACHINE_PATH = re.compile(r"(?<![\w./])/(root|home|Users|work|tmp|mnt|opt|usr)/\w|[A-Z]:\\\\\w")


def _code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _text(notebook):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_the_chapters_and_their_exercises_are_there():
    assert [path.name[:2] for path in CHAPTERS] == [path.name[:2] for path in EXERCISES]
    assert {f"{number:02}" for number in range(12)} <= {path.name[:2] for path in CHAPTERS}


@BOTH
def test_executed_in_one_go_from_the_top(path):
    counts = [cell.execution_count for cell in _code(nbformat.read(path, 4))]
    assert counts == list(range(1, len(counts) + 1))


@BOTH
def test_no_path_no_warning_no_stray_output(path):
    text = path.read_text(encoding="utf-8")
    assert not MACHINE_PATH.search(text)
    for cell in _code(nbformat.read(path, 4)):
        for output in cell.outputs:
            assert output.get("name") != "stderr", f"stderr: {output.text[:200]}"
            assert output.output_type != "error", output.get("evalue")
            shown = output.get("text", "") + output.get("data", {}).get("text/plain", "")
            assert "Warning" not in shown and "object at 0x" not in shown, shown
            assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {})


@BOTH
def test_small(path):
    assert path.stat().st_size < 500_000
    assert max(len(cell.source.splitlines()) for cell in _code(nbformat.read(path, 4))) <= 30


@BOTH
def test_utils_comes_before_mxnet(path):
    code = "\n".join(cell.source for cell in _code(nbformat.read(path, 4)))
    assert code.index("import utils") < (code.find("mxnet") if "mxnet" in code else len(code))


def _leads_somewhere(folder, target):
    return (folder / target.replace("../my_exercises/", "exercises/")).exists()  # `make lab` writes those copies


@BOTH
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)\)", _text(nbformat.read(path, 4))):
        assert target.startswith("http") or _leads_somewhere(path.parent, target), target


@EACH_CHAPTER
def test_skeleton(path):
    notebook = nbformat.read(path, 4)
    head, text = notebook.cells[0].source, _text(notebook)
    assert head.startswith(f"# {path.name[:2]} ") and "\nAfter this chapter you can " in head
    assert notebooks.TIME_LINE.search(head) and "**Data:**" in head and "**You need:**" in head
    for part in "## What went wrong", "## Summary", "**Exercises:**", "**Further reading:**":
        assert part in text, part
    assert text.index("## Summary") < text.index("**Exercises:**") < text.index("**Further reading:**")


@EACH_CHAPTER
def test_parameters_stand_in_one_cell(path):
    cells = [c for c in _code(nbformat.read(path, 4)) if "parameters" in c.metadata.get("tags", [])]
    assert len(cells) == (0 if path.name.startswith("00") else 1)
    for cell in cells:
        assert cell.source.startswith('dataset = "voc_mini"')


def test_chapter_09_finds_the_net_that_chapter_08_trained():
    """Both must call the same text of `fit` on the same start, or the same training is done twice."""
    fits = []
    for number in "08", "09":
        cells = [cell.source for cell in _code(nbformat.read(notebooks.find(number)[0], 4))]
        fits.append(next(source for source in cells if source.startswith("def fit(")))
    assert fits[0] == fits[1]


@EACH_CHAPTER
def test_figures_are_there_and_numbers_are_asserted(path):
    notebook = nbformat.read(path, 4)
    pictures = [o for c in _code(notebook) for o in c.outputs if "image/png" in o.get("data", {})]
    assert pictures and all(len(o.data["image/png"]) > 2000 for o in pictures)
    assert sum("assert " in cell.source for cell in _code(notebook)) >= 3


def test_each_picture_has_an_alt_text_of_its_own():
    """For those who can't see it: what is drawn and what it shows, in the cell's metadata, where MyST-NB looks."""
    alts = []
    for path in CHAPTERS:
        for i, cell in enumerate(nbformat.read(path, 4).cells):
            if any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
                alts.append(cell.metadata.get("mystnb", {}).get("image", {}).get("alt", ""))
                assert 40 <= len(alts[-1]) <= 400, f"{path.name}, cell {i}: alt text of {len(alts[-1])} characters"
                assert not set('"\n') & set(alts[-1]), f"{path.name}, cell {i}"
    assert len(set(alts)) == len(alts)


@EACH_CHAPTER
def test_readme_quotes_the_chapters_time(path):
    row = re.search(rf"(?m)^\| \[{path.name[:2]} .*$", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert row and row.group().endswith(f"| {notebooks.measured(path)} s |")


INDEX = nbformat.read(notebooks.CHAPTERS / "index.ipynb", 4)
"""The notebook on which `make lab` opens."""


@EACH_CHAPTER
def test_the_index_notebook_has_the_chapter_as_it_is(path):
    """Title, time and number of questions as in the notebooks, what one learns as in the README."""
    exercises = notebooks.find(path.name[:2], notebooks.CHAPTERS / "exercises")[0]
    questions = sum(bool(re.match(r"## \d", cell.source)) for cell in nbformat.read(exercises, 4).cells)
    in_readme = re.search(
        rf"(?m)^\| \[{path.name[:2]} .*?\) \| (.*?) \|", (ROOT / "README.md").read_text(encoding="utf-8")
    )
    row = (
        f"| [{notebooks.title(nbformat.read(path, 4))}]({path.name}) | {in_readme[1]} | "
        f"[{questions} questions](../my_exercises/{exercises.name}) | {notebooks.measured(path)} s |"
    )
    assert _text(INDEX).splitlines().count(row) == 1, row


def test_the_index_notebook_leads_somewhere_and_opens_first():
    for target in re.findall(r"\]\(([^)#]+)\)", _text(INDEX)):
        assert _leads_somewhere(notebooks.CHAPTERS, target), target
    parts = re.findall(r"(?m)^\| \*\*(.*?)\*\* \|", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert re.findall(r"(?m)^## ([IV]+ · .*)$", _text(INDEX)) == parts
    assert not _code(INDEX)
    assert "--LabApp.default_url=/lab/tree/chapters/index.ipynb " in (ROOT / "Makefile").read_text(encoding="utf-8")


@EACH_CHAPTER
def test_a_chapter_ends_with_its_exercises_unsolved_and_solved(path):
    name = notebooks.find(path.name[:2], notebooks.CHAPTERS / "exercises")[0].name
    yours = f"**Exercises:** [yours](../my_exercises/{name}) (`make lab` writes it, without solutions), "
    assert _text(nbformat.read(path, 4)).count(f"{yours}[solved](exercises/{name}): ") == 1


@EACH_EXERCISE
def test_exercises_have_questions_solutions_and_checks(path):
    """In nbgrader's terms: `q2` is a solution, `q2-check` its check, worth points; the rest is given and locked."""
    notebook, questions = nbformat.read(path, 4), {}
    CheckCellMetadata().preprocess(notebook, {})
    for cell in notebook.cells:
        if heading := re.match(r"## (\d)", cell.source):
            cells = questions[heading.group(1)] = []
        elif cell.cell_type == "code" and questions:
            cells.append(cell)
    assert list(questions) == list("12345")[: len(questions)] and 3 <= len(questions) <= 5
    for question, cells in questions.items():
        names = [cell.metadata.nbgrader.grade_id for cell in cells]
        assert all(re.fullmatch(rf"q{question}(-given|-check)?(-2)?", name) for name in names), names
        for name, cell in zip(names, cells, strict=True):
            kind = cell.metadata.nbgrader
            assert kind.grade == (name == f"q{question}-check") == ("points" in kind), name
            assert kind.solution == ("### BEGIN SOLUTION" in cell.source) == (not kind.locked), name
            assert cell.source.count("### BEGIN SOLUTION") == cell.source.count("### END SOLUTION") <= 1, name
        assert names[-1] == f"q{question}-check" and "assert " in cells[-1].source
        given = [cell for name, cell in zip(names, cells, strict=True) if "-given" in name]
        assert all(cell.source.startswith("# given: run it\n") for cell in given), names
        # the value of a last expression would be taken for points: that of print is None
        assert cells[-1].source.endswith(f'\nprint("question {question}: passed")'), names[-1]
        assert cells[-1].outputs[-1].text.endswith(f"question {question}: passed\n"), names[-1]


@EACH_EXERCISE
def test_students_copy_holds_no_solution_and_no_hidden_test(path):
    notebook = notebooks.without_solutions(nbformat.read(path, 4))
    for cell in _code(notebook):
        assert "SOLUTION" not in cell.source and "HIDDEN" not in cell.source and not cell.outputs
        compile(cell.source, path.name, "exec")
        assert cell.metadata.get("editable", True) == cell.metadata.nbgrader.solution
    assert sum("raise NotImplementedError" in cell.source for cell in _code(notebook)) >= 3


def test_students_copies_are_never_overwritten(monkeypatch, tmp_path):
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    notebooks.exercises("01")
    copy = next((tmp_path / "my_exercises").iterdir())
    copy.write_text("my own work")
    notebooks.exercises("01")
    assert copy.read_text() == "my own work"


def test_small_pictures_keep_the_colours_that_a_legend_names():
    """On a photograph full of colours, with a few pixels of each class."""
    from utils.viz.plotting import BLUE, GREY

    pixels = np.random.RandomState(0).randint(0, 256, (150, 300, 3), dtype=np.uint8)
    named = [*utils.VOC_COLORMAP, utils.VOID_COLOR, (255, 255, 255), *(bytes.fromhex(c[1:]) for c in (BLUE, GREY))]
    for i, color in enumerate(named):
        pixels[2:6, 10 * i : 10 * i + 8] = tuple(color)
    drawn = io.BytesIO()
    Image.fromarray(pixels).save(drawn, "PNG")
    output = nbformat.v4.new_output("display_data", {"image/png": base64.b64encode(drawn.getvalue()).decode()})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[output])])
    notebooks.shrink_pictures(notebook)
    small = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
    assert small.mode == "P"
    kept = np.asarray(small.convert("RGB")).astype(int)
    for i, color in enumerate(named):
        assert (kept[2:6, 10 * i : 10 * i + 8] == tuple(color)).all(), color
    assert np.abs(kept - pixels).mean() < 20


def _chapter(folder, number, *cells):
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell(f"# {number} Test\n\n- **Time:** about 5 s on two processor cores"),
            *(nbformat.v4.new_code_cell(source, metadata={"tags": tags}) for source, *tags in cells),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(notebook, pathlib.Path(folder) / f"{number}_test.ipynb")


@pytest.fixture
def three_chapters(monkeypatch, tmp_path):
    """01 passes and reports, 02 fails, 03 passes; made in a folder of their own."""
    chapters = tmp_path / "chapters"
    (chapters / "exercises").mkdir(parents=True)
    _chapter(chapters, "01", ["dataset = 'voc_mini'", "parameters"], ["print('data', dataset)", "result"])
    _chapter(chapters, "02", ["1 / 0"])
    _chapter(chapters, "03", ["print('third')"])
    (tmp_path / "README.md").write_text("# Test\n\nNothing.\n")
    shutil.copytree(ROOT / "book", tmp_path / "book")
    (tmp_path / "utils").mkdir()
    for name in "__init__.py", "losses.py":  # a page of code; tests/test_book.py makes those of all modules
        shutil.copy(ROOT / "utils" / name, tmp_path / "utils")
    pages = "".join(f"  - file: chapters/{number}_test\n" for number in ("01", "02", "03"))
    (tmp_path / "book" / "_toc.yml").write_text(f"format: jb-book\nroot: index\nparts:\n- chapters:\n{pages}")
    for name, value in ("ROOT", tmp_path), ("CHAPTERS", chapters), ("BUILD", tmp_path / "build"):
        monkeypatch.setattr(notebooks, name, value)
    monkeypatch.setattr(notebooks.find, "__defaults__", (None, chapters))
    return tmp_path


@pytest.mark.filterwarnings("default")
def test_a_failing_chapter_stops_no_other_and_is_shown(three_chapters, capfd):
    given = {"dataset": "mine", "num_epochs": 3}
    assert not maker.publish(notebooks.run(None, given), given)
    out, err = capfd.readouterr()
    assert "2 of 3 chapters executed" in out and "Failed: 02 Test" in out and "ZeroDivisionError" in err
    book = three_chapters / "build" / "book"
    assert (
        f"open {os.path.relpath(book / 'index.html')}" in out
        and "Times and results of this run" in (book / "index.html").read_text()
    )
    page = (book / "this_run.html").read_text()
    assert "dataset = mine" in page and "data mine" in page and page.count("<p>executed</p>") == 2
    assert "ZeroDivisionError" in page and "ZeroDivisionError" in (book / "chapters" / "02_test.html").read_text()
    assert "third" in (book / "chapters" / "03_test.html").read_text()


@pytest.mark.filterwarnings("default")
def test_of_one_chapter_executed_the_others_are_as_they_came(three_chapters):
    assert maker.publish(notebooks.run("03", {}), {})
    book = three_chapters / "build" / "book"
    assert "third" in (book / "chapters" / "03_test.html").read_text()
    assert "print" in (book / "chapters" / "01_test.html").read_text()
    page = (book / "this_run.html").read_text()
    assert page.count("<p>executed</p>") == 1 and "voc_mini" in page
    kept = nbformat.read(book / "_sources" / "chapters" / "03_test.ipynb", 4)
    assert "third" in kept.cells[1].outputs[0].text


@pytest.mark.filterwarnings("default")
def test_a_chapter_executed_again_takes_its_place_among_the_others(three_chapters, capsys):
    chapters, given = three_chapters / "build" / "chapters", {"num_epochs": 3}
    notebooks.run(None, given)
    _chapter(three_chapters / "chapters", "02", ["print('mended')"])
    notebooks.run("02", given)
    assert [row.error is None for row in notebooks.earlier(given)] == [True, True, True]
    assert "mended" in (chapters / "02_test.ipynb").read_text() and (chapters / "03_test.ipynb").exists()
    capsys.readouterr()
    notebooks.run("02", {"num_epochs": 4})
    assert "were executed with other settings and are dropped" in capsys.readouterr().out
    assert [row.name for row in notebooks.earlier({"num_epochs": 4})] == ["02_test.ipynb"]
    assert not (chapters / "03_test.ipynb").exists()


@pytest.mark.filterwarnings("default")
def test_refresh_leaves_a_failing_chapter_as_it_was(three_chapters):
    rows = "| [01 Test](x) | a | ? |\n| [02 Test](x) | a | ? |\n"
    (three_chapters / "README.md").write_text(rows)
    index = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(rows)])
    nbformat.write(index, three_chapters / "chapters" / "index.ipynb")
    before = (three_chapters / "chapters" / "02_test.ipynb").read_bytes()
    for number in "01", "02":
        (three_chapters / "chapters/exercises" / f"{number}_test.ipynb").write_bytes(
            (three_chapters / "chapters/01_test.ipynb").read_bytes()
        )
    assert notebooks.refresh("01") and not notebooks.refresh("02")
    assert (three_chapters / "chapters" / "02_test.ipynb").read_bytes() == before
    done = nbformat.read(three_chapters / "chapters" / "01_test.ipynb", 4)
    assert [cell.execution_count for cell in done.cells[1:]] == [1, 2] and done.metadata.keys() <= {
        "kernelspec",
        "language_info",
    }
    assert (three_chapters / "README.md").read_text().startswith("| [01 Test](x) | a | 5 s |\n")
    index = nbformat.read(three_chapters / "chapters" / "index.ipynb", 4)
    assert index.cells[0].source == (three_chapters / "README.md").read_text().rstrip("\n") + "\n"


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("way", ["run", "execute"])
def test_sliders_leave_no_trace_in_what_is_written(three_chapters, way):
    chapters = three_chapters / "chapters"
    _chapter(chapters, "01", ["import ipywidgets\nprint('kept')\n_ = ipywidgets.interact(lambda x: x, x=(0, 9))"])
    if way == "run":
        (executed,) = notebooks.run("01", {})
        assert executed.error is None
        done = nbformat.read(notebooks.BUILD / "chapters" / executed.name, 4)
    else:
        done = nbformat.read(chapters / "01_test.ipynb", 4)
        assert notebooks.execute(done, chapters) is None
    (cell,) = [cell for cell in done.cells if "ipywidgets" in cell.source]
    assert [out.text for out in cell.outputs] == ["kept\n"] and "widgets" not in done.metadata


@pytest.mark.filterwarnings("default")
def test_nothing_is_sent_while_a_cell_with_sliders_is_waited_for(monkeypatch, tmp_path):
    """A second's delay made the loss certain: the reply had come, sending ate what should have woken the client."""
    sent = []
    monkeypatch.setattr(OutputWidget, "sync_state", OutputWidget.sync_state)  # as it is, again afterwards
    monkeypatch.setattr(OutputWidget, "_publish_msg", lambda *message, **parts: sent.append(message))
    code = "import ipywidgets\n_ = ipywidgets.interact(lambda x: x, x=(0, 9))"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    assert notebooks.execute(notebook, tmp_path) is None and not sent


@pytest.mark.filterwarnings("default")
def test_executing_keeps_what_nbgrader_needs_and_drops_the_rest():
    path = EXERCISES[0]
    notebook = nbformat.read(path, 4)
    notebook.cells = notebook.cells[:2]
    before = notebook.cells[1].metadata.nbgrader.copy()
    notebook.cells[1].metadata["collapsed"] = True
    assert notebooks.execute(notebook, path.parent) is None
    assert notebook.cells[1].metadata == {"nbgrader": before}


def test_an_unknown_chapter_is_said():
    with pytest.raises(SystemExit, match="no chapter 77: there are 00, 01"):
        notebooks.find("77")


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("number", ["01", "02", "03", "05", "06", "07"])
def test_a_chapter_runs_on_real_photographs_with_other_classes(camvid, number, monkeypatch, tmp_path):
    monkeypatch.setattr(notebooks, "BUILD", tmp_path)
    (executed,) = notebooks.run(number, {"dataset": str(camvid), "scale": 0.5, "crop_size": [128, 160]})
    assert executed.error is None
    if number in ("01", "03"):  # these print class names
        assert "pole" in (tmp_path / "chapters" / executed.name).read_text()


@pytest.fixture
def own_folder(tmp_path):
    """Data as CVAT exports it: two classes and no void, the first label without an object, one picture below."""
    root = tmp_path / "own"
    for folder in "JPEGImages/cups", "SegmentationClass/cups", "ImageSets/Segmentation":
        (root / folder).mkdir(parents=True)
    (root / "labelmap.txt").write_text("# label:color_rgb:parts:actions\nbackground:0,0,0::\nobject:128,0,0::\n")
    mini = utils.data_root()
    for split, count in ("train", 10), ("val", 3):
        names = utils.read_names(mini, split == "train")[:count]
        own = [f"cups/{name}" if i == 1 else name for i, name in enumerate(names)]
        (root / f"ImageSets/Segmentation/{split}.txt").write_text("".join(f"{name}\n" for name in own))
        for i, (name, new) in enumerate(zip(names, own, strict=True)):
            picture = Image.fromarray(utils.read_image(utils.image_path(mini, name))).resize((256, 192))
            picture.save(root / f"JPEGImages/{new}.{'png' if i == 2 else 'jpg'}")
            label = Image.fromarray(utils.read_label(utils.label_path(mini, name))).resize((256, 192), 0)
            thing = (np.asarray(label) % utils.VOID > 0) & (i > 0)
            write_palette_png(root / f"SegmentationClass/{new}.png", thing, [(0, 0, 0), (128, 0, 0)])
    return root


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("number", ["01", "02", "03", "10", "11"])
def test_a_chapter_runs_on_few_pictures_of_two_classes_without_void(own_folder, number, monkeypatch, tmp_path):
    monkeypatch.setattr(notebooks, "BUILD", tmp_path / "build")
    (executed,) = notebooks.run(number, {"dataset": str(own_folder), "num_epochs": 2})
    assert executed.error is None


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "number, size, message",
    [
        ("02", (48, 40), None),
        ("06", (90, 80), "one class alone in the test labels, expected two or more"),
        ("07", (48, 40), "no test picture of 150 × 150 pixels at scale 1.0"),
    ],
)
def test_a_chapter_copes_with_small_pictures_or_says_what_it_wants(number, size, message, monkeypatch, tmp_path):
    root = tmp_path / "small"
    for folder in "JPEGImages", "SegmentationClass", "ImageSets/Segmentation":
        (root / folder).mkdir(parents=True)
    names = [f"p{i}" for i in range(10)]
    for name in names:
        Image.new("RGB", size, (90, 120, 30)).save(root / f"JPEGImages/{name}.jpg")
        label = np.zeros(size[::-1], np.uint8)
        label[:20, :20] = number != "06"
        write_palette_png(root / f"SegmentationClass/{name}.png", label, [(0, 0, 0), (128, 0, 0)])
    for split, part in ("train", names[:8]), ("val", names[8:]):
        (root / f"ImageSets/Segmentation/{split}.txt").write_text("\n".join(part))
    monkeypatch.setattr(notebooks, "BUILD", tmp_path / "build")
    (executed,) = notebooks.run(number, {"dataset": str(root)})
    assert executed.error is None if message is None else message in executed.error


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(notebooks, "BUILD", tmp_path / "file" / "build")
    with pytest.raises(SystemExit, match="chapters: Not a directory. Run the course in a copy of your own"):
        notebooks.run("00", {})


def test_a_folder_with_errors_stops_before_the_first_chapter(voc_folder):
    """Its six training pictures are too few for a batch."""
    with pytest.raises(SystemExit, match=r"not ready, 1 errors, such as\n .*train.txt: 6 names; expected 8 or more.*"):
        notebooks.bring(str(voc_folder))


def test_a_data_set_that_is_not_there_stops_before_the_first_chapter(tmp_path):
    with pytest.raises(SystemExit, match="nowhere: no such folder; expected JPEGImages"):
        notebooks.bring(str(tmp_path / "nowhere"))


def test_ctrl_c_and_a_name_too_long_are_one_sentence_each(monkeypatch):
    with pytest.raises(SystemExit, match="no such folder"):
        notebooks.bring("long" * 1000)

    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("utils.data_root", interrupted)
    with pytest.raises(SystemExit, match="Interrupted. What has come is kept: the same command continues."):
        notebooks.bring("voc2012")
