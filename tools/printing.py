"""Prints the book, or one chapter with its exercises, as PDF: `make book FORMAT=pdf`, `CHAPTER=08`.

A headless Chromium prints one page of the book after the other, with page numbers that go on; pypdf joins them. Links
between pages become links within the PDF. The contents come last, when the numbers are known, and stand first.
"""

import base64
import datetime
import html
import importlib.metadata
import io
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import typing
import urllib.parse

import headless
import notebooks
import pypdf
from bs4 import BeautifulSoup
from pypdf.generic import ArrayObject, Fit, FloatObject, NameObject, NullObject, TextStringObject
from selenium.common.exceptions import WebDriverException

TITLE = "Semantic segmentation with MXNet Gluon"
INSIDE = "https://book.invalid/"  # how a link to another page of the book looks in what Chromium prints
HEADINGS = ["h1", "h2", "h3", "h4"]
UNPRINTED = 'a.headerlink, .toctree-wrapper, script, button, .sd-tab-set > input, span.target[id^="index-"]:empty'
SETTINGS = {"preferCSSPageSize": True, "printBackground": True, "generateTaggedPDF": False}
MATHJAX = 'window.MathJax = {options: {processHtmlClass: "math"}}'  # the sections around it say mathjax_ignore
LOADED = """const done = arguments[0], math = window.MathJax?.startup?.promise;
const images = [...document.images].map(image => image.decode().catch(() => {}));
Promise.all([document.fonts.ready, math, ...images]).then(() => done());"""
NO_CHINESE = (
    "No font here has Chinese letters, so the PDF shows boxes in the glossary. "
    "Debian and Ubuntu: apt-get install fonts-wqy-microhei; then print again."
)


class Page(typing.NamedTuple):
    """A page of the book: its path without suffix, such as "docs/glossary", and how deep in the contents it stands."""

    path: str
    depth: int
    part: str  # the caption above it


def order(toc):
    """The pages of the book, as book/_toc.yml with the modules of `utils` has them."""
    pages = [Page(toc["root"], 0, "")]
    for part in toc["parts"]:
        for page in part["chapters"]:
            pages.append(Page(page["file"], 0, part["caption"]))
            pages += [Page(section["file"], 1, part["caption"]) for section in page.get("sections", [])]
    return pages


def only(pages, chapter):
    """Of these pages one chapter, by its number, such as "08" or "8", and its exercises."""
    found = [page for page in pages if re.match(rf"chapters/(exercises/)?{re.escape(chapter):0>2}_", page.path)]
    if not found:
        numbers = [pathlib.Path(page.path).name[:2] for page in pages if re.match("chapters/[0-9]", page.path)]
        raise SystemExit(f"No chapter {chapter!r} to print. The chapters are {numbers[0]} to {numbers[-1]}.")
    return found


def missing_fonts():
    """What is missing to show the glossary's Chinese, in one sentence; empty where nothing is, or no one can say."""
    if not shutil.which("fc-list"):
        return ""
    listed = subprocess.run(["fc-list", ":lang=zh", "family"], capture_output=True, text=True)
    return NO_CHINESE if listed.returncode == 0 and not listed.stdout.strip() else ""


# ---- A page of the book, as it is printed ----


def article(folder, page, pages):
    """What a page says, without buttons and bars, as a tree: answers opened, tabs one below the other.

    folder: the book as HTML. Links to pages that aren't printed with it become text; behind one to a page of docs/,
    such as "the same lines", comes the name of its file, as nobody can open a word on paper.
    """
    path = folder / f"{page.path}.html"
    tree = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser").select_one("article")
    for element in tree.select(UNPRINTED):
        element.decompose()
    open_answers(tree)
    printed = {page.path for page in pages}
    for link in tree.select("a[href]"):
        url = urllib.parse.urlsplit(link["href"])
        if url.scheme:
            continue
        target = os.path.normpath(os.path.join(os.path.dirname(page.path), urllib.parse.unquote(url.path)))
        target = re.sub(r"\.html$", "", target) if url.path else page.path
        if target in printed:
            link["href"] = f"{INSIDE}{target}#{url.fragment}"
        else:
            if target.startswith("docs/") and "term" not in link.get("class", []) and "docs/" not in link.get_text():
                link.insert_after(f" ({target}.md)")
            link.unwrap()
    for image in tree.select("img[src]"):
        if not urllib.parse.urlsplit(image["src"]).scheme:
            image["src"] = (path.parent / urllib.parse.unquote(image["src"])).resolve().as_uri()
    for block in tree.select("pre"):
        if block.get_text().count("\n") <= 30:
            block["class"] = [*block.get("class", []), "short"]
    return tree


