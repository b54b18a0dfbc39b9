"""What measures add up to in every group, a second time, in plain Python: loops, nothing of the package."""

from collections import defaultdict
from datetime import date

SUMS = ("people", "cases", "n", "x", "nn", "nx", "xx")


def number(text):
    """A value as a number, None where it is none."""
    try:
        return float(str(text).strip())
    except (TypeError, ValueError):
        return None


def day(text):
    """A date as a number of days, None where it is none."""
    try:
        return date.fromisoformat(text).toordinal()
    except (TypeError, ValueError):
        return None


def quarter(text):
    """2025-04-01 -> '2025 Q2'."""
    when = date.fromisoformat(text)
    return f"{when.year} Q{(when.month - 1) // 3 + 1}"


def person_sums(rows, reading, *, period=None):
    """Person -> (n, x) of one measure.

    reading : eligible(row), met(row), and counts, person, value(row), time(row) as the measure has them.
    period : only the records of that quarter.
    """
    own = defaultdict(list)
    for row in rows:
        if period is None or quarter(row["date"]) == period:
            own[row["person"]].append(row)
    return {person: one_person(records, reading) for person, records in own.items()}


def one_person(records, reading):
    eligible = [row for row in records if reading["eligible"](row)]
    value = reading.get("value")
    if value is not None:
        numbers = [value(row) for row in eligible]
        if reading.get("counts") == "people":
            return (1.0, sum(numbers) / len(numbers)) if numbers else (0.0, 0.0)
        return float(len(numbers)), float(sum(numbers))
    met = [row for row in eligible if reading["met"](row)]
    if reading.get("counts") == "people":
        return (1.0 if eligible else 0.0), float(decided(eligible, met, reading.get("person", "any")))
    time = reading.get("time")
    n = sum(time(row) for row in eligible) if time else float(len(eligible))
    return n, float(len(met))


def decided(eligible, met, rule):
    """Whether a person has met it: any, all, or one of the latest day's records."""
    if not eligible:
        return False
    if rule == "all":
        return len(met) == len(eligible)
    if rule == "latest":
        last = max(row["date"] for row in eligible)
        return any(row["date"] == last for row in met)
    return bool(met)


def group_sums(sums, group_of):
    """Group -> SUMS, from each person's n and x."""
    found = defaultdict(lambda: dict.fromkeys(SUMS, 0.0))
    for person, (n, x) in sums.items():
        group = found[group_of[person]]
        group["people"] += n > 0
        group["cases"] += x > 0
        group["n"] += n
        group["x"] += x
        group["nn"] += n * n
        group["nx"] += n * x
        group["xx"] += x * x
    return dict(found)


def pair_sums(first, last, group_of):
    """Group -> products between two periods, from each person's n and x in either."""
    found = defaultdict(lambda: dict.fromkeys(("people", "n0n1", "n0x1", "x0n1", "x0x1"), 0.0))
    for person in first.keys() | last.keys():
        n0, x0 = first.get(person, (0.0, 0.0))
        n1, x1 = last.get(person, (0.0, 0.0))
        group = found[group_of[person]]
        group["people"] += n0 > 0 or n1 > 0
        for name, product in (("n0n1", n0 * n1), ("n0x1", n0 * x1), ("x0n1", x0 * n1), ("x0x1", x0 * x1)):
            group[name] += product
    return dict(found)
