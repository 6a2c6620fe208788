"""From a difference to the seeds that would tell, and from a confounded pair to its control."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser import chromium
from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

TRAINING = {"hidden_units": [8], "epochs": 1}


@pytest.fixture(scope="module")
def slug(lab: Lab) -> str:
    """A project with a pair that differs in one knob, and one that differs in two."""
    sweep = {"project": "Irises", "name": "rates", "data": {"dataset": "iris"}, "training": TRAINING}
    answers = [
        lab.site.request("POST", "sweeps", {**sweep, "grid": {"learning_rate": [0.01, 0.1]}, "seeds": 2}),
        lab.site.request(
            "POST", "sweeps", {**sweep, "training": {**TRAINING, "optimizer": "sgd", "batch_size": 8}}
        ),
    ]
    for answer in answers:
        for run_id in answer["runs"]:
            lab.site.await_status(run_id, "finished", 120)
    return "irises"


@pytest.fixture
def page(running_browser: Browser, lab: Lab) -> Iterator[Page]:
    with chromium.visit(running_browser, lab.site.address) as tab:
        yield tab.page


def test_the_missing_control_is_one_click(page: Page, lab: Lab, slug: str) -> None:
    page.goto(f"{lab.site.address}p/{slug}/changes/")
    pairs = page.get_by_role("region", name="Pairs that lack a control").locator("tbody tr")
    expect(pairs.filter(has_text="also changed").first).to_be_visible()
    before = pairs.count()
    page.get_by_role("button", name="with only optimizer").first.click()
    expect(page.locator(".message")).to_contain_text("queued")
    assert "/changes/" in page.url
    expect(pairs).to_have_count(before - 1)


def test_seeds_are_added_with_the_keyboard_alone(page: Page, lab: Lab, slug: str) -> None:
    page.goto(f"{lab.site.address}p/{slug}/compare/?tab=differences")
    add = page.get_by_role("button", name="Add ").first
    add.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".message--success")).to_contain_text("more seeds")
    assert "tab=differences" in page.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_differences_and_changes_can_be_used_by_everybody(
    running_browser: Browser, lab: Lab, slug: str, scheme: str
) -> None:
    context = running_browser.new_context(
        bypass_csp=True,
        viewport={"width": 400, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    tab = chromium.Visit(context.new_page(), lab.site.address)
    tab.sign_in()
    for path in (f"/p/{slug}/changes/", f"/p/{slug}/compare/?tab=differences&within=1"):
        page = tab.open(path)
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()
        assert page.locator("html").evaluate("element => element.scrollWidth") <= 400, path
    context.close()
