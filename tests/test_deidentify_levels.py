"""How coarse a characteristic can be made, and the search for the levels that lose least."""

import math
import random
import tomllib
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import equitydata as eq
from equitydata.records.deidentifying import combining
from equitydata.records.deidentifying.choices import load_choices
from equitydata.records.deidentifying.levels import Attribute, Level, make_attribute
from equitydata.records.deidentifying.search import Combinations, Search, Sensitive, Wanted
from equitydata.records.deidentifying.shown import _joined_until
from equitydata.rulebook import load_rulebook

ROOT = Path(__file__).resolve().parents[1]
SEEDS = range(40)
CATEGORIES = {
    "ethnicity": ["", "Indian", "Chinese", "White British", "White Irish", "Asian (broad)", "Any other"],
    "age": ["", *map(str, range(0, 100))],
    "language": ["", "English", "Bengali", "Polish", "Cantonese Chinese", "Sylheti"],
    "deprivation": ["", *map(str, range(1, 11))],
    "geography": ["", "E01003487", "E01003488", "E01000001", "E01032805", "Outside England and Wales"],
    "disability": ["", "Hearing", "No disability"],
    "religion": ["", "Hindu", "None"],
    "postcode": ["", "E6", "E7", "SW1A"],
}


def attribute_of(name, values=None, people=None):
    values = values or CATEGORIES[name]
    people = np.ones(len(values), dtype=int) if people is None else np.array(people)
    return make_attribute(name, name, "c", values, people, load_rulebook())


@pytest.mark.parametrize("name", CATEGORIES)
def test_each_level_is_made_from_the_one_before(name):
    attribute = attribute_of(name)
    assert attribute.levels[-1].none and len(attribute.levels) >= 2
    for finer, coarser in zip(attribute.levels, attribute.levels[1:], strict=False):
        pairs = set(zip(finer.fold.tolist(), coarser.fold.tolist(), strict=True))
        assert len(pairs) == len(set(finer.fold.tolist())) > len(set(coarser.fold.tolist()))
    for level in attribute.levels:
        assert level.fold[0] == 0 and level.labels[0] == "Not known"
        assert level.fold.max() < len(level.labels)


def test_levels_say_what_they_hold():
    def labels(name, level, values=None, people=None):
        attribute = attribute_of(name, values, people)
        found = attribute.levels[attribute.place(level)]
        return [found.labels[number] for number in found.fold]

    assert labels("ethnicity", "groups")[1:4] == ["Asian", "Asian", "White"]
    rarer = labels("ethnicity", "larger", people=[0, 500, 1, 500, 1, 1, 50])
    assert rarer[1:5] == ["Indian", "Asian, rarer groups", "White British", "White, rarer groups"]
    assert labels("language", "english")[1:3] == ["English", "Other than English"]
    assert labels("deprivation", "quintile")[1:4] == ["Quintile 1", "Quintile 1", "Quintile 2"]
    assert labels("geography", "authority")[1:4] == ["Newham", "Newham", "City of London"]
    assert labels("postcode", "area")[1:] == ["E", "E", "SW"]
    assert labels("age", "adult")[1:] == ["0-17"] * 18 + ["18-64"] * 47 + ["65+"] * 35
    bands = ["", "0-9", "10-19", "20-29", "30-39"]
    assert labels("age", "five", bands) == ["Not known", "0-9", "10-19", "20-29", "30+"]
    assert labels("age", "bands", bands) == ["Not known", "0-19", "0-19", "20+", "20+"]


def test_a_coarser_level_is_written_under_a_name_that_no_reader_takes_for_the_finer_one():
    names = {level.name: level.written for level in attribute_of("deprivation").levels}
    assert names["decile"] == "imd_decile" and "decile" not in names["quintile"] + names["core20"]


def test_a_characteristic_that_starts_coarser_tells_what_that_lost():
    attribute = attribute_of("deprivation")
    coarser = combining._coarser(attribute, 1, 0.3)
    assert coarser.values == attribute.levels[1].labels and coarser.begun == pytest.approx(0.3)
    again = combining._coarser(coarser, 1, 0.5)
    assert again.begun == pytest.approx(0.65) and [each.name for each in again.levels] == [
        "core20",
        "left_out",
    ]
    for whole, part in zip(attribute.levels[1:], coarser.levels, strict=True):
        assert (part.fold[attribute.levels[1].fold] == whole.fold).all()


# ---------------------------------------------------------------- search


