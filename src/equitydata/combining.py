"""Services -> their organisation: ratings of services rolled up, beside what the organisation attests itself.

Domain notes, section 10.3, rule 4. It works from results in memory and from what was written of them
(rating.json): there counts are rounded and small ones hidden. A hidden count stays unknown, and is never 0.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from math import ceil
from pathlib import Path
from typing import Any

import pandas as pd
import pydantic

from equitydata import reference
from equitydata.errors import ConfigError
from equitydata.figures import PLACES
from equitydata.maturity.criteria import (
    MET,
    NOT_APPLICABLE,
    NOT_ASSESSED,
    NOT_MET,
    READINGS,
    SERVICES,
    Evidence,
    as_rows,
    decisive_share,
    passes,
)
from equitydata.maturity.next_steps import shortfall
from equitydata.maturity.tiers import rate_maturity
from equitydata.model import Intake, Rejection
from equitydata.rating import HEADLINES, Rating
from equitydata.result import AboutService, EquityResult
from equitydata.rulebook import CriterionCheck, Rulebook, criterion_checks, disclosure_rule, load_rulebook
from equitydata.service import Service
from equitydata.shown import Shown
from equitydata.tables import (
    FIGURES_TABLE,
    HIDDEN,
    NEEDS_TABLE,
    SERVICES_TABLE,
    SPECS,
    empty,
    shape,
    with_shares,
)

RATING_FILE = "rating.json"
SHOWN, HIDDEN_COUNTS, NO_COUNTS = "shown", "hidden", "none"
NAMED_AT_MOST = 8
_LABELS = {
    "joint": "Ethnicity and language together",
    "ethnicity": "Ethnic group",
    "language": "Main or preferred language",
}


@dataclass(frozen=True)
class ServiceRating:
    """The rating of one service, wherever it came from.

    criteria : criterion id -> its row, as in CRITERIA_TABLE. figures : name -> its row, as in FIGURES_TABLE.
    Both hold `hidden`, and None for a count that is hidden or was not measured.
    rule : the small-number rule that the counts passed; "" for true counts.
    changed : rules that differ from their default.
    """

    name: str
    level: str
    version: str
    areas: tuple[str, ...]
    area_codes: tuple[str, ...]
    period_from: datetime.date | None
    period_to: datetime.date | None
    as_of: datetime.date
    people: int | None
    counted: str
    declined_counts: bool
    criteria: Mapping[str, Mapping[str, Any]]
    figures: Mapping[str, Mapping[str, Any]]
    rows_read: int
    rejections: tuple[Rejection, ...]
    changed: Mapping[str, Any]
    rule: str

    def outcome(self, criterion_id: str, *, declined: bool, column: str = "outcome") -> str:
        """The outcome of a criterion under one reading of declined answers; an absent one is not assessed."""
        row = self.criteria.get(criterion_id)
        if row is None:
            return NOT_ASSESSED
        return str(row[column if declined == self.declined_counts else "outcome_other_reading"])


def combine(
    services: Sequence[ServiceRating | EquityResult | Rating | Mapping[str, Any]],
    organisation: Service | None = None,
    *,
    rulebook: Rulebook | None = None,
    as_of: datetime.date,
    shown: Mapping[str, Shown] | None = None,
) -> EquityResult:
    """The organisation's result from the ratings of its services.

    services : results of `analyse`, what `read_services` gives, or the content of rating.json or of a result's
        JSON; of service level, each service once, all of one version.
    organisation : its service file (level = "organisation") with its name and attestations.
    rulebook : the choices in force; those of the organisation's file, or the defaults, when left out.
    as_of : the day against which the organisation's attestations lapse.
    shown : criterion id -> what the organisation's own log of runs or register of listening shows.
    Effect criteria roll up by the choice `roll_up`; all others are attested. The table `services` says what each
    service decides. People seen by two services are counted in both.
    Raises ConfigError.
    """
    rated = tuple(as_service_rating(each) for each in services)
    _check(rated, organisation)
    rulebook = rulebook or (organisation.rulebook if organisation else load_rulebook())
    chosen = bool(rulebook.value("count_declined"))
    figures = _pooled_figures(rated, rulebook)
    maturity = rate_maturity(
        reference.criteria("organisation"),
        None,
        organisation.attestations if organisation else {},
        level="organisation",
        needs=_needs(rated),
        joint=None,
        rulebook=rulebook,
        as_of=as_of,
        rolled_up={declined: roll_up(rated, rulebook, declined=declined) for declined in (True, False)},
        needed=_needed(rated, rulebook, declined=chosen),
        shown=shown,
    )
    tables = {name: empty(spec) for name, spec in SPECS.items() if not hasattr(maturity, name)}
    return EquityResult(
        about=_about(rated, organisation, as_of),
        tables=tables | {"figures": figures, "services": services_table(rated, rulebook)},
        maturity=maturity,
        intake=_intake(rated),
        choices=rulebook.choices,
        notes=_notes(rated),
    )


# ---------------------------------------------------------------- what comes in


def read_services(paths: Sequence[str | Path]) -> tuple[ServiceRating, ...]:
    """Ratings from files: rating.json, a result's JSON, or a report's folder that holds rating.json.

    Raises ConfigError naming the file.
    """
    return tuple(_read(Path(path)) for path in paths)


def _read(path: Path) -> ServiceRating:
    file = path / RATING_FILE if path.is_dir() else path
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(
            "There is no such rating.",
            where=str(file),
            mend=f"`equitydata analyse` writes {RATING_FILE} into the folder of the report.",
        ) from None
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ConfigError(
            "Not a JSON file.", where=str(file), mend=f"Give the {RATING_FILE} of each service."
        ) from None
    except OSError as error:
        raise ConfigError(f"Cannot be read ({error.strerror}).", where=str(file)) from None
    return as_service_rating(content, where=str(file))


def as_service_rating(
    given: ServiceRating | EquityResult | Rating | Mapping[str, Any], *, where: str = ""
) -> ServiceRating:
    """The rating of one service from a result, a rating, or the content of either's file.

    where : the file, for messages. Raises ConfigError.
    """
    if isinstance(given, ServiceRating):
        return given
    if isinstance(given, EquityResult):
        return _from_result(given)
    if isinstance(given, Rating):
        return _from_rating(given)
    wrong = ConfigError(
        "Not a rating of a service.",
        where=where,
        mend=f"Give the {RATING_FILE} that this version of equitydata wrote for each service.",
    )
    if not isinstance(given, Mapping):
        raise wrong
    try:
        if "schema_version" in given:
            return _from_rating(Rating.model_validate(given))
        return _from_result(EquityResult.from_json(json.dumps(given)))
    except pydantic.ValidationError as error:
        place = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise ConfigError(
            f"{wrong.what} It does not hold at '{place}'.", where=where, mend=wrong.mend
        ) from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise wrong from None


def _from_result(result: EquityResult) -> ServiceRating:
    about = result.about
    return ServiceRating(
        **{name: getattr(about, name) for name in _SHARED},
        declined_counts=bool(result.choices["count_declined"].value),
        criteria={row["criterion_id"]: row for row in _plain(result.maturity.criteria)},
        figures={row["figure"]: row for row in _plain(result.table("figures"))},
        version=about.version,
        rows_read=result.intake.rows_read,
        rejections=result.intake.rejections,
        changed={name: choice.value for name, choice in result.choices.items() if choice.changed},
        rule=result.disclosure,
    )


def _from_rating(rating: Rating) -> ServiceRating:
    figures = {
        f"{each.characteristic}_{each.reading}": each.model_dump()
        for each in rating.headline
        if each.measured
    }
    return ServiceRating(
        **{name: getattr(rating.about, name) for name in _SHARED},
        declined_counts=rating.data_domain.declined_counts,
        criteria={each.criterion_id: each.model_dump() for each in rating.criteria},
        figures=figures,
        version=rating.tool_version,
        rows_read=rating.intake.rows_read,
        rejections=tuple(Rejection(each.reason, each.rows) for each in rating.intake.rejections),
        changed={each.name: each.value for each in rating.changed_choices},
        rule=rating.disclosure.rule,
    )


_SHARED = ("name", "level", "areas", "area_codes", "period_from", "period_to", "as_of", "people", "counted")


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows with None for a count that is missing, and `hidden`."""
    rows = []
    for row in as_rows(frame):
        counts = {
            name: None if pd.isna(row[name]) else float(row[name]) for name in ("numerator", "denominator")
        }
        rows.append({**row, **counts, "hidden": bool(row.get(HIDDEN, False))})
    return rows


