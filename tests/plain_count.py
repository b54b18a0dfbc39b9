"""A second, plain-Python reading of the same rules: rows as dictionaries, loops, no pandas and no engine.

It shares nothing with the package but the words of the domain notes, so that agreement means something.
"""

from collections import Counter, defaultdict

# What the generated extract can hold, and what each value means (domain notes, sections 1 to 4).
ETHNICITY = {
    "A": ("known", "White British", "White"),
    "C": ("known", "White other", "White"),
    "H": ("known", "Indian", "Asian"),
    "K": ("known", "Bangladeshi", "Asian"),
    "L": ("known", "Asian other", "Asian"),
    "N": ("known", "Black African", "Black"),
    "S": ("known", "Any other", "Other"),
    "Z": ("declined", "", ""),
    "99": ("not_known", "", ""),
    "BAME": ("invalid", "", ""),
    "": ("missing", "", ""),
    None: ("missing", "", ""),
}
LANGUAGE = {
    "en": ("known", "English", ""),
    "bn": ("known", "Bengali", ""),
    "pl": ("known", "Polish", ""),
    "und": ("not_known", "", ""),
    "": ("missing", "", ""),
    None: ("missing", "", ""),
}
RESIDUAL = {"White other", "Asian other", "Any other"}
RANK = ["missing", "invalid", "not_known", "not_applicable", "unsure", "declined", "known"]


def chosen(rows, column, meaning, *, source=None, override=False, self_first=True):
    """One value for one person: (status, category, steps). Rows: dictionaries with day (a number) and the column."""
    read = [(*meaning[row[column]], row["day"], bool(source) and row[source] == "PATIENT") for row in rows]
    known = [r for r in read if r[0] == "known"]
    if not known:
        return max((r[0] for r in read), key=RANK.index), "", set()
    steps = set()
    best = max((r[4] if self_first else False, r[3]) for r in known)
    top = {r[1] for r in known if (r[4] if self_first else False, r[3]) == best}
    # As the engine reports it: the largest category where several stand equally high.
    ever = {(r[1], r[2]) for r in known}
    instead = None
    if override and len(ever) == 2:
        for residual, group in ever:
            other, other_group = next(pair for pair in ever if pair[0] != residual)
            if residual == "Any other" or (
                residual in RESIDUAL and other not in RESIDUAL and group == other_group
            ):
                instead = other
    if instead is not None:
        if top != {instead}:
            steps.add("overridden")
        return "known", instead, steps
    if len(top) > 1:
        return "not_known", "", {"conflict"}
    return "known", top.pop(), steps


def by_person(rows):
    people = defaultdict(list)
    for row in rows:
        people[row["person"]].append(row)
    return people


def count_statuses(rows, column, meaning, **rule):
    people = Counter(chosen(own, column, meaning, **rule)[0] for own in by_person(rows).values())
    records = Counter(meaning[row[column]][0] for row in rows)
    carried = Counter()
    for own in by_person(rows).values():
        carried[chosen(own, column, meaning, **rule)[0]] += len(own)
    return people, records, carried


def count_categories(rows, column, meaning, **rule):
    found = Counter(chosen(own, column, meaning, **rule)[1] for own in by_person(rows).values())
    found.pop("", None)
    return found


def count_steps(rows, column, meaning, step, **rule):
    return sum(step in chosen(own, column, meaning, **rule)[2] for own in by_person(rows).values())


def points_of_care(rows, column, meaning):
    """point -> (people seen, people with a known value recorded there)."""
    seen, held = defaultdict(set), defaultdict(set)
    for row in rows:
        seen[row["point"]].add(row["person"])
        if meaning[row[column]][0] == "known":
            held[row["point"]].add(row["person"])
    return {point: (len(people), len(held[point])) for point, people in seen.items()}


def verification(rows, column, meaning):
    """seen again, recorded again, independent, agree (detailed), agree (group)."""
    again = recorded = independent = detailed = grouped = 0
    for own in by_person(rows).values():
        known = [row for row in own if meaning[row[column]][0] == "known"]
        again += len(own) > 1
        recorded += len(known) > 1
        pairs = any(a["day"] != b["day"] and a["point"] != b["point"] for a in known for b in known)
        if pairs:
            independent += 1
            detailed += len({meaning[row[column]][1] for row in known}) == 1
            grouped += len({meaning[row[column]][2] for row in known}) == 1
    return again, recorded, independent, detailed, grouped
