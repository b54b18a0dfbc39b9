"""A plain count of a shared file, with the csv module and loops: how large its groups are and what they hold.

It shares nothing with the package, so that agreement means something.
"""

import csv
import hashlib
import hmac
from collections import defaultdict


def read_rows(path):
    """Rows of a CSV file as dictionaries."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def smallest_group(rows, by, *, person=None):
    """People in the smallest group of rows that are alike in the columns `by`; rows where nobody is told apart."""
    groups = defaultdict(set)
    for number, row in enumerate(rows):
        groups[tuple(row[name] for name in by)].add(number if person is None else row[person])
    return min((len(people) for people in groups.values()), default=0)


def fewest_values(rows, by, column):
    """Distinct values of a column in the group that holds fewest; a blank is a value."""
    groups = defaultdict(set)
    for row in rows:
        groups[tuple(row[name] for name in by)].add(row[column])
    return min((len(values) for values in groups.values()), default=0)


def groups_of_each_person(rows, by, person):
    """The most groups that one person stands in."""
    found = defaultdict(set)
    for row in rows:
        found[row[person]].add(tuple(row[name] for name in by))
    return max((len(groups) for groups in found.values()), default=0)


def fewest_people(rows, column, person):
    """People who have the value of a column that fewest have, blanks left out; None where all are blank."""
    people = defaultdict(set)
    for row in rows:
        if row[column] != "":
            people[row[column]].add(row[person])
    return min((len(each) for each in people.values()), default=None)


def pseudonym(key, text, digits=32):
    """HMAC-SHA256 of the trimmed text."""
    return hmac.new(key, text.strip().encode(), hashlib.sha256).hexdigest()[:digits]


def offset(key, text, most=182):
    """Days that the dates of a person are moved by."""
    number = int(hmac.new(key, f"date offset:{text.strip()}".encode(), hashlib.sha256).hexdigest()[:13], 16)
    number %= 2 * most
    return number - most if number < most else number - most + 1
