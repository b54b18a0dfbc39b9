"""What the engine adds up for measures equals a plain-Python count: every kind, repeats, periods, places, levels."""

import math
import random
from datetime import date, timedelta

import pandas as pd
import pytest

import equitydata as eq
from equitydata.errors import ConfigError, InputError
from equitydata.records import measuring
from equitydata.records.coded import code_records
from equitydata.records.engine import Engine, open_engine
from equitydata.records.extract import open_extract
from equitydata.records.outcomes import SUMS, cell_ends, count_outcomes, count_place_outcomes
from equitydata.records.persons import resolve_people
from equitydata.strata import USERS, crossings_of, stratified, stratify
from plain_outcomes import day, group_sums, number, pair_sums, person_sums

FIRST = date(2025, 4, 1)
ETHNIC = {"A": "White British", "K": "Bangladeshi", "M": "Black Caribbean"}
UNKNOWN = {"Z": "Declined", "99": "Not known", None: "Missing"}
FIVE = {"White British": "White", "Bangladeshi": "Asian", "Black Caribbean": "Black"}
QUARTERS = ["2025 Q2", "2025 Q3", "2025 Q4", "2026 Q1"]
MEASURES = {
    "missed": {
        "label": "Did not attend",
        "kind": "access",
        "polarity": "adverse",
        "denominator": {"column": "attendance", "in": ["5", "6", "3"]},
        "numerator": {"column": "attendance", "equals": "3"},
    },
    "controlled": {
        "label": "Within target",
        "kind": "outcome",
        "polarity": "favourable",
        "counts": "people",
        "denominator": {"column": "result", "in": ["Y", "N"]},
        "numerator": {"column": "result", "in": ["y"]},
    },
    "controlled_all": {
        "label": "Always within target",
        "kind": "outcome",
        "polarity": "favourable",
        "counts": "people",
        "person": "all",
        "denominator": {"column": "result", "in": ["Y", "N"]},
        "numerator": {"column": "result", "in": ["Y"]},
    },
    "controlled_last": {
        "label": "Last within target",
        "kind": "outcome",
        "polarity": "favourable",
        "counts": "people",
        "person": "latest",
        "denominator": {"column": "result", "in": ["Y", "N"]},
        "numerator": {"column": "result", "in": ["Y"]},
    },
    "wait": {"label": "Wait", "kind": "access", "polarity": "adverse", "value": "wait"},
    "person_wait": {
        "label": "Wait of a person",
        "kind": "access",
        "polarity": "adverse",
        "value": "wait",
        "counts": "people",
    },
    "median_wait": {
        "label": "Median wait",
        "kind": "access",
        "polarity": "adverse",
        "value": "wait",
        "quantile": 0.5,
    },
    "in_time": {
        "label": "Seen in time",
        "kind": "access",
        "polarity": "favourable",
        "value": "wait",
        "standard": 20,
    },
    "apart": {
        "label": "Days from referral",
        "kind": "access",
        "polarity": "adverse",
        "value": {"from": "referred", "to": "date"},
    },
    "fast": {
        "label": "Within 30 days",
        "kind": "access",
        "polarity": "favourable",
        "denominator": {"days": {"from": "referred", "to": "date"}, "missing": False},
        "numerator": {"days": {"from": "referred", "to": "date"}, "at_most": 30},
    },
    "falls": {
        "label": "Falls",
        "kind": "safety",
        "polarity": "adverse",
        "person_time": "days_in",
        "numerator": {"column": "fall", "equals": "1"},
    },
    "seen": {
        "label": "Seen",
        "kind": "access",
        "polarity": "neutral",
        "per_residents": True,
        "numerator": [{"column": "attendance", "in": ["5", "6"]}, {"column": "wait", "between": [0, 100]}],
    },
}
READINGS = {
    "missed": {
        "eligible": lambda r: r["attendance"] in ("5", "6", "3"),
        "met": lambda r: r["attendance"] == "3",
    },
    "controlled": {
        "counts": "people",
        "eligible": lambda r: r["result"] in ("Y", "N"),
        "met": lambda r: r["result"] == "Y",
    },
    "wait": {"eligible": lambda r: number(r["wait"]) is not None, "value": lambda r: number(r["wait"])},
    "in_time": {
        "eligible": lambda r: number(r["wait"]) is not None,
        "met": lambda r: number(r["wait"]) <= 20,
    },
    "apart": {
        "eligible": lambda r: day(r["referred"]) is not None,
        "value": lambda r: day(r["date"]) - day(r["referred"]),
    },
    "fast": {
        "eligible": lambda r: day(r["referred"]) is not None,
        "met": lambda r: day(r["date"]) - day(r["referred"]) <= 30,
    },
    "falls": {
        "eligible": lambda r: number(r["days_in"]) is not None,
        "met": lambda r: r["fall"] == "1",
        "time": lambda r: number(r["days_in"]),
    },
}
READINGS["controlled_all"] = {**READINGS["controlled"], "person": "all"}
READINGS["controlled_last"] = {**READINGS["controlled"], "person": "latest"}
READINGS["person_wait"] = {**READINGS["wait"], "counts": "people"}


