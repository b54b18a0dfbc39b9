"""The person rule a second time, in plain Python: loops, no pandas, no engine, nothing of the package.

What it counts, and what the words mean, is written down in the domain notes (sections 1, 6 and 7). A test
gives the meaning of each raw value itself, so nothing is shared with the package but those notes.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass

# Where a person has no known value, the status that says most stands for them.
RANK = ("missing", "invalid", "not_known", "not_applicable", "unsure", "declined", "known")
# Residual categories and their parent. 'Any other' gives way to any category, the rest inside their parent.
RESIDUALS = {
    "White other": "White",
    "Mixed other": "Mixed",
    "Asian other": "Asian",
    "Black other": "Black",
    "Any other": "Other",
}


@dataclass(frozen=True)
class Recording:
    """One record as read by a test: what it says of one person, and when, where and by whom it was said.

    moment : day on which the value was recorded, as a number. priority : of its source, the better the larger.
    """

    person: str
    status: str
    category: str = ""
    group: str = ""
    moment: int = 0
    point: str = ""
    self_reported: bool = False
    priority: int = 0


def chosen(own, *, override=True):
    """One person's recordings -> (status, category, group, step), step being overridden, conflict or ""."""
    known = [each for each in own if each.status == "known"]
    if not known:
        return max((each.status for each in own), key=RANK.index), "", "", ""
    best = max((each.self_reported, each.moment, each.priority) for each in known)
    top = {
        (each.category, each.group)
        for each in known
        if (each.self_reported, each.moment, each.priority) == best
    }
    instead = specific({(each.category, each.group) for each in known}) if override else None
    if instead is not None:
        return "known", *instead, "" if top == {instead} else "overridden"
    if len(top) > 1:
        return "not_known", "", "", "conflict"
    return "known", *top.pop(), ""


def specific(ever):
    """Of two categories, the one that stands in place of a residual; None where no residual gives way."""
    if len(ever) != 2:
        return None
    for residual, parent in ever:
        ((other, group),) = ever - {(residual, parent)}
        if residual not in RESIDUALS or other.endswith("(broad)"):
            continue
        if residual == "Any other" or (other not in RESIDUALS and group == parent):
            return other, group
    return None


def by_person(recordings):
    people = defaultdict(list)
    for each in recordings:
        people[each.person].append(each)
    return people


def statuses(recordings, **rule):
    """People, records, and records carried back, by status."""
    people, carried = Counter(), Counter()
    for own in by_person(recordings).values():
        status = chosen(own, **rule)[0]
        people[status] += 1
        carried[status] += len(own)
    return people, Counter(each.status for each in recordings), carried


def categories(recordings, **rule):
    """People in each category, and in each group."""
    detailed, grouped = Counter(), Counter()
    for own in by_person(recordings).values():
        status, category, group, _ = chosen(own, **rule)
        if status == "known":
            detailed[category] += 1
            grouped[group] += 1
    return detailed, grouped


def steps(recordings, **rule):
    """People overridden and in conflict, and records without a known value whose person has one."""
    found = Counter()
    for own in by_person(recordings).values():
        status, _, _, step = chosen(own, **rule)
        if step:
            found[step] += 1
        if status == "known":
            found["carry_back"] += sum(each.status != "known" for each in own)
    return found


def points_of_care(recordings):
    """point -> (people seen there, people with a known value recorded there)."""
    seen, held = defaultdict(set), defaultdict(set)
    for each in recordings:
        seen[each.point].add(each.person)
        if each.status == "known":
            held[each.point].add(each.person)
    return {point: (len(people), len(held[point])) for point, people in seen.items()}


def verification(recordings, *, several_points=True):
    """measure -> (numerator, denominator) of repeated, independent, agree_detailed and agree_group."""
    again = recorded = independent = detailed = grouped = 0
    for own in by_person(recordings).values():
        known = [each for each in own if each.status == "known"]
        again += len(own) > 1
        recorded += len(known) > 1
        moments, points = {each.moment for each in known}, {each.point for each in known}
        if len(moments) > 1 and (len(points) > 1 or not several_points):
            independent += 1
            detailed += len({each.category for each in known}) == 1
            grouped += len({each.group for each in known}) == 1
    return {
        "repeated": (recorded, again),
        "independent": (independent, again),
        "agree_detailed": (detailed, independent),
        "agree_group": (grouped, independent),
    }
