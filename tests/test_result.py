"""The result: its tables, its words, and the way to JSON and back."""

import json
from dataclasses import fields, replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

import equitydata as eq
from equitydata.model import Intake, Rejection, SourceFile
from equitydata.release.released import release
from equitydata.result import MATURITY_TABLES, EquityResult
from equitydata.rulebook import disclosure_rules
from equitydata.tables import SPECS, plain
from tables_helper import analysed, released_as


def from_attestations() -> EquityResult:
    service = eq.make_service(
        {
            "service": {"name": "Trust", "level": "organisation"},
            "attestations": {
                "O-QUAN-F1": {"met": True, "evidence": "Policy", "owner": "Board", "date": date(2026, 1, 12)}
            },
        }
    )
    return eq.rate(service, as_of=date(2026, 4, 1))


def with_intake() -> EquityResult:
    intake = Intake(
        rows_read=105,
        rejections=(Rejection("Test patient", 3, (17, 23)), Rejection("Wrong number of columns", 2)),
        files=(SourceFile("contacts.csv", 4800, "0" * 64, "utf-8", ",", 3),),
        notes=("Two title lines stand above the header.",),
    )
    return replace(analysed(), intake=intake, notes=("Deprivation comes from the area of residence.",))


RESULTS = {
    "true counts": analysed,
    "attestations alone": from_attestations,
    "attestations alone, released": lambda: release(from_attestations()),
    "rejected rows": with_intake,
    **{name: lambda name=name: released_as(name) for name in disclosure_rules()},
}


@pytest.fixture(params=RESULTS)
def result(request):
    return RESULTS[request.param]()


def test_the_way_to_json_and_back_gives_every_table_again(result):
    again = EquityResult.from_json(result.to_json())
    assert set(again.tables) == set(result.tables)
    for name in (*result.tables, *MATURITY_TABLES):
        pd.testing.assert_frame_equal(again.table(name), result.table(name), check_dtype=False, obj=name)


def test_the_way_to_json_and_back_gives_everything_else_again(result):
    again = EquityResult.from_json(result.to_json())
    for field in fields(EquityResult):
        if field.name not in ("tables", "maturity"):
            assert getattr(again, field.name) == getattr(result, field.name), field.name
    for name in ("level", "tier", "tier_measured", "tier_other_reading", "matrix_tier"):
        assert getattr(again.maturity, name) == getattr(result.maturity, name)


def test_a_second_way_to_json_gives_the_same_text(result):
    text = result.to_json()
    assert EquityResult.from_json(text).to_json() == text


@pytest.mark.parametrize("given", [analysed, from_attestations, lambda: released_as()])
def test_numbers_that_come_back_can_be_reckoned_with(given):
    again = EquityResult.from_json(given().to_json())
    for name in (*again.tables, *MATURITY_TABLES):
        frame, spec = again.table(name), SPECS[name]
        for column in (*spec.counts, *(share.value for share in spec.shares)):
            assert pd.api.types.is_numeric_dtype(frame[column]), (name, column)
        assert "hidden" not in frame or frame["hidden"].dtype == bool, name
    assert again.maturity.areas["data_domain"].dtype == bool


def test_json_holds_no_number_that_is_not_one():
    content = json.loads(released_as().to_json(), parse_constant=pytest.fail)
    assert content["disclosure"] == "nhs" and content["about"]["as_of"] == "2026-04-01"


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        (None, None),
        (pd.NA, None),
        (float("nan"), None),
        (np.float64("nan"), None),
        (3.0, 3),
        (np.float64(3.0), 3),
        (np.int64(7), 7),
        (0.25, 0.25),
        (1e300, 1e300),
        (np.bool_(True), True),
        ("K", "K"),
    ],
)
def test_a_cell_is_written_as_json_can_hold_it(cell, wanted):
    found = plain(cell)
    assert found == wanted and type(found) is type(wanted)


def test_what_is_neither_a_day_nor_a_number_is_written_in_words():
    choices = {
        **analysed().choices,
        "gap_flag": replace(analysed().choices["gap_flag"], value=np.float64(0.2)),
    }
    given = replace(analysed(), choices=choices, hidden_cells={"codes": np.int64(3), "flags": frozenset()})
    content = json.loads(given.to_json())
    assert content["hidden_cells"] == {"codes": 3, "flags": "frozenset()"}


# ---------------------------------------------------------------- reading it


@pytest.mark.parametrize(
    "name", ["completeness", "statuses", "breakdown", "categories", "codes", "verification", "flags"]
)
def test_each_question_is_a_table_with_the_columns_of_its_specification(name):
    frame = getattr(analysed(), name)
    assert list(frame.columns) == list(SPECS[name].columns)
    pd.testing.assert_frame_equal(frame, analysed().table(name))


def test_a_table_that_is_changed_leaves_the_result_as_it_was():
    for name in ("statuses", "criteria"):
        frame = analysed().table(name)
        frame.iloc[:, 0] = "changed"
        assert not analysed().table(name).iloc[:, 0].eq("changed").any()


def test_a_figure_is_asked_for_by_name():
    found = analysed().figure("joint_known")
    assert found["denominator"] == 90 == analysed().about.people
    with pytest.raises(KeyError):
        analysed().figure("joined_known")


def test_the_result_says_what_it_is_in_one_line():
    assert repr(analysed()).startswith(
        "EquityResult('Clinic <script>alert(1)</script>', 90 people, data-domain tier"
    )
    few = replace(analysed(), about=replace(analysed().about, people=None))
    assert ", few people," in repr(few)


def test_a_name_cannot_break_out_of_the_notebook():
    areas = analysed().maturity.areas.assign(area="<img src=x onerror=alert(1)>")
    hostile = replace(analysed(), maturity=replace(analysed().maturity, areas=areas, tier="<b>"))
    html = hostile._repr_html_()
    assert "<script" not in html and "<img" not in html and "<b>" not in html
    assert "Clinic &lt;script&gt;" in html and "&lt;img src=x" in html


def test_the_result_cannot_be_changed():
    with pytest.raises(AttributeError):
        analysed().disclosure = "none"
