"""The service file: the analyst's one file, read into frozen models.

`load_service("service.toml")` reads it; the same models may be built in Python. Unknown keys are refused
with the nearest known one, so a misspelt key can never be silently ignored.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from equitydata.errors import ConfigError, nearest
from equitydata.rulebook import Rulebook, characteristic, characteristics, load_rulebook

MAX_SERVICE_FILE_BYTES = 1_000_000


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Period(_Model):
    """First and last day that the analysis covers, both included."""

    from_: datetime.date | None = Field(None, alias="from", description="First day, for example 2025-04-01.")
    to: datetime.date | None = Field(None, description="Last day, for example 2026-03-31.")

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> Period:
        if self.from_ and self.to and self.from_ > self.to:
            raise ValueError("the period ends before it begins")
        return self


class About(_Model):
    """Whose data this is, whom it serves, and when."""

    name: str = Field("Unnamed service", description="Name of the service, as people know it.")
    level: Literal["service", "organisation"] = Field(
        "service", description="Which maturity matrix is used: service or organisation."
    )
    counted: Literal["patients", "staff"] = Field(
        "patients", description="Whose records these are: the people who are served, or the workforce."
    )
    area: tuple[str, ...] = Field(
        (), description="Who it serves: codes or names of local authorities; region and nation follow."
    )
    ages: tuple[int, int] | None = Field(
        None, description="Youngest and oldest eligible age, for example [18, 120]."
    )
    period: Period = Field(default_factory=Period, description="First and last day of the analysis.")
    not_relevant: tuple[str, ...] = Field(
        (), description="Protected characteristics that cannot matter to this service, for example pregnancy."
    )

    @pydantic.field_validator("ages")
    @classmethod
    def _ages_in_order(cls, ages: tuple[int, int] | None) -> tuple[int, int] | None:
        if ages is not None and not 0 <= ages[0] <= ages[1]:
            raise ValueError("ages are the youngest and the oldest, for example [18, 120]")
        return ages


class DaysApart(_Model):
    """The days from one date to another: two columns of the extract."""

    from_: str = Field(alias="from", description="Column with the earlier date.")
    to: str = Field(description="Column with the later date.")


class Condition(_Model):
    """A test of one column, or of the days between two. Values are compared as trimmed text, in any letter case."""

    column: str | None = Field(None, description="Column of the extract.")
    days: DaysApart | None = Field(None, description="Two date columns, whose days apart are tested instead.")
    in_: tuple[str, ...] | None = Field(None, alias="in", description="One of these values.")
    not_in: tuple[str, ...] | None = Field(None, description="None of these values; a blank is none of them.")
    equals: str | None = Field(None, description="This value.")
    missing: bool | None = Field(None, description="true: blank; false: filled.")
    at_least: float | None = Field(None, description="This number or more.")
    at_most: float | None = Field(None, description="This number or less.")
    between: tuple[float, float] | None = Field(None, description="From the first to the second number.")

    @pydantic.model_validator(mode="after")
    def _has_a_test(self) -> Condition:
        if (self.column is None) == (self.days is None):
            raise ValueError("a condition tests one column, or the days between two: column or days")
        texts = (self.in_, self.not_in, self.equals)
        numbers = (self.missing, self.at_least, self.at_most, self.between)
        if all(test is None for test in (*texts, *numbers)):
            raise ValueError(
                "a condition needs one of: in, not_in, equals, missing, at_least, at_most, between"
            )
        if self.days is not None and any(test is not None for test in texts):
            raise ValueError("days apart are tested with at_least, at_most, between or missing")
        if self.between is not None and self.between[0] > self.between[1]:
            raise ValueError("between gives the smaller number first, for example [1, 5]")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the extract that are looked at."""
        return (self.column,) if self.column is not None else (self.days.from_, self.days.to)  # type: ignore[union-attr]


def _of_one_column(conditions: Iterator[Condition]) -> None:
    if any(condition.days is not None for condition in conditions):
        raise ValueError("days apart are tested in measures only: name a column")


