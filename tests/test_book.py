"""The book: what is in it, that its links resolve, and each page in a browser without a network. `make test-book`.

The browser is a Chromium of the system's, run without a window. Where there is none these tests are skipped, aloud;
`make test-book` wants it. Screenshots to look at: build/test-book.
"""

import utils  # noqa: F401

import base64
import functools
import http.server
import json
import os
import re
import threading
import time
import urllib.parse

import book as maker
import glossary
import nbformat
import notebooks
import pytest
from browser import axe, chromium
from bs4 import BeautifulSoup
from conftest import ROOT

pytestmark = pytest.mark.book
WIDTHS = {390: 844, 1440: 1000}
SHOWN = ["index", "chapters/01_reading_voc", "chapters/04_transposed_convolution", "chapters/08_resnet18_fcn"]
SHOWN += ["chapters/exercises/04_transposed_convolution_exercises", "docs/index", "docs/glossary", "docs/formulas"]
NOTEBOOKS = [*notebooks.find(), *notebooks.find(folder=notebooks.CHAPTERS / "exercises")]


@pytest.fixture(scope="session")
def book():
    """The folder of a book that was made for these tests, in build/test-book."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notebooks, "BUILD", ROOT / "build" / "test-book")
        return maker.build().parent


@pytest.fixture(scope="session")
def pages(book):
    """Each page as a tree, by its path in the book."""
    paths = sorted(path for path in book.rglob("*.html") if "_static" not in path.parts)
    return {str(path.relative_to(book)): BeautifulSoup(path.read_text("utf-8"), "html.parser") for path in paths}


# ---- Without a browser ----


def test_each_notebook_has_a_page_and_can_be_downloaded_as_it_is_in_the_course(book, pages):
    for path in NOTEBOOKS:
        name = path.relative_to(ROOT)
        links = [link["href"] for link in pages[str(name.with_suffix(".html"))].select("a.btn-download-source-button")]
        assert len(links) == 1, name
        offered = book / name.parent / links[0]
        if path.parent == notebooks.CHAPTERS:
            assert offered.read_bytes() == path.read_bytes(), name
        else:
            wanted = notebooks.without_solutions(nbformat.read(path, 4))
            assert [cell.source for cell in nbformat.read(offered, 4).cells] == [cell.source for cell in wanted.cells]


def test_no_solution_is_in_the_book(book):
    files = [path for kind in ("html", "ipynb") for path in book.rglob(f"*exercises.{kind}")]
    assert len(files) == 2 * len(notebooks.find())
    for path in files:
        assert not re.search("BEGIN (SOLUTION|HIDDEN)", path.read_text(encoding="utf-8")), path.name


@pytest.mark.parametrize("path", notebooks.find(), ids=lambda path: path.stem)
def test_a_chapter_begins_with_objective_time_data_and_needs(pages, path):
    text = pages[f"chapters/{path.stem}.html"].select_one("article").get_text(" ")
    text = re.sub(r"\s+", " ", text).replace(" :", ":").replace(" ,", ",")
    run = f"To run it: make lab, then chapters/{path.name}"
    for words in "After this chapter you can", "Time: runs in about", run, "Data:", "You need:":
        assert words in text[:1200], words
    assert "Next: " not in text  # the theme has links of its own


def test_the_parts_and_all_that_is_needed_to_look_things_up_are_in_the_contents(pages):
    contents = pages["index.html"].select_one("nav.bd-links").get_text(" ")
    for words in "I · Data", "II · Upsampling", "III · Fully convolutional networks", "Index", "Glossary", "References":
        assert words in contents
    rows = pages["docs/index.html"].select("section#what-utils-exports tbody tr")
    assert len(rows) > 50 and all(len(row.select("a[href]")) >= 2 for row in rows)  # its code, and its chapter


def test_nothing_is_loaded_from_a_network(book, pages):
    for name, page in pages.items():
        for element in page.select(
            "script[src], img[src], iframe[src], source[src], link[href]:not([rel=next], [rel=prev])"
        ):
            assert not re.match("(https?:)?//", element.get("src", element.get("href"))), f"{name}: {element}"
    for path in book.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", path.read_text(encoding="utf-8")), path


def test_links_and_anchors_resolve(book, pages):
    names = {name: {e["id"] for e in page.select("[id]")} for name, page in pages.items()}
    for name, page in pages.items():
        for link in page.select("a[href]"):
            url = urllib.parse.urlsplit(link["href"])
            if url.scheme in ("http", "https", "mailto"):
                continue
            assert not url.scheme and not url.path.startswith("/"), f"{name}: {link}"
            target = (
                os.path.normpath(os.path.join(os.path.dirname(name), urllib.parse.unquote(url.path)))
                if url.path
                else name
            )
            assert (book / target).is_file(), f"{name}: {link}"
            anchor = urllib.parse.unquote(url.fragment)
            assert not anchor or target not in names or anchor in names[target], f"{name}: {link}"


def test_each_picture_says_what_it_shows(pages):
    """In words: neither nothing nor a file's name."""
    pictures = [(name, image) for name, page in pages.items() for image in page.select("article img")]
    assert len(pictures) > 70
    for name, image in pictures:
        assert " " in image.get("alt", ""), f"{name}: {image}"[:300]


