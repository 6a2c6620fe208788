"""The further tabs of a comparison: they draw, everybody can use them, and the address says it all."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.browser import chromium
from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

TABS = ("importance", "parallel", "tradeoff", "config")


def address(lab: Lab, tab: str) -> str:
    return f"/p/housing/compare/?sweep={lab.sweep}&tab={tab}"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1360), ("dark", 400)])
def test_the_tabs_draw_within_the_policy_and_the_width(
    running_browser: Browser, lab: Lab, scheme: str, width: int
) -> None:
    with chromium.visit(running_browser, lab.site.address, scheme=scheme, width=width) as tab:
        for name in TABS:
            page = tab.open(address(lab, name))
            assert len(tab.charts()) == (name != "config"), name
            assert page.locator("html").evaluate("element => element.scrollWidth") <= width, name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_objects_to_none_of_them(running_browser: Browser, lab: Lab, scheme: str) -> None:
    context = running_browser.new_context(
        bypass_csp=True, color_scheme="dark" if scheme == "dark" else "light"
    )
    tab = chromium.Visit(context.new_page(), lab.site.address)
    tab.sign_in()
    found = {}
    for name in TABS:
        page = tab.open(address(lab, name))
        if name == "importance":
            page.click("[popovertarget$=download]")
        results = Axe().run(page)
        if results.violations_count:
            found[name] = results.generate_report()
    context.close()
    assert found == {}


def test_ranges_of_the_axes_are_set_without_a_mouse_and_stay_in_the_address(
    running_browser: Browser, lab: Lab
) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open(address(lab, "parallel"))
        summary = page.locator("#parallel-summary")
        expect(summary).to_contain_text("16 groups of 16 within the ranges")
        page.locator("summary", has_text="Range, scale and direction").focus()
        page.keyboard.press("Enter")
        page.get_by_label("Least depth").fill("2")
        page.get_by_label("Only this activation").select_option("relu")
        page.get_by_label("depth upside down").check()
        page.get_by_label("Least depth").press("Enter")
        expect(summary).to_contain_text("4 groups of 16 within the ranges")
        tab.await_charts()
        link = page.url
        page = tab.open(link.removeprefix(lab.site.address.rstrip("/")))
        expect(page.locator("#parallel-summary")).to_contain_text("4 groups of 16 within the ranges")
        expect(page.get_by_label("Least depth")).to_have_value("2")
        expect(page.get_by_label("depth upside down")).to_be_checked()
        page.get_by_role("link", name="Whole axes").click()
        expect(page.locator("#parallel-summary")).to_contain_text("16 groups of 16")


def test_costs_are_chosen_by_links(running_browser: Browser, lab: Lab) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open(address(lab, "tradeoff"))
        page.get_by_role("link", name="Multiply-adds an example").click()
        expect(page.locator("#tradeoff-title")).to_contain_text("against multiply-adds an example")
        assert "cost=inference" in page.url
        tab.await_charts()