def generated(seed, *, rows=900, people=150):
    """Contacts over four quarters; a person keeps ethnic group, sex and age; every column has blanks."""
    chance = random.Random(seed)
    own = {
        f"P{n:03d}": {
            "ethnic": chance.choice([*ETHNIC, *UNKNOWN]),
            "sex": chance.choice(["1", "2", "X"]),
            "age": chance.choice([3, 17, 18, 34, 35, 66, 91, None]),
        }
        for n in range(people)
    }
    made = []
    for _ in range(rows):
        person = chance.choice(list(own))
        when = FIRST + timedelta(days=chance.randrange(365))
        made.append(
            {
                "person": person,
                "date": when.isoformat(),
                "site": chance.choice(["North", "South", None]),
                **own[person],
                "attendance": chance.choice(["5", "6", "3", "2", None]),
                "result": chance.choice(["Y", "N", "", None]),
                "wait": chance.choice(["5", "20", "21.5", " 90 ", "n/a", None]),
                "referred": (when - timedelta(days=chance.randrange(60))).isoformat()
                if chance.random() < 0.8
                else None,
                "days_in": chance.choice(["1", "2.5", None]),
                "fall": chance.choice(["0", "1"]),
            }
        )
    return made


def service(measures=None, **analysis):
    return eq.make_service(
        {
            "service": {"name": "Generated", "period": {"from": FIRST, "to": date(2026, 3, 31)}},
            "extract": {"person": "person", "date": "date", "site": "site", "day_first": False},
            "characteristics": {
                "ethnicity": {"column": "ethnic", "code_list": "nhs-ethnic-category-2001"},
                "sex": {"column": "sex", "code_list": "person-stated-gender"},
                "age": {"column": "age"},
            },
            "measures": MEASURES if measures is None else measures,
            "analysis": analysis,
        }
    )


def counted(rows, given):
    """Strata of generated rows, and the counts they are made from."""
    with open_engine() as engine:
        extract = open_extract(pd.DataFrame(rows), engine=engine)
        coded = code_records(extract, given, engine)
        places, notes = count_place_outcomes(coded, given)
        people = resolve_people(coded, given.rulebook)
        names = stratified(given, coded.fields)
        crossings = crossings_of(given, names, 10_000)
        counts = count_outcomes(
            people, places, characteristics=names, crossings=crossings, trend_by=given.analysis.trend_by,
            age_ends=cell_ends(given.rulebook.value("age_bands")), notes=notes,
        )  # fmt: skip
        labels = {name: coded.fields[name].characteristic.label for name in names}
        lists = {name: list(field.code_lists) for name, field in coded.fields.items()}
    return stratify(counts, labels=labels, code_lists=lists, rulebook=given.rulebook), counts


@pytest.fixture(scope="module", params=[1, 2])
def generated_strata(request):
    rows = generated(request.param)
    return rows, counted(rows, service())[0]


def words(code):
    return ETHNIC.get(code) or UNKNOWN[code]


def as_sums(frame, keys=("category",)):
    named = frame[frame["people"].notna()].set_index(list(keys))[list(SUMS)]
    return {key: row for key, row in named.to_dict("index").items() if any(row.values())}


@pytest.mark.parametrize("name", READINGS)
def test_sums_of_a_measure_are_the_plain_count(generated_strata, name):
    rows, strata = generated_strata
    group_of = {row["person"]: words(row["ethnic"]) for row in rows}
    expected = group_sums(person_sums(rows, READINGS[name]), group_of)
    here = strata.strata[
        (strata.strata["measure"] == name) & (strata.strata["characteristic"] == "ethnicity")
    ]
    detailed = as_sums(here[here["level"] == "detailed"])
    assert {key for key, row in expected.items() if row["people"]} == set(detailed)
    for group, sums in detailed.items():
        assert sums == pytest.approx(expected[group]), group


