"""Makes slides of the chapters, build/slides/08_resnet18_fcn.html: `make slides`, `make slides CHAPTER=08`.

A cell with the tag `slide` makes one, as `slide` in its metadata says (docs/teaching.md, "Slides"). The first slide is
made of the chapter's head, the last of its summary. The folder holds all that they need: reveal.js comes from
tools/reveal, MathJax from the package that the book takes it from. Nothing is executed or loaded from a network.
"""

import argparse
import base64
import html
import importlib.util
import os
import pathlib
import re
import sys
import textwrap

import mistune
import nbformat
import notebooks
from files import atomic_write
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

REVEAL = notebooks.ROOT / "tools" / "reveal"
COURSE = "Semantic segmentation with MXNet Gluon"
KEYS = {"title", "says", "asks", "shows", "lines", "asks_first"}
SHOWS = "figure", "code", "both", "output", "text"
MOST_WORDS, MOST_LINES, MOST_ABOVE, MOST_PRINTED = 20, 14, 8, 12  # lines of code alone, and above a figure
SIZES = range(30, 19, -1)  # of code, in pixels of a slide of 1280 × 720; smaller isn't read from the last row
WIDTH, LETTER = 1110, 0.61  # pixels for a line of code, and a letter's width, times its size
HELP = 'docs/teaching.md, "Slides", has the format'
ANSI = re.compile(r"\x1b\[[0-9;]*m")

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="reveal/reset.css">
<link rel="stylesheet" href="reveal/reveal.css">
<link rel="stylesheet" href="reveal/course.css">
</head>
<body>
<div class="reveal"><main class="slides">
{slides}
</main></div>
<script src="reveal/reveal.js"></script>
<script src="reveal/notes.js"></script>
<script>
if (innerWidth < 435) {{ // a phone: slides one below the other, so nothing waits for a key
  for (const part of document.querySelectorAll(".question")) part.remove();
  for (const part of document.querySelectorAll(".fragment")) part.classList.remove("fragment");
}}
Reveal.initialize({{
  width: 1280, height: 720, margin: 0, center: false, hash: true, slideNumber: "c/t",
  transition: "none", pdfSeparateFragments: false, scrollLayout: "compact", plugins: [RevealNotes],
}}).then(() => document.querySelector(".reveal").removeAttribute("role")); // a page to read, not an application
</script>
{math}</body>
</html>
"""
MATH = """<script>
MathJax = {options: {ignoreHtmlClass: "reveal", processHtmlClass: "math", enableMenu: false}};
</script>
<script src="reveal/tex-svg.js"></script>
"""
FIRST = """<section><div class="slide first">
<p class="course">{course}</p>
<h1>{title}</h1>
<p class="goal">{goal}</p>
<p>{time}</p>
<p class="keys"><kbd>→</kbd> next · <kbd>Esc</kbd> all slides · <kbd>S</kbd> notes for the speaker, in a window of their
own · on paper: <code>?print-pdf</code> after the address's <code>.html</code></p></div>
<aside class="notes">{notes}</aside>
</section>"""
LAST = """<section><div class="slide last">
<h1>Summary</h1>
<div class="shown text">{points}
<div class="todo">{todo}</div></div></div>
<aside class="notes">{notes}</aside>
</section>"""
INDEX = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Slides: {course}</title>
<link rel="stylesheet" href="reveal/course.css">
</head>
<body class="index">
<main>
<h1>{course}: slides</h1>
<p>This folder holds all that the slides need: copy it whole. No network is asked for anything.</p>
<ul>
{decks}
</ul>
<p>Keys: arrows or space go on, Esc shows all slides, S opens the notes for the speaker, F fills the screen. For a
handout add <code>?print-pdf</code> to the address after <code>.html</code> and print; with
<code>?print-pdf&amp;showNotes=separate-page</code> the notes are on pages of their own.</p>
</main>
</body>
</html>
"""


class Text(mistune.HTMLRenderer):
    """A chapter's text on a slide: code as that of cells; of links, which would lead nowhere, their words."""

    def link(self, text, url, title=None):
        return text

    def block_code(self, code, info=None):
        rows = code.splitlines()
        return block(rows, "code" if info == "python" else "output", size(rows, WIDTH, MOST_LINES))


_markdown = mistune.create_markdown(renderer=Text(escape=True), plugins=["table", "math"])


