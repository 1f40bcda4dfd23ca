"""Packs the pages that Sphinx's EPUB builder wrote as an e-book: `make book FORMAT=epub`.

E-book readers are stricter than browsers, and run nothing. So formulas become MathML, tabs stand one below the other,
answers are open, and what EPUB forbids goes.
"""

import base64
import datetime
import html
import importlib.metadata
import mimetypes
import os
import re
import urllib.parse
import uuid
import zipfile

import latex2mathml.converter
import notebooks
import printing
from bs4 import BeautifulSoup
from pygments.formatters import HtmlFormatter

UNPACKED = f"{printing.UNPRINTED}, style, nav, input, iframe, object"
ALIGNED = re.compile(r"\\begin\{split\}\s*(.*)\\end\{split\}", re.S)
CONTAINER = """<?xml version="1.0" encoding="utf-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="book/package.opf" media-type="application/oebps-package+xml"/></rootfiles></container>
"""
PAGE = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="en" xml:lang="en">
<head><title>{title}</title><link rel="stylesheet" type="text/css" href="{up}epub.css"/></head>
<body>{body}</body></html>
"""
PACKAGE = """<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" xml:lang="en" unique-identifier="id">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">urn:uuid:{identifier}</dc:identifier>
<dc:title>{title}</dc:title><dc:language>en</dc:language>
<dc:rights>Apache-2.0</dc:rights>
<dc:description>A hands-on course. Version {version}.</dc:description>
<meta property="dcterms:modified">{time:%Y-%m-%dT%H:%M:%SZ}</meta>
<meta property="schema:accessMode">textual</meta><meta property="schema:accessMode">visual</meta>
<meta property="schema:accessibilityFeature">alternativeText</meta>
<meta property="schema:accessibilityFeature">MathML</meta>
<meta property="schema:accessibilityFeature">tableOfContents</meta>
<meta property="schema:accessibilityHazard">none</meta>
</metadata>
<manifest>
{manifest}
</manifest>
<spine>
{spine}
</spine>
</package>
"""


def mathml(latex, display):
    """A formula as MathML, from LaTeX with or without its delimiters. display: it stands in a line of its own."""
    text = re.sub(r"^\s*\\[\[(]|\\[\])]\s*$", "", latex.strip())
    text = ALIGNED.sub(r"\1", text)  # Sphinx puts it around formulas of several lines
    text = re.sub(r"\\\\\[[^\]]*\]", r"\\\\", text)  # room between lines
    text = text.replace("{aligned}", "{align*}")  # the name that latex2mathml knows
    made = latex2mathml.converter.convert(text.strip(), display="block" if display else "inline")
    found = BeautifulSoup(made, "html.parser").math
    unknown = [part.get_text() for part in found.find_all(["mi", "mo", "mtext"]) if set("\\&") & set(part.get_text())]
    if unknown:
        raise ValueError(f"latex2mathml does not know {', '.join(unknown)} in the formula {latex.strip()!r}")
    found["alttext"] = text.strip()
    return found


def article(folder, page, ids):
    """What a page says, as EPUB has it. ids: {page: its anchors}; a link that leads elsewhere becomes text."""
    tree = read(folder, page)
    for element in tree.select(UNPACKED):
        element.decompose()
    printing.open_answers(tree)
    for element in tree.select(".sd-tab-set > label"):
        element.name, element.attrs = "p", {"class": "tab"}
    for element in tree.select(".math"):
        try:
            formula = mathml(element.get_text(), element.name == "div")
        except ValueError as error:
            raise ValueError(f"{page}: {error}; write it otherwise") from None
        element.clear()
        element.append(formula)
    for link in tree.select("a[href]"):
        url = urllib.parse.urlsplit(link["href"])
        if url.scheme:
            continue
        path = os.path.normpath(os.path.join(os.path.dirname(page), urllib.parse.unquote(url.path)))
        path = path.removesuffix(".xhtml") if url.path else page
        if path not in ids:
            link.unwrap()
        elif url.fragment and urllib.parse.unquote(url.fragment) not in ids[path]:
            link["href"] = url._replace(fragment="").geturl()
    seen = set()
    for element in tree.select("[id]"):
        if element["id"] in seen:
            del element["id"]
        seen.add(element.get("id"))
    for element in tree.find_all(True):
        for name in [name for name in element.attrs if name.startswith(("data-", "on")) or name == "align"]:
            del element[name]
    return tree


def read(folder, page):
    """What the builder wrote of a page, without what is around it."""
    text = (folder / f"{page}.xhtml").read_text(encoding="utf-8")
    return BeautifulSoup(text, "html.parser").select_one("div.body > section").extract()


def cover(version):
    return (
        f'<section class="cover"><h1>{printing.TITLE}</h1><p><img src="cover.png" alt="Two drawn pictures: what a '
        f'trained net says of them, the truth, and where the two differ"/></p><p>Version {version}</p></section>'
    )


def navigation(pages, titles):
    """The contents: parts, pages, and below a page its own."""
    rows, part = [], ""
    for page in pages:
        if page.part != part:
            rows, part = [*rows, (0, f"<span>{html.escape(page.part)}</span>")], page.part
        link = f'<a href="{page.path}.xhtml">{html.escape(titles[page.path])}</a>'
        rows.append((page.depth + bool(part), link))  # the front page stands above all parts
    return f'<nav epub:type="toc" id="toc"><h1>Contents</h1>{nested(rows)}</nav>'


def nested(rows, depth=0):
    """Takes rows, (depth, what stands there), from the front of a list, and makes a list of lists of them."""
    items = ""
    while rows and rows[0][0] == depth:
        items += f"<li>{rows.pop(0)[1]}{nested(rows, depth + 1)}</li>"
    return f"<ol>{items}</ol>" if items else ""


def make(folder, toc):
    """Pack what the builder wrote to `folder`, and return the path of the e-book. toc: as book.contents() has it."""
    pages = printing.order(toc)
    raw = {page.path: read(folder, page.path) for page in pages}
    titles = {path: tree.h1.get_text().removesuffix("¶").strip() for path, tree in raw.items()}
    ids = {path: {tree.get("id"), *(element["id"] for element in tree.select("[id]"))} for path, tree in raw.items()}
    version = importlib.metadata.version("segmentation-course")
    style = (notebooks.ROOT / "book" / "epub.css").read_text(encoding="utf-8")
    style += HtmlFormatter(style="default").get_style_defs(".highlight")
    picture = (notebooks.ROOT / "docs" / "result.png").read_bytes()
    files = {"epub.css": style.encode(), "cover.png": picture}
    files["cover.xhtml"] = PAGE.format(title=printing.TITLE, up="", body=cover(version)).encode()
    files["contents.xhtml"] = PAGE.format(title="Contents", up="", body=navigation(pages, titles)).encode()
    properties = {"cover.png": "cover-image", "contents.xhtml": "nav"}
    for path in titles:
        tree, name = article(folder, path, ids), f"{path}.xhtml"
        for image in tree.select('img[src^="data:image/"]'):  # not all readers show pictures within a page
            kind, _, content = image["src"].removeprefix("data:image/").partition(";base64,")
            shown = f"_images/within{len(files)}.{kind}"
            files[shown] = base64.b64decode(content)
            image["src"] = "../" * path.count("/") + shown
        text = PAGE.format(title=html.escape(titles[path]), up="../" * path.count("/"), body=tree)
        files[name] = text.encode()
        if tree.math:
            properties[name] = "mathml"
        for image in tree.select("img[src]"):
            shown = os.path.normpath(os.path.join(os.path.dirname(path), urllib.parse.unquote(image["src"])))
            if shown not in files:
                files[shown] = (folder / shown).read_bytes()
    names = {name: f"f{number}" for number, name in enumerate(files)}
    manifest = [item(name, number, properties.get(name)) for name, number in names.items()]
    order = ["cover.xhtml", "contents.xhtml", *(f"{page.path}.xhtml" for page in pages)]
    files["package.opf"] = PACKAGE.format(
        identifier=uuid.uuid5(uuid.NAMESPACE_URL, f"{printing.TITLE} {version}"),
        title=printing.TITLE,
        version=version,
        time=datetime.datetime.now(datetime.timezone.utc),
        manifest="\n".join(manifest),
        spine="\n".join(f'<itemref idref="{names[name]}"/>' for name in order),
    ).encode()
    target = notebooks.BUILD / "segmentation.epub"
    write(target, files)
    return target


def item(name, number, properties):
    kind = "application/xhtml+xml" if name.endswith(".xhtml") else mimetypes.guess_type(name)[0]
    more = f' properties="{properties}"' if properties else ""
    return f'<item id="{number}" href="{urllib.parse.quote(name)}" media-type="{kind}"{more}/>'


def write(target, files):
    """Write an EPUB whole or not at all. Its type comes first and isn't compressed, as the format wants it."""
    with notebooks.atomic_write(target) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        archive.writestr("META-INF/container.xml", CONTAINER)
        for name, content in files.items():
            archive.writestr(f"book/{name}", content)