@pytest.mark.parametrize("name", [name for name in READINGS if name != "controlled_last"])
def test_sums_of_a_quarter_are_the_plain_count(generated_strata, name):
    rows, strata = generated_strata
    group_of = {row["person"]: words(row["ethnic"]) for row in rows}
    here = strata.periods[
        (strata.periods["measure"] == name)
        & (strata.periods["characteristic"] == "ethnicity")
        & (strata.periods["level"] == "detailed")
    ]
    assert sorted(set(here["period"])) == QUARTERS
    for quarter in QUARTERS:
        expected = group_sums(person_sums(rows, READINGS[name], period=quarter), group_of)
        for group, sums in as_sums(here[here["period"] == quarter]).items():
            assert sums == pytest.approx(expected[group]), (quarter, group)


@pytest.mark.parametrize("name", ["missed", "controlled", "wait", "falls"])
def test_products_between_first_and_last_quarter_are_the_plain_count(generated_strata, name):
    rows, strata = generated_strata
    group_of = {row["person"]: words(row["ethnic"]) for row in rows}
    first, last = (
        person_sums(rows, READINGS[name], period=quarter) for quarter in (QUARTERS[0], QUARTERS[-1])
    )
    expected = pair_sums(first, last, group_of)
    here = strata.pairs[
        (strata.pairs["measure"] == name)
        & (strata.pairs["characteristic"] == "ethnicity")
        & (strata.pairs["level"] == "detailed")
    ]
    for row in here.to_dict("records"):
        sums = {key: row[key] for key in ("people", "n0n1", "n0x1", "x0n1", "x0x1")}
        assert sums == pytest.approx(expected[row["category"]])


def test_coarser_levels_add_up_and_everyone_is_in_a_row(generated_strata):
    rows, strata = generated_strata
    here = strata.strata[strata.strata["measure"] == "missed"]
    whole = here[here["characteristic"] == "all"].iloc[0]
    for _, level in here[here["characteristic"] != "all"].groupby(["characteristic", "level"]):
        assert level[list(SUMS)].sum().to_dict() == pytest.approx(whole[list(SUMS)].to_dict())
    group_of = {row["person"]: FIVE.get(words(row["ethnic"]), words(row["ethnic"])) for row in rows}
    expected = group_sums(person_sums(rows, READINGS["missed"]), group_of)
    five = here[(here["characteristic"] == "ethnicity") & (here["level"] == "groups")]
    for group, sums in as_sums(five).items():
        assert sums == pytest.approx(expected[group])


def test_a_crossing_is_the_plain_count(generated_strata):
    rows, strata = generated_strata
    sexes = {"1": "Male", "2": "Female"}
    group_of = {
        row["person"]: f"{ETHNIC[row['ethnic']]} × {sexes[row['sex']]}"
        if row["ethnic"] in ETHNIC and row["sex"] in sexes
        else "unknown"
        for row in rows
    }
    expected = group_sums(person_sums(rows, READINGS["missed"]), group_of)
    here = strata.strata[
        (strata.strata["measure"] == "missed")
        & (strata.strata["characteristic"] == "ethnicity x sex")
        & (strata.strata["level"] == "detailed x detailed")
        & (strata.strata["status"] == "known")
    ]
    found = as_sums(here)
    assert set(found) == {key for key, row in expected.items() if row["people"] and key != "unknown"}
    for group, sums in found.items():
        assert sums == pytest.approx(expected[group])


def test_cells_by_age_and_sex_are_the_plain_count(generated_strata):
    rows, strata = generated_strata
    lower = {3: 1, 17: 16, 18: 18, 34: 30, 35: 35, 66: 65, 91: 90, None: -1}
    sexes = {"1": "Male", "2": "Female", "X": ""}
    group_of = {row["person"]: (words(row["ethnic"]), lower[row["age"]], sexes[row["sex"]]) for row in rows}
    expected = group_sums(person_sums(rows, READINGS["controlled"]), group_of)
    here = strata.cells[
        (strata.cells["measure"] == "controlled")
        & (strata.cells["characteristic"] == "ethnicity")
        & (strata.cells["level"] == "detailed")
    ]
    found = as_sums(here, ("category", "age_from", "sex"))
    assert set(found) == {key for key, row in expected.items() if row["people"]}
    for key, sums in found.items():
        assert sums == pytest.approx(expected[key])


