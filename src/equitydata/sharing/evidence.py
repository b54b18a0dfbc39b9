"""The manifest of a shared file as evidence that identifiers were removed before sharing."""

from __future__ import annotations

import datetime
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST_KIND = "de-identified extract"
LARGEST_MANIFEST = 5_000_000
HOLDS, FAILS, TELLS_NOTHING = "holds", "fails", "tells nothing"


@dataclass(frozen=True)
class SharedEvidence:
    """What a manifest shows.

    outcome : holds, fails or tells nothing. words : what it shows. reason : why it does not hold, or tells nothing.
    date : the day the file was made.
    """

    outcome: str
    words: str = ""
    reason: str = ""
    date: datetime.date | None = None


def shared_evidence(path: Path, *, k: int) -> SharedEvidence:
    """Hold a manifest against what sharing needs.

    path : NAME.deidentified.json. k : people that the smallest group needs.
    The file itself is looked at where it lies beside its manifest: it must be the one that the manifest describes.
    """
    content = _read(path)
    if isinstance(content, str):
        return SharedEvidence(TELLS_NOTHING, reason=content)
    try:
        return _judge(content, path, k)
    except (KeyError, TypeError, ValueError, AttributeError):
        return SharedEvidence(
            TELLS_NOTHING, reason=f"{path.name} lacks what a manifest of a shared file holds."
        )


def _read(path: Path) -> dict[str, Any] | str:
    """The manifest, or why there is none."""
    try:
        if path.stat().st_size > LARGEST_MANIFEST:
            return f"{path.name} is too large to be the manifest of a shared file."
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return f"There is no {path.name}: `equitydata deidentify` writes it beside the shared file."
    except (OSError, ValueError):
        return f"{path.name} cannot be read as the manifest of a shared file."
    ours = isinstance(content, dict) and content.get("kind") == MANIFEST_KIND
    return content if ours else f"{path.name} is not the manifest of a shared file."


def _judge(content: dict[str, Any], path: Path, k: int) -> SharedEvidence:
    made = datetime.datetime.fromisoformat(str(content["made"])).date()
    if content["file"] is None:
        return SharedEvidence(TELLS_NOTHING, reason=f"{path.name} is of a trial run that wrote no file.")
    name, protection = Path(str(content["file"]["name"])).name, content["protection"]
    counted, reached = str(content["people"]["counted"]), int(protection["k_reached"])
    there = _beside(path.parent / name, str(content["file"]["sha256"]))
    if there is False:
        return SharedEvidence(FAILS, reason=f"{name} is not the file that {path.name} describes.", date=made)
    if content["direct_identifiers_left"]:
        left = "; ".join(str(each) for each in content["direct_identifiers_left"])
        return SharedEvidence(FAILS, reason=f"Direct identifiers are left in {name}: {left}.", date=made)
    if reached < k:
        return SharedEvidence(
            FAILS, reason=f"Groups in {name} may be of fewer than {k} {counted}.", date=made
        )
    over = ", ".join(str(each) for each in protection["quasi_identifiers_left"])
    where = "" if there else " (the file is kept elsewhere, and was not compared)"
    alike = f"{k} {counted} or more are alike in {over}" if over else "no quasi-identifier left"
    words = f"De-identified file {name}{where}: no direct identifier left; {alike}"
    return SharedEvidence(HOLDS, words, date=made)


def _beside(file: Path, sha256: str) -> bool | None:
    """Whether the file beside the manifest is the one described; None where it is not there."""
    if not file.is_file():
        return None
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == sha256
