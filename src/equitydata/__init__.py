"""equitydata: from a service extract to its data-domain tier, with the evidence for every criterion.

The functions below are read when first used, so that `equitydata --help` starts at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equitydata.analysis import analyse, rate
    from equitydata.deidentifying import deidentify
    from equitydata.errors import ConfigError, DisclosureError, EquityDataError, InputError, OutputError
    from equitydata.report.folder import write_report
    from equitydata.result import EquityResult
    from equitydata.service import Service, load_service, make_service

_HOMES = {
    "analyse": "analysis",
    "rate": "analysis",
    "deidentify": "deidentifying",
    "load_service": "service",
    "make_service": "service",
    "Service": "service",
    "EquityResult": "result",
    "write_report": "report.folder",
    "EquityDataError": "errors",
    "InputError": "errors",
    "ConfigError": "errors",
    "DisclosureError": "errors",
    "OutputError": "errors",
}

__all__ = [
    "ConfigError",
    "DisclosureError",
    "EquityDataError",
    "EquityResult",
    "InputError",
    "OutputError",
    "Service",
    "analyse",
    "deidentify",
    "load_service",
    "make_service",
    "rate",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("equitydata")
    if name in _HOMES:
        return getattr(import_module(f"equitydata.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'equitydata' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
