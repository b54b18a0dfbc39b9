"""Result -> a result fit to share: the last step before anything is written.

Counts are hidden whole: a row whose count is small, or whose complement is, loses every count and all that was
worked out from it, and says so in its column `hidden`. The other counts are rounded, and shares, rates, limits,
gaps and ratios are worked out again from what is shown; other estimates keep three significant digits, limits
that rest on few events two, and p-values stand in steps. A table is covered by its specification in `tables`.
Numbers of places (points of care) are neither people nor records and stay as they are.

What is protected. No count of 1 to the rule's limit is written, nor a share, limit or flag that rests on one.
Where the rows of a characteristic add up to a total that is shown (`statuses`, `categories`), no hidden count
stands alone, nor beside others so small that their sum is below the limit: the next smallest is hidden too.
Sums within outcomes, trends, changes, representation and places (levels, parents, crossings, periods, people of
unknown group) are guarded as `hiding` says: no large group is given up for a few people where rounding guards
them. What is worked out from a hidden group (comparisons, changes, what the unknown could do, findings) is hidden
with it (`linked`), and a summary that names a hidden group is withheld.

What is not yet protected. Tables overlap, and no search over all of them is made for a hidden count that
others give away. The measures of `completeness` are nested in each other and in `statuses`, the groups of a dimension
add up to the whole, several measures count the same people, and recorded values (`codes`) add up to the records
of a status; the difference of two rounded counts then gives a hidden one up to rounding, and the rows read and
used are written exactly. Outcomes, tiers, flags and the words of steps rest on true counts; a threshold that
is met or missed by a hair says on which side of it a rounded share lies. `none` hides and rounds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from equitydata.figures import PLACES
from equitydata.release.hiding import Flags
from equitydata.release.linked import SHARE, linked_rows
from equitydata.result import MATURITY_TABLES, EquityResult
from equitydata.rulebook import DisclosureRule, disclosure_rule
from equitydata.stats.one_group.counts import count_limits
from equitydata.stats.one_group.proportions import wilson
from equitydata.strata import USERS
from equitydata.tables import HIDDEN, SPECS, TableSpec, with_shares

FEW = "[values held by few records]"
# Table -> the columns that its rows add up within, and the counts that add up there.
ADDS_UP: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "statuses": (("characteristic",), ("people", "records", "records_carried_back")),
    "categories": (("characteristic", "level"), ("numerator",)),
}


def release(result: EquityResult, rule: str | None = None) -> EquityResult:
    """A result whose every count obeys a small-number rule.

    rule : name of a rule of rules/disclosure.toml; the service's choice when left out.
    A released result is given back unchanged. Raises ConfigError for an unknown rule.
    """
    if result.disclosure:
        return result
    chosen = disclosure_rule(rule or result.choices["disclosure"].value)
    confidence = float(result.choices["confidence"].value)
    ready = {name: _without_small_cells(frame, name, chosen) for name, frame in result.tables.items()}
    linked = linked_rows(
        ready, {name: _hidden_flags(frame, SPECS[name], chosen) for name, frame in ready.items()}, chosen
    )

    def released(name: str, frame: pd.DataFrame) -> pd.DataFrame:
        return release_table(frame, SPECS[name], chosen, confidence=confidence, linked=linked.get(name))

    tables = {name: released(name, frame) for name, frame in ready.items()}
    tables = _without_summaries_of_hidden(tables, chosen)
    hidden_cells = {name: int(frame[HIDDEN].sum()) for name, frame in tables.items() if HIDDEN in frame}
    if chosen.hide_up_to and len(tables.get("findings", ())):
        tables["findings"] = _findings_as_shown(tables)
    own = {name: released(name, getattr(result.maturity, name)) for name in MATURITY_TABLES}
    hidden_cells |= {name: int(frame[HIDDEN].sum()) for name, frame in own.items() if HIDDEN in frame}
    return replace(
        result,
        about=replace(result.about, people=round_count(result.about.people, chosen)),
        tables=tables,
        maturity=replace(
            result.maturity, criteria=own["criteria"], areas=own["areas"], next_steps=own["next_steps"]
        ),
        notes=tuple(release_words(note, chosen) for note in result.notes),
        disclosure=chosen.name,
        hidden_cells=hidden_cells,
    )


def release_table(
    frame: pd.DataFrame,
    spec: TableSpec,
    rule: DisclosureRule,
    *,
    confidence: float,
    linked: Flags | None = None,
) -> pd.DataFrame:
    """One table under a rule: hidden rows blanked whole, other counts rounded, shares worked out again.

    frame : of true counts, shape as the specification says. Never changed.
    linked : rows that are hidden for another table's sake.
    Returns the columns of the specification, and `hidden` where the table holds counts.
    """
    if not spec.counts:
        return _released_words(frame, spec, rule)
    if spec.text:
        frame = _keep_back_text(frame, spec, rule)
    hidden, places = hidden_rows(frame, spec, rule), _counts_places(frame)
    if linked is not None:
        hidden = hidden | linked
    shown = frame.copy()
    if spec.name == "representation" and rule.hide_up_to:
        shown["_true_numerator"] = pd.to_numeric(shown["numerator"], errors="coerce").astype("float64")
    for column in spec.counts:
        numbers = pd.to_numeric(shown[column], errors="coerce").astype("float64")
        shown[column] = round_counts(numbers, rule).where(~places, numbers).where(~hidden)
    for column in spec.estimates:
        numbers = pd.to_numeric(shown[column], errors="coerce").astype("float64")
        shown[column] = numbers.where(~hidden)
    if rule.hide_up_to:
        shown = worked_out_again(shown, spec, confidence=confidence)
        shown = with_few_digits(shown, spec)
    for share in spec.shares:
        if {share.lower, share.upper} <= set(spec.columns):
            shown = with_shares(shown, confidence=confidence, share=share)
    for column in spec.derived:
        shown[column] = shown[column].astype("object").where(~hidden, None)
    return shown.assign(**{HIDDEN: hidden})


DIGITS, LIMIT_DIGITS = 3, 2
# Limits that rest on so many events keep all digits: with fewer, the digits would tell the events to the last one.
MANY = 100
# A p-value is written as the next of these: its digits would tell the four counts behind it.
P_STEPS = (0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
P_VALUES = ("p", "p_adjusted")


def with_few_digits(shown: pd.DataFrame, spec: TableSpec) -> pd.DataFrame:
    """Estimates to three digits, limits that rest on few events to two, p-values as the next step above them."""
    few = np.zeros(len(shown), dtype=bool)
    for column in {"numerator", "comparator_numerator", "people"} & set(spec.counts):
        few |= _floats(shown[column]) < MANY
    if "statistic" in shown:
        # Sums of values stand behind the limits of means, and no count.
        values = np.array(shown["statistic"].isin(["mean", "quantile"]), dtype=bool)
    else:
        values = np.zeros(len(shown), dtype=bool)
    found = shown.copy()
    for column in spec.estimates:
        if column in P_VALUES:
            found[column] = next_step(shown[column])
        elif column.endswith(("lower", "upper")):
            exact = significant(shown[column])
            coarse = significant(shown[column], digits=LIMIT_DIGITS)
            keeps = values & (not column.startswith("ratio"))
            found[column] = coarse.where(few & ~keeps, exact)
        else:
            found[column] = significant(shown[column])
    return found


def next_step(p: pd.Series) -> pd.Series:
    """Each p-value as the smallest of P_STEPS that is not below it; missing stays missing."""
    numbers = _floats(p)
    place = np.searchsorted(P_STEPS, np.where(np.isnan(numbers), 1.0, numbers) - 1e-12)
    return pd.Series(
        np.where(np.isnan(numbers), np.nan, np.asarray(P_STEPS)[np.minimum(place, 6)]), index=p.index
    )


def significant(values: pd.Series, *, digits: int = DIGITS) -> pd.Series:
    """Numbers to so many significant digits; 0, missing and infinite ones stay."""
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float)
    usable = np.isfinite(numbers) & (numbers != 0)
    # Below 1e-300 the power itself would overflow, and nobody reads the digits.
    exponent = np.clip(np.floor(np.log10(np.abs(np.where(usable, numbers, 1.0)))), -300, 300)
    # Divided and not multiplied by 10 to a negative power: 0.123 stays the nearest number to 0.123.
    up, down = 10.0 ** np.maximum(digits - 1 - exponent, 0), 10.0 ** np.maximum(exponent - digits + 1, 0)
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = np.round(numbers * up / down) / up * down
    return pd.Series(np.where(usable, rounded, numbers), index=values.index)


def worked_out_again(frame: pd.DataFrame, spec: TableSpec, *, confidence: float = 0.95) -> pd.DataFrame:
    """Shares, rates, gaps and ratios of a released table from the counts that it shows.

    Limits of rates, and all of representation, are worked out from the shown counts too, as they would tell a count.
    Other limits move with their estimate. Values that are standardised or adjusted, means and quantiles stay, and so do
    figures that come from elsewhere, such as a target.
    """
    shown = frame.copy()
    if spec.name == "representation":
        return _representation_again(shown, confidence)
    if "statistic" not in spec.columns or "numerator" not in spec.columns:
        return shown
    counted = np.array(frame["statistic"].isin([SHARE, "rate", "population_rate"]), dtype=bool)
    if spec.name == "comparisons":
        counted &= np.array(frame["adjustment"] == "crude", dtype=bool)
    for value, prefix in (("value", ""), ("comparator_value", "comparator_")):
        if not {value, f"{prefix}numerator"} <= set(spec.columns):
            continue
        again = _quotient(frame[f"{prefix}numerator"], frame[f"{prefix}denominator"])
        before = _floats(frame[value])
        usable = counted & np.isfinite(again) & np.isfinite(before)
        shown[value] = np.where(usable, again, before)
        if not prefix and {"lower", "upper"} <= set(spec.columns):
            _scale(shown, ("lower", "upper"), before, again, usable)
    if {"lower", "upper", "design_effect"} <= set(spec.columns):
        _rate_limits(shown, counted & np.array(frame["statistic"] != SHARE, dtype=bool), confidence)
    if {"difference", "comparator_numerator"} <= set(spec.columns):
        gap = _floats(shown["value"]) - _floats(shown["comparator_value"])
        _move(shown, "difference", gap, counted)
        _stretch(shown, "ratio", _quotient(shown["value"], shown["comparator_value"]), counted)
    return shown


def _rate_limits(shown: pd.DataFrame, where: np.ndarray, confidence: float) -> None:
    """Limits of rates from the shown counts, divided by the design effect as the true ones were."""
    effect = np.nan_to_num(_floats(shown["design_effect"]), nan=1.0)
    events, time = (_floats(shown[column]) / effect for column in ("numerator", "denominator"))
    lower, upper = count_limits(np.where(where, events, np.nan), confidence=confidence)
    for name, limit in (("lower", lower), ("upper", upper)):
        shown[name] = np.where(where & np.isfinite(limit), _over(limit, time), _floats(shown[name]))


def _over(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        found: np.ndarray = np.where(bottom > 0, top / bottom, np.nan)
    return found


def _representation_again(shown: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Every estimate from the shown counts and the residents, which are public; missing ones stay missing."""
    people, of = _floats(shown["numerator"]), _floats(shown["denominator"])
    residents, theirs = _floats(shown["residents"]), _floats(shown["residents_share"])
    share = _over(people, of)
    low, high = wilson(np.where(people <= of, people, np.nan), of, confidence=confidence)
    fewest, most = count_limits(people, confidence=confidence)
    standard = _floats(shown["standardised_ratio"])
    before = _floats(shown["_true_numerator"]) if "_true_numerator" in shown else people
    expected = _over(before, standard)
    again = {
        "ratio": (_over(share, theirs), _over(low, theirs), _over(high, theirs)),
        "gap": (share - theirs, low - theirs, high - theirs),
        "rate": tuple(1000 * _over(each, residents) for each in (people, fewest, most)),
        "standardised_ratio": tuple(_over(each, expected) for each in (people, fewest, most)),
    }
    for name, estimates in again.items():
        for column, values in zip((name, f"{name}_lower", f"{name}_upper"), estimates, strict=True):
            had = np.isfinite(_floats(shown[column]))
            shown[column] = np.where(had, values, np.nan)
    for column, values in (
        ("gap_people", people - of * theirs),
        ("share_of_all", _over(people, of + _floats(shown["unknown"]))),
    ):
        shown[column] = np.where(np.isfinite(_floats(shown[column])), values, np.nan)
    return shown.drop(columns="_true_numerator", errors="ignore")