def test_blocks_for_mxnet_and_pytorch_are_tabs(pages):
    found = [
        [label.text.strip() for label in box.select(":scope > label")]
        for box in pages["docs/pytorch.html"].select(".sd-tab-set")
    ]
    text = (ROOT / "docs" / "pytorch.md").read_text(encoding="utf-8")
    assert found == [["MXNet", "PyTorch"]] * text.count("**PyTorch**") and len(found) > 20


# ---- In a browser ----


class Server(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


@pytest.fixture(scope="session")
def address(book):
    """Where the book is served, on this machine only."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Server, directory=book)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser():
    nowhere = "host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    with chromium("force-prefers-reduced-motion", nowhere) as window:
        window.set_script_timeout(300)
        yield window


# What is seen of a page. `beyond`: parts to the right of the window that no box of theirs scrolls to.
# `cut`: code that has to be scrolled to be read.
LOOK = """
const [width, done] = arguments;
const scrolls = e => e && (/auto|scroll/.test(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
(window.MathJax ? MathJax.startup.promise : Promise.resolve()).then(() => done({
  width: document.documentElement.scrollWidth,
  beyond: [...document.querySelectorAll("article *")].filter(e => e.getBoundingClientRect().right > width + 1
    && !e.closest("mjx-assistive-mml") && !scrolls(e)).map(e => e.outerHTML.slice(0, 200)),
  broken: [...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src),
  formulas: document.querySelectorAll(".math").length,
  typeset: document.querySelectorAll(".math mjx-container").length,
  errors: document.querySelectorAll("[data-mjx-error]").length,
  cut: [...document.querySelectorAll(".cell_input pre, .highlight-python pre")]
    .filter(e => e.scrollWidth > e.clientWidth).map(e => e.textContent.slice(0, 200)),
}))
"""


# Code without its colours: axe isn't asked about it, but would weigh each word
PLAIN = "document.querySelectorAll('.highlight pre').forEach(e => { e.textContent = e.textContent })"


@pytest.fixture(scope="session")
def visits(browser, address, pages):
    """What was seen of each page at each width, (name, width): {}; screenshots of those in SHOWN.

    axe looks at each page once, but at code, whose colours are the same everywhere, in those in SHOWN only.
    """
    seen = {}
    for name in pages:
        shown = name.removesuffix(".html") in SHOWN
        for width, height in WIDTHS.items():
            size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            if width == min(WIDTHS):
                browser.get(f"{address}/{name}")
            found = seen[name, width] = browser.execute_async_script(LOOK, width) | {"axe": []}
            if shown:
                found["axe"] = axe(browser)
                screenshot(browser, f"{name.removesuffix('.html').replace('/', '-')}-{width}.png", width)
            elif width == max(WIDTHS):
                browser.execute_script(PLAIN)
                found["axe"] = axe(browser, {"exclude": [[".highlight pre"]]})
            found["console"] = [row["message"] for row in browser.get_log("browser") if row["level"] == "SEVERE"]
            found["requests"] = [json.loads(row["message"])["message"] for row in browser.get_log("performance")]
    return seen


def screenshot(browser, name, width):
    """The page from its top, at most 4,000 pixels of it."""
    height = min(4000, browser.execute_script("return document.documentElement.scrollHeight"))
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    (ROOT / "build" / "test-book" / name).write_bytes(base64.b64decode(shot["data"]))


def found_in(visits, what):
    """{page at width: what was found there}, where something was."""
    return {f"{name} at {width}": found[what] for (name, width), found in visits.items() if found[what]}


def test_no_page_reports_an_error(visits):
    assert not found_in(visits, "console")


def test_each_request_is_answered_and_stays_on_this_machine(visits, address):
    for page, events in found_in(visits, "requests").items():
        for event in events:
            what, about = event["method"], event["params"]
            if what == "Network.requestWillBeSent":
                assert about["request"]["url"].startswith((address, "data:", "blob:")), page
            assert what != "Network.loadingFailed", f"{page}: {about}"
            assert what != "Network.responseReceived" or about["response"]["status"] < 400, (
                f"{page}: {about['response']['url']}"
            )


def test_pictures_are_there(visits):
    assert not found_in(visits, "broken")


def test_formulas_are_typeset(visits):
    found = found_in(visits, "formulas")
    assert all(found[f"docs/formulas.html at {width}"] >= 10 for width in WIDTHS), found
    assert found_in(visits, "typeset") == found and not found_in(visits, "errors")


def test_no_page_is_wider_than_the_window(visits):
    assert not {key: found["width"] for key, found in visits.items() if found["width"] > key[1]}
    assert not found_in(visits, "beyond")


def test_no_line_of_code_is_cut_in_a_wide_window(visits):
    assert not {page: cut for page, cut in found_in(visits, "cut").items() if page.endswith("at 1440")}


def test_axe_finds_nothing_wrong(visits):
    found = found_in(visits, "axe")
    assert not found, json.dumps(found, indent=1)


def test_contrast_is_enough_in_the_dark_too(browser, address):
    for name in SHOWN:
        browser.get(f"{address}/{name}.html")
        browser.execute_script("document.documentElement.dataset.theme = 'dark'")
        assert not axe(browser, runOnly=["color-contrast"]), name


def found_by_search(browser, address, words):
    """Addresses of what is found, in order."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(f"{address}/search.html?q={words}")
    WebDriverWait(browser, 60).until(lambda window: "finished" in window.find_element(By.ID, "search-results").text)
    return [link.get_attribute("href") for link in browser.find_elements(By.CSS_SELECTOR, "#search-results li a")]


@pytest.mark.parametrize("how", ["server", "file"])
def test_search_finds_bilinear(browser, address, book, how):
    """From a folder too, without a server."""
    links = found_by_search(browser, address if how == "server" else book.as_uri(), "bilinear")
    assert any("chapters/05_bilinear_kernel.html" in link for link in links)


@pytest.mark.parametrize("words", ["void", "stride", "transposed convolution", "skip connection"])
def test_search_finds_what_explains_a_term_first(browser, address, words):
    first = [link.split("#")[0] for link in found_by_search(browser, address, words)[:2]]
    assert set(first) == {f"{address}/docs/glossary.html", f"{address}/docs/index.html"}


PAGES = [("wheelhouse", "installing"), ("Alpine", "platforms"), ("Datumaro", "own_pictures")]
PAGES += [("opset", "command_line"), ("tiles", "performance"), ("digest", "changing")]


@pytest.mark.parametrize("words, page", PAGES)
def test_search_finds_the_page_for_those_who_use_the_course(browser, address, words, page):
    assert any(f"docs/{page}.html" in link for link in found_by_search(browser, address, words))


def test_paper_cuts_no_code_and_no_output(browser, address):
    size = {"width": 720, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        for name in "chapters/04_transposed_convolution.html", "chapters/08_resnet18_fcn.html":
            browser.get(f"{address}/{name}")
            each = (
                "[...document.querySelectorAll('article pre')].map(e => [e.scrollWidth - e.clientWidth, e.innerText])"
            )
            blocks = browser.execute_script(f"return {each}")
            assert len(blocks) > 30 and not [text for beyond, text in blocks if beyond > 0]
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_the_download_button_gives_the_notebook(browser, address):
    browser.get(f"{address}/chapters/05_bilinear_kernel.html")
    link = browser.execute_script("return document.querySelector('a.btn-download-source-button').href")
    text = browser.execute_async_script("fetch(arguments[0]).then(r => r.text()).then(arguments[1])", link)
    assert nbformat.reads(text, 4).cells == nbformat.read(notebooks.find("05")[0], 4).cells


# ---- Terms of the glossary, from a folder, without a server ----

BOX = """
const box = document.getElementById("term"), at = box.getBoundingClientRect(), link = arguments[0];
const lines = [...link.getClientRects()];
return box.hidden ? null : {text: box.innerText, describes: link.getAttribute("aria-describedby") === box.id,
  role: box.getAttribute("role"), chinese: [...box.querySelectorAll("[lang=zh]")].map(e => e.innerText),
  fits: at.left >= 0 && at.right <= innerWidth && at.top >= 0 && at.bottom <= innerHeight,
  covers: lines.some(l => l.left < at.right && at.left < l.right && l.top < at.bottom && at.top < l.bottom)};
"""


@pytest.fixture
def terms(browser, book):
    """Opens a page at a width; gives its links to the glossary by their words."""

    def visit(width, name="chapters/08_resnet18_fcn"):
        size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": width < 500})
        browser.get(f"{book.as_uri()}/{name}.html")
        links = browser.execute_script(
            "return [...document.querySelectorAll('article a.term')].filter(e => e.checkVisibility())"
        )
        return {link.text: link for link in reversed(links)}

    yield visit
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


def box(browser, link, wanted=True):
    """What the box says and where it is, once it is open; or whether it closes (wanted=False)."""
    from selenium.webdriver.support.ui import WebDriverWait

    seen = WebDriverWait(browser, 5, 0.05).until(
        lambda _: bool(found := browser.execute_script(BOX, link)) == wanted and (found, True)
    )
    return seen[0]


def point(browser, x, y):
    browser.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})


def tap(browser, link):
    x, y = middle(browser, link)
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def middle(browser, element):
    """The middle of an element's first line, in the window."""
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    return browser.execute_script(
        "const r = arguments[0].getClientRects()[0]; return [r.left + r.width / 2, r.top + r.height / 2]", element
    )


def test_pointing_at_a_term_shows_it_and_the_pointer_may_enter_the_box(browser, terms):
    from selenium.webdriver.common.by import By

    link = terms(1280)["backbone"]
    point(browser, *middle(browser, link))
    found = box(browser, link)
    assert "backbone" in found["text"] and "The convolutional part of a classifier" in found["text"]
    word, meaning = found["chinese"]
    assert word == "主干网络 (骨干网络)" and "特征图" in meaning
    assert meaning in (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    assert found["describes"] and found["role"] == "tooltip"
    assert found["fits"] and not found["covers"]
    inside = browser.find_element(By.CSS_SELECTOR, "#term p:nth-child(2)")
    point(browser, *browser.execute_script("const r = arguments[0].getBoundingClientRect(); return [r.x, r.y]", inside))
    time.sleep(0.6)  # longer than it takes to close
    assert box(browser, link)
    point(browser, 5, 800)
    box(browser, link, wanted=False)


def test_a_term_shows_what_it_means_by_key_and_escape_closes(browser, terms):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    links = terms(1280)
    link = links["backbone"]
    browser.execute_script("arguments[0].focus({focusVisible: true})", links["classifier"])
    ActionChains(browser).send_keys(Keys.TAB).perform()
    assert browser.switch_to.active_element == link and box(browser, link)["describes"]
    assert not axe(browser, {"include": [["#term"], ["article h1 ~ p"]]})
    browser.execute_script("document.documentElement.dataset.theme = 'dark'")
    assert not axe(browser, {"include": [["#term"], ["article h1 ~ p"]]}, runOnly=["color-contrast"])
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    box(browser, link, wanted=False)
    assert browser.switch_to.active_element == link and not link.get_attribute("aria-describedby")
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    assert browser.current_url.endswith("docs/glossary.html#term-backbone")
    assert "backbone" in browser.execute_script("return document.querySelector(':target').innerText")


def test_a_tap_shows_a_term_and_a_second_one_leads_to_the_glossary(browser, terms):
    links = terms(390)
    for word in links:  # at either edge of the screen, over two lines, in tables
        tap(browser, links[word])
        found = box(browser, links[word])
        assert found["fits"] and not found["covers"], (word, found)
    assert len(links) > 20
    tap(browser, links["backbone"])
    assert box(browser, links["backbone"]) and "glossary" not in browser.current_url
    tap(browser, browser.execute_script("return document.querySelector('article h1')"))
    box(browser, links["backbone"], wanted=False)
    tap(browser, links["backbone"])
    box(browser, links["backbone"])
    tap(browser, links["backbone"])
    assert browser.current_url.endswith("docs/glossary.html#term-backbone")


def test_terms_are_marked_once_a_section_and_chinese_says_so(pages):
    marked = {name: page.select("article a.term") for name, page in pages.items()}
    assert min(len(marked[f"chapters/{path.stem}.html"]) for path in notebooks.find()) >= 15
    for name, links in marked.items():
        if name != "docs/glossary.html":  # its Chinese words lead to their entries
            seen = [(id([None, *link.find_parents("section")][-2:][0]), link["href"]) for link in links]
            assert len(seen) == len(set(seen)), name
        for text in pages[name].find_all(string=re.compile("[\u4e00-\u9fff]")):
            inside = text.find_parent("article") and not text.find_parent(["script", "pre"])
            assert not inside or text.find_parent(attrs={"lang": "zh"}), f"{name}: {text}"
    assert not pages["docs/index.html"].select("article a.term")


@pytest.mark.parametrize("width, least", [(1280, 400), (390, 300)])
def test_a_meaning_in_chinese_is_below_the_english_and_as_wide(browser, terms, width, least):
    terms(width, "docs/glossary")
    rows = browser.execute_script(
        "return [...document.querySelectorAll('article tr:has(td:nth-child(5))')].map(row => "
        "[...row.cells].slice(2, 4).map(cell => cell.getBoundingClientRect().toJSON()))"
    )
    assert len(rows) == len(glossary.ENTRIES)
    for english, chinese in rows:
        assert english["left"] == chinese["left"] and english["width"] == chinese["width"] >= least
        assert chinese["top"] >= english["bottom"] - 1


def test_paper_has_no_marks(browser, terms):
    link = terms(1280)["backbone"]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        style = "return getComputedStyle(arguments[0]).textDecorationLine"
        assert browser.execute_script(style, link) == "none"
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_a_chosen_tab_is_chosen_everywhere_and_stays(browser, book):
    """By mouse and by keys, after a reload and on other pages, from a folder too; the tab stays where it is seen."""
    from selenium.webdriver.common.keys import Keys

    def open_tabs():
        shown = "[...document.querySelectorAll('.sd-tab-set > :checked + label')].map(e => e.textContent.trim())"
        return set(browser.execute_script(f"return {shown}"))

    browser.get((book / "docs" / "pytorch.html").as_uri())
    assert open_tabs() == {"MXNet"}
    label = browser.find_elements("css selector", ".sd-tab-set > label")[21]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", label)
    before = browser.execute_script("return arguments[0].getBoundingClientRect().top", label)
    label.click()
    assert open_tabs() == {"PyTorch"}
    assert abs(browser.execute_script("return arguments[0].getBoundingClientRect().top", label) - before) < 1
    browser.refresh()
    assert open_tabs() == {"PyTorch"}
    cut = "[...document.querySelectorAll('.sd-tab-content pre')].filter(e => e.scrollWidth > e.clientWidth).length"
    assert browser.execute_script(f"return {cut}") == 0
    browser.get((book / "index.html").as_uri())
    browser.back()
    assert open_tabs() == {"PyTorch"}
    chosen = browser.find_elements("css selector", ".sd-tab-set > input:checked")[3]
    browser.execute_script("arguments[0].focus()", chosen)
    chosen.send_keys(Keys.ARROW_LEFT)
    assert open_tabs() == {"MXNet"}
    browser.refresh()
    assert open_tabs() == {"MXNet"}


QUIZ = "#check-yourself details"


@pytest.fixture
def quiz(browser, address):
    """A function that opens a chapter's page, this wide, at its questions, and returns their choices, all closed."""

    def go(width, name="chapters/02_random_crop.html"):
        size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(f"{address}/{name}")
        choices = browser.find_elements("css selector", QUIZ)
        assert 15 <= len(choices) <= 20 and not any(choice.get_attribute("open") for choice in choices)
        return choices

    return go


def test_an_answer_opens_by_keys_alone(browser, quiz):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    def press(key):
        ActionChains(browser).send_keys(key).perform()
        return browser.switch_to.active_element

    choices = quiz(1280)
    # a link into the section begins the way of the Tab key there
    browser.execute_script("location.hash = 'check-yourself'")
    for _ in range(3):  # the heading's own link may come first
        if (focused := press(Keys.TAB)).tag_name == "summary":
            break
    assert focused == choices[0].find_element("css selector", "summary")
    assert browser.execute_script("return getComputedStyle(arguments[0]).outlineStyle", focused) == "solid"
    for choice, key in (choices[0], Keys.ENTER), (choices[1], Keys.SPACE):
        answer = choice.find_element("css selector", "summary ~ p")
        assert not answer.is_displayed()
        press(key)
        assert answer.is_displayed() and re.match(r"(No|Right)\. ", answer.text)
        while press(Keys.TAB).tag_name != "summary":  # by the links of the answer
            pass
    ActionChains(browser).key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT).perform()
    press(Keys.ENTER)
    assert choices[0].get_attribute("open") and not choices[2].get_attribute("open")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_wrong_with_open_answers(browser, quiz, theme):
    quiz(390)
    browser.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
    browser.execute_script(f"document.querySelectorAll('{QUIZ}').forEach(choice => (choice.open = true))")
    assert not axe(browser, {"include": [["#check-yourself"]]})


@pytest.mark.parametrize("number", ["00", "08"])
def test_choices_are_tall_enough_for_a_thumb_and_say_what_they_are(browser, quiz, number):
    """And a screen reader calls each a button that opens something, by the words that stand there."""
    choices = quiz(390, f"chapters/{notebooks.find(number)[0].stem}.html")
    seen = f"[...document.querySelectorAll('{QUIZ} > summary')].map(e => [e.offsetWidth, e.offsetHeight, e.innerText])"
    for width, height, text in browser.execute_script(f"return {seen}"):
        assert width >= 300 and height >= 44, text
        assert not re.search(r"[$`*]|&[a-z]+;", text), text
    node = browser.execute_cdp_cmd("DOM.getDocument", {})["root"]["nodeId"]
    found = browser.execute_cdp_cmd("DOM.querySelector", {"nodeId": node, "selector": f"{QUIZ} > summary"})
    (spoken, *_) = browser.execute_cdp_cmd("Accessibility.getPartialAXTree", found)["nodes"]
    assert spoken["role"]["value"] in ("DisclosureTriangle", "button")
    assert spoken["name"]["value"] == choices[0].find_element("css selector", "summary").text
    assert {"name": "expanded", "value": {"type": "booleanOrUndefined", "value": False}} in spoken["properties"]


def test_paper_has_all_answers(browser, quiz):
    """Open for the printer, and as they were afterwards."""
    choices = quiz(720)
    choices[3].find_element("css selector", "summary").click()

    def opened():
        return [bool(choice.get_attribute("open")) for choice in choices]

    before = opened()
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert all(opened())
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert opened() == before and before.count(True) == 1
