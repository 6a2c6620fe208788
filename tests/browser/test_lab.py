"""The course's finding from the pages alone: a sweep is built, watched, and sigmoid fails with depth."""

from __future__ import annotations

import re
from itertools import product

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import chromium
from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

GRID = {"depth": "1, 2, 4", "width": "16, 64", "dropout": "0, 0.3"}
ACTIVATIONS = ("relu", "tanh", "sigmoid")
RUNS = 3 * 2 * 3 * 2 * 3


def build_sweep(page: Page) -> None:
    fixed = {"project": "Depth lab", "name": "why depth fails", "dataset": "digits", "seeds": "3"}
    for name, value in {**fixed, **GRID, "learning_rate": "0.1", "epochs": "30"}.items():
        page.fill(f"[name={name}]", value)
    for name, wanted in (("activation", ACTIVATIONS), ("optimizer", ("sgd",))):
        for box in page.locator(f"[name={name}]").all():
            box.set_checked(box.get_attribute("value") in wanted)


def intervals(page: Page) -> dict[tuple[int, int, str, float], tuple[float, float]]:
    """Read the 95 % intervals of the table of groups, in percent, or the value of seeds that are alike."""
    found = {}
    for row in page.get_by_role("table", name="Groups, the best mean first").locator("tbody tr").all():
        cells = row.locator("th, td").all_inner_texts()
        depth, width, activation, dropout = cells[0].split(", ")
        level = (int(depth.split()[-1]), int(width.split()[-1]), activation, float(dropout.split()[-1]))
        ends = cells[2] if cells[2] != "all seeds alike" else 2 * cells[1]
        low, high = re.findall(r"-?[\d.]+(?= %)", ends)
        found[level] = (float(low), float(high))
    return found


def test_the_labs_finding_is_reproduced_from_the_pages_alone(running_browser: Browser, lab: Lab) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open("/sweeps/new/")
        build_sweep(page)
        page.click("[name=preview]")
        expect(page.locator("#preview")).to_contain_text(f"this would be {RUNS} runs")
        page.locator("#preview summary").get_by_text("The 36 configurations").click()
        expect(page.locator("#preview tbody tr")).to_have_count(36)
        page.get_by_role("button", name="Submit", exact=True).click()
        expect(page.locator(".messages")).to_contain_text(f"{RUNS} runs queued")
        address = page.url.removeprefix(lab.site.address.rstrip("/"))

        # Watched live: nothing is reloaded, and the newest rows come to their ends one after the other.
        page = tab.open("/p/depth-lab/")
        expect(page.locator("tbody .status--finished").first).to_be_visible(timeout=60_000)
        rows = page.locator("tbody tr[id]").count()
        expect(page.locator("tbody .status--finished")).to_have_count(rows, timeout=120_000)
        for run in lab.site.request("GET", f"runs?project=depth-lab&limit={RUNS}")["runs"]:
            lab.site.await_status(run["id"], "finished", 120)

        page = tab.open(f"{address}&facet=depth&color=activation")
        assert tab.charts() == ["curves-0", "curves-1", "curves-2"]
        found = intervals(page)
        assert len(found) == RUNS // 3
        for width, dropout in product((16, 64), (0.0, 0.3)):
            assert found[1, width, "sigmoid", dropout][0] > 80
            assert found[4, width, "sigmoid", dropout][1] < min(40, found[4, width, "tanh", dropout][0])

        page = tab.open(f"{address}&tab=factors")
        expect(page.locator("#factor-activation-summary")).to_contain_text("highest at tanh")
        expect(page.locator("#factor-activation-summary")).to_contain_text("lowest at sigmoid")
        expect(page.locator("#factor-depth")).to_contain_text("Balanced: 36 cells × 3 seeds")
        expect(page.locator("#factor-depth")).to_contain_text("95 % t interval over 3 seeds")
