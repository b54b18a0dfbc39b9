"""What becomes of each column: decided from the service file, its names and the scan, before a record is changed.

A column that nobody names is left out. What is known of people stays only as a quasi-identifier, a sensitive column or
one that is kept by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from equitydata.errors import ConfigError, InputError, nearest
from equitydata.records.deidentifying.choices import load_choices
from equitydata.records.identifiers import BY_HEADER
from equitydata.rulebook import characteristic, characteristics
from equitydata.service import DaysApart, Service, Sharing

# What a characteristic of these kinds tells of a person can only stay in groups.
ONLY_IN_GROUPS = ("age", "birth_date", "area", "postcode")
PSEUDONYM, GROUPED, DATE, VALUES, DROPPED = "pseudonym", "grouped", "date", "values", "dropped"


@dataclass(frozen=True)
class Asked:
    """What the analyst asks for, with the choices where nothing was asked.

    quasi_identifiers : characteristics as they are coded: a date of birth is `age`. named : by the service file.
    coarsest : characteristic -> the coarsest level that it may be given. postcode_lookup : where it is given, the areas
    of postcodes are the quasi-identifier `geography`.
    """

    quasi_identifiers: tuple[str, ...]
    named: bool
    sensitive: tuple[str, ...]
    keep: tuple[str, ...]
    dropped: tuple[str, ...]
    pseudonymise: tuple[str, ...]
    k: int
    l: int  # noqa: E741 (the letter that the literature has)
    suppress_at_most: float
    dates: str
    coarsest: Mapping[str, str] = field(default_factory=dict)
    postcode_lookup: Path | None = None


@dataclass(frozen=True)
class ColumnPlan:
    """What becomes of one column.

    action : pseudonym, grouped, date, values or dropped. characteristic : that its values are read as, "" for none.
    sensitive : every group must hold several of its values. written : names of the columns that it gives.
    how : what was done, in words.
    """

    column: str
    action: str
    why: str
    characteristic: str = ""
    sensitive: bool = False
    written: tuple[str, ...] = ()
    how: str = ""


@dataclass(frozen=True)
class Plan:
    """The plan of an extract. grouped : quasi-identifier, as it is coded -> column that it comes from."""

    columns: tuple[ColumnPlan, ...]
    grouped: Mapping[str, str]

    def of(self, action: str) -> tuple[ColumnPlan, ...]:
        """The columns with one action."""
        return tuple(each for each in self.columns if each.action == action)

    def with_column(self, changed: ColumnPlan) -> Plan:
        """The plan with one column's part replaced."""
        columns = (changed if each.column == changed.column else each for each in self.columns)
        return replace(self, columns=tuple(columns))


def what_is_asked(service: Service, options: Mapping[str, Any]) -> Asked:
    """The [sharing] of a service file, with options that go before it.

    options : key of [sharing] -> value; None where nothing was given.
    Raises ConfigError for what does not hold.
    """
    sharing = service.sharing or Sharing()
    given = {key: value for key, value in options.items() if value is not None}
    sharing = sharing.model_copy(update=given)
    choices = load_choices()
    named = bool(sharing.quasi_identifiers)
    asked = sharing.quasi_identifiers if named else choices.value("quasi_identifiers")
    quasi = _as_coded(asked, service, sure=named)
    lookup = None
    if sharing.postcode_lookup is not None and "postcode" in quasi:
        lookup = service.folder / sharing.postcode_lookup
        quasi = tuple(dict.fromkeys("geography" if name == "postcode" else name for name in quasi))
    k = service.rulebook.value("identifier_k") if sharing.k is None else sharing.k
    values = choices.value("l") if sharing.l is None else sharing.l
    budget = (
        choices.value("suppress_at_most") if sharing.suppress_at_most is None else sharing.suppress_at_most
    )
    if k < 2 or values < 1 or not 0 <= budget <= 1:
        raise ConfigError(
            f"k = {k}, l = {values} and suppress_at_most = {budget} do not go together.",
            where="[sharing]",
            mend="k is 2 or more, l is 1 or more, suppress_at_most a share between 0 and 1.",
        )
    _check_coarsest(sharing.coarsest, quasi)
    return Asked(
        quasi_identifiers=quasi,
        named=named,
        sensitive=sharing.sensitive,
        keep=sharing.keep,
        dropped=sharing.dropped,
        pseudonymise=sharing.pseudonymise,
        k=k,
        l=values,
        suppress_at_most=budget,
        dates=choices.chosen("dates", sharing.dates),
        coarsest={"age" if name == "birth_date" else name: level for name, level in sharing.coarsest.items()},
        postcode_lookup=lookup,
    )


