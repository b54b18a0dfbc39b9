"""What the counts of a release are counts of, and which of them add up."""

import numpy as np
import pandas as pd
import pytest

from equitydata.release.book import Book
from equitydata.release.naming import ALONE, NAMES, name_counts
from equitydata.release.naming_outcomes import OUTCOME_NAMES
from equitydata.release.nesting import nestings
from equitydata.result import MATURITY_TABLES
from equitydata.tables import SPECS
from tables_helper import analysed, table


def outcomes(text, **more):
    given = {
        "measure": "attended",
        "statistic": "share",
        "unit": "contacts",
        "status": "known",
        "level": "detailed",
    }
    frame = table(text).assign(**more)
    frame = frame.assign(**{name: value for name, value in given.items() if name not in frame})
    return frame.assign(people=frame["denominator"]).reindex(columns=list(SPECS["outcomes"].columns))


def equations(counts):
    """Each sum as text, the whole first: what is counted and its weights."""
    found = set()
    for number in range(counts.sums.shape[0]):
        line = counts.sums[number].tocoo()
        whole = [counts.names[place] for place, weight in zip(line.col, line.data, strict=True) if weight > 0]
        parts = [counts.names[place] for place, weight in zip(line.col, line.data, strict=True) if weight < 0]
        found.add((*sorted(whole), "=", *sorted(parts)))
    return found


ETHNIC = """
    characteristic | level    | category        | status  | numerator | denominator
    all            | all      | Everyone        | known   | 120       | 400
    ethnicity      | detailed | Black African   | known   | 30        | 90
    ethnicity      | detailed | Black Caribbean | known   | 40        | 110
    ethnicity      | detailed | Indian          | known   | 20        | 100
    ethnicity      | detailed | Missing         | missing | 30        | 100
    ethnicity      | groups   | Black           | known   | 70        | 200
    ethnicity      | groups   | Asian           | known   | 20        | 100
    ethnicity      | groups   | Missing         | missing | 30        | 100
"""


def test_groups_their_parents_and_those_of_unknown_group_add_up():
    counts, rows = name_counts({"outcomes": outcomes(ETHNIC)})
    assert rows == {"outcomes": slice(0, 8)}
    found = equations(counts)
    at = "attended:numerator|"
    for wanted in (
        (f"{at}all", "=", f"{at}ethnicity|detailed|(all known)", f"{at}ethnicity|unknown"),
        (f"{at}ethnicity|unknown", "=", f"{at}ethnicity|unknown|Missing"),
        (
            f"{at}ethnicity|detailed|(all known)",
            "=",
            f"{at}ethnicity|detailed|Black African",
            f"{at}ethnicity|detailed|Black Caribbean",
            f"{at}ethnicity|detailed|Indian",
        ),
        (
            f"{at}ethnicity|groups|Black",
            "=",
            f"{at}ethnicity|detailed|Black African",
            f"{at}ethnicity|detailed|Black Caribbean",
        ),
        (
            "attended:denominator|ethnicity|groups|Black",
            "=",
            f"{at}ethnicity|groups|Black",
            f"not {at}ethnicity|groups|Black",
        ),
    ):
        assert wanted in found, wanted


def test_people_of_unknown_group_are_one_count_at_every_level():
    counts, _ = name_counts({"outcomes": outcomes(ETHNIC)})
    missing = np.flatnonzero(counts.names == "attended:numerator|ethnicity|unknown|Missing")
    assert len(missing) == 1
    assert sorted(counts.row[counts.cell == missing[0]]) == [4, 7]


def test_what_a_sum_leaves_over_is_a_count_of_its_own_and_not_sensitive():
    counts, _ = name_counts({"outcomes": outcomes(ETHNIC.replace("| 200", "| 205"))})
    left = [name for name in counts.names if name.startswith("left of")]
    assert left == [
        "left of attended:people|ethnicity|groups|Black",
        "left of attended:denominator|ethnicity|groups|Black",
    ]
    assert not counts.sensitive[np.isin(counts.names, left)].any()
    assert np.abs(counts.sums @ counts.values).max() == 0


def test_the_rest_of_a_group_is_everyone_known_less_the_group():
    comparisons = table("""
        category | numerator | denominator | comparator | comparator_category | other | others
        Indian   | 20        | 100         | rest       | All others          | 70    | 200
        Indian   | 20        | 100         | overall    | All known           | 90    | 300
        Indian   | 20        | 100         | largest    | Black Caribbean     | 40    | 110
    """).rename(columns={"other": "comparator_numerator", "others": "comparator_denominator"})
    comparisons = comparisons.assign(
        measure="attended", characteristic="ethnicity", level="detailed", statistic="share", people=100
    )
    frame = comparisons.reindex(columns=list(SPECS["comparisons"].columns))
    counts, _ = name_counts({"outcomes": outcomes(ETHNIC), "comparisons": frame})
    at = "attended:numerator|ethnicity"
    own, rest = f"{at}|detailed|Indian", f"rest of {at}|detailed|Indian"
    known = f"{at}|detailed|(all known)"
    assert (known, "=", own, rest) in equations(counts)
    shown = counts.cell[np.isin(counts.row, [8, 9, 10])]
    assert {known, f"{at}|detailed|Black Caribbean", rest} <= set(counts.names[shown])


