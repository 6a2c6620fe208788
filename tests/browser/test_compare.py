"""Comparing a sweep in a browser: from tab to tab, by a form and by links that keep the view."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium
from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser


def test_a_view_goes_from_the_form_into_the_address_and_along_with_the_tabs(
    running_browser: Browser, lab: Lab
) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open(f"/p/housing/compare/?sweep={lab.sweep}")
        page.get_by_text("More: lines and bands").click()
        page.get_by_label("Line", exact=True).select_option("median")
        page.get_by_label("Horizontal axis", exact=True).select_option("epoch")
        page.get_by_label("A chart for each", exact=True).select_option("depth")
        page.get_by_label("Smoothing, 0 to 0.99").fill("0.5")
        page.get_by_role("button", name="Show", exact=True).click()
        page.wait_for_url("**agg=median**")
        assert page.get_by_label("Line", exact=True).input_value() == "median"
        assert len(tab.charts()) > 1
        assert "Smoothed over all points with weight 0.5" in page.locator("main").inner_text()

        ways = page.get_by_role("navigation", name="Ways to compare")
        ways.get_by_role("link", name="Factors").click()
        page.wait_for_url("**tab=factors**")
        ways.get_by_role("link", name="Curves").click()
        page.wait_for_url("**facet=depth**")
        assert page.get_by_label("Smoothing, 0 to 0.99").input_value() == "0.5"
        assert page.get_by_label("Horizontal axis", exact=True).input_value() == "epoch"


def test_a_group_is_hidden_and_the_list_stays_as_it_was(running_browser: Browser, lab: Lab) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open(f"/p/housing/compare/?sweep={lab.sweep}")
        means = page.locator("table:has(caption:text('Groups')) tbody td:nth-child(2)").all_inner_texts()
        first = page.get_by_role("link", name="Hide ").first
        name = str(first.get_attribute("aria-label")).removeprefix("Hide ")
        first.click()
        page.wait_for_url("**hide=**")
        assert page.get_by_role("link", name=f"Draw {name}", exact=True).is_visible()
        assert f"{name} (n" not in page.locator("[data-chart-legend]").first.inner_text()
        again = page.locator("table:has(caption:text('Groups')) tbody td:nth-child(2)").all_inner_texts()
        assert again == means
