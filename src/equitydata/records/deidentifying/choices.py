"""The rule file of de-identification -> frozen values."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from equitydata.errors import ConfigError, nearest
from equitydata.rulebook import RULES_FOLDER


@dataclass(frozen=True)
class LevelRule:
    """One level of a characteristic, as the rule file describes it.

    rule : what makes it: level, rare, step and top, ends, column or pattern. written : name of the column, "" for
        the name of the characteristic.
    """

    name: str
    label: str
    written: str
    rule: Mapping[str, Any]


@dataclass(frozen=True)
class DeidentifyChoices:
    """All that is decided of de-identification.

    values : choice -> its value. levels : characteristic -> its levels, the finest first. weights : characteristic ->
        how much a lost distinction counts, where it is not 1. lookup : what the columns of a directory of postcodes
        are called.
    """

    values: Mapping[str, Any]
    options: Mapping[str, tuple[str, ...]]
    levels: Mapping[str, tuple[LevelRule, ...]]
    weights: Mapping[str, float]
    lookup: Mapping[str, tuple[str, ...]]

    def value(self, name: str) -> Any:
        """The value of one choice."""
        return self.values[name]

    def chosen(self, name: str, given: Any) -> Any:
        """What was asked for, or the choice where nothing was. Raises ConfigError for what is no option."""
        value = self.values[name] if given is None else given
        options = self.options.get(name)
        if options and value not in options:
            raise ConfigError(
                f"'{value}' is not an option.", where=f"[sharing] {name}", mend=nearest(str(value), options)
            )
        return value


@cache
def load_choices() -> DeidentifyChoices:
    """The choices of `rules/deidentify.toml`."""
    with (RULES_FOLDER / "deidentify.toml").open("rb") as file:
        content = tomllib.load(file)
    entries, hierarchy = content["choices"], content["hierarchy"]
    return DeidentifyChoices(
        values=MappingProxyType({name: _frozen(entry["value"]) for name, entry in entries.items()}),
        options=MappingProxyType(
            {name: tuple(entry["options"]) for name, entry in entries.items() if "options" in entry}
        ),
        levels=MappingProxyType(
            {name: tuple(map(_level, entry["levels"])) for name, entry in hierarchy.items()}
        ),
        weights=MappingProxyType({name: float(entry.get("weight", 1)) for name, entry in hierarchy.items()}),
        lookup=MappingProxyType({key: _frozen(content["lookup"][key]) for key in ("postcode", "area")}),
    )


def _level(entry: Mapping[str, Any]) -> LevelRule:
    rule = {key: _frozen(value) for key, value in entry.items() if key not in ("name", "label", "written")}
    return LevelRule(entry["name"], entry["label"], entry.get("written", ""), MappingProxyType(rule))


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
