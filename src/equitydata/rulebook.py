"""Rule files -> frozen values: what is decided, with its reason and source.

Nothing here is calculated. A threshold, a characteristic, a small-number rule or a criterion's check is
changed in `rules/`, or for one service under `[rules]` of its service file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from equitydata.errors import ConfigError, nearest

RULES_FOLDER = Path(__file__).parent / "rules"


@dataclass(frozen=True)
class Characteristic:
    """A dimension that people are stratified by, and how its values are read."""

    name: str
    label: str
    family: str
    kind: str
    core: bool = False
    self_reportable: bool = True
    from_age: int = 0
    multiple: bool = False
    residual_override: bool = False
    code_lists: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """A rule that is ours and not the route maps': its value in force, default, reason and source."""

    name: str
    value: Any
    default: Any
    label: str
    reason: str
    source: str

    @property
    def changed(self) -> bool:
        """True when the service file set another value than the default."""
        return bool(self.value != self.default)


@dataclass(frozen=True)
class DisclosureRule:
    """Which counts are hidden in what is written, and how the rest are rounded.

    hide_up_to : counts from 1 to this are small; 0 where nothing is protected.
    round_to : the rest are shown as the nearest multiple of it.
    least_range : what a reader can work out of a small count spans at least so much, from lowest to highest.
    midpoint : no count is hidden for being small; each stands as the middle of its class of `round_to` counts.
    hide_zeros : a count of 0 is as small as 1.
    """

    name: str
    label: str
    hide_up_to: int
    round_to: int
    source: str
    least_range: int = 3
    midpoint: bool = False
    hide_zeros: bool = False


@dataclass(frozen=True)
class CriterionCheck:
    """How one measured criterion is decided; see the head of rules/criteria.toml."""

    criterion_id: str
    check: str
    figure: str = ""
    joint_figure: str = ""
    family: str = ""
    threshold: str = ""
    compare: str = "at_least"
    flag: str = ""
    lift: str = ""
    needs: str = ""
    also: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    wanted: int = 1
    rests_on: str = ""
    same_as: str = ""


@dataclass(frozen=True)
class Rulebook:
    """All that is decided for one analysis."""

    choices: Mapping[str, Choice]

    def value(self, name: str) -> Any:
        """The value in force of one choice. Raises ConfigError for an unknown name."""
        try:
            return self.choices[name].value
        except KeyError:
            raise ConfigError(
                f"No rule named '{name}'.", where="[rules]", mend=nearest(name, self.choices)
            ) from None


def _frozen(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}


def _read(name: str) -> dict[str, dict[str, Any]]:
    with (RULES_FOLDER / name).open("rb") as file:
        return tomllib.load(file)


@cache
def characteristics() -> Mapping[str, Characteristic]:
    """Every characteristic by name, in the order people expect to read them."""
    return MappingProxyType(
        {
            name: Characteristic(name=name, **_frozen(entry))
            for name, entry in _read("characteristics.toml").items()
        }
    )


@cache
def _all_stratum_levels() -> Mapping[str, Any]:
    return MappingProxyType(_read("strata.toml"))


def stratum_levels(name: str) -> Mapping[str, Mapping[str, Any]]:
    """The levels at which a characteristic is stratified, finest first; empty where it has none of its own."""
    return MappingProxyType(dict(_all_stratum_levels().get(name, {})))


def characteristic(name: str) -> Characteristic:
    """One characteristic. Raises ConfigError naming the nearest."""
    if name not in characteristics():
        raise ConfigError(f"No characteristic named '{name}'.", mend=nearest(name, characteristics()))
    return characteristics()[name]


@cache
def disclosure_rules() -> Mapping[str, DisclosureRule]:
    """Every small-number rule by name."""
    return MappingProxyType(
        {name: DisclosureRule(name=name, **entry) for name, entry in _read("disclosure.toml").items()}
    )


# A rule of one's own, spelt out in its name.
OWN_RULE = re.compile(r"hide-(?P<hide>[1-9]\d{0,3})-round-(?P<round>[1-9]\d{0,3})(?P<zeros>-zeros)?")
# What can be worked out of a small count spans at least so much, or all that small counts span where that is less.
LEAST_RANGE = 3


