"""Live pages: one stream of events for all that a tab shows, cut, hidden, refused and over."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.browser import chromium
from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

PATIENCE = 30_000  # milliseconds


class Watch:
    """A tab on a run that trains slowly, and what it asks the server for."""

    def __init__(self, tab: chromium.Visit, lab: Lab, run_id: int) -> None:
        self.lab, self.run_id = lab, run_id
        self.asked: list[str] = []
        self.open: set[Request] = set()
        tab.page.goto("about:blank")  # away from home, which has a stream of its own
        tab.page.on("request", self._begun)
        tab.page.on("requestfailed", self._ended)
        tab.page.on("requestfinished", self._ended)
        self.page: Page = tab.open(f"/r/{run_id}/")

    def _begun(self, request: Request) -> None:
        path = urlsplit(request.url).path
        self.asked.append(path)
        if path == "/events":
            self.open.add(request)

    def _ended(self, request: Request) -> None:
        self.open.discard(request)

    def steps(self) -> list[int]:
        """The steps of the line of the training loss, as it is drawn."""
        plot = self.page.locator("#loss .js-plotly-plot, #loss [data-chart-plot]").first
        return [int(step) for step in plot.evaluate("plot => Array.from(plot.data[0]?.x ?? [])")]

    def await_steps(self, more: int) -> list[int]:
        """Wait until so many more steps are drawn."""
        wanted, waited = len(self.steps()) + more, 0
        while len(found := self.steps()) < wanted:
            assert waited < PATIENCE, f"there are {len(found)} steps, wanted {wanted}\n{self.lab.site.logs()}"
            self.page.wait_for_timeout(250)
            waited += 250
        return found

    def hide(self, is_hidden: bool) -> None:
        """Show another tab; headless browsers do not say so by themselves."""
        hidden = "true" if is_hidden else "false"
        self.page.evaluate(
            f"Object.defineProperty(document, 'hidden', {{value: {hidden}, configurable: true}});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )


@pytest.fixture
def slow(lab: Lab) -> Iterator[int]:
    """A run that trains a few dozen steps a second."""
    (run_id,) = lab.site.submit(
        name="slow",
        data={"dataset": "california_housing", "recipe": "lab6"},
        training={"depth": 4, "width": 512, "batch_size": 500, "epochs": 5000},
    )
    lab.site.await_run(run_id, lambda run: run["steps_run"] > 0, 90)
    yield run_id
    lab.site.request("POST", f"runs/{run_id}/stop")
    lab.site.await_status(run_id, "cancelled", 60)


@contextmanager
def watching(running: Browser, lab: Lab, run_id: int, *faults: str) -> Iterator[Watch]:
    """Watch a run; what the browser notes of connections that were cut is no fault."""
    with chromium.visit(running, lab.site.address) as tab:
        watch = Watch(tab, lab, run_id)
        expect(watch.page.locator("#live-state")).to_contain_text("live ·", timeout=PATIENCE)
        yield watch
        tab.faults = [fault for fault in tab.faults if not any(word in fault for word in faults)]


def test_a_chart_grows_by_the_stream_alone_until_the_run_is_over(
    running_browser: Browser, lab: Lab, slow: int
) -> None:
    with watching(running_browser, lab, slow) as watch:
        watch.await_steps(20)
        assert watch.asked.count("/events") == 1
        assert f"/r/{slow}/live/" not in watch.asked
        watch.page.get_by_role("button", name="Stop", exact=True).first.click()
        state = watch.page.locator("#live-state")
        lab.site.await_status(slow, "cancelled", 60)
        expect(watch.page.locator("main")).to_contain_text("cancelled", timeout=PATIENCE)
        expect(state).to_contain_text("over; this is the final state", timeout=PATIENCE)
        assert not any(f"/r/{slow}/live/" in path for path in watch.asked)


def test_the_navigation_counts_what_waits_on_a_page_that_is_not_live(
    running_browser: Browser, lab: Lab
) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open("/help/")
        number = page.locator("#waiting_runs")
        before = int((number.inner_text() or "0").split()[0])
        (waiting,) = lab.site.submit(
            name="for nobody", data={"dataset": "digits"}, training={}, job={"queue": "gpu"}
        )
        expect(number).to_contain_text(str(before + 1), timeout=PATIENCE)
        lab.site.request("POST", f"runs/{waiting}/stop")
        expect(number).not_to_contain_text(str(before + 1), timeout=PATIENCE)


def test_a_stream_that_was_cut_goes_on_without_a_missing_or_a_double_step(
    running_browser: Browser, lab: Lab, slow: int
) -> None:
    with watching(running_browser, lab, slow, "ERR_", "Failed to load") as watch:
        watch.await_steps(10)
        for pid in lab.site.processes("uvicorn"):
            os.kill(pid, signal.SIGKILL)
        watch.await_steps(60)
        lab.site.request("POST", f"runs/{slow}/stop")
        lab.site.await_status(slow, "cancelled", 60)
        drawn = watch.steps()
        stored, _ = lab.site.series(slow, "train_loss")
        assert drawn == stored[: len(drawn)]


def test_a_hidden_tab_closes_its_stream_and_comes_back_where_it_was(
    running_browser: Browser, lab: Lab, slow: int
) -> None:
    with watching(running_browser, lab, slow, "ERR_ABORTED") as watch:
        watch.await_steps(5)
        assert len(watch.open) == 1
        watch.hide(is_hidden=True)
        watch.page.wait_for_timeout(1000)
        assert not watch.open
        before = watch.steps()
        watch.page.wait_for_timeout(2000)
        assert watch.steps() == before
        watch.hide(is_hidden=False)
        drawn = watch.await_steps(5)
        assert len(watch.open) == 1
        stored, _ = lab.site.series(slow, "train_loss")
        assert drawn == stored[: len(drawn)]


def test_without_a_stream_the_page_asks_and_later_goes_back(
    running_browser: Browser, lab: Lab, slow: int
) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        tab.page.route("**/events?*", lambda route: route.abort())
        watch = Watch(tab, lab, slow)
        state = watch.page.locator("#live-state")
        expect(state).to_contain_text("live by asking", timeout=PATIENCE)
        watch.await_steps(10)
        assert f"/r/{slow}/live/" in watch.asked
        watch.page.unroute("**/events?*")
        expect(state).to_contain_text("live ·", timeout=2 * PATIENCE)
        watch.asked.clear()
        drawn = watch.await_steps(10)
        assert f"/r/{slow}/live/" not in watch.asked
        stored, _ = lab.site.series(slow, "train_loss")
        assert drawn == stored[: len(drawn)]
        tab.faults = [fault for fault in tab.faults if "ERR_" not in fault and "Failed to load" not in fault]
