"""Random services as tidy tables of true counts, seeded: small cells, rare groups and what is hardest to hide.

People are drawn as arrays, so that all tables of a service agree with each other: detailed groups within five groups,
deciles within fifths within Core20, crossings, people of unknown group by status, measures of people, contacts and
events, periods, sites, completeness and its nested measures. No record, no engine: `equity_tables(seed)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from equitydata import codelists
from equitydata.tables import SPECS

CROSS, CROSS_CATEGORY = " x ", " × "
UNKNOWN = {"declined": "Declined", "not_known": "Not known", "invalid": "Invalid code", "missing": "Missing"}
STATUSES = ("known", "declined", "unsure", "not_applicable", "not_known", "invalid", "missing")
LABELS = {
    "ethnicity": "Ethnic group",
    "sex": "Sex",
    "age": "Age",
    "deprivation": "Deprivation (IMD decile)",
    "language": "Main or preferred language",
    "joint": "Ethnicity and language together",
    "all": "Everyone",
}
BANDS = ("18 to 24", "25 to 34", "35 to 44", "45 to 54", "55 to 64", "65 to 74", "75 to 84", "85 and over")
LANGUAGES = {
    "English (English or Welsh in Wales)": "English",
    "French": "Other than English",
    "Portuguese": "Other than English",
    "Spanish": "Other than English",
    "Turkish": "Other than English",
    "Arabic": "Other than English",
    "South Asian languages": "Other than English",
}
RESIDENTS = 350_000


@dataclass(frozen=True)
class EquityTables:
    """One service: its tables of true counts by name."""

    seed: int
    people: int
    tables: Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Level:
    """One way to group: the group of each finest category, and the groups in order."""

    name: str
    groups: tuple[str, ...]
    fold: np.ndarray


@dataclass(frozen=True)
class Field:
    """A characteristic of every person: place of the finest category, -1 where it is not known, and the status."""

    name: str
    levels: tuple[Level, ...]
    category: np.ndarray
    status: np.ndarray
    met: tuple[str, ...]
    not_collected: tuple[str, ...] = ()

    def places(self, level: Level) -> np.ndarray:
        """Place of each person's group, -1 where it is not known."""
        return np.where(self.category >= 0, level.fold[np.maximum(self.category, 0)], -1)


@dataclass(frozen=True)
class Measure:
    """A measure of every person: n and x over the whole time, and by period (people, periods)."""

    name: str
    statistic: str
    unit: str
    n: np.ndarray
    x: np.ndarray
    n_by_period: np.ndarray
    x_by_period: np.ndarray


@dataclass
class _Service:
    chance: np.random.Generator
    people: int
    fields: dict[str, Field] = field(default_factory=dict)
    measures: list[Measure] = field(default_factory=list)
    periods: tuple[str, ...] = ()


def equity_tables(seed: int) -> EquityTables:
    """The tables of one random service; the same for the same seed."""
    chance = np.random.default_rng(seed)
    people = int(np.exp(chance.uniform(np.log(40), np.log(20_000))))
    theme = str(
        chance.choice(["outcomes", "trends", "users", "recording", "all"], p=[0.32, 0.22, 0.2, 0.24, 0.02])
    )
    names = list(chance.permutation(["sex", "age", "deprivation", "language"])[: chance.integers(1, 3)])
    if theme in ("outcomes", "all") or chance.random() < 0.4:
        names = ["ethnicity", *names[: 1 if theme == "trends" else 2]]
    service = _Service(chance, people)
    periods = 4 if chance.random() < 0.7 else int(chance.integers(5, 7))
    service.periods = tuple(f"2025 Q{number}" for number in range(1, periods + 1))
    for name in names:
        service.fields[str(name)] = _field(str(name), people, chance)
    kinds = chance.permutation(["contacts", "people", "rate", "mean"])[: 2 if chance.random() < 0.2 else 1]
    service.measures = [_measure(str(kind), service) for kind in kinds]
    return EquityTables(seed, people, dict(_tables(service, theme)))


