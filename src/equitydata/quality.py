"""Quality flags: prompts to look at how a field is filled. They do not change the tier.

Domain notes, section 8. Shares are held against the Census where the service's area is known. A share of
fewer people or records than `minimum_people` raises no flag: it would mark chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from equitydata import codelists
from equitydata.completeness import NOT_RECORDED
from equitydata.rulebook import Rulebook
from equitydata.stats.one_group.proportions import wilson
from equitydata.tables import FLAGS_TABLE, shape, with_shares

_COLUMNS = ["flag", "characteristic", "place", "numerator", "denominator", "compared_with", "finding", "why"]


def flags_table(rows: Sequence[pd.DataFrame], labels: Mapping[str, str], rulebook: Rulebook) -> pd.DataFrame:
    """All flags raised. Shape: FLAGS_TABLE."""
    filled = [frame for frame in rows if len(frame)]
    if not filled:
        return shape(pd.DataFrame(columns=list(FLAGS_TABLE.columns)), FLAGS_TABLE)
    table = pd.concat(filled, ignore_index=True)
    table = table.assign(label=table["characteristic"].map(labels))
    return shape(with_shares(table, confidence=rulebook.value("confidence")), FLAGS_TABLE)


def residual_use(
    people: pd.Series, residents: pd.Series, scheme: str, rulebook: Rulebook
) -> dict[str, float] | None:
    """The residual share of people against that of residents, both in the scheme of the list in use.

    people, residents : counts by detailed category (names of the 2021 list).
    Returns numerator, denominator, resident_share, ratio; None where either is empty.
    """
    counts, population = fold_counts(people, scheme), fold_counts(residents, scheme)
    listed = codelists.categories("ethnicity").set_index("category")
    residual = listed.index[listed["residual"].astype(str) == "1"]
    numerator, denominator = counts[counts.index.isin(residual)].sum(), counts.sum()
    expected = population[population.index.isin(residual)].sum() / population.sum() if population.sum() else 0
    if not denominator or not expected:
        return None
    return {
        "numerator": float(numerator),
        "denominator": float(denominator),
        "resident_share": float(expected),
        # 0.15 / 0.1 misses 1.5 by a rounding error of 1e-16.
        "ratio": round(float(numerator / denominator / expected), 9),
    }


def fold_counts(counts: pd.Series, scheme: str) -> pd.Series:
    """Counts by category -> counts by category of an older or broader scheme; broad ones stay as they are."""
    folded = codelists.fold(pd.Series(counts.index.astype(str), index=counts.index), scheme=scheme)
    return counts.groupby(folded.to_numpy()).sum()


def residual_flag(use: Mapping[str, float] | None, rulebook: Rulebook) -> pd.DataFrame:
    """Too many people in 'any other' categories for the area."""
    if use is None or not _enough(use["denominator"], rulebook):
        return _none()
    lower, _ = _limits(use, rulebook)
    if use["ratio"] <= rulebook.value("residual_ratio") or lower <= use["resident_share"]:
        return _none()
    return _row(
        "residual over-use",
        "ethnicity",
        use,
        f"{use['resident_share']:.1%} of residents",
        "The share in 'any other' categories is well above that of residents of the area.",
        "Too many people in 'any other' groups points to a default or a hurried choice.",
    )


def mixed_flag(people: pd.Series, residents: pd.Series, rulebook: Rulebook) -> pd.DataFrame:
    """Far fewer people in Mixed groups than among residents.

    people, residents : counts by detailed category. The Mixed groups are the same in the schemes of 2001, 2011
    and 2021, so the list in use makes no difference here.
    """
    counts, population = fold_counts(people, "five_groups"), fold_counts(residents, "five_groups")
    if not counts.sum() or not population.sum() or not population.get("Mixed", 0):
        return _none()
    use = {
        "numerator": float(counts.get("Mixed", 0)),
        "denominator": float(counts.sum()),
        "resident_share": float(population["Mixed"] / population.sum()),
    }
    ratio = round(use["numerator"] / use["denominator"] / use["resident_share"], 9)
    _, upper = _limits(use, rulebook)
    few = not _enough(use["denominator"], rulebook)
    if few or ratio >= rulebook.value("mixed_ratio") or upper >= use["resident_share"]:
        return _none()
    return _row(
        "mixed under-count",
        "ethnicity",
        use,
        f"{use['resident_share']:.1%} of residents",
        "The share in Mixed groups is well below that of residents of the area.",
        "Health records tend to hold far fewer people in Mixed groups than the Census.",
    )


def declined_flags(
    statuses: pd.DataFrame, places: Mapping[str, pd.DataFrame], rulebook: Rulebook
) -> pd.DataFrame:
    """Declined used as a default: over the whole, or at one place.

    statuses : shape STATUSES_TABLE. places : records of each core field by place, status and category.
    """
    limit, limit_at_site = rulebook.value("declined_share"), rulebook.value("declined_site_share")
    frames = []
    for name, counted in places.items():
        here = statuses[(statuses["characteristic"] == name) & (statuses["status"] != "not_applicable")]
        declined, everyone = here.loc[here["status"] == "declined", "people"].sum(), here["people"].sum()
        if _enough(everyone, rulebook) and declined / everyone > limit:
            frames.append(_declined(name, "", declined, everyone, limit))
        by_place = _declined_by_place(counted)
        high = by_place[
            (by_place["declined"] / by_place["records"] > limit_at_site)
            & (by_place["records"] >= rulebook.value("minimum_people"))
        ]
        frames += [
            _declined(name, str(row.Index), row.declined, row.records, limit_at_site)
            for row in high.itertuples()
        ]
    return _joined(frames)


def _declined_by_place(counted: pd.DataFrame) -> pd.DataFrame:
    """Records, and declined ones, by place; none where no place is recorded, as the whole says the same."""
    asked = counted[counted["status"] != "not_applicable"]
    asked = asked.assign(declined=asked["records"].where(asked["status"] == "declined", 0))
    by_place = asked.groupby("place")[["records", "declined"]].sum()
    return by_place if len(by_place) > 1 else by_place.drop(index=NOT_RECORDED, errors="ignore")


def _declined(name: str, place: str, numerator: float, denominator: float, limit: float) -> pd.DataFrame:
    return _row(
        "declined as default",
        name,
        {"numerator": numerator, "denominator": denominator},
        f"more than {_percent(limit)}",
        f"The share of declined answers is high{_at(place)}.",
        "A high share points to declined being used as a default rather than the person's answer.",
        place=place,
    )


def single_value_flags(
    places: Mapping[str, pd.DataFrame], resident_shares: Mapping[str, pd.Series], rulebook: Rulebook
) -> pd.DataFrame:
    """One category filling a place, while the area's Census share is lower.

    resident_shares : share of residents by category, for each field where the Census has it.
    """
    frames = []
    for name, counted in places.items():
        known = counted[counted["status"] == "known"]
        shares = known.groupby(["place", "category"])["records"].sum().reset_index()
        if shares.empty:
            continue
        shares["total"] = shares.groupby("place")["records"].transform("sum")
        shares["share"] = shares["records"] / shares["total"]
        expected = shares["category"].map(resident_shares.get(name, pd.Series(dtype=float)))
        shares["expected"] = pd.to_numeric(expected, errors="coerce")
        # A category that the Census does not know has no expected share, and raises nothing.
        high = shares[
            (shares["share"] > rulebook.value("single_value_share"))
            & (shares["share"] > shares["expected"])
            & (shares["total"] >= rulebook.value("minimum_people"))
        ]
        frames += [
            _row(
                "single-value default",
                name,
                {"numerator": row.records, "denominator": row.total},
                f"{row.expected:.1%} of residents",
                f"Nearly every value{_at(str(row.place))} is {row.category}.",
                "A default on the registration screen fills a site with one value.",
                place=str(row.place),
            )
            for row in high.itertuples(index=False)
        ]
    return _joined(frames)


def english_flag(
    english: float, known: float, resident_share: float | None, rulebook: Rulebook
) -> pd.DataFrame:
    """English well above its share among residents.

    english, known : people with English, and with any known language.
    """
    if resident_share is None or not _enough(known, rulebook):
        return _none()
    # 0.8 - 0.7 exceeds 0.1 by a rounding error of 1e-16.
    if round(english / known - resident_share, 9) <= rulebook.value("english_gap"):
        return _none()
    return _row(
        "English by default",
        "language",
        {"numerator": english, "denominator": known},
        f"{resident_share:.1%} of residents aged 3 and over",
        "The share with English as main language is well above that of residents of the area.",
        "A blank language is often filled with English.",
    )


def mixed_lists_flags(codes: pd.DataFrame) -> pd.DataFrame:
    """Two code lists in one field.

    codes : shape CODES_TABLE. A list is counted where values match it by code or label.
    """
    frames = []
    matched = codes[(codes["code_list"] != "") & (codes["status"] == "known")]
    for name, frame in matched.groupby("characteristic", sort=False):
        lists = frame.groupby("code_list")["records"].sum().sort_values(ascending=False)
        if len(lists) < 2:
            continue
        frames.append(
            _row(
                "mixed code lists",
                str(name),
                {"numerator": lists.iloc[1:].sum(), "denominator": lists.sum()},
                "one list a field",
                f"Values of {len(lists)} lists stand in one field: {', '.join(map(str, lists.index))}.",
                "Values of different lists are not fully comparable.",
            )
        )
    return _joined(frames)


def stale_flag(name: str, stale: int, dated: int, rulebook: Rulebook) -> pd.DataFrame:
    """Many values recorded long ago.

    stale, dated : records with an old value, and with any value that has a day of recording.
    """
    if not _enough(dated, rulebook) or stale / dated < rulebook.value("stale_share"):
        return _none()
    return _row(
        "stale values",
        name,
        {"numerator": stale, "denominator": dated},
        f"{_percent(rulebook.value('stale_share'))} or more",
        f"Many values were recorded over {rulebook.value('stale_years')} years ago.",
        "Verification asks for a value confirmed since.",
    )


def gap_flags(breakdown: pd.DataFrame) -> pd.DataFrame:
    """Groups whose known share lies far below the whole.

    breakdown : shape BREAKDOWN_TABLE; `flagged` there says which (see `completeness.breakdown_table`).
    """
    low = breakdown[breakdown["flagged"].astype(bool) & (breakdown["unit"] == "people")]
    frames = [
        _row(
            "low completeness in a group",
            row["characteristic"],
            {"numerator": row["numerator"], "denominator": row["denominator"]},
            "the whole service",
            f"The known share is far below the whole in {row['by'].replace('_', ' ')} {row['group']}.",
            "Missing values are not random: conclusions about this group rest on fewer people.",
            place=str(row["group"]),
        )
        for row in low.to_dict("records")
    ]
    return _joined(frames)


def agreement_flags(agreement: pd.DataFrame, floor: float) -> pd.DataFrame:
    """Groups whose recordings disagree often.

    agreement : shape AGREEMENT_TABLE.
    """
    low = agreement[agreement["flagged"].astype(bool)]
    return _joined(
        [
            _row(
                "low agreement",
                row["characteristic"],
                {"numerator": row["numerator"], "denominator": row["denominator"]},
                _percent(floor),
                f"Recordings of the same people disagree often in the group {row['group']}.",
                "Minority ethnic patients are more often recorded differently on different occasions.",
                place=str(row["group"]),
            )
            for row in low.to_dict("records")
        ]
    )


def _enough(total: float, rulebook: Rulebook) -> bool:
    return total >= max(1, rulebook.value("minimum_people"))


def _limits(use: Mapping[str, float], rulebook: Rulebook) -> tuple[float, float]:
    """Lower and upper Wilson limit of the share."""
    lower, upper = wilson([use["numerator"]], [use["denominator"]], confidence=rulebook.value("confidence"))
    return float(lower[0]), float(upper[0])


def _at(place: str) -> str:
    if place == NOT_RECORDED:
        return " where no site is recorded"
    return f" at {place}" if place else ""


def _percent(share: float) -> str:
    return f"{round(share * 100, 6):g}%"


def _row(
    flag: str,
    characteristic: str,
    use: Mapping[str, float],
    against: str,
    finding: str,
    why: str,
    place: str = "",
) -> pd.DataFrame:
    values = [flag, characteristic, place, use["numerator"], use["denominator"], against, finding, why]
    return pd.DataFrame([values], columns=_COLUMNS)


def _none() -> pd.DataFrame:
    return pd.DataFrame(columns=_COLUMNS)


def _joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True) if frames else _none()
