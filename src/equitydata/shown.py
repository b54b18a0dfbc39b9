"""What a run, a register or a run log shows of one criterion of the framework.

One small noun shared by everything that gives evidence for criteria (the tables of a run, the register of
listening, the run log) and by the table that merges it with what services attest.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from equitydata.rulebook import Rulebook

MET = "met"
NOT_MET = "not met"
NOT_ASSESSED = "not assessed"

OUTCOMES = (MET, NOT_MET, NOT_ASSESSED)
"""The outcomes evidence may have; "not assessed" says that nothing could be shown either way."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of one criterion.

    Attributes:
        outcome: "met", "not met" or "not assessed".
        evidence: What was found, in words and released numbers.
        date: The day the evidence is of; None when there is none.
        reason: Why the outcome is what it is: the rule that was applied.
        owner: The role that answers for it, where one is named.
    """

    outcome: str
    evidence: str
    date: dt.date | None
    reason: str
    owner: str = ""

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise ValueError(f"An outcome is one of {', '.join(OUTCOMES)}, not {self.outcome!r}.")


def rule_in_words(rule: str, rulebook: Rulebook) -> str:
    """A rule with the values in force in place of the names of choices.

    rule : such as "none further apart than {regular_months} months"; a share is written as a percentage.
    """

    def value(name: re.Match[str]) -> str:
        found = rulebook.value(name[1])
        return f"{found:.6g}" if not isinstance(found, float) else f"{round(found * 100, 6):g}%"

    return re.sub(r"\{(\w+)\}", value, rule)