def _floats(values: pd.Series) -> np.ndarray:
    return pd.to_numeric(values, errors="coerce").to_numpy(dtype=float)


def _quotient(over: pd.Series | np.ndarray, under: pd.Series | np.ndarray) -> np.ndarray:
    top, bottom = (_floats(pd.Series(each)) for each in (over, under))
    with np.errstate(divide="ignore", invalid="ignore"):
        found: np.ndarray = np.where(bottom > 0, top / bottom, np.nan)
    return found


def _move(shown: pd.DataFrame, name: str, again: np.ndarray, where: np.ndarray) -> None:
    """An estimate worked out again, its limits moved by as much."""
    before = _floats(shown[name])
    usable = where & np.isfinite(before) & np.isfinite(again)
    for column in (f"{name}_lower", f"{name}_upper"):
        if column in shown:
            limit = _floats(shown[column])
            shown[column] = np.where(usable, limit + again - before, limit)
    shown[name] = np.where(usable, again, before)


def _stretch(shown: pd.DataFrame, name: str, again: np.ndarray, where: np.ndarray) -> None:
    """An estimate on a scale of ratios worked out again, its limits in proportion."""
    before = _floats(shown[name])
    usable = where & np.isfinite(before) & np.isfinite(again)
    _scale(shown, (f"{name}_lower", f"{name}_upper"), before, again, usable)
    shown[name] = np.where(usable, again, before)