class ExtractSettings(_Model):
    """Where the records are, and which columns say who, when and where."""

    path: str | tuple[str, ...] | None = Field(
        None, description="File, folder or glob, relative to the service file."
    )
    url: str | None = Field(None, description="Database address; the password belongs in the environment.")
    table: str | None = Field(None, description="Table of the database.")
    sheet: str | None = Field(None, description="Sheet of an Excel workbook.")
    encoding: str | None = Field(None, description="Text encoding, where the detected one is wrong.")
    delimiter: str | None = Field(None, description="Column separator, where the detected one is wrong.")
    header_row: int | None = Field(None, description="Line of the header, where the detected one is wrong.")
    bad_rows: Literal["reject", "stop"] = Field(
        "reject", description="What happens to damaged lines: rejected and counted, or stop."
    )
    person: str | None = Field(None, description="Column that tells people apart; a pseudonym is enough.")
    date: str | None = Field(None, description="Column with the date of the contact.")
    day_first: bool = Field(True, description="01/04/2025 is the first of April.")
    record: str | None = Field(None, description="Column that tells records apart.")
    point_of_care: str | None = Field(None, description="Column with the setting or step of the pathway.")
    site: str | None = Field(None, description="Column with the place.")
    duplicates: Literal["drop", "keep"] = Field(
        "keep", description="What happens to exact copies of a row: dropped and counted, or kept."
    )
    exclude: tuple[Condition, ...] = Field(
        (), description="Rows that concern no patient (test records): rejected and counted."
    )

    @pydantic.field_validator("exclude")
    @classmethod
    def _excluded_by_one_column(cls, exclude: tuple[Condition, ...]) -> tuple[Condition, ...]:
        _of_one_column(iter(exclude))
        return exclude


class SourceSettings(_Model):
    """Who gave the value: the person, someone for them, or an observer."""

    column: str = Field(description="Column that holds the source of the value.")
    self_reported: tuple[str, ...] = Field((), description="Words that mean the person said it.")
    proxy: tuple[str, ...] = Field((), description="Words that mean a parent or carer said it.")
    priority: tuple[str, ...] = Field((), description="Other sources, best first, for ties.")


class CharacteristicSettings(_Model):
    """One characteristic: where it is and how it is coded."""

    column: str = Field(description="Column of the extract.")
    code_list: str | None = Field(None, description="Name of a code list; detected when left out.")
    code_file: str | None = Field(
        None, description="Your own list in OpenCodelists CSV form, relative to the service file."
    )
    code_file_grouping: str | None = Field(None, description="Column of code_file that holds the groups.")
    map: dict[str, str] = Field({}, description="Local words: value -> category, code or status.")
    map_file: str | None = Field(None, description="The same as a CSV with columns value and category.")
    missing: tuple[str, ...] = Field((), description="Further words that mean missing in this column.")
    source: SourceSettings | None = Field(None, description="Who gave the value.")
    self_reported: bool | None = Field(
        None, description="true when every value of this column came from the person; false when none did."
    )
    recorded: str | None = Field(None, description="Column with the date the value was recorded.")
    observed: str | None = Field(
        None, description="Column with the same characteristic as seen by an observer; only compared."
    )
    applies: Condition | None = Field(
        None, description="Rows to which the item applies; the others are not applicable."
    )

    @pydantic.field_validator("applies")
    @classmethod
    def _applies_by_one_column(cls, applies: Condition | None) -> Condition | None:
        _of_one_column(iter(() if applies is None else (applies,)))
        return applies


def _check_inside(numerator: tuple[Condition, ...], denominator: tuple[Condition, ...]) -> None:
    """Stop at a numerator whose values of a column are none of those that its denominator lists."""
    for outer in denominator:
        for inner in numerator:
            allowed, asked = _listed(outer), _listed(inner)
            if outer.column == inner.column and allowed and asked and not asked & allowed:
                raise ValueError(
                    f"the numerator is outside the denominator: of '{inner.column}' they list different values"
                )


def _listed(condition: Condition) -> set[str]:
    values = condition.in_ or (() if condition.equals is None else (condition.equals,))
    return {value.strip().lower() for value in values}


