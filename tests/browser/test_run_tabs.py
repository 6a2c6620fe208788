"""The tabs of a run: the step looked at by click and by key, links that keep state, news on each tab."""

from __future__ import annotations

import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser import chromium
from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

TABS = (
    "",
    "metrics/?smooth=0.6&x=epoch",
    "health/?step=100",
    "gradients/?step=100",
    "activations/",
    "weights/",
    "config/?all=1",
    "logs/",
    "alerts/",
)


def address_of(lab: Lab, tab: str, run: int | None = None) -> str:
    return f"/r/{run or lab.sick}/{tab}"


@pytest.mark.parametrize(("width", "scheme"), [(1360, "light"), (1360, "dark"), (400, "light")])
def test_every_tab_draws_keeps_the_policy_and_fits(
    running_browser: Browser, lab: Lab, width: int, scheme: str
) -> None:
    with chromium.visit(running_browser, lab.site.address, width=width, scheme=scheme) as tab:
        for name in TABS:
            page = tab.open(address_of(lab, name))
            assert page.locator("html").evaluate("element => element.scrollWidth") <= width, name
            page.evaluate("window.scrollTo(0, 0)")
            current = page.locator("#run-tabs [aria-current=page]")
            expect(current).to_be_in_viewport(ratio=0.9)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_to_object_to_on_any_tab(running_browser: Browser, lab: Lab, scheme: str) -> None:
    context = running_browser.new_context(
        bypass_csp=True, color_scheme="dark" if scheme == "dark" else "light"
    )
    tab = chromium.Visit(context.new_page(), lab.site.address)
    tab.sign_in()
    found = {}
    for name in TABS:
        tab.open(address_of(lab, name))
        results = Axe().run(tab.page)
        if results.violations_count:
            found[name] = results.generate_report()
    context.close()
    assert found == {}


def cursor_of(page: Page, chart: str) -> list[float]:
    script = "plot => plot._fullLayout.annotations.filter(note => note.text === '◆').map(note => note.x)"
    return list(page.locator(f"#{chart} [data-chart-plot]").evaluate(script))


def test_arrow_keys_move_the_step_looked_at_and_the_link_keeps_it(running_browser: Browser, lab: Lab) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open(address_of(lab, "gradients/"))
        words = page.locator("#gradient-words")
        at_first = words.inner_text()
        plot = page.locator("#gradients [data-chart-plot]")
        plot.focus()
        for _ in range(3):
            plot.press("ArrowLeft")
        expect(words).not_to_have_text(at_first)
        step = int(page.locator("#step").input_value())
        assert page.url.endswith(f"?step={step}")
        expect(plot).to_be_focused()
        expect(words).to_contain_text(f"Measured at step {step}")
        deadline = time.monotonic() + 10
        while cursor_of(page, "gradients") != [step]:
            assert time.monotonic() < deadline
            page.wait_for_timeout(100)
        page.locator("#tab-health").click()
        page.wait_for_url(f"**/health/?step={step}")
        tab.await_charts()
        assert cursor_of(page, "health-gradient_rms") == [step]
        again = words_of(tab, page.url.replace("/health/", "/gradients/"))
        assert f"Measured at step {step}" in again


def words_of(tab: chromium.Visit, address: str) -> str:
    return tab.open(address.removeprefix(tab.address.rstrip("/"))).locator("#gradient-words").inner_text()


def test_a_click_in_a_map_sets_the_step(running_browser: Browser, lab: Lab) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open(address_of(lab, "health/"))
        page.locator("#health-gradient_rms .nsewdrag").click()
        expect(page.locator("#step")).not_to_have_value("")
        step = page.locator("#step").input_value()
        page.wait_for_url(f"**/health/?step={step}")


def test_the_command_is_copied(running_browser: Browser, lab: Lab) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = tab.open(address_of(lab, "config/"))
        page.get_by_role("button", name="Copy", exact=True).click()
        expect(page.locator("#command-copied")).to_have_text("copied")
        assert page.evaluate("navigator.clipboard.readText()").endswith(f"nnlab submit run-{lab.sick}.json")


