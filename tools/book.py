"""Makes the book, build/book/index.html: `make book` of notebooks as they are, `make course` of what it executes first.
FORMAT=pdf prints it (printing.py), FORMAT=epub makes an e-book of it (ebook.py).

book/ holds its order, settings and style. The README is its first page. The others are chapters, exercises without
solutions, docs/, the changelog, the READMEs of data/ and benchmarks/, and the code of `utils`, name by name. A link
that leads nowhere is an error.
"""

import argparse
import ast
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import ebook
import glossary
import headless
import nbformat
import notebooks
import printing
import yaml

sys.path.append(str(notebooks.ROOT / "utils" / "cli"))  # not `utils`: that imports MXNet
import options

PAGES = [
    "LICENSE",
    "NOTICE",
    "CHANGELOG.md",
    "docs/*.*",
    "docs/cluster/*",
    "data/README.md",
    "benchmarks/README.md",
    "benchmarks/*.png",
    "chapters/[0-9]*.ipynb",
]
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def build(executed=(), parameters=None, builder="html"):
    """Make the book and return the path of its first page, or with the builder "epub" of the e-book.

    executed: a notebooks.Executed for each notebook that stands in the place of the committed one, by these parameters.
    Warnings are no errors then: a chapter that failed has its page too.
    """
    print("Making the book, about half a minute ...", flush=True)
    part, book = notebooks.BUILD / "book.part", notebooks.BUILD / "book"
    shutil.rmtree(part, ignore_errors=True)
    source, pages = part / "source", part / "_build" / builder
    gather(source, executed, parameters)
    path = f"import sys; sys.path.append({str(pathlib.Path(__file__).parent)!r})"  # for the extension, glossary.py
    command = [sys.executable, "-c", f"{path}; from jupyter_book.cli.main import main; main()"]
    command += ["build", str(source), "-q"]
    command += ["--path-output", str(part), *([] if executed or builder == "epub" else ["-W", "--keep-going"])]
    command += ["--builder", "custom", "--custom-builder", "epub"] if builder == "epub" else []
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"})
    if done.returncode or not list(pages.glob("index.*html")):
        sys.exit(f"The book could not be made; what it was made of is in {source}\n{done.stdout}{done.stderr}")
    if builder == "epub":
        try:
            made = ebook.make(pages, contents())
        except ValueError as error:
            sys.exit(str(error))
        shutil.rmtree(part)
        return made
    shutil.copytree(part / "originals", pages / "_sources", dirs_exist_ok=True)  # for the download buttons
    shutil.rmtree(book, ignore_errors=True)
    pages.rename(book)
    shutil.rmtree(part)
    return book / "index.html"


def gather(source, executed, parameters):
    """Write all that jupyter-book reads into a folder that is laid out as the course is."""
    chapters = source / "chapters"
    for path in (path for pattern in PAGES for path in notebooks.ROOT.glob(pattern)):
        copy(path, source / path.relative_to(notebooks.ROOT))
    for chapter in executed:
        copy(notebooks.BUILD / "chapters" / chapter.name, chapters / chapter.name)
    (chapters / "exercises").mkdir()
    for path in (notebooks.CHAPTERS / "exercises").glob("*.ipynb"):
        nbformat.write(notebooks.without_solutions(nbformat.read(path, 4)), chapters / "exercises" / path.name)
    shutil.copytree(chapters, source.parent / "originals" / "chapters")
    for path in (notebooks.ROOT / "book").iterdir():
        copy(path, source / ("static" if path.suffix in (".css", ".js", ".svg") else "") / path.name)
    mathjax = pathlib.Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent
    copy(mathjax / "static" / "mathjax" / "tex-svg.js", source / "static" / "tex-svg.js")
    write(source / "static" / "glossary.js", glossary.script())
    first = (notebooks.ROOT / "README.md").read_text(encoding="utf-8")
    write_code(source / "utils")
    toc = contents()
    if executed:
        write(source / "this_run.md", this_run(executed, parameters))
        toc["parts"].insert(0, {"caption": "Executed here", "chapters": [{"file": "this_run"}]})
        first += "\n**Executed here:** times and results of [this run](this_run.md).\n"
    write(source / "_toc.yml", yaml.safe_dump(toc, allow_unicode=True, sort_keys=False))
    write(source / "index.md", f"{first}\n{(source / 'index.md').read_text(encoding='utf-8')}")
    for path in source.glob("docs/*.md"):
        if path.stem in ("index", "glossary"):
            write(path, with_entries(path.read_text(encoding="utf-8")))
    for path in source.rglob("*.md"):
        write(path, tabbed(relink(path.read_text(encoding="utf-8"))))
    for path in chapters.rglob("*.ipynb"):
        notebook = nbformat.read(path, 4)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = relink(with_sections(cell.source) if notebooks.is_quiz(cell) else cell.source)
        if path.parent == chapters:
            how = f"- **To run it:** `make lab`, then `chapters/{path.name}`\n"
            notebook.cells[0].source = notebook.cells[0].source.replace("- **Data:**", f"{how}- **Data:**")
            notebook.cells[-1].source = notebook.cells[-1].source.split("\n\n**Next:**")[0]  # the book has its own
        nbformat.write(notebook, path)