class Benchmark(_Model):
    """The same measure in a wider area, to hold every group against."""

    label: str = Field(description="Whose figure it is, for example England 2024/25.")
    numerator: float = Field(description="Those who met it there; for a rate, the events.")
    denominator: float = Field(gt=0, description="Those who could have; for a rate, the person-time.")
    source: str = Field(description="Where the figure is published.")


Conditions = tuple[Condition, ...]
STATISTICS = ("share", "rate", "population_rate", "mean", "quantile")


class Measure(_Model):
    """An outcome as defined: who meets the numerator among those who meet the denominator.

    A share needs a numerator, or a value and a standard; a rate needs a numerator and person_time, or
    per_residents = true; a mean needs a value, and a quantile a value and quantile.
    """

    label: str = Field(description="Name that people read.")
    kind: Literal["access", "uptake", "experience", "outcome", "safety", "quality", "prevalence"] = Field(
        description="What sort of outcome it is."
    )
    counts: Literal["contacts", "people"] = Field("contacts", description="What is counted.")
    person: Literal["any", "all", "latest"] = Field(
        "any",
        description="With people counted: who has met it, those with any such record, all, or their latest.",
    )
    denominator: Conditions = Field(
        (), description="Who could meet it: one condition, or several that all hold."
    )
    numerator: Conditions = Field((), description="Who met it: one condition, or several that all hold.")
    value: str | DaysApart | None = Field(
        None,
        description="Column with a number, or the days between two dates, for a mean, quantile or standard.",
    )
    standard: float | None = Field(None, description="With value: to meet it is a value up to this number.")
    quantile: float | None = Field(None, gt=0, lt=1, description="With value: 0.5 for the median.")
    person_time: str | None = Field(None, description="Column with the time at risk, for a rate.")
    per_residents: bool = Field(False, description="true: a rate against the residents of the area.")
    multiplier: float = Field(1000, gt=0, description="Rates are shown per so many.")
    period: Period = Field(default_factory=Period, description="Where it differs from the service's.")
    polarity: Literal["favourable", "adverse", "neutral"] = Field(description="Is more of it good or bad?")
    target: float | None = Field(
        None, description="A fixed value to hold every group against, a fraction for a share."
    )
    benchmark: Benchmark | None = Field(None, description="The figure of a wider area.")
    source: str = Field("", description="Where the definition is from.")

    @pydantic.field_validator("denominator", "numerator", mode="before")
    @classmethod
    def _several(cls, given: Any) -> Any:
        return (given,) if isinstance(given, (Mapping, Condition)) else given

    @pydantic.model_validator(mode="after")
    def _is_one_statistic(self) -> Measure:
        if self.value is not None and self.numerator:
            raise ValueError("a measure has a numerator or a value, not both; a value may have a standard")
        if self.value is None and not self.numerator:
            raise ValueError("a measure needs a numerator, or a value for a mean, quantile or standard")
        if self.value is None and (self.standard is not None or self.quantile is not None):
            raise ValueError("standard and quantile need a value")
        if self.standard is not None and self.quantile is not None:
            raise ValueError("a value has a standard or a quantile, not both")
        if self.per_residents and (self.person_time or self.denominator or self.value is not None):
            raise ValueError(
                "per_residents has the residents as denominator: leave out denominator, person_time and value"
            )
        _check_inside(self.numerator, self.denominator)
        if self.person_time is not None and (self.value is not None or self.counts == "people"):
            raise ValueError(
                'person_time makes a rate of events: it needs a numerator, and counts = "contacts"'
            )
        return self

    @property
    def statistic(self) -> str:
        """One of STATISTICS: share, rate, population_rate, mean or quantile."""
        if self.quantile is not None:
            return "quantile"
        if self.value is not None and self.standard is None:
            return "mean"
        if self.per_residents:
            return "population_rate"
        return "rate" if self.person_time is not None else "share"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the extract that the measure looks at."""
        conditions = [column for each in (*self.denominator, *self.numerator) for column in each.columns]
        values = (self.value.from_, self.value.to) if isinstance(self.value, DaysApart) else (self.value,)
        return tuple(column for column in (*conditions, *values, self.person_time) if column is not None)


class AnalysisSettings(_Model):
    """What is stratified by what, and held against whom."""

    characteristics: tuple[str, ...] | None = Field(
        None, description="Characteristics to stratify outcomes by; all that are mapped when left out."
    )
    crossings: tuple[str, ...] | None = Field(
        None,
        description='Pairs to cross, for example "ethnicity x sex"; ethnicity by sex and by deprivation when left out.',
    )
    trend: Literal["month", "quarter", "year", "none"] = Field("quarter", description="Steps of the trend.")
    trend_by: tuple[str, ...] = Field(
        ("ethnicity", "language", "sex", "age", "deprivation", "disability"),
        description="Characteristics whose groups are followed over time.",
    )
    reference: dict[str, str] = Field(
        {}, description='Reference group by characteristic, for example ethnicity = "White British".'
    )
    family: Literal["characteristic", "report"] = Field(
        "characteristic",
        description="What one p-value is adjusted for: the groups of its characteristic, or the whole report.",
    )


class ReferenceSettings(_Model):
    """Reference tables of the analyst's own, made by `equitydata reference add`."""

    folder: str = Field("reference", description="Where they are, relative to the service file.")