def words(text):
    """A sentence of Markdown as HTML, without a paragraph around it."""
    return re.sub(r"^<p>|</p>\s*$", "", _markdown(text))


def build(number=None):
    """Make the slides of a chapter, or of all, and the page that lists those that are there.

    Returns {path: number of slides}. What is wrong in any chapter is printed in one go; then nothing is written.
    """
    folder, made, problems = notebooks.BUILD / "slides", {}, []
    for path in notebooks.find(number):
        try:
            made[folder / f"{path.stem}.html"] = deck(path)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        sys.exit("\n".join([*problems, HELP]))
    try:
        (folder / "reveal").mkdir(parents=True, exist_ok=True)
        mathjax = pathlib.Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent
        for file in [*sorted(REVEAL.iterdir()), mathjax / "static" / "mathjax" / "tex-svg.js"]:
            put(folder / "reveal" / file.name, file.read_bytes())
        for path, slides in made.items():
            title = notebooks.title(nbformat.read(notebooks.CHAPTERS / f"{path.stem}.ipynb", 4))
            math = MATH if any('class="math"' in slide for slide in slides) else ""
            page = PAGE.format(title=html.escape(title), slides="\n".join(slides), math=math)
            put(path, page.encode())
        put(folder / "index.html", index(folder).encode())
    except OSError as error:
        sys.exit(f"{error.filename or folder}: {error.strerror}. Make the slides in a copy of the course of your own")
    return {path: len(slides) for path, slides in made.items()}


def put(path, data):
    """Write bytes to a file, all or nothing."""
    with atomic_write(path) as beside:
        beside.write_bytes(data)


def index(folder):
    """The page that lists the chapters whose slides are in a folder."""
    rows = []
    for path in notebooks.find():
        page = folder / f"{path.stem}.html"
        if page.is_file():
            title, count = notebooks.title(nbformat.read(path, 4)), page.read_text("utf-8").count("<section")
            rows.append(f'<li><a href="{page.name}">{html.escape(title)}</a> <span>{count} slides</span></li>')
    return INDEX.format(course=COURSE, decks="\n".join(rows))


def deck(path):
    """The slides of a notebook, each as HTML. A ValueError has a line for each cell that can't be one."""
    try:
        notebook, slides, problems = nbformat.read(path, 4), [], []
    except ValueError as error:
        why = str(error).split("\n")[0][:100]
        raise ValueError(f"{path.name}: cannot be read as a notebook ({why}); take it anew, or mend its JSON") from None
    for cell in notebook.cells:
        try:
            if "slide" in cell.metadata.get("tags", []):
                slides.append(slide(cell))
            elif "slide" in cell.metadata:
                raise ValueError("its metadata has `slide`, but its tags haven't: add the tag, or take the entry out")
        except ValueError as error:
            problems.append(f"{path.name}, cell {cell.id}: {error}")
    if not (slides or problems):
        problems.append(f"{path.name}: no cell has the tag `slide`, so there are no slides to make")
    if problems:
        raise ValueError("\n".join(problems))
    try:
        return [first(notebook.cells[0].source), *slides, last(notebook)]
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def slide(cell):
    """The slide of one cell."""
    about = checked(cell)
    kind, content = shown(cell, about)
    asked, _, answer = about["asks"].partition("?")
    asked, question, waits = words(f"{asked}?"), "", ""
    if about.get("asks_first"):
        question = f'<p class="question fragment fade-out" data-fragment-index="0">{asked}</p>\n'
        waits = ' fragment" data-fragment-index="0'
    part = f'<div class="shown {kind}{waits}">{content}</div>\n' if content else ""
    return (
        f'<section><div class="slide">\n<h1>{words(about["title"])}</h1>\n{question}'
        f'<p class="says{"" if part else " alone"}{waits}">{words(about["says"])}</p>\n{part}</div>\n'
        f'<aside class="notes"><p><strong>Ask:</strong> {asked}</p>'
        f"<p><strong>Answer:</strong> {words(answer.strip())}</p></aside>\n</section>"
    )


