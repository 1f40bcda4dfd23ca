"""Marks terms of docs/glossary.md where the book's pages use them: a Sphinx extension, registered in book/_config.yml.

The first use of a term in each section becomes a link to its entry; book/terms.js shows what it means beside it.
Chinese words are marked as Chinese, for screen readers and fonts.
"""

import json
import re
import unicodedata
from typing import NamedTuple

import notebooks
from docutils import nodes

PAGE = "docs/glossary"
# Everyday words, which are terms only in the chapter that introduces them ...
HERE_ONLY = {"cut", "efficiency", "filter", "flip", "flow", "head", "phase", "rank", "ring", "skip", "split", "weight"}
# ... and those that are terms from there on
FROM_HERE_ON = {"map", "score"}
PAGES = re.compile("index|(chapters/|docs/|data/|benchmarks/).*")  # not the code, the licence, the changelog
LISTS = "docs/index", "docs/references"  # of terms and of titles
HAN = re.compile("[\u2e80-\u9fff\uff00-\uffef]+")
# What isn't prose, or is somebody's own: a link, a title of a paper
SKIPPED = (nodes.title, nodes.reference, nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw)
SKIPPED += (nodes.emphasis, nodes.thead, nodes.Invisible)


class Entry(NamedTuple):
    """A row of the glossary; a name and those in brackets, in both languages."""

    names: list
    chinese: list
    meaning: str
    in_chinese: str
    chapter: str

    @property
    def key(self):
        """What its address ends in, such as term-a-trous."""
        plain = unicodedata.normalize("NFKD", self.names[0].replace("–", "-")).encode("ascii", "ignore").decode()
        return "term-" + re.sub("[^a-z0-9]+", "-", plain.lower()).strip("-")


def read(text):
    """The entries of a glossary's text, in its order."""
    rows = re.findall(r"(?m)^\|" + r" ([^|]+) \|" * 4 + r" \[(\d\d)\] \|$", text)
    return [Entry(split(term), split(chinese), *rest) for term, chinese, *rest in rows]


def split(cell):
    """The names in a cell such as "kernel (filter)", without the marks † and ‡; Sphinx makes ' a ’."""
    return re.split(r" \(|, ", re.sub("[†‡]", "", cell).rstrip(")").replace("’", "'"))


ENTRIES = read((notebooks.ROOT / f"{PAGE}.md").read_text(encoding="utf-8"))
NAMED = {name.lower(): entry for entry in ENTRIES for name in (*entry.names, *entry.chinese)}


def script(entries=ENTRIES):
    """A script that holds the entries: a page read from a folder may load that, and no JSON."""
    held = {
        entry.key: {
            "names": joined(entry.names),
            "chinese": joined(entry.chinese),
            "meaning": entry.meaning.replace("`", ""),
            "in_chinese": entry.in_chinese.replace("`", ""),
        }
        for entry in entries
    }
    return f"const GLOSSARY = {json.dumps(held, ensure_ascii=False, indent=0)};\n"


def joined(names):
    return names[0] + (f" ({', '.join(names[1:])})" if names[1:] else "")


def pattern(names):
    """What finds the names as whole words, longest first; with hyphens or blanks in them, and in the plural."""
    longest = sorted(names, key=len, reverse=True)
    latin = [
        r"[\s-]+".join(map(re.escape, re.split("[ -]", name))).replace("'", "['’]")
        for name in longest
        if not HAN.search(name)
    ]
    chinese = [re.escape(name) for name in longest if HAN.search(name)]
    return re.compile(rf"(?i)(?<![\w-])({'|'.join(latin)})(?:s|es)?(?![\w-])|({'|'.join(chinese)})")


TERMS = pattern(NAMED)


def find(text, chapter=None):
    """Terms in a text: (start, end, entry) each. chapter: "08" where the text is of chapter 08, else None."""
    for match in TERMS.finditer(text):
        name = re.sub(r"[\s-]+", " ", match[1] or match[2]).replace("’", "'").lower()
        entry = NAMED.get(name) or next(NAMED[n] for n in NAMED if n.replace("-", " ") == name)
        if name in HERE_ONLY and chapter != entry.chapter:
            continue
        if name in FROM_HERE_ON and (chapter or "") < entry.chapter:
            continue
        yield *match.span(), entry


def setup(app):
    app.connect("doctree-resolved", resolved)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def resolved(app, tree, page):
    """Mark a page's terms and its Chinese."""
    if app.builder.format != "html":
        return
    if app.builder.name == "html":
        if page == PAGE:
            address(tree)
        if PAGES.fullmatch(page) and page not in LISTS:
            chapter = re.match(r"chapters/(?:exercises/)?(\d\d)_", page)
            mark(tree, app.builder.get_relative_uri(page, PAGE), chapter and chapter[1])
    for text in list(tree.findall(nodes.Text)):
        if HAN.search(text) and not isinstance(text.parent, (nodes.literal_block, nodes.raw, nodes.title)):
            text.parent.replace(text, in_chinese(text))


def address(tree):
    """Give the glossary's entries their addresses, and lead each Chinese word to its entry."""
    for row in tree.findall(nodes.row):
        entry = NAMED.get(split(row[0].astext())[0].lower())
        if entry and HAN.search(row[0].astext()):
            link = next(iter(row.findall(nodes.reference)))
            link["refuri"] = f"#{entry.key}"
            link.attributes.pop("refid", None)
            link["classes"].append("term")
        elif entry:
            row["ids"].append(entry.key)


def mark(node, glossary, chapter, seen=None, depth=0):
    """Make each section's first use of a term a link. Sections below those of the second level belong to these."""
    for child in list(node.children):
        if isinstance(child, nodes.section):
            mark(child, glossary, chapter, set() if depth < 2 else seen, depth + 1)
        elif isinstance(child, nodes.Text):
            node.replace(child, linked(child, glossary, chapter, seen))
        elif not isinstance(child, SKIPPED) and not (glossary == "" and isinstance(child, nodes.table)):
            mark(child, glossary, chapter, seen, depth)


def linked(text, glossary, chapter, seen):
    """A text as nodes, in which terms are links, but for those already seen."""
    parts, done = [], 0
    for start, end, entry in find(text, chapter):
        if entry.key not in seen:
            seen.add(entry.key)
            link = nodes.reference("", text[start:end], refuri=f"{glossary}#{entry.key}", internal=True)
            link["classes"].append("term")
            parts += [nodes.Text(text[done:start]), link]
            done = end
    return [*parts, nodes.Text(text[done:])]


def in_chinese(text):
    """A text as nodes, in which what is Chinese says so."""
    parts, done = [], 0
    for match in HAN.finditer(text):
        parts += [nodes.Text(text[done : match.start()]), nodes.inline("", match[0], classes=["language-zh"])]
        done = match.end()
    return [*parts, nodes.Text(text[done:])]
