"""People -> what the measures add up to in every group: the group-bys of the equity analysis.

Each person has a denominator n and a numerator x of each measure; a group has their sums, and the sums of their
squares and products, from which limits that allow for repeated contacts follow without the records. Groups
are counted at the finest categories and split by age and sex; coarser levels, and groups before they are set
against each other, are added up afterwards (`strata`). One query counts all measures, so a further measure adds
columns and no pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np
import pandas as pd

from equitydata.records.coded import CodedRecords
from equitydata.records.fields import KNOWN_RANK, STATUS_RANKS, CodedField
from equitydata.records.measuring import UNDATED, Measuring, check_counts, holds_values
from equitydata.records.persons import People
from equitydata.service import Measure, Service

USERS = "users"
ALL = "all"
SUMS = ("people", "cases", "n", "x", "nn", "nx", "xx")
PAIR_SUMS = ("people", "n0n1", "n0x1", "x0n1", "x0x1")
STRATUM = ("characteristic", "characteristic_2", "status", "category", "category_2")
PLACES = ("site", "point_of_care")
# Wider characteristics (small areas) are not split by age and sex: nothing that is shown of them needs it.
MOST_CATEGORIES_BY_AGE = 500
VALUE_DIGITS = 2
# Lower ends of age cells, with -1 for not known, are told apart by so many numbers.
AGE_CODES = 128


@dataclass(frozen=True)
class OutcomeCounts:
    """Counts by group at the finest categories; small frames, no record among them.

    cells : measure, characteristic, characteristic_2, status, category, category_2 (empty without a crossing),
        age_from, sex and SUMS. Measure USERS counts everyone.
    values : measure, the stratum, value and people: of the measures that are quantiles.
    periods : measure, the stratum, period, order and SUMS of that period.
    pairs : measure, the stratum and PAIR_SUMS of the first and the last period.
    places : measure, by, place and SUMS.
    notes : what to know of the measures.
    """

    cells: pd.DataFrame
    values: pd.DataFrame
    periods: pd.DataFrame
    pairs: pd.DataFrame
    places: pd.DataFrame
    notes: tuple[str, ...] = ()


def count_outcomes(
    people: People,
    places: pd.DataFrame,
    *,
    characteristics: Sequence[str],
    crossings: Iterable[tuple[str, str]],
    trend_by: Sequence[str],
    age_ends: Sequence[int],
    notes: Iterable[str] = (),
) -> OutcomeCounts:
    """Every count of the equity analysis.

    places : as `count_place_outcomes` gives them for measures of contacts.
    characteristics, crossings, trend_by : what people are grouped by; names of coded fields.
    age_ends : lower ends of the age bands by which groups are split.
    """
    engine = people.coded.engine
    staged = engine.stage(_person_table(people, age_ends), "outcomes")
    counting = _Counting(people, staged, people.measuring)
    fields = [name for name in characteristics if name in people.coded.fields]
    groupings = [(name, "") for name in fields] + [pair for pair in crossings if set(pair) <= set(fields)]
    cells = counting.cells(groupings)
    periods, pairs = counting.periods([name for name in trend_by if name in fields])
    found = OutcomeCounts(
        cells=cells,
        values=counting.values(groupings),
        periods=periods,
        pairs=pairs,
        places=pd.concat([places, counting.places()], ignore_index=True),
        notes=tuple(notes),
    )
    engine.drop(staged)
    return found


def count_place_outcomes(coded: CodedRecords, service: Service) -> tuple[pd.DataFrame, list[str]]:
    """Measures of contacts by the place of the contact, in one pass; and notes on the measures.

    Comes first, as it costs little: a measure that counts nobody is refused before people are resolved.
    Raises ConfigError for such a measure. Returns measure, by, place and SUMS, of which people, squares and products
    are missing: contacts are counted here, and not whose they are.
    """
    measuring = coded.measuring
    if not measuring.measures:
        return pd.DataFrame(columns=["measure", "by", "place", *SUMS]), []
    table = coded.view(PLACES, measured=measuring)
    sums: dict[str, Any] = {}
    for number, measure in enumerate(measuring.measures.values()):
        sums[f"{number}_n"] = table[f"{number}_n"].sum()
        sums[f"{number}_x"] = table[f"{number}_x"].sum()
        sums[f"{number}_o"] = table[f"{number}_o"].sum()
        sums[f"{number}_w"] = table[f"{number}_w"].sum()
        if holds_values(measure):
            sums[f"{number}_v"] = table[f"{number}_v"].sum()
    grouped = table.group_by(list(PLACES)).agg(**sums)
    frame = coded.engine.to_frame(grouped).fillna(0)
    notes = check_counts(
        service,
        {
            name: {
                "eligible": float(frame[f"{number}_n"].sum()),
                "met": float(frame[f"{number}_x"].sum()),
                "outside": float(frame[f"{number}_o"].sum()),
                "wordy": float(frame[f"{number}_w"].sum()),
                "time": float(frame[f"{number}_v"].sum()) if f"{number}_v" in frame else 0.0,
            }
            for number, name in enumerate(measuring.measures)
        },
    )
    rows = []
    for number, (name, measure) in enumerate(measuring.measures.items()):
        if measure.counts == "people" or measure.statistic == "quantile":
            continue
        n, x = _place_columns(measure.statistic, number)
        for by in PLACES:
            if len(coded.places[by]) > 1:
                here = frame.groupby(by)[list({n, x})].sum()
                place = here.index.map(dict(enumerate(coded.places[by])))
                row = pd.DataFrame({"place": place, "n": here[n].to_numpy(), "x": here[x].to_numpy()})
                if measure.statistic == "population_rate":
                    row["n"] = 0.0
                rows.append(row.assign(measure=name, by=by))
    placed = (
        pd.concat(rows, ignore_index=True)
        if rows
        else pd.DataFrame(columns=["measure", "by", "place", "n", "x"])
    )
    return placed.reindex(columns=["measure", "by", "place", *SUMS]), notes


def _place_columns(statistic: str, number: int) -> tuple[str, str]:
    """The columns that hold n and x: of means the values are the numerator, of rates the time the denominator."""
    if statistic == "mean":
        return f"{number}_n", f"{number}_v"
    return (f"{number}_v" if statistic == "rate" else f"{number}_n"), f"{number}_x"


# ---------------------------------------------------------------- people, one row each


def _person_table(people: People, age_ends: Sequence[int]) -> Any:
    """Each person's groups as one whole number a field, age and sex cell, and n and x of each measure."""
    coded, table, measuring = people.coded, people.table, people.measuring
    columns: dict[str, Any] = {"site": table["site"], "point_of_care": table["point_of_care"]}
    for name, field in coded.fields.items():
        key = table[f"{name}_rank"].cast("int32") * field.width + table[f"{name}_category"]
        columns[f"key_{name}"] = key.cast("int32")
    columns["sex_cell"] = table["sex_category"] if "sex" in coded.fields else ibis.literal(0, "int16")
    if "age" in coded.fields:
        ages = _age_cells(coded.fields["age"], age_ends)
        lookup = coded.engine.lookup(ages, "age_cells")
        table = table.left_join(lookup, table["age_category"] == lookup["age_number"])
        columns["age_cell"] = table["age_cell"]
    else:
        columns["age_cell"] = ibis.literal(-1, "int16")
    last = len(measuring.periods.labels)
    for number, measure in enumerate(measuring.measures.values()):
        columns[f"{number}_n"], columns[f"{number}_x"] = _whole(measuring, table, number, measure.statistic)
        for slot in range(last) if measuring.splits and measure.statistic != "quantile" else ():
            n, x = measuring.person_sums(table, number, slot)
            columns[f"{number}_n_{slot}"], columns[f"{number}_x_{slot}"] = _zeroed(n, measure.statistic), x
    return table.select(**columns)


