"""From a CSV file to a trained network, by mouse, by keyboard, and without scripts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser import chromium
from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

TOWNS = ("Aldon", "Berry", "Cole")


def build_houses(folder: Path, name: str, factor: int = 7) -> Path:
    """Write a file of houses, whose price follows from their rooms and their town."""
    rooms = [row * factor % 11 for row in range(200)]
    rows = [
        f"{row},{count if row % 9 else ''},{TOWNS[row % 3]},{count * 9000 + row % 3 * 500}"
        for row, count in enumerate(rooms)
    ]
    file = folder / name
    file.write_text("id,rooms,town,price\n" + "\n".join(rows) + "\n", encoding="utf-8-sig")
    return file


def key_on(page: Page) -> str:
    found = re.search(r"upload:[0-9a-f]{12}", page.url)
    assert found is not None
    return found[0]


def test_a_file_is_uploaded_looked_at_prepared_saved_and_trained_on(
    running_browser: Browser, lab: Lab, tmp_path: Path
) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open("/datasets/")
        page.get_by_role("link", name="Upload a CSV file").click()
        page.get_by_label("Project").fill("Houses")
        page.locator("#id_file").set_input_files(build_houses(tmp_path, "houses.csv"))
        page.get_by_role("button", name="Upload").click()
        page.wait_for_url("**/datasets/upload:*/")
        expect(page.get_by_role("row", name=re.compile("id numeric"))).to_contain_text("identifier")
        page.get_by_role("link", name="Choose target and inputs").click()
        expect(page.get_by_label("Use of id")).to_have_value("")
        page.get_by_label("Bring numbers to").select_option("0 to 1")
        page.get_by_role("button", name="Preview").click()
        expect(page.get_by_role("heading", name="First rows of the matrix")).to_be_visible()
        expect(page.get_by_role("row", name="rooms rooms 0 to 10 0 to 1")).to_be_visible()
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.locator(".messages")).to_contain_text("is saved with recipe")
        page.get_by_role("link", name="New sweep with it").click()
        wanted = {"project": "Houses", "name": "by town and rooms", "depth": "1", "epochs": "5", "seeds": "1"}
        for field, value in wanted.items():
            page.fill(f"[name={field}]", value)
        page.get_by_role("button", name="Submit").click()
        page.wait_for_url("**/r/*/")
        run_id = int(page.url.rstrip("/").rsplit("/", 1)[1])
        run = lab.site.await_run(run_id, lambda run: run["status"] in {"finished", "failed"}, 120)
        assert (run["status"], run["error"]) == ("finished", "")
        page = tab.open(f"/datasets/{run['config']['data']['dataset']}/")
        expect(page.get_by_role("link", name="by town and rooms")).to_be_visible()
        page.get_by_role("button", name="Delete this version").click()
        expect(page.locator(".message--error")).to_contain_text(
            f"runs use it: by town and rooms (run {run_id})"
        )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_step_can_be_used_by_everybody(
    running_browser: Browser, lab: Lab, tmp_path: Path, scheme: str
) -> None:
    factor = {"light": 5, "dark": 3}[scheme]
    context = running_browser.new_context(
        bypass_csp=True,
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": 400, "height": 900},
    )
    tab = chromium.Visit(context.new_page(), lab.site.address)
    tab.sign_in()
    page = tab.open("/datasets/upload/")
    page.get_by_label("Project").fill("Houses")
    page.locator("#id_file").set_input_files(build_houses(tmp_path, "more.csv", factor))
    page.get_by_role("button", name="Upload").focus()
    for button in ("Choose target and inputs", "Preview", "Save"):
        page.keyboard.press("Enter")
        there = page.get_by_role("link" if button.startswith("Choose") else "button", name=button, exact=True)
        there.wait_for()
        results = Axe().run(page)
        assert not results.violations_count, results.generate_report()
        assert page.locator("html").evaluate("element => element.scrollWidth") <= 400
        there.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".messages")).to_contain_text("is saved")
    context.close()


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(
    running_browser: Browser, lab: Lab, tmp_path: Path
) -> None:
    file = tmp_path / "large.csv"
    with file.open("wb") as stream:
        stream.truncate(20_000_001)
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open("/datasets/upload/")
        page.get_by_label("Project").fill("Houses")
        page.locator("#id_file").set_input_files(file)
        expect(page.locator("output")).to_contain_text("at most 20,000,000 bytes, this one has 20,000,001")
        page.get_by_role("button", name="Upload").click()
        assert page.url.endswith("/datasets/upload/")


@pytest.mark.parametrize("with_script", [True, False])
def test_a_bad_file_says_what_was_expected_with_and_without_scripts(
    running_browser: Browser, lab: Lab, tmp_path: Path, with_script: bool
) -> None:
    file = tmp_path / "ragged.csv"
    file.write_text("a,b\n1,2\n3\n")
    context = running_browser.new_context(java_script_enabled=with_script)
    tab = chromium.Visit(context.new_page(), lab.site.address)
    tab.sign_in()
    page = context.pages[0]
    page.goto(f"{lab.site.address.rstrip('/')}/datasets/upload/")
    page.get_by_label("Project").fill("Nowhere")
    page.locator("#id_file").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("alert")).to_contain_text(
        "row 3: expected 2 cells as in the header, got 1", timeout=60_000
    )
    page.get_by_role("link", name="upload it anew").click()
    expect(page.get_by_label("Project")).to_have_value("Nowhere")
    context.close()
