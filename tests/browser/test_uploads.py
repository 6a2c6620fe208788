"""A file on its way to a dataset, as it is seen: how far it is, how to stop it and to cut it otherwise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser import chromium
from tests.browser.conftest import Lab
from tests.services.test_uploads import build_file

pytestmark = pytest.mark.browser

LONG = 60_000  # milliseconds that a busy machine may take for what takes a few seconds


def send(page: Page, file: Path) -> None:
    page.get_by_label("Project").fill("Uploads")
    page.locator("#id_file").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url(re.compile(r"/datasets/upload(/\d+/|:)"))


def test_a_slow_file_shows_how_far_it_is_and_leads_on(
    running_browser: Browser, lab: Lab, tmp_path: Path
) -> None:
    file = tmp_path / "wide.csv"
    file.write_bytes(build_file(3))
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open("/datasets/upload/")
        send(page, file)
        bar = page.get_by_role("progressbar", name="Reading")
        expect(bar).to_be_visible()
        expect(bar).not_to_have_attribute("value", "0", timeout=LONG)
        expect(page.locator("#upload-bar")).to_contain_text(re.compile(r"MB of 12\.0 MB, [\d\s]+ rows"))
        page.wait_for_url("**/datasets/upload:*/", timeout=LONG)
        expect(page.get_by_role("link", name="Choose target and inputs")).to_be_visible()


def test_a_file_that_is_read_can_be_cancelled(running_browser: Browser, lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "cancelled.csv"
    file.write_bytes(build_file(4))
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open("/datasets/upload/")
        send(page, file)
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator(".messages")).to_contain_text(
            "cancelled.csv was discarded; nothing was kept of it."
        )
        expect(page.get_by_role("link", name="cancelled.csv")).to_have_count(0)


@pytest.mark.parametrize("with_script", [True, False])
def test_a_delimiter_is_corrected_without_sending_the_file_again(
    running_browser: Browser, lab: Lab, tmp_path: Path, with_script: bool
) -> None:
    file = tmp_path / "bars.csv"
    rows = "".join(f"n{row},{row}|{row},p{row}\n" for row in range(20 + with_script))
    file.write_text(f"name,of|a,price\n{rows}")
    context = running_browser.new_context(java_script_enabled=with_script)
    tab = chromium.Visit(context.new_page(), lab.site.address)
    tab.sign_in()
    page = context.pages[0]
    page.goto(f"{lab.site.address.rstrip('/')}/datasets/upload/")
    send(page, file)
    choice = page.get_by_label("Between two cells")
    expect(choice).to_have_value(",", timeout=LONG)
    choice.select_option("|")
    page.get_by_role("button", name="Read it again").click()
    expect(choice).to_have_value("|", timeout=LONG)
    expect(page.get_by_role("rowheader", name="a,price")).to_be_visible()
    choice.select_option(";")
    page.get_by_role("button", name="Read it again").click()
    expect(page.get_by_role("alert")).to_contain_text("expected at least two columns", timeout=LONG)
    page.get_by_role("button", name="Discard it").click()
    expect(page.locator(".messages")).to_contain_text("bars.csv was discarded")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_can_be_used_by_everybody(
    running_browser: Browser, lab: Lab, tmp_path: Path, scheme: str
) -> None:
    context = running_browser.new_context(
        bypass_csp=True,
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": 400, "height": 900},
    )
    tab = chromium.Visit(context.new_page(), lab.site.address)
    tab.sign_in()
    slow, ragged = tmp_path / "slow.csv", tmp_path / "ragged.csv"
    slow.write_bytes(build_file(5 + (scheme == "dark")))
    ragged.write_text("a,b\n1,2\n3\n")
    page = tab.open("/datasets/upload/")
    send(page, slow)
    look_at(page)
    page.get_by_role("button", name="Cancel").click()
    page = tab.open("/datasets/upload/")
    send(page, ragged)
    page.get_by_role("alert").wait_for(timeout=LONG)
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    look_at(page)
    page.get_by_role("button", name="Discard it").click()
    context.close()


def look_at(page: Page) -> None:
    results = Axe().run(page)
    assert not results.violations_count, results.generate_report()
    assert page.locator("html").evaluate("element => element.scrollWidth") <= 400
