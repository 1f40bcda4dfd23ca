"""Slides: each chapter has ten to fifteen, made of what its cells have; and how each looks in a browser."""

import base64
import hashlib
import json
import re
import shutil

import nbformat
import notebooks
import pytest
import slides
from browser import axe, chromium
from bs4 import BeautifulSoup
from conftest import ROOT

CHAPTERS = notebooks.find()
NAMES = [path.stem for path in CHAPTERS]


@pytest.fixture(scope="session")
def made():
    """The folder of slides that were made for these tests, in build/test-book."""
    folder = ROOT / "build" / "test-book" / "slides"
    shutil.rmtree(folder, ignore_errors=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notebooks, "BUILD", folder.parent)
        slides.build()
    return folder


@pytest.fixture(scope="session")
def decks(made):
    return {name: BeautifulSoup((made / f"{name}.html").read_text("utf-8"), "html.parser") for name in NAMES}


def cells(name):
    """The cells of a chapter that make slides, by the raw file."""
    raw = json.loads((notebooks.CHAPTERS / f"{name}.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in raw["cells"] if "slide" in cell["metadata"].get("tags", [])]


def squeezed(text):
    return re.sub(r"[\s`*]", "", text)


@pytest.mark.parametrize("name", NAMES)
def test_a_chapter_has_ten_to_fifteen_slides_with_what_their_cells_have(decks, name):
    sections, tagged = decks[name].select("section"), cells(name)
    assert 10 <= len(sections) <= 15 and len(sections) == len(tagged) + 2
    for section, cell in zip(sections[1:-1], tagged, strict=True):
        about, source = cell["metadata"]["slide"], "".join(cell["source"])
        assert squeezed(about["says"]) in squeezed(section.get_text())
        assert squeezed(about["asks"].split("?")[0]) in squeezed(section.select_one("aside.notes").get_text())
        if about["shows"] == "figure":
            (image,) = section.select("img")
            assert image["alt"] == cell["metadata"]["mystnb"]["image"]["alt"]
        for line in section.select("pre.code .line"):
            assert line.get_text().strip() in source
        for line in section.select("pre.output .line"):
            assert (
                line.get_text().strip()
                in "".join(
                    text
                    for out in cell.get("outputs", [])
                    for text in out.get("text", out.get("data", {}).get("text/plain", ""))
                )
                or about["shows"] == "text"
            )


@pytest.mark.parametrize("name", NAMES)
def test_numbers_that_a_slide_says_are_those_of_its_cell(decks, name):
    """At least those with a point: a score, a loss. What a figure shows can't be read here."""
    for cell in cells(name):
        about = cell["metadata"]["slide"]
        if about["shows"] in ("output", "both") and not json.dumps(cell.get("outputs", [])).count("image/png"):
            shown = json.dumps([cell.get("outputs", []), cell["source"]])
            for number in re.findall(r"\d+\.\d+", about["says"]):
                assert number in shown, f"{name}, {cell['id']}: {number}"


def test_nothing_is_loaded_from_a_network_and_what_is_loaded_is_there(made, decks):
    for name, page in {
        **decks,
        "index": BeautifulSoup((made / "index.html").read_text("utf-8"), "html.parser"),
    }.items():
        for element in page.select("[src], link[href]"):
            address = element.get("src", element.get("href"))
            assert address.startswith("data:image/png;base64,") or (made / address).is_file(), f"{name}: {address[:80]}"
    for path in made.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", path.read_text(encoding="utf-8")), path


PUBLISHED = {  # SHA-256 of dist/ and plugin/notes/ in npm's package reveal.js 5.2.1
    "reveal.js": "46538b52db48724192f59bf46f5e851a18e302777c46f4a34c32709d010d6a29",
    "reveal.css": "68f915a11ebf7203c0446576b7e952ff61c5dd02134a8a226ffaf62ed42136d2",
    "reset.css": "1aa8e84c9cabcbfe4d95b19879fe48b9c2c5e6d54574cbe679bc22edb9fe12b6",
    "notes.js": "df1201d19d03241a2897d39c3d38768177df1cbd4bde06327b321cb83461ae89",
}


def test_reveal_is_as_published():
    """NOTICE says that they are, and of which version."""
    folder = ROOT / "tools" / "reveal"
    assert {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in PUBLISHED} == PUBLISHED
    assert {path.name for path in folder.iterdir()} == {*PUBLISHED, "LICENSE", "course.css"}


def test_the_index_leads_to_each_chapter(made):
    page = BeautifulSoup((made / "index.html").read_text("utf-8"), "html.parser")
    assert [link["href"] for link in page.select("a")] == [f"{name}.html" for name in NAMES]


PNG = "iVBORw0KGgoAAAANSUhEUgAAAB4AAAAKAQAAAACLDNOCAAAADElEQVR42mNgIBUAAAAyAAF/wU+6AAAAAElFTkSuQmCC"  # 30 × 10
GOOD = {"title": "A title", "says": "One sentence.", "asks": "Why? Because.", "shows": "code"}


def cell(source="x = 1", image=False, text="", tags=("slide",), alt="a dot", kind="code", **about):
    new = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
    made = new(source, id="a-cell", metadata={"tags": list(tags), "slide": GOOD | about})
    if image:
        made.metadata["mystnb"] = {"image": {"alt": alt}}
        made.outputs.append(nbformat.v4.new_output("display_data", {"image/png": PNG}))
    if text:
        made.outputs.append(nbformat.v4.new_output("stream", text=text))
    return made


LONG = "\n".join(f"x = {i}" for i in range(20))
WRONG = {
    "no entry": (lambda: without(cell(), "slide"), "has the tag `slide`, but its metadata has no `slide`"),
    "no tag": (lambda: cell(tags=()), "its tags haven't"),
    "a part is missing": (lambda: without(cell(), "slide", "asks"), "has no asks"),
    "an unknown part": (lambda: cell(line="1"), "has line, which is not known"),
    "an empty text": (lambda: cell(says=" "), "`says` is ' '; expected a text"),
    "not a text": (lambda: cell(lines=3), "`lines` is 3; expected a text"),
    "shows what?": (lambda: cell(shows="picture"), "`shows` is 'picture'; expected one of figure, code"),
    "neither true nor false": (lambda: cell(asks_first="false"), "`asks_first` is 'false'; expected true or false"),
    "text of code": (lambda: cell(shows="text"), "but the cell is code"),
    "code of text": (lambda: cell(kind="markdown"), "but the cell is markdown"),
    "lines of a figure": (lambda: cell(shows="figure", image=True, lines="1"), "`lines` is '1', but a figure has none"),
    "many words": (lambda: cell(says="word " * 21), "has 21 words; a slide has room for 20"),
    "no question": (lambda: cell(asks="Say it."), "expected a question, its question mark, and the answer"),
    "no answer": (lambda: cell(asks="Why?"), "expected a question, its question mark, and the answer"),
    "lines beyond": (lambda: cell(lines="1-2"), "`lines` is '1-2'; expected such as '3-9' or '1, 4-6', from 1 to 1"),
    "no lines": (lambda: cell(lines="first"), "`lines` is 'first'; expected such as"),
    "much code": (lambda: cell(LONG), "20 lines on the slide, which has room for 14"),
    "much code above a figure": (lambda: cell("x = 1\n" * 9, image=True, shows="both"), "9 lines"),
    "a long line": (lambda: cell("x = 1 + " * 180), "lines on the slide, which has room for 14"),
    "much text": (lambda: cell(text=LONG, shows="output"), "prints 20 lines; expected 1 to 12"),
    "no text": (lambda: cell(shows="output"), "prints 0 lines"),
    "neither figure nor text": (lambda: cell(shows="both"), "has no figure and prints 0 lines"),
    "no figure": (lambda: cell(shows="figure"), "has 0 figures"),
    "no words for it": (lambda: cell(shows="figure", image=True, alt=""), "described by ''"),
}


def without(cell, key, inner=None):
    del (cell.metadata[key] if inner else cell.metadata)[inner or key]
    return cell


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_one_message_that_names_notebook_and_cell(tmp_path, what):
    make, message = WRONG[what]
    path = tmp_path / "00_some_chapter.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[make()]), path)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        slides.deck(path)
    assert str(caught.value).startswith("00_some_chapter.ipynb, cell a-cell: ")


def test_what_first_and_last_slide_lack_is_said(tmp_path):
    path, new = tmp_path / "00_some_chapter.ipynb", nbformat.v4.new_markdown_cell
    head = new("# 00 Some chapter\n\nAfter this chapter you can see.\n\n- **Time:** runs in about 5 s")
    end = new("## Summary\n\n- Point.\n\n**Exercises:** [yours](../my_exercises/a.ipynb) (x), [solved](a.ipynb): all.")
    for first, last, message in [
        (new("# 00 Some chapter"), end, "its first cell has no line that begins with '- **Time:** '"),
        (
            head,
            new("## End"),
            "no cell has '## Summary', points, and a line that begins with '**Exercises:** [yours]('",
        ),
        (head, new("## Summary\n\n- Point."), "no cell has '## Summary'"),
    ]:
        nbformat.write(nbformat.v4.new_notebook(cells=[first, cell(), last]), path)
        with pytest.raises(ValueError, match=re.escape(f"00_some_chapter.ipynb: {message}")):
            slides.deck(path)
    nbformat.write(nbformat.v4.new_notebook(cells=[head, cell(), end]), path)
    assert len(slides.deck(path)) == 3


def test_a_chapter_without_slides_and_one_that_does_not_exist(tmp_path):
    path = tmp_path / "00_some_chapter.ipynb"
    nbformat.write(nbformat.v4.new_notebook(), path)
    with pytest.raises(ValueError, match="00_some_chapter.ipynb: no cell has the tag `slide`"):
        slides.deck(path)
    path.write_text("{")
    with pytest.raises(
        ValueError, match="^00_some_chapter.ipynb: cannot be read as a notebook .*; take it anew, or mend"
    ):
        slides.deck(path)
    for number in "99", "eight":
        with pytest.raises(SystemExit, match=f"no chapter {number}: there are 00, 01"):
            slides.build(number)


def test_lines_are_chosen_set_in_no_deeper_than_they_must_be_and_broken_where_too_long():
    assert slides.chosen("a\n  if b:\n    c\nd", "2-3") == ["if b:", "  c"]
    assert slides.chosen("a\nb\nc\nd", "1, 3-4") == ["a", "c", "d"]
    assert slides.chosen("if a:\n  b\n  c\nd", "1-2, 4") == ["if a:", "  b", "", "d"]
    assert slides.size(["x" * 20], 1110, 14) == 30 and slides.size(["x" * 200], 1110, 14) == 20
    assert slides.size(["x"] * 14, 1110, 14) == 20


def test_a_question_comes_first_and_what_the_slide_shows_after_the_next_key():
    page = BeautifulSoup(slides.slide(cell(text="1", shows="both", asks_first=True)), "html.parser")
    waits = page.select(".fragment[data-fragment-index='0']")
    assert [part["class"][0] for part in waits] == ["question", "says", "shown"]
    assert waits[0].get_text() == "Why?" and "fade-out" in waits[0]["class"]
    assert not BeautifulSoup(slides.slide(cell()), "html.parser").select(".fragment")


def test_refresh_keeps_what_a_slide_says(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[cell("print(1)")])
    assert notebooks.execute(notebook, tmp_path) is None
    assert notebook.cells[0].metadata == {"tags": ["slide"], "slide": GOOD}


# ---- In a browser ----

LAID_OUT = """
const found = [], slide = Reveal.getCurrentSlide(), box = slide.getBoundingClientRect();
const of = element => element.tagName + " " + element.className + " " + element.textContent.slice(0, 40);
for (const element of slide.querySelectorAll(".slide *:not(mjx-container *)")) {
  const {left, top, right, bottom, width} = element.getBoundingClientRect();
  if (!width) continue;
  if (left < box.left || top < box.top || right > box.right - 20 || bottom > box.bottom - 20)
    found.push("beyond: " + of(element));
  if (element.clientWidth && element.scrollWidth > element.clientWidth + 1) found.push("cut: " + of(element));
  const text = [...element.childNodes].some(node => node.nodeType == 3 && node.textContent.trim());
  if (text && parseFloat(getComputedStyle(element).fontSize) < 20) found.push("small: " + of(element));
}
const parts = [...slide.querySelector(".slide").children].filter(part => !part.matches(".question"));
const places = parts.map(part => part.getBoundingClientRect());
for (let i = 1; i < places.length; i++)
  if (places[i].top < places[i - 1].bottom - 1) found.push("lies on another: " + of(parts[i]));
for (const image of slide.querySelectorAll("img")) {
  const height = image.getBoundingClientRect().height;
  if (height < 200) found.push("a figure of " + height + " pixels");
}
return found;
"""
READY = """
const done = arguments[0], math = () => window.MathJax ? MathJax.startup.promise.then(done) : done();
Reveal.isReady() ? math() : Reveal.on("ready", math);
"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as driver:
        size = {"width": 1280, "height": 720, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        yield driver


@pytest.mark.book
@pytest.mark.parametrize("name", NAMES)
def test_each_slide_fits_the_screen_in_letters_that_can_be_read(browser, made, name):
    """From the folder, without a server; before the question is answered and after."""
    browser.get((made / f"{name}.html").as_uri())
    browser.execute_async_script(READY)
    for i in range(browser.execute_script("return Reveal.getTotalSlides()")):
        for fragment in -1, 9:
            browser.execute_script("Reveal.slide(arguments[0], 0, arguments[1])", i, fragment)
            assert not browser.execute_script(LAID_OUT), f"slide {i + 1}"
    assert not [row for row in browser.get_log("browser") if row["level"] == "SEVERE"]
    for row in browser.get_log("performance"):
        event = json.loads(row["message"])["message"]
        if event["method"] == "Network.requestWillBeSent":
            assert event["params"]["request"]["url"].startswith(("file:", "data:", "blob:")), event


@pytest.mark.book
def test_slides_are_accessible_and_have_notes(browser, made):
    browser.get((made / f"{NAMES[-1]}.html").as_uri())
    browser.execute_async_script(READY)
    assert browser.execute_script("return Reveal.hasPlugin('notes')")
    for i in range(0, browser.execute_script("return Reveal.getTotalSlides()"), 3):
        browser.execute_script("Reveal.slide(arguments[0], 0, 9)", i)
        assert browser.execute_script("return Reveal.getSlideNotes()")
        assert not axe(browser), f"slide {i + 1}"
    browser.get((made / "index.html").as_uri())
    assert not axe(browser)


@pytest.mark.book
def test_s_opens_a_window_with_the_notes_of_the_slide(browser, made):
    """Read through the window that opened it: the driver waits for ever for one that a page writes."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get((made / f"{NAMES[-1]}.html").as_uri())
    browser.execute_async_script(READY)
    browser.execute_script("const open = window.open; window.open = (...where) => (window.notes = open(...where))")
    browser.execute_script("Reveal.slide(1, 0, 9)")
    said = BeautifulSoup(browser.execute_script("return Reveal.getSlideNotes()"), "html.parser").get_text()
    ActionChains(browser).send_keys("s").perform()
    shown = "return window.notes.document.querySelector('.speaker-controls-notes .value')?.textContent || ''"
    WebDriverWait(browser, 20).until(lambda window: said.split()[0] in window.execute_script(shown))
    assert browser.execute_script(shown).split() == said.split()
    browser.execute_script("window.notes.close()")


@pytest.mark.book
def test_on_paper_each_slide_is_a_page_with_the_answer_in_place_of_the_question(browser, made):
    from selenium.webdriver.support.ui import WebDriverWait

    name = max(NAMES, key=lambda name: sum(cell["metadata"]["slide"].get("asks_first", False) for cell in cells(name)))
    browser.get(f"{(made / f'{name}.html').as_uri()}?print-pdf")
    WebDriverWait(browser, 20).until(lambda window: window.execute_script("return document.querySelector('.pdf-page')"))
    seen = """return [document.querySelectorAll(".pdf-page").length,
        [...document.querySelectorAll(".question")].map(question => getComputedStyle(question).display),
        [...document.querySelectorAll(".shown")].map(part => getComputedStyle(part).opacity)]"""
    pages, questions, shown = browser.execute_script(seen)
    assert pages == len(cells(name)) + 2 and questions and set(questions) == {"none"} and set(shown) == {"1"}
    printed = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])
    assert len(re.findall(rb"/Type /Page\b", printed)) == pages


@pytest.mark.book
def test_on_a_phone_slides_stand_one_below_the_other_and_fit(browser, made):
    size = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        browser.get((made / f"{NAMES[-1]}.html").as_uri())
        browser.execute_async_script(READY)
        assert browser.execute_script("return document.documentElement.scrollWidth") == 390
        assert browser.execute_script("return Reveal.isScrollView() && !document.querySelector('.fragment')")
    finally:
        size = {"width": 1280, "height": 720, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