def test_values_of_a_median_are_each_persons_mean(generated_strata):
    rows, strata = generated_strata
    sums = person_sums(rows, READINGS["person_wait"])
    expected: dict = {}
    for row in {row["person"]: row for row in rows}.values():
        n, x = sums[row["person"]]
        if n:
            key = (words(row["ethnic"]), math.floor(x * 100 + 0.5) / 100)
            expected[key] = expected.get(key, 0) + 1
    here = strata.values[
        (strata.values["characteristic"] == "ethnicity") & (strata.values["level"] == "detailed")
    ]
    found = {(row.category, round(row.value, 2)): row.people for row in here.itertuples()}
    assert sum(found.values()) == sum(expected.values())
    assert found == expected


def test_places_count_contacts_where_they_took_place_and_people_where_they_were_last(generated_strata):
    rows, strata = generated_strata
    here = strata.places[(strata.places["by"] == "site")]
    missed = here[here["measure"] == "missed"].set_index("place")
    for place, code in (("North", "North"), ("South", "South"), ("Not recorded", None)):
        eligible = [r for r in rows if r["site"] == code and r["attendance"] in ("5", "6", "3")]
        assert missed.loc[place, "n"] == len(eligible)
        assert missed.loc[place, "x"] == sum(r["attendance"] == "3" for r in eligible)
    assert missed["people"].isna().all()
    waits = here[here["measure"] == "wait"].set_index("place")
    assert waits["x"].sum() == sum(number(r["wait"]) for r in rows if number(r["wait"]) is not None)
    assert here[here["measure"] == "controlled"]["people"].sum() == len(
        {r["person"] for r in rows if r["result"] in ("Y", "N")}
    )


def test_a_rate_of_residents_has_no_denominator_yet(generated_strata):
    rows, strata = generated_strata
    seen = [r for r in rows if r["attendance"] in ("5", "6") and number(r["wait"]) is not None]
    whole = strata.strata[
        (strata.strata["measure"] == "seen") & (strata.strata["characteristic"] == "all")
    ].iloc[0]
    assert (whole["x"], whole["n"], whole["cases"]) == (len(seen), 0, len({r["person"] for r in seen}))


def test_users_count_everyone_once(generated_strata):
    rows, strata = generated_strata
    users = strata.strata[(strata.strata["measure"] == USERS) & (strata.strata["characteristic"] == "sex")]
    people = {row["person"]: row["sex"] for row in rows}
    assert users.set_index("category")["people"]["Male"] == sum(sex == "1" for sex in people.values())
    assert users["people"].sum() == len(people)


def test_categories_that_the_list_does_not_have_are_not_collected_and_never_zero(generated_strata):
    _, strata = generated_strata
    here = strata.strata[(strata.strata["measure"] == "missed") & (strata.strata["level"] == "detailed")]
    here = here[here["characteristic"] == "ethnicity"].set_index("category")
    assert here.loc["Roma", "status"] == "not collected"
    assert pd.isna(here.loc["Roma", "people"])
    assert here.loc["White Irish", "status"] == "known"
    assert here.loc["White Irish", "people"] == 0