def _scale(
    shown: pd.DataFrame, limits: tuple[str, str], before: np.ndarray, again: np.ndarray, usable: np.ndarray
) -> None:
    usable = usable & (before > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(usable, again / before, 1.0)
    for column in limits:
        shown[column] = _floats(shown[column]) * factor


# ---------------------------------------------------------------- what rests on several rows


# Table -> a count that says how many people have no known group, and what is worked out from it: when it is
# small, it is withheld by itself, and the groups stay.
UNKNOWN_CELLS: Mapping[str, tuple[str, ...]] = {"representation": ("unknown", "share_of_all")}
FEW_UNKNOWN = "The number of people of unknown group is small and not shown."
# Tables without counts whose figures are worked out from several groups at once.
SUMMARIES: Mapping[str, tuple[str, ...]] = {
    "inequality": ("value", "lower", "upper", "under_equality"),
    "tests": ("statistic_value", "p", "effect_size"),
}
WITHHELD = "Withheld: with the groups that are shown it would give a hidden number away."


def _without_small_cells(frame: pd.DataFrame, name: str, rule: DisclosureRule) -> pd.DataFrame:
    columns = UNKNOWN_CELLS.get(name, ())
    if not columns or frame.empty or not rule.hide_up_to:
        return frame
    unknown = pd.to_numeric(frame[columns[0]], errors="coerce")
    few = (unknown > 0) & (unknown <= rule.hide_up_to)
    notes = frame["note"].astype("object").fillna("")
    blanked = {column: pd.to_numeric(frame[column], errors="coerce").mask(few) for column in columns}
    return frame.assign(**blanked, note=notes.mask(few, (notes + " " + FEW_UNKNOWN).str.strip()))


def _without_summaries_of_hidden(
    tables: Mapping[str, pd.DataFrame], rule: DisclosureRule
) -> dict[str, pd.DataFrame]:
    """Summaries and tests rounded, and withheld where a hidden group could be worked out from one.

    That is so where a summary names a hidden group, where one group of its level is hidden alone (the figure would be
    an equation for it), and where fewer than two are shown.
    """
    outcomes = tables.get("outcomes")
    found = dict(tables)
    if outcomes is None or not rule.hide_up_to:
        return found
    keys = ["measure", "characteristic", "level"]
    groups = outcomes[outcomes["status"] == "known"]
    hidden = {key: set(rows["category"]) for key, rows in groups[groups[HIDDEN]].groupby(keys)}
    shown = groups[~groups[HIDDEN]].groupby(keys).size().to_dict()
    for name, columns in SUMMARIES.items():
        frame = tables.get(name)
        if frame is None or frame.empty:
            continue
        compared = (
            frame["compared"].astype("object").fillna("")
            if "compared" in frame
            else pd.Series("", index=frame.index)
        )
        lost = pd.Series(
            [
                key in hidden
                and (
                    len(hidden[key]) == 1
                    or shown.get(key, 0) < 2
                    or any(str(group) in words for group in hidden[key])
                )
                for key, words in zip(zip(*(frame[key] for key in keys), strict=True), compared, strict=True)
            ],
            index=frame.index,
            dtype=bool,
        )
        numbers = {
            column: (
                next_step(frame[column])
                if column in P_VALUES
                else significant(frame[column], digits=LIMIT_DIGITS if name == "tests" else DIGITS)
            ).mask(lost)
            for column in columns
        }
        found[name] = frame.assign(
            **numbers, note=frame["note"].astype("object").fillna("").mask(lost, WITHHELD)
        )
    return found


# Column of a finding -> the column of the released table that it repeats.
_OF_COMPARISONS = {
    name: name
    for name in (
        "value", "comparator_value", "difference", "difference_lower", "difference_upper", "ratio", "ratio_lower",
        "ratio_upper",
    )
}  # fmt: skip
_OF_REPRESENTATION = {
    "value": "share",
    "comparator_value": "residents_share",
    **{f"difference{end}": f"gap{end}" for end in ("", "_lower", "_upper")},
    **{f"ratio{end}": f"ratio{end}" for end in ("", "_lower", "_upper")},
}


def _findings_as_shown(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Findings with the numbers that the released tables show; hidden ones are left out.

    A hidden finding would say by its presence that the group was flagged.
    """
    found = tables["findings"]
    found = found[~found[HIDDEN].astype(bool)].reset_index(drop=True)
    sources = []
    if len(tables.get("comparisons", ())):
        rest = tables["comparisons"]
        rest = rest[(rest["comparator"] == "rest") & rest["adjustment"].isin(["crude", "adjusted"])]
        adjusted = found["statistic"].astype(str).str.startswith("adjusted")
        for name, rows in (("crude", ~adjusted), ("adjusted", adjusted)):
            here = rest[rest["adjustment"] == name].rename(columns={"measure": "_key"})
            sources.append((here, (found["about"] == "outcome") & rows, found["measure"], _OF_COMPARISONS))
    if len(tables.get("representation", ())):
        local = tables["representation"]
        local = local[local["area_kind"] == "local"].rename(columns={"of": "_key"})
        users = found["measure"].astype(str).where(found["measure"].astype(str) != "", USERS)
        sources.append((local, found["about"] == "representation", users, _OF_REPRESENTATION))
    for source, where, key, columns in sources:
        keys = ["_key", "characteristic", "level", "category"]
        one = source.drop_duplicates(keys).set_index(keys)
        index = pd.MultiIndex.from_arrays([key, *(found[name] for name in keys[1:])])
        for column, theirs in columns.items():
            values = one[theirs].reindex(index).to_numpy(dtype=float)
            usable = where.to_numpy(dtype=bool) & ~np.isnan(values)
            found[column] = np.where(usable, values, _floats(found[column]))
    return found.assign(order=np.arange(1, len(found) + 1))


def _released_words(frame: pd.DataFrame, spec: TableSpec, rule: DisclosureRule) -> pd.DataFrame:
    """A table without counts, whose sentences may count people."""
    if spec.name != "population_checks" or frame.empty:
        return frame.copy()
    return frame.assign(finding=[release_words(str(words), rule, of="people") for words in frame["finding"]])


# ---------------------------------------------------------------- rows and words


def hidden_rows(frame: pd.DataFrame, spec: TableSpec, rule: DisclosureRule) -> pd.Series:
    """Which rows are hidden: the small ones, and those without which a small one could be worked out."""
    hidden = small_rows(frame, spec, rule)
    keys, columns = ADDS_UP.get(spec.name, ((), ()))
    for column in columns:
        counts = pd.to_numeric(frame[column], errors="coerce").fillna(0)
        for _, rows in frame.groupby(list(keys), sort=False):
            hidden.loc[rows.index] = _not_alone(counts.loc[rows.index], hidden.loc[rows.index], rule)
    return hidden


def _not_alone(counts: pd.Series, hidden: pd.Series, rule: DisclosureRule) -> pd.Series:
    """Hidden rows of one sum, with the next smallest counts while what is hidden could be worked out.

    What is hidden together is the total less what is shown: known up to rounding. One row alone would be told
    by it, and so would several whose sum is small.
    """
    while (hidden & (counts > 0)).any():
        kept_back, shown = counts[hidden & (counts > 0)], counts[~hidden & (counts > 0)]
        if shown.empty or (len(kept_back) > 1 and kept_back.sum() > rule.hide_up_to):
            break
        hidden = hidden | (hidden.index == shown.idxmin())
    return hidden


def release_words(words: str, rule: DisclosureRule, *, of: str = "records") -> str:
    """A sentence whose counts obey the rule: "(12 records)" is rounded, "(3 records)" is "few".

    of : what the sentence counts, records or people.
    """

    def shown(count: re.Match[str]) -> str:
        rounded = round_count(int(count[1].replace(",", "")), rule)
        return f"few {of}" if rounded is None else f"{rounded:,} {of}"

    return _COUNTED[of].sub(shown, words) if rule.hide_up_to else words


_COUNTED = {
    "records": re.compile(r"\b(\d[\d,]*) records?\b"),
    "people": re.compile(r"(?<![\d.])(\d[\d,]*) (?:people|person)\b"),
}


def _hidden_flags(frame: pd.DataFrame, spec: TableSpec, rule: DisclosureRule) -> Flags:
    """Rows of one table that hold a small count, as flags in the order of the rows."""
    if not spec.counts:
        return np.zeros(len(frame), dtype=bool)
    flags: Flags = small_rows(frame, spec, rule).to_numpy(dtype=bool)
    return flags


def small_rows(frame: pd.DataFrame, spec: TableSpec, rule: DisclosureRule) -> pd.Series:
    """Which rows hold a small count of people or records, or a small complement of one within its whole."""
    hidden = pd.Series(False, index=frame.index)
    columns = [pd.to_numeric(frame[column], errors="coerce") for column in spec.counts]
    for share in spec.shares:
        numerator = pd.to_numeric(frame[share.numerator], errors="coerce")
        rest = pd.to_numeric(frame[share.denominator], errors="coerce") - numerator
        # Person-time less events counts nobody.
        columns.append(rest if share.only is None else rest.where(frame[share.only[0]] == share.only[1]))
    if not spec.shares and {"statistic", "numerator", "denominator"} <= set(spec.columns):
        rest = pd.to_numeric(frame["denominator"], errors="coerce") - pd.to_numeric(
            frame["numerator"], errors="coerce"
        )
        columns.append(rest.where(frame["statistic"] == SHARE))
    for values in columns:
        hidden |= ((values > 0) & (values <= rule.hide_up_to)).fillna(False)
    return hidden & ~_counts_places(frame)


def _counts_places(frame: pd.DataFrame) -> pd.Series:
    """Which rows count places, which may be told."""
    return frame["unit"] == PLACES if "unit" in frame else pd.Series(False, index=frame.index)


def round_counts(values: pd.Series, rule: DisclosureRule) -> pd.Series:
    """Counts to the nearest multiple of the rule's base, halves up; missing stays missing."""
    numbers = pd.to_numeric(values, errors="coerce").astype("float64").to_numpy()
    return pd.Series(np.floor(numbers / rule.round_to + 0.5) * rule.round_to, index=values.index)


def round_count(value: int | None, rule: DisclosureRule) -> int | None:
    """One count as `round_counts` gives it; None for a small one, which is hidden."""
    if value is None or 0 < value <= rule.hide_up_to:
        return None
    return int(np.floor(value / rule.round_to + 0.5) * rule.round_to)


def _keep_back_text(frame: pd.DataFrame, spec: TableSpec, rule: DisclosureRule) -> pd.DataFrame:
    """Recorded text held by few records becomes one row per status: text could name a person."""
    count = spec.counts[0]
    few = small_rows(frame, spec, rule)
    if not few.any():
        return frame
    keys = ["characteristic", "status"]
    sums = frame[few].groupby(keys, sort=False)[count].sum().reset_index()
    blank = {column: "" for column in spec.columns if column not in (*keys, count)}
    merged = sums.assign(**{**blank, spec.text[0]: FEW})
    return pd.concat([frame[~few], merged[list(spec.columns)]], ignore_index=True)