def contents():
    """The order of the pages, by part: book/_toc.yml, with the modules of `utils` below their index."""
    toc = yaml.safe_load((notebooks.ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))
    for page in (page for part in toc["parts"] for page in part["chapters"] if page["file"] == "utils/index"):
        page["sections"] = [{"file": f"utils/{path.with_suffix('')}"} for path in modules()]
    return toc


def copy(path, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def relink(text):
    """A text with links as the book needs them: to a name's code, to the front page."""
    text = re.sub(r"\[`(\w+)`\]\((?:\.\./)*utils/[\w/]+\.py\)", r"[`\1`](#utils.\1)", text)
    text = text.replace("README.md#the-chapters", "index.md#the-chapters")
    text = re.sub(r"\(((?:\.\./)+)README\.md#", r"(\1index.md#", text)
    text = re.sub(r"\[yours\]\(\S+\) \(.*?\), \[solved\]\(", "[](", text)
    text = re.sub(r"\[[\w./]+\.(?:md|ipynb)\]\(", "[](", text)  # named by its file: the book has the page's title
    text = re.sub(r"(\d) s \|", "\\1\u00a0s |", text)
    # "New from `utils`: `seed`, and `train`, which chapter 08 explains." Names, up to the first that is none
    listed = re.compile(r"(?:New from `utils`|Explained here): (?:(?:and )?`\w+`(?:, )?)+")
    return listed.sub(lambda names: re.sub(r"(?<=[:,d] )`(\w+)`", r"[`\1`](#utils.\1)", names.group()), text)


def with_sections(text):
    """Answers of a quiz, in which "See *By hand*." and "See *Void* in chapter 03." are links."""

    def link(found):
        heading, number = found.groups()
        page = notebooks.find(number)[0].name if number else ""
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        return f"See [{heading}]({page}#{anchor})" + (f" in chapter {number}" if number else "")

    return notebooks.SECTION.sub(link, text)


def with_entries(text):
    """A page whose tables explain terms, with an entry for each, which the search finds before all else."""

    def entries(row):
        return "| " + re.sub(r"[^(),`\s][^(),`]*[^(),`\s]", r"{index}`\g<0> <!\g<0>>`", row[1]) + " |"

    return re.sub(r"(?m)^\| (?!(?:term|name|Chinese) \||-|\[)([^|]+) \|", entries, text)


def tabbed(text):
    """A text in which a block for MXNet and the same for PyTorch, each below its name, are two tabs.

    What a reader chooses holds for all of them, and stays (sphinx-design's `sync`, book.js).
    """
    each = "".join(rf"\*\*({name})\*\*\n\n(```python\n.*?```\n)\n?" for name in ("MXNet", "PyTorch"))
    item = "````{{tab-item}} {}\n:sync: {}\n\n{}````\n"

    def tabs(found):
        items = (
            item.format(name, name.lower(), block) for name, block in zip(*[iter(found.groups())] * 2, strict=True)
        )
        return "`````{tab-set}\n:sync-group: library\n\n" + "".join(items) + "`````\n\n"

    return re.sub(each, tabs, text, flags=re.DOTALL)


ROOMS = "core", "fetch", "data", "", "postprocess", "models", "engine", "viz", "datacheck", "cli"


def modules():
    """Paths of the modules within `utils`, room by room: each may import only from rooms before its own."""
    utils = notebooks.ROOT / "utils"
    paths = [path.relative_to(utils) for path in sorted(utils.rglob("*.py")) if not path.stem.startswith("__")]
    return sorted(paths, key=lambda path: ROOMS.index(path.parts[0] if len(path.parts) > 1 else ""))


def write_code(folder):
    """A page for each module of `utils`, with a heading for each public name; and the list of modules, by room."""
    utils = notebooks.ROOT / "utils"
    imports = ast.walk(ast.parse((utils / "__init__.py").read_text(encoding="utf-8")))
    door = {name.asname or name.name for node in imports if isinstance(node, ast.ImportFrom) for name in node.names}
    listed = "| module | what |\n|---|---|\n"
    for path in modules():
        text = (utils / path).read_text(encoding="utf-8")
        tree, lines = ast.parse(text), text.splitlines()
        page, start = f"# `utils/{path}`\n", 0
        for before, node in zip(tree.body, tree.body[1:], strict=False):
            if names := defined(node):
                page += block(lines[start : before.end_lineno])
                page += "".join(f"(utils.{name})=\n" for name in names if name in door)
                page += f"## {', '.join(f'`{name}`' for name in names)}\n"
                start = before.end_lineno
        write(folder / path.with_suffix(".md"), page + block(lines[start:]))
        listed += f"| [`{path}`]({path.with_suffix('.md')}) | {ast.get_docstring(tree).splitlines()[0]} |\n"
    intro = (notebooks.ROOT / "book" / "utils.md").read_text(encoding="utf-8")
    write(folder / "index.md", f"{intro}\n{listed}")


def defined(node):
    """The public names that a statement at the top of a module defines."""
    parts = [part for target in getattr(node, "targets", []) for part in ast.walk(target)]
    stored = [part.id for part in parts if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)]
    return [name for name in [getattr(node, "name", "_"), *stored] if not name.startswith("_")]