def _tables(service: _Service, theme: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Outcomes and what stands beside them, users against residents, or how well things are recorded."""
    chance, wide = service.chance, theme == "all"
    if theme in ("outcomes", "all"):
        outcomes = _outcomes(service, _crossings(service) if wide or chance.random() < 0.5 else [])
        yield "outcomes", outcomes
        if wide or chance.random() < 0.6:
            yield "comparisons", _comparisons(outcomes, chance)
        if wide or chance.random() < 0.3:
            yield "unknowns", _unknowns(outcomes)
            yield "known_or_not", _known_or_not(outcomes)
        if wide or chance.random() < 0.3:
            yield "places", _places(service)
    if theme in ("trends", "all"):
        one = str(chance.choice(list(service.fields)))
        trends = _trends(service, one)
        yield "trends", trends
        if not wide and chance.random() < 0.7:
            yield "outcomes", _outcomes(service, [], only=one)
        if wide or chance.random() < 0.5:
            yield "changes", _changes(trends, service)
    if theme in ("users", "all"):
        if wide or chance.random() < 0.7:
            yield "categories", _categories(service)
        yield "representation", _representation(service)
    if theme in ("recording", "all") or (theme == "users" and chance.random() < 0.5):
        yield "statuses", _statuses(service)
    if theme in ("recording", "all"):
        yield "completeness", _completeness(service)
        breakdown = _breakdown(service)
        yield "breakdown", breakdown
        yield "needs", _needs(breakdown)
        if chance.random() < 0.5:
            yield "codes", _codes(service)


# ---------------------------------------------------------------- people


@cache
def _ethnic_groups() -> tuple[tuple[str, ...], tuple[str, ...]]:
    listed = codelists.categories("ethnicity")
    listed = listed[listed["detail"] == "detailed"]
    return tuple(listed["category"]), tuple(listed["group"])


def _field(name: str, people: int, chance: np.random.Generator) -> Field:
    levels, absent = _levels(name, chance)
    finest = len(levels[0].fold)
    share = chance.dirichlet(np.full(finest, chance.choice([0.3, 1.0, 3.0])))
    if chance.random() < 0.5:  # a group, or two of one sum, with a handful of people
        rare = chance.permutation(finest)[: chance.integers(1, 3)]
        share[rare] = chance.uniform(1, 9, len(rare)) / people
        share /= share.sum()
    category = chance.choice(finest, people, p=share)
    met = tuple(status for status in UNKNOWN if chance.random() < 0.6) or ("missing",)
    few = chance.random() < 0.5
    lacking = int(min(people, chance.integers(1, 9))) if few else int(people * chance.uniform(0, 0.12))
    status = np.full(people, "known", dtype=object)
    status[chance.permutation(people)[:lacking]] = chance.choice(met, lacking)
    return Field(name, levels, np.where(status == "known", category, -1), status, met, absent)


def _levels(name: str, chance: np.random.Generator) -> tuple[tuple[Level, ...], tuple[str, ...]]:
    """The levels of a characteristic, the finest first, and detailed groups that the list in use does not have."""
    if name == "ethnicity":
        detailed, parents = _ethnic_groups()
        absent = tuple(each for each in detailed if each in ("Roma", "Arab", "White Gypsy/Traveller"))
        here = [place for place, each in enumerate(detailed) if each not in absent]
        if chance.random() < 0.5:
            here, absent = list(range(len(detailed))), ()
        groups = tuple(dict.fromkeys(parents))
        fold = np.array([groups.index(parents[place]) for place in here])
        finest = tuple(detailed[place] for place in here)
        return (Level("detailed", finest, np.arange(len(finest))), Level("groups", groups, fold)), absent
    if name == "deprivation":
        deciles = np.arange(10)
        return (
            Level("decile", tuple(str(number + 1) for number in deciles), deciles),
            Level("quintile", tuple(f"Quintile {number}" for number in range(1, 6)), deciles // 2),
            Level("core20", ("Core20 (deciles 1 and 2)", "Deciles 3 to 10"), (deciles > 1).astype(int)),
        ), ()
    if name == "language":
        english = ("English", "Other than English")
        fold = np.array([english.index(each) for each in LANGUAGES.values()])
        return (Level("groups", tuple(LANGUAGES), np.arange(len(fold))), Level("english", english, fold)), ()
    groups = ("Male", "Female", "Indeterminate") if name == "sex" else BANDS
    return (Level("detailed" if name == "sex" else "band", groups, np.arange(len(groups))),), ()


def _measure(kind: str, service: _Service) -> Measure:
    chance, people, periods = service.chance, service.people, len(service.periods)
    likely = chance.choice([0.004, 0.05, 0.15, 0.5, 0.9, 0.99])  # few met it, or all but few did
    lean = np.clip(likely * chance.lognormal(0, 0.3, people), 0, 0.999)
    spread = chance.dirichlet(np.full(periods, 2.0))
    if kind == "people":
        seen = chance.random((people, periods)) < np.minimum(1.5 * spread, 0.95)
        met = seen & (chance.random((people, periods)) < lean[:, None])
        latest = periods - 1 - np.argmax(seen[:, ::-1], axis=1)
        n = seen.any(axis=1)
        x = n & met[np.arange(people), latest]
        return Measure("controlled", "share", "people", n * 1.0, x * 1.0, seen * 1.0, met * 1.0)
    counts = chance.poisson(chance.uniform(0.5, 3.0), people)
    n_by = chance.multinomial(counts, spread).astype(float)
    x_by = chance.binomial(n_by.astype(int), lean[:, None]).astype(float)
    if kind == "contacts":
        return Measure("missed", "share", "contacts", n_by.sum(axis=1), x_by.sum(axis=1), n_by, x_by)
    if kind == "mean":
        return Measure(
            "wait", "mean", "contacts", n_by.sum(axis=1), 20.0 * n_by.sum(axis=1), n_by, 20.0 * n_by
        )
    time = np.round(n_by * chance.gamma(2.0, 5.0, (people, periods)), 1)
    return Measure("falls", "rate", "contacts", time.sum(axis=1), x_by.sum(axis=1), time, x_by)


# ---------------------------------------------------------------- strata


@dataclass(frozen=True)
class _Stratum:
    """Rows of one level, and the row of each person."""

    characteristic: str
    level: str
    categories: tuple[str, ...]
    statuses: tuple[str, ...]
    row: np.ndarray

    def sums(self, values: np.ndarray) -> np.ndarray:
        return np.bincount(self.row, values, len(self.categories))


def _everyone(service: _Service) -> _Stratum:
    return _Stratum("all", "all", ("Everyone",), ("known",), np.zeros(service.people, dtype=np.intp))


def _strata_of(one: Field) -> Iterator[_Stratum]:
    for place, level in enumerate(one.levels):
        known = len(level.groups)
        words = (*level.groups, *(UNKNOWN[status] for status in one.met))
        row = one.places(level)
        for number, status in enumerate(one.met):
            row = np.where(one.status == status, known + number, row)
        statuses = (*["known"] * known, *one.met)
        if place == 0 and one.not_collected:
            words, statuses = (
                (*words, *one.not_collected),
                (*statuses, *["not collected"] * len(one.not_collected)),
            )
        yield _Stratum(one.name, level.name, words, statuses, row.astype(np.intp))


def _crossings(service: _Service) -> list[_Stratum]:
    """Ethnicity by sex and by deprivation, as far as they are there: three margins of the same people."""
    found = []
    first = service.fields.get("ethnicity")
    for name in ("sex", "deprivation"):
        second = service.fields.get(name)
        if first is None or second is None:
            continue
        coarse = second.levels[-1]
        levels = first.levels if service.chance.random() < 0.3 else first.levels[1:]
        found += [_crossed(first, level, second, coarse) for level in levels]
    return found


def _crossed(first: Field, one: Level, second: Field, two: Level) -> _Stratum:
    """Cells of two characteristics; groups of the second with fewer than 8 people a cell are not crossed."""
    left, right = first.places(one), second.places(two)
    people = np.bincount(right[right >= 0], minlength=len(two.groups))
    kept = [place for place in range(len(two.groups)) if people[place] >= 8 * len(one.groups)]
    dropped = bool((people[[place for place in range(len(two.groups)) if place not in kept]] > 0).any())
    words = [f"{a}{CROSS_CATEGORY}{two.groups[place]}" for a in one.groups for place in kept]
    met = tuple(dict.fromkeys([*first.met, *second.met]))
    status = np.where(first.status != "known", first.status, second.status)
    column = np.full(len(two.groups) + 1, -1)
    column[kept] = np.arange(len(kept))
    row = np.where((left >= 0) & (right >= 0), left * len(kept) + column[right], -1)
    few = (left >= 0) & (right >= 0) & (column[right] < 0)
    categories = [*words, *(UNKNOWN[each] for each in met)]
    statuses = ["known"] * len(words) + list(met)
    for number, each in enumerate(met):
        row = np.where(status == each, len(words) + number, row)
    if dropped:
        row = np.where(few, len(categories), row)
        categories, statuses = [*categories, "Groups of few people"], [*statuses, "few"]
    return _Stratum(
        f"{first.name}{CROSS}{second.name}",
        f"{one.name}{CROSS}{two.name}",
        tuple(categories),
        tuple(statuses),
        row.astype(np.intp),
    )


def _shaped(name: str, parts: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Blocks of columns, one below the other, with exactly the columns of the specification."""
    spec = SPECS[name]
    numbers = {*spec.counts, *spec.estimates, "order", "p", "p_adjusted"} | {
        column for share in spec.shares for column in (share.value, share.lower, share.upper)
    }
    blocks = list(parts)
    sizes = [
        max((len(v) for v in block.values() if isinstance(v, (np.ndarray, list, tuple))), default=1)
        for block in blocks
    ]
    columns: dict[str, Any] = {}
    for column in spec.columns:
        blank: Any = np.nan if column in numbers else ""
        pieces = [
            _as_column(block.get(column, blank), size) for block, size in zip(blocks, sizes, strict=True)
        ]
        columns[column] = np.concatenate(pieces) if pieces else np.array([], dtype=object)
    frame = pd.DataFrame(columns)
    if "label" in frame:
        words = [LABELS.get(each, each) for each in frame["characteristic"]]
        frame["label"] = words
    return frame


def _as_column(value: Any, size: int) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, (list, tuple)):
        return np.array(value, dtype=object)
    return np.full(size, value, dtype=object if isinstance(value, str) else float)


