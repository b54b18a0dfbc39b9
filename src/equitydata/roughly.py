"""A share in words from which no small count can be read."""

from __future__ import annotations

STEP = 0.05


def roughly(share: float) -> str:
    """A share to the nearest 5%: "under 5%", "about 10%". More digits would tell how many people they are."""
    return "under 5%" if share < STEP else f"about {round(share / STEP) * STEP:.0%}"
