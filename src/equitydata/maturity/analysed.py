"""Tables of the equity analysis -> the few facts that criteria ask for.

Nothing is estimated here: it is only read off which breakdowns, comparisons and steps of method are in the tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from equitydata.rulebook import characteristics
from equitydata.service import Measure
from equitydata.stats.judgement.flags import INSUFFICIENT_DATA
from equitydata.tables import COMPARISONS_TABLE, OUTCOMES_TABLE, REPRESENTATION_TABLE, TableSpec, empty

KNOWN, NOT_COLLECTED, EVERYONE, USERS = "known", "not collected", "all", "users"
NAMED_AT_MOST = 3
# Beginning of the note of a row that could not be standardised, before its reason.
UNADJUSTED = "not standardised"


@dataclass(frozen=True)
class Breakdown:
    """One outcome by one characteristic: two or more known groups have people and an estimate."""

    measure: str
    measure_label: str
    kind: str
    characteristic: str
    label: str


@dataclass(frozen=True)
class Compared:
    """People of the extract held against residents of one area, by one characteristic at one level."""

    characteristic: str
    label: str
    level: str
    groups: int
    area_kind: str
    area: str
    reference: str


@dataclass(frozen=True)
class Step:
    """One step of a rigorous analysis: what it is, whether it was taken, and what was found."""

    label: str
    taken: bool
    words: str


@dataclass(frozen=True)
class Analysed:
    """What the analysis of outcomes holds, as far as criteria ask for it.

    measures : number of measures in the service file. kinds : their kinds.
    stratified : characteristics by which outcomes were broken down, completed or not.
    rigour : the steps of a rigorous analysis; () where no group was compared.
    """

    measures: int
    kinds: tuple[str, ...]
    stratified: tuple[str, ...]
    breakdowns: tuple[Breakdown, ...]
    compared: tuple[Compared, ...]
    rigour: tuple[Step, ...]


def summarise_analysis(tables: Mapping[str, pd.DataFrame], measures: Mapping[str, Measure]) -> Analysed:
    """The facts of one run.

    tables : by name, of true counts: outcomes, comparisons and representation are read; an absent one is empty.
    measures : of the service file. Crossings and the whole are no breakdown of their own.
    """
    outcomes = _of_one_characteristic(_table(tables, OUTCOMES_TABLE))
    return Analysed(
        measures=len(measures),
        kinds=tuple(dict.fromkeys(measure.kind for measure in measures.values())),
        stratified=tuple(outcomes["characteristic"].unique()),
        breakdowns=_breakdowns(outcomes, measures),
        compared=_compared(_of_one_characteristic(_table(tables, REPRESENTATION_TABLE))),
        rigour=_rigour(
            _of_one_characteristic(_table(tables, COMPARISONS_TABLE)), _table(tables, OUTCOMES_TABLE)
        ),
    )


def family_of(characteristic: str) -> str:
    """The criterion family that a characteristic serves; '' for one that is not of the package."""
    kind = characteristics().get(characteristic)
    return kind.family if kind else ""


def named(names: Iterable[str]) -> str:
    """Names in words, each once; beyond a few, how many more."""
    every = list(dict.fromkeys(names))
    shown, more = every[:NAMED_AT_MOST], len(every) - NAMED_AT_MOST
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _table(tables: Mapping[str, pd.DataFrame], spec: TableSpec) -> pd.DataFrame:
    frame = tables.get(spec.name)
    return empty(spec) if frame is None else frame


def _of_one_characteristic(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["characteristic"].isin(list(characteristics()))]


def _number(frame: pd.DataFrame, column: str) -> pd.Series:
    return pd.to_numeric(frame[column], errors="coerce")


def _words(frame: pd.DataFrame, column: str) -> pd.Series:
    """A column of text, with "" for what is missing."""
    return frame[column].map(lambda value: value if isinstance(value, str) else "").astype("object")


def _yes(frame: pd.DataFrame, column: str) -> pd.Series:
    """A column of true and false as such; what is missing is false."""
    return frame[column].map(lambda value: value is not None and value == True).astype(bool)  # noqa: E712


# ---------------------------------------------------------------- outcomes and residents


def _breakdowns(outcomes: pd.DataFrame, measures: Mapping[str, Measure]) -> tuple[Breakdown, ...]:
    # A rate against residents has people of the area, and not of the extract, as its denominator.
    people = (_number(outcomes, "people") > 0) | (_number(outcomes, "denominator") > 0)
    estimated = outcomes[
        (outcomes["status"] == KNOWN)
        & people
        & _number(outcomes, "value").notna()
        & outcomes["measure"].isin(list(measures))
    ]
    keys = ["measure", "characteristic", "label"]
    groups = estimated.groupby([*keys, "level"], sort=False)["category"].nunique().reset_index()
    completed = groups[groups["category"] >= 2].drop_duplicates(keys)
    return tuple(
        Breakdown(measure, measures[measure].label, measures[measure].kind, characteristic, label)
        for measure, characteristic, label in zip(*(completed[key].map(str) for key in keys), strict=True)
    )


def _compared(representation: pd.DataFrame) -> tuple[Compared, ...]:
    made = representation[
        (representation["of"] == USERS)
        & (representation["status"] == KNOWN)
        & (_words(representation, "reference") != "")
        & (_words(representation, "area") != "")
        & (_number(representation, "residents") > 0)
        & _number(representation, "residents_share").notna()
        & _number(representation, "share").notna()
    ]
    keys = ["characteristic", "label", "level", "area_kind", "area", "reference"]
    groups = made.groupby(keys, sort=False)["category"].nunique().reset_index(name="groups")
    return tuple(
        Compared(**{str(key): value for key, value in row.items()})
        for row in groups[groups["groups"] >= 2].to_dict("records")
    )


# ---------------------------------------------------------------- the steps of a rigorous analysis


def _rigour(comparisons: pd.DataFrame, outcomes: pd.DataFrame) -> tuple[Step, ...]:
    made = comparisons[_number(comparisons, "value").notna()]
    if made.empty:
        return ()
    judged = made[_words(made, "flag") != ""]
    return (
        _intervals(judged),
        _comparators(made),
        _small_numbers(judged),
        _unknowns(made, outcomes),
        _adjustment(comparisons, outcomes),
    )


def _limits(frame: pd.DataFrame, name: str) -> pd.Series:
    return _number(frame, f"{name}_lower").notna() & _number(frame, f"{name}_upper").notna()


def _intervals(judged: pd.DataFrame) -> Step:
    enough = judged[_yes(judged, "information")]
    without = enough[~(_limits(enough, "ratio") | _limits(enough, "difference"))]
    label = "Intervals"
    if enough.empty:
        return Step(label, False, "no group has enough people to be judged")
    if len(without):
        return Step(label, False, f"none for some groups of {named(without['label'])}")
    return Step(label, True, "every group that is judged has limits of its ratio or difference")


def _comparators(made: pd.DataFrame) -> Step:
    nameless = (_words(made, "comparator") == "") | (_words(made, "comparator_category") == "")
    if nameless.any():
        return Step("Comparator", False, f"not named for {named(made.loc[nameless, 'label'])}")
    return Step("Comparator", True, named(made["comparator"]))


def _small_numbers(judged: pd.DataFrame) -> Step:
    label = "Small numbers"
    few = judged[~_yes(judged, "information")]
    if judged.empty:
        return Step(label, False, "no group was judged")
    if (few["flag"] != INSUFFICIENT_DATA).any():
        wrong = few[few["flag"] != INSUFFICIENT_DATA]
        return Step(label, False, f"groups with too few people are flagged in {named(wrong['label'])}")
    return Step(label, True, "groups with too few people or events say so and raise no flag")


def _unknowns(made: pd.DataFrame, outcomes: pd.DataFrame) -> Step:
    """Known groups and people of unknown group are shown where together they are everyone."""
    keys = ["measure", "characteristic", "level"]
    people = outcomes.assign(people=_number(outcomes, "people").fillna(0))
    everyone = people[people["characteristic"] == EVERYONE].groupby("measure")["people"].sum()
    shown = people[people["status"] != NOT_COLLECTED].groupby(keys)["people"].sum().rename("shown")
    compared = made.drop_duplicates(keys)[[*keys, "label"]].merge(
        shown.reset_index(), on=keys, how="left", validate="one_to_one"
    )
    differ = (compared["shown"] - compared["measure"].map(everyone)).abs()
    lacking = compared.loc[~(differ < 0.5), "label"]  # people are whole; a missing sum is lacking too
    if len(lacking):
        return Step("People of unknown group", False, f"not all are shown for {named(lacking)}")
    return Step("People of unknown group", True, "shown as rows of their own beside the known groups")


def _adjustment(comparisons: pd.DataFrame, outcomes: pd.DataFrame) -> Step:
    """Each measure is standardised or adjusted, or says why it is not."""
    told = outcomes.loc[_words(outcomes, "note").str.contains(UNADJUSTED), "measure_label"].unique()
    label = "Adjustment for age and sex"
    taken: list[str] = []
    excused: list[str] = []
    lacking: list[str] = []
    for name, frame in comparisons.groupby("measure_label", sort=False):
        more = frame[frame["adjustment"] != "crude"]
        made = _number(more, "ratio").notna() | _number(more, "difference").notna()
        # Medians and other quantiles are not standardised: the kind of figure is the reason.
        medians = (frame["statistic"] == "quantile").all()
        explained = len(more) > 0 and (_words(more, "note") != "").all()
        reason = medians or name in told or explained
        (taken if made.any() else excused if reason else lacking).append(str(name))
    if lacking:
        return Step(label, False, f"neither made nor its absence explained for {named(lacking)}")
    words = [f"made for {named(taken)}"] if taken else []
    words += [f"with its reason left out for {named(excused)}"] if excused else []
    return Step(label, True, ", ".join(words))


def in_words(steps: Sequence[Step]) -> str:
    """The steps of one outcome in a sentence each, parted by semicolons."""
    return "; ".join(f"{step.label}: {step.words}" for step in steps)