def _quotient(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        found: np.ndarray = np.where(bottom > 0, top / bottom, np.nan)
    return found


def _limits(value: np.ndarray, bottom: np.ndarray) -> dict[str, np.ndarray]:
    """A value with limits around it: what they are does not matter, only that they rest on true counts."""
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = 1.96 * np.sqrt(np.maximum(value * (1 - np.minimum(value, 1)), 0.01) / bottom)
    return {"value": value, "lower": value - reach, "upper": value + reach}


# ---------------------------------------------------------------- outcomes


def _outcomes(service: _Service, crossings: Sequence[_Stratum], only: str | None = None) -> pd.DataFrame:
    fields = [one for name, one in service.fields.items() if only in (None, name)]
    strata = [_everyone(service), *(each for one in fields for each in _strata_of(one)), *crossings]
    measures = service.measures if only is None else service.measures[:1]
    return _shaped("outcomes", [_measured(measure, stratum) for measure in measures for stratum in strata])


def _measured(measure: Measure, stratum: _Stratum) -> dict[str, Any]:
    absent = np.array([status == "not collected" for status in stratum.statuses])
    people, n, x = (
        np.where(absent, np.nan, stratum.sums(values))
        for values in ((measure.n > 0) * 1.0, measure.n, measure.x)
    )
    return {
        **_named(measure, stratum),
        "order": np.arange(1.0, len(people) + 1),
        "status": list(stratum.statuses),
        "unit": measure.unit,
        "people": people,
        "numerator": np.full(len(n), np.nan) if measure.statistic == "mean" else x,
        "denominator": n,
        **_limits(_quotient(x, n), n),
        "design_effect": np.ones(len(n)),
    }


def _named(measure: Measure, stratum: _Stratum) -> dict[str, Any]:
    return {
        "measure": measure.name,
        "measure_label": measure.name.capitalize(),
        "characteristic": [stratum.characteristic] * len(stratum.categories),
        "level": stratum.level,
        "category": list(stratum.categories),
        "statistic": measure.statistic,
    }


def _comparisons(outcomes: pd.DataFrame, chance: np.random.Generator) -> pd.DataFrame:
    """Each known group against the rest, and by chance against all known and the largest group."""
    known = outcomes[(outcomes["status"] == "known") & (outcomes["characteristic"] != "all")]
    comparators = ["rest", *(each for each in ("overall", "largest") if chance.random() < 0.5)]
    blocks = []
    for _, rows in known.groupby(["measure", "characteristic", "level"], sort=False):
        top, bottom = rows["numerator"].to_numpy(), rows["denominator"].to_numpy()
        if len(rows) < 2 or np.nansum(bottom) == 0:
            continue
        largest = int(np.argmax(rows["people"].to_numpy()))
        for comparator in comparators:
            against = {
                "rest": (top.sum() - top, bottom.sum() - bottom),
                "overall": (np.full(len(rows), top.sum()), np.full(len(rows), bottom.sum())),
                "largest": (np.full(len(rows), top[largest]), np.full(len(rows), bottom[largest])),
            }[comparator]
            keep = np.arange(len(rows)) != largest if comparator == "largest" else np.full(len(rows), True)
            blocks.append(
                _compared(
                    rows[keep], comparator, rows["category"].iloc[largest], *(each[keep] for each in against)
                )
            )
    return _shaped("comparisons", blocks)


def _compared(
    rows: pd.DataFrame, comparator: str, largest: str, top: np.ndarray, bottom: np.ndarray
) -> dict[str, Any]:
    words = {"rest": "All other known groups", "overall": "All known groups", "largest": largest}
    value, other = rows["value"].to_numpy(), _quotient(top, bottom)
    mean = (rows["statistic"] == "mean").to_numpy()
    other = np.where(mean, value, other)
    same = ("measure", "measure_label", "characteristic", "level", "category", "statistic")
    counts = ("people", "numerator", "denominator")
    return {
        **{column: list(rows[column]) for column in same},
        **{column: rows[column].to_numpy() for column in counts},
        "comparator": comparator,
        "comparator_category": words[comparator],
        "adjustment": "crude",
        "comparator_numerator": top,
        "comparator_denominator": bottom,
        "value": value,
        "comparator_value": other,
        "difference": value - other,
        "ratio": _quotient(value, other),
    }


def _unknowns(outcomes: pd.DataFrame) -> pd.DataFrame:
    plain = outcomes[~outcomes["characteristic"].str.contains(CROSS) & (outcomes["characteristic"] != "all")]
    lacking = plain[~plain["status"].isin(["known", "not collected"])]
    keys = ["measure", "characteristic", "level"]
    unknown = lacking.groupby(keys)["people"].sum()
    known = plain[(plain["status"] == "known") & (plain["statistic"] == "share")]
    found = [unknown.get(key, 0.0) for key in zip(*(known[key] for key in keys), strict=True)]
    same = ("measure", "measure_label", "characteristic", "level", "category")
    block = {
        **{column: list(known[column]) for column in same},
        "of": "outcome",
        "people": known["people"].to_numpy(),
        "unknown": np.array(found),
    }
    return _shaped("unknowns", [block] if len(known) else [])


def _known_or_not(outcomes: pd.DataFrame) -> pd.DataFrame:
    plain = outcomes[~outcomes["characteristic"].str.contains(CROSS) & (outcomes["characteristic"] != "all")]
    first = plain.groupby(["measure", "characteristic"])["level"].transform("first") == plain["level"]
    blocks = []
    for (measure, characteristic), rows in plain[first].groupby(["measure", "characteristic"], sort=False):
        known, lacking = (
            rows[rows["status"] == "known"],
            rows[~rows["status"].isin(["known", "not collected"])],
        )
        values = [_quotient(each["numerator"].sum(), each["denominator"].sum()) for each in (known, lacking)]
        blocks.append(
            {
                "measure": measure,
                "measure_label": str(measure).capitalize(),
                "characteristic": [characteristic],
                "statistic": rows["statistic"].iloc[0],
                "people": known["people"].sum(),
                "unknown": lacking["people"].sum(),
                "known_value": float(values[0]),
                "unknown_value": float(values[1]),
            }
        )
    return _shaped("known_or_not", blocks)


def _sites(service: _Service) -> tuple[tuple[str, ...], np.ndarray]:
    """Sites of the latest contact; the last has few people."""
    chance = np.random.default_rng(service.people)
    number = int(chance.integers(2, 7))
    share = chance.dirichlet(np.full(number, 1.5))
    share[-1] = min(0.3, chance.uniform(2, 30) / service.people)
    return tuple(f"Site {place}" for place in range(1, number + 1)), chance.choice(
        number, service.people, p=share / share.sum()
    )


def _places(service: _Service) -> pd.DataFrame:
    names, site = _sites(service)
    stratum = _Stratum("", "", names, ("known",) * len(names), site)
    blocks = []
    for measure in service.measures:
        people, n, x = (stratum.sums(values) for values in ((measure.n > 0) * 1.0, measure.n, measure.x))
        blocks.append(
            {
                "measure": measure.name,
                "measure_label": measure.name.capitalize(),
                "by": "site",
                "place": list(names),
                "statistic": measure.statistic,
                "people": people if measure.unit == "people" else np.full(len(n), np.nan),
                "numerator": np.full(len(n), np.nan) if measure.statistic == "mean" else x,
                "denominator": n,
                "value": _quotient(x, n),
                "average": np.full(len(n), x.sum() / max(n.sum(), 1)),
            }
        )
    return _shaped("places", blocks)


# ---------------------------------------------------------------- periods


def _trends(service: _Service, name: str) -> pd.DataFrame:
    strata = [_everyone(service), *_strata_of(service.fields[name])]
    blocks = []
    for measure in service.measures[:1]:
        for stratum in strata:
            for place, period in enumerate(service.periods):
                n, x = measure.n_by_period[:, place], measure.x_by_period[:, place]
                here = Measure(
                    measure.name,
                    measure.statistic,
                    measure.unit,
                    n,
                    x,
                    measure.n_by_period,
                    measure.x_by_period,
                )
                block = _measured(here, stratum)
                blocks.append(
                    {**block, "period": period, "order": np.full(len(stratum.categories), place + 1.0)}
                )
    return _shaped("trends", blocks)


def _changes(trends: pd.DataFrame, service: _Service) -> pd.DataFrame:
    """The first and the last period of each group; people in either."""
    ends = [trends[trends["period"] == service.periods[place]].reset_index(drop=True) for place in (0, -1)]
    measure = service.measures[0]
    either = (measure.n_by_period[:, 0] > 0) | (measure.n_by_period[:, -1] > 0)
    strata = [_everyone(service), *(s for one in service.fields.values() for s in _strata_of(one))]
    people = {
        (stratum.characteristic, stratum.level, category): count
        for stratum in strata
        for category, count in zip(stratum.categories, stratum.sums(either * 1.0), strict=True)
    }
    keys = list(zip(ends[0]["characteristic"], ends[0]["level"], ends[0]["category"], strict=True))
    counted = np.array([people[key] for key in keys])
    absent = ends[0]["people"].isna().to_numpy()
    values = [each["value"].to_numpy() for each in ends]
    gaps = [value - _rest(each) for value, each in zip(values, ends, strict=True)]
    same = ("measure", "measure_label", "characteristic", "level", "category")
    block = {
        **{column: list(ends[0][column]) for column in same},
        "first_period": service.periods[0],
        "last_period": service.periods[-1],
        "people": np.where(absent, np.nan, counted),
        "first": values[0],
        "last": values[1],
        "change": values[1] - values[0],
        "gap_first": gaps[0],
        "gap_last": gaps[1],
    }
    return _shaped("changes", [block])


def _rest(rows: pd.DataFrame) -> np.ndarray:
    """The value of the rest of each known group of one period; missing for the whole and for unknown groups."""
    unknown = {*UNKNOWN.values(), "Everyone"}
    known = rows[~rows["category"].isin(unknown)]
    sums = known.groupby("level")[["numerator", "denominator"]].transform("sum")
    rest = sums - known[["numerator", "denominator"]]
    found = pd.Series(
        _quotient(rest["numerator"].to_numpy(), rest["denominator"].to_numpy()), index=known.index
    )
    return found.reindex(rows.index).to_numpy()


# ---------------------------------------------------------------- users


def _categories(service: _Service) -> pd.DataFrame:
    blocks = []
    for one in service.fields.values():
        known = float((one.category >= 0).sum())
        for stratum, name in zip(_strata_of(one), ("detailed", "group"), strict=False):
            if one.name == "language" and name == "group":
                continue
            kept = [
                place for place, status in enumerate(stratum.statuses) if status in ("known", "not collected")
            ]
            sums = stratum.sums(np.ones(service.people))[kept]
            absent = np.array([stratum.statuses[place] != "known" for place in kept])
            level = "group" if one.name == "language" else name
            blocks.append(
                {
                    "characteristic": [one.name] * len(kept),
                    "level": level,
                    "category": [stratum.categories[place] for place in kept],
                    "order": np.arange(1.0, len(kept) + 1),
                    "collected": np.array(~absent, dtype=object),
                    "numerator": np.where(absent, np.nan, sums),
                    "denominator": np.full(len(kept), known),
                    **_limits(sums / max(known, 1), np.full(len(kept), known)),
                }
            )
    return _shaped("categories", blocks)


def _representation(service: _Service) -> pd.DataFrame:
    """Users, and the cases of measures, against residents; a sex that no residents have is not compared."""
    counted = [("users", np.ones(service.people))]
    counted += [(each.name, (each.x > 0) * 1.0) for each in service.measures if each.statistic == "share"]
    areas = [("local", "Newham"), ("region", "London")][: 2 if service.chance.random() < 0.3 else 1]
    blocks = []
    for of, values in counted:
        for one in service.fields.values():
            for stratum in _strata_of(one):
                for kind, area in areas:
                    blocks.append(_represented(of, values, stratum, kind, area))
    return _shaped("representation", blocks)


def _represented(of: str, values: np.ndarray, stratum: _Stratum, kind: str, area: str) -> dict[str, Any]:
    sums, statuses = stratum.sums(values), np.array(stratum.statuses)
    known, absent = statuses == "known", statuses == "not collected"
    inside = known & ~np.isin(stratum.categories, ["Indeterminate"])
    base, unknown = sums[inside].sum(), sums[~known & ~absent].sum()
    residents = np.where(inside, np.round(RESIDENTS / max(inside.sum(), 1)), np.nan)
    share = np.where(inside, sums / max(base, 1), np.nan)
    return {
        "of": of,
        "of_label": of.capitalize(),
        "characteristic": [stratum.characteristic] * len(sums),
        "level": stratum.level,
        "category": list(stratum.categories),
        "order": np.arange(1.0, len(sums) + 1),
        "status": list(stratum.statuses),
        "area_kind": kind,
        "area": area,
        "reference": "Census 2021",
        "numerator": np.where(absent, np.nan, sums),
        "denominator": np.where(inside, base, np.nan),
        "unknown": np.full(len(sums), unknown),
        "share": share,
        "share_of_all": np.where(absent, np.nan, sums / max(base + unknown, 1)),
        "residents": residents,
        "residents_total": np.where(inside, RESIDENTS, np.nan),
        "residents_share": residents / RESIDENTS,
        "ratio": share / (residents / RESIDENTS),
        "gap": share - residents / RESIDENTS,
        "rate": 1000 * sums / residents,
    }


# ---------------------------------------------------------------- how well things are recorded


def _records(service: _Service, one: Field) -> tuple[np.ndarray, np.ndarray]:
    """The person of each record, and its status: some records of known people are blank."""
    records = 1 + np.random.default_rng(service.people).poisson(1.2, service.people)
    chance = np.random.default_rng([service.people, len(one.name)])
    person = np.repeat(np.arange(service.people), records)
    blank = chance.random(len(person)) < 0.1
    blank[np.cumsum(records) - 1] = False  # one record of each person holds the value that stands for them
    status = np.where(blank & (one.status[person] == "known"), "missing", one.status[person])
    return person, status


def _statuses(service: _Service) -> pd.DataFrame:
    blocks = []
    for one in service.fields.values():
        person, recorded = _records(service, one)
        carried = one.status[person]
        blocks.append(
            {
                "characteristic": [one.name] * len(STATUSES),
                "status": list(STATUSES),
                **{
                    unit: np.array([float((values == status).sum()) for status in STATUSES])
                    for unit, values in (
                        ("people", one.status),
                        ("records", recorded),
                        ("records_carried_back", carried),
                    )
                },
            }
        )
    return _shaped("statuses", blocks)


NESTED = {
    "populated": ("known", "declined", "unsure", "not_known", "invalid"),
    "valid": ("known", "declined", "unsure", "not_known"),
    "asked": ("known", "declined", "unsure"),
    "known_or_declined": ("known", "declined"),
    "known": ("known",),
}


def _completeness(service: _Service) -> pd.DataFrame:
    statuses = _statuses(service)
    blocks = []
    for name, rows in statuses.groupby("characteristic", sort=False):
        counts = rows.set_index("status")
        for measure, met in NESTED.items():
            units = ("people", "records", "records_carried_back")
            blocks.append(
                {
                    "characteristic": [name] * 3,
                    "measure": measure,
                    "unit": list(units),
                    "numerator": np.array([counts.loc[list(met), unit].sum() for unit in units]),
                    "denominator": np.array([counts[unit].sum() for unit in units]),
                }
            )
    if {"ethnicity", "language"} <= set(service.fields):
        sides = [service.fields[name].status for name in ("ethnicity", "language")]
        for measure in ("known", "known_or_declined"):
            both = np.logical_and(*(np.isin(side, NESTED[measure]) for side in sides))
            blocks.append(
                {
                    "characteristic": ["joint"],
                    "measure": measure,
                    "unit": "people",
                    "numerator": np.array([float(both.sum())]),
                    "denominator": np.array([float(service.people)]),
                }
            )
    return _shaped("completeness", blocks)


def _breakdown(service: _Service) -> pd.DataFrame:
    """Known shares by site, month, sex, age band and fifth."""
    chance = service.chance
    known = {name: one.category >= 0 for name, one in service.fields.items()}
    if {"ethnicity", "language"} <= set(known):
        known["joint"] = known["ethnicity"] & known["language"]
    names, site = _sites(service)
    month = np.random.default_rng(service.people + 1).integers(0, 6, service.people)
    dimensions = {
        "site": (names, site),
        "month": (tuple(f"2025-{number:02}" for number in range(4, 10)), month),
    }
    for by, name in (("sex", "sex"), ("age_band", "age"), ("deprivation", "deprivation")):
        if name in service.fields:
            one = service.fields[name]
            level = one.levels[1 if name == "deprivation" else 0]
            words = (
                tuple(word.removeprefix("Quintile ") for word in level.groups)
                if by == "deprivation"
                else level.groups
            )
            dimensions[by] = (
                (*words, "Not recorded"),
                np.where(one.category >= 0, one.places(level), len(words)),
            )
    kept = [by for by in dimensions if by == "site" or chance.random() < 0.6]
    blocks = []
    for name, flags in known.items():
        for by in kept:
            groups, place = dimensions[by]
            n, x = (
                np.bincount(place, values, len(groups)) for values in (np.ones(service.people), flags * 1.0)
            )
            met = n > 0
            blocks.append(
                {
                    "characteristic": [name] * int(met.sum()),
                    "by": by,
                    "group": [group for group, here in zip(groups, met, strict=True) if here],
                    "order": np.arange(1.0, met.sum() + 1),
                    "unit": "people",
                    "numerator": x[met],
                    "denominator": n[met],
                    "flagged": np.full(int(met.sum()), False, dtype=object),
                }
            )
    return _shaped("breakdown", blocks)


def _needs(breakdown: pd.DataFrame) -> pd.DataFrame:
    rows = breakdown[breakdown["by"] == "site"]
    block = {
        "characteristic": list(rows["characteristic"]),
        "site": list(rows["group"]),
        "people": (rows["denominator"] - rows["numerator"]).to_numpy(),
    }
    return _shaped("needs", [block])


def _codes(service: _Service) -> pd.DataFrame:
    """Recorded values of each characteristic: one code for a category or a status, and some rare words."""
    blocks = []
    for one in service.fields.values():
        person, recorded = _records(service, one)
        finest = one.levels[0].groups
        inside = np.bincount(one.category[person][recorded == "known"], minlength=len(finest)).astype(float)
        rows = [(f"C{place}", count, "known", finest[place]) for place, count in enumerate(inside) if count]
        for status in one.met:
            count = float((recorded == status).sum())
            first = np.floor(count * 0.8) if status == "invalid" else count
            rows += [
                (f"{status}{part}", each, status, "")
                for part, each in enumerate((first, count - first))
                if each
            ]
        if (recorded == "missing").any() and "missing" not in one.met:
            rows.append(("", float((recorded == "missing").sum()), "missing", ""))
        value, records, status, category = zip(*rows, strict=True)
        blocks.append(
            {
                "characteristic": [one.name] * len(rows),
                "value": list(value),
                "records": np.array(records),
                "status": list(status),
                "category": list(category),
                "detail": "detailed",
                "code_list": "made-up",
                "matched_by": "code",
            }
        )
    return _shaped("codes", blocks)
