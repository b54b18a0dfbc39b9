"""Draw the pictures of the README anew, from the sample: `python tools/write_pictures.py`. Needs Chromium.

Writes docs/images/page.png, the head of the report page in a browser, and docs/images/*.svg, some of its figures.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

import equitydata as eq
from equitydata.plots.accessor import Plots
from equitydata.reference import sample_folder
from equitydata.release.released import release

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
RATED_ON = date(2026, 4, 1)  # as the pages of the documentation: attestations lapse with time
WIDTH, HEIGHT = 1280, 1250


def main() -> int:
    """Write every picture; 1 where there is no Chromium."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print("No Chromium is installed.", file=sys.stderr)
        return 1
    released = release(eq.analyse(eq.load_service(sample_folder() / "service.toml"), as_of=RATED_ON))
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        page = eq.write_report(released, Path(folder) / "report").page
        arguments = ("--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={WIDTH},{HEIGHT}")
        picture = f"--screenshot={IMAGES / 'page.png'}"
        subprocess.run([browser, *arguments, picture, page.as_uri()], check=True, capture_output=True)  # noqa: S603
    plots = Plots(released)
    for name, chart in {
        "forest": plots.forest("did_not_attend")[0],
        "representation": plots.representation("ethnicity")[0],
    }.items():
        chart.save(IMAGES / f"{name}.svg")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
