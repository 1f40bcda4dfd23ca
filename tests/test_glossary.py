"""docs/glossary.md and docs/references.md: each entry stands in its chapter, and what Chinese leads to is there."""

import re
import unicodedata

import pytest
import test_index as index
from conftest import ROOT

GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
REFERENCES = (ROOT / "docs" / "references.md").read_text(encoding="utf-8")
HAN = r"[\u4e00-\u9fff]"


def _plain(text):
    """Small letters without marks, so that à comes with a and every tone with its vowel."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()


def _rows(part):
    lines = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("|")]
    return lines[2:]


def _names(cell):
    """A cell's main word and those in brackets."""
    return index._spellings(re.sub("[†‡]", "", cell))


SECTIONS = dict(re.findall(r"(?ms)^## ([^\n]+)\n(.*?)(?=^## |\Z)", GLOSSARY))
TERMS = [(letter, *row) for letter, part in SECTIONS.items() if len(letter) == 1 for row in _rows(part)]
BACK = _rows(SECTIONS["From Chinese to English"])
ENTRIES = re.findall(r"(?ms)^- (.*?)(?=^- |^## |\n\n|\Z)", REFERENCES)


def test_terms_are_in_order_each_once_under_its_letter():
    keys = [re.sub("[^a-z0-9]+", " ", _plain(_names(term)[0])) for _, term, *_ in TERMS]
    assert keys == sorted(set(keys)) and len(keys) >= 70
    assert [key[0].upper() for key in keys] == [letter for letter, *_ in TERMS]
    for _, term, chinese, meaning, in_chinese, _ in TERMS:
        assert re.search(HAN, chinese), term
        assert meaning.endswith(".") and ". " not in meaning, term
        assert in_chinese.endswith("。") and in_chinese.count("。") == 1 and len(in_chinese) < 90, term
        assert not re.search(rf"{HAN}[,;:.]|[,;:] ?{HAN}", in_chinese), term  # Chinese marks between Chinese
        numbers, same = ({*re.findall(r"\d+(?:\.\d+)?", text)} for text in (meaning, in_chinese))
        assert numbers == same, term


@pytest.mark.parametrize("term, chapter", [(row[1], row[5].strip("[]")) for row in TERMS])
def test_a_term_stands_in_its_chapter_which_is_that_of_the_index(term, chapter):
    assert any(index._said(_names(term), line) for line in index.PROSE[chapter])
    listed = {_names(row[0])[0]: row[2] for row in index.TERMS if not row[1].startswith("→")}
    assert listed.get(_names(term)[0], f"[{chapter}]") == f"[{chapter}]"


def test_from_chinese_every_word_leads_to_its_term():
    expected = [(word, _names(term)[0], letter) for letter, term, chinese, *_ in TERMS for word in _names(chinese)]
    found = [(word, *re.fullmatch(r"\[(.+)\]\(#(\w)\)", english).groups()) for word, _, english in BACK]
    assert sorted((word, term, letter.lower()) for word, term, letter in expected) == sorted(found)
    assert len({word for word, *_ in found}) == len(found)


def test_pinyin_is_in_order_and_has_a_syllable_for_each_character():
    keys = [_plain(pinyin).split() for _, pinyin, _ in BACK]
    assert keys == sorted(keys)
    for word, pinyin, _ in BACK:
        assert len(re.findall(rf"{HAN}|[A-Za-z0-9]+", word)) == len(pinyin.split()), word


@pytest.mark.parametrize("page", [GLOSSARY, REFERENCES], ids=["glossary", "references"])
def test_links_lead_somewhere(page):
    targets = dict(re.findall(r"(?m)^\[(\d\d)\]: (\S+)$", page))
    assert targets == {number: f"../chapters/{path.name}" for number, path in index.CHAPTERS.items()}
    assert set(re.findall(r"\[(\d\d)\](?!:)", page)) <= set(targets)
    titles = re.findall("(?m)^#+ (.*)$", page)
    anchors = {re.sub("[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
    for target in re.findall(r"\]\(([^)]+)\)", page):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        else:
            assert target.startswith("https://") or (ROOT / "docs" / target).exists(), target


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: re.search(r"\*\*(.+?)\*\*", entry).group(1))
def test_each_chapter_of_a_reference_has_its_bold_word(entry):
    word = " ".join(re.search(r"\*\*(.+?)\*\*", entry).group(1).split())
    chapters = re.findall(r"\[(\d\d)\]", entry)
    assert chapters
    for chapter in chapters:
        assert word in " ".join(index._source(index.CHAPTERS[chapter], "markdown").split()), chapter


@pytest.mark.parametrize("chapter", index.CHAPTERS)
def test_what_a_chapter_cites_by_arxiv_number_is_listed_with_it(chapter):
    text = index._source(index.CHAPTERS[chapter], "markdown")
    for number in re.findall(r"arXiv:(\d{4}\.\d{5}|\d{4}\.\d{4})", text):
        assert any(f"arxiv.org/abs/{number})" in entry and f"[{chapter}]" in entry for entry in ENTRIES), number


def test_index_and_readme_lead_here():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for page in "glossary.md", "references.md":
        assert f"]({page})" in index.PAGE and f"](docs/{page})" in readme
