"""One look for every figure: colours that all readers can tell apart, one font, one grid.

Text is in COLOURS["ink"], "blue" or "plum" only; the others are for shapes, told apart from their neighbours and from
white by 3:1 or by a dark outline. Government Analysis Function, "Data visualisation: colours in charts".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "ink": "#3D3D3D",
        "blue": "#12436D",
        "plum": "#801650",
        "teal": "#28A197",
        "orange": "#F46A25",
        "violet": "#A285D1",
        "grey": "#8C8C8C",
        "line": "#C4CBD2",
        "paper": "#FFFFFF",
    }
)
# Light to dark, for heat maps; the last two carry white numbers, the others dark ones.
STEPS = ("#EEF3F8", "#B9D0E6", "#86AED3", "#2073BC", "#12436D")
FONT_SIZE, SMALL = 11.0, 9.5
# Metrics of a font that matplotlib brings: the same layout on every machine. The page shows its own sans serif.
LAYOUT_FONT = "DejaVu Sans"
WIDTH = 7.6  # inches; 547 points, about the line length of the page


@contextmanager
def house_style(salt: str) -> Iterator[None]:
    """Matplotlib with our settings, for as long as the block lasts. salt : name that ids of the SVG are made from."""
    import matplotlib

    settings: Any = {
        "font.family": [LAYOUT_FONT],
        "font.size": FONT_SIZE,
        "text.color": COLOURS["ink"],
        "text.parse_math": False,
        "axes.labelcolor": COLOURS["ink"],
        "axes.edgecolor": COLOURS["grey"],
        "axes.labelsize": SMALL,
        "axes.titlesize": FONT_SIZE,
        "axes.titlelocation": "left",
        "axes.titleweight": "bold",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "axes.axisbelow": True,
        "axes.grid": False,
        "grid.color": COLOURS["line"],
        "grid.linewidth": 0.8,
        "xtick.color": COLOURS["ink"],
        "ytick.color": COLOURS["ink"],
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "xtick.major.size": 0.0,
        "ytick.major.size": 0.0,
        "lines.linewidth": 2.0,
        "lines.markersize": 6.0,
        "figure.facecolor": COLOURS["paper"],
        "svg.fonttype": "none",
        "svg.hashsalt": salt,
    }
    with matplotlib.rc_context(settings):
        yield
