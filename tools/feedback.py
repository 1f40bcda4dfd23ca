"""Writes the pages that students get back, `make feedback`: grading/feedback/STUDENT/exercises/NN_….html.

They are also packed: grading/feedback/STUDENT.zip; and for folders named as Moodle names them, all of these in
grading/feedback-moodle.zip, which an assignment takes by "Upload multiple feedback files in a zip".

A page shows what strangers wrote, to them and to the teacher. So all of it is escaped: markdown loses its HTML, links
and pictures; of outputs there are text, PNG and JPEG. Points come from the record alone. Should anything get through
nevertheless, the page's Content-Security-Policy lets no script run, nothing load and no form be sent.
"""

import base64
import functools
import hashlib
import html
import io
import logging
import math
import re
import sys
import time
import warnings
import zipfile

import bleach
import grading
import marks
import mistune
import notebooks
import rosters
from matplotlib import mathtext
from PIL import Image
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

TAGS = bleach.ALLOWED_TAGS - {"a"} | {"br", "del", "div", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "p", "pre", "span"}
TAGS |= {"table", "tbody", "td", "th", "thead", "tr"}
TEXT, FORMULA, PIXELS = 5_000, 200, 50_000_000  # characters of a cell and of a formula, pixels of a picture
SECONDS = 30  # of a page; what is left then is shown as it was typed
STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff }
pre { font-size: 14px; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; padding: .5em }
section { margin: 1em 0; overflow: hidden } .input { background: #f5f5f5; border: 1px solid #ccc }
.own { border-left: 4px solid #0072b2; padding-left: .7em } .error { background: #fdecea } img { max-width: 100% }
.formula { vertical-align: middle } table { border-collapse: collapse } td, th { border: 1px solid #ccc; padding: .2em }
""" + HtmlFormatter().get_style_defs("pre")
POLICY = (
    f"default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
)
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{head}
{cells}
</body>
</html>
"""


def feedback():
    """Write a page for each graded notebook; they show the hidden tests. What fails is said at the end."""
    if not (grading.GRADING / "autograded").exists():
        sys.exit(f"{grading.show(grading.GRADING)}: nothing is graded; `make grade SUBMITTED=FOLDER` comes first")
    releases, failed = grading.released(), []
    for student, record in grading.records().items():
        for name in sorted(record.keys() & releases.keys()):
            graded = grading.GRADING / "autograded" / student / grading.EXERCISES / f"{name}.ipynb"
            target = grading.GRADING / "feedback" / student / grading.EXERCISES / f"{name}.html"
            target.unlink(missing_ok=True)  # one of before, should this one fail
            try:
                if graded.is_file():
                    text = page(student, name, grading.as_graded(graded), releases[name], record[name])
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with notebooks.atomic_write(target) as beside:
                        beside.write_text(text, encoding="utf-8")
            except Exception as error:  # whatever a notebook may hold: the others get their pages
                failed.append(f"{student}, {name}: no page ({type(error).__name__}: {str(error)[:200]})")
    print(f"A folder and a zip of pages for each student: {grading.show(grading.GRADING / 'feedback')}")
    failed += packed()
    if failed:
        sys.exit("\n".join(marks.visible(line) for line in failed))


def packed():
    """Zip the pages, a student's and all those for Moodle; sentences on what could not be packed."""
    folder, target = grading.GRADING / "feedback", grading.GRADING / "feedback-moodle.zip"
    zips, failed = {target: {}}, []
    for student in grading.records():
        pages = {path.name: path for path in sorted((folder / student / grading.EXERCISES).glob("*.html"))}
        zips[folder / f"{student}.zip"] = pages
        if rosters.MOODLE.fullmatch(student):
            zips[target] |= {f"{student}/{name}": path for name, path in pages.items()}
    for path, pages in zips.items():
        try:
            pack(path, pages)
        except OSError as error:
            failed.append(f"{grading.show(path)}: no zip ({error.strerror})")
    if target.is_file():
        print(f"For Moodle: {grading.show(target)}, {target.stat().st_size / 1000:,.0f} kB")
    return failed


def pack(target, files):
    """A zip of {name in it: path}; none where there are no files."""
    if not files:
        target.unlink(missing_ok=True)
        return
    with notebooks.atomic_write(target) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files.items():
            archive.write(path, name)


def page(student, name, notebook, release, record):
    """One page: what became of each question, by the record, and below it the notebook as it was graded."""
    given = {grading.grade_id(cell) or cell.source for cell in release.cells if not is_answer(cell)}
    end = time.monotonic() + SECONDS
    cells = [section(cell, (grading.grade_id(cell) or cell.source) in given, end) for cell in notebook.cells]
    return PAGE.format(
        policy=POLICY,
        style=STYLE,
        title=escaped(f"{student}: {name}"),
        head=head(student, name, release, record),
        cells="\n".join(cells),
    )


def head(student, name, release, record):
    """The questions by their titles, with state, points and the words of their checks; and what was amiss."""
    text = "\n".join(cell.source for cell in release.cells if cell.cell_type == "markdown")
    titles = {f"q{number}": title.replace("`", "") for number, title in re.findall(r"(?m)^## (\d+)\. (.*)", text)}
    worth = marks.points_of(release)
    got = sum(points for points, _, _ in record["answers"].values())
    lines = [f"<h1>{escaped(name)}</h1>", f"<p>{escaped(student)}: {got:g} of {sum(worth.values()):g}</p>", "<ol>"]
    for question, most in worth.items():
        points, state, message = record["answers"].get(question, [0, "not graded", ""])
        line = f'<li><a href="#{question}-check">{escaped(titles.get(question, question))}</a>: {escaped(state)}'
        lines.append(f"{line}, {points:g} of {most:g}. {escaped(marks.short(message))}</li>")
    return "\n".join([*lines, "</ol>", *(f"<p>{escaped(note)}</p>" for note in record["notes"])])


def is_answer(cell):
    return cell.metadata.get("nbgrader", {}).get("solution", False)


def section(cell, given, end=math.inf):
    """A cell with its outputs; one that is the student's, and was not given, has a bar beside it.

    A long one, and what comes after the time `end`, has neither form nor colours.
    """
    kind, plain = "given" if given else "own", len(cell.source) > TEXT or time.monotonic() > end
    if cell.cell_type != "code":
        text = f"<pre>{escaped(cell.source)}</pre>" if plain else from_markdown(cell.source)
        return f'<section class="{kind}">{text}</section>'
    name = grading.grade_id(cell)
    anchor = f' id="{name}"' if re.fullmatch(r"[\w-]+", name) else ""
    code = escaped(cell.source)
    if not plain:
        code = highlight(marks.visible(cell.source, "\n\t"), PythonLexer(), HtmlFormatter(nowrap=True))
    outputs = "\n".join(map(shown, cell.outputs))
    return f'<section class="{kind}"{anchor}><pre class="input">{code}</pre>\n{outputs}</section>'


def shown(output):
    """An output as a picture or as text; what is neither, as the text that comes with it."""
    if output.output_type == "stream":
        return f"<pre>{escaped(output.text)}</pre>"
    if output.output_type == "error":
        text = "\n".join(output.traceback) or f"{output.ename}: {output.evalue}"
        return f'<pre class="error">{escaped(text)}</pre>'
    for kind in "image/png", "image/jpeg":
        if kind in output.data:
            return picture(output.data[kind])
    return f"<pre>{escaped(output.data.get('text/plain', '(an output that is neither text nor PNG nor JPEG)'))}</pre>"


def picture(text):
    """An <img> of a PNG or JPEG in base64; only a sentence where it is no such thing, or larger than any figure is."""
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG"]) as image:
            kind, pixels = image.format.lower(), image.width * image.height
    except Exception:  # whatever a damaged picture makes of its reader
        return "<p>(a picture that cannot be read)</p>"
    if pixels > PIXELS:
        return "<p>(a picture that is too large)</p>"
    return f'<img alt="figure" src="data:image/{kind};base64,{base64.b64encode(data).decode()}">'


def from_markdown(text):
    """Markdown as HTML without what could act: no HTML of its own, no links, no pictures."""
    try:
        made = mistune.create_markdown(escape=True, plugins=["math", "table", "strikethrough"])(
            marks.visible(text, "\n\t")
        )
        made = bleach.clean(made, tags=TAGS, attributes={"span": ["class"], "div": ["class"]}, strip=True)
    except Exception:  # as its depth can exhaust a parser: as it was typed, then
        return f"<pre>{escaped(text)}</pre>"
    return re.sub(r'<(?:span|div) class="math">(.*?)</(?:span|div)>', lambda found: formula(found[1]), made, flags=re.S)


def formula(text):
    """A formula drawn by matplotlib; as it was typed where it is not of the part of TeX that matplotlib knows."""
    typed = html.unescape(text).strip()
    tex = re.sub(r"\s+", " ", typed.removeprefix("\\(").removesuffix("\\)").strip("$ \n"))
    try:
        drawing = drawn(tex)
    except Exception:
        return f"<code>{html.escape(f'${tex}$')}</code>"
    return f'<img class="formula" alt="{html.escape(tex)}" src="data:image/svg+xml;base64,{drawing}">'


@functools.lru_cache(maxsize=1000)
def drawn(tex):
    if len(tex) > FORMULA:
        raise ValueError("longer than a formula")
    file = io.BytesIO()
    logging.getLogger("matplotlib.mathtext").setLevel(logging.ERROR)  # which names what it has no glyph for
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mathtext.math_to_image(f"${tex}$", file, format="svg")
    return base64.b64encode(file.getvalue()).decode()


def escaped(text):
    """A student's text for a page: without colours of a terminal, what can't be seen as an escape, HTML as text."""
    return html.escape(marks.visible(re.sub(r"\x1b\[[0-9;]*m", "", text), "\n\t"))


if __name__ == "__main__":
    feedback()