def test_the_form_of_the_metrics_is_a_link(running_browser: Browser, lab: Lab) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open(address_of(lab, "metrics/"))
        page.get_by_label("Against").select_option("examples")
        page.get_by_label("Smoothing").fill("0.5")
        page.get_by_role("button", name="Show", exact=True).click()
        page.wait_for_url("**/metrics/?*x=examples*")
        page.reload()
        expect(page.get_by_label("Against")).to_have_value("examples")
        expect(page.get_by_label("Smoothing")).to_have_value("0.5")
        tab.await_charts()
        title = page.locator("[data-chart-plot]").first.evaluate("plot => plot.layout.xaxis.title.text")
        assert title == "examples"


def test_every_tab_of_a_live_run_grows(running_browser: Browser, lab: Lab) -> None:
    (run_id,) = lab.site.submit(
        data={"dataset": "california_housing", "recipe": "lab6"},
        training={"depth": 2, "width": 64, "batch_size": 100, "epochs": 5000},
    )
    lab.site.await_run(run_id, lambda run: run["steps_run"] > 0, 60)
    with chromium.visit(running_browser, lab.site.address) as tab:
        for name, chart in (("metrics/", 0), ("health/", 0), ("gradients/", 0)):
            page = tab.open(address_of(lab, name, run_id))
            plot = page.locator("[data-chart-plot]").nth(chart)
            before = plot.evaluate("plot => plot._fullLayout.xaxis.range[1]")
            deadline = time.monotonic() + 40
            while plot.evaluate("plot => plot._fullLayout.xaxis.range[1]") <= before:
                assert time.monotonic() < deadline, f"the chart of {name} still ends at {before}"
                page.wait_for_timeout(300)
        page = tab.open(address_of(lab, "logs/", run_id))
        lines = page.locator("#log-lines li")
        expect(lines.last).to_contain_text("epoch")
        before = lines.last.inner_text()
        expect(lines.last).not_to_have_text(before, timeout=40_000)
        page.get_by_role("button", name="Stop", exact=True).click()
        lab.site.await_status(run_id, "cancelled", 20)


def test_choosing_a_snapshot_redraws_the_boundary_in_place(running_browser: Browser, lab: Lab) -> None:
    (run_id,) = lab.site.submit(
        name="plane",
        data={"dataset": "xor"},
        training={"hidden_units": [4], "activation": "tanh", "epochs": 20},
    )
    lab.site.await_status(run_id, "finished")
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open(address_of(lab, "weights/", run_id))
        page.get_by_label("After step", exact=True).select_option("0")
        expect(page.locator("#boundary-summary")).to_contain_text("After step 0 the network calls")
        assert page.url.endswith("?step=0")
        page.locator("#tab-activations").click()
        page.wait_for_url("**/activations/?step=0")
        expect(page.locator("#ridges-title")).to_contain_text("after step 0")


def test_a_run_is_tagged_pinned_and_archived_on_its_page(running_browser: Browser, lab: Lab) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open(address_of(lab, "config/", lab.healthy))
        page.get_by_label("Tags to add").fill("good one")
        page.get_by_label("Tags to add").press("Enter")
        expect(page.get_by_label("Take the tag good one away")).to_be_visible()
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_label("Take the tag good one away")).to_have_count(0)
        page.get_by_role("button", name="Pin", exact=True).click()
        expect(page.get_by_text("★ baseline", exact=True)).to_be_visible()
        page.get_by_role("button", name="Unpin", exact=True).click()
        page.get_by_role("button", name="Archive", exact=True).click()
        page.get_by_role("button", name="Unarchive", exact=True).click()
        expect(page.get_by_role("button", name="Archive", exact=True)).to_be_visible()
        assert "/config/" in page.url
