"""What Chromium draws of two million points: an outlier and a NaN, whole and at every zoom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from nnlab.series.batch import encode_batch
from tests.browser import chromium
from tests.services.installation import Installation, installation

pytestmark = pytest.mark.browser

POINTS, PART = 2_000_000, 500_000
OUTLIER, BROKEN = 1_234_567, 1_234_599
HEIGHT = 1000.0

# Where the pieces of the line run on the screen, where its outlier should be, and where breaks are marked.
DRAWN = """(plot, [outlier, height, broken]) => {
  const { xaxis, yaxis } = plot._fullLayout;
  const pieces = [...plot.querySelectorAll(".scatterlayer .js-line")].map((one) => one.getAttribute("d"));
  const places = [...pieces.join().matchAll(/(-?[\\d.]+),(-?[\\d.]+)/g)].map(([, x, y]) => [+x, +y]);
  const top = places.reduce((best, one) => (one[1] < best[1] ? one : best));
  const marks = [...plot.querySelectorAll(".points path")].map((one) => one.getAttribute("transform"));
  return {
    top,
    expected: [xaxis.d2p(outlier), yaxis.d2p(height)],
    pieces: pieces.length,
    marks: marks.map((place) => Number(place.match(/[\\d.]+/))),
    broken: xaxis.d2p(broken),
  };
}"""


def long_run(site: Installation) -> int:
    """Store two million points of a program outside."""
    values = np.random.default_rng(0).standard_normal(POINTS, np.float32).astype(np.float64)
    values[OUTLIER], values[BROKEN] = HEIGHT, np.nan
    run = site.request("POST", "runs", {"project": "outside", "name": "long", "headline": "loss"})
    headers = {"Authorization": f"Bearer {site.token}", "Content-Type": "application/octet-stream"}
    for batch, start in enumerate(range(0, POINTS, PART)):
        steps = np.arange(start, start + PART)
        body = encode_batch({("loss", None): (steps, values[start : start + PART])})
        address = f"{site.address}api/runs/{run['id']}/columns?writer=w&batch={batch}"
        with urlopen(Request(address, data=body, headers=headers, method="POST"), timeout=60) as answer:
            assert json.load(answer)["accepted"] == PART
    site.request("POST", f"runs/{run['id']}/end", {"status": "finished"})
    return int(run["id"])


def seen(page: Page) -> dict[str, Any]:
    return dict(page.locator("[data-chart-plot]").first.evaluate(DRAWN, [OUTLIER, HEIGHT, BROKEN]))


def zoom_to(page: Page, edges: list[int]) -> None:
    """Zoom as dragging does, and wait for the closer look."""
    plot = page.locator("[data-chart-plot]").first
    with page.expect_response("**/api/series?*"):
        plot.evaluate(f"plot => Plotly.relayout(plot, {{'xaxis.range': {edges}, 'yaxis.autorange': true}})")
    page.wait_for_timeout(300)


def saved_table(page: Page, folder: Path) -> list[str]:
    """Save the first chart as CSV; its lines."""
    tools = page.locator("[data-chart-tools]").first
    tools.locator("[popovertarget$=download]").click()
    with page.expect_download() as download:
        tools.locator("[data-kind=csv]").click()
    download.value.save_as(folder / "chart.csv")
    page.keyboard.press("Escape")
    return (folder / "chart.csv").read_text().splitlines()


def test_an_outlier_and_a_nan_in_two_million_points_are_on_the_screen_at_every_zoom(
    running_browser: Browser, tmp_path: Path
) -> None:
    with installation(tmp_path / "home", NNLAB_ADMIN_PASSWORD=chromium.PASSWORD) as site:
        run = long_run(site)
        with chromium.visit(running_browser, site.address) as tab:
            page = tab.open(f"/r/{run}/")
            *_, note = saved_table(page, tmp_path)
            assert note.endswith(f"every point: {site.address}r/{run}/points.csv")
            for width in (None, 600_000, 50_000, 4_000, 300):
                if width is not None:
                    zoom_to(page, [OUTLIER - width // 2, OUTLIER + width // 2])
                found = seen(page)
                assert found["top"] == pytest.approx(found["expected"], abs=3), width
                assert found["pieces"] >= 2, width  # a NaN breaks the line
                assert min(abs(mark - found["broken"]) for mark in found["marks"]) <= 3, width
