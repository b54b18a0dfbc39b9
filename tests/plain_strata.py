"""Strata made from records by plain pandas, for tests of what is worked out from them."""

from collections.abc import Mapping

import pandas as pd

from equitydata.service import Measure
from equitydata.strata import ALL, ALL_CATEGORY, STATUS_WORDS, Strata
from plain_sums import SUMS, person_sums

KEYS = ["measure", "characteristic", "level", "category", "status"]
AGES = (0, 1, 5, 10, 15, 16, 18, *range(20, 95, 5))


def measure(name: str = "seen", **settings: object) -> dict[str, Measure]:
    """One measure by name; a share of people unless the settings say otherwise."""
    given = {
        "label": name.capitalize(),
        "kind": "access",
        "counts": "people",
        "polarity": "adverse",
        "numerator": {"column": "outcome", "equals": "1"},
        **settings,
    }
    if "value" in given:
        given.pop("numerator")
    return {name: Measure(**{key: value for key, value in given.items() if value is not None})}


def strata_from(
    records: pd.DataFrame,
    *,
    name: str = "seen",
    characteristics: Mapping[tuple[str, str], str],
    ordered: tuple[str, ...] = (),
    declared: Mapping[str, list[str]] | None = None,
) -> Strata:
    """Strata of one measure.

    records : person, n, x, perhaps age (years, missing where unknown) and sex ("" unknown), and columns of groups; an
    entry of such a column that starts with "?" is a status, as in "?missing".
    characteristics : (characteristic, level) -> the column. declared : column -> all categories in order.
    """
    records = records.assign(measure=name)
    age = records["age"] if "age" in records else pd.Series(40, index=records.index)
    lower = pd.cut(age, [*AGES, 200], right=False, labels=list(AGES)).astype(float)
    records["age_from"] = lower.fillna(-1).astype(int)
    records["sex"] = records.get("sex", "Female")
    wholes = {(ALL, ALL): pd.Series(ALL_CATEGORY, index=records.index)}
    columns = {**wholes, **{keys: records[column] for keys, column in characteristics.items()}}
    strata, cells, values = [], [], []
    for (characteristic, level), groups in columns.items():
        here = records.assign(
            characteristic=characteristic,
            level=level,
            status=groups.where(groups.str.startswith("?"), "known").str.lstrip("?"),
        )
        here["category"] = groups.where(here["status"] == "known", here["status"].map(STATUS_WORDS))
        sums = person_sums(here, KEYS)
        listed = (declared or {}).get(characteristics.get((characteristic, level), ""), [])
        known = listed or sorted(sums.loc[sums["status"] == "known", "category"])
        empty = [category for category in known if category not in set(sums["category"])]
        more = pd.DataFrame({"category": empty, **dict.fromkeys(SUMS, 0.0)})
        more = more.assign(measure=name, characteristic=characteristic, level=level, status="known")
        sums = pd.concat([sums, more], ignore_index=True) if empty else sums
        place = {category: order for order, category in enumerate(known, start=1)}
        sums["order"] = sums["category"].map(place).fillna(99).astype(int)
        sums = sums.sort_values("order", kind="stable")
        strata.append(sums.assign(label=characteristic.capitalize(), ordered=characteristic in ordered))
        cells.append(person_sums(here, [*KEYS, "age_from", "sex"]))
        people = here[here["n"] > 0].groupby([*KEYS, "person"])[["n", "x"]].sum().reset_index()
        people["value"] = (people["x"] / people["n"]).round(2)
        values.append(people.groupby([*KEYS, "value"]).size().astype(float).rename("people").reset_index())
    return Strata(
        strata=pd.concat(strata, ignore_index=True),
        cells=pd.concat(cells, ignore_index=True),
        values=pd.concat(values, ignore_index=True),
        periods=pd.DataFrame(),
        pairs=pd.DataFrame(),
        places=pd.DataFrame(),
        labels={characteristic: characteristic.capitalize() for characteristic, _ in columns},
    )
