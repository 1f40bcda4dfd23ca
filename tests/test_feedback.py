"""Feedback pages, and what students' names and messages become in the report, the CSV and on a terminal."""

import base64
import csv
import http.server
import io
import json
import re
import threading
import time
import zipfile

import bs4
import feedback
import grading
import marks
import nbformat
import pytest
from browser import chromium
from matplotlib import pyplot
from PIL import Image

SCRIPT = "<script>document.title = 'taken'</script>"
EVIL = [
    SCRIPT,
    f"`` {SCRIPT}",
    f"```html\n</code></pre>{SCRIPT}\n```",
    f"```\"onload=\"document.title='taken'\n{SCRIPT}\n```",
    "<img src=x onerror=\"document.title='taken'\">",
    '<img src="http://127.0.0.1:9/loaded.png">',
    "![x](http://127.0.0.1:9/loaded.png) ![x](data:text/html,x) ![x](\"onerror=\"document.title='taken')",
    "[click](javascript:document.title='taken') [away](http://127.0.0.1:9/) <a href='http://127.0.0.1:9/'>away</a>",
    '<iframe src="http://127.0.0.1:9/frame"></iframe><object data="http://127.0.0.1:9/o"></object>',
    '<form action="http://127.0.0.1:9/sent"><input name="a"><button>Send</button></form>',
    '<meta http-equiv="refresh" content="0;url=http://127.0.0.1:9/gone"><base href="http://127.0.0.1:9/">',
    "<style>body { background: url(http://127.0.0.1:9/style) } h1 { display: none }</style>",
    '<div style="position: fixed; inset: 0">q1: right, 1 of 1</div>',
    "</section></body></html><!--",
    "<svg onload=\"document.title='taken'\"><use href='http://127.0.0.1:9/use#x'/></svg>",
    f'$</span>{SCRIPT}$ and $\\href{{javascript:alert(1)}}{{x}}$ and $$"><script>x</script>$$',
    "|a|b|\n|-|-|\n|<script>document.title='taken'</script>|\"><img src=x onerror=\"document.title='taken'\">|",
    '<li><a href="#q1-check">Test cell</a> (Score: x)</li><li><a href="#q1-check">Test cell</a> (Score: 1 / 1)</li>',
    "half an emoji \ud800, \u202eright to left, \x1b[2J\x1b]0;title\x07 and a NUL \0",
]
CRASHING = [
    ">" * 15000,
    "[" * 15000,
    "- " * 9000,
    "*_" * 9000,
    "`" * 15000,
    "$" + "{" * 200 + "$",
    "![](" * 5000,
    "<" * 19000,
]


def png(width=4, height=3, kind="PNG"):
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, kind)
    return base64.b64encode(file.getvalue()).decode()


def outputs():
    """What a hostile notebook displays."""
    data = [
        {"text/html": SCRIPT, "text/plain": SCRIPT},
        {"application/javascript": "document.title = 'taken'"},
        {"image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg'>{SCRIPT}</svg>"},
        {"image/png": f'"><img src=x onerror="document.title=1">{SCRIPT}'},
        {"image/png": base64.b64encode(f"<svg>{SCRIPT}</svg>".encode()).decode()},
        {"image/png": png(9000, 9000)},
        {"image/jpeg": png()},
        {"text/markdown": SCRIPT, "text/latex": SCRIPT},
        {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}},
    ]
    metadata = {"image/png": {"width": "1 onload=alert(1)"}}
    found = [nbformat.v4.new_output("display_data", one, metadata=metadata) for one in data]
    found += [nbformat.v4.new_output("stream", text=f"\x1b[31m{SCRIPT}\x1b[0m\x1b[2J")]
    return [*found, nbformat.v4.new_output("error", ename=SCRIPT, evalue=SCRIPT, traceback=[SCRIPT])]