class ListeningSettings(_Model):
    """The register of the ways the service listens to people, and of what was heard."""

    path: str | None = Field(
        None, description="TOML or CSV; qualitative.toml beside the service file when left out."
    )


class HistorySettings(_Model):
    """The log of runs, which shows that analysis is done regularly."""

    path: str = Field("equitydata-runs.jsonl", description="File, relative to the service file.")


class Attestation(_Model):
    """What no extract can show: a claim with its evidence, owner and date."""

    met: bool = Field(description="true when the criterion is met.")
    not_applicable: bool = Field(
        False, description="true when the criterion cannot apply, for example to a single team."
    )
    evidence: str = Field(min_length=1, description="Title of the document or record.")
    owner: str = Field(min_length=1, description="Role that answers for it.")
    date: datetime.date = Field(description="Day of the evidence.")
    link: str = Field("", description="Where it is kept.")
    review: datetime.date | None = Field(None, description="Day it is to be reviewed.")


class Sharing(_Model):
    """The file that is shared: which columns stay in it and could single people out together."""

    quasi_identifiers: tuple[str, ...] = Field(
        (), description="Characteristics that stay in a shared file, for example age, sex, ethnicity."
    )
    dropped: tuple[str, ...] = Field((), description="Columns that are taken out before sharing.")
    sensitive: tuple[str, ...] = Field(
        (),
        description="Columns or characteristics of which every group must hold several values: a diagnosis.",
    )
    keep: tuple[str, ...] = Field(
        (),
        description="Further columns or characteristics that stay; a column that nobody names is left out.",
    )
    pseudonymise: tuple[str, ...] = Field(
        (), description="Columns that become keyed pseudonyms, besides the person column."
    )
    k: int | None = Field(
        None, ge=2, description="People in the smallest group; the rule `identifier_k` when left out."
    )
    l: int | None = Field(  # noqa: E741 (the letter that the literature has)
        None, ge=1, description="Distinct values of each sensitive column in every group; 2 when left out."
    )
    suppress_at_most: float | None = Field(
        None, ge=0, le=1, description="Share of people who may be left out; 0.02 when left out."
    )
    dates: Literal["month", "quarter", "year", "offset"] | None = Field(
        None,
        description="What becomes of dates: the first day of their month, quarter or year, or moved person by person.",
    )
    coarsest: dict[str, str] = Field(
        {},
        description='The coarsest level a characteristic may be given, for example ethnicity = "groups".',
    )
    key_file: str | None = Field(
        None, description="File with the key of the pseudonyms, relative to the service file."
    )
    postcode_lookup: str | None = Field(
        None, description="Your own CSV of postcodes and small areas (LSOA), relative to the service file."
    )
    deidentified: str | None = Field(
        None,
        description="Manifest that `equitydata deidentify` wrote beside the shared file; it is evidence.",
    )


