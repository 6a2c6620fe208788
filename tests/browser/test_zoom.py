"""Looking closer: a line of a long run gets the points of what is looked at, and the whole back."""

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

STEPS = 200_000
SPIKE, BROKEN = 123_457, 123_480


def long_run(site: Installation) -> int:
    """Store a run of a program outside, with a spike and a NaN close to each other."""
    values = np.random.default_rng(0).standard_normal(STEPS)
    values[SPIKE], values[BROKEN] = 1000.0, np.nan
    run = site.request("POST", "runs", {"project": "outside", "name": "long", "headline": "loss, smoothed"})
    body = encode_batch({("loss, smoothed", None): (np.arange(STEPS), values)})
    address = f"{site.address}api/runs/{run['id']}/columns?writer=w&batch=0"
    headers = {"Authorization": f"Bearer {site.token}", "Content-Type": "application/octet-stream"}
    with urlopen(Request(address, data=body, headers=headers, method="POST"), timeout=30) as answer:
        assert json.load(answer)["accepted"] == STEPS
    site.request("POST", f"runs/{run['id']}/end", {"status": "finished"})
    return int(run["id"])


def drawn(page: Page) -> dict[str, Any]:
    """The first line as Plotly has it."""
    script = "plot => ({x: Array.from(plot._fullData[0].x), y: Array.from(plot._fullData[0].y)})"
    return dict(page.locator("[data-chart-plot]").first.evaluate(script))


def test_a_zoom_shows_every_point_of_a_long_run_and_a_reset_the_whole(
    running_browser: Browser, tmp_path: Path
) -> None:
    with installation(tmp_path / "home", NNLAB_ADMIN_PASSWORD=chromium.PASSWORD) as site:
        run = long_run(site)
        with chromium.visit(running_browser, site.address) as tab:
            page = tab.open(f"/r/{run}/")
            whole = drawn(page)
            assert len(whole["x"]) <= 1002
            assert max(y for y in whole["y"] if y is not None) == 1000
            with page.expect_response("**/api/series?*") as asked:
                page.locator("[data-chart-plot]").first.evaluate(
                    f"plot => Plotly.relayout(plot, {{'xaxis.range': [{SPIKE - 50}, {SPIKE + 50}]}})"
                )
            assert asked.value.status == 200
            page.wait_for_function("document.querySelector('[data-chart-plot]')._fullData[0].x.length < 200")
            closer = drawn(page)
            height = dict(zip(closer["x"], closer["y"], strict=True))
            assert [step for step in closer["x"] if abs(step - SPIKE) <= 50] == list(
                range(SPIKE - 50, SPIKE + 51)
            )
            assert height[SPIKE] == 1000
            assert height[BROKEN] is None
            page.locator("[data-chart-action=reset]").first.click()
            page.wait_for_function(
                f"document.querySelector('[data-chart-plot]')._fullData[0].x.length == {len(whole['x'])}"
            )
            assert drawn(page) == whole
