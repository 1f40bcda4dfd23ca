"""tools/glossary.py: which words of a page become links to the glossary, and what the box beside them says."""

import json

import glossary
import pytest
import test_glossary as page
from docutils import core, nodes

FOUND = [
    ("A backbone makes maps of features.", "08", "backbone map feature"),
    ("Backbones, IoUs, losses, kernels", None, "backbone iou loss kernel"),
    ("a dilated\nconvolution and a transposed convolution", None, "a-trous transposed-convolution"),
    ("mini-batch, max pooling, encoder–decoder, Potts' model", None, "batch pooling encoder-decoder potts-model"),
    ("Potts’ model, as Sphinx writes it", None, "potts-model"),
    ("mean IoU is no IoU; a class weight is no weight", None, "mean-iou iou class-weight"),
    ("subgradient, relabelled, kernel_size, pre-batch", None, ""),
    ("A skip of zeros; skip this, cut that, score all", "08", "score"),
    ("A skip of zeros; skip this, cut that, score all", "09", "skip skip score"),
    ("A skip of zeros; skip this, cut that, score all", None, ""),
    ("转置卷积 is 反卷积, 步幅 is 步长; 卷积核", None, "transposed-convolution " * 2 + "stride stride kernel"),
]


@pytest.mark.parametrize("text, chapter, expected", FOUND)
def test_terms_are_found_as_whole_words_longest_first(text, chapter, expected):
    assert [f"term-{key}" for key in expected.split()] == [e.key for *_, e in glossary.find(text, chapter)]


def test_entries_are_the_rows_of_the_glossary_and_each_has_an_address():
    assert len(page.TERMS) == len({entry.key for entry in glossary.ENTRIES})
    for (_, term, chinese, *meanings, chapter), entry in zip(page.TERMS, glossary.ENTRIES, strict=True):
        assert (entry.names, entry.chinese) == (page._names(term), page._names(chinese))
        assert ([entry.meaning, entry.in_chinese], f"[{entry.chapter}]") == (meanings, chapter)
    names = [name.lower() for entry in glossary.ENTRIES for name in entry.names + entry.chinese]
    assert sorted(names) == sorted(glossary.NAMED)  # none leads to two entries


def test_the_script_holds_each_entry():
    held = json.loads(glossary.script().removeprefix("const GLOSSARY = ").rstrip(";\n"))
    assert list(held) == [entry.key for entry in glossary.ENTRIES]
    assert held["term-stride"]["names"] == "stride" and held["term-stride"]["chinese"] == "步幅 (步长)"
    assert held["term-kernel"]["names"] == "kernel (filter)" and "one patch after the other" in str(held["term-kernel"])


PAGE = """
A title with a kernel
=====================

A kernel, a *kernel*, ``kernel``, `a stride <https://a.b>`_; **another kernel**. 步幅

Kernels
-------

A kernel and a stride::

    a label

Below
~~~~~

A kernel, a label.
"""


def test_the_first_use_in_each_section_is_marked_and_no_title_link_code_or_emphasis():
    tree = core.publish_doctree(PAGE, settings_overrides={"doctitle_xform": False})
    glossary.mark(tree, "docs/glossary.html", None)
    links = [link for link in tree.findall(nodes.reference) if "term" in link["classes"]]
    sections = {"a-title-with-a-kernel": ["kernel", "步幅"], "kernels": ["kernel", "stride"], "below": ["label"]}
    for section in tree.findall(nodes.section):
        inside = [link.astext() for link in links if link.parent.parent is section]
        assert inside == sections.pop(section["ids"][0])
    assert not sections and links[1]["refuri"] == "docs/glossary.html#term-stride"
    (text,) = (text for text in tree.findall(nodes.Text) if glossary.HAN.search(text))
    assert [part["classes"] for part in glossary.in_chinese(text) if part.astext()] == [["language-zh"]]
