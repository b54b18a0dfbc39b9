"""What every page must hold, whatever is on it: valid, closed to the world, reachable by keyboard and screen reader."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from xml.etree.ElementTree import Element

import html5lib
import pandas as pd

from equitydata.written import count, number, percent, ratio

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?%?")
HOSTILE = (
    "<script>alert(1)</script>{{7*7}}$\\frac{1}$\u202eevil\x00\x07 https://example.org/ =1+1 [a](javascript:alert(1)) "
    "`x` | *b* <img src=x onerror=alert(1)> " + "x" * 40_000
)


@cache
def tree_of(html: str) -> Element:
    """The page, read as strictly as the standard asks; raises where it is not valid."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(html)


def text_of(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def words_without_pictures(element: Element) -> Iterator[str]:
    """The text of a page without style and pictures."""
    if str(element.tag) in {"style", "svg", "{http://www.w3.org/2000/svg}svg"}:
        return
    yield element.text or ""
    for child in element:
        yield from words_without_pictures(child)
        yield child.tail or ""


def check_page(html: str) -> Element:
    """Everything that can be checked without a browser. Returns the tree."""
    tree = tree_of(html)
    assert html.startswith("<!DOCTYPE html>") and html.endswith("\n")
    assert tree.get("lang") == "en-GB"
    _check_closed(html, tree)
    _check_headings(tree)
    _check_ids(tree)
    _check_tables(tree)
    assert tree.find(".//main") is not None and tree.find(".//header") is not None
    assert tree.find(".//nav") is not None and tree.find(".//footer") is not None
    first = next(each for each in tree.iter("a"))
    assert first.get("class") == "skip" and first.get("href") == "#main"
    assert tree.find(".//title").text.strip()
    return tree


def _check_closed(html: str, tree: Element) -> None:
    policy = [each.get("content") for each in tree.iter("meta") if each.get("http-equiv")]
    assert policy == [POLICY]
    for element in tree.iter():
        assert "script" not in str(element.tag).lower() and element.tag not in (
            "iframe",
            "img",
            "form",
            "object",
        )
        for name, value in element.attrib.items():
            assert not str(name).lower().startswith("on")
            if str(name) in ("href", "src"):
                assert value.startswith("#") or value == "data:,"
    style = "".join(each.text or "" for each in tree.iter("style"))
    assert "url(" not in style and "@import" not in style


def _check_headings(tree: Element) -> None:
    levels = [int(each.tag[1]) for each in tree.iter() if re.fullmatch(r"h[1-6]", str(each.tag))]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))


def _check_ids(tree: Element) -> None:
    ids = [each.get("id") for each in tree.iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    for element in tree.iter():
        for name in ("aria-labelledby", "aria-describedby"):
            for target in (element.get(name) or "").split():
                assert target in ids
        href = element.get("href") or ""
        assert not href.startswith("#") or href[1:] in ids


def _check_tables(tree: Element) -> None:
    parents = {child: parent for parent in tree.iter() for child in parent}
    captions = []
    for table in tree.iter("table"):
        caption = table.find("caption")
        captions.append(text_of(caption))
        region = parents[table]
        assert region.get("role") == "region" and region.get("tabindex") == "0"
        assert region.get("aria-labelledby") == caption.get("id")
        heads = table.findall("./thead/tr/th")
        assert heads and all(head.get("scope") == "col" and text_of(head) for head in heads)
        for row in table.findall("./tbody/tr"):
            assert row[0].tag == "th" and row[0].get("scope") == "row"
            assert len(row) == len(heads)
            assert all(text_of(cell) for cell in row)
    assert len(captions) == len(set(captions))


# ---------------------------------------------------------------- numbers


def numbers_in(words: str) -> set[str]:
    """Every number of a text, without its sign."""
    return set(NUMBER.findall(words))


def forms_of(value: object) -> set[str]:
    """Every way in which a cell may be written: as a count, share, ratio, gap or number; of words, their numbers."""
    if isinstance(value, str):
        return numbers_in(value)
    if isinstance(value, bool) or value is None or value is pd.NA or value != value:
        return set()
    each = abs(float(value))
    if each == float("inf"):
        return set()
    written = [
        count(each),
        percent(each),
        ratio(each),
        number(each),
        f"{each * 100:.1f}",
        f"{each * 100:.2f}%",
    ]
    written += [f"{each * 100:.3f}%", f"{each * 1000:,.1f}"]
    return numbers_in(" ".join(written))


def numbers_of_frames(frames: dict[str, pd.DataFrame]) -> set[str]:
    """Every number that a page may show of some tables, and how many rows each has."""
    found: set[str] = set()
    for frame in frames.values():
        found |= {count(len(frame))}
        for cell in frame.astype("object").to_numpy().ravel():
            found |= forms_of(cell)
    return found
