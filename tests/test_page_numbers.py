"""Each number of a page is a number of the released tables: the page is walked, and a wrong number is found."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html import escape
from itertools import combinations
from numbers import Real
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import numpy as np
import pandas as pd
import pytest

from equitydata import codelists, reference
from equitydata.rating import make_rating
from equitydata.report.writing import share_columns
from equitydata.result import MATURITY_TABLES, EquityResult
from equitydata.tables import SPECS, TableSpec
from equitydata.written import count, gap, mark, number, p_value, percent, ratio, setting
from report_cases import pages, released, report

KINDS = pytest.mark.parametrize("kind", ["rich", "small", "all hidden"])
SVG = "{http://www.w3.org/2000/svg}"
BLOCKS = {
    *("td", "th", "caption", "p", "li", "dt", "dd", "summary", "figcaption", "div", "span"),
    *("h1", "h2", "h3", "h4", "title", f"{SVG}text", f"{SVG}title", f"{SVG}desc"),
}
# Words of ours that hold a number which no table does, and whose it is.
FIXED = {
    "99.8%": "control limits of places",
    "1,000": "residents that a rate is per",
    "2021": "year of the Census",
    "2022": "year of the route maps",
    "0": "where a scale of shares begins; a hidden count is never 0",
    "1": "where a ratio says that two are equal",
}

MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
# What is made of digits and is no number: days, criteria, files.
_NAMES = re.compile(
    rf"\d{{4}}-\d\d-\d\d|\d{{1,2}} (?:{MONTHS}) \d{{4}}|\b[SO]-[A-Z]+-[A-Z]\d+\b|\b[\w/.-]+\.(?:csv|json|md|xlsx)\b"
)
_NUMBER = re.compile(r"(?<![\w.,\-])[+\-−]?\d+(?:,\d{3})*(?:\.\d+)?%?(?![\w])")


def numbers_of(words: str) -> list[str]:
    """Every number of a text as it is written, with its sign and its per cent."""
    return _NUMBER.findall(_NAMES.sub(" ", words))


# ---------------------------------------------------------------- what may stand on a page


def forms(value: float) -> set[str]:
    """Every form of `equitydata.written` in which a number that is no count may stand on a page."""
    signed = f"{'+' if value > 0 else ''}{number(value)}"
    found = {number(value), ratio(value), signed, f"{value:,.1f}", f"{value * 1000:,.1f}"}
    found |= {gap(value, "population_rate"), f"{value:+,.0f}"}
    if value == int(value):
        found.add(count(value))
    if -1 <= value <= 1:
        found |= {percent(value), percent(value, 0.95), mark(value), f"{value * 100:+.1f}"}
    return {token for form in found for token in numbers_of(form)}


def forms_of(column: str, value: float, spec: TableSpec) -> set[str]:
    """The forms in which a number of a column may stand: a count as a count, a ratio as a ratio, a share as a share."""
    if column in spec.counts:
        found = {count(value)}
    elif column.split("_")[0] == "p" or column == "p":
        found = {p_value(value)}
    elif "ratio" in column:
        found = {ratio(value)}
    elif column in share_columns(spec) and all(share.only is None for share in spec.shares):
        found = {percent(value), percent(value, 0.95), f"{value * 100:+.1f}"}
    else:
        return forms(value)
    return {token for form in found for token in numbers_of(form)}


def forms_of_cell(cell: Any) -> frozenset[str]:
    """Numbers that a cell of a table, or a value of a rule or of the rating, may stand as."""
    if isinstance(cell, bool) or cell is None or cell is pd.NA:
        return frozenset()
    if isinstance(cell, (list, tuple)):
        return frozenset(token for each in cell for token in forms_of_cell(each))
    if isinstance(cell, Real):
        value = float(cell)
        return frozenset(forms(value)) if abs(value) < 1e15 and value == value else frozenset()
    return frozenset(numbers_of(str(cell)))


@dataclass(frozen=True)
class Known:
    """Numbers that a page may show. everywhere : in any sentence. of_row : label -> in a row of that label."""

    everywhere: frozenset[str]
    of_row: dict[str, frozenset[str]]

    def allows(self, token: str, label: str) -> bool:
        """Whether a number may stand there. label : of the row of a table, "" elsewhere."""
        for names in _readings(label):
            rows = [self.of_row[name] for name in names if name in self.of_row]
            if rows:
                return token in FIXED or all(token in row for row in rows)
        return token in FIXED or token in self.everywhere


@cache
def _readings(label: str) -> tuple[list[str], ...]:
    """What the label of a row may be, the first that is known: a label, a rule with its key, a criterion, two labels.

    "Indian"; "Confidence of every interval confidence_level"; "S-QUAN-F1 It is"; "Indian (Ethnic group)".
    """
    first, _, _ = label.partition(" ")
    _, _, last = label.rpartition(" ")
    key, criterion = [last] if "_" in last else [], [first] if _NAMES.fullmatch(first) else []
    return [label], key, criterion, [part for part in re.split(r": |, | \(|\)", label) if part]


@cache
def known(kind: str) -> Known:
    """Numbers of the released tables, the rating, the intake, the choices and the reference tables."""
    result = released(kind)
    everywhere: set[str] = set()
    of_row: dict[str, set[str]] = {}
    for cells, here in _rows(result):
        everywhere |= here
        for label in {cell for cell in cells if isinstance(cell, str) and cell}:
            of_row.setdefault(label, set()).update(here)
    everywhere |= {token for cell in _facts(result) for token in forms_of_cell(cell)}
    for area, rows in _criteria_by_area(result):
        of_row[area] |= {count(number) for number in rows}
    everywhere |= {token for share in _unknown_shares(result) for token in forms_of_cell(share)}
    return Known(frozenset(everywhere), {label: frozenset(found) for label, found in of_row.items()})


def _rows(result: EquityResult) -> Iterator[tuple[list[Any], set[str]]]:
    """Cells and numbers of every row that a page may repeat: of the tables, the rules, and what the numbers rest on."""
    for name in (*result.tables, *MATURITY_TABLES):
        for row in result.table(name).to_dict("records"):
            yield list(row.values()), _numbers_of_row(row, SPECS[name])
    others = [
        [*vars(each).values(), setting(each.value), setting(each.default)] for each in result.choices.values()
    ]
    others += [list(vars(each).values()) for each in (*result.intake.rejections, *result.intake.files)]
    for catalogue in (codelists.catalogue(), reference.catalogue()):
        others += catalogue.to_numpy().tolist()
    for cells in others:
        yield cells, {token for cell in cells for token in forms_of_cell(cell)}


def _numbers_of_row(row: dict[Any, Any], spec: TableSpec) -> set[str]:
    found: set[str] = set()
    for column, cell in row.items():
        if isinstance(cell, Real) and not isinstance(cell, bool):
            found |= forms_of(str(column), float(cell), spec) if np.isfinite(cell) else set()
        else:
            found |= forms_of_cell(cell)
    return found


def _facts(result: EquityResult) -> Iterator[Any]:
    """Values that stand in no table of the result."""
    yield from _leaves(make_rating(result).model_dump(mode="json"))
    yield from (*result.notes, *result.intake.notes)


def _criteria_by_area(result: EquityResult) -> Iterator[tuple[str, set[int]]]:
    """Area -> how many criteria it has in all, by tier, and by tier and outcome; core ones apart; both matrices."""
    own = result.table("criteria")
    other = "organisation" if result.about.level == "service" else "service"
    for frame, keys in ((own, ["tier", "outcome"]), (reference.criteria(other), ["tier"])):
        for each in (frame, frame[frame["required"] == "core"]):
            for area, rows in each.groupby("area"):
                numbers = {len(rows), *rows.groupby("tier").size(), *rows.groupby(keys).size()}
                yield str(area), {int(number) for number in numbers}


def _unknown_shares(result: EquityResult) -> Iterator[float]:
    """What is left of the whole beside each share of known people."""
    known_people = result.table("completeness").query("measure == 'known' and unit == 'people'")
    yield from 1 - known_people["value"].dropna()


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    else:
        yield value


# ---------------------------------------------------------------- what stands on it


@dataclass(frozen=True)
class Place:
    """A piece of text of a page. tag : what holds it. label : of its row. on_axis : it is a number of a scale."""

    tag: str
    words: str
    label: str = ""
    on_axis: bool = False


def places_of(html: str) -> list[Place]:
    """Every text of a page, piece by piece: cells, sentences, headings, words of charts and what is read out."""
    document = html5lib.parse(html, namespaceHTMLElements=False)
    return [*_walk(document.find("head"), "head", ""), *_walk(document.find("body"), "body", "")]


def _walk(
    element: Element, block: str, label: str, scale: frozenset[Element] = frozenset()
) -> Iterator[Place]:
    if element.tag == "style" or not isinstance(element.tag, str):
        return
    if element.tag == "tr":
        label = _label_of(element)
    if element.tag == f"{SVG}svg":
        scale = frozenset(numbers_of_scales(element))
    block = element.tag if element.tag in BLOCKS else block
    for words in (element.text, *(element.get(name) for name in ("aria-label", "alt", "title"))):
        if words and words.strip():
            yield Place(block.removeprefix(SVG), words, label, element in scale)
    for child in element:
        yield from _walk(child, block, label, scale)
        if child.tail and child.tail.strip():
            yield Place(block.removeprefix(SVG), child.tail, label)


def numbers_of_scales(chart: Element) -> Iterator[Element]:
    """Words of a chart that are the numbers of a scale: three or more in a line, each where its value is.

    A scale is even, or even in logarithms; a number that is out of place makes it none.
    """
    numbered = [
        each for each in chart.iter(f"{SVG}text") if _NUMBER.fullmatch("".join(each.itertext()).strip())
    ]
    for line, along in (("y", "x"), ("x", "y")):
        for place in {_at(each, line) for each in numbered}:
            row = sorted((each for each in numbered if _at(each, line) == place), key=lambda e: _at(e, along))
            # Panels side by side have their scales in one line.
            for start, end in combinations(range(len(row) + 1), 2):
                part = row[start:end]
                values = [_value("".join(each.itertext()).strip()) for each in part]
                if len(set(values)) == len(part) >= 3 and _is_scale(
                    [_at(each, along) for each in part], values
                ):
                    yield from part


def _at(element: Element, side: str) -> float:
    return round(float(element.get(side, "0")), 1)


def _value(token: str) -> float:
    return float(token.replace(",", "").replace("−", "-").rstrip("%"))


def _is_scale(places: list[float], values: list[float]) -> bool:
    """Whether values stand at even places, or their logarithms do, but for a fiftieth of the scale."""
    ways = [np.array(values)]
    if min(values) > 0:
        ways.append(np.log(values))
    return any(
        np.ptp(places) > 0
        and np.abs(np.polyval(np.polyfit(places, way, 1), places) - way).max() < np.ptp(way) / 50
        for way in ways
    )


def _label_of(row: Element) -> str:
    head = row.find("th[@scope='row']")
    words = " ".join("".join(head.itertext()).split()) if head is not None else ""
    return words.removesuffix(" (not collected by this code list)")


def unknown_numbers(html: str, allowed: Known) -> list[tuple[str, Place]]:
    """Numbers of a page that are none of those that it may show."""
    return [
        (token, place)
        for place in places_of(html)
        if not place.on_axis
        for token in numbers_of(place.words)
        if not allowed.allows(token, place.label)
    ]


@cache
def html_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@KINDS
def test_every_number_of_every_page_is_a_number_of_the_released_result(kind):
    for page in pages(kind):
        assert unknown_numbers(html_of(page), known(kind)) == [], page.name


@pytest.mark.parametrize("kind", ["rich", "small"])
def test_the_walk_sees_numbers_in_every_sort_of_place(kind):
    found = {place.tag for place in places_of(html_of(report(kind).page)) if numbers_of(place.words)}
    assert {"td", "p", "h3", "li", "caption", "summary", "text", "title", "desc"} <= found


# ---------------------------------------------------------------- a wrong number is found


def wrong(token: str) -> str:
    """A number as long as another, whose last digit is the next one."""
    place = max(index for index, letter in enumerate(token) if letter.isdigit())
    return f"{token[:place]}{(int(token[place]) + 1) % 10}{token[place + 1 :]}"


def long_numbers(place: Place) -> list[str]:
    """Numbers of three digits or more: shorter ones stand on a page too often to be told apart."""
    return [token for token in numbers_of(place.words) if sum(map(str.isdigit, token)) >= 3]


@pytest.mark.parametrize("tag", ["td", "p", "h3", "caption", "text", "title", "desc"])
def test_a_wrong_number_is_found_wherever_it_stands(tag):
    html, allowed = html_of(report("rich").page), known("rich")
    token, found = next(
        (token, element)
        for place in places_of(html)
        if place.tag == tag and not place.on_axis
        for token in long_numbers(place)
        if not allowed.allows(wrong(token), place.label)
        for element in re.findall(rf"<{tag}\b[^>]*>{re.escape(escape(place.words, quote=False))}", html)
        if html.count(element) == 1
    )
    spoilt = html.replace(found, found.replace(token, wrong(token)))
    assert {each for each, _ in unknown_numbers(spoilt, allowed)} == {wrong(token)}


@pytest.mark.parametrize("kind", ["rich", "small"])
def test_most_numbers_would_be_found_out_if_only_their_last_digit_were_another(kind):
    html, allowed = html_of(report(kind).page), known(kind)
    spoilt = [
        (wrong(token), place.label)
        for place in places_of(html)
        if not place.on_axis
        for token in long_numbers(place)
    ]
    found = [not allowed.allows(token, label) for token, label in spoilt]
    in_rows = [each for each, (_, label) in zip(found, spoilt, strict=True) if label]
    assert len(found) > len(in_rows) > 500
    assert sum(found) / len(found) > 0.7
    assert sum(in_rows) / len(in_rows) > 0.8


def test_a_number_of_another_group_is_found_in_the_row_of_a_group():
    html, allowed = html_of(report("rich").page), known("rich")
    own, others = (set(allowed.of_row[label]) for label in ("Bangladeshi", "White British"))
    theirs = next(token for token in sorted(others - own) if len(token) > 3 and f">{token}<" in html)
    row = "<table><tr><th scope='row'>{}</th><td>{}</td></tr></table>"
    assert unknown_numbers(row.format("White British", theirs), allowed) == []
    assert [token for token, _ in unknown_numbers(row.format("Bangladeshi", theirs), allowed)] == [theirs]


def test_a_hidden_number_never_stands_as_nought():
    html = html_of(report("all hidden").page)
    cells = [place.words.strip() for place in places_of(html) if place.tag == "td"]
    assert cells.count("[c]") > 50
    assert not {"0", "0.0%", "0 of 0", "nan", "None"} & set(cells)


# ---------------------------------------------------------------- the walk itself

CHART = (
    '<svg><text x="10" y="50">0%</text><text x="20" y="50">20%</text><text x="30" y="50">{}</text>'
    '<text x="40" y="10">77.7%</text></svg>'
)


def test_a_scale_is_left_out_and_a_number_out_of_place_is_not():
    nothing = Known(frozenset(), {})
    assert [token for token, _ in unknown_numbers(CHART.format("40%"), nothing)] == ["77.7%"]
    assert [token for token, _ in unknown_numbers(CHART.format("45%"), nothing)] == [
        "0%",
        "20%",
        "45%",
        "77.7%",
    ]


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("1,234 of 2,000 people (61.7%)", ["1,234", "2,000", "61.7%"]),
        ("+10.3 points (−7.3 to +13.3)", ["+10.3", "−7.3", "+13.3"]),
        ("1 April 2025 to 2026-03-31, S-QUAN-F8, tables/codes.csv", []),
        ("2025 Q2, ages 18 to 64, p <0.001", ["2025", "18", "64", "0.001"]),
        ("E09000025 and IMD2019", []),
    ],
)
def test_numbers_are_read_as_people_read_them(words, numbers):
    assert numbers_of(words) == numbers


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.9025, {"90.2%", "0.902", "0.90"}),
        (12000, {"12,000"}),
        (-132.4, {"-132"}),
        (0.0056, {"5.6", "0.6%"}),
        (0.9496, {"94.96%"}),
    ],
)
def test_a_number_is_known_in_every_form_it_is_written_in(value, written):
    assert written <= forms(value)


@pytest.mark.parametrize(
    ("table", "column", "value", "written"),
    [
        ("outcomes", "people", 608.0, {"608"}),
        ("completeness", "value", 0.9025, {"90.2%", "+90.2"}),
        ("comparisons", "ratio", 1.8812, {"1.88"}),
        ("comparisons", "p_adjusted", 0.00001, {"0.001"}),
    ],
)
def test_a_number_of_a_column_is_known_in_the_forms_of_that_column_alone(table, column, value, written):
    assert forms_of(column, value, SPECS[table]) == written