def _check(services: Sequence[ServiceRating], organisation: Service | None) -> None:
    if not services:
        raise ConfigError(
            "There is no service to combine.", mend=f"Name the {RATING_FILE} of each service in scope."
        )
    for each in services:
        if each.level != "service":
            raise ConfigError(
                f"'{each.name}' is rated at the level of {each.level}, and not of a service.",
                where="level",
                mend='Rate it with level = "service" under [service], or leave it out.',
            )
    names = [each.name.casefold().strip() for each in services]
    twice = next(
        (each.name for each, name in zip(services, names, strict=True) if names.count(name) > 1), None
    )
    if twice is not None:
        raise ConfigError(
            f"Two services are named '{twice}'.",
            where="name",
            mend="Give each service once, and a name of its own under [service].",
        )
    versions = sorted({each.version for each in services})
    if len(versions) > 1:
        raise ConfigError(
            f"The services were rated by different versions: {', '.join(versions)}.",
            where="tool_version",
            mend="Rate them again with one version, so that all are decided alike.",
        )
    if organisation is not None and organisation.service.level != "organisation":
        raise ConfigError(
            "The file describes a service and not an organisation.",
            where=f"{organisation.file}, [service] level",
            mend='Set level = "organisation".',
        )


# ---------------------------------------------------------------- the roll-up


