"""docs/index.md: every term and every name of `utils` once, in order, with the chapter that introduces it."""

from utils.__main__ import COMMANDS

import ast
import functools
import re
import unicodedata

import nbformat
import pytest
from conftest import ROOT

PAGE = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
CHAPTERS = {path.name[:2]: path for path in sorted((ROOT / "chapters").glob("[0-9][0-9]_*.ipynb"))}

# Words that an earlier chapter may use without a pointer: {term: reason}.
COMMON = {
    "à trous": "atrous convolution is a part to come in the map of chapter 00",
    "cell": "a notebook has cells",
    "convolution": "known before the course, as chapter 00 asks",
    "cut": "a verb too",
    "head": "a chapter has one too",
    "padding": "02 pads pictures, and says with what",
    "pyramid pooling": "a part of the name ASPP in 13",
    "ring": "round things are rings too",
    "score": "also what a metric says of a whole net",
    "skip": "a verb too",
    "weak label": "weak labels are a chapter in the map of chapter 00",
}


def _table(heading):
    """Rows of the table below a heading, each a list of its cells."""
    part = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


TERMS = _table("Terms")
NAMES = {re.match(r"\[`(\w+)`\]", row[0]).group(1): row for row in _table("What `utils` exports")}


@functools.cache
def _source(path, kind):
    return "\n".join(cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == kind)


def _prose(number):
    """A chapter's lines of text, without blocks of code and the targets of links."""
    text = re.sub(r"(?ms)^```.*?^```", "", _source(CHAPTERS[number], "markdown"))
    return re.sub(r"\]\([^)]*\)", "]", text).splitlines()


PROSE = {number: _prose(number) for number in CHAPTERS}


def _names_after(label, number):
    """Names of `utils` in the first clause behind a label such as "New from `utils`:", a line of the summary."""
    lines = [line for line in PROSE[number] if line.startswith("New from `utils`: ")]
    assert len(lines) == 1, f"chapter {number}: {len(lines)} lines begin with 'New from `utils`: '; expected one"
    clauses = [re.split(r"[.;](?: |$)", part)[0] for part in lines[0].split(f"{label}: ")[1:]]
    return re.findall(r"`(\w+)`", "".join(clauses))


NEW = {number: _names_after("New from `utils`", number) for number in CHAPTERS}
EXPLAINED = {number: _names_after("Explained here", number) for number in CHAPTERS}


def _spellings(term):
    """The words of a row's first cell: the term itself, then what stands in brackets."""
    word, _, others = term.partition(" (")
    return [word, *others.rstrip(")").split(", ")] if others else [word]


def _said(spellings, line):
    """Whether one of them stands in a line, in the plural too, and with hyphens or blanks between its words."""
    joined = [r"[\s,-]+".join(map(re.escape, re.split("[ -]", word))) for word in spellings]
    return re.search(rf"(?i)(?<![\w-])(?:{'|'.join(joined)})(?:s|es)?(?![\w-])", line.replace("*", ""))


def _sent_to(line):
    """Numbers of the chapters that a line names: "chapter 05", "(04, 05)", "05 bilinear kernel"."""
    return set(re.findall(r"(?<![\d.,])0\d\b(?!\.\d)|(?<=hapter )1\d\b|(?<=and )1\d\b|(?<=, )1\d\b", line))


def _explained(spellings, number):
    """Whether a chapter has a term in bold, or in a sentence such that neither it nor the next sends the reader on."""
    for line in PROSE[number]:
        sentences = re.split(r"(?<=[.:;]) ", line)
        for sentence, following in zip(sentences, [*sentences[1:], ""], strict=True):
            if _said(spellings, sentence) and max(_sent_to(sentence + following), default=number) <= number:
                return True
        if any(_said(spellings, bold) for bold in re.findall(r"\*\*(.+?)\*\*", line)):
            return True
    return False


def _first_use(spellings, number):
    """The first line of a chapter that has a term, code and lists of literature and exercises aside."""
    lines = [line for line in PROSE[number] if not line.startswith(("**Exercises:**", "**Further reading:**"))]
    return next((line for line in lines if _said(spellings, re.sub("`[^`]*`", "", line))), None)


def _in_order(keys):
    return list(keys) == sorted(keys)