def check_of(name, source="assert x == 1", **kind):
    kind = dict(grade_id=name, grade=True, solution=False, locked=True, points=1, **kind)
    return nbformat.v4.new_code_cell(source, metadata={"nbgrader": kind})


RELEASE = nbformat.v4.new_notebook(
    cells=[nbformat.v4.new_markdown_cell("## 1. The way to a net, `NCHW`\n\nOf"), check_of("q1-check")]
)
RECORD = {
    "answers": {"q1": [0, "wrong", "q1-check: AssertionError: expected a < b"]},
    "notes": ["q1 was <b>changed</b>"],
}


def page(cells, record=RECORD):
    notebook = nbformat.v4.new_notebook(cells=[*RELEASE.cells, *cells])
    return feedback.page("an<b>na", "01_small", notebook, RELEASE, record)


def markdown(texts):
    return [nbformat.v4.new_markdown_cell(text) for text in texts]


def test_a_page_begins_with_the_record_whatever_the_notebook_says():
    for text in (page([]), page(markdown(EVIL))):
        head = bs4.BeautifulSoup(text, "html.parser").body
        assert head.p.text == "an<b>na: 0 of 1"
        assert [li.text for li in head.ol.find_all("li")] == [
            "The way to a net, NCHW: wrong, 0 of 1. expected a < b",
        ]
        assert "<p>q1 was &lt;b&gt;changed&lt;/b&gt;</p>" in text
        assert [link["href"] for link in head.find_all("a")] == ["#q1-check"] and head.find(id="q1-check")


def test_a_hostile_page_has_no_elements_but_ours():
    text = page([*markdown(EVIL), nbformat.v4.new_code_cell(SCRIPT, outputs=outputs())])
    text.encode()
    assert not re.search(r"[\0-\x08\x0b-\x1f\x7f\u202e]", text)
    body = bs4.BeautifulSoup(text, "html.parser").body
    allowed = {"class", "id", "href", "src", "alt"}
    for tag in body.find_all(True):
        assert tag.name in feedback.TAGS | {"section", "a", "img"} and set(tag.attrs) <= allowed, tag
        assert tag.get("src", "data:image/").startswith("data:image/") and tag.get("href", "#")[0] == "#", tag
    pictures = [tag["src"][:15] for tag in body.find_all("img", alt="figure")]
    assert pictures == ["data:image/png;"]  # the one that is a picture, and by the name of what it is
    assert body.text.count("too large") == 1 and body.text.count("cannot be read") == 2


@pytest.mark.parametrize("text", CRASHING, ids=lambda text: text[:4])
def test_what_exhausts_a_parser_is_shown_as_it_was_typed(text):
    found = bs4.BeautifulSoup(feedback.from_markdown(text), "html.parser").text
    assert len(found) >= len(text) / 9 or text[0] in "-*`"  # lists and code have lost their marks


def test_long_cells_and_what_comes_too_late_have_no_form(monkeypatch):
    cells = [*markdown(["*a*" * 2000, "*b*"]), nbformat.v4.new_code_cell("import os")]
    text = page(cells)
    assert f"<pre>{'*a*' * 2000}</pre>" in text and "<em>b</em>" in text and '<span class="kn">import' in text
    monkeypatch.setattr(feedback, "SECONDS", -1)
    text = page(cells)
    assert "<pre>*b*</pre>" in text and '<pre class="input">import os</pre>' in text


@pytest.fixture
def graded(tmp_path, monkeypatch):
    """A function that lays a graded notebook of a student on the disk, as `make grade` leaves it."""
    monkeypatch.setattr(grading, "GRADING", tmp_path / "grading")

    def lay(student, cells, record=RECORD):
        for folder, made in ("release/exercises", RELEASE.cells), (f"autograded/{student}/exercises", cells):
            path = grading.GRADING / folder / "01_small.ipynb"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(RELEASE | {"cells": made}), encoding="utf-8")
        (grading.GRADING / "records").mkdir(exist_ok=True)
        record = {"01_small": record, "other files": {"notes": []}}
        (grading.GRADING / f"records/{student}.json").write_text(json.dumps(record), encoding="utf-8")
        return grading.GRADING / f"feedback/{student}/exercises/01_small.html"

    return lay


