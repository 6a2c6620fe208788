"""The runs table as somebody uses it: by keyboard, with tags, pins, groups and saved views."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import chromium
from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser


@pytest.fixture
def page(running_browser: Browser, lab: Lab) -> Iterator[Page]:
    with chromium.visit(running_browser, lab.site.address) as tab:
        yield tab.open("/p/housing/")


def test_runs_are_found_ticked_and_compared_by_keyboard_alone(page: Page) -> None:
    page.keyboard.press("/")
    expect(page.locator("[type=search]")).to_be_focused()
    page.keyboard.type("jx")  # letters in a field are letters
    expect(page.locator("[type=search]")).to_have_value("jx")
    expect(page.locator("[name=runs]:checked")).to_have_count(0)
    page.keyboard.press("Escape")
    for key in ("j", "x", "j", "j", "k", "x"):
        page.keyboard.press(key)
    expect(page.locator("[name=runs]:checked")).to_have_count(2)
    page.keyboard.press("c")
    page.wait_for_url("**/compare/?runs=*")
    assert page.url.count(",") == 1


def test_keys_lead_to_the_pages_and_can_be_switched_off(page: Page) -> None:
    page.keyboard.press("?")
    page.wait_for_url("**/help/")
    page.get_by_label("Keys are on").uncheck()
    page.locator("body").press("g")
    page.locator("body").press("a")
    page.wait_for_timeout(300)
    assert page.url.endswith("/help/")
    page.get_by_label("Keys are on").check()
    page.locator("h1").click()
    for keys, place in (("ga", "/alerts/"), ("gd", "/datasets/"), ("gq", "/queue/"), ("gh", "/")):
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_url(f"**{place}")


def test_a_row_is_pinned_by_its_key_and_the_pin_is_undone(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("s")
    expect(page.get_by_text("is pinned: the others are measured against it")).to_be_visible()
    expect(page.locator("thead")).to_contain_text("vs ★")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("No run is pinned any more.")).to_be_visible()
    expect(page.locator("thead")).not_to_contain_text("vs ★")


def test_all_of_a_page_are_tagged_and_the_tag_filters(page: Page) -> None:
    page.goto(f"{page.url}?activation=tanh")
    page.get_by_label("Select all runs of this page").check()
    page.get_by_label("Tags").fill("smooth")
    page.get_by_role("button", name="Tag", exact=True).click()
    expect(page.get_by_text("runs tagged smooth")).to_be_visible()
    tagged = page.locator("tbody tr").count()
    page.goto(f"{page.url.partition('?')[0]}?tag=!smooth&group=activation")
    expect(page.locator("tbody")).not_to_contain_text(["tanh"])
    page.goto(f"{page.url.partition('?')[0]}?tag=smooth")
    expect(page.locator("tbody tr")).to_have_count(tagged)


def test_a_group_opens_and_its_view_is_saved_and_comes_back_by_its_link(page: Page) -> None:
    page.get_by_label("Group by").select_option("activation")
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("link", name="activation = relu").first.click()
    expect(page.locator("[aria-expanded=true]")).to_have_count(1)
    query = page.url.partition("#")[0].partition("?")[2]
    page.get_by_role("button", name="Save view").click()
    page.get_by_label("Save this view as").fill("by activation")
    page.locator("#save-view").get_by_role("button", name="Save").click()
    expect(page.get_by_text("saved as “by activation”")).to_be_visible()
    page.goto(page.url.partition("p/")[0])
    page.get_by_role("link", name="by activation").click()
    page.wait_for_url(f"**/p/housing/?{query}")


def test_the_link_of_a_page_can_be_copied(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Link copied")).to_be_visible()


def test_ticked_runs_and_hidden_groups_are_still_there_after_back_and_forward(
    running_browser: Browser, lab: Lab
) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open("/p/housing/")
        boxes = page.locator("tbody [name=runs]")
        for place in (0, 3, 5):
            boxes.nth(place).check()
        page.get_by_role("button", name="Compare selected").click()
        page.wait_for_url("**/compare/?runs=*")
        page.get_by_role("link", name="Hide ").first.click()
        page.wait_for_url("**hide=*")
        hidden = page.url
        page.go_back()
        page.go_back()
        expect(page.locator("tbody [name=runs]:checked")).to_have_count(3)
        assert [boxes.nth(place).is_checked() for place in (0, 3, 5)] == [True] * 3
        page.go_forward()
        page.go_forward()
        assert page.url == hidden
        expect(page.get_by_role("link", name="Draw ")).to_have_count(1)


def test_a_phone_shows_the_name_first_and_the_other_filters_when_asked(
    running_browser: Browser, lab: Lab
) -> None:
    with chromium.visit(running_browser, lab.site.address, width=400) as tab:
        page = tab.open("/p/housing/")
        activation, more = page.locator("#filter-activation"), page.get_by_role("button", name="More filters")
        expect(page.locator("#filter-q")).to_be_visible()
        expect(activation).to_be_hidden()
        more.click()
        activation.fill("relu")
        activation.press("Enter")
        page.wait_for_url("**activation=relu*")
        expect(activation).to_have_value("relu")
        expect(activation).to_be_visible()
        page.set_viewport_size({"width": 1360, "height": 900})
        expect(more).to_be_hidden()
