"""What was heard, and who was not listened to -> findings; themes beside the findings of the same group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from equitydata.findings.words import (
    Row,
    Tables,
    crude_rest,
    finding_rules,
    group_name,
    group_of,
    joined,
    named,
    rows_of,
    text,
    who,
    words,
)
from equitydata.listening.tables import themes_for
from equitydata.rulebook import characteristics
from equitydata.service import Measure
from equitydata.stats.judgement.flags import NO_EVIDENCE
from equitydata.strata import ALL


def themes_of(themes: pd.DataFrame, row: Row) -> pd.DataFrame:
    """Themes heard from the group of a finding, or from a wider or narrower one, that bear on its measure or on none.

    themes : shape THEMES_TABLE. row : a finding; without a category it has none.
    """
    if not row["category"]:
        return themes.iloc[:0]
    return themes_for(themes, row["characteristic"], row["category"], measure=row["measure"] or None)


def heard_words(themes: pd.DataFrame) -> str:
    """Themes in one phrase: "Transport: Two buses to the clinic; Language"."""
    said = (joined([f"{text(row['theme'])}:", text(row["heard"])]).rstrip(":") for row in rows_of(themes))
    return "; ".join(dict.fromkeys(said))


def heard_findings(tables: Tables, measures: Mapping[str, Measure], found: Iterable[Row]) -> list[Row]:
    """Themes that stand beside no finding on outcome or representation: what the numbers do not show."""
    themes = tables["themes"]
    beside = {
        _key(theme)
        for row in found
        if row["about"] in ("outcome", "representation")
        for theme in rows_of(themes_of(themes, row))
    }
    flags: dict[tuple[str, str, str], str] = {}
    for row in rows_of(crude_rest(tables["comparisons"])):
        characteristic, _, category = group_of(row)
        flags.setdefault((text(row["measure"]), characteristic, category), text(row["flag"]))
    rows = []
    for theme in rows_of(themes):
        name, category = text(theme["characteristic"]), text(theme["category"])
        if name in ("", ALL) or not category or _key(theme) in beside:
            continue
        bears_on = [each for each in text(theme["measure"]).split("; ") if each]
        shown = {_shown(flags.get((measure, name, category), "")) for measure in bears_on} or {"no_figure"}
        label = characteristics()[name].label if name in characteristics() else name
        stratum = {"characteristic": name, "label": label, "level": "", "category": category}
        said = words("heard", "finding", who=who(stratum), theme=text(theme["theme"]))
        rows.append(
            {
                **stratum,
                "about": "listening",
                "class": "heard",
                "measure": "; ".join(bears_on),
                "measure_label": named([measures[each].label for each in bears_on if each in measures]),
                "finding": joined([f"{said}.", *(words("heard", key) for key in sorted(shown))]),
                "look": finding_rules()["look"]["heard"],
            }
        )
    return rows


def _key(theme: Row) -> tuple[str, str, str]:
    return text(theme["theme"]), text(theme["characteristic"]), text(theme["category"])


def _shown(flag: str) -> str:
    """Name of the sentence on what the figures show of a group that no finding is listed of."""
    return {"": "no_figure", NO_EVIDENCE: "no_evidence"}.get(flag, "could_not_tell")


def unheard_findings(tables: Tables) -> list[Row]:
    """Groups of the local population that no way of listening has reached: one finding per characteristic and gap.

    Of several levels the finest is named, so that no group is named twice.
    """
    every = tables["listening_gaps"]
    every = every[every["characteristic"] != ALL]
    finest = every.groupby("characteristic", sort=False)["level"].transform("first")
    every = every[every["level"] == finest]
    gaps = every[~every["gap"].map(text).eq("")]
    rows = []
    for (name, label, gap), frame in gaps.groupby(["characteristic", "label", "gap"], sort=False):
        said = finding_rules()["words"]["not_listened_to"].get(str(gap), str(gap))
        several = len(frame) > 1 and len(frame) == (every["characteristic"] == name).sum()
        groups = named(list(dict.fromkeys(group_name(row) for row in rows_of(frame))))
        groups = words("not_listened_to", "every_group") if several else groups
        rows.append(
            {
                "characteristic": str(name),
                "label": str(label),
                "level": text(frame["level"].iloc[0]),
                "category": "",
                "about": "listening",
                "class": "not_listened_to",
                "flag": str(gap),
                "finding": f"{words('not_listened_to', 'finding', label=str(label), gap=said, groups=groups)}.",
                "look": finding_rules()["look"]["not_listened_to"],
            }
        )
    return rows
