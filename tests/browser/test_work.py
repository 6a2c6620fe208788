"""What people do: submit, watch, stop, clone, and make mistakes."""

from __future__ import annotations

import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser import chromium
from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser


def fill(page: Page, **values: str) -> None:
    for name, value in values.items():
        page.fill(f"[name={name}]", value)


def test_an_administrator_submits_watches_stops_and_clones_a_run(running_browser: Browser, lab: Lab) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open("/admin/runs/sweep/add/")
        fill(page, project="Admin", name="long run", dataset="california_housing", recipe="lab6")
        fill(page, depth="3", width="64", epochs="5000", batch_size="100", seeds="1")
        page.click("[name=_save]")
        expect(page.locator(".messagelist")).to_contain_text("1 run(s) queued")
        page.click(".messagelist a")
        run_id = lab.site.request("GET", "runs?project=admin")["runs"][0]["id"]
        lab.site.await_run(run_id, lambda run: run["steps_run"] > 0, 60)

        tab.open("/admin/runs/run/")
        expect(page.locator(f"tr:has(input[value='{run_id}'])")).to_contain_text("Running")
        page.check(f"input[name=_selected_action][value='{run_id}']")
        page.select_option("[name=action]", "stop")
        page.click("[name=index]")
        expect(page.locator(".messagelist")).to_contain_text("1 run is being stopped")
        lab.site.await_status(run_id, "cancelled", 20)

        tab.open("/admin/runs/run/")
        expect(page.locator(f"tr:has(input[value='{run_id}'])")).to_contain_text("Cancelled")
        page.check(f"input[name=_selected_action][value='{run_id}']")
        page.select_option("[name=action]", "clone")
        page.click("[name=index]")
        expect(page.locator(".messagelist")).to_contain_text("was queued again as run")
        clone = lab.site.request("GET", "runs?project=admin")["runs"][0]
        assert clone["id"] != run_id
        lab.site.request("POST", f"runs/{clone['id']}/stop")
        lab.site.await_run(clone["id"], lambda run: run["status"] == "cancelled", 30)


def test_a_live_run_grows_without_reloading(running_browser: Browser, lab: Lab) -> None:
    (run_id,) = lab.site.submit(
        data={"dataset": "california_housing", "recipe": "lab6"},
        training={"depth": 2, "width": 64, "batch_size": 100, "epochs": 5000},
    )
    lab.site.await_run(run_id, lambda run: run["steps_run"] > 0, 60)
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open(f"/r/{run_id}/")
        expect(page.locator("#live-state")).to_contain_text("live", timeout=10_000)
        before = drawn_until(page)
        deadline = time.monotonic() + 20
        while drawn_until(page) <= before:
            assert time.monotonic() < deadline, f"the chart still ends at step {before}"
            page.wait_for_timeout(300)
        page.get_by_role("button", name="Stop", exact=True).click()
        lab.site.await_status(run_id, "cancelled", 20)


def drawn_until(page: Page) -> float:
    """Where the x axis of the loss chart ends."""
    drawn = page.locator("#loss .js-plotly-plot, #loss [data-chart-plot]").first
    return float(drawn.evaluate("plot => plot._fullLayout.xaxis.range[1]"))


def test_runs_are_counted_before_a_sweep_is_submitted(running_browser: Browser, lab: Lab) -> None:
    before = lab.site.request("GET", "runs")["runs"][0]["id"]
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open("/sweeps/new/")
        fill(page, project="Counted", name="counted", depth="1, 2, 3", width="8, 16", seeds="4")
        page.click("[name=preview]")
        expect(page.locator("#preview")).to_contain_text("this would be 24 runs")
        expect(page.locator("[name=depth]")).to_have_value("1, 2, 3")
    assert lab.site.request("GET", "runs")["runs"][0]["id"] == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_checks_find_before_training_can_be_read_by_everybody(
    running_browser: Browser, lab: Lab, scheme: str
) -> None:
    context = running_browser.new_context(
        bypass_csp=True,
        viewport={"width": 400, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    tab = chromium.Visit(context.new_page(), lab.site.address)
    tab.sign_in()
    page = tab.open("/sweeps/new/")
    fill(page, project="Told", name="told", depth="3, 30", width="2, 64", dropout="0, 0.8", seeds="3")
    page.click("[name=preview]")
    preview = page.locator("#preview")
    expect(preview).to_contain_text("this would be 24 runs")
    expect(preview).to_contain_text("Narrow ReLU layers")
    expect(preview).to_contain_text("in 4 of 8 configurations")
    preview.locator("summary").first.click()
    expect(preview.locator("details").first).to_contain_text("64-64-64 relu dropout 0.8")
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    assert page.locator("html").evaluate("element => element.scrollWidth") <= 400
    context.close()


def test_bad_input_is_named_beside_its_field_and_queues_nothing(running_browser: Browser, lab: Lab) -> None:
    before = lab.site.request("GET", "runs")["runs"][0]["id"]
    with chromium.visit(running_browser, lab.site.address) as tab:
        for path in ("/sweeps/new/", "/admin/runs/sweep/add/"):
            page = tab.open(path)
            fill(page, project="Bad", name="bad", dataset="houses.csv", depth="1, 2", width="0, 10000000")
            fill(page, learning_rate="nan", dropout="1", seeds="3")
            page.click("main [type=submit], [name=_save]")
            page.locator(".field__error, .errorlist").first.wait_for()
            text = page.locator("body").inner_text()
            assert "no file 'houses.csv' among the CSV datasets" in text
            assert "width: expected a whole number from 1 to 65,536, got 0" in text
            assert "learning_rate: expected a number above 0, got nan" in text
            assert "dropout: expected a number of at least 0 and below 1, got 1" in text
        # The browser notes that the form was answered with 400, as it should be.
        tab.faults = [fault for fault in tab.faults if "status of 400" not in fault]
    assert lab.site.request("GET", "runs")["runs"][0]["id"] == before


def test_an_alert_leads_to_its_repair(running_browser: Browser, lab: Lab) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open(f"/r/{lab.sick}/")
        expect(page.get_by_text("hidden 1, hidden 2 and hidden 3").first).to_be_visible()
        page.get_by_role("link", name="Clone with this change").first.click()
        expect(page.locator("[name=activation][value=relu]")).to_be_checked()
        expect(page.locator("[name=activation][value=sigmoid]")).not_to_be_checked()
        page.fill("[name=name]", "repaired")
        page.click("main form [type=submit]")
        run_id = lab.site.request("GET", "runs")["runs"][0]["id"]
        run = lab.site.await_status(run_id, "finished", 60)
        assert run["name"] == "repaired"
        assert run["score"] > 0.9
