"""The queue in a browser: it is read, steered and ordered, by keyboard too, and everybody can use it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser import chromium
from tests.browser.conftest import Lab
from tests.services.installation import Installation

pytestmark = pytest.mark.browser

LONG: dict[str, Any] = {
    "data": {"dataset": "california_housing", "recipe": "lab6"},
    "training": {"depth": 2, "width": 64, "batch_size": 100, "epochs": 5000},
}


@dataclass(frozen=True)
class Jobs:
    """Two runs that train, and behind them a sweep, a single run, and a paused one."""

    site: Installation
    training: list[int]
    sweep: list[int]
    single: int
    paused: int


@pytest.fixture
def jobs(lab: Lab) -> Iterator[Jobs]:
    training = [run for _ in range(2) for run in lab.site.submit(project="Jobs", name="training", **LONG)]
    for run_id in training:
        lab.site.await_run(run_id, lambda run: run["steps_run"] > 0, 60)
    sweep = lab.site.submit(project="Jobs", name="the sweep", seeds=12, **LONG)
    single, paused = (
        lab.site.submit(project="Jobs", name=name, **LONG)[0] for name in ("the single one", "the paused one")
    )
    lab.site.request("POST", f"runs/{paused}/pause")
    yield Jobs(lab.site, training, sweep, single, paused)
    for run_id in (*sweep, single, paused, *training):
        lab.site.request("POST", f"runs/{run_id}/stop")
    for run_id in training:
        lab.site.await_run(run_id, lambda run: run["status"] == "cancelled", 30)


def order(jobs: Jobs) -> list[int]:
    return [run["id"] for run in jobs.site.request("GET", "queue")["waiting"]]


def tick(page: Page, name: str) -> None:
    box(page, name).check()


def box(page: Page, name: str) -> Locator:
    """The box of a line that waits or is paused; runs of other tests have ended."""
    return page.locator("#waiting, #paused").get_by_role("checkbox", name=name)


def test_the_queue_is_steered_with_the_mouse(running_browser: Browser, jobs: Jobs) -> None:
    with chromium.visit(running_browser, jobs.site.address) as tab:
        page = tab.open("/queue/")
        expect(page.locator("#training-title")).to_have_text("2 training")
        expect(page.locator("#waiting-title")).to_have_text("13 waiting")
        expect(page.get_by_role("link", name="Queue")).to_contain_text("13")

        page.get_by_role("button", name="Move the single one up").click()
        expect(page.locator(".messages")).to_contain_text("1 run moved.")
        assert order(jobs) == [jobs.single, *jobs.sweep]

        tick(page, "Select 12 runs of the sweep")
        page.fill("#priority", "7")
        page.get_by_role("button", name="Set").click()
        expect(page.locator("#waiting tbody tr").first).to_contain_text("1 to 12")
        assert order(jobs) == [*jobs.sweep, jobs.single]

        page.get_by_role("link", name="Show each of the 12 runs").click()
        expect(page.locator("#waiting tbody tr")).to_have_count(13)
        tick(page, "Select the paused one")
        page.get_by_role("button", name="Resume").click()
        expect(page.locator(".messages")).to_contain_text("1 run goes on")
        assert order(jobs) == [*jobs.sweep, jobs.single, jobs.paused]


def test_the_queue_is_steered_with_the_keyboard(running_browser: Browser, jobs: Jobs) -> None:
    with chromium.visit(running_browser, jobs.site.address) as tab:
        page = tab.open("/queue/?project=jobs")
        page.get_by_role("button", name="Move the single one up").focus()
        page.keyboard.press("Enter")
        expect(page.locator(".messages")).to_contain_text("1 run moved.")
        assert order(jobs) == [jobs.single, *jobs.sweep]
        box(page, "Select the single one").focus()
        page.keyboard.press("Space")
        page.locator("#priority").focus()
        page.keyboard.press("Enter")  # presses none of the buttons
        expect(box(page, "Select the single one")).to_be_checked()
        page.get_by_role("button", name="To the end").focus()
        page.keyboard.press("Enter")
        expect(page.locator(".messages")).to_contain_text("1 run moved.")
        assert order(jobs) == [*jobs.sweep, jobs.single]
        assert page.url.endswith("/queue/?project=jobs")


def test_the_queue_follows_what_happens_and_keeps_what_is_ticked(
    running_browser: Browser, jobs: Jobs
) -> None:
    with chromium.visit(running_browser, jobs.site.address) as tab:
        page = tab.open("/queue/")
        tick(page, "Select the single one")
        page.locator("h1").click()
        jobs.site.request("POST", f"runs/{jobs.sweep[0]}/pause")
        expect(page.locator("#waiting-title")).to_have_text("12 waiting", timeout=15_000)
        expect(page.locator("#paused-title")).to_have_text("2 paused")
        expect(box(page, "Select the single one")).to_be_checked()
        expect(page.locator("#live-state")).to_contain_text("live")


def test_a_run_is_paused_and_resumed_on_its_own_page(running_browser: Browser, jobs: Jobs) -> None:
    with chromium.visit(running_browser, jobs.site.address) as tab:
        page = tab.page
        page.goto(f"{jobs.site.address}r/{jobs.single}/")
        expect(page.locator("#run-state")).to_contain_text("Position 13 in the queue")
        page.get_by_role("button", name="Pause", exact=True).click()
        expect(page.locator("#run-state")).to_contain_text("it keeps its place")
        page.get_by_role("button", name="Resume").click()
        expect(page.locator("#run-state")).to_contain_text("queued")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_a_full_queue(running_browser: Browser, jobs: Jobs, scheme: str) -> None:
    context = running_browser.new_context(
        bypass_csp=True,
        viewport={"width": 400, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    tab = chromium.Visit(context.new_page(), jobs.site.address)
    tab.sign_in()
    page = tab.open("/queue/")
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    assert page.locator("html").evaluate("element => element.scrollWidth") <= 400
    context.close()