def rolls_up(check: CriterionCheck) -> bool:
    """Whether a criterion of an organisation follows from its services; the workforce is assessed as one."""
    return bool(check.same_as) and check.check != "workforce"


def roll_up(services: Sequence[ServiceRating], rulebook: Rulebook, *, declined: bool) -> dict[str, Evidence]:
    """What the services decide of each effect criterion, by the choice `roll_up`.

    every : all services to which it applies meet it; one that does not decides, whatever is not assessed.
    share : the share of them that meet it reaches `roll_up_share`, whatever is not assessed.
    pooled : the patients of all services together reach the threshold, where the criterion is a share of them;
        other criteria go by every.
    declined : True where a declined answer counts as collected.
    """
    return {
        identity: _rolled(check, services, rulebook, declined=declined)
        for identity, check in criterion_checks().items()
        if rolls_up(check)
    }


def _rolled(
    check: CriterionCheck, services: Sequence[ServiceRating], rulebook: Rulebook, *, declined: bool
) -> Evidence:
    outcomes = {each.name: each.outcome(check.same_as, declined=declined) for each in services}
    applies = {name: outcome for name, outcome in outcomes.items() if outcome != NOT_APPLICABLE}
    if not applies:
        return Evidence(NOT_APPLICABLE, SERVICES, evidence="It applies to no service in scope")
    asked = [each for each in services if each.name in applies]
    met = sum(outcome == MET for outcome in applies.values())
    said = f"{met} of {len(applies)} services meet it"
    rule, why = rulebook.value("roll_up"), ""
    threshold = rulebook.value(check.threshold) if check.check == "share" else None
    if rule == "pooled" and check.check == "share":
        outcome, why = pooled_outcome(check, asked, rulebook, declined=declined)
        evidence = f"The patients of all services together; {said}"
    elif rule == "share":
        least = float(rulebook.value("roll_up_share"))
        outcome = share_outcome(list(applies.values()), least)
        evidence = f"{said}; {least:.0%} must"
    else:
        outcome = every_outcome(list(applies.values()))
        evidence = f"{said}; every one must"
    figure, left_out = _together(check, asked, rulebook, declined=declined)
    if figure:
        evidence += f". Pooled: {figure['label']}"
        evidence += f", without {_names(left_out)}, whose counts are not shown" if left_out else ""
    reason = "" if outcome == MET else " ".join(part for part in (why, _short(check, asked, applies)) if part)
    return Evidence(
        outcome,
        SERVICES if outcome != NOT_ASSESSED else "",
        figure,
        threshold,
        evidence=evidence,
        date=max(each.as_of for each in services),
        reason=reason,
    )