def _whole(measuring: Measuring, table: Any, number: int, statistic: str) -> tuple[Any, Any]:
    n, x = measuring.whole_sums(table, number)
    if statistic == "quantile":
        x = x.round(VALUE_DIGITS)
    return _zeroed(n, statistic), x


def _zeroed(n: Any, statistic: str) -> Any:
    """The residents are the denominator of a population rate, and nobody's records hold them."""
    return ibis.literal(0.0) if statistic == "population_rate" else n


def _age_cells(field: CodedField, age_ends: Sequence[int]) -> pd.DataFrame:
    """Number of each age (or own age band) -> lower end of its cell, -1 where it is not known."""
    years = lower_ages(field)
    place = np.searchsorted(np.asarray(age_ends), years.to_numpy(dtype=float), side="right") - 1
    ends = np.asarray([*age_ends, -1])[np.where(np.isnan(years) | (place < 0), len(age_ends), place)]
    return pd.DataFrame({"age_number": range(len(years)), "age_cell": ends}).astype("int16")


def lower_ages(field: CodedField) -> pd.Series:
    """Lowest age, in years, of each category of the field of ages; missing for no age."""
    listed = field.values[field.values["status"] == "known"].drop_duplicates("category").set_index("category")
    labels = pd.Series(field.categories, dtype="object")
    lower = _as_float(labels)
    if "lower" in listed:
        own, top = (labels.map(_as_float(listed[end])).astype("float64") for end in ("lower", "upper"))
        # A band that is open below begins at birth.
        lower = lower.fillna(own).mask(lower.isna() & own.isna() & top.notna(), 0.0)
    return lower