def _as_coded(names: Iterable[str], service: Service, *, sure: bool) -> tuple[str, ...]:
    """Quasi-identifiers by the names that they are coded under. sure : one that is not mapped is an error."""
    found = []
    for name in names:
        characteristic(name)
        if _source(name, service) is None:
            if sure:
                raise ConfigError(
                    f"'{name}' is a quasi-identifier but not mapped.",
                    where="[sharing] quasi_identifiers",
                    mend=nearest(name, service.characteristics),
                )
            continue
        found.append("age" if name == "birth_date" else name)
    return tuple(dict.fromkeys(found))


def _source(name: str, service: Service) -> str | None:
    """The mapped characteristic that one is read from: an age from a date of birth, deprivation from an area."""
    mapped = service.characteristics
    first = {"age": ("birth_date", "age"), "birth_date": ("birth_date", "age")}
    first["deprivation"] = ("deprivation", "geography")
    return next((each for each in first.get(name, (name,)) if each in mapped), None)


def _check_coarsest(coarsest: Mapping[str, str], quasi: tuple[str, ...]) -> None:
    for name, level in coarsest.items():
        coded = "age" if name == "birth_date" else name
        where = f"[sharing.coarsest] {name}"
        if coded not in quasi:
            raise ConfigError(f"'{name}' is no quasi-identifier.", where=where, mend=nearest(coded, quasi))
        levels = [each.name for each in load_choices().levels.get(coded, ())] or ["detailed"]
        if level not in levels:
            raise ConfigError(f"'{name}' has no level '{level}'.", where=where, mend=nearest(level, levels))


# ---------------------------------------------------------------- the plan


def plan_columns(columns: tuple[str, ...], service: Service, asked: Asked, scanned: pd.DataFrame) -> Plan:
    """What becomes of each column of an extract.

    scanned : as `scan_identifiers` gives it.
    Raises InputError for a column that is not there, ConfigError for one that is asked for twice or cannot be safe.
    """
    grouped = _grouped(service, asked)
    kept = {name: _column(name, columns, service, "keep") for name in asked.keep}
    sensitive = {name: _column(name, columns, service, "sensitive") for name in asked.sensitive}
    for key in ("dropped", "pseudonymise"):
        for name in getattr(asked, key):
            _column(name, columns, None, key)
    named = {
        "quasi_identifiers": set(grouped.values()),
        "keep": set(kept.values()) - set(sensitive.values()),
        "sensitive": set(sensitive.values()),
        "pseudonymise": set(asked.pseudonymise),
        "dropped": set(asked.dropped),
    }
    _refuse_twice(named)
    context = _Context(service, asked, grouped, named, _kinds(scanned), _kinds(scanned, sure=True))
    return Plan(tuple(_decide(column, context) for column in columns), grouped)


@dataclass(frozen=True)
class _Context:
    service: Service
    asked: Asked
    grouped: Mapping[str, str]
    named: Mapping[str, set[str]]
    kinds: Mapping[str, str]
    sure_kinds: Mapping[str, str]


def _grouped(service: Service, asked: Asked) -> dict[str, str]:
    columns = {}
    for name in asked.quasi_identifiers:
        of_postcode = name == "geography" and asked.postcode_lookup is not None
        source = "postcode" if of_postcode else _source(name, service)
        columns[name] = service.characteristics[str(source)].column
    return columns


def _column(name: str, columns: tuple[str, ...], service: Service | None, key: str) -> str:
    """The column that a name of [sharing] means: its own, or that of a characteristic."""
    if name in columns:
        return name
    mapped = service.characteristics if service else {}
    if name in mapped and mapped[name].column in columns:
        return mapped[name].column
    raise InputError(
        f"There is no column '{name}'.", where=f"[sharing] {key}", mend=nearest(name, [*columns, *mapped])
    )


def _refuse_twice(named: Mapping[str, set[str]]) -> None:
    keys = list(named)
    for number, first in enumerate(keys):
        for second in keys[number + 1 :]:
            both = sorted(named[first] & named[second])
            if both:
                raise ConfigError(
                    f"'{both[0]}' stands under {first} and under {second}.",
                    where="[sharing]",
                    mend="Name it under one of them: a column can become one thing only.",
                )


