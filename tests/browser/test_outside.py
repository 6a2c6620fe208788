"""The page of a run that a program outside trains: it grows with what the program logs."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import chromium
from tests.services.installation import Installation, installation

pytestmark = pytest.mark.browser


def log(site: Installation, run: int, metric: str) -> None:
    metrics = [{"key": metric, "value": step / 2, "step": step} for step in range(10)]
    site.request("POST", f"runs/{run}/log", {"metrics": metrics})


def await_chart(page: Page, title: str) -> None:
    expect(page.locator("figure[data-drawn]", has_text=title)).to_be_visible(timeout=20_000)


def test_a_metric_that_begins_while_the_page_is_open_gets_its_chart(
    running_browser: Browser, tmp_path: Path
) -> None:
    with installation(tmp_path / "home", NNLAB_ADMIN_PASSWORD=chromium.PASSWORD) as site:
        run = site.request("POST", "runs", {"project": "outside", "name": "slow"})["id"]
        with chromium.visit(running_browser, site.address) as tab:
            page = tab.open(f"/r/{run}/")
            expect(page.locator("#gallery")).to_contain_text("No metric yet")
            log(site, run, "loss")
            await_chart(page, "Loss")
            expect(page.locator("#gallery")).not_to_contain_text("No metric yet")
            plot = page.locator("[data-chart-plot]").first
            plot.evaluate("plot => Plotly.relayout(plot, {'xaxis.range': [2, 4]})")
            page.locator("summary", has_text="Table").first.click()
            log(site, run, "val/accuracy")
            await_chart(page, "Val/accuracy")
            assert plot.evaluate("plot => plot._fullLayout.xaxis.range") == [2, 4]
            expect(page.locator("details.chart__table").first).to_have_attribute("open", "")
            expect(page.locator("figure[data-chart]")).to_have_count(2)
            expect(page.get_by_role("heading", name="val", exact=True)).to_be_visible()