def test_a_person_with_more_records_than_the_bits_hold_is_counted_rightly(monkeypatch):
    rows = generated(7, rows=300, people=4)
    expected = counted(rows, service())[0]
    monkeypatch.setattr(measuring, "SLOT_BITS", 4)
    monkeypatch.setattr(measuring, "LARGEST_COUNT", 15)
    monkeypatch.setattr("equitydata.records.persons.LARGEST_COUNT", 15)
    found = counted(rows, service())[0]
    for name in ("strata", "cells", "periods", "pairs"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.parametrize("trend", ["month", "year", "none"])
def test_the_step_of_the_trend_changes_the_periods_and_no_total(trend):
    rows = generated(3)
    whole, quarters = counted(rows, service(trend=trend))[0], counted(rows, service())[0]
    pd.testing.assert_frame_equal(whole.strata, quarters.strata)
    lengths = {"month": 12, "year": 2, "none": 0}
    assert whole.periods["period"].nunique() == lengths[trend]
    if trend != "none":
        summed = whole.periods.groupby(["measure", "characteristic", "level", "category"])[["n", "x"]].sum()
        other = quarters.periods.groupby(["measure", "characteristic", "level", "category"])[["n", "x"]].sum()
        contacts = [name for name in summed.index.levels[0] if name in ("missed", "wait", "falls")]
        pd.testing.assert_frame_equal(summed.loc[contacts].sort_index(), other.loc[contacts].sort_index())


def test_a_measure_may_have_a_period_of_its_own():
    rows = generated(4)
    half = {**MEASURES["missed"], "period": {"from": date(2025, 10, 1)}}
    strata, _ = counted(rows, service({"missed": half}))
    expected = [r for r in rows if r["date"] >= "2025-10-01" and r["attendance"] in ("5", "6", "3")]
    whole = strata.strata[(strata.strata["measure"] == "missed") & (strata.strata["characteristic"] == "all")]
    assert whole["n"].iloc[0] == len(expected)


# ---------------------------------------------------------------- bad measures


def refused(measures, rows=None, **analysis):
    with pytest.raises((ConfigError, InputError)) as caught:
        counted(rows or generated(5), service(measures, **analysis))
    return str(caught.value)


def test_an_unknown_column_is_named_with_key_and_nearest():
    words = refused({"missed": {**MEASURES["missed"], "numerator": {"column": "atendance", "equals": "3"}}})
    assert "no column 'atendance'" in words
    assert "[measures.missed]" in words
    assert "attendance" in words


def test_an_empty_denominator_is_refused_with_file_and_key():
    words = refused({"missed": {**MEASURES["missed"], "denominator": {"column": "attendance", "in": ["8", "3"]},
                                "numerator": {"column": "attendance", "in": ["3"]}} | {
                                    "denominator": {"column": "result", "equals": "never"}}})  # fmt: skip
    assert "No record is in the denominator" in words
    assert "[measures.missed] denominator" in words
    assert "never" not in words


def test_a_numerator_outside_its_denominator_is_refused():
    measure = {**MEASURES["missed"], "denominator": {"column": "attendance", "equals": "5"}}
    with pytest.raises(ConfigError) as caught:
        service({"missed": measure})
    assert "numerator" in str(caught.value)
    crossed = {**MEASURES["missed"], "denominator": [{"column": "attendance", "not_in": ["3"]}]}
    words = refused({"missed": crossed})
    assert "outside the denominator" in words
    assert "[measures.missed] numerator" in words


def test_a_numerator_that_reaches_beyond_is_counted_inside_and_noted():
    rows = generated(6)
    measure = {**MEASURES["missed"], "denominator": {"column": "result", "in": ["Y", "N"]}}
    strata, _ = counted(rows, service({"missed": measure}))
    inside = [r for r in rows if r["result"] in ("Y", "N")]
    whole = strata.strata[(strata.strata["measure"] == "missed") & (strata.strata["characteristic"] == "all")]
    assert whole["x"].iloc[0] == sum(r["attendance"] == "3" for r in inside)
    outside = sum(r["attendance"] == "3" for r in rows) - sum(r["attendance"] == "3" for r in inside)
    assert any(f"{outside:,} records" in note for note in strata.notes)


@pytest.mark.parametrize(
    ("crossing", "expected"),
    [
        ("ethnicity x age x sex", "is not a crossing"),
        ("ethnicity x seks", "'seks' is not mapped"),
        ("sex x sex", "overlap"),
    ],
)
def test_a_crossing_that_cannot_be_is_refused(crossing, expected):
    words = refused({"missed": MEASURES["missed"]}, crossings=[crossing])
    assert expected in words
    assert "[analysis] crossings" in words


def test_a_crossing_of_more_groups_than_people_allow_is_refused():
    with pytest.raises(ConfigError) as caught:
        crossings_of(service(crossings=["ethnicity x sex"]), ["ethnicity", "sex"], people=40)
    assert "more than 40 people allow" in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"value": "wait"},
        {"numerator": ()},
        {"standard": 3},
        {"per_residents": True},
        {"person_time": "days_in", "counts": "people"},
        {"denominator": {"column": "attendance"}},
        {"denominator": {"column": "attendance", "between": [5, 1]}},
    ],
)
def test_a_measure_that_is_no_statistic_is_refused_when_the_file_is_read(change):
    with pytest.raises(ConfigError) as caught:
        service({"missed": {**MEASURES["missed"], **change}})
    assert "measures.missed" in str(caught.value)


def test_values_that_are_no_numbers_are_counted_in_a_note():
    rows = generated(8)
    strata, _ = counted(rows, service({"wait": MEASURES["wait"]}))
    assert sum(r["wait"] == "n/a" for r in rows) > 50
    words = f"{sum(r['wait'] == 'n/a' for r in rows):,} records hold a value that is no number"
    assert any(words in note for note in strata.notes)