def open_answers(tree):
    """Show what is closed. Below "Check yourself" what is said of each choice comes last, by number."""
    new = BeautifulSoup("", "html.parser").new_tag
    for section in tree.select("section#check-yourself:has(> details)"):
        number, letter, answers = "", 0, new("div", attrs={"class": "answers"})
        answers.append(new("p", string="What is said of each choice:"))
        for element in section.find_all(["p", "details"], recursive=False):
            found = re.match(r"\d+", element.get_text().strip())
            if element.name == "details":
                label, letter = f"{number}{chr(ord('a') + letter)}) ", letter + 1
                choice = element.summary.extract()
                choice.name, choice["class"] = "p", "choice"
                choice.insert(0, f"{label[-3:]}")
                element.insert_before(choice)
                (element.p or element).insert(0, label)
                element.name = "div"
                answers.append(element.extract())
            elif element.strong and found:
                number, letter = found[0], 0
        section.append(answers)
        for text in section.find_all(string=re.compile("Choose an answer, then open it")):
            text.replace_with(text.replace("Choose an answer, then open it.", "The answers stand below them."))
    for element in tree.select("details"):
        element["open"] = ""
        del element["name"]  # of details with one name only one would be open


def sections(tree):
    """(anchor, heading) of each section below the page's own."""
    found = [(section["id"], section.find("h2", recursive=False)) for section in tree.select("section[id]")]
    return [(anchor, heading.get_text().strip()) for anchor, heading in found if heading]


def wanted(trees):
    """{page: the anchors in it that links lead to, and those of its sections}."""
    anchors = {path: {section["id"] for section in tree.select("section[id]")} for path, tree in trees.items()}
    for tree in trees.values():
        for link in tree.select(f'a[href^="{INSIDE}"]'):
            url = urllib.parse.urlsplit(link["href"])
            anchors[url.path[1:]].add(urllib.parse.unquote(url.fragment))
    return {path: sorted(found - {""}) for path, found in anchors.items()}


def mark(tree, anchors):
    """Put an anchor a0, a1, … where each of these is. Chromium keeps those that a link in the same page leads to."""
    links = BeautifulSoup("<nav hidden></nav>", "html.parser")
    for number, anchor in enumerate(anchors):
        element = tree.find(id=anchor)
        if element is None:
            continue  # it leads to the top of the page
        if not element.get_text(strip=True) and element.find_next_sibling():
            element = element.find_next_sibling()
        if element.name == "section":
            element = element.find(HEADINGS) or element
        if element.name == "tr":  # a browser would take the anchor out of the table
            element = element.find(["th", "td"])
        element.insert(0, links.new_tag("span", id=f"a{number}"))
        links.nav.append(links.new_tag("a", href=f"#a{number}"))
    tree.insert(0, links)


def document(folder, body, title, first, math=False, roman=False, numbered=True):
    """A whole HTML document for Chromium to print. first: the number of its first page."""
    static = folder / "_static"
    styles = [static / "pygments.css", *static.glob("mystnb*.css"), notebooks.ROOT / "book" / "print.css"]
    links = "".join(f'<link rel="stylesheet" href="{path.resolve().as_uri()}">' for path in styles)
    mathjax = (static / "tex-svg.js").resolve().as_uri()
    script = f'<script>{MATHJAX}</script><script src="{mathjax}"></script>' if math else ""
    name = title.replace("\\", "").replace('"', "'")
    number = "counter(page, lower-roman)" if roman else "counter(page)"
    foot = f'@page {{ @bottom-left {{ content: "{name}" }} @bottom-right {{ content: {number} }} }}' if numbered else ""
    return f"""<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">
<title>{html.escape(title)}</title>{links}{script}
<style>{foot} html {{ counter-reset: page {first - 1}; }}</style></head><body>{body}</body></html>"""


def title_page(folder, date):
    """The first page: what it is, which version, and the picture of the front page."""
    picture = next(iter(sorted(folder.glob("_images/result*.png"))), None)
    shown = f'<img src="{picture.resolve().as_uri()}" alt="">' if picture else ""
    version = importlib.metadata.version("segmentation-course")
    return (
        f'<div class="title"><h1>{TITLE}</h1>{shown}<p>Chapters, exercises, and pages to look things up</p>'
        f"<p>Version {version}, printed on {date:%Y-%m-%d}</p></div>"
    )


def contents_page(pages, titles, numbers):
    """The contents, with the number of the page at which each begins."""
    rows, part = "", ""
    for page in pages:
        if page.part != part:
            rows, part = f"{rows}<h2>{html.escape(page.part)}</h2>", page.part
        link = f'<a href="{INSIDE}{page.path}#">{html.escape(titles[page.path])}</a>'
        rows += f'<p class="depth{page.depth}">{link}<i></i><span>{numbers[page.path]}</span></p>'
    return f'<div class="contents"><h1>Contents</h1>{rows}</div>'


# ---- Chromium prints ----


def printed(window, folder, text):
    """What Chromium makes of an HTML document, as a pypdf.PdfReader."""
    path, title = folder / "page.html", html.unescape(re.search("<title>(.*?)</title>", text)[1])
    path.write_text(text, encoding="utf-8")
    try:
        window.get(path.as_uri())
        if not window.execute_script("return document.querySelector('html[data-theme]')"):
            raise SystemExit(
                f"{path}: Chromium was told to print this page, and shows {window.title!r}: may it read that folder? "
                "One that came as a snap, as Ubuntu's does, reads only what lies in your home, and in no hidden folder"
            )
        window.execute_async_script(LOADED)
        made = window.execute_cdp_cmd("Page.printToPDF", SETTINGS)["data"]
    except WebDriverException as error:
        why = (error.msg or "no reason is given").splitlines()[0]
        raise SystemExit(
            f"{title}: Chromium could not print this page ({why}). Is there memory left? Print again; one chapter "
            "takes less: make book FORMAT=pdf CHAPTER=08"
        ) from None
    return pypdf.PdfReader(io.BytesIO(base64.b64decode(made)))


