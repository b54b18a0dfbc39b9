"""Distinct raw values -> category and status: exactly one status for each, decided in a fixed order.

Nothing here sees a record: what comes in are the distinct values of one column with their number of
records. The order in which a value is read:

1. the local map of the service file;
2. words that this extract uses for an empty cell;
3. the code list named, or the one that fits best: its codes, its labels, other spellings of its categories;
4. words that give no answer (`codelists.missing_words`);
5. a national first letter with a local second character, where the list is of that kind;
6. where no list was named, further lists that fit what is left, unless another list reads it differently;
7. synonyms and spellings of any category; and what is left is invalid.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd

from equitydata import codelists
from equitydata.codelists import CodeList
from equitydata.errors import ConfigError, nearest
from equitydata.model import STATUSES, Status
from equitydata.records.ages import code_ages
from equitydata.records.matching import (
    COLUMNS,
    Answer,
    CodedValues,
    Reading,
    answered,
    by_first_letter,
    by_local_letter,
    close,
    describe_records,
    fill,
    fill_blank,
    fill_words,
    first_of,
    keyed,
    look_up,
    missing_answers,
    normalise,
    only,
    readings,
    short_words,
    spelling_answers,
    synonym_answers,
)
from equitydata.records.places import code_areas, code_postcodes

__all__ = [
    "CodedValues",
    "code_ages",
    "code_areas",
    "code_deciles",
    "code_own_words",
    "code_postcodes",
    "code_values",
    "detect_code_list",
    "normalise",
]

# A rival list this close to the chosen one is worth a word to the analyst.
CLOSE_RIVAL = 0.9
SUGGESTIONS = 50
LONGEST_SUGGESTED_FOR = 60
DISPUTED = "Read differently by two code lists that fit equally well: name the code list."
US_RACE = "United States race word"

Tried = tuple[Reading, pd.DataFrame]  # a list, and what it makes of the rows


# ---------------------------------------------------------------- coding


def code_values(
    values: pd.DataFrame,
    characteristic: str,
    *,
    code_list: str | CodeList | None = None,
    local_map: Mapping[str, str] | None = None,
    extra_missing: Sequence[str] = (),
) -> CodedValues:
    """Category and status of each distinct value of one column; see the head of this module for the order.

    values : value and records, one row per distinct value.
    characteristic : a name of `rules/characteristics.toml`.
    code_list : name of a list, or a user's own; None tries those of the characteristic. A mixed field is
        read by the best list and then by others, and a warning says so; where two lists fit equally well and
        read a value differently, it is invalid until the list is named.
    local_map : raw value -> canonical category, code of the list, or status.
    extra_missing : further words for an empty cell.
    Leading zeros make no difference to codes that are numbers, unless the list has both.
    Records over all statuses add up to the records given. Raises ConfigError for an unknown name, or a local
    map that leads nowhere.
    """
    lists, empty = readings(characteristic, code_list), missing_answers(characteristic)
    work = keyed(values, characteristic)
    local = _local_answers(local_map or {}, characteristic, lists)
    work = fill(work, answered(work["key"], local, "local map"))
    work = fill_blank(work, extra_missing)
    if code_list is None:
        work, primary, rivals = _fill_best(work, lists, empty)
    else:
        primary, rivals = lists[0], []
        work = fill(work, look_up(work, primary), primary.name)
    if primary is not None:
        work = fill(work, by_local_letter(work, primary, empty), primary.name)
    work = fill_words(work, empty, "missing word", primary)
    if primary is not None:
        work = fill(work, by_first_letter(work, primary, named=code_list is not None), primary.name)
    work = _close_disputed(_fill_from_others(work, [each for each in lists if each is not primary]))
    work = fill_words(work, synonym_answers(characteristic), "synonym", primary)
    work = fill_words(work, spelling_answers(characteristic), "synonym", primary)
    work = _suggest(close(work), characteristic)
    return _coded(work, characteristic, primary, _warnings(work, lists, primary, rivals))


def code_deciles(values: pd.DataFrame) -> CodedValues:
    """Deciles of deprivation, 1 (most deprived) to 10; the table adds decile (nullable integer).

    values : value and records, one row per distinct value.
    """
    coded = code_values(values, "deprivation", code_list="imd-decile")
    decile = pd.to_numeric(coded.table["category"], errors="coerce").astype("Int64")
    return replace(coded, table=coded.table.assign(decile=decile))


def code_own_words(
    values: pd.DataFrame, characteristic: str, *, extra_missing: Sequence[str] = ()
) -> CodedValues:
    """The extract's own words as categories, for what no list names (pay grades): each spelling once.

    values : value and records, one row per distinct value. Spellings that differ by letter case or blanks are one
    category, written as most records have it. Words that give no answer are read as such.
    """
    work = fill_blank(keyed(values, characteristic), extra_missing)
    work = fill_words(work, missing_answers(characteristic), "missing word", None)
    shown = work["value"].astype("string").str.replace(r"\s+", " ", regex=True).str.strip()
    most = work.assign(shown=shown).sort_values("records", ascending=False, kind="stable")
    words = most.drop_duplicates("key").set_index("key")["shown"]
    here = work["status"].eq("")
    work = work.assign(
        category=work["key"].map(words).where(here, work["category"]).astype(object),
        status=work["status"].mask(here, str(Status.KNOWN)),
        matched_by=work["matched_by"].mask(here, "own words"),
        detail=np.where(here, "detailed", ""),
        suggestion="",
    )
    return CodedValues(
        table=work[list(COLUMNS)].astype(dict.fromkeys(COLUMNS[2:], str)), code_lists={}, warnings=()
    )


def _coded(work: pd.DataFrame, name: str, primary: Reading | None, warnings: tuple[str, ...]) -> CodedValues:
    known = work["status"].eq(Status.KNOWN)
    listed = codelists.categories(name)
    levels = dict(zip(listed["category"], listed["detail"], strict=True))
    detail = pd.Series([levels.get(category, "detailed") for category in work["category"]], index=work.index)
    work = work.assign(category=work["category"].where(known, ""), detail=detail.where(known, ""))
    met = (
        work[work["code_list"].ne("") & work["status"].ne(Status.INVALID)]
        .groupby("code_list")["records"]
        .sum()
    )
    met = met.sort_values(ascending=False, kind="stable")
    own = primary.name if primary is not None else ""
    return CodedValues(
        table=work[COLUMNS].astype(dict.fromkeys(COLUMNS[2:], str)),
        code_list=own,
        code_lists={str(code_list): int(records) for code_list, records in met.items()},
        matched_share=_matched_share(work, int(met.get(own, 0))),
        warnings=warnings,
    )


def _matched_share(work: pd.DataFrame, matched: int) -> float:
    silent = work["matched_by"].eq("missing word") & work["code_list"].eq("")
    recorded = int(work.loc[~silent & work["status"].ne(Status.MISSING), "records"].sum())
    return matched / recorded if recorded else float("nan")


# ---------------------------------------------------------------- which list


def detect_code_list(values: pd.DataFrame, characteristic: str) -> pd.DataFrame:
    """How well each list of a characteristic fits, the best first.

    values : value and records, one row per distinct value.
    Returns one row per list: code_list, matched_records, share (of records with a value, leaving out words
    that give no answer; NaN where there are none), values_matched, by_code, by_label (records).
    """
    empty = missing_answers(characteristic)
    work = fill_blank(keyed(values, characteristic))
    ranked = _ranked(work, readings(characteristic, None), empty)
    silent = work["status"].ne("") | work["words"].isin(list(empty))
    rows = []
    for reading, found in ranked:
        matched = found["status"].ne("")
        records = int(work.loc[matched, "records"].sum())
        recorded = int(work.loc[matched | ~silent, "records"].sum())
        by_code = int(work.loc[found["matched_by"].eq("code"), "records"].sum())
        share = records / recorded if recorded else float("nan")
        rows.append((reading.name, records, share, int(matched.sum()), by_code, records - by_code))
    columns = ["code_list", "matched_records", "share", "values_matched", "by_code", "by_label"]
    return pd.DataFrame(rows, columns=columns)


def _ranked(work: pd.DataFrame, lists: Sequence[Reading], empty: Mapping[str, Answer]) -> list[Tried]:
    """Lists with what they make of the open rows, by records matched, then by records matched exactly."""
    wordless = ~work["words"].isin(list(empty))
    tried = [
        (each, first_of(look_up(work, each), only(by_first_letter(work, each, named=False), wordless)))
        for each in lists
    ]
    return sorted(tried, key=lambda pair: _weight(work, pair[1]), reverse=True)


def _weight(work: pd.DataFrame, found: pd.DataFrame) -> tuple[int, int]:
    matched, exact = found["status"].ne(""), found["exact"].astype(bool)
    return int(work.loc[matched, "records"].sum()), int(work.loc[exact, "records"].sum())


def _without_rivals(work: pd.DataFrame, ranked: Sequence[Tried]) -> tuple[pd.Series, list[str]]:
    """Rows that the best list and an equally good one read differently, and the names of close rivals.

    A close rival reads nearly as many records, and some of them differently.
    """
    (_, best), *others = ranked
    weight, disputed, rivals = _weight(work, best), pd.Series(False, index=work.index), []
    for rival, found in others:
        differs = found["category"].ne(best["category"]) | found["status"].ne(best["status"])
        conflict = best["status"].ne("") & found["status"].ne("") & differs
        if not conflict.any():
            continue
        if _weight(work, found) >= weight:
            disputed |= conflict
        if _weight(work, found)[0] >= CLOSE_RIVAL * weight[0]:
            rivals.append(rival.name)
    return disputed, rivals


def _fill_best(
    work: pd.DataFrame, lists: Sequence[Reading], empty: Mapping[str, Answer]
) -> tuple[pd.DataFrame, Reading | None, list[str]]:
    """Open rows read by the list that fits best; that list, or None where none fits; its close rivals."""
    ranked = _ranked(work, lists, empty)
    if not ranked or not _weight(work, ranked[0][1])[0]:
        return work, None, []
    best = ranked[0][0]
    disputed, rivals = _without_rivals(work, ranked)
    work = work.assign(disputed=work["disputed"] | disputed)
    # A first letter alone is read later, after the words that give no answer.
    return fill(work, look_up(work, best), best.name), best, rivals


def _fill_from_others(work: pd.DataFrame, lists: Sequence[Reading]) -> pd.DataFrame:
    """Further lists, best first, each for what is still open; a first letter alone says nothing here."""
    left = list(lists)
    while left:
        tried = [(each, look_up(work, each)) for each in left]
        ranked = sorted(tried, key=lambda pair: _weight(work, pair[1]), reverse=True)
        best = ranked[0][0]
        if not _weight(work, ranked[0][1])[0]:
            break
        work = work.assign(disputed=work["disputed"] | _without_rivals(work, ranked)[0])
        work = fill(work, look_up(work, best), best.name)
        left = [each for each in left if each is not best]
    return work


def _close_disputed(work: pd.DataFrame) -> pd.DataFrame:
    """A value that two lists read differently, and that is no word for no answer, is invalid."""
    rows = work["disputed"] & work["status"].eq("")
    return work.assign(
        status=work["status"].mask(rows, str(Status.INVALID)),
        suggestion=work["suggestion"].mask(rows, DISPUTED),
    )


# ---------------------------------------------------------------- local words


def _local_answers(local_map: Mapping[str, str], name: str, lists: Sequence[Reading]) -> dict[str, Answer]:
    keys = normalise(pd.Series(list(local_map), dtype="string"))
    return {key: _target(target, name, lists) for key, target in zip(keys, local_map.values(), strict=True)}


def _target(target: str, name: str, lists: Sequence[Reading]) -> Answer:
    """What a word of a local map leads to: a status, a category, a code, or another spelling of these."""
    key = normalise(pd.Series([target], dtype="string")).iloc[0]
    words = short_words(pd.Series([key])).iloc[0]
    status = key.replace(" ", "_")
    if status in STATUSES and status != Status.KNOWN:
        return "", status
    listed = codelists.categories(name)["category"]
    if target in set(listed):
        return target, str(Status.KNOWN)
    holding = [each for each in lists if key in each.codes]
    codes = {each.codes[key] for each in holding}
    if len(codes) == 1:
        return codes.pop()
    where = f"[characteristics.{name}] map"
    if codes:
        names = " and ".join(each.name for each in holding)
        raise ConfigError(
            f"'{target}' is a code that {names} read differently.", where=where, mend="Name the code list."
        )
    for answers in (spelling_answers(name), missing_answers(name), synonym_answers(name)):
        if words in answers:
            return answers[words]
    known = [*_candidates(name).values(), *STATUSES]
    raise ConfigError(f"'{target}' is no category, code or status.", where=where, mend=nearest(target, known))


# ---------------------------------------------------------------- suggestions


def _suggest(work: pd.DataFrame, name: str) -> pd.DataFrame:
    """A hint for invalid values: why, or the nearest category of the commonest. Never the value itself."""
    silent = work["status"].eq(Status.INVALID) & work["suggestion"].eq("")
    reasons = _reasons(name)
    rows = work[silent & ~work["words"].isin(list(reasons))]
    rows = rows[rows["words"].str.len().between(3, LONGEST_SUGGESTED_FOR)]
    common = rows.sort_values("records", ascending=False, kind="stable").head(SUGGESTIONS)["words"]
    hints = {**{words: _nearest_category(words, name) for words in common}, **reasons}
    found = pd.Series([hints.get(words, "") for words in work["words"]], index=work.index, dtype=object)
    return work.assign(suggestion=work["suggestion"].where(~silent, found))


def _reasons(name: str) -> dict[str, str]:
    """Words -> why they are no category of the characteristic."""
    words = codelists.synonyms(name)
    words = words[words["status"] == Status.INVALID]
    return dict(zip(short_words(normalise(words["text"])), words["notes"], strict=True))


def _nearest_category(words: str, name: str) -> str:
    candidates = _candidates(name)
    near = difflib.get_close_matches(words, candidates, n=1, cutoff=0.75)
    return f"Nearest category: {candidates[near[0]]}." if near else ""


@cache
def _candidates(name: str) -> Mapping[str, str]:
    """Spelling -> category, of those categories that people write (not all of ISO 639-3)."""
    listed = codelists.categories(name)
    if name == "language":
        listed = listed[listed["census_basis"].isin(["named", "region", "group"])]
    held = set(listed["category"])
    answers = {**spelling_answers(name), **synonym_answers(name)}
    return {key: category for key, (category, _) in answers.items() if category in held}


# ---------------------------------------------------------------- warnings


def _warnings(
    work: pd.DataFrame, lists: Sequence[Reading], primary: Reading | None, rivals: Sequence[str]
) -> tuple[str, ...]:
    """What the analyst should know: numbers and names of lists, never a value."""
    warnings = (
        _mixed_warning(work),
        _rows_warning(
            work,
            work["suggestion"].eq(DISPUTED),
            "A code that two lists read differently in {records}: name the code list.",
        ),
        f"Read by {primary.name}, but {' and '.join(rivals)} fits nearly as well and reads some codes "
        "differently: name the code list."
        if primary is not None and rivals
        else "",
        _rows_warning(work, _withdrawn(work, lists), "A withdrawn or retired code in {records}."),
        _rows_warning(
            work,
            work["suggestion"].str.contains(US_RACE, regex=False),
            f"A {US_RACE} in {{records}}, which no ONS list has; words such as Asian and Other in the same "
            "column may not mean what they mean in the ONS lists.",
        ),
        _rows_warning(
            work,
            work["category"].eq("Chinese or Other (broad)"),
            "The 2001 group Chinese or Other in {records}: compare by the 2001 parents.",
        ),
    )
    return tuple(warning for warning in warnings if warning)


def _rows_warning(work: pd.DataFrame, rows: pd.Series, words: str) -> str:
    return words.format(records=describe_records(work, rows)) if rows.any() else ""


def _mixed_warning(work: pd.DataFrame) -> str:
    met = work[work["code_list"].ne("")].groupby("code_list")["records"].sum()
    if len(met) < 2:
        return ""
    ordered = met.sort_values(ascending=False, kind="stable").items()
    parts = ", ".join(f"{code_list} ({records:,} records)" for code_list, records in ordered)
    return f"The values come from {len(met)} code lists: {parts}."


def _withdrawn(work: pd.DataFrame, lists: Sequence[Reading]) -> pd.Series:
    by_code = work["matched_by"].eq("code")
    rows = pd.Series(False, index=work.index)
    for each in lists:
        rows |= by_code & work["code_list"].eq(each.name) & work["key"].isin(list(each.withdrawn))
    return rows