def test_codes_in_a_column_of_floating_numbers_are_the_codes():
    rows = generated(8)
    codes = pd.DataFrame(rows).assign(attendance=[float(r["attendance"] or "nan") for r in rows])
    found, _ = counted(codes, service({"missed": MEASURES["missed"]}))
    expected, _ = counted(rows, service({"missed": MEASURES["missed"]}))
    pd.testing.assert_frame_equal(found.strata, expected.strata)


@pytest.mark.parametrize("column", ["ethnic", "sex", "age"])
def test_a_characteristic_that_is_known_of_nobody_has_its_people_in_rows_of_unknown_group(column):
    rows = [{**row, column: None} for row in generated(11, rows=200)]
    strata, _ = counted(rows, service({"missed": MEASURES["missed"]}))
    name = {"ethnic": "ethnicity"}.get(column, column)
    people = len({row["person"] for row in rows})
    users = strata.strata[strata.strata["measure"] == USERS]
    for _, here in users[users["characteristic"].str.contains(name)].groupby(["characteristic", "level"]):
        assert here["people"].sum() == people
        assert here.loc[here["status"] == "known", "people"].sum() == 0
    assert users[users["characteristic"] == "all"]["people"].item() == people


# ---------------------------------------------------------------- cost


def asked_of_the_engine(measures, monkeypatch):
    """What is asked of the engine in one run: how often a table is worked out and held, and how often fetched."""
    calls = {"stage": 0, "to_frame": 0}
    for name in calls:
        plain = getattr(Engine, name)

        def counting(self, *given, _plain=plain, _name=name):
            calls[_name] += 1
            return _plain(self, *given)

        monkeypatch.setattr(Engine, name, counting)
    counted(generated(9, rows=200), service(measures))
    monkeypatch.undo()
    return calls


def test_twice_the_measures_ask_the_engine_no_more_often(monkeypatch):
    four = {name: MEASURES[name] for name in ("missed", "controlled", "wait", "in_time")}
    eight = four | {f"{name}_again": measure for name, measure in four.items()}
    once, twice = (asked_of_the_engine(measures, monkeypatch) for measures in (four, eight))
    assert once == twice
    assert min(once.values()) > 0


# ---------------------------------------------------------------- what extracts hold


def test_negative_and_infinite_values_are_left_out_and_told():
    rows = generated(12)
    for place, row in enumerate(rows):
        row["wait"] = ["inf", "1e400", "5"][place % 3]
        row["days_in"] = ["-3", "2"][place % 2]
    strata, _ = counted(rows, service({name: MEASURES[name] for name in ("wait", "falls")}))
    whole = strata.strata[strata.strata["characteristic"] == "all"].set_index("measure")
    fives = sum(row["wait"] == "5" for row in rows)
    assert (whole.loc["wait", "n"], whole.loc["wait", "x"]) == (fives, 5 * fives)
    assert whole.loc["falls", "n"] == 2 * sum(row["days_in"] == "2" for row in rows)
    assert sum("no number that can be counted" in note for note in strata.notes) == 2


def test_no_time_at_risk_at_all_is_refused():
    words = refused({"falls": MEASURES["falls"]}, [{**row, "days_in": "0"} for row in generated(12)])
    assert "person-time of all records is 0" in words
    assert "[measures.falls] person_time" in words


def test_days_with_a_time_zone_are_those_of_the_clock_on_the_wall():
    rows = [{**row, "date": "2025-06-01", "referred": "2025-05-20"} for row in generated(12, rows=60)]
    frame = pd.DataFrame(rows)
    frame["date"] = pd.to_datetime(frame["date"]).dt.tz_localize("Europe/London")
    strata, _ = counted(frame, service({"apart": MEASURES["apart"]}))
    whole = strata.strata[(strata.strata["characteristic"] == "all") & (strata.strata["measure"] == "apart")]
    assert whole["x"].item() / whole["n"].item() == 12


def test_the_whole_run_holds_with_every_kind_of_measure_and_groups_that_nobody_is_in():
    result = eq.analyse(service(), pd.DataFrame(generated(13)))
    table = result.comparisons
    medians = table[(table["measure"] == "median_wait") & (table["characteristic"] == "ethnicity")]
    empty = medians[(medians["category"] == "Pakistani") & (medians["comparator"] == "rest")]
    assert empty["people"].eq(0).all()
    assert set(empty["flag"]) <= {"insufficient_data", ""}
    assert set(result.outcomes["measure"]) == set(MEASURES)
    seen = result.outcomes[
        (result.outcomes["measure"] == "seen") & (result.outcomes["characteristic"] == "all")
    ]
    assert seen["people"].item() > 0
