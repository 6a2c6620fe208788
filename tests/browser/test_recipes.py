"""A file of forty columns becomes a recipe: narrowed, set at once, treated by itself, trained and tested."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import chromium
from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

SENSORS = 36


def build_wide(folder: Path) -> Path:
    """Write a file whose price follows from its first sensor, with a column that names parts."""
    numbers = random.Random(0)
    lines = [",".join(["id", *(f"sensor{place}" for place in range(SENSORS)), "town", "part", "price"])]
    for row in range(200):
        cells = [f"{numbers.gauss(5, 2):.4f}" for _ in range(SENSORS)]
        part = ("train", "train", "train", "val", "test")[row % 5]
        lines.append(
            ",".join([str(row), *cells, "ABC"[row % 3], part, f"{float(cells[0]) * 1000 + row % 7:.3f}"])
        )
    file = folder / "wide.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def submitted(page: Page) -> int:
    """Fill the form of a sweep of one run, and return the run's number."""
    wanted = {"project": "Sensors", "name": "tested", "depth": "1", "epochs": "5", "seeds": "1"}
    for field, value in wanted.items():
        page.fill(f"[name={field}]", value)
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/r/*/")
    return int(page.url.rstrip("/").rsplit("/", 1)[1])


def test_a_wide_file_is_prepared_column_by_column_and_its_test_rows_are_told(
    running_browser: Browser, lab: Lab, tmp_path: Path
) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open("/datasets/upload/")
        page.get_by_label("Project").fill("Sensors")
        page.locator("#id_file").set_input_files(build_wide(tmp_path))
        page.get_by_role("button", name="Upload").click()
        page.wait_for_url("**/datasets/upload:*/**")
        page.get_by_label("1 to look at").check()
        expect(page.get_by_role("row", name="id numeric")).to_be_visible()
        expect(page.get_by_role("row", name="town categorical")).to_be_hidden()
        page.get_by_role("link", name="Choose target and inputs").click()
        expect(page.get_by_label("Held back")).to_have_value("parts:part")
        expect(page.get_by_label("Share to test")).to_be_hidden()
        expect(page.get_by_label("Lower limit")).to_be_hidden()
        page.get_by_label("2 of texts").check()
        expect(page.get_by_label("Use of town")).to_be_visible()
        expect(page.get_by_label("Use of sensor0")).to_be_hidden()
        page.get_by_label("Use", exact=True).select_option("categorical")
        page.get_by_label("as", exact=True).select_option("")
        page.get_by_role("button", name="Set all").click()
        expect(page.get_by_label("Use of town")).to_have_value("")
        expect(page.get_by_label("Use of sensor0")).to_have_value("numeric")
        page.get_by_text("as the table: sensor1", exact=True).click()
        page.get_by_label("Bring to of sensor1", exact=True).select_option("equal buckets")
        page.get_by_label("Limits, edges or how many of sensor1", exact=True).fill("4")
        page.get_by_role("button", name="Preview").click()
        expect(page.get_by_text("sensor1: 4 buckets, equally full")).to_be_visible()
        expect(page.get_by_text("120 to train, 40 to validate, 40 to test")).to_be_visible()
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_role("link", name="New sweep with it").click()
        run_id = submitted(page)
        run = lab.site.await_run(run_id, lambda run: run["status"] in {"finished", "failed"}, 120)
        assert (run["status"], run["error"]) == ("finished", "")
        assert run["summary"]["test_rmse"] > 0
        page = tab.open(f"/r/{run_id}/")
        expect(page.get_by_text("on the test rows").first).to_be_visible()
        expect(page.get_by_text("40 to test").first).to_be_visible()