def checked(cell):
    """A cell's entry `slide`, if all in it is as it must be; else a ValueError."""
    about = cell.metadata.get("slide")
    if not isinstance(about, dict):
        raise ValueError("has the tag `slide`, but its metadata has no `slide` that says title, says, asks and shows")
    missing, unknown = {"title", "says", "asks", "shows"} - about.keys(), about.keys() - KEYS
    if missing or unknown:
        what = [f"has no {', '.join(sorted(missing))}"] if missing else []
        what += [f"has {', '.join(sorted(unknown))}, which is not known"] if unknown else []
        raise ValueError(f"`slide` in its metadata {' and '.join(what)}; expected {', '.join(sorted(KEYS))}")
    for key in sorted(KEYS - {"asks_first"} & about.keys()):
        if not (isinstance(about[key], str) and about[key].strip()):
            raise ValueError(f"`{key}` is {about[key]!r}; expected a text")
    if not isinstance(about.get("asks_first", False), bool):
        raise ValueError(f"`asks_first` is {about['asks_first']!r}; expected true or false")
    if about["shows"] not in SHOWS:
        raise ValueError(f"`shows` is {about['shows']!r}; expected one of {', '.join(SHOWS)}")
    if (about["shows"] == "text") != (cell.cell_type == "markdown"):
        raise ValueError(f"`shows` is {about['shows']!r}, but the cell is {cell.cell_type}: text is for markdown cells")
    if about["shows"] == "figure" and "lines" in about:
        raise ValueError(f"`lines` is {about['lines']!r}, but a figure has none: take it out, or let it show both")
    if (count := len(about["says"].split())) > MOST_WORDS:
        raise ValueError(f"`says` has {count} words; a slide has room for {MOST_WORDS}: {about['says']!r}")
    asked, _, answer = about["asks"].partition("?")
    if not (asked.strip() and answer.strip()):
        raise ValueError(f"`asks` is {about['asks']!r}; expected a question, its question mark, and the answer")
    return about


def shown(cell, about):
    """How a slide is laid out, a word for course.css, and what it shows of its cell, as HTML."""
    shows, lines = about["shows"], about.get("lines")
    if shows == "text":
        return "text", _markdown("\n".join(_picked(cell.source.splitlines(), lines))) if lines else ""
    if shows == "figure":
        return "", figure(cell)[0]
    if shows == "output":
        rows = chosen(printed(cell), lines)
        if not 1 <= len(rows) <= MOST_PRINTED:
            raise ValueError(f"prints {len(rows)} lines; expected 1 to {MOST_PRINTED}: choose some by `lines`")
        return "", block(rows, "output", size(rows, WIDTH, MOST_LINES))
    code = chosen(cell.source, lines)
    if shows == "code":
        return "", block(code, "code", size(code, WIDTH, MOST_LINES))
    if images(cell):
        picture, ratio = figure(cell)
        if ratio > 1.5:
            return "", block(code, "code", size(code, WIDTH, MOST_ABOVE)) + picture
        return "beside", block(code, "code", size(code, WIDTH / 2, MOST_LINES)) + picture
    rows = printed(cell)
    if not 1 <= len(rows) < MOST_LINES - 1:
        raise ValueError(
            f"has no figure and prints {len(rows)} lines; expected either, and 1 to {MOST_LINES - 2} lines"
        )
    room = MOST_LINES - 1 - len(rows)  # one for the space between the two
    pixels = min(size(code, WIDTH, room), size(rows, WIDTH, MOST_LINES - 1 - len(code)))
    return "", block(code, "code", pixels) + block(rows, "output", pixels)


def chosen(text, lines):
    """The lines of a text that "3-9" or "1, 4-6" names, the first being 1, set in no deeper than they must be."""
    rows = text.splitlines() if isinstance(text, str) else text
    return textwrap.dedent("\n".join(_picked(rows, lines))).splitlines() if lines else rows


def _picked(rows, lines):
    picked = []
    for part in lines.split(","):
        found = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        start, end = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1 <= start <= end <= len(rows):
            raise ValueError(f"`lines` is {lines!r}; expected such as '3-9' or '1, 4-6', from 1 to {len(rows)}")
        if picked and picked[-1].startswith(" ") and not rows[start - 1].startswith(" "):
            picked.append("")  # the block before has ended
        picked += rows[start - 1 : end]
    return picked


def printed(cell):
    """The lines that a cell has printed, and the value that it ends with."""
    texts = [
        out.get("text", "") or out.get("data", {}).get("text/plain", "") for out in cell.outputs if not picture(out)
    ]
    return ANSI.sub("", "".join(text if text.endswith("\n") else f"{text}\n" for text in texts)).rstrip().splitlines()


