"""Releases that somebody may hold together: what was published before joins the audit of what is published now."""

import json
from dataclasses import replace

import pandas as pd
import pytest

import equitydata as eq
from equitydata.errors import DisclosureError, InputError
from equitydata.release import release_tables
from equitydata.release.earlier import Earlier, Source, digest, kept_numbers, read_earlier
from equitydata.rulebook import disclosure_rule
from equitydata.tables import HIDDEN, SPECS
from tables_helper import analysed, released_as

NHS, EXACT = disclosure_rule("nhs"), disclosure_rule("hide-7-round-1")
YEAR = ("2025-04-01", "2026-03-31")
APRIL = Source(inputs=frozenset({"april"}), rows=4000, period=YEAR)


def statuses(**people):
    frame = pd.DataFrame({"characteristic": "sex", "status": list(people), "people": list(people.values())})
    frame = frame.assign(records=frame["people"] * 4, records_carried_back=frame["people"] * 4)
    return {"statuses": frame.reindex(columns=list(SPECS["statuses"].columns))}


def published(tables, rule, source=APRIL, label="april"):
    people = int(tables["statuses"]["people"].sum())
    found = release_tables(tables, rule, people=people)
    return Earlier(label, source, rule, {digest(name): value for name, value in found.numbers.items()})


def hidden(tables, rule, **more):
    people = int(tables["statuses"]["people"].sum())
    found = release_tables(tables, rule, people=people, **more).tables["statuses"]
    return found.loc[found[HIDDEN], "status"].tolist()


def test_what_was_hidden_stays_hidden_in_a_release_of_the_same_data():
    tables = statuses(known=900, declined=8, missing=92)
    before = published(tables, disclosure_rule("threshold-10"))
    assert before.numbers[digest("people|sex|unknown|Declined")] is None
    assert hidden(tables, NHS) == []
    assert "declined" in hidden(tables, NHS, earlier=[before], source=APRIL)


def test_two_roundings_of_the_same_data_bound_a_count_together():
    # 5 of 12 is hidden. Shown to 5, the whole is 8 to 12; shown before as 12, it is 12: then 7 others are told by each.
    tables = statuses(known=905, declined=6, missing=89)
    alone = hidden(tables, NHS)
    exact = published(statuses(known=905, declined=6, missing=89), EXACT)
    together = hidden(tables, NHS, earlier=[exact], source=APRIL)
    assert alone == ["declined"] and set(together) >= {"declined"}
    assert len(together) > len(alone)


def test_releases_that_differ_by_a_few_people_are_refused():
    before = published(statuses(known=902, declined=20, missing=92), NHS)
    after = statuses(known=903, declined=20, missing=92)
    now = Source(inputs=frozenset({"may"}), rows=4004, period=YEAR)
    with pytest.raises(DisclosureError) as error:
        hidden(after, NHS, earlier=[before], source=now)
    assert "differ by 4 rows" in str(error.value) and "april" in str(error.value)
    # A different name of the file alone changes no number.
    assert hidden(statuses(known=902, declined=20, missing=92), NHS, earlier=[before], source=now) == []


def test_releases_that_differ_by_many_rows_are_made():
    before = published(statuses(known=902, declined=20, missing=92), NHS)
    now = Source(inputs=frozenset({"may"}), rows=5200, period=YEAR)
    assert hidden(statuses(known=1200, declined=24, missing=102), NHS, earlier=[before], source=now) == []


def test_a_count_that_was_hidden_and_grew_by_no_more_than_the_rows_is_not_told():
    # 10 rows more: if 17 are shown now, there were at least 7 before, and 7 at most as it was hidden.
    before = published(statuses(known=900, declined=7, missing=93), NHS)
    now = Source(inputs=frozenset({"may"}), rows=4010, period=YEAR)
    after = statuses(known=900, declined=17, missing=93)
    assert "declined" in hidden(after, NHS, earlier=[before], source=now)
    assert hidden(after, NHS) == []


def test_another_period_tells_only_of_months_that_both_hold():
    before = replace(
        published(statuses(known=902, declined=20, missing=92), NHS), source=replace(APRIL, rows=3999)
    )
    later = Source(inputs=frozenset({"may"}), rows=4000, period=("2025-05-01", "2026-04-30"))
    assert hidden(statuses(known=903, declined=20, missing=92), NHS, earlier=[before], source=later) == []


# ---------------------------------------------------------------- manifests


def test_a_manifest_keeps_what_the_tables_show_and_no_more():
    released = released_as("nhs")
    numbers = released.released_numbers
    assert len(numbers) > 300 and None in numbers.values()
    for value in numbers.values():
        assert value is None or value == 0 or (value > 7 and value % 5 == 0)
    assert not any("#" in name for name in numbers)
    kept = kept_numbers(numbers)
    assert {name: value for held in kept.values() for name, value in held.items()} == {
        digest(name): value for name, value in numbers.items()
    }
    months = {digest(name) for name in numbers if "|month|" in name or "@" in name}
    assert months and set(kept["single_periods"]) == months


def test_a_report_is_audited_with_an_earlier_one(tmp_path):
    first = eq.write_report(released_as("nhs"), tmp_path / "first")
    earlier = read_earlier(first.folder)
    assert earlier == replace(read_earlier(first.manifest), label=earlier.label)
    assert earlier.rule.name == "nhs" and earlier.source.rows == analysed().intake.rows_used
    second = eq.write_report(analysed(), tmp_path / "second", previous=[first.folder])
    numbers = [json.loads(each.manifest.read_text())["released_numbers"] for each in (first, second)]
    shown = [
        {(a, b) for a, held in each.items() for b, value in held.items() if value is None} for each in numbers
    ]
    assert shown[0] <= shown[1]


def test_a_released_result_cannot_be_audited_with_an_earlier_one(tmp_path):
    first = eq.write_report(released_as("nhs"), tmp_path / "first")
    with pytest.raises(DisclosureError, match="without a look at earlier releases"):
        eq.write_report(released_as("nhs"), tmp_path / "second", previous=[first.folder])


@pytest.mark.parametrize("content", ["", "{}", "[1, 2]", '{"released_numbers": 3}', '{"made": "2026"}'])
def test_a_file_that_is_no_manifest_is_refused(tmp_path, content):
    path = tmp_path / "manifest.json"
    path.write_text(content)
    with pytest.raises(InputError, match="manifest"):
        read_earlier(path)


def test_a_manifest_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_earlier(tmp_path / "nowhere" / "manifest.json")
