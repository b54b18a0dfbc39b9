"""What the command line says: a released result, in words and columns that read without colour.

Nothing is decided here. Whether a share passes is taken from the true result, since a rounded or hidden share
cannot tell; every number that is shown is of the released one.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from equitydata.result import EquityResult
    from equitydata.service import Condition, Measure, Service

WIDTH = 100
HEADLINES = {"joint": "Ethnicity and language", "ethnicity": "Ethnicity", "language": "Language"}
UNREAD_SHOWN = 8
ENOUGH_READ = 0.95


def print_result(result: EquityResult, released: EquityResult, *, full: bool) -> None:
    """A result as `analyse` (full) and `audit` show it: rows, shares, areas or characteristics, next steps."""
    people = "few" if released.about.people is None else f"{released.about.people:,}"
    print(f"{released.about.name}: {people} {released.about.counted}")
    print_intake(released)
    print_identifiers(released)
    print_headline(result, released)
    if full:
        print_areas(released, data_only=True)
        print_findings(released, most=5)
        print_representation(released, most=5)
    else:
        _print_completeness(released)
    print_next_steps(released, most=3)
    print_rule(released)


def print_intake(result: EquityResult) -> None:
    """Rows read, used and rejected by reason; what the reader of the file has to say."""
    intake = result.intake
    print(f"Rows read {intake.rows_read:,} = used {intake.rows_used:,} + rejected {intake.rows_rejected:,}")
    for rejection in intake.rejections:
        print(f"  {rejection.rows:>9,}  {rejection.reason}{_lines(rejection.lines, rejection.rows)}")
    for note in intake.notes:
        print(f"NOTE  {note}")


def _lines(lines: tuple[int, ...], rows: int) -> str:
    if not lines:
        return ""
    shown = ", ".join(map(str, lines)) + (" ..." if rows > len(lines) else "")
    return f" ({'line' if rows == 1 else 'lines'} {shown})"


def percent(value: Any, *, hidden: bool = False) -> str:
    """A fraction as a per cent with one decimal; [c] where it is hidden, [x] where there is none."""
    if hidden:
        return "[c]"
    return "[x]" if value is None or value != value else f"{value * 100:.1f}%"


def print_headline(result: EquityResult, released: EquityResult) -> None:
    """The tier under each reading, and the shares that the 95% rule rests on."""
    from equitydata.maturity.tiers import NOTHING_MEASURED

    maturity = released.maturity
    counted = bool(released.choices["count_declined"].value)
    other, measured = maturity.tier_other_reading, maturity.tier_measured
    print(f"\nData domain: {maturity.tier}")
    print(
        f"  with declined answers {'not counted' if counted else 'counted'} as collected: "
        f"{'the same' if other == maturity.tier else other}"
    )
    if measured == NOTHING_MEASURED:
        measured = "no tier, as nothing is measured"
    print(f"  by what is measured alone: {'the same' if measured == maturity.tier else measured}\n")
    _print_shares(result, released, reading="known_or_declined" if counted else "known")


def _print_shares(result: EquityResult, released: EquityResult, *, reading: str) -> None:
    """The shares of the 95% rule; those that decide are marked."""
    needed = percent(released.choices["completeness_threshold"].value)
    joint = bool(released.choices["joint"].value)
    print(f"{'':8}{'Share of people':<24}{'known':>9}{'known or declined':>20}{'needed':>9}")
    for name, words in HEADLINES.items():
        rows = [released.figure(f"{name}_{each}") for each in ("known", "known_or_declined")]
        if not rows[0]["measured"]:
            print(f"{'':8}{words:<24}  not measured: {rows[0]['reason']}")
            continue
        decides = joint == (name == "joint")
        mark = _mark(result, result.figure(f"{name}_{reading}")) if decides else ""
        known, answered = (percent(row["value"], hidden=bool(row.get("hidden"))) for row in rows)
        print(f"  {mark:<6}{words:<24}{known:>9}{answered:>20}{needed if decides else '':>9}".rstrip())


def _mark(result: EquityResult, figure: Mapping[str, Any]) -> str:
    """OK or FAIL by the true share; FEW where there are too few people to judge."""
    if figure["denominator"] < result.choices["minimum_people"].value:
        return "FEW"
    share = figure["lower"] if result.choices["sample"].value else figure["value"]
    return "OK" if share >= result.choices["completeness_threshold"].value else "FAIL"


def _print_completeness(released: EquityResult) -> None:
    shown = {"populated": "populated", "known": "known", "known_or_declined": "known or declined"}
    table = released.table("completeness")
    here = table[(table["unit"] == "people") & table["measure"].isin(list(shown))]
    words = [
        percent(value, hidden=bool(hidden))
        for value, hidden in zip(here["value"], _hidden(here), strict=True)
    ]
    wide = here.assign(words=words).pivot(index="label", columns="measure", values="words")
    wide = wide.reindex(index=here["label"].unique(), columns=list(shown)).astype("object").fillna("")
    print(f"\n{'Share of people':<34}{'populated':>11}{'known':>9}{'known or declined':>20}")
    for label, row in wide.iterrows():
        print(f"{str(label)[:33]:<34}{row['populated']:>11}{row['known']:>9}{row['known_or_declined']:>20}")


def _hidden(frame: pd.DataFrame) -> Any:
    from equitydata.tables import HIDDEN

    return frame[HIDDEN] if HIDDEN in frame else [False] * len(frame)


def print_findings(released: EquityResult, *, most: int) -> None:
    """The most pressing findings with their sizes, and how many groups were compared."""
    from equitydata.report.page_equity import equity_sizes
    from equitydata.written import FLAGGED

    findings, comparisons = (_table(released, name) for name in ("findings", "comparisons"))
    crude = comparisons[(comparisons["comparator"] == "rest") & (comparisons["adjustment"] == "crude")]
    if crude.empty and findings.empty:
        return
    hidden = _hidden(findings)
    shown = findings[[not bool(each) for each in hidden]]
    print("\nFindings: a prompt to look, not proof of unfairness or cause")
    if shown.empty:
        print("  None that may be shown.")
    for row in shown.head(most).to_dict("records"):
        # The first sentence says what was found; the report tells the others.
        title = str(row["finding"]).partition(". ")[0].rstrip(".")
        _fill(f"{row['order']}. {title}.", first=2, rest=5)
        sizes = equity_sizes(row)
        if sizes:
            _fill(f"{sizes}.", first=5, rest=5)
    left = len(findings) - min(len(shown), most)
    if left > 0:
        print(f"  ... and {left} more: tables/findings.csv of the report")
    flagged, few = (
        int(crude["flag"].isin(FLAGGED[:2]).sum()),
        int((crude["flag"] == "insufficient_data").sum()),
    )
    kept_back = sum(bool(each) for each in _hidden(crude))
    print(
        f"Groups compared with the rest: {len(crude):,}; flagged {flagged:,}, not enough data {few:,}, "
        f"hidden {kept_back:,}"
    )


def print_representation(released: EquityResult, *, most: int) -> None:
    """Groups of users that are flagged against residents."""
    from equitydata.report.page_equity import headline_of_representation

    if _table(released, "representation").empty:
        return
    lines = headline_of_representation(released)
    print("\nUsers against residents" + ("" if lines else ": no group is flagged"))
    for line in lines[:most]:
        _fill(line, first=2, rest=4)
    if len(lines) > most:
        print(f"  ... and {len(lines) - most} more: tables/representation.csv of the report")


def print_measures(service: Service) -> None:
    """Each measure as it was understood: what is counted, out of whom, and what meets it."""
    for name, measure in service.measures.items():
        print(f"OK    measure {name}: {measure.label}")
        for line in measure_words(measure):
            _fill(line, first=6, rest=8)
    if not service.measures:
        print("NOTE  no measure is defined under [measures]: outcomes are not stratified")


def measure_words(measure: Measure) -> list[str]:
    """A measure in words: its statistic, denominator, numerator and direction."""
    kinds = {
        "share": f"share of {measure.counts}",
        "rate": f"rate per {measure.multiplier:g} of {measure.person_time}",
        "population_rate": f"rate of {measure.counts} per {measure.multiplier:g} residents",
        "mean": f"mean of {_value_words(measure.value)}, over {measure.counts}",
        "quantile": f"{_quantile_words(measure.quantile)} of {_value_words(measure.value)}, over {measure.counts}",
    }
    met = _conditions_words(measure.numerator)
    if measure.standard is not None:
        met = f"{_value_words(measure.value)} is at most {measure.standard:g}"
    whose = {
        "any": "in any of their records",
        "all": "in all of their records",
        "latest": "in their latest record",
    }
    if measure.counts == "people" and measure.statistic == "share":
        met = f"{met}, {whose[measure.person]}"
    valued = measure.value is not None or measure.person_time is not None
    everyone = "every record with a value" if valued else "every record"
    lines = [
        f"{kinds[measure.statistic]}; kind {measure.kind}; more of it is {measure.polarity}",
        f"out of: {_conditions_words(measure.denominator) or everyone}",
    ]
    return lines + ([f"met by: {met}"] if met else [])


def _value_words(value: Any) -> str:
    return (
        value
        if isinstance(value, str)
        else f"days from {value.from_} to {value.to}"
        if value
        else "the value"
    )


def _quantile_words(quantile: float | None) -> str:
    return "median" if quantile == 0.5 else f"quantile {quantile:g}" if quantile else "quantile"


def _conditions_words(conditions: Iterable[Condition]) -> str:
    return " and ".join(_condition_words(each) for each in conditions)


def _condition_words(condition: Condition) -> str:
    """One condition as it reads: "attendance is one of 3, 7"."""
    what = condition.column or _value_words(condition.days)
    tests = []
    if condition.in_ is not None:
        tests.append(f"is one of {', '.join(condition.in_)}")
    if condition.not_in is not None:
        tests.append(f"is none of {', '.join(condition.not_in)}")
    if condition.equals is not None:
        tests.append(f"is {condition.equals}")
    if condition.missing is not None:
        tests.append("is blank" if condition.missing else "is filled")
    if condition.at_least is not None:
        tests.append(f"is at least {condition.at_least:g}")
    if condition.at_most is not None:
        tests.append(f"is at most {condition.at_most:g}")
    if condition.between is not None:
        tests.append(f"is from {condition.between[0]:g} to {condition.between[1]:g}")
    return f"{what} {' and '.join(tests)}"


def print_progress(progress: pd.DataFrame) -> None:
    """How the tier and the joint share went over runs, the oldest first."""
    if progress.empty:
        print("No run is in the log: `equitydata analyse` adds one when it writes a report.")
        return
    for name, runs in progress.groupby("service", sort=False):
        print(f"{name}: {len(runs)} {'run' if len(runs) == 1 else 'runs'}")
        print(f"  {'day':<12}{'people':>10}{'both known':>12}{'change':>9}{'measures':>10}  tier")
        for row in runs.to_dict("records"):
            hidden = bool(row.get("hidden"))
            change = row["joint_change"]
            moved = "" if change is None or change != change else f"{change * 100:+.1f}"
            people = "[c]" if hidden or row["people"] != row["people"] else f"{row['people']:,.0f}"
            turn = {"up": " (up)", "down": " (down)"}.get(row["tier_change"], "")
            print(
                f"  {row['date']:<12}{people:>10}{percent(row['joint_known'], hidden=hidden):>12}{moved:>9}"
                f"{row['measures']:>10}  {row['tier']}{turn}"
            )


def print_services(released: EquityResult) -> None:
    """Services that keep an organisation from meeting a criterion that rolls up, by criterion."""
    services = _table(released, "services")
    print(f"Services combined: {services['service'].nunique()}")
    short = services[services["in_the_way"].map(lambda cell: cell is True or str(cell) == "True")]
    for criterion, rows in short.groupby("criterion_id", sort=False):
        _fill(f"{criterion}: {', '.join(map(str, rows['service']))}", first=2, rest=4)


def _table(released: EquityResult, name: str) -> pd.DataFrame:
    from equitydata.tables import SPECS, empty

    return released.table(name) if name in released.tables else empty(SPECS[name])


def _fill(words: str, *, first: int, rest: int) -> None:
    print(textwrap.fill(words, WIDTH, initial_indent=" " * first, subsequent_indent=" " * rest))


def print_areas(released: EquityResult, *, data_only: bool = False) -> None:
    """The tier of each area, with how many of its criteria are met."""
    areas = released.maturity.areas
    areas = areas[areas["data_domain"].astype(bool)] if data_only else areas
    print(f"\n{'Area':<54}{'met':>4}{'not met':>9}{'not assessed':>14}  tier")
    for row in areas.to_dict("records"):
        counts = f"{row['met']:>4}{row['not_met']:>9}{row['not_assessed']:>14}"
        print(f"{str(row['area'])[:53]:<54}{counts}  {row['tier']}")


def print_next_steps(released: EquityResult, *, most: int) -> None:
    """What would lift the data domain, the first few steps."""
    steps = released.maturity.next_steps
    if steps.empty:
        return
    print("\nWhat would lift the data domain")
    for row in steps.head(most).to_dict("records"):
        print(f"  {row['order']}. {row['criterion_id']}")
        print(textwrap.fill(next_step_words(row), WIDTH, initial_indent=" " * 5, subsequent_indent=" " * 5))
    if len(steps) > most:
        print(f"  ... and {len(steps) - most} more: `equitydata rate`, or the report")


def next_step_words(row: Mapping[Any, Any]) -> str:
    """One released next step as a sentence, with the number needed where there is one."""
    if not row["what"]:
        return str(row["action"])
    needed = row["needed"]
    if row.get("hidden"):
        count = "A few more"
    else:
        count = "More" if needed is None or needed != needed else f"{needed:,.0f} more"
    places = f", {row['places']}" if row["places"] else ""
    return f"{count} {row['unit']} need {row['what']}{places}. {row['action']}".strip()


def print_rule(released: EquityResult) -> None:
    """The small-number rule that every number shown has passed."""
    from equitydata.rulebook import disclosure_rule

    rule = disclosure_rule(released.disclosure)
    print(f"\nSmall numbers: {rule.label} (rule '{rule.name}')")
    hidden, besides = sum(released.hidden_cells.values()), sum(released.hidden_besides.values())
    if hidden:
        print(f"  {hidden:,} rows hidden, {besides:,} of them so that no other can be worked out")


# ---------------------------------------------------------------- how columns were read


def print_columns(released: EquityResult, service: Service) -> None:
    """Each characteristic: how much of its column was read and by which lists, and what was not."""
    codes = released.table("codes")
    for name, frame in codes.groupby("characteristic", sort=False):
        filled = frame[frame["status"] != "missing"]
        records = filled["records"].sum()
        read = filled.loc[filled["status"] != "invalid", "records"].sum()
        mark = "OK" if records and read >= ENOUGH_READ * records else "WARN"
        share = f"{read / records:.1%} of filled values read" if records else "nothing is filled"
        lists = ", ".join(sorted(set(filled["code_list"]) - {""}))
        print(f"{mark:<4}  {name}{_column(str(name), service)}: {share}{f', by {lists}' if lists else ''}")
        _print_unread(filled[(filled["status"] == "invalid") & filled["records"].notna()])
    print_identifiers(released)


def print_identifiers(released: EquityResult) -> None:
    """Each column that looks like a direct identifier, once and by its name."""
    for column, rows in _table(released, "identifiers").groupby("column", sort=False):
        seen = "; ".join(
            f"{kind}, {evidence}" for kind, evidence in zip(rows["kind"], rows["evidence"], strict=True)
        )
        words = f"may tell who people are ({seen}): no report holds it, and no shared file should"
        _fill(f"WARN  '{column}' {words}", first=0, rest=6)


def _column(name: str, service: Service) -> str:
    settings = service.characteristics
    found = settings.get(name) or settings.get(
        {"age": "birth_date", "deprivation": "geography"}.get(name, "")
    )
    return f" ({found.column})" if found else ""


def _print_unread(unread: pd.DataFrame) -> None:
    from equitydata.records.counting import NOT_LISTED
    from equitydata.release.words import FEW

    plain = {
        NOT_LISTED: "values are not shown: they could tell who people are",
        FEW: "values of few records each",
    }
    for row in unread.head(UNREAD_SHOWN).to_dict("records"):
        value = plain.get(str(row["value"])) or repr(str(row["value"])[:60])
        hint = f"   {row['suggestion']}" if row["suggestion"] else ""
        print(f"{row['records']:>14,.0f}  {value}{hint}")
    if len(unread) > UNREAD_SHOWN:
        print(f"{'...':>14}  and {len(unread) - UNREAD_SHOWN} more: tables/codes.csv of the report")
