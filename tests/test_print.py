"""The book as PDF and as e-book: links land where they say, numbers are those of the pages, readers can open it."""

import base64
import errno
import os
import pathlib
import re
import shutil
import subprocess
import urllib.parse
import zipfile
from xml.etree import ElementTree

import book
import ebook
import glossary
import headless
import notebooks
import printing
import pypdf
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT
from pypdf.generic import NullObject

TOC = {
    "root": "index",
    "parts": [
        {
            "caption": "I · Data & more",
            "chapters": [
                {
                    "file": "chapters/01_first",
                    "sections": [{"file": "chapters/exercises/01_first_exercises"}],
                },
                {"file": "docs/words"},
            ],
        }
    ],
}
DOT = "R0lGODlhAQABAIAAAAAAAP///yH5BAAAAAAALAAAAAABAAEAAAIBRAA7"  # a GIF of one pixel
WIDE = "x" * 119 + "|"  # as wide as the course's code
WIDER = "y" * 299 + "|"
ROWS = "".join(f'<tr id="row-{i}"><td>word {i}</td><td>what it means</td></tr>' for i in range(150))  # some sheets
BODIES = {
    "index": '<section id="top"><h1>The course</h1><p><a href="docs/words.html#far">far words</a> '
    '<a href="https://example.org/">outside</a></p></section>',
    "chapters/01_first": f"""<section id="first"><h1>01 First<a class="headerlink" href="#first">#</a></h1>
<p><img alt="a dot" src="data:image/gif;base64,{DOT}"/>See <a href="#second">below</a>,
<a href="../docs/words.html">words</a>, <a href="../docs/words.html#row-149">its last row</a>,
<a href="exercises/01_first_exercises.html">exercises</a>.</p>
<p>A formula: <span class="math notranslate">\\(\\frac{{1}}{{2}}\\)</span></p>
<div class="highlight-python"><div class="highlight"><pre>{WIDE}
{WIDER}</pre></div></div>
<details><summary>How many?</summary><p>The answer is forty-two.</p></details>
<div class="sd-tab-set"><input checked="checked" id="t0" type="radio" name="t"/>
<label class="sd-tab-label" for="t0">MXNet</label>
<div class="sd-tab-content"><p>in Gluon</p></div><input id="t1" type="radio" name="t"/>
<label class="sd-tab-label" for="t1">PyTorch</label>
<div class="sd-tab-content"><p>in torch</p></div></div>
{"<p>A line of text.</p>" * 120}
<section id="second"><h2>Second section</h2><p>Here.</p></section></section>""",
    "chapters/exercises/01_first_exercises": '<section id="ex"><h1>01 First: exercises</h1><p>Do it.</p></section>',
    "docs/words": f"""<section id="words"><h1>Words</h1><table><tbody>{ROWS}</tbody></table>
<section id="far-section"><span id="far"></span><h2>Far words</h2>
<p><a href="../chapters/01_first.html#second">back</a></p>
<p>语义分割</p></section></section>""",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A book of four pages as HTML, and as Sphinx's EPUB builder lays it out."""
    folder = tmp_path_factory.mktemp("book")
    for path, body in BODIES.items():
        page = folder / f"{path}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f'<html><body><article class="bd-article">{body}</article></body></html>', encoding="utf-8")
        text = f'<html><body><div class="body">{body.replace(".html", ".xhtml")}</div></body></html>'
        page.with_suffix(".xhtml").write_text(text, encoding="utf-8")
    (folder / "_static").mkdir()
    mathjax = pathlib.Path(book.importlib.util.find_spec("sphinx-mathjax-offline").origin).parent
    shutil.copy(mathjax / "static" / "mathjax" / "tex-svg.js", folder / "_static")
    (folder / "_static" / "pygments.css").write_text("")
    return folder


@pytest.fixture(scope="module")
def printed(folder, tmp_path_factory):
    """The PDF of that book, as pypdf reads it."""
    try:
        headless.find()
    except LookupError as missing:
        pytest.skip(f"nothing is printed: {missing}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notebooks, "BUILD", tmp_path_factory.mktemp("build"))
        return pypdf.PdfReader(printing.make(folder, TOC))


def links(reader):
    """(sheet that it is on, from 0; its target) of each link within a PDF: the number of a sheet and a height."""
    numbers = {sheet.indirect_reference.idnum: number for number, sheet in enumerate(reader.pages)}
    for number, sheet in enumerate(reader.pages):
        for link in (link.get_object() for link in sheet.get("/Annots", [])):
            if "/Dest" in link:
                yield number, numbers[link["/Dest"][0].idnum], link["/Dest"][3]


def test_links_within_the_book_land_on_the_sheet_with_their_heading(printed):
    texts = [sheet.extract_text() for sheet in printed.pages]
    found = [(texts[start], texts[end], top) for start, end, top in links(printed)]
    words = next(found for found in found if "far words" in found[0])
    assert "Far words" in words[1] and ("语义分割" in words[1] or printing.missing_fonts())
    back = next(found for found in found if "Far words" in found[0])
    assert "Second section" in back[1] and "01 First" in back[1] and 0 < back[2] < 842
    assert any("word 149" in end for start, end, _ in found if "its last row" in start)  # of a table of some sheets
    linked = [link.get_object() for sheet in printed.pages for link in sheet.get("/Annots", [])]
    assert [link["/A"]["/URI"] for link in linked if "/A" in link] == ["https://example.org/"]


def test_sheets_are_numbered_as_the_contents_say(printed):
    texts = [sheet.extract_text() for sheet in printed.pages]
    labels = printed.page_labels
    contents = dict(re.findall(r"(The course|01 First(?:: exercises)?|Words)\s+(\d+)", texts[1]))
    assert len(contents) == 4 and labels[:2] == ["i", "ii"] and "ii" in texts[1]
    for title, number in contents.items():
        sheet = labels.index(number)
        assert f"{number}{title}" in texts[sheet].replace("\n", "") and title not in texts[sheet - 1].split("\n")[-1]
    feet = [text.replace("\n", "") for text in texts]  # the foot comes first in the text
    assert all(re.match(rf"{label}(The|01|Words)", foot) for label, foot in zip(labels[2:], feet[2:], strict=True))


def test_bookmarks_have_parts_pages_and_sections(printed):
    def rows(entries, depth=0):
        for entry in entries:
            if isinstance(entry, list):
                yield from rows(entry, depth + 1)
            else:
                yield depth, entry.title, printed.pages[printed.get_destination_page_number(entry)].extract_text()

    found = list(rows(printed.outline))
    assert [(depth, title) for depth, title, _ in found] == [
        (0, "The course"),
        (0, "I · Data & more"),
        (1, "01 First"),
        (2, "Second section"),
        (2, "01 First: exercises"),
        (1, "Words"),
        (2, "Far words"),
    ]
    assert all(title in text for _, title, text in found if title != "I · Data & more")


def test_answers_are_open_tabs_all_there_and_code_and_formulas_whole(printed):
    text = "".join(sheet.extract_text() for sheet in printed.pages)
    for words in "The answer is forty-two.", "MXNet", "in Gluon", "PyTorch", "in torch", WIDE:
        assert words in text, words
    assert WIDER not in text and WIDER in text.replace("\n", "")  # it goes on in the next line
    assert "frac" not in text


def test_what_is_said_of_choices_comes_after_the_last_question():
    quiz = BeautifulSoup(
        """<section id="check-yourself"><h2>Check yourself</h2><p>Five questions. Choose an answer, then open it.</p>
        <p><strong>1.</strong> How many?</p><details><summary>two</summary><p><strong>No.</strong> Three.</p></details>
        <details><summary>three</summary><p><strong>Right.</strong></p></details>
        <p><strong>2.</strong> Why?</p><details><summary>so</summary><p>Yes.</p></details></section>""",
        "html.parser",
    )
    printing.open_answers(quiz)
    text = re.sub(r"\s+", " ", quiz.get_text(" "))
    assert "1. How many? a) two b) three 2. Why? a) so What is said" in text
    assert text.endswith("1a) No. Three. 1b) Right. 2a) Yes.") and "open it" not in text and not quiz.details


def test_letters_are_in_the_file(printed):
    fonts = [font.get_object() for sheet in printed.pages for font in sheet["/Resources"]["/Font"].values()]
    assert fonts
    for font in fonts:
        if font["/Subtype"] != "/Type3":  # whose letters are drawings within the PDF
            inner = font["/DescendantFonts"][0].get_object()["/FontDescriptor"]
            assert {"/FontFile", "/FontFile2", "/FontFile3"} & inner.keys(), font["/BaseFont"]


def test_a_chapter_alone_has_its_exercises_and_no_link_out_of_it(folder, printed, tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "BUILD", tmp_path)
    path = printing.make(folder, TOC, "01")
    reader = pypdf.PdfReader(path)
    text = "".join(sheet.extract_text() for sheet in reader.pages)
    assert path.name == "01_first.pdf" and "01 First: exercises" in text and "Far words" not in text
    assert len(list(links(reader))) == 2 and reader.page_labels[0] == "1"
    assert "its last row (docs/words.md)" in text.replace("\n", " ")  # on paper nobody can follow "the same lines"
    assert "(docs/words.md)" not in "".join(sheet.extract_text() for sheet in printed.pages)
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_what_cannot_be_printed_is_said(monkeypatch):
    with pytest.raises(SystemExit, match="No chapter '18' to print. The chapters are 00 to 17."):
        printing.only(printing.order(book.contents()), "18")
    assert [page.path[9:11] for page in printing.only(printing.order(book.contents()), "8")] == ["08", "ex"]
    monkeypatch.setattr(headless.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match="Chromium: not found, .*apt-get install chromium chromium-driver"):
        book.pdf("08")


def test_a_chromium_that_does_not_start_is_said(tmp_path, monkeypatch):
    for name in "chromium", "chromedriver":
        (tmp_path / name).write_text("#!/bin/sh\nexit 3\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(book, "build", lambda: ROOT / "build" / "book" / "index.html")
    monkeypatch.setattr(printing, "make", lambda *_: headless.chromium().__enter__())
    with pytest.raises(SystemExit, match=f"{tmp_path}/chromium doesn't start by {tmp_path}/chromedriver: .*exited.*3"):
        book.pdf("08")


def test_a_page_that_chromium_may_not_read_is_not_printed_as_an_error(folder, tmp_path, monkeypatch):
    """As of one that came as a snap: it shows a page of its own that says so."""
    try:
        headless.find()
    except LookupError as missing:
        pytest.skip(f"nothing is printed: {missing}")
    monkeypatch.setattr(notebooks, "BUILD", tmp_path)
    monkeypatch.setattr(pathlib.Path, "as_uri", lambda path: f"file://{path}.not-there")
    with pytest.raises(SystemExit, match="page.html: Chromium was told to print this page, and shows .*may it read"):
        printing.make(folder, TOC)
    assert not list(tmp_path.iterdir())


def test_a_chromium_that_dies_is_said_with_the_page(tmp_path):
    class Window:
        def get(self, address):
            raise printing.WebDriverException("tab crashed\n(Session info: chrome=1)")

    text = printing.document(tmp_path, "", "Data & more", 1)
    with pytest.raises(
        SystemExit, match=r"^Data & more: Chromium could not print this page \(tab crashed\)\. Is there"
    ):
        printing.printed(Window(), tmp_path, text)


def test_a_full_disk_leaves_what_was_there(folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "segmentation.epub").write_text("of before")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(notebooks, "BUILD", tmp_path)
    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    monkeypatch.setattr(book, "build", lambda builder: ebook.make(folder, TOC))
    monkeypatch.setattr(book.sys, "argv", ["book.py", "--format=epub"])
    with pytest.raises(SystemExit, match="segmentation.epub: No space left on device. Make room, or"):
        book.main()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["of before"]


def test_a_missing_font_is_a_hint(monkeypatch):
    done = subprocess.CompletedProcess([], 0, stdout="\n")
    monkeypatch.setattr(printing.shutil, "which", lambda name: name)
    monkeypatch.setattr(printing.subprocess, "run", lambda *words, **settings: done)
    assert "apt-get install fonts-wqy-microhei" in printing.missing_fonts()
    done.stdout = "WenQuanYi Micro Hei\n"
    assert not printing.missing_fonts()


def test_a_chapter_alone_needs_no_chinese_font(monkeypatch, capsys):
    """Of all that is printed, the glossary alone has Chinese."""
    monkeypatch.setattr(headless, "find", lambda: None)
    monkeypatch.setattr(printing, "missing_fonts", lambda: printing.NO_CHINESE)
    monkeypatch.setattr(printing, "make", lambda *_: "printed")
    monkeypatch.setattr(book, "build", lambda: ROOT / "build" / "book" / "index.html")
    assert book.pdf("09") == "printed" and "Chinese" not in capsys.readouterr().out
    assert book.pdf(None) == "printed" and printing.NO_CHINESE in capsys.readouterr().out
    pages = printing.order(book.contents())
    for page in (page for number in range(18) for page in printing.only(pages, f"{number:02}")):
        assert not glossary.HAN.search((ROOT / f"{page.path}.ipynb").read_text(encoding="utf-8"))


def test_formulas_become_mathml():
    half = ElementTree.fromstring(str(ebook.mathml(r"\(\frac{1}{2}\)", display=False)))
    assert [part.text for part in half.find(".//{*}mfrac").findall(".//{*}mn")] == ["1", "2"]
    two = r"\[\begin{split}\begin{aligned} a &= 1 \\[1ex] b &= 2 \end{aligned}\end{split}\]"
    assert len(ElementTree.fromstring(str(ebook.mathml(two, display=True))).findall(".//{*}mtr")) == 2
    with pytest.raises(ValueError, match=r"does not know .*nonsense"):
        ebook.mathml(r"\nonsense{x}", display=False)


def test_a_formula_that_no_e_book_can_have_is_said_with_its_page(tmp_path):
    text = r'<div class="body"><section id="a"><h1>A</h1><span class="math">\(\nonsense{x}\)</span></section></div>'
    (tmp_path / "a.xhtml").write_text(text)
    with pytest.raises(ValueError, match=r"^a: latex2mathml does not know .*nonsense.*; write it otherwise"):
        ebook.article(tmp_path, "a", {"a": set()})


@pytest.fixture
def unpacked(folder, tmp_path, monkeypatch):
    """{name: content} of the e-book of the small book, in the order of its archive."""
    monkeypatch.setattr(notebooks, "BUILD", tmp_path)
    with zipfile.ZipFile(ebook.make(folder, TOC)) as archive:
        assert archive.infolist()[0].compress_type == zipfile.ZIP_STORED
        return {name: archive.read(name) for name in archive.namelist()}


def test_an_e_book_has_what_its_package_lists(unpacked):
    assert next(iter(unpacked.items())) == ("mimetype", b"application/epub+zip")
    package = ElementTree.fromstring(unpacked["book/package.opf"])
    listed = {item.get("id"): f"book/{item.get('href')}" for item in package.findall(".//{*}item")}
    assert {*listed.values(), "mimetype", "META-INF/container.xml", "book/package.opf"} == unpacked.keys()
    read = [listed[item.get("idref")] for item in package.findall(".//{*}itemref")]
    pages = [f"book/{page.path}.xhtml" for page in printing.order(TOC)]
    assert read == ["book/cover.xhtml", "book/contents.xhtml", *pages]


def test_pages_of_an_e_book_are_xml_with_links_that_lead_somewhere(unpacked):
    trees = {name: ElementTree.fromstring(text) for name, text in unpacked.items() if name.endswith(".xhtml")}
    ids = {name: {element.get("id") for element in tree.iter()} for name, tree in trees.items()}
    count = 0
    for name, tree in trees.items():
        for link in tree.findall(".//{*}a"):
            url = urllib.parse.urlsplit(link.get("href"))
            if not url.scheme:
                target = os.path.normpath(f"{os.path.dirname(name)}/{url.path}") if url.path else name
                assert target in trees and (not url.fragment or url.fragment in ids[target]), link.get("href")
                count += 1
    assert count == 10
    chapter = trees["book/chapters/01_first.xhtml"]
    dot = os.path.normpath(f"book/chapters/{chapter.find('.//{*}img').get('src')}")
    assert unpacked[dot] == base64.b64decode(DOT)  # a file, and no longer within the page
    assert chapter.find(".//{*}mfrac") is not None and chapter.find(".//{*}input") is None
    assert chapter.find(".//{*}details").get("open") == ""
    assert [tab.text for tab in chapter.iterfind(".//{*}p[@class='tab']")] == ["MXNet", "PyTorch"]


@pytest.mark.long
def test_the_whole_book_is_printed_and_packed():
    """Every link within the PDF lands, and epubcheck and qpdf find nothing. What one lacks is skipped at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notebooks, "BUILD", ROOT / "build" / "test-print")
        packed = book.build(builder="epub")
        path = book.pdf(None) if not missing_browser() else None
    skipped = [] if path else ["no Chromium, so nothing is printed: apt-get install chromium chromium-driver"]
    if path:
        reader = pypdf.PdfReader(path)
        landed = list(links(reader))
        assert len(reader.pages) > 400 and len(landed) > 1500
        contents = [(end, top) for start, end, top in landed if start in (1, 2)]
        pages = [page.path for page in printing.order(book.contents())]
        assert len(contents) == len(pages)
        begin, end = (contents[pages.index("docs/glossary") + i][0] for i in (0, 1))
        terms = {(number, float(top)) for _, number, top in landed if begin <= number < end and top != NullObject()}
        assert len(terms) > 100  # each term at its own row, not at its table's first
        parts, texts = {squeezed(part["caption"]) for part in book.contents()["parts"]}, {}
        for title, sheet in bookmarks(reader):
            texts[sheet] = texts.get(sheet) or squeezed(reader.pages[sheet].extract_text())
            assert title in texts[sheet] or title in parts, title
    checks = {"qpdf": path and ["qpdf", "--check", path], "epubcheck": ["epubcheck", packed]}
    for tool, words in checks.items():
        if not words or not shutil.which(tool):
            skipped.append(f"no {tool}, so it did not look: apt-get install {tool}")
            continue
        if tool == "epubcheck":  # Debian's is the program itself, which a kernel without binfmt can't start
            words = ["java", "-jar", os.path.realpath(shutil.which(tool)), packed]
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    if skipped:
        pytest.skip("; ".join(skipped))


def squeezed(text):
    return re.sub(r"\s", "", text)


def bookmarks(reader):
    """(title, sheet) of each, the titles without blanks, as those of `squeezed`."""
    rest = list(reader.outline)
    while rest:
        entry = rest.pop(0)
        if isinstance(entry, list):
            rest = entry + rest
        else:
            yield squeezed(entry.title), reader.get_destination_page_number(entry)


def missing_browser():
    try:
        headless.find()
    except LookupError as missing:
        return str(missing)