def test_one_page_that_fails_costs_no_other(graded, capsys):
    first, last = graded("anna", RELEASE.cells), graded("zoe", RELEASE.cells)
    graded("eva\x1b[2J", [check_of("q1-check") | {"source": None}])
    graded("half", RELEASE.cells, {"answers": {"q1": "?"}, "notes": []})
    (grading.GRADING / "autograded/half/exercises/01_small.ipynb").write_text("{")
    with pytest.raises(SystemExit) as told:
        feedback.feedback()
    assert first.is_file() and last.is_file() and not list((grading.GRADING / "feedback").glob("[eh]*/*/*"))
    lines = str(told.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [r"eva\x1b[2J, 01_small", "half, 01_small"]
    assert "A folder and a zip of pages for each student: grading/feedback" in capsys.readouterr().out


def moodle_takes(name, participants):
    """(participant's number, name of the file) of a path in a zip, as Moodle's own importziplib.php has it."""
    parts = name.split("/")
    while parts:
        words = parts.pop(0).split("_", 4)
        if len(words) >= 4 and words[1].isdigit() and int(words[1]) in participants and words[2] == "assignsubmission":
            return int(words[1]), "/".join([*words[4:], *parts]).lstrip("/")
    return None


def test_pages_are_packed_a_student_and_for_moodle(graded):
    folders = ["Zoë Müller_71_assignsubmission_file_", "O'Neil, Anna_72_assignsubmission_file", "ben"]
    for folder in folders:
        graded(folder, RELEASE.cells)
    feedback.feedback()
    home = grading.GRADING / "feedback"
    page = (home / folders[0] / "exercises/01_small.html").read_bytes()
    with zipfile.ZipFile(grading.GRADING / "feedback-moodle.zip") as archive:
        names = archive.namelist()
        assert archive.read(f"{folders[0]}/01_small.html") == page
    assert [moodle_takes(name, {71, 72}) for name in names] == [(72, "01_small.html"), (71, "01_small.html")]
    for folder in folders:
        with zipfile.ZipFile(home / f"{folder}.zip") as archive:
            assert archive.namelist() == ["01_small.html"]
    for path in (grading.GRADING / "autograded").rglob("*.ipynb"):  # as when none could be graded the next time
        path.unlink()
    feedback.feedback()
    assert not list(grading.GRADING.rglob("*.zip"))


def test_feedback_before_grading_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(grading, "GRADING", tmp_path / "grading")
    with pytest.raises(SystemExit, match="grading: nothing is graded; `make grade SUBMITTED=FOLDER` comes first"):
        feedback.feedback()


@pytest.fixture
def server():
    """(its address, the paths that it was asked for): what a page loads or sends."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()


def test_in_a_browser_a_hostile_page_runs_loads_and_sends_nothing(tmp_path, server):
    """As it is written; and, should the escaping fail one day, with all of it raw: the policy holds alone."""
    address, asked = server
    evil = [text.replace("http://127.0.0.1:9", address) for text in EVIL]
    sends = f"<form id=f action={address}/sent><input name=a></form>"
    raw = [sends, *(text for text in evil if not {"\0", "<!--", "refresh"} & set(re.findall(r"\0|<!--|refresh", text)))]
    pages = {"safe": page([*markdown(evil), nbformat.v4.new_code_cell(SCRIPT, outputs=outputs())])}
    pages["raw"] = feedback.PAGE.format(
        policy=feedback.POLICY, style=feedback.STYLE, title="safe", head="", cells="\n".join(raw)
    )
    pages["raw, without policy"] = pages["raw"].replace("Content-Security-Policy", "X-Nothing")
    found = {}
    with chromium() as driver:
        for name, text in pages.items():
            path = tmp_path / f"{name}.html"
            path.write_text(text, encoding="utf-8")
            driver.get(path.as_uri())
            time.sleep(0.3)
            found[name] = driver.title == "taken", *asked
            for form in driver.find_elements("id", "f"):  # by the driver: a script of the page's could not
                driver.execute_script("arguments[0].submit()", form)
                time.sleep(0.3)
                found[name] += tuple(path for path in asked if "sent" in path)
            asked.clear()
    assert not found["safe"][0] and len(found["safe"]) == 1, found
    assert not found["raw"][0] and len(found["raw"]) == 1, found
    assert found["raw, without policy"][0]  # so what was said above could have failed
    assert {"/loaded.png", "/frame", "/o", "/sent?a="} <= set(found["raw, without policy"]), found


def test_in_a_browser_a_normal_page_looks_right(tmp_path):
    figure, axes = pyplot.subplots()
    axes.plot([1, 2])
    file = io.BytesIO()
    figure.savefig(file, format="png")
    pyplot.close(figure)
    data = {"image/png": base64.b64encode(file.getvalue()).decode(), "text/plain": "<Figure>"}
    code = nbformat.v4.new_code_cell(
        "def f(x):\n    return 2 * x", outputs=[nbformat.v4.new_output("display_data", data)]
    )
    cells = [*markdown(["As $x^2 + \\frac{a}{b}$ says:\n\n$$\\sqrt{2}$$\n\nand $\\nosuch{$ for $5"]), code]
    (tmp_path / "page.html").write_text(page(cells), encoding="utf-8")
    with chromium() as driver:
        driver.get((tmp_path / "page.html").as_uri())
        images = driver.find_elements("css selector", "img")
        assert [image.get_attribute("alt")[:4] for image in images] == ["x^2 ", "\\sqr", "figu"]
        assert all(driver.execute_script("return arguments[0].naturalWidth > 9", image) for image in images)
        assert "$\\nosuch{$ for $5" in driver.find_element("tag name", "body").text
        word = driver.find_element("css selector", "pre .k")
        assert word.text == "assert" and word.value_of_css_property("font-weight") == "700"  # the style is let in
        assert driver.find_element("css selector", "section.own").value_of_css_property("border-left-width") == "4px"
        assert not driver.get_log("browser")


NAMES = {
    "=HYPERLINK(1)": "'=HYPERLINK(1)",
    "+1": "'+1",
    "-x": "'-x",
    "@sum": "'@sum",
    "\t=1": r"\t=1",
    "\uff1d1+1": "'\uff1d1+1",
    "x;=1+1": "x;'=1+1",
    "a,=1": "a,'=1",
    "anna-maria o'neil": "anna-maria o'neil",
    "\x1b[2Jeva\n=1": r"\x1b[2Jeva\n=1",
    "\u202etxt.anna": r"\u202etxt.anna",
    "half \udcff": r"half \udcff",
    "Zoë 山田": "Zoë 山田",
}


def test_names_in_csv_and_report_are_what_they_look_like(tmp_path):
    message = "q1-check: AssertionError: \x1b]0;x\x07 \u2066 \ud800"
    record = {
        "01_small": {"answers": {"q1": [0, "wrong", message]}, "notes": []},
        "other files": {"notes": ["\x9b2J: odd"]},
    }
    marks.write(tmp_path, dict.fromkeys(NAMES, record), {"01_small": RELEASE})
    with (tmp_path / "grades.csv").open(encoding="utf-8", newline="") as file:
        assert [row["student"] for row in csv.DictReader(file)] == [*NAMES.values()]
    report = (tmp_path / "report.txt").read_text(encoding="utf-8")
    assert all(line.isprintable() for line in report.split("\n"))
    assert r"q1-check: AssertionError: \x1b]0;x\x07 \u2066 \ud800" in report and r"\x9b2J: odd" in report
