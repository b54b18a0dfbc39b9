"""Counts -> the tables of an audit: completeness, verification, categories, flags and figures."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from equitydata import codelists, completeness, quality, verification
from equitydata.counts import Counts
from equitydata.figures import figures_table
from equitydata.records.coded import CodedRecords
from equitydata.records.persons import category_groups
from equitydata.representation.residents import english_share, residents_by_ethnicity
from equitydata.rulebook import Rulebook
from equitydata.tables import SPECS, empty, shape


def audit_tables(
    counts: Counts,
    coded: CodedRecords,
    area_codes: tuple[str, ...],
    rulebook: Rulebook,
    *,
    keep: Mapping[str, str] | None = None,
) -> dict[str, pd.DataFrame]:
    """Every table of an audit by name.

    area_codes : census areas that the service serves; without them nothing is held against the Census.
    keep : characteristic -> group that is not merged with others, such as one that others are held against.
    """
    labels = {name: field.characteristic.label for name, field in coded.fields.items()}
    statuses = completeness.status_table(counts.statuses, labels)
    complete = completeness.completeness_table(
        statuses, counts.joint, completeness.detail_counts(counts.categories), labels, rulebook
    )
    breakdown = completeness.breakdown_table(counts.breakdown, labels, rulebook)
    codes = shape(counts.codes, SPECS["codes"])
    lists = _lists(codes)
    categories = completeness.category_table(counts.categories, lists, labels, rulebook, keep=keep)
    points = verification.points_table(counts.points, coded.places["point_of_care"], labels, rulebook)
    verified = _verification(counts, coded, labels, rulebook)
    needs = completeness.needs_table(counts.breakdown.get(("site", "people")), labels)
    sources = [
        name for name, f in coded.fields.items() if f.has_source or f.settings.self_reported is not None
    ]
    figures = figures_table(
        completeness=complete,
        categories=counts.categories,
        codes=codes,
        verification=verified["verification"],
        points=points,
        code_lists=lists,
        with_source=sources,
        mapped=list(coded.fields),
        rulebook=rulebook,
    )
    flags = _flags(counts, coded, codes, breakdown, verified["agreement"], area_codes, statuses, rulebook)
    return {
        "completeness": complete,
        "statuses": statuses,
        "breakdown": breakdown,
        "needs": needs,
        "categories": categories,
        "codes": codes,
        "steps": _steps(counts, labels),
        "points_of_care": points,
        **verified,
        "flags": flags,
        "figures": figures,
    }


def _lists(codes: pd.DataFrame) -> dict[str, list[str]]:
    """Lists met in each characteristic, the most used first."""
    known = codes[(codes["code_list"] != "") & (codes["status"] == "known")]
    counts = known.groupby(["characteristic", "code_list"])["records"].sum().sort_values(ascending=False)
    lists: dict[str, list[str]] = {}
    for name, code_list in counts.index:
        lists.setdefault(str(name), []).append(str(code_list))
    return lists


def _steps(counts: Counts, labels: Mapping[str, str]) -> pd.DataFrame:
    meanings = {
        "carry_back": "Records without a known value whose person has one in another record",
        "self_first": "People whose value changed because a self-reported one goes first",
        "overridden": "People whose 'any other' category gave way to a specific one",
        "conflict": "People whose best values contradict each other on the same day and source: not known",
    }
    table = counts.extras["steps"]
    table = table.assign(label=table["characteristic"].map(labels), meaning=table["step"].map(meanings))
    order = {name: number for number, name in enumerate(labels)}
    table = table.sort_values("characteristic", key=lambda names: names.map(order), kind="stable")
    return shape(table, SPECS["steps"])


def _verification(
    counts: Counts, coded: CodedRecords, labels: Mapping[str, str], rulebook: Rulebook
) -> dict[str, pd.DataFrame]:
    several = len(coded.places["point_of_care"]) > 2
    rows: dict[str, list[pd.DataFrame]] = {name: [] for name in coded.fields}
    agreements, swaps, seen = [], [], []
    for name, repeats in counts.repeats.items():
        field = coded.fields[name]
        groups = category_groups(field)
        can_tell = field.has_source or field.settings.recorded is not None
        rows[name].append(
            verification.repeat_rows(repeats, groups=groups, can_tell=can_tell, several_points=several)
        )
        agreements.append(
            verification.agreement_rows(repeats, name=name, groups=groups, several_points=several)
        )
        swaps.append(
            verification.swap_rows(repeats, name=name, label=labels[name], categories=field.categories)
        )
    for name, field in coded.fields.items():
        known = counts.statuses.loc[
            (counts.statuses["characteristic"] == name) & (counts.statuses["status"] == "known"), "records"
        ].sum()
        sources = counts.sources.get(name)
        rows[name].append(
            verification.source_rows(sources, int(known), all_self=field.settings.self_reported)
        )
    for name, observed in counts.extras["observed"].items():
        table, row = verification.observed_rows(
            observed,
            name=name,
            label=labels[name],
            group_of=_group_lookup(coded.fields[name].characteristic.name),
        )
        seen.append(table)
        rows[name].append(row)
    joined = {
        name: pd.concat([f for f in frames if len(f)], ignore_index=True)
        for name, frames in rows.items()
        if any(map(len, frames))
    }
    filled_swaps, filled_seen = [f for f in swaps if len(f)], [f for f in seen if len(f)]
    return {
        "verification": verification.verification_table(joined, labels, rulebook),
        "agreement": verification.agreement_table(agreements, labels, rulebook),
        "swaps": pd.concat(filled_swaps, ignore_index=True) if filled_swaps else empty(SPECS["swaps"]),
        "observed": pd.concat(filled_seen, ignore_index=True) if filled_seen else empty(SPECS["observed"]),
    }


def _group_lookup(name: str) -> dict[str, str]:
    listed = codelists.categories(name)
    column = "group" if "group" in listed.columns else "category"
    return dict(zip(listed["category"], listed[column].fillna(""), strict=True))


# ---------------------------------------------------------------- flags and the local population


def _detailed_people(categories: pd.DataFrame) -> pd.Series:
    """People by ethnic category as counted, whatever groups are shown as one."""
    here = categories[categories["characteristic"] == "ethnicity"]
    return here.set_index("category")["people"].astype(float)


def _scheme(coded: CodedRecords) -> str:
    """The scheme in which the ethnicity list in use and the Census can be compared."""
    lists = coded.fields["ethnicity"].code_lists if "ethnicity" in coded.fields else {}
    schemes = codelists.catalogue().set_index("code_list")["scheme"]
    used = max(lists, key=lambda name: lists[name]) if lists else ""
    scheme = str(schemes.get(used, ""))
    return scheme if scheme in codelists.SCHEMES else "census_2011" if scheme else "nhs_2001"


def residual_share(
    categories: pd.DataFrame, coded: CodedRecords, area_codes: tuple[str, ...], rulebook: Rulebook
) -> dict[str, float] | None:
    """The share of 'any other' ethnic categories against that of residents; None without area or ethnicity.

    categories : as counted by `count_categories`.
    """
    people = _detailed_people(categories)
    if not area_codes or people.empty:
        return None
    return quality.residual_use(people, residents_by_ethnicity(area_codes), _scheme(coded), rulebook)


def _flags(
    counts: Counts,
    coded: CodedRecords,
    codes: pd.DataFrame,
    breakdown: pd.DataFrame,
    agreement: pd.DataFrame,
    area_codes: tuple[str, ...],
    statuses: pd.DataFrame,
    rulebook: Rulebook,
) -> pd.DataFrame:
    labels = {name: field.characteristic.label for name, field in coded.fields.items()}
    labels[completeness.JOINT] = completeness.JOINT_LABEL
    people, residents = _detailed_people(counts.categories), residents_by_ethnicity(area_codes)
    english = english_share(area_codes)
    shares = {}
    rows = []
    if len(people) and len(residents):
        scheme = _scheme(coded)
        folded = quality.fold_counts(residents, scheme)
        shares["ethnicity"] = folded / folded.sum()
        rows.append(
            quality.residual_flag(quality.residual_use(people, residents, scheme, rulebook), rulebook)
        )
        rows.append(quality.mixed_flag(people, residents, rulebook))
    if "language" in coded.fields:
        if english is not None:
            shares["language"] = pd.Series({"English": english})
        spoken = counts.categories[counts.categories["characteristic"] == "language"].set_index("category")[
            "people"
        ]
        rows.append(
            quality.english_flag(float(spoken.get("English", 0)), float(spoken.sum()), english, rulebook)
        )
    rows += [
        quality.declined_flags(statuses, counts.extras["places"], rulebook),
        quality.single_value_flags(counts.extras["places"], shares, rulebook),
        quality.mixed_lists_flags(codes),
        *(
            quality.stale_flag(name, old, dated, rulebook)
            for name, (old, dated) in counts.extras["stale"].items()
        ),
        quality.gap_flags(breakdown),
        quality.agreement_flags(agreement, rulebook.value("agreement_floor")),
    ]
    return quality.flags_table(rows, labels, rulebook)