def _as_float(values: pd.Series) -> pd.Series:
    return pd.to_numeric(values, errors="coerce").astype("Float64").astype("float64")


# ---------------------------------------------------------------- groups


@dataclass(frozen=True)
class _Counting:
    """The group-bys over one staged table of people."""

    people: People
    table: Any
    measuring: Measuring

    def cells(self, groupings: Sequence[tuple[str, str]]) -> pd.DataFrame:
        """SUMS of every measure by group, age and sex."""
        pairs = [("", ""), *groupings]
        strata, frame = self._fetched(pairs, self._sums(), ages=[self._by_age(pair) for pair in pairs])
        fields = self.people.coded.fields
        sexes = fields["sex"].categories if "sex" in fields else ("",)
        strata = strata.rename(columns={"age_cell": "age_from"}).assign(
            sex=strata["sex_cell"].map(dict(enumerate(sexes)))
        )
        keys = [*STRATUM, "age_from", "sex"]
        users = strata.assign(measure=USERS, **dict.fromkeys(SUMS, frame["everyone"].astype("float64")))
        found = [users]
        for number, (name, measure) in enumerate(self.measuring.measures.items()):
            sums = _sums_of(frame, number, measure)
            found.append(strata.assign(measure=name, **sums))
        return pd.concat(found, ignore_index=True)[["measure", *keys, *SUMS]]

    def values(self, groupings: Sequence[tuple[str, str]]) -> pd.DataFrame:
        """How often each value was met, of measures that are quantiles."""
        found = []
        for number, (name, measure) in enumerate(self.measuring.measures.items()):
            if measure.statistic != "quantile":
                continue
            some = self.table.filter(self.table[f"{number}_n"] > 0)
            some = some.mutate(value=some[f"{number}_x"])
            for pair in [("", ""), *groupings]:
                key = self._grouped_values(some, pair)
                frame = self.people.coded.engine.to_frame(key).sort_values(
                    ["code", "value"], ignore_index=True
                )
                strata = self._decoded(frame["code"], pair, by_age=False)
                people = frame["people"].astype("float64")
                found.append(strata.assign(measure=name, value=frame["value"], people=people))
        columns = ["measure", *STRATUM, "value", "people"]
        return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)

    def periods(self, names: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """SUMS of every measure by group and period, and PAIR_SUMS of the first and the last."""
        labels = self.measuring.periods.labels
        columns = ["measure", *STRATUM, "period", "order", *SUMS]
        pair_columns = ["measure", *STRATUM, *PAIR_SUMS]
        followed = {
            number: (name, measure)
            for number, (name, measure) in enumerate(self.measuring.measures.items())
            if measure.statistic != "quantile"
        }
        if not self.measuring.splits or not followed:
            return pd.DataFrame(columns=columns), pd.DataFrame(columns=pair_columns)
        sums: dict[str, Any] = {}
        last = len(self.measuring.periods.dated) - 1
        for number, (_, measure) in followed.items():
            single = one_each(measure.counts, measure.statistic)
            for slot in range(len(labels)):
                sums |= self._measure_sums(f"{number}", f"_{slot}", single)
            sums |= self._pair_sums(number, last)
        pairs_of = [(name, "") for name in ["", *names]]
        strata, frame = self._fetched(pairs_of, sums, ages=[False] * len(pairs_of))
        found, pairs = [], []
        for number, (name, measure) in followed.items():
            single = one_each(measure.counts, measure.statistic)
            for slot, label in enumerate(labels):
                if label == UNDATED:
                    continue
                here = _sums_of(frame, number, measure, f"_{slot}")
                found.append(strata.assign(measure=name, period=label, order=slot + 1, **here))
            cross = {each: frame[f"{number}_{each}"].fillna(0).astype("float64") for each in PAIR_SUMS}
            pairs.append(strata.assign(measure=name, **cross))
        return (
            pd.concat(found, ignore_index=True)[columns],
            pd.concat(pairs, ignore_index=True)[pair_columns],
        )

    def places(self) -> pd.DataFrame:
        """Measures of people by the place of their latest contact."""
        rows = []
        columns = ["measure", "by", "place", *SUMS]
        chosen = {
            number: (name, measure)
            for number, (name, measure) in enumerate(self.measuring.measures.items())
            if measure.counts == "people" and measure.statistic in ("share", "mean")
        }
        for by in PLACES if chosen else ():
            labels = self.people.coded.places[by]
            if len(labels) < 2:
                continue
            sums: dict[str, Any] = {}
            for number, (_, measure) in chosen.items():
                sums |= self._measure_sums(f"{number}", "", one_each(measure.counts, measure.statistic))
            frame = self.people.coded.engine.to_frame(self.table.group_by(place=self.table[by]).agg(**sums))
            for number, (name, measure) in chosen.items():
                here = pd.DataFrame(_sums_of(frame, number, measure))
                rows.append(
                    here.assign(measure=name, by=by, place=frame["place"].map(dict(enumerate(labels))))
                )
        return pd.concat(rows, ignore_index=True)[columns] if rows else pd.DataFrame(columns=columns)

    # -------------------------------------------------------- expressions

    def _sums(self) -> dict[str, Any]:
        sums: dict[str, Any] = {"everyone": self.table.count()}
        for number, measure in enumerate(self.measuring.measures.values()):
            sums |= self._measure_sums(f"{number}", "", one_each(measure.counts, measure.statistic))
        return sums

    def _measure_sums(self, number: str, slot: str, single: bool) -> dict[str, Any]:
        """SUMS of one measure; where everyone counts once, n and x are their own squares."""
        n, x = self.table[f"{number}_n{slot}"], self.table[f"{number}_x{slot}"]
        if single:
            return {f"{number}{slot}_n": n.sum(), f"{number}{slot}_x": x.sum()}
        return {
            f"{number}{slot}_people": (n > 0).sum(),
            f"{number}{slot}_cases": (x > 0).sum(),
            f"{number}{slot}_n": n.sum(),
            f"{number}{slot}_x": x.sum(),
            f"{number}{slot}_nn": (n * n).sum(),
            f"{number}{slot}_nx": (n * x).sum(),
            f"{number}{slot}_xx": (x * x).sum(),
        }

    def _pair_sums(self, number: int, last: int) -> dict[str, Any]:
        n0, x0 = self.table[f"{number}_n_0"], self.table[f"{number}_x_0"]
        n1, x1 = self.table[f"{number}_n_{last}"], self.table[f"{number}_x_{last}"]
        return {
            f"{number}_people": ((n0 > 0) | (n1 > 0)).sum(),
            f"{number}_n0n1": (n0 * n1).sum(),
            f"{number}_n0x1": (n0 * x1).sum(),
            f"{number}_x0n1": (x0 * n1).sum(),
            f"{number}_x0x1": (x0 * x1).sum(),
        }

    def _by_age(self, pair: tuple[str, str]) -> bool:
        widths = [self.people.coded.fields[name].width for name in pair if name]
        return all(width <= MOST_CATEGORIES_BY_AGE for width in widths)

    def _grouped(self, table: Any, pair: tuple[str, str], sums: Mapping[str, Any], *, by_age: bool) -> Any:
        """Sums by group: number of the grouping, and one whole number for group, second group, age and sex.

        One number is grouped by faster than six columns are.
        """
        first, second = (table[f"key_{name}"].cast("int64") if name else None for name in pair)
        code = ibis.literal(0, "int64") if first is None else first
        code = code * self._width(pair[1]) + (0 if second is None else second)
        if by_age:
            code = (code * AGE_CODES + table["age_cell"].cast("int64") + 1) * self._sexes + table["sex_cell"]
        grouped = table.group_by(code=code.cast("int64")).agg(**sums)
        return grouped.select("code", *sums)

    def _grouped_values(self, table: Any, pair: tuple[str, str]) -> Any:
        """People by group and value."""
        first, second = (table[f"key_{name}"].cast("int64") if name else None for name in pair)
        code = ibis.literal(0, "int64") if first is None else first
        code = code * self._width(pair[1]) + (0 if second is None else second)
        return table.group_by(code=code.cast("int64"), value=table["value"]).agg(people=table.count())

    def _fetched(
        self, pairs: Sequence[tuple[str, str]], sums: Mapping[str, Any], *, ages: Sequence[bool]
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """All groupings in one query: STRATUM columns with age_cell and sex_cell, and the sums, row by row."""
        counted = [
            self._grouped(self.table, pair, sums, by_age=by_age).mutate(pair=ibis.literal(place, "int16"))
            for place, (pair, by_age) in enumerate(zip(pairs, ages, strict=True))
        ]
        frame = self.people.coded.engine.to_frame(ibis.union(*counted))
        frame = frame.sort_values(["pair", "code"], kind="stable", ignore_index=True)
        parts = [
            self._decoded(frame.loc[frame["pair"] == place, "code"], pair, by_age=by_age)
            for place, (pair, by_age) in enumerate(zip(pairs, ages, strict=True))
        ]
        return pd.concat(parts), frame

    def _decoded(self, codes: pd.Series, pair: tuple[str, str], *, by_age: bool) -> pd.DataFrame:
        """What the whole numbers of one grouping mean."""
        cells = AGE_CODES * self._sexes
        inner, groups = (codes % cells, codes // cells) if by_age else (codes * 0, codes)
        width = self._width(pair[1])
        first_status, first = self._read(pair[0], groups // width)
        second_status, second = self._read(pair[1], groups % width)
        status = first_status.where(first_status != "known", second_status)
        known = status == "known"
        return pd.DataFrame(
            {
                "characteristic": pair[0] or ALL,
                "characteristic_2": pair[1],
                "status": status,
                "category": first.where(known, ""),
                "category_2": second.where(known, ""),
                "age_cell": inner // self._sexes - 1 if by_age else -1,
                "sex_cell": inner % self._sexes,
            },
            index=codes.index,
        )

    def _width(self, name: str) -> int:
        """How many numbers the groups of a characteristic take."""
        return len(STATUS_RANKS) * self.people.coded.fields[name].width if name else 1

    @property
    def _sexes(self) -> int:
        fields = self.people.coded.fields
        return fields["sex"].width if "sex" in fields else 1

    def _read(self, name: str, keys: pd.Series) -> tuple[pd.Series, pd.Series]:
        """Status and category of the numbers of one characteristic; without one everyone is known."""
        if not name:
            known = pd.Series("known", index=keys.index, dtype="object")
            return known, pd.Series("", index=keys.index, dtype="object")
        field = self.people.coded.fields[name]
        ranks = keys // field.width
        status = ranks.map({rank: str(word) for rank, word in enumerate(STATUS_RANKS)})
        labels = (keys % field.width).map(dict(enumerate(field.categories)))
        return status, labels.where(ranks == KNOWN_RANK, "")


def one_each(counts: str, statistic: str) -> bool:
    """Whether each person counts once and meets it or not, so that n and x are 0 or 1."""
    return counts == "people" and statistic == "share"


def _sums_of(frame: pd.DataFrame, number: int, measure: Measure, slot: str = "") -> dict[str, pd.Series]:
    """The columns of SUMS of one measure from a counted frame."""
    prefix = f"{number}{slot}_"
    n, x = (frame[f"{prefix}{each}"].fillna(0).astype("float64") for each in ("n", "x"))
    if one_each(measure.counts, measure.statistic):
        return {"people": n, "cases": x, "n": n, "x": x, "nn": n, "nx": x, "xx": x}
    if measure.statistic == "population_rate":
        # Their denominator comes later, from the residents; people are those who had it.
        frame = frame.assign(**{f"{prefix}people": frame[f"{prefix}cases"]})
    return {each: frame[f"{prefix}{each}"].fillna(0).astype("float64") for each in SUMS}


def cell_ends(age_bands: Sequence[int]) -> tuple[int, ...]:
    """Lower ends of the age bands by which groups are split: those of the rule and the five-year bands to 90."""
    return tuple(sorted({*age_bands, *range(0, 91, 5)}))
