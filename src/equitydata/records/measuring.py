"""Measures -> what each record adds to them, and what the records of a person add up to.

All measures are gathered in the pass that gathers everything else of a person, so a further measure costs no
pass over the records. Counts are gathered by period, several in one word: the count of each period has bits of
its own, and adding up words adds up all periods at once. Words are held as floating numbers, which are exact up
to 53 bits; whole numbers of 64 bits would be added up twice as wide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import ibis
import pandas as pd

from equitydata.errors import ConfigError, InputError, nearest
from equitydata.records.columns import as_text, date_key, meets
from equitydata.records.dates import parse_dates
from equitydata.records.engine import Engine
from equitydata.records.extract import Extract
from equitydata.records.lookups import Frame
from equitydata.service import Condition, DaysApart, Measure, Service

SLOT_BITS = 13
SLOTS_A_WORD = 4
LARGEST_COUNT = 2**SLOT_BITS - 1
# Beyond this a value is a fault of the extract; its square would leave no digit to the others.
LARGEST_VALUE = 1e12
UNDATED = "No date"
STEPS = {"month": "M", "quarter": "Q", "year": "Y"}


@dataclass(frozen=True)
class Periods:
    """The periods that measures are followed over.

    labels : in order; a last one, `UNDATED`, where records without a date are used. One label, "", without any.
    """

    labels: tuple[str, ...]

    @property
    def dated(self) -> tuple[str, ...]:
        """The labels that are periods."""
        return tuple(label for label in self.labels if label not in ("", UNDATED))


@dataclass(frozen=True)
class Measuring:
    """How the measures of a run are worked out from its records.

    first_day : day 1. slots_a_word : how many periods share a word.
    """

    measures: Mapping[str, Measure]
    periods: Periods
    first_day: pd.Timestamp
    slots_a_word: int = SLOTS_A_WORD

    @property
    def words(self) -> int:
        """Words that the counts of all periods take."""
        return -(-len(self.periods.labels) // self.slots_a_word)

    def one_slot_a_word(self) -> Measuring:
        """The same for people with so many records that counts outgrow their bits."""
        return replace(self, slots_a_word=1)

    # -------------------------------------------------------- records

    @property
    def columns(self) -> tuple[str, ...]:
        """Coded columns that the expressions of a record need."""
        days = {column for each in self.measures.values() for column in date_columns(each)}
        units = [f"unit_{word}" for word in range(self.words)] if self.slots_a_word > 1 else []
        split = ["slot", *units] if self.splits else []
        return ("day", *split, *(day_column(column) for column in sorted(days)))

    @property
    def splits(self) -> bool:
        """Whether counts are kept by period."""
        return len(self.periods.labels) > 1

    def record_columns(self, joined: Any, coded: Callable[[str], Any]) -> dict[str, Any]:
        """What one record adds, by measure: `<i>_n` and `<i>_x` (0 or 1), and `<i>_v` (value or person-time).

        `<i>_o` is 1 where the numerator is met and the denominator is not, `<i>_w` where a value is no number.

        joined : the records with the columns of the extract. coded : gives a coded column by its name.
        """
        found: dict[str, Any] = {}
        for number, (name, measure) in enumerate(self.measures.items()):
            reading = _Reading(joined, coded, f"[measures.{name}]")
            eligible, met, value = reading.read(measure)
            eligible = eligible & self._in_period(measure, coded)
            found[f"{number}_w"] = reading.wordy(measure).cast("float64")
            found[f"{number}_n"] = eligible.cast("float64")
            found[f"{number}_x"] = (eligible & met).cast("float64")
            outside = met & ~eligible if measure.numerator else ibis.literal(False)
            found[f"{number}_o"] = outside.cast("float64")
            if value is not None:
                found[f"{number}_v"] = ibis.ifelse(eligible, value, 0.0)
        return found

    def _in_period(self, measure: Measure, coded: Callable[[str], Any]) -> Any:
        """Whether a record falls into the measure's own period; one without a date falls into none."""
        inside = ibis.literal(True)
        if measure.period.from_ is not None:
            inside = inside & (coded("day") >= self._day(measure.period.from_)) & (coded("day") > 0)
        if measure.period.to is not None:
            inside = inside & (coded("day") <= self._day(measure.period.to)) & (coded("day") > 0)
        return inside

    def _day(self, day: date) -> int:
        return (pd.Timestamp(day) - self.first_day).days + 1

    def gathered(self, table: Any) -> dict[str, Any]:
        """Sums over the records of a person. table : with the columns of `record_columns` and `columns`."""
        sums: dict[str, Any] = {}
        for number, measure in enumerate(self.measures.values()):
            for word in range(self.words):
                unit = self._unit(table, word)
                sums[f"{number}_n_{word}"] = (table[f"{number}_n"] * unit).sum()
                if counts_events(measure):
                    sums[f"{number}_x_{word}"] = (table[f"{number}_x"] * unit).sum()
            for slot in range(len(self.periods.labels)):
                here = table["slot"] == slot if self.splits else None
                if holds_values(measure):
                    value = table[f"{number}_v"]
                    sums[f"{number}_v_{slot}"] = (
                        value if here is None else ibis.ifelse(here, value, 0.0)
                    ).sum()
                if takes_latest(measure):
                    moment = table["day"].cast("float64") * 2 + table[f"{number}_x"] + 1
                    moment = moment * table[f"{number}_n"]
                    sums[f"{number}_l_{slot}"] = (
                        moment if here is None else ibis.ifelse(here, moment, 0.0)
                    ).max()
        return sums

    def _unit(self, table: Any, word: int) -> Any:
        """By what a record's count is multiplied in one word."""
        if not self.splits:
            return 1.0
        if self.slots_a_word == 1:
            return (table["slot"] == word).cast("float64")
        return table[f"unit_{word}"].cast("float64")

    @property
    def gathered_names(self) -> tuple[str, ...]:
        """The names of the columns of `gathered`."""
        names: list[str] = []
        for number, measure in enumerate(self.measures.values()):
            kinds = ["n", *(["x"] if counts_events(measure) else [])]
            names += [f"{number}_{kind}_{word}" for word in range(self.words) for kind in kinds]
            slots = range(len(self.periods.labels))
            names += [f"{number}_v_{slot}" for slot in slots if holds_values(measure)]
            names += [f"{number}_l_{slot}" for slot in slots if takes_latest(measure)]
        return tuple(names)

    # -------------------------------------------------------- people

    def person_sums(self, table: Any, number: int, slot: int) -> tuple[Any, Any]:
        """n and x of each person in one period. table : people with the columns of `gathered`."""
        measure = list(self.measures.values())[number]
        n = self._count(table, f"{number}_n", slot)
        if measure.statistic in ("mean", "quantile"):
            return _person_values(measure, n, table[f"{number}_v_{slot}"])
        x = self._count(table, f"{number}_x", slot)
        if measure.counts == "people":
            latest = table[f"{number}_l_{slot}"] if takes_latest(measure) else None
            return _person_met(measure, n, x, latest)
        if measure.statistic == "rate":
            return table[f"{number}_v_{slot}"], x.cast("float64")
        return n.cast("float64"), x.cast("float64")

    def whole_sums(self, table: Any, number: int) -> tuple[Any, Any]:
        """n and x of each person over all periods."""
        measure = list(self.measures.values())[number]
        slots = range(len(self.periods.labels))
        n = _total([self._count(table, f"{number}_n", slot) for slot in slots])
        values = [table[f"{number}_v_{slot}"] for slot in slots] if holds_values(measure) else []
        if measure.statistic in ("mean", "quantile"):
            return _person_values(measure, n, _total(values))
        x = _total([self._count(table, f"{number}_x", slot) for slot in slots])
        if measure.counts == "people":
            latest = None
            if takes_latest(measure):
                latest = ibis.greatest(*(table[f"{number}_l_{slot}"] for slot in slots), 0.0)
            return _person_met(measure, n, x, latest)
        if measure.statistic == "rate":
            return _total(values), x.cast("float64")
        return n.cast("float64"), x.cast("float64")

    def _count(self, table: Any, name: str, slot: int) -> Any:
        word, place = divmod(slot, self.slots_a_word)
        whole = table[f"{name}_{word}"].cast("int64")
        if self.slots_a_word == 1 or not self.splits:
            return whole
        return (whole >> (SLOT_BITS * place)) & LARGEST_COUNT