def test_periods_add_up_for_what_happened_and_not_for_people():
    trends = pd.concat(
        [outcomes(ETHNIC).assign(period=period, order=order) for order, period in enumerate(("Q1", "Q2"))]
    )
    frame = trends.reindex(columns=list(SPECS["trends"].columns)).drop(columns="status", errors="ignore")
    whole = outcomes(ETHNIC)
    whole[["numerator", "denominator"]] *= 2
    found = equations(name_counts({"outcomes": whole, "trends": frame})[0])
    at = "attended:{}{}|ethnicity|detailed|Indian".format
    assert (at("numerator", ""), "=", at("numerator", "@Q1"), at("numerator", "@Q2")) in found
    assert (at("people", ""), "=", at("people", "@Q1")) in found


def test_cells_of_a_crossing_make_its_margins():
    text = """
        characteristic  | level             | category       | numerator | denominator
        all             | all               | Everyone       | 10        | 100
        ethnicity       | groups            | Black          | 4         | 60
        ethnicity       | groups            | Asian          | 6         | 40
        sex             | detailed          | Female         | 5         | 50
        sex             | detailed          | Male           | 5         | 50
        ethnicity x sex | groups x detailed | Black × Female | 2         | 30
        ethnicity x sex | groups x detailed | Black × Male   | 2         | 30
        ethnicity x sex | groups x detailed | Asian × Female | 3         | 20
        ethnicity x sex | groups x detailed | Asian × Male   | 3         | 20
    """
    found = equations(name_counts({"outcomes": outcomes(text)})[0])
    at = "attended:denominator|"
    cell = f"{at}ethnicity x sex|groups x detailed|"
    nobody = "in no cell of ethnicity x sex|groups x detailed"
    black = f"{at}ethnicity|groups|Black"
    assert (black, "=", f"{cell}Black × Female", f"{cell}Black × Male", f"{black} {nobody}") in found
    male = f"{at}sex|detailed|Male"
    assert (male, "=", f"{cell}Asian × Male", f"{cell}Black × Male", f"{male} {nobody}") in found


def test_small_areas_lie_in_wards_and_authorities():
    levels = {(each.finer, each.coarser): each.parents for each in nestings("geography")}
    assert levels[("lsoa", "authority")]["E01000001"] == "City of London"
    assert ("lsoa", "msoa") in levels and ("lsoa", "ward") in levels and ("msoa", "authority") in levels
    deciles = {(each.finer, each.coarser): each.parents for each in nestings("deprivation")}
    assert deciles[("decile", "quintile")]["2"] == "Quintile 1"


def test_every_table_with_counts_is_named_or_says_why_its_rows_stand_alone():
    counted = {name for name, spec in SPECS.items() if spec.counts}
    named = {*NAMES, *OUTCOME_NAMES}
    assert named.isdisjoint(ALONE)
    assert counted == named | set(ALONE), counted ^ (named | set(ALONE))


def test_a_table_without_names_is_audited_row_by_row():
    frame = pd.DataFrame({"characteristic": "sex", "step": ["a", "b"], "changed": [3, 40], "unit": "people"})
    counts, _ = name_counts({"steps": frame.reindex(columns=list(SPECS["steps"].columns))})
    assert counts.values.tolist() == [3, 40] and counts.sensitive.all() and counts.row.tolist() == [0, 1]


@pytest.fixture(scope="module")
def whole():
    result = analysed()
    tables = {**result.tables, **{name: result.table(name) for name in MATURITY_TABLES}}
    return result, tables, *name_counts(tables, people=result.about.people, intake=result.intake)


def test_the_sums_of_a_whole_result_hold_of_its_true_counts(whole):
    _, _, counts, _ = whole
    assert counts.sums.shape[0] > 500
    assert np.abs(counts.sums @ counts.values).max() == 0
    assert (counts.values >= 0).all()


def test_every_count_of_every_table_is_in_the_book(whole):
    _, tables, counts, rows = whole
    for name, frame in tables.items():
        spec = SPECS[name]
        for column in spec.counts:
            numbers = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float)
            people = (
                frame["unit"].ne("points of care").to_numpy()
                if "unit" in frame
                else np.ones(len(frame), bool)
            )
            for place in np.flatnonzero(np.isfinite(numbers) & people):
                held = counts.values[counts.cell[counts.row == rows[name].start + place]]
                assert numbers[place] in held, (name, column, place)


def test_the_same_count_in_two_tables_is_one(whole):
    result, _, counts, rows = whole
    known = np.flatnonzero(counts.names == "people|ethnicity|known")
    assert (
        len(known) == 1
        and result.statuses.query("status == 'known'")["people"].iloc[0] == counts.values[known[0]]
    )
    tables = {
        name
        for name, part in rows.items()
        for row in counts.row[counts.cell == known[0]]
        if part.start <= row < part.stop
    }
    assert "statuses" in tables


def test_parts_that_overlap_are_no_sum():
    book = Book()
    book.show(pd.Series(["whole", "a", "b"]), pd.Series([10, 7, 6]), np.arange(3))
    book.sum("whole", ["a", "b"])
    assert book.counts().sums.shape[0] == 0