def random_attribute(chance, name, values):
    """An attribute whose levels put two and two values together, and none at last."""
    levels, fold = [], np.arange(values)
    while len(set(fold.tolist())) > 1:
        levels.append(Level(f"{len(levels)}", "", name, fold, tuple(map(str, range(int(fold.max()) + 1)))))
        fold = np.unique((fold + chance.randrange(2)) // 2, return_inverse=True)[1].reshape(-1)
    levels.append(Level("left_out", "", name, np.zeros(values, dtype=int), ("",)))
    weight = chance.choice([1.0, 2.0])
    return Attribute(name, name, name, tuple(map(str, range(values))), tuple(levels), weight)


def random_search(seed, **changes):
    chance = random.Random(seed)
    attributes = [random_attribute(chance, f"a{n}", chance.randrange(2, 7)) for n in range(3)]
    codes = sorted({tuple(chance.randrange(len(a.values)) for a in attributes) for _ in range(40)})
    people = np.array([1 + chance.randrange(6) for _ in codes])
    pairs = sorted({(row, chance.randrange(3)) for row in range(len(codes)) for _ in range(3)})
    sensitive = Sensitive("s", *(np.array(each) for each in zip(*pairs, strict=True)))
    most = int(people.sum() * chance.choice([0, 0.05]))
    wanted = Wanted(k=chance.randrange(2, 12), l=chance.randrange(1, 4), most=most)
    options = {
        "coarsest": [len(each.levels) - 1 for each in attributes],
        "most_nodes": 10_000,
        "left_out_counts": 3.0,
    } | changes
    return Search(attributes, Combinations(np.array(codes), people, (sensitive,)), wanted, **options)


def plainly_suppressed(search, node):
    """People in groups that are too small or too alike, counted by loops."""
    groups, values = {}, {}
    rows = [
        tuple(a.levels[p].fold[c] for a, p, c in zip(search.attributes, node, codes, strict=True))
        for codes in search.given.codes.tolist()
    ]
    for row, people in zip(rows, search.given.people.tolist(), strict=True):
        groups[row] = groups.get(row, 0) + people
    for number, value in zip(search.given.sensitive[0].row, search.given.sensitive[0].value, strict=True):
        values.setdefault(rows[number], set()).add(int(value))
    return sum(
        people
        for row, people in groups.items()
        if people < search.wanted.k or len(values[row]) < search.wanted.l
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_the_search_finds_what_looking_at_every_node_finds(seed):
    search = random_search(seed)
    nodes = list(product(*(range(top + 1) for top in search.top)))
    holding = [node for node in nodes if plainly_suppressed(search, node) <= search.wanted.most]
    assert holding == [node for node in nodes if search.suppressed(node) <= search.wanted.most]
    found = random_search(seed).find()
    assert (found is None) == (not holding)
    if found is None:
        return
    assert math.isclose(search._loss(found.node), min(map(search._loss, holding)), abs_tol=1e-12)
    assert found.suppressed == plainly_suppressed(search, found.node)
    # Whatever is coarser than a node that holds, holds.
    for node in holding:
        assert all(search.suppressed(above) <= search.suppressed(node) for above in search._above(node))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_search_from_neighbour_to_neighbour_holds_too(seed):
    exact, quick = random_search(seed).find(), random_search(seed, most_nodes=0).find()
    assert (exact is None) == (quick is None)
    if quick is not None:
        search = random_search(seed)
        assert plainly_suppressed(search, quick.node) <= search.wanted.most and not quick.every
        assert quick.loss >= exact.loss - 1e-12


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40), st.integers(2, 9))
def test_amounts_are_joined_until_enough_people_share_them(counts, k):
    people = np.array([max(pair) for pair in counts])
    once = np.array([min(pair) for pair in counts])
    group = _joined_until(people, once, k)
    assert (np.diff(group) >= 0).all() and group[0] == 0
    sure = [max(people[group == g].max(), once[group == g].sum()) for g in set(group.tolist())]
    assert len(sure) == 1 or min(sure) >= k


def test_every_choice_has_a_reason_and_a_source_and_stands_on_the_page():
    with (Path(eq.__file__).parent / "rules" / "deidentify.toml").open("rb") as file:
        entries = tomllib.load(file)["choices"]
    assert all({"value", "label", "reason", "source"} <= set(entry) for entry in entries.values())
    page = (ROOT / "docs" / "deidentify.md").read_text(encoding="utf-8")
    assert [name for name in load_choices().values if f"`{name}`" not in page] == []
