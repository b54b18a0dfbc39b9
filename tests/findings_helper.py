"""Tables of an analysis drawn by hand: counts in, every other column worked out plainly or left empty."""

import math

import pandas as pd

from equitydata.service import make_service
from equitydata.tables import SPECS, shape

LABELS = {"ethnicity": "Ethnic group", "sex": "Sex", "deprivation": "Deprivation (IMD decile)", "age": "Age"}
SERVICE = make_service(
    {
        "service": {"name": "Clinic"},
        "measures": {
            "dna": {
                "label": "Did not attend",
                "kind": "access",
                "counts": "contacts",
                "denominator": {"column": "a", "in": ["1", "2"]},
                "numerator": {"column": "a", "in": ["2"]},
                "polarity": "adverse",
            },
            "hba1c": {
                "label": "HbA1c within target",
                "kind": "outcome",
                "counts": "people",
                "numerator": {"column": "h", "in": ["Y"]},
                "polarity": "favourable",
            },
            "wait": {"label": "Days waited", "kind": "access", "value": "days", "polarity": "adverse"},
        },
    }
)
MEASURES = SERVICE.measures
RULES = SERVICE.rulebook


def filled(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame in the shape of its specification; columns that it lacks are empty text, or missing numbers."""
    spec = SPECS[name]
    numeric = {*spec.counts, *spec.estimates, *(s for share in spec.shares for s in (share.value,))}
    absent = {c: math.nan if c in numeric else "" for c in spec.columns if c not in frame}
    return shape(frame.assign(**absent), spec)


def comparisons(frame: pd.DataFrame, **others) -> pd.DataFrame:
    """Comparisons with the rest from people, numerator and denominator: the rest is the others of the level.

    frame : characteristic, level, category, numerator, denominator, flag; measure, harm, people where they differ.
    Ratios have limits 10% either way, so that all are clear unless drawn otherwise.
    """
    frame = frame.assign(
        **{k: v for k, v in {"measure": "dna", "harm": "", **others}.items() if k not in frame}
    )
    frame = frame.assign(people=frame.get("people", frame["denominator"]))
    sums = frame.groupby(["measure", "characteristic", "level"])[["numerator", "denominator"]].transform(
        "sum"
    )
    frame = frame.assign(
        measure_label=[MEASURES[m].label for m in frame["measure"]],
        label=[" x ".join(LABELS[c] for c in name.split(" x ")) for name in frame["characteristic"]],
        comparator="rest",
        adjustment=frame.get("adjustment", "crude"),
        statistic=frame.get("statistic", "share"),
        comparator_numerator=sums["numerator"] - frame["numerator"],
        comparator_denominator=sums["denominator"] - frame["denominator"],
    )
    value = frame["numerator"] / frame["denominator"].where(frame["denominator"] > 0)
    rest = frame["comparator_numerator"] / frame["comparator_denominator"]
    given = {
        "value": value,
        "comparator_value": rest,
        "difference": value - rest,
        "difference_lower": value - rest - 0.01,
        "difference_upper": value - rest + 0.01,
        "ratio": value / rest,
        "ratio_lower": value / rest * 0.9,
        "ratio_upper": value / rest * 1.1,
    }
    return filled("comparisons", frame.assign(**{k: v for k, v in given.items() if k not in frame}))