def make(folder, toc, chapter=None):
    """Print the book, or one chapter of it, and return the path of the PDF.

    folder: the book as HTML. toc: its contents, as book.contents() has them. chapter: a number, such as "08".
    """
    pages = only(order(toc), chapter) if chapter else order(toc)
    trees = {page.path: article(folder, page, pages) for page in pages}
    titles = {path: tree.h1.get_text().strip() for path, tree in trees.items()}
    headings = {path: sections(tree) for path, tree in trees.items()}
    anchors = wanted(trees)
    parts, numbers, start, told = {}, {}, 1, time.time()
    with headless.chromium() as window, tempfile.TemporaryDirectory(dir=folder.parent) as name:  # not all read /tmp
        scratch = pathlib.Path(name)
        window.set_page_load_timeout(300)
        window.set_script_timeout(300)
        for count, (path, tree) in enumerate(trees.items()):
            if time.time() - told > 15:
                print(f"  {count} of {len(trees)} pages of the book are printed", flush=True)
                told = time.time()
            mark(tree, anchors[path])
            text = document(folder, str(tree), titles[path], start, math=bool(tree.select(".math")))
            parts[path], numbers[path] = printed(window, scratch, text), start
            start += len(parts[path].pages)
        front = []
        if not chapter:
            first = title_page(folder, datetime.date.today())
            contents = contents_page(pages, titles, numbers)
            front.append(printed(window, scratch, document(folder, first, TITLE, 1, numbered=False)))
            front.append(printed(window, scratch, document(folder, contents, "Contents", 2, roman=True)))
    writer, places = joined(front, parts, anchors)
    add_outline(writer, pages, titles, headings, places)
    title = titles[pages[0].path] if chapter else TITLE
    writer.add_metadata({"/Title": title, "/Subject": TITLE, "/Creator": "make book FORMAT=pdf"})
    target = notebooks.BUILD / f"{pathlib.Path(pages[0].path).name if chapter else 'segmentation'}.pdf"
    with notebooks.atomic_write(target) as beside:
        writer.write(beside)
    return target


# ---- pypdf joins ----


def joined(front, parts, anchors):
    """One PDF of title and contents and of each page's, with links that lead within it.

    Returns the pypdf.PdfWriter and {(page, anchor): (number of the sheet from 0, height in it in points or None)}.
    """
    writer, places = pypdf.PdfWriter(), {}
    for reader in front:
        for sheet in reader.pages:
            writer.add_page(sheet)
    before = len(writer.pages)
    for path, reader in parts.items():
        first = len(writer.pages)
        for sheet in reader.pages:
            writer.add_page(sheet)
        places[path, ""] = first, None
        for name, place in reader.named_destinations.items():
            anchor = anchors[path][int(name.removeprefix("/a"))]
            places[path, anchor] = first + reader.get_destination_page_number(place), float(place["/Top"])
    if before:
        writer.set_page_label(0, before - 1, style="/r")
    writer.set_page_label(before, len(writer.pages) - 1, style="/D")
    sheets = list(writer.pages)
    for sheet in sheets:
        for link in (link.get_object() for link in sheet.get("/Annots", [])):
            address = link.get("/A", {}).get("/URI", "")
            if address.startswith(INSIDE):
                url = urllib.parse.urlsplit(address)
                path, anchor = url.path[1:], urllib.parse.unquote(url.fragment)
                number, top = places.get((path, anchor)) or places[path, ""]
                height = NullObject() if top is None else FloatObject(top)
                to = [sheets[number].indirect_reference, NameObject("/XYZ"), NullObject(), height, NullObject()]
                link[NameObject("/Dest")] = ArrayObject(to)
                del link["/A"]
    writer.root_object[NameObject("/Lang")] = TextStringObject("en")
    writer.compress_identical_objects(remove_duplicates=True, remove_unreferenced=True)
    return writer, places


def add_outline(writer, pages, titles, headings, places):
    """The bookmarks: parts, pages, and sections of pages."""
    part, above = "", {}
    for page in pages:
        sheet, _ = places[page.path, ""]
        if page.part != part:
            part, above[-1] = page.part, writer.add_outline_item(page.part, sheet, is_open=False)
        parent = above.get(page.depth - 1)
        above[page.depth] = writer.add_outline_item(titles[page.path], sheet, parent=parent, is_open=False)
        for anchor, heading in headings[page.path]:
            sheet, top = places.get((page.path, anchor)) or places[page.path, ""]
            fit = Fit.xyz(top=top)
            writer.add_outline_item(heading, sheet, parent=above[page.depth], fit=fit, is_open=False)
    writer.page_mode = "/UseOutlines"