def _total(parts: list[Any]) -> Any:
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + part
    return whole


def _person_values(measure: Measure, n: Any, value: Any) -> tuple[Any, Any]:
    """Of values: each counts, or each person once with the mean of theirs."""
    if measure.statistic == "mean" and measure.counts == "contacts":
        return n.cast("float64"), value
    mean = ibis.ifelse(n > 0, value / ibis.greatest(n, 1), 0.0)
    return (n > 0).cast("float64"), mean


def _person_met(measure: Measure, n: Any, x: Any, latest: Any) -> tuple[Any, Any]:
    """Each person once: whether any, all or the latest of their records met it."""
    if latest is not None:
        met = (latest > 0) & ((latest.cast("int64") - 1) % 2 == 1)
    elif measure.person == "all":
        met = (n > 0) & (x == n)
    else:
        met = x > 0
    return (n > 0).cast("float64"), met.cast("float64")


def counts_events(measure: Measure) -> bool:
    """Whether a numerator is counted."""
    return measure.statistic not in ("mean", "quantile")


def holds_values(measure: Measure) -> bool:
    """Whether numbers are added up: values, or person-time."""
    return measure.statistic in ("mean", "quantile", "rate")


def takes_latest(measure: Measure) -> bool:
    """Whether a person's latest record decides."""
    return measure.counts == "people" and measure.person == "latest" and counts_events(measure)


