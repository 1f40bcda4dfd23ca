"""`make lab` in a browser: the index notebook, the sliders of chapter 04, `Viewer` and `compare`, driven as by hand."""

import utils

import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

import nbformat
import numpy as np
import pytest
from browser import chromium
from conftest import ROOT
from PIL import Image

pytestmark = [pytest.mark.lab, pytest.mark.filterwarnings("default")]  # Selenium's own; the page's are looked at below
TOKEN = "a-token-of-the-tests"
CELLS = [
    "import utils\n\ntest_set = utils.VOCSegDataset(False, None).take(5)\n"
    "nets = {f'FCN-{stride}s': utils.fcn(21, stride) for stride in (32, 16, 8)}",
    "utils.Viewer(nets['FCN-32s'], test_set).show()",
    "utils.compare(nets, test_set)",
    "utils.scribble('../data/photo/chelsea.jpg')",
]
HARMLESS = {"beforeunload": "Chromium: the test leaves a page that would ask, and no person ever clicked in it"}
"""What JupyterLab says by itself on the console: {part of the message: why it is no fault of ours}."""


@pytest.fixture(scope="module")
def driver():
    with chromium() as driver:
        driver.implicitly_wait(0)
        yield driver


@pytest.fixture(scope="module")
def lab(driver, tmp_path_factory):
    """JupyterLab as `make lab` starts it, on copies of what it shows; its address."""
    folder = tmp_path_factory.mktemp("lab")
    for name in "chapters", "docs", "tools":
        shutil.copytree(ROOT / name, folder / name)
    for name in "data", "utils", "results":
        (folder / name).symlink_to(ROOT / name)
    sliders = nbformat.read(next((folder / "chapters").glob("04_*.ipynb")), 4)
    last = next(i for i, cell in enumerate(sliders.cells) if "interact(" in cell.source and cell.source[0] == "_")
    sliders.cells = sliders.cells[: last + 1]  # what follows trains
    for cell in sliders.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(sliders, folder / "chapters" / "sliders.ipynb")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "chapters" / "live.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = f"--no-browser --allow-root --ServerApp.ip=127.0.0.1 --ServerApp.port={port} --ServerApp.port_retries=0 "
    words += f"--IdentityProvider.token={TOKEN} --ServerApp.root_dir='{folder}'"
    own = {f"JUPYTER_{name}_DIR": str(folder / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {f"JUPYTERLAB_{name}_DIR": str(folder / name) for name in ("SETTINGS", "WORKSPACES")}
    log = (folder / "log").open("w")
    server = subprocess.Popen(
        ["make", "lab", f"ARGS={words}"],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL")} | own,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _until(lambda: _answers(url, server), 120)
        shutil.copytree(ROOT / "my_exercises", folder / "my_exercises")  # which `make lab` has written
        yield url
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
        log.close()


def _answers(url, server):
    assert server.poll() is None, "JupyterLab has ended"
    try:
        return urllib.request.urlopen(f"{url}/api/status?token={TOKEN}", timeout=5).status == 200
    except OSError:
        return False


def _until(what, seconds=300):
    """What a function returns, once it is true."""
    end = time.time() + seconds
    while not (found := what()):
        assert time.time() < end, f"not so after {seconds} s"
        time.sleep(0.2)
    return found


def _find(root, css, text=""):
    """Elements of the page, or of one of its elements; asked in one go, as JupyterLab replaces them at any time."""
    found = "return [...(arguments[0] || document).querySelectorAll(arguments[1])]"
    found += ".filter(element => element.textContent.includes(arguments[2]))"
    driver = getattr(root, "parent", root)
    return driver.execute_script(found, None if driver is root else root, css, text)


def _one(driver, css, text="", seconds=300):
    return _until(lambda: _find(driver, css, text), seconds)[0]


def _open(driver, lab, notebook):
    driver.get(f"{lab}/lab/tree/chapters/{notebook}?token={TOKEN}&reset")
    _one(driver, ".jp-Notebook .jp-Cell")
    _one(driver, ".jp-StatusBar-TextItem", "| Idle")  # before that, running cells asks which kernel to take


def _run_all(driver):
    """By the menu, and wait until the last cell has run."""
    _one(driver, ".lm-MenuBar-item", "Run").click()
    _one(driver, ".lm-Menu-item[data-command='runmenu:run-all']").click()
    prompts = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell .jp-InputPrompt"  # far ones are there, but not seen
    texts = f"return [...document.querySelectorAll('{prompts}')].map(prompt => prompt.textContent)"
    _until(lambda: all(re.search(r"\[\d+\]", text) for text in driver.execute_script(texts)), 600)


def _cell(driver, code):
    """The cell that has this code, in view."""
    cells = (
        "return [...document.querySelectorAll('.jp-CodeCell')].find(cell => cell.textContent.includes(arguments[0]))"
    )
    cell = _until(lambda: driver.execute_script(cells, code))
    driver.execute_script("arguments[0].scrollIntoView({block: 'start'})", cell)
    return cell


def _picture(cell):
    """Address of the cell's one picture, all its bytes."""
    addresses = "return [...arguments[0].querySelectorAll('.jp-RenderedImage img')].map(picture => picture.src)"
    found = cell.parent.execute_script(addresses, cell)
    return found[0] if len(found) == 1 else None


def _changes(cell, act, seconds=300):
    before = _picture(cell)
    assert before
    act()
    return _until(lambda: _picture(cell) not in (None, before) and _picture(cell), seconds)


def _screenshot(driver, name):
    if folder := os.environ.get("COURSE_SCREENSHOTS"):
        time.sleep(1)
        driver.save_screenshot(f"{folder}/{name}.png")


def _quiet(driver):
    """No error on the console but harmless ones."""
    said = [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert not [message for message in said if not any(known in message for known in HARMLESS)]
    assert not _find(driver, ".jp-OutputArea [data-mime-type='application/vnd.jupyter.stderr']")


def test_the_index_notebook_opens_first_and_leads_to_chapters_and_pages(driver, lab):
    driver.get(f"{lab}/?token={TOKEN}")
    _one(driver, ".jp-RenderedMarkdown h1", "Semantic segmentation")
    exercises = len(list((ROOT / "chapters" / "exercises").glob("*.ipynb")))
    assert len(_find(driver, ".jp-RenderedMarkdown td a", "questions")) == exercises > 10
    _screenshot(driver, "index")
    _one(driver, ".jp-RenderedMarkdown a", "Glossary").click()
    _one(driver, ".jp-MarkdownViewer h1", "Glossary")  # read, not edited
    _one(driver, ".lm-TabBar-tabLabel", "index.ipynb").click()
    _one(driver, ".jp-RenderedMarkdown a", "03 Colormap lookup").click()
    _one(driver, ".jp-RenderedMarkdown h1", "03 Colormap lookup")
    _one(driver, ".lm-TabBar-tabLabel", "index.ipynb").click()
    _until(lambda: _find(driver, ".jp-RenderedMarkdown td a", "4 questions"))[0].click()  # of chapter 00
    _one(driver, ".jp-RenderedMarkdown h1", "00 Before you start: exercises")
    _quiet(driver)


def test_the_sliders_of_chapter_04_move_its_picture(driver, lab):
    from selenium.webdriver import Keys

    _open(driver, lab, "sliders.ipynb")
    _run_all(driver)
    assert len(_until(lambda: _find(driver, ".jp-RenderedMarkdown mjx-container"))) >= 2, "formulas"
    cell = _cell(driver, "_ = interact(picture_of")
    handles = _until(lambda: cell.find_elements("css selector", ".noUi-handle"))
    assert len(handles) == 3
    _until(lambda: _picture(cell))
    for handle in handles:
        _changes(cell, lambda handle=handle: handle.send_keys(Keys.ARROW_RIGHT))
    _screenshot(driver, "chapter04")
    _quiet(driver)


def _live(driver, lab):
    _open(driver, lab, "live.ipynb")
    _run_all(driver)


def test_viewer_steps_orders_and_fades(driver, lab):
    from selenium.webdriver import Keys
    from selenium.webdriver.support.ui import Select

    _live(driver, lab)
    cell = _cell(driver, "utils.Viewer")
    _one(cell, "button", "next")
    assert not _find(cell, ".jp-RenderedText"), "text beside the figure"
    place, opacity = cell.find_elements("css selector", ".noUi-handle")
    pictures = [_picture(cell)]
    _screenshot(driver, "viewer")
    pictures.append(_changes(cell, _one(cell, "button", "next").click))
    assert _changes(cell, _one(cell, "button", "previous").click) == pictures[0]
    _one(cell, "button", "previous").click()  # the first stays the first
    pictures.append(_changes(cell, lambda: place.send_keys(Keys.END)))
    pictures.append(_changes(cell, lambda: opacity.send_keys(Keys.HOME)))
    _screenshot(driver, "viewer-clear")
    order = Select(cell.find_element("css selector", "select"))
    pictures.append(_changes(cell, lambda: order.select_by_visible_text("fewest right pixels first")))
    _screenshot(driver, "viewer-worst")
    assert len(set(pictures)) == len(pictures)
    _quiet(driver)


def _uploader(driver, cell):
    """Brings a file by the button of a cell."""
    # the widget's <input> isn't on the page, and pressing the button opens the system's dialogue: put it on the page
    driver.execute_script("HTMLInputElement.prototype.click = function () { document.body.append(this) }")
    before = len(_find(driver, "body > input[type=file]"))
    _one(cell, "button.jupyter-widgets", "your own picture").click()
    field = _until(lambda: _find(driver, "body > input[type=file]")[before:])[0]

    def upload(path):
        driver.execute_script("arguments[0].value = ''", field)  # as pressing the button does
        field.send_keys(str(path))

    return upload


def test_compare_takes_a_picture_of_the_list_and_uploads(driver, lab, tmp_path):
    from selenium.webdriver.support.ui import Select

    _live(driver, lab)
    cell = _cell(driver, "utils.compare")
    choice = Select(_one(cell, "select"))
    _changes(cell, lambda: choice.select_by_index(3))
    _screenshot(driver, "compare")

    upload = _uploader(driver, cell)
    photo = tmp_path / "photo <b>.jpg"
    shutil.copy(utils.image_path(utils.data_root(), utils.read_names(utils.data_root(), False)[7]), photo)
    shown = _changes(cell, lambda: upload(photo))
    _one(cell, ".widget-html", "photo <b>.jpg, as the nets saw it: ")
    _screenshot(driver, "compare-upload")
    listed = _changes(cell, lambda: choice.select_by_index(3))  # the one before, again
    upload(photo)
    _until(lambda: _picture(cell) == shown != listed)
    broken = tmp_path / "broken.png"
    broken.write_bytes(photo.read_bytes()[:200])
    upload(broken)
    _one(cell, ".widget-html", "broken.png: cannot be read as a picture")
    assert _picture(cell) == shown
    _screenshot(driver, "compare-error")
    large = tmp_path / "large.png"  # 15 MB, beyond what a notebook server takes unless told to (tools/jupyter)
    Image.fromarray(np.random.randint(0, 256, (2000, 2500, 3), np.uint8)).save(large)
    assert large.stat().st_size > 12e6
    _changes(cell, lambda: upload(large))
    _one(cell, ".widget-html", "large.png, as the nets saw it: 819 × 1024 pixels")
    upload(photo)
    _until(lambda: _picture(cell) == shown)
    _quiet(driver)


def test_strokes_drawn_on_a_photograph_divide_it(driver, lab):
    from selenium.webdriver import ActionChains

    _live(driver, lab)
    cell = _cell(driver, "utils.scribble")
    _one(cell, ".widget-html", "two colours at least")
    canvas, pens = _one(cell, "canvas"), _until(lambda: _find(cell, "input[type=radio]"))

    def draw(pen, *points):
        pens[pen].click()
        mouse = ActionChains(driver, 20).move_to_element_with_offset(canvas, *points[0]).click_and_hold()
        for (x, y), (to_x, to_y) in zip(points, points[1:], strict=False):
            mouse.move_by_offset(to_x - x, to_y - y)
        mouse.release().perform()

    _changes(cell, lambda: draw(0, (-100, -60), (0, -80), (60, -80)))  # from the canvas's middle: across the cat's face
    _one(cell, ".widget-html", "two colours at least")
    _changes(cell, lambda: draw(2, (200, -80), (210, 100)))
    _until(lambda: not _find(cell, ".widget-html", "two colours"))
    _screenshot(driver, "scribble")
    _changes(cell, _one(cell, "button", "take back").click)
    _one(cell, ".widget-html", "two colours at least")
    _changes(cell, _one(cell, "button", "clear").click)
    _one(cell, ".widget-html", "two colours at least")
    _quiet(driver)


def test_an_answer_opens_by_mouse_and_by_key(driver, lab):
    from selenium.webdriver import Keys

    _open(driver, lab, "02_random_crop.ipynb")
    scroll = "document.querySelector('.jp-WindowedPanel-outer, .jp-Notebook').scrollTop = 1e9"
    _until(lambda: driver.execute_script(scroll) or _find(driver, ".jp-RenderedMarkdown summary", "10: a cow"))
    choices = _find(driver, ".jp-RenderedMarkdown details")
    assert len(choices) == 17 and _find(choices[0], "summary") and not _find(driver, "details[open]")
    for choice, use in zip(choices[:2], (lambda s: s.click(), lambda s: s.send_keys(Keys.ENTER)), strict=True):
        driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", choice)
        answer, summary = _find(choice, "p")[0], _find(choice, "summary")[0]
        assert not answer.is_displayed()
        use(summary)
        _until(answer.is_displayed)
    assert _find(choices[0], "strong", "No.") and _find(choices[1], "strong", "Right.")
    _screenshot(driver, "quiz")
    _quiet(driver)


def test_chapter_00_names_and_segments_an_uploaded_photograph(driver, lab):
    """Both of its buttons, on the chapter as it is."""
    _open(driver, lab, "00_before_you_start.ipynb")
    _run_all(driver)
    photo = utils.image_path(utils.data_root(), utils.read_names(utils.data_root(), False)[7])
    for code, name in ("data/photo/chelsea.jpg", "what-and-where"), ("utils.compare(", "the-net"):
        cell = _cell(driver, code)
        _until(lambda cell=cell: _find(cell, "button.jupyter-widgets", "your own picture"))
        upload = _uploader(driver, cell)
        _changes(cell, lambda upload=upload: upload(photo))
        _one(cell, ".widget-html", f"{photo.name}, as the nets saw it: ")
        _screenshot(driver, f"chapter00-{name}")
    _quiet(driver)