def block(lines):
    """Lines of Python as a block of a page."""
    text = "\n".join(lines).strip("\n")
    return f"````python\n{text}\n````\n\n" if text else ""


def this_run(executed, parameters):
    """The page of what was executed here: settings, times beside those the course came with, results, failures."""
    settings = ", ".join(f"{key} = {value}" for key, value in parameters.items()) or "the shipped data, voc_mini"
    page = (
        f"# Times and results of this run\n\nExecuted with {settings}. Chapters that are not in the table are in this "
    )
    page += "book as they came with the course. The last column is what they took there, with the shipped data.\n\n"
    page += "| chapter | when | | time | as it came |\n|---|---|---|---|---|\n"
    details = ""
    for name, title, seconds, error, result, when in executed:
        original, how = notebooks.CHAPTERS / name, "**failed**" if error else "executed"
        times = f"{seconds:.0f} s | {notebooks.measured(original)} s"
        page += f"| [{title}](chapters/{name}) | {when} | {how} | {times} |\n"
        if error or result:
            details += f"\n## {title}\n\n{text_block(error or result)}"
        if result and not error and not parameters:
            came = notebooks.results(nbformat.read(original, 4))
            same = "The same as the course came with.\n"
            details += same if came == result else f"As it came:\n\n{text_block(came)}"
    together = sum(chapter.seconds for chapter in executed)
    return f"{page}| together | | | {together:.0f} s | |\n{details}"


def text_block(text):
    return f"````text\n{ANSI.sub('', text).rstrip()}\n````\n\n"


def publish(executed, parameters):
    """Say how it went and make the book, with what was executed before, too. True if no chapter failed."""
    failed = [chapter.title for chapter in executed if chapter.error]
    seconds = sum(chapter.seconds for chapter in executed)
    print(f"\n{len(executed) - len(failed)} of {len(executed)} chapters executed in {seconds:.0f} s.")
    if failed:
        print(f"Failed: {'; '.join(failed)}")
    print(f"Read it in a browser: open {os.path.relpath(build(notebooks.earlier(parameters), parameters))}")
    return not failed


def course(args):
    """Execute chapters and make the book of them: `make course`. True if no chapter failed."""
    dataset = args.dataset
    if dataset and os.path.isdir(dataset):
        dataset = os.path.realpath(dataset)  # chapters run in their own folder
    if dataset:
        notebooks.bring(dataset)
    crop = args.crop and list(args.crop)
    given = {"dataset": dataset, "crop_size": crop, "scale": args.scale, "num_epochs": args.epochs}
    parameters = {key: value for key, value in given.items() if value is not None}
    return publish(notebooks.run(args.chapter, parameters), parameters)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--execute", action="store_true", help="execute the chapters first; the options below say how")
    parser.add_argument("--format", choices=["html", "pdf", "epub"], default="html", help="of the book")
    parser.add_argument("--chapter", metavar="NN", help="only this one, executed or printed")
    parser.add_argument("--dataset", help="voc_mini, voc2012, camvid or a folder in VOC layout")
    parser.add_argument("--crop", type=options.size, metavar="HxW", help="training crops, best in multiples of 32")
    parser.add_argument("--scale", type=options.scale, help="reduce pictures by this first, such as 0.5")
    parser.add_argument("--epochs", type=options.count, help="epochs of training")
    args = parser.parse_args()
    if args.execute:
        sys.exit(0 if course(args) else 1)
    if args.chapter and args.format != "pdf":
        sys.exit(f"CHAPTER={args.chapter} is for print: make book FORMAT=pdf CHAPTER={args.chapter}")
    try:
        make(args)
    except OSError as error:
        why = f"{error.filename or notebooks.BUILD}: {error.strerror or error}"
        sys.exit(f"{why}. Make room, or make the book in a copy of the course of your own")


def make(args):
    """Make the book in one format, and say where it is."""
    start = time.time()
    if args.format == "html":
        path = build()
        return print(f"Made in {time.time() - start:.0f} s. Read it in a browser: open {os.path.relpath(path)}")
    path = build(builder="epub") if args.format == "epub" else pdf(args.chapter)
    size = path.stat().st_size / 1e6
    print(f"Made in {time.time() - start:.0f} s: {os.path.relpath(path)}, {size:.1f} MB")


def pdf(chapter):
    """Print the book, or one chapter of it, and return the path of the PDF. What is missing is said before the work."""
    if chapter:
        printing.only(printing.order(contents()), chapter)
    try:
        headless.find()
        hint = printing.missing_fonts()
        if hint and not chapter:  # the glossary alone has Chinese
            print(hint)
        folder = build().parent
        print("Printing it, a minute or two ..." if not chapter else "Printing the chapter ...", flush=True)
        return printing.make(folder, contents(), chapter)
    except headless.NoChromiumError as missing:
        sys.exit(f"The book is printed by Chromium. {missing}")


if __name__ == "__main__":
    main()