def _kinds(scanned: pd.DataFrame, *, sure: bool = False) -> dict[str, str]:
    """Column -> kinds of identifier it looks like. sure : by what it holds, not by its name alone."""
    here = scanned[scanned["evidence"] != BY_HEADER] if sure else scanned
    return {
        str(column): " and ".join(dict.fromkeys(frame["kind"]))
        for column, frame in here.groupby("column", sort=False)
    }


def _decide(column: str, context: _Context) -> ColumnPlan:
    """The first rule that speaks of a column decides."""
    return next(plan for plan in _rules(column, context) if plan is not None)


def _rules(column: str, context: _Context) -> Iterator[ColumnPlan | None]:
    service, named = context.service, context.named
    extract = service.extract
    read_as = _read_as(column, service)
    yield _if(column in named["dropped"], column, DROPPED, "named under dropped")
    yield _if(column == extract.person, column, PSEUDONYM, "tells people apart")
    yield _if(column in named["pseudonymise"], column, PSEUDONYM, "named under pseudonymise")
    if column in named["quasi_identifiers"]:
        yield ColumnPlan(column, GROUPED, "a quasi-identifier", characteristic=read_as)
    for key in ("sensitive", "keep"):
        if column in named[key]:
            yield _named(column, key, read_as, context)
    if column in context.kinds and column not in _dates(service):
        yield ColumnPlan(column, DROPPED, f"looks like a direct identifier: {context.kinds[column]}")
    yield _if(column in _dates(service), column, DATE, "a date")
    yield _if(column in (extract.site, extract.point_of_care), column, VALUES, "a place")
    yield _if(column in _of_measures(service), column, VALUES, "a measure looks at it")
    yield _if(
        column == extract.record, column, DROPPED, "tells records apart, and rows stay apart without it"
    )
    if read_as:
        label = characteristic(read_as).label
        yield ColumnPlan(column, DROPPED, f"{label}: not named to stay", characteristic=read_as)
    yield _if(
        column in _beside(service),
        column,
        DROPPED,
        "goes with a characteristic, which is one for each person",
    )
    excluded = {each for condition in extract.exclude for each in condition.columns}
    yield _if(column in excluded, column, DROPPED, "has done its part: rows were left out by it")
    yield ColumnPlan(column, DROPPED, "no key of the service file names it")


def _if(held: bool, column: str, action: str, why: str) -> ColumnPlan | None:
    return ColumnPlan(column, action, why) if held else None


def _named(column: str, key: str, read_as: str, context: _Context) -> ColumnPlan:
    """A column that is kept by name, if it can be."""
    where = f"[sharing] {key}"
    if read_as and characteristics()[read_as].kind in ONLY_IN_GROUPS:
        raise ConfigError(
            f"'{column}' ({characteristic(read_as).label}) can only stay in groups.",
            where=where,
            mend=f"Name {read_as} under quasi_identifiers instead.",
        )
    if column in context.sure_kinds:
        raise ConfigError(
            f"'{column}' holds what looks like a direct identifier: {context.sure_kinds[column]}.",
            where=where,
            mend="Name it under pseudonymise or dropped.",
        )
    is_date = column in _dates(context.service)
    return ColumnPlan(
        column,
        DATE if is_date else VALUES,
        f"named under {key}",
        characteristic="" if is_date else read_as,
        sensitive=key == "sensitive",
    )


def _read_as(column: str, service: Service) -> str:
    """The characteristic that a column is mapped as, "" for none."""
    return next((name for name, each in service.characteristics.items() if each.column == column), "")


def _dates(service: Service) -> set[str]:
    """The columns that are known to hold dates and serve an analysis."""
    found = {service.extract.date}
    for measure in service.measures.values():
        apart = [each.days for each in (*measure.denominator, *measure.numerator) if each.days]
        apart += [measure.value] if isinstance(measure.value, DaysApart) else []
        found |= {column for each in apart for column in (each.from_, each.to)}
    return {column for column in found if column is not None}


def _of_measures(service: Service) -> set[str]:
    """The columns that measures look at; those of a characteristic are left to it."""
    mapped = {each.column for each in service.characteristics.values()}
    return {column for measure in service.measures.values() for column in measure.columns} - mapped


def _beside(service: Service) -> set[str]:
    found: set[str | None] = set()
    for settings in service.characteristics.values():
        source = settings.source.column if settings.source else None
        applies = settings.applies.columns if settings.applies else ()
        found |= {source, settings.recorded, settings.observed, *applies}
    return {column for column in found if column is not None}