class Service(_Model):
    """A service as one file describes it."""

    service: About = Field(default_factory=About, description="Whose data this is.")
    extract: ExtractSettings = Field(default_factory=ExtractSettings, description="Where the records are.")
    characteristics: dict[str, CharacteristicSettings] = Field(
        {}, description="What is known of people: one table per characteristic."
    )
    measures: dict[str, Measure] = Field({}, description="Outcomes to stratify.")
    analysis: AnalysisSettings = Field(
        default_factory=AnalysisSettings, description="What is stratified by what, and held against whom."
    )
    reference: ReferenceSettings = Field(
        default_factory=ReferenceSettings, description="Reference tables of your own."
    )
    listening: ListeningSettings = Field(
        default_factory=ListeningSettings, description="How the service listens to people."
    )
    history: HistorySettings = Field(default_factory=HistorySettings, description="The log of runs.")
    attestations: dict[str, Attestation] = Field({}, description="What no extract can show, by criterion id.")
    sharing: Sharing | None = Field(None, description="The file that is shared.")
    rules: dict[str, Any] = Field({}, description="Choices that differ from the defaults.")
    folder: Path = Field(Path(), exclude=True, description="Folder that paths are relative to.")
    file: str = Field("service file", exclude=True, description="Name of the file, for messages.")

    @property
    def rulebook(self) -> Rulebook:
        """The choices in force for this service."""
        return load_rulebook(self.rules)


def load_service(path: str | Path) -> Service:
    """Read a service file (TOML).

    A file `attestations.toml` beside it is read too; an attestation may stand in one of the two only.
    Raises ConfigError with the line and the nearest key where the file does not hold.
    """
    path = Path(path)
    text = _read_text(path)
    content = _parse(text, path.name)
    beside = path.parent / "attestations.toml"
    if beside.is_file() and beside != path:
        more = _parse(_read_text(beside), beside.name).get("attestations", {})
        both = sorted(set(more) & set(content.get("attestations", {})))
        if both:
            raise ConfigError(
                f"'{both[0]}' is attested in two files.", where=beside.name, mend="Keep one of the two."
            )
        content["attestations"] = {**content.get("attestations", {}), **more}
    return make_service(content, folder=path.parent, text=text, name=path.name)


def make_service(
    content: Mapping[str, Any], *, folder: Path | None = None, text: str = "", name: str = "service"
) -> Service:
    """A service from a mapping of the same shape as the file.

    folder : what paths are relative to; the working folder when left out.
    text, name : of the file, for the line numbers of errors.
    Raises ConfigError.
    """
    try:
        service = Service.model_validate({**content, "folder": folder or Path(), "file": name})
    except pydantic.ValidationError as error:
        raise _explain(error, text, name) from None
    for wanted in service.characteristics:
        if wanted not in characteristics():
            raise ConfigError(
                f"No characteristic named '{wanted}'.",
                where=_where(("characteristics", wanted), text, name),
                mend=nearest(wanted, characteristics()),
            )
    load_rulebook(service.rules)
    _check_code_lists(service, text, name)
    for wanted in service.service.not_relevant:
        characteristic(wanted)
    _check_attestations(service, text, name)
    _check_quasi_identifiers(service)
    return service


def service_schema() -> dict[str, Any]:
    """JSON Schema of the service file."""
    return Service.model_json_schema(by_alias=True)


def _check_code_lists(service: Service, text: str, name: str) -> None:
    from equitydata.codelists import catalogue

    named = {
        key: s.code_list for key, s in service.characteristics.items() if s.code_list and not s.code_file
    }
    known = set(catalogue()["code_list"]) if named else set()
    for key, wanted in named.items():
        if wanted not in known:
            lists = characteristic(key).code_lists
            raise ConfigError(
                f"No code list named '{wanted}'.",
                where=_where(("characteristics", key, "code_list"), text, name),
                mend=nearest(str(wanted), lists or known),
            )