def _door():
    """{name: module} that `utils/__init__.py` exports; what it gives a name with an underscore isn't exported."""
    tree = ast.parse((ROOT / "utils" / "__init__.py").read_text(encoding="utf-8"))
    lines = [(node.module, alias) for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    return {alias.name: module for module, alias in lines if not (alias.asname or alias.name).startswith("_")}


def test_every_exported_name_stands_there_once_in_order_with_its_file():
    rows = _table("What `utils` exports")
    assert sorted(NAMES) == sorted(_door()) and len(rows) == len(NAMES)
    assert _in_order([name.lower() for name in NAMES])
    for name, module in _door().items():
        assert NAMES[name][0] == f"[`{name}`](../utils/{module.replace('.', '/')}.py)"


def test_every_name_is_new_in_one_chapter():
    new = [name for names in NEW.values() for name in names]
    assert sorted(new) == sorted(_door())
    explained = [name for names in EXPLAINED.values() for name in names]
    assert len(explained) == len(set(explained))


def test_the_chapter_of_a_name_is_the_one_that_calls_it_new():
    for number, names in NEW.items():
        for name in names:
            later = [other for other, explained in EXPLAINED.items() if name in explained]
            assert all(other > number for other in later), name
            assert NAMES[name][2] == ", explained in ".join(f"[{n}]" for n in [number, *later]), name


def test_no_name_is_used_before_its_chapter():
    """In a chapter's code or its exercises'; and what a chapter calls new is in it, not in its list alone."""
    for number, path in CHAPTERS.items():
        exercises = path.parent / "exercises" / f"{path.stem}_exercises.ipynb"
        code = _source(path, "code") + "\n" + _source(exercises, "code")
        used = set(re.findall(r"(?<![\w.])utils\.(\w+)", code)) & set(_door())
        known = {name for other, names in NEW.items() if other <= number for name in names}
        assert used <= known, (number, used - known)
        shown = set(re.findall(r"\butils\.(\w+)", code + "\n".join(PROSE[number])))
        assert set(NEW[number] + EXPLAINED[number]) <= shown, (number, set(NEW[number]) - shown)


def test_commands():
    assert {*re.findall(r"`python -m utils (\w+)", PAGE)} == set(COMMANDS)


def test_terms_are_in_order_and_each_chapter_has_some():
    plain = [unicodedata.normalize("NFKD", row[0]).encode("ascii", "ignore").decode().lower() for row in TERMS]
    assert _in_order([re.sub(r"[^a-z0-9]+", " ", term.partition(" (")[0]) for term in plain])
    words = [_spellings(row[0])[0] for row in TERMS]
    assert len(set(words)) == len(words)
    assert {row[2] for row in TERMS} == {f"[{number}]" for number in CHAPTERS}
    for _, meaning, _ in TERMS:
        assert meaning.startswith("→ ") or (meaning.endswith(".") and meaning.count(". ") == 0), meaning


def test_a_reference_leads_to_a_term_that_has_the_word_too():
    by_word = {_spellings(row[0])[0]: row for row in TERMS}
    for term, meaning, chapter in TERMS:
        if meaning.startswith("→ "):
            target = by_word[meaning[2:]]
            assert term in _spellings(target[0]) and target[2] == chapter and not target[1].startswith("→ ")


@pytest.mark.parametrize("term, chapter", [(row[0], row[2].strip("[]")) for row in TERMS if row[1][0] != "→"])
def test_a_term_is_explained_in_its_chapter_and_an_earlier_one_names_it_at_the_first_use(term, chapter):
    assert _explained(_spellings(term), chapter)
    firsts = {number: _first_use(_spellings(term), number) for number in CHAPTERS if number < chapter}
    early = {number: line for number, line in firsts.items() if line and chapter not in _sent_to(line)}
    assert bool(early) == (_spellings(term)[0] in COMMON), early


def test_links_lead_somewhere():
    targets = dict(re.findall(r"(?m)^\[(\d\d)\]: (\S+)$", PAGE))
    assert targets == {number: f"../chapters/{path.name}" for number, path in CHAPTERS.items()}
    assert set(re.findall(r"\[(\d\d)\](?!:)", PAGE)) <= set(targets)
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


def test_readme_and_chapter_00_lead_here():
    assert "](docs/index.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "](../docs/index.md)" in _source(CHAPTERS["00"], "markdown")