# ---------------------------------------------------------------- conditions


@dataclass(frozen=True)
class _Reading:
    """Conditions and values of one record as expressions."""

    joined: Any
    coded: Callable[[str], Any]
    where: str

    def read(self, measure: Measure) -> tuple[Any, Any, Any]:
        """Who is in the denominator, who meets the numerator, and the value (or None)."""
        eligible = self._all(measure.denominator)
        value = None
        if measure.value is not None or measure.person_time is not None:
            value = self._number(measure)
            eligible = eligible & value.notnull()
            value = value.fill_null(0.0)
        if measure.per_residents:
            eligible = eligible & self._all(measure.numerator)
        met = self._met(measure, value)
        return eligible.fill_null(False), met, value

    def wordy(self, measure: Measure) -> Any:
        """Whether a record that would count holds something that cannot be counted where a number is asked for."""
        name = measure.value if isinstance(measure.value, str) else measure.person_time
        if name is None:
            return ibis.literal(False)
        column = self.joined[name]
        filled = column.notnull()
        if column.type().is_string():
            filled = filled & (column.strip() != "")
        elif column.type().is_floating():
            filled = filled & ~column.isnan()
        lost = filled & self._number(measure).isnull()
        return (lost & self._all(measure.denominator)).fill_null(False)

    def _number(self, measure: Measure) -> Any:
        """The value or the person-time of a measure, null where it is none."""
        if measure.value is not None:
            return self._value(measure.value)
        time = self._value(str(measure.person_time))
        # Nobody is at risk for less than no time.
        return ibis.ifelse(time >= 0, time, ibis.null("float64"))

    def _met(self, measure: Measure, value: Any) -> Any:
        if measure.standard is not None:
            return value <= measure.standard
        return self._all(measure.numerator)

    def _all(self, conditions: Iterable[Condition]) -> Any:
        met = ibis.literal(True)
        for condition in conditions:
            met = met & self._one(condition)
        return met

    def _one(self, condition: Condition) -> Any:
        if condition.days is None:
            return meets(self.joined, condition)
        apart = self._value(condition.days)
        met = ibis.literal(True)
        if condition.missing is not None:
            met = met & (apart.isnull() if condition.missing else apart.notnull())
        low, high = condition.between or (None, None)
        for limit in (condition.at_least, low):
            met = met if limit is None else met & (apart >= limit)
        for limit in (condition.at_most, high):
            met = met if limit is None else met & (apart <= limit)
        return met.fill_null(False)

    def _value(self, value: str | DaysApart) -> Any:
        if isinstance(value, DaysApart):
            first, last = (self.coded(day_column(column)) for column in (value.from_, value.to))
            both = (first > 0) & (last > 0)
            return ibis.ifelse(both, (last - first).cast("float64"), ibis.null("float64"))
        column = self.joined[value]
        if column.type().is_numeric():
            return _usable(column.cast("float64"))
        return _usable(as_text(self.joined, value).strip().try_cast("float64"))


def _usable(number: Any) -> Any:
    """A number that can be added up and squared; null for one that is infinite, none, or out of all reason."""
    return ibis.ifelse(number.abs() <= LARGEST_VALUE, number, ibis.null("float64"))


def date_columns(measure: Measure) -> tuple[str, ...]:
    """The columns of dates whose days apart a measure looks at."""
    apart = [condition.days for condition in (*measure.denominator, *measure.numerator)]
    apart.append(measure.value if isinstance(measure.value, DaysApart) else None)
    return tuple(column for each in apart if each is not None for column in (each.from_, each.to))


def day_column(column: str) -> str:
    """Name of the coded column with the day of a date column of a measure."""
    return f"days_of_{column}"


# ---------------------------------------------------------------- planning


def plan_periods(service: Service, days: pd.DataFrame | None) -> Periods:
    """The periods of the trend that the service file asks for.

    days : the distinct contact dates as parsed (column date), None without a date column.
    One period is no trend; then the counts are not split.
    """
    step = STEPS.get(service.analysis.trend)
    if days is None or step is None or not service.measures:
        return Periods(("",))
    period = service.service.period
    dates = days["date"].dropna()
    dates = dates[dates >= pd.Timestamp(period.from_)] if period.from_ else dates
    dates = dates[dates <= pd.Timestamp(period.to)] if period.to else dates
    if dates.empty:
        return Periods(("",))
    met = pd.period_range(dates.min(), dates.max(), freq=step)
    if len(met) < 2:
        return Periods(("",))
    labels = [label_of(each) for each in met]
    undated = not (period.from_ or period.to) and days["date"].isna().any()
    return Periods((*labels, *([UNDATED] if undated else [])))