def _check_attestations(service: Service, text: str, name: str) -> None:
    from equitydata.reference import criteria

    if not service.attestations:
        return
    known = set(criteria(service.service.level)["criterion_id"])
    for wanted in service.attestations:
        if wanted not in known:
            raise ConfigError(
                f"No {service.service.level} criterion '{wanted}'.",
                where=_where(("attestations", wanted), text, name),
                mend=nearest(wanted, known),
            )


# What is read from another characteristic where it has no column of its own.
READ_FROM = {"age": "birth_date", "deprivation": "geography"}


def _check_quasi_identifiers(service: Service) -> None:
    for wanted in service.sharing.quasi_identifiers if service.sharing else ():
        characteristic(wanted)
        if wanted not in service.characteristics and READ_FROM.get(wanted) not in service.characteristics:
            raise ConfigError(
                f"'{wanted}' is a quasi-identifier but not mapped.",
                where="[sharing] quasi_identifiers",
                mend=nearest(wanted, service.characteristics),
            )


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_SERVICE_FILE_BYTES:
            raise ConfigError(
                "The file is too large to be a service file.",
                where=path.name,
                mend="Give the service.toml; the extract itself is named inside it.",
            )
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        folder = path.parent if path.parent.is_dir() else Path()
        raise ConfigError(
            "There is no such service file.",
            where=str(path),
            mend=f"`equitydata init EXTRACT` writes one. {nearest(path.name, _toml_names(folder))}",
        ) from None
    except UnicodeDecodeError:
        raise ConfigError("Not a text file in UTF-8.", where=path.name, mend="Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"Cannot be read ({error.strerror}).", where=str(path)) from None


def _toml_names(folder: Path) -> Iterator[str]:
    return (file.name for file in folder.glob("*.toml"))


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at (?:line (\d+).*|end of document)\)", str(error))
        where = f"{name}, line {place[1]}" if place and place[1] else name
        reason = re.sub(r"\s*\(at .*\)$", "", str(error))
        raise ConfigError(
            f"Not valid TOML: {reason}.", where=where, mend='Text stands in quotes: name = "..."'
        ) from None


def _explain(error: pydantic.ValidationError, text: str, name: str) -> ConfigError:
    found = error.errors(include_url=False, include_input=False)
    # A misspelt key shows up twice, as unknown and as missing: the unknown one says what to mend.
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    place = tuple(str(part) for part in first["loc"])
    where = _where(place, text, name)
    if first["type"] == "extra_forbidden":
        return ConfigError(
            f"Unknown key '{place[-1]}' in [{'.'.join(place[:-1]) or 'the file'}].",
            where=where,
            mend=nearest(place[-1], _keys_at(place[:-1])),
        )
    message = first["msg"].removeprefix("Value error, ")
    return ConfigError(
        f"{'.'.join(place)}: {message}.", where=where or name, mend="See docs/service-file.md."
    )


def _keys_at(place: tuple[str, ...]) -> list[str]:
    """Names of the keys that a table of the service file may hold."""
    model: Any = Service
    for part in place:
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            continue
        by_alias = {field.alias or key: field for key, field in model.model_fields.items()}
        if part in by_alias:
            model = _inner_model(by_alias[part].annotation)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return []
    return [field.alias or key for key, field in model.model_fields.items() if key not in ("folder", "file")]


def _inner_model(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _inner_model(inner)
        if found is not None:
            return found
    return None


def _where(place: tuple[str, ...], text: str, name: str) -> str:
    """File and line of the deepest part of a place that the text shows."""
    lines = text.splitlines()
    for part in reversed(place):
        pattern = re.compile(
            rf"^\s*(\[.*\b{re.escape(part)}\]|\"?{re.escape(part)}\"?\s*=)|[{{,]\s*{re.escape(part)}\s*="
        )
        for number, line in enumerate(lines, start=1):
            if pattern.search(line):
                return f"{name}, line {number}"
    return f"{name}, [{'.'.join(place)}]" if place else name
