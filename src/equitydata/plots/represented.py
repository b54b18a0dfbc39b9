"""Groups of users beside residents as charts read them: their shares, their ratio, and what may be said of it.

A service need not mirror its residents: need, age and eligibility differ. What stands out is a prompt to look.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from equitydata.errors import ConfigError, nearest
from equitydata.plots.chart import short
from equitydata.plots.words import extract_source
from equitydata.strata import NOT_COLLECTED, USERS
from equitydata.tables import HIDDEN
from equitydata.written import HIDDEN_CELL, count, flag_words, label, limits, mark, percent, ratio, shown

if TYPE_CHECKING:
    from equitydata.result import EquityResult

AREA_KINDS = ("local", "region", "nation")
MOST_GROUPS = 30
HIGH, LOW = "disproportionate_high", "disproportionate_low"
SMALL_ONE, TOO_FEW, NO_EVIDENCE = "different_small", "insufficient_data", "no_evidence"
NEED_NOT_MIRROR = "A service need not mirror its residents: need, age and eligibility differ."
# Words beside a mark; flag_words are too long for a picture.
WORDS: Mapping[str, str] = {
    HIGH: "Higher",
    LOW: "Lower",
    SMALL_ONE: "Small difference",
    "uncertain": "Uncertain",
    NO_EVIDENCE: "No clear difference",
    TOO_FEW: "Not enough data",
    "": "Not judged",
}
SAME_AGES = "Ratio at the same ages and sexes"
TITLE_LETTERS = 26  # of a label in a title
WITH = "people with: "  # before the name of an outcome


@dataclass(frozen=True)
class Group:
    """One group of what is compared, and of residents: a row of the table of representation.

    people : count. users, living : shares, fractions. ratio, lower, upper : of the shares. NaN where not available.
    standardised : ratio to what residents of the same age and sex would give, with limits, written; "" without one.
    state : flag, "" where not judged. collected : False where the list in use does not ask for it.
    """

    characteristic: str
    name: str
    people: float
    users: float
    living: float
    ratio: float
    lower: float
    upper: float
    standardised: str
    state: str
    similar: bool
    robustness: str
    hidden: bool
    collected: bool
    note: str

    @property
    def compared(self) -> bool:
        """Whether there is a ratio to show."""
        return not self.hidden and not math.isnan(self.ratio)

    @property
    def flagged(self) -> bool:
        """Whether it is evidently above or below the share of residents, and by more than a little."""
        return self.compared and self.state in (HIGH, LOW)

    @property
    def word(self) -> str:
        """What the comparison says, in a word or two."""
        if self.hidden:
            return f"{HIDDEN_CELL} hidden"
        if not self.collected:
            return "Not collected"
        if not self.compared:
            return "Not compared"
        return "Similar" if self.similar and self.state == NO_EVIDENCE else WORDS.get(self.state, self.state)

    @property
    def reading(self) -> str:
        """The flag as tables write it; the word where there is none."""
        return flag_words(self.state, similar=self.similar) if self.compared and self.state else self.word

    @property
    def share_words(self) -> str:
        """The share of users as people read it."""
        return percent(shown(self.users, self.hidden))

    @property
    def ratio_words(self) -> str:
        """The ratio as people read it."""
        return ratio(shown(self.ratio, self.hidden))

    @property
    def limits_words(self) -> str:
        """The limits of the ratio as people read them; a symbol where there are none."""
        return limits(self.lower, self.upper, ratio) if self.compared else self.ratio_words

    @property
    def sentence(self) -> str:
        """Both shares, the ratio and its limits in a line."""
        return (
            f"{short(self.name)}, {self.share_words} against {percent(self.living)} of residents, "
            f"ratio {self.ratio_words} ({self.limits_words})"
        )


@dataclass(frozen=True)
class Compared:
    """Groups of one characteristic, what they are of, and against whom.

    of : name of what is compared. who : as people read it: "service users", "people with: Did not attend".
    area, reference : of the residents. unknown : people in no group, written. band : ratios that count as small.
    every : number of groups before the most important ones were taken.
    """

    characteristic: str
    label: str
    of: str
    who: str
    area: str
    reference: str
    unknown: str
    band: tuple[float, float]
    confidence: str
    groups: tuple[Group, ...]
    every: int

    @property
    def subject(self) -> str:
        """What the title is about."""
        what = short(self.label, TITLE_LETTERS)
        who = short(self.who.removeprefix(WITH), TITLE_LETTERS)
        return what if self.of == USERS else f"{what}, {who}"

    @property
    def key(self) -> str:
        """Who is compared, as the key of a picture has it."""
        return self.who[:1].upper() + self.who[1:]

    def furthest(self, state: str) -> Group | None:
        """The flagged group of a state whose ratio is furthest from 1; of two alike the one with more residents."""
        found = [group for group in self.groups if group.flagged and group.state == state]
        return max(found, key=lambda group: (distance(group.ratio), group.living), default=None)


def distance(value: float) -> float:
    """How far a ratio is from 1, either way."""
    return abs(math.log(value)) if value > 0 else math.inf


# ---------------------------------------------------------------- which rows


def against(result: EquityResult, *, of: str = USERS, area_kind: str = "local") -> pd.DataFrame:
    """Rows of one that is compared with the residents of an area, or of the next wider one that there is.

    of : users, a measure, or "grade: Band 7" of a workforce. Raises ConfigError for no kind of area.
    """
    if area_kind not in AREA_KINDS:
        raise ConfigError(f"There is no kind of area '{area_kind}'.", mend=nearest(area_kind, AREA_KINDS))
    frame = result.table("representation") if "representation" in result.tables else pd.DataFrame()
    if frame.empty:
        return pd.DataFrame({"characteristic": [], "level": []})
    here = frame[frame["of"] == of]
    kinds = AREA_KINDS[AREA_KINDS.index(area_kind) :]
    there = next((kind for kind in kinds if (here["area_kind"] == kind).any()), area_kind)
    return here[here["area_kind"] == there]


def compared_of(
    result: EquityResult,
    frame: pd.DataFrame,
    characteristic: str,
    level: str | None = None,
    *,
    most: int = MOST_GROUPS,
) -> Compared | None:
    """The groups of one characteristic in declared order; None where there are none.

    frame : of `against`. level : the first when left out. most : of more groups, those flagged and the largest.
    """
    rows = frame[frame["characteristic"] == characteristic]
    rows = rows[rows["level"] == (level or next(iter(rows["level"]), ""))]
    if rows.empty:
        return None
    rows = rows[rows["status"].isin(["known", NOT_COLLECTED])].sort_values("order", kind="stable")
    groups = [_group(row) for row in rows.to_dict("records")]
    if not groups:
        return None
    first = rows.iloc[0]
    return Compared(
        characteristic=characteristic,
        label=str(first["label"]),
        of=str(first["of"]),
        who=_who(str(first["of"]), str(first["of_label"])),
        area=str(first["area"]),
        reference=str(first["reference"]),
        unknown=_unknown(rows),
        band=(result.choices["flag_band_low"].value, result.choices["flag_band_high"].value),
        confidence=mark(result.choices["confidence"].value),
        groups=_most_important(groups, most),
        every=len(groups),
    )


def _group(row: Mapping[Any, Any]) -> Group:
    return Group(
        characteristic=str(row["label"]),
        name=str(row["category"]),
        people=_number(row["numerator"]),
        users=_number(row["share"]),
        living=_number(row["residents_share"]),
        ratio=_number(row["ratio"]),
        lower=_number(row["ratio_lower"]),
        upper=_number(row["ratio_upper"]),
        standardised=_standardised(row),
        state=_text(row["flag"]),
        similar=row["similar"] is not None and bool(row["similar"] == 1),
        robustness=_text(row["robustness"]),
        hidden=bool(row.get(HIDDEN, False)),
        collected=row["status"] != NOT_COLLECTED,
        note=_text(row["note"]),
    )


def _who(of: str, words: str) -> str:
    """Service users, staff, staff of a grade, or people with an outcome."""
    plain = of == USERS or words.startswith("Staff, ")
    return short(words[:1].lower() + words[1:]) if plain else f"{WITH}{short(words)}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _standardised(row: Mapping[Any, Any]) -> str:
    value, lower, upper = (_number(row[f"standardised_ratio{end}"]) for end in ("", "_lower", "_upper"))
    return "" if math.isnan(value) else f"{ratio(value)} ({limits(lower, upper, ratio)})"


def _unknown(rows: pd.DataFrame) -> str:
    """People of unknown group: the same number in every row that is not hidden."""
    numbers = rows["unknown"].dropna()
    return count(numbers.iloc[0]) if len(numbers) else HIDDEN_CELL


def _most_important(groups: Sequence[Group], most: int) -> tuple[Group, ...]:
    def rank(place: int) -> tuple[bool, float]:
        group = groups[place]
        sizes = [size for size in (group.users, group.living) if not math.isnan(size)]
        return (not group.flagged, -max(sizes, default=-1.0))

    kept = sorted(range(len(groups)), key=rank)[:most]
    return tuple(groups[place] for place in sorted(kept))


# ---------------------------------------------------------------- words


def message(compared: Compared) -> str:
    """The title: the groups furthest above and below, where they are flagged; else why none is."""
    high, low = compared.furthest(HIGH), compared.furthest(LOW)
    if high and low:
        return (
            f"{compared.subject}: {_named(high)} furthest above its share of residents "
            f"(ratio {high.ratio_words}), {_named(low)} furthest below ({low.ratio_words})"
        )
    if found := high or low:
        side, other = ("above", "below") if high else ("below", "above")
        return (
            f"{compared.subject}: {_named(found)} furthest {side} its share of residents "
            f"(ratio {found.ratio_words}); none is flagged {other}"
        )
    return f"{compared.subject}: {_none_flagged(compared.groups)}"


def _named(group: Group) -> str:
    return short(group.name, TITLE_LETTERS)


def _none_flagged(groups: Sequence[Group]) -> str:
    there = [group for group in groups if group.compared]
    if not there:
        hidden = any(group.hidden for group in groups)
        return "the numbers are hidden" if hidden else "no group can be compared with residents"
    states = [group.state for group in there]
    if set(states) == {""}:
        return "shown beside residents, and not judged, as the comparison is approximate"
    few, small = states.count(TOO_FEW), states.count(SMALL_ONE)
    if few == len(states):
        return "not enough data to say who is above or below the share of residents"
    said = "no group is clearly above or below its share of residents"
    if small:
        said = f"no group is far from its share of residents; {small} {_verb(small, 'differs', 'differ')} a little"
    return f"{said}; {few} {_verb(few, 'has', 'have')} not enough data" if few else said


def _verb(number: int, one: str, many: str) -> str:
    return one if number == 1 else many


def in_words(compared: Compared, picture: str) -> str:
    """What the picture shows, with its main numbers. picture : what is drawn."""
    ends = [("above", compared.furthest(HIGH)), ("below", compared.furthest(LOW))]
    said = [f"Furthest {side}: {group.sentence}." for side, group in ends if group]
    words = [group.word for group in compared.groups]
    tally = "; ".join(f"{word.lower()} {words.count(word)}" for word in dict.fromkeys(words))
    return " ".join([picture, *said, f"Groups: {tally}.", NEED_NOT_MIRROR])


def shares_table(compared: Compared) -> pd.DataFrame:
    """Every group as text: people, shares, ratio, limits, flag and note."""
    names = [label(group.name) for group in compared.groups]
    numbers = _numbers(compared.groups, compared)
    return numbers.assign(Group=names, Note=[label(group.note) or "–" for group in compared.groups])[
        ["Group", *numbers, "Note"]
    ]


def standing_table(groups: Sequence[Group], compared: Compared) -> pd.DataFrame:
    """Groups of several characteristics as text, and whether people of unknown group could turn their flag."""
    numbers = _numbers(groups, compared)
    names = [f"{label(group.characteristic)}: {label(group.name)}" for group in groups]
    turned = {"With people of unknown group": [group.robustness or "–" for group in groups]}
    return numbers.assign(Group=names, **turned)[["Group", *numbers, *turned]]


def _numbers(groups: Sequence[Group], compared: Compared) -> pd.DataFrame:
    """What is known of each group, written; with the ratio at the same ages and sexes where any group has one."""
    columns = {
        "People": [count(shown(group.people, group.hidden)) for group in groups],
        f"Share of {compared.who}": [group.share_words for group in groups],
        "Share of residents": [percent(group.living) for group in groups],
        "Ratio": [group.ratio_words for group in groups],
        f"{compared.confidence} limits": [group.limits_words for group in groups],
        "Flag": [group.reading for group in groups],
    }
    if any(group.standardised for group in groups):
        columns[SAME_AGES] = [str(shown(group.standardised or None, group.hidden)) for group in groups]
    return pd.DataFrame(columns)


def source(result: EquityResult, references: Iterable[str]) -> str:
    """Where the numbers of both sides come from."""
    return "; ".join([extract_source(result), *(short(each, 200) for each in dict.fromkeys(references))])


def below(compared: Compared) -> str:
    """The note below a picture: how to read it, and who is in no share."""
    unknown = f" {compared.unknown} people of unknown group are in no share."
    return f"A service need not mirror its residents.{'' if compared.unknown == '0' else unknown}"