def label_of(period: pd.Period) -> str:
    """2025-04, 2025 Q2 or 2025."""
    if period.freqstr.startswith("Q"):
        return f"{period.year} Q{period.quarter}"
    return period.strftime("%Y-%m") if period.freqstr.startswith("M") else str(period.year)


def unit_frame(measuring: Measuring, day_frame: Frame, first_day: pd.Timestamp, step: str) -> Frame:
    """For each contact date its slot, and the unit by which a record's count is multiplied in each word.

    Blank and unreadable dates have the slot of `UNDATED` where that is kept, else of the first period: such
    records are rejected then.
    """
    labels = measuring.periods.labels
    numbers = day_frame.frame["day"]
    dates = first_day + pd.to_timedelta(numbers - 1, unit="D")
    met = pd.Series(pd.PeriodIndex(pd.to_datetime(dates), freq=STEPS[step]), index=numbers.index).map(
        label_of
    )
    places = {label: place for place, label in enumerate(labels)}
    blank = places.get(UNDATED, 0)
    slots = met.map(places).where(numbers > 0, blank).fillna(blank).astype("int64")
    columns, blanks = {"slot": slots}, {"slot": blank}
    for word in range(measuring.words):
        place = slots - word * measuring.slots_a_word
        here = place.between(0, measuring.slots_a_word - 1)
        columns[f"unit_{word}"] = (2 ** (SLOT_BITS * place.where(here, 0))).where(here, 0).astype("int64")
        inside = word * measuring.slots_a_word <= blank < (word + 1) * measuring.slots_a_word
        blanks[f"unit_{word}"] = 2 ** (SLOT_BITS * (blank % measuring.slots_a_word)) if inside else 0
    return Frame(day_frame.key, pd.DataFrame({"raw": day_frame.frame["raw"], **columns}), blanks)


def measure_days(extract: Extract, service: Service, engine: Engine) -> dict[str, tuple[str, pd.DataFrame]]:
    """Coded column -> (column, its distinct dates), for every date column that a measure looks at."""
    from equitydata.records.columns import distinct

    found = {}
    for measure in service.measures.values():
        for column in date_columns(measure):
            if day_column(column) not in found:
                raw = distinct(engine, extract.table, date_key(extract.table, column))
                parsed = parse_dates(raw["value"], day_first=service.extract.day_first)
                found[day_column(column)] = (column, parsed.assign(value=raw["value"].to_numpy()))
    return found


def check_measures(extract: Extract, service: Service) -> None:
    """Stop at a measure that names a column the extract does not have, or values that are no numbers.

    Raises InputError with the key and the nearest column.
    """
    for name, measure in service.measures.items():
        for column in measure.columns:
            if column not in extract.columns:
                raise InputError(
                    f"The extract has no column '{column}'.",
                    where=f"{service.file} [measures.{name}]",
                    mend=nearest(column, extract.columns),
                )


def where_of(service: Service, name: str, key: str) -> str:
    """Where a measure's key stands, for messages."""
    return f"{service.file} [measures.{name}] {key}"


def check_counts(service: Service, found: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Stop at a measure that counts nobody; say where a numerator reaches beyond its denominator.

    found : measure -> eligible, met (both), outside (numerator met, denominator not) and wordy (a value that is no
        number), in records; and time, the sum of the person-time.
    Returns notes. Raises ConfigError with file, key and mend.
    """
    notes = []
    for name, counts in found.items():
        measure = service.measures[name]
        key = (
            "denominator" if measure.denominator else ("value" if measure.value is not None else "numerator")
        )
        key = "person_time" if measure.person_time is not None and not measure.denominator else key
        if counts["eligible"] == 0:
            raise ConfigError(
                "No record is in the denominator of this measure.",
                where=where_of(service, name, key),
                mend="Look at how the column is filled: `equitydata check` lists the values that were met.",
            )
        if measure.statistic == "rate" and counts["time"] == 0:
            raise ConfigError(
                "The person-time of all records is 0: there is nothing to relate events to.",
                where=where_of(service, name, "person_time"),
                mend="Name the column that holds the time at risk.",
            )
        if measure.numerator and counts["met"] == 0 and counts["outside"] > 0:
            raise ConfigError(
                "Every record that meets the numerator is outside the denominator.",
                where=where_of(service, name, "numerator"),
                mend="The numerator is a part of the denominator: widen the denominator, or mend the numerator.",
            )
        if counts["wordy"] > 0:
            notes.append(
                f"{measure.label}: {counts['wordy']:,.0f} records hold a value that is no number that "
                "can be counted, and are left out."
            )
        if counts["outside"] > 0:
            notes.append(
                f"{measure.label}: {counts['outside']:,.0f} records meet the numerator but not the "
                "denominator, and are not counted."
            )
    return notes
