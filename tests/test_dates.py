"""Dates as people and programs write them."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equitydata.records.dates import date_notes, parse_dates

FIRST_OF_APRIL = [
    "2025-04-01", "2025-4-1", "2025/04/01", "2025.04.01", "2025-04-01T10:30:00", "2025-04-01 10:30",
    "2025-04-01T23:30:00Z", "2025-04-01T00:30:00.123+01:00", "2025-04-01T", "20250401", "20250401103000",
    "01-Apr-2025", "1-Apr-25", "1 April 2025", "01APR2025", "1st April 2025", "1 apr. 2025", "April 1, 2025",
    "Apr 1 2025", "Tue 1 Apr 2025", "Tuesday, 1 April 2025", "01 APRIL 2025 10:30", "01042025",
    "45748", "45748.0", "45748.4375", " 2025-04-01 ",
]  # fmt: skip


@pytest.mark.parametrize("written", FIRST_OF_APRIL)
def test_the_first_of_april_is_read_however_it_is_written(written: str) -> None:
    parsed = parse_dates(pd.Series([written]))
    assert parsed["date"].iloc[0] == pd.Timestamp("2025-04-01")
    assert parsed["status"].iloc[0] == "known"
    assert parsed["form"].iloc[0]


@pytest.mark.parametrize("separator", ["/", "-", ".", " "])
@pytest.mark.parametrize("year", ["2025", "25"])
def test_the_day_comes_first_unless_the_column_shows_otherwise(separator: str, year: str) -> None:
    def read(*values: str, day_first: bool = True) -> list[str]:
        written = pd.Series([value.replace("/", separator).replace("Y", year) for value in values])
        return [str(day.date()) for day in parse_dates(written, day_first=day_first)["date"]]

    assert read("03/04/Y") == ["2025-04-03"]
    assert read("3/4/Y") == ["2025-04-03"]
    assert read("03/04/Y", day_first=False) == ["2025-03-04"]
    assert read("03/04/Y", "04/25/Y") == ["2025-03-04", "2025-04-25"]
    assert read("03/04/Y", "25/04/Y", day_first=False) == ["2025-04-03", "2025-04-25"]


def test_what_was_assumed_is_said() -> None:
    def notes(*values: str, day_first: bool = True) -> str:
        return "; ".join(date_notes(parse_dates(pd.Series(values), day_first=day_first)))

    assert "no value tells whether the day or the month comes first: read day first" in notes("03/04/2025")
    assert "read month first, as asked" in notes("03/04/2025", day_first=False)
    assert "written month first, as values" in notes("03/04/2025", "04/25/2025")
    assert "some values have the day first and some the month" in notes("25/04/2025", "04/25/2025")
    assert notes("25/04/2025", "03/04/2025") == ""
    assert "1 value(s) have a year of two digits" in notes("25/04/25")
    assert "2 value(s) are Excel serial numbers" in notes("45748", "45749.5")
    assert "1 filler date(s)" in notes("1900-01-01", "2025-04-01")
    assert "2 value(s) are no date" in notes("x", "31/02/2025")


def test_where_both_orders_occur_the_impossible_ones_are_invalid() -> None:
    parsed = parse_dates(pd.Series(["25/04/2025", "04/25/2025", "03/04/2025"]))
    assert list(parsed["status"]) == ["known", "invalid", "known"]
    assert set(parsed["form"]) == {"day, month, year (both orders occur)", ""}


@pytest.mark.parametrize(
    "filler",
    ["1800-01-01", "01/01/1801", "1802-01-01 00:00:00", "15/10/1582", "1900-01-01", "31/12/9999",
     "9999-12-31", "01-JAN-1900", "19000101", "0000-00-00", "00/00/0000", "NULL", "Unknown"],
)  # fmt: skip
def test_a_filler_is_not_known_and_no_date(filler: str) -> None:
    parsed = parse_dates(pd.Series([filler, "2025-04-01"]))
    assert parsed["status"].iloc[0] == "not_known"
    assert pd.isna(parsed["date"].iloc[0])


@pytest.mark.parametrize(
    "wrong",
    ["2025-02-30", "31/04/2025", "2025-13-01", "13/13/2025", "x", "2025", "April", "1 Aprile 2025", "12",
     "99999", "2525-01-01", "1 April", "2025-04-01 and later", "01/04/2025/", "0", "-45748", "1e5", "४५७४८"],
)  # fmt: skip
def test_what_is_no_date_is_invalid(wrong: str) -> None:
    parsed = parse_dates(pd.Series([wrong, "45748"]))
    assert parsed["status"].iloc[0] == "invalid"
    assert pd.isna(parsed["date"].iloc[0])
    assert parsed["form"].iloc[0] == ""


def test_a_year_is_not_a_serial_number_and_an_early_serial_is() -> None:
    parsed = parse_dates(pd.Series(["1985", "9000", "45748"]))
    assert list(parsed["status"]) == ["invalid", "known", "known"]
    assert parsed["date"].iloc[1] == pd.Timestamp("1924-08-21")
    assert list(parse_dates(pd.Series(["9000", "8000", "45748"]))["status"])[:2] == ["invalid", "invalid"]


def test_nothing_is_missing() -> None:
    parsed = parse_dates(pd.Series(["", "  ", None, "nan", "NaT", "2025-04-01"]))
    assert list(parsed["status"]) == ["missing"] * 5 + ["known"]


def test_a_two_digit_year_is_not_in_the_future() -> None:
    this_year = dt.date.today().year
    last, this, following = (f"{(this_year + step) % 100:02d}" for step in (-1, 0, 1))
    years = parse_dates(pd.Series([f"13/04/{last}", f"13/04/{this}", f"13/04/{following}"]))["date"].dt.year
    assert list(years) == [this_year - 1, this_year, this_year - 99]


def test_dates_and_numbers_are_read_as_they_are() -> None:
    stamps = pd.Series(pd.to_datetime(["2025-04-01 23:59", None]), index=[7, 9])
    for values in (stamps, stamps.dt.tz_localize("Europe/London"), stamps.dt.date):
        parsed = parse_dates(values)
        assert list(parsed.index) == [7, 9]
        assert parsed["date"].iloc[0] == pd.Timestamp("2025-04-01")
        assert list(parsed["status"]) == ["known", "missing"]
    assert list(parse_dates(pd.Series([45748.0, None]))["status"]) == ["known", "missing"]
    assert list(parse_dates(pd.Series([20250401.0, None]))["status"]) == ["known", "missing"]
    assert list(parse_dates(pd.Series([20250401, 45748]))["date"].dt.year) == [2025, 2025]


@pytest.mark.parametrize(
    "values", [pd.Series([], dtype="string"), pd.Series([None, None]), pd.Series([float("nan")])]
)
def test_columns_without_a_date_have_the_same_shape(values: pd.Series) -> None:
    parsed = parse_dates(values)
    assert list(parsed.columns) == ["value", "date", "status", "form"]
    assert parsed["date"].dtype == "datetime64[ns]"
    assert set(parsed["status"]) <= {"missing"}


FORMATS = [
    "%Y-%m-%d",
    "%d/%m/%Y",
    "%d-%b-%Y",
    "%d %B %Y",
    "%Y%m%d",
    "%d%m%Y",
    "%Y-%m-%dT%H:%M:%S",
    "%B %d, %Y",
]


@given(
    days=st.lists(st.dates(dt.date(1903, 1, 1), dt.date(2098, 12, 31)), min_size=1, max_size=20),
    form=st.sampled_from(FORMATS),
)
def test_what_is_written_day_first_comes_back(days: list[dt.date], form: str) -> None:
    # The thirteenth settles the order; no filler lies in these years.
    days = [*days, dt.date(2025, 4, 13)]
    parsed = parse_dates(pd.Series([day.strftime(form) for day in days]))
    assert [stamp.date() for stamp in parsed["date"]] == days


@given(
    st.lists(
        st.one_of(st.none(), st.text(max_size=12), st.from_regex(r"\d{1,4}[-/. ]\d{1,2}[-/. ]\d{1,4}")),
        max_size=20,
    )
)
def test_any_text_gets_one_status_and_a_date_only_if_known(values: list[str | None]) -> None:
    parsed = parse_dates(pd.Series(values, dtype="string"))
    assert set(parsed["status"]) <= {"known", "missing", "not_known", "invalid"}
    assert (parsed["date"].notna() == (parsed["status"] == "known")).all()