def every_outcome(outcomes: Sequence[str]) -> str:
    """Met when all are; not met when one is not; else not assessed. outcomes : of services it applies to."""
    if NOT_MET in outcomes:
        return NOT_MET
    return MET if all(outcome == MET for outcome in outcomes) else NOT_ASSESSED


def share_outcome(outcomes: Sequence[str], least: float) -> str:
    """Met when the share that meets it reaches the least; not met when it cannot, whatever is not assessed."""
    met, open_ = outcomes.count(MET), outcomes.count(NOT_ASSESSED)
    if met >= _services_needed(len(outcomes), least):
        return MET
    return NOT_ASSESSED if met + open_ >= _services_needed(len(outcomes), least) else NOT_MET


def _services_needed(services: int, least: float) -> int:
    return ceil(Fraction(str(least)) * services)


def _names(names: Sequence[str]) -> str:
    more = len(names) - NAMED_AT_MOST
    return ", ".join(names[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")


def _short(check: CriterionCheck, services: Sequence[ServiceRating], outcomes: Mapping[str, str]) -> str:
    """The services that fall short, in words, with the reason where all of them give the same one."""
    words = []
    for outcome, before in ((NOT_MET, "Not met by"), (NOT_ASSESSED, "Not assessed in")):
        names = [name for name, each in outcomes.items() if each == outcome]
        if not names:
            continue
        rows = [each.criteria.get(check.same_as, {}) for each in services if each.name in names]
        reasons = {str(row.get("reason") or "") for row in rows}
        words += [f"{before}: {_names(names)}.", *(reasons if len(reasons) == 1 else ())]
    return " ".join(part for part in words if part)


# ---------------------------------------------------------------- counts of several services


def _figure_name(check: CriterionCheck, rulebook: Rulebook, *, declined: bool) -> str:
    joint = bool(check.joint_figure and rulebook.value("joint"))
    return (check.joint_figure if joint else check.figure).replace("{declined}", READINGS[declined])


def _counts(service: ServiceRating, criterion_id: str, name: str) -> Mapping[str, Any] | None:
    """The row that holds a figure's counts in one service; None where its rating does not give the figure."""
    row = service.criteria.get(criterion_id, {})
    if row.get("figure") == name:
        return row
    return service.figures.get(name)


def _state(row: Mapping[str, Any] | None) -> str:
    if row is None or (row["denominator"] is None and not row["hidden"]):
        return NO_COUNTS
    return HIDDEN_COUNTS if row["hidden"] or row["numerator"] is None else SHOWN


def _together(
    check: CriterionCheck, services: Sequence[ServiceRating], rulebook: Rulebook, *, declined: bool
) -> tuple[dict[str, Any], list[str]]:
    """Counts of the services that show them, added up where they count the same, and who is left out.

    No figure where nobody shows counts, or where services rest on different figures or count places.
    """
    if check.check == "share":
        name = _figure_name(check, rulebook, declined=declined)
    else:
        rows = [service.criteria.get(check.same_as, {}) for service in services]
        used = {row.get("figure") for row in rows if row.get("denominator") is not None}
        name = str(used.pop()) if len(used) == 1 else ""
    found = {service.name: _counts(service, check.same_as, name) for service in services} if name else {}
    shown = [row for row in found.values() if row is not None and _state(row) == SHOWN]
    if not shown or any(row["unit"] == PLACES for row in shown):
        return {}, []
    return _sum_of(name, shown, rulebook), [key for key, row in found.items() if _state(row) != SHOWN]


def _sum_of(name: str, rows: Sequence[Mapping[str, Any]], rulebook: Rulebook) -> dict[str, Any]:
    counts = pd.DataFrame(
        {column: [float(sum(row[column] for row in rows))] for column in ("numerator", "denominator")}
    )
    whole = as_rows(with_shares(counts, confidence=rulebook.value("confidence")))[0]
    label = str(
        rows[0].get("label") or _LABELS.get(name.split("_known")[0]) or rows[0].get("evidence") or name
    )
    return {**whole, "figure": name, "unit": str(rows[0]["unit"]), "label": label.split(";")[0]}


def pooled_outcome(
    check: CriterionCheck, services: Sequence[ServiceRating], rulebook: Rulebook, *, declined: bool
) -> tuple[str, str]:
    """Whether the patients of all services together reach a threshold, and why that cannot be told.

    Counts that are rounded leave a margin, and hidden ones a larger one: met and not met are said only where
    they hold for every count that could stand behind what is shown. A service whose counts are hidden is on the
    side that its own outcome says; pooled with others on that side it cannot turn them.
    """
    name, threshold = _figure_name(check, rulebook, declined=declined), rulebook.value(check.threshold)
    rows = {service.name: _counts(service, check.same_as, name) for service in services}
    shown = [service for service in services if _state(rows[service.name]) == SHOWN]
    others = [service for service in services if _state(rows[service.name]) != SHOWN]
    sides = {service.name: _side(service, check, name, threshold, declined=declined) for service in services}
    if set(sides.values()) in ({MET}, {NOT_MET}):
        return sides[services[0].name], ""
    numerator = sum(float((rows[each.name] or {})["numerator"]) for each in shown)
    denominator = sum(float((rows[each.name] or {})["denominator"]) for each in shown)
    if not shown or denominator < max(1, rulebook.value("minimum_people")):
        return NOT_ASSESSED, f"Too few to judge: the services that show their counts are {len(shown)}."
    slack = sum(_half_step(each) for each in shown)
    lowest, highest = (numerator - slack, denominator + slack), (numerator + slack, denominator - slack)

    def decided(low: tuple[float, float], high: tuple[float, float]) -> str:
        return {(True, True): MET, (False, False): NOT_MET}.get(
            (_reaches(low, check, threshold, rulebook), _reaches(high, check, threshold, rulebook)),
            NOT_ASSESSED,
        )

    outcome = decided(lowest, highest)
    if all(sides[each.name] == outcome for each in others):
        reason = "The shares are rounded and too near the threshold to tell: combine results and not ratings."
        return outcome, reason if outcome == NOT_ASSESSED else ""
    unit = str((rows[shown[0].name] or {})["unit"])
    if unit == "people":
        more = sum(_most_people(each) for each in others)
        outcome = decided(
            (lowest[0], lowest[1] + more),
            (highest[0] + more, highest[1] + more),
        )
        if outcome != NOT_ASSESSED:
            return outcome, ""
    return NOT_ASSESSED, f"What is not shown could turn it: {_names([each.name for each in others])}."


def _reaches(
    counts: tuple[float, float], check: CriterionCheck, threshold: float, rulebook: Rulebook
) -> bool:
    numerator, denominator = max(0.0, counts[0]), max(1.0, counts[1])
    share = decisive_share(min(numerator, denominator), denominator, rulebook)
    return passes(share, threshold, check.compare)


def _side(
    service: ServiceRating, check: CriterionCheck, name: str, threshold: float, *, declined: bool
) -> str:
    """On which side of the threshold a service's own share lies; not assessed where that is not known."""
    row = service.criteria.get(check.same_as, {})
    alike = row.get("figure") == name or declined != service.declined_counts
    if row.get("rests_on") != "measured" or not alike or row.get("threshold") != threshold:
        return NOT_ASSESSED
    # Of a sample the lower limit was judged: that it falls short does not place the share itself.
    if service.changed.get("sample"):
        return NOT_ASSESSED
    return service.outcome(check.same_as, declined=declined)


def _half_step(service: ServiceRating) -> float:
    """How far a shown count may lie from the true one."""
    step = disclosure_rule(service.rule).round_to if service.rule else 1
    return step / 2 if step > 1 else 0.0


def _most_people(service: ServiceRating) -> float:
    """The most people that a service may have; hidden people are a small count."""
    if service.people is None:
        return float(disclosure_rule(service.rule).hide_up_to)
    return service.people + _half_step(service)


def _needed(services: Sequence[ServiceRating], rulebook: Rulebook, *, declined: bool) -> dict[str, int]:
    """How many more must meet each criterion for the organisation to; absent where hidden counts keep it unknown."""
    found = {}
    for identity, check in criterion_checks().items():
        if not rolls_up(check) or not check.threshold:
            continue
        asked = [
            each for each in services if each.outcome(check.same_as, declined=declined) != NOT_APPLICABLE
        ]
        number = (
            _needed_pooled(check, asked, rulebook, declined=declined)
            if rulebook.value("roll_up") == "pooled" and check.check == "share"
            else _needed_by_service(check, asked, rulebook, declined=declined)
        )
        if number is not None:
            found[identity] = number
    return found


def _needed_pooled(
    check: CriterionCheck, services: Sequence[ServiceRating], rulebook: Rulebook, *, declined: bool
) -> int | None:
    figure, left_out = _together(check, services, rulebook, declined=declined)
    if not figure or left_out:
        return None
    return shortfall({**figure, "threshold": rulebook.value(check.threshold)}, check.compare, rulebook)


def _needed_by_service(
    check: CriterionCheck, services: Sequence[ServiceRating], rulebook: Rulebook, *, declined: bool
) -> int | None:
    """The shortfalls of those services that must still meet it, the nearest ones first."""
    behind = [each for each in services if each.outcome(check.same_as, declined=declined) != MET]
    wanted = len(services)
    if rulebook.value("roll_up") == "share":
        wanted = _services_needed(len(services), float(rulebook.value("roll_up_share")))
    more = wanted - (len(services) - len(behind))
    numbers = []
    for each in behind:
        row = each.criteria.get(check.same_as)
        if row is None or _state(row) != SHOWN or row["threshold"] is None or not row["unit"]:
            continue
        number = shortfall(row, check.compare, rulebook)
        # A rounded share may seem to pass that does not: then one more is the least that is lacking.
        numbers += [max(1, number)] if number is not None else []
    if more <= 0 or len(numbers) < more:
        return None
    return sum(sorted(numbers)[:more])


# ---------------------------------------------------------------- the organisation's result


def services_table(services: Sequence[ServiceRating], rulebook: Rulebook) -> pd.DataFrame:
    """What each service decides of each effect criterion. Shape: SERVICES_TABLE."""
    declined = bool(rulebook.value("count_declined"))
    rows = []
    for identity, check in criterion_checks().items():
        if not rolls_up(check):
            continue
        for service in services:
            row = service.criteria.get(check.same_as, {})
            outcome = service.outcome(check.same_as, declined=declined)
            state = _state(row if row else None)
            counts = {
                name: row.get(name) if state == SHOWN else None for name in ("numerator", "denominator")
            }
            rows.append(
                {
                    "criterion_id": identity,
                    "service_criterion_id": check.same_as,
                    "service": service.name,
                    "as_of": service.as_of.isoformat(),
                    "outcome": outcome,
                    "outcome_other_reading": service.outcome(check.same_as, declined=not declined),
                    "rests_on": row.get("rests_on", ""),
                    "figure": row.get("figure", ""),
                    "unit": row.get("unit", ""),
                    **counts,
                    "threshold": row.get("threshold"),
                    "counts_are": state,
                    "in_the_way": outcome not in (MET, NOT_APPLICABLE),
                    "reason": row.get("reason", "") if row else "The rating does not hold this criterion.",
                }
            )
    frame = pd.DataFrame(rows)
    frame = frame.assign(
        **{name: pd.to_numeric(frame[name]).astype("float64") for name in ("numerator", "denominator")}
    )
    return shape(with_shares(frame, confidence=rulebook.value("confidence")), SERVICES_TABLE)


def _pooled_figures(services: Sequence[ServiceRating], rulebook: Rulebook) -> pd.DataFrame:
    """The shares of the 95% rule over all services that show them. Shape: FIGURES_TABLE."""
    rows = []
    for name in HEADLINES:
        for reading in READINGS.values():
            figure = f"{name}_{reading}"
            found = {each.name: each.figures.get(figure) for each in services}
            shown = [row for row in found.values() if row is not None and _state(row) == SHOWN]
            left_out = [key for key, row in found.items() if _state(row) != SHOWN]
            words = f"{_LABELS[name]}, all services together"
            words += f", without {_names(left_out)}" if left_out and shown else ""
            rows.append(
                {
                    "figure": figure,
                    "label": words,
                    "family": "",
                    "unit": "people" if shown else "",
                    "numerator": sum(float(row["numerator"]) for row in shown) if shown else None,
                    "denominator": sum(float(row["denominator"]) for row in shown) if shown else None,
                    "measured": bool(shown),
                    "reason": "" if shown else "No service shows it.",
                }
            )
    frame = with_shares(pd.DataFrame(rows), confidence=rulebook.value("confidence"))
    return shape(frame, FIGURES_TABLE)


def _needs(services: Sequence[ServiceRating]) -> pd.DataFrame:
    """People without a known value by service, where counts are shown. Shape: NEEDS_TABLE.

    A service that meets the criterion of a figure is not in the way, however many people it lacks.
    """
    rows = []
    for service in services:
        met = {row["figure"] for row in service.criteria.values() if row["outcome"] == MET}
        every = {**{row["figure"]: row for row in service.criteria.values()}, **service.figures}
        for figure, row in every.items():
            name = str(figure).removesuffix("_known")
            if name == figure or figure in met or _state(row) != SHOWN or row["unit"] != "people":
                continue
            people = row["denominator"] - row["numerator"]
            rows.append(
                {
                    "characteristic": name,
                    "label": _LABELS.get(name, name),
                    "site": service.name,
                    "people": people,
                }
            )
    return shape(pd.DataFrame(rows, columns=list(NEEDS_TABLE.columns)), NEEDS_TABLE)


def _about(
    services: Sequence[ServiceRating], organisation: Service | None, as_of: datetime.date
) -> AboutService:
    codes = dict(pair for each in services for pair in zip(each.area_codes, each.areas, strict=True))
    shown = [each.people for each in services if each.people is not None]
    starts = [each.period_from for each in services]
    ends = [each.period_to for each in services]
    return AboutService(
        name=organisation.service.name if organisation else "Unnamed organisation",
        level="organisation",
        areas=tuple(codes.values()),
        area_codes=tuple(codes),
        ages=None,
        period_from=min((day for day in starts if day), default=None) if all(starts) else None,
        period_to=max((day for day in ends if day), default=None) if all(ends) else None,
        as_of=as_of,
        people=sum(shown) if shown else None,
        counted="people" if all(each.counted == "people" for each in services) else "records",
        version=version("equitydata"),
    )


def _intake(services: Sequence[ServiceRating]) -> Intake:
    """Rows of all services: read = used + rejected, as in each of them."""
    rejected: dict[str, int] = {}
    for service in services:
        for each in service.rejections:
            rejected[each.reason] = rejected.get(each.reason, 0) + each.rows
    return Intake(
        rows_read=sum(each.rows_read for each in services),
        rejections=tuple(Rejection(reason, rows) for reason, rows in rejected.items()),
    )


def _notes(services: Sequence[ServiceRating]) -> tuple[str, ...]:
    days = sorted(each.as_of for each in services)
    rated = f"on {days[0].isoformat()}" if days[0] == days[-1] else f"from {days[0]} to {days[-1]}"
    notes = [
        f"{len(services)} services were combined, rated {rated}. People seen by two of them count in both."
    ]
    rounded = [each.name for each in services if each.rule and disclosure_rule(each.rule).hide_up_to]
    if rounded:
        notes.append(
            f"The counts of these services are rounded and small ones are hidden: {_names(rounded)}."
        )
    few = [each.name for each in services if each.people is None]
    if few:
        notes.append(f"The people of these services are hidden, and not in the sum: {_names(few)}.")
    changed = sorted({name for each in services for name in each.changed})
    differ = [
        name
        for name in changed
        if len({json.dumps(each.changed.get(name), default=str) for each in services}) > 1
    ]
    if differ:
        notes.append(f"The services were rated under different rules: {', '.join(differ)}.")
    return tuple(notes)