def own_rule(name: str) -> DisclosureRule | None:
    """The rule that a name such as hide-9-round-10 spells out; None for any other name."""
    found = OWN_RULE.fullmatch(name)
    if found is None:
        return None
    limit, base, zeros = int(found["hide"]), int(found["round"]), found["zeros"] is not None
    rest = "others as they are" if base == 1 else f"others rounded to the nearest {base}"
    return DisclosureRule(
        name=name,
        label=f"Counts of {0 if zeros else 1} to {limit} hidden, {rest}",
        hide_up_to=limit,
        round_to=base,
        source="Rule of the service",
        least_range=max(min(LEAST_RANGE, limit - 2), 0),
        hide_zeros=zeros,
    )


def disclosure_rule(name: str) -> DisclosureRule:
    """One small-number rule: a named one, or one that its name spells out. Raises ConfigError naming the nearest."""
    own = own_rule(name)
    if own is not None:
        return own
    if name not in disclosure_rules():
        raise ConfigError(f"No small-number rule named '{name}'.", mend=nearest(name, disclosure_rules()))
    return disclosure_rules()[name]


@cache
def criterion_checks() -> Mapping[str, CriterionCheck]:
    """How each criterion that is not only attested is decided, by criterion id.

    A criterion that is the `same_as` another is decided in the same way.
    """
    entries = _read("criteria.toml")
    whole = {name: {**entries.get(entry.get("same_as", ""), {}), **entry} for name, entry in entries.items()}
    return MappingProxyType(
        {name: CriterionCheck(criterion_id=name, **_frozen(entry)) for name, entry in whole.items()}
    )


def load_rulebook(changes: Mapping[str, Any] | None = None) -> Rulebook:
    """The choices in force: the defaults with the changes of a service file.

    changes : rule name -> value, of the same type as the default and one of its options where it has any.
    Raises ConfigError for an unknown rule or a value of the wrong type.
    """
    entries = _read("choices.toml")
    changes = changes or {}
    for name in changes:
        if name not in entries:
            raise ConfigError(f"No rule named '{name}'.", where="[rules]", mend=nearest(name, entries))
    choices = {}
    for name, entry in entries.items():
        value = changes.get(name, entry["default"])
        _check_value(name, value, entry)
        if name == "disclosure":
            disclosure_rule(value)
        choices[name] = Choice(
            name=name,
            value=tuple(value) if isinstance(value, list) else value,
            default=tuple(entry["default"]) if isinstance(entry["default"], list) else entry["default"],
            label=entry["label"],
            reason=entry["reason"],
            source=entry["source"],
        )
    return Rulebook(MappingProxyType(choices))


def _check_value(name: str, value: Any, entry: Mapping[str, Any]) -> None:
    default, where = entry["default"], f"[rules] {name}"
    if isinstance(default, bool) != isinstance(value, bool) or (
        not isinstance(value, type(default))
        and not (isinstance(default, float) and isinstance(value, int))
        and not (isinstance(default, list) and isinstance(value, tuple))
    ):
        kind = {bool: "true or false", float: "a number", int: "a whole number", str: "text", list: "a list"}
        raise ConfigError("The value is of the wrong kind.", where=where, mend=f"Give {kind[type(default)]}.")
    options = entry.get("options")
    if options and value not in options:
        raise ConfigError(f"'{value}' is not an option.", where=where, mend=nearest(str(value), options))
    fraction = isinstance(default, float) and default <= 1
    if fraction and not 0 <= value <= 1:
        raise ConfigError("A share stands between 0 and 1.", where=where, mend="Write 0.95 and not 95.")
    if isinstance(default, (list, tuple)):
        ends = list(value)
        if (
            not ends
            or any(isinstance(end, bool) or not isinstance(end, int) for end in ends)
            or ends != sorted(set(ends))
        ):
            raise ConfigError(
                "The lower ends of bands are whole numbers, rising.",
                where=where,
                mend="For example [0, 18, 65].",
            )