def picture(output):
    return output.get("data", {}).get("image/png")


def images(cell):
    """A cell's pictures: PNG in base64."""
    return [found for found in map(picture, cell.outputs) if found]


def figure(cell):
    """A cell's figure as HTML, with what it shows in words, and its width by its height."""
    found, alt = images(cell), cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
    if len(found) != 1 or not alt:
        raise ValueError(f"has {len(found)} figures, described by {alt!r}; expected one, and its mystnb.image.alt")
    data = found[0].replace("\n", "")
    width, height = dimensions(data)
    style = f"max-width: {2 * width}px; max-height: {2 * height}px"
    tag = f'<img src="data:image/png;base64,{data}" alt="{html.escape(alt)}" style="{style}">'
    return f'<div class="figure">{tag}</div>', width / height


def dimensions(data):
    """Width and height of a PNG in base64, in pixels."""
    head = base64.b64decode(data[:64])
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def size(rows, width, most):
    """The largest size of letters at which rows of text fit into `width` pixels, and `most` lines at the smallest.

    A row that is too long even then goes on below, set in by 4 letters more.
    """
    room = most * SIZES[-1]
    for pixels in SIZES:
        if max(map(len, rows), default=0) <= int(width / (LETTER * pixels)) and len(rows) * pixels <= room:
            return pixels
    columns = int(width / (LETTER * SIZES[-1]))
    lines = 0
    for row in rows:
        inset = " " * (len(row) - len(row.lstrip()) + 4)
        lines += len(textwrap.wrap(row, columns, subsequent_indent=inset)) or 1
    if lines > most:
        raise ValueError(f"{lines} lines on the slide, which has room for {most}: choose fewer by `lines`")
    return SIZES[-1]


def block(rows, kind, pixels):
    """Code or printed text as HTML, in letters of a size."""
    if kind == "code":
        text = highlight("\n".join(rows), PythonLexer(stripnl=False), HtmlFormatter(nowrap=True))
    else:
        text = html.escape("\n".join(rows), quote=False)
    lines = ""
    for row, line in zip(rows, text.split("\n"), strict=False):
        inset = len(row) - len(row.lstrip()) + 4
        lines += f'<span class="line" style="padding-left: {inset}ch; text-indent: -{inset}ch">{line}</span>'
    return f'<pre class="{kind}" style="font-size: {pixels}px"><code>{lines}</code></pre>'


def first(head):
    """The first slide, of a chapter's first cell."""
    entries = dict(re.findall(r"(?m)^- \*\*(\w[\w ]*):\*\* (.*)$", head))
    if "Time" not in entries:
        raise ValueError("its first cell has no line that begins with '- **Time:** '; the first slide is made of it")
    notes = "".join(f"<p><strong>{key}:</strong> {words(text)}</p>" for key, text in entries.items() if key != "Time")
    title, goal = head.split("\n\n")[:2]
    time = words(f"The chapter {entries['Time']}.")
    return FIRST.format(course=COURSE, title=words(title.lstrip("# ")), goal=words(goal), time=time, notes=notes)


def last(notebook):
    """The last slide, of a chapter's summary: what to keep, and what to do now."""
    summary = next((cell.source for cell in notebook.cells if re.search("(?m)^## Summary", cell.source)), "")
    points = re.search(r"(?ms)^## Summary\n+(.*?)\n\n", summary)
    exercises = re.search(r"(?m)^\*\*Exercises:\*\* \[yours\]\(\.\./(.*?)\).*?, \[solved\]\(.*?\): (.*)$", summary)
    if not (points and exercises):
        raise ValueError(
            "no cell has '## Summary', points, and a line that begins with '**Exercises:** [yours](' as in other "
            "chapters; the last slide is made of these"
        )
    points, (path, what) = points[1], exercises.groups()
    todo = words(f"**Exercises, now:** {what} In `{path}` (`make lab`).")
    notes = words(f"`make exercises` writes `{path}`, without solutions. Which point of the summary is new to you?")
    return LAST.format(points=_markdown(points), todo=todo, notes=notes)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chapter", metavar="NN", help="only this one")
    made = build(parser.parse_args().chapter)
    for path, count in made.items():
        print(f"{os.path.relpath(path)}: {count} slides")
    print(f"Open in a browser: {os.path.relpath(path if len(made) == 1 else path.parent / 'index.html')}")


if __name__ == "__main__":
    main()
