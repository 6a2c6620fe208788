"""From an alert to the verdict on its advice, and the inbox by keyboard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser import chromium
from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

TRAINING = {
    "hidden_units": [128, 64, 32, 16, 8],
    "activation": "sigmoid",
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "epochs": 8,
}


@pytest.fixture
def sick(lab: Lab) -> int:
    """A run of a project of its own, whose gradient vanishes."""
    sweep = {"project": "Fixes", "name": "sick", "data": {"dataset": "digits"}, "training": TRAINING}
    run_id = int(lab.site.request("POST", "sweeps", {**sweep, "seeds": [0]})["runs"][0])
    lab.site.await_status(run_id, "finished", 120)
    return run_id


@pytest.fixture
def page(running_browser: Browser, lab: Lab) -> Iterator[Page]:
    with chromium.visit(running_browser, lab.site.address) as tab:
        yield tab.page


def test_a_fix_is_one_click_and_its_verdict_comes_by_itself(page: Page, lab: Lab, sick: int) -> None:
    page.goto(f"{lab.site.address}r/{sick}/")
    page.get_by_role("button", name="Rerun with this fix").first.click()
    card = page.locator("section[id^=fix-]")
    expect(card).to_contain_text("helped", timeout=120_000)  # where the page is slow it is there at once
    lines = card.locator("figure[data-chart] .scatterlayer .trace")
    expect(lines).to_have_count(5, timeout=20_000)
    expect(card.locator("tbody tr")).to_have_count(6)  # five pairs and their mean


def test_what_is_typed_ticked_and_opened_outlives_the_news_of_a_run(page: Page, lab: Lab) -> None:
    training = {**TRAINING, "epochs": 20_000}
    (run_id,) = lab.site.submit(name="long", data={"dataset": "digits"}, training=training)
    lab.site.await_status(run_id, "running")
    page.goto(f"{lab.site.address}r/{run_id}/alerts/")
    # Which card is on top changes while checks speak up; this one's place may change, too.
    name = page.locator("#alerts article").first.get_attribute("id", timeout=60_000)
    card = page.locator(f"#{name}")
    box, reason = card.get_by_role("checkbox").nth(1), card.locator("input[name^=reason-]")
    box.check()
    card.get_by_label("Paired seeds").select_option("3")
    card.get_by_text("Evidence", exact=True).click()
    card.get_by_text("Mute", exact=True).first.click()
    reason.fill("known, but")
    said = card.locator("p.muted").first.inner_text()
    expect(card.locator("p.muted").first).not_to_have_text(said, timeout=60_000)
    expect(reason).to_have_value("known, but")
    expect(reason).to_be_focused()
    expect(box).to_be_checked()
    expect(card.get_by_label("Paired seeds")).to_have_value("3")
    expect(card.get_by_role("row", name="formula")).to_be_visible()
    page.get_by_role("button", name="Stop").first.click()


def test_a_double_click_is_one_trial(page: Page, lab: Lab, sick: int) -> None:
    page.goto(f"{lab.site.address}r/{sick}/")
    page.get_by_role("button", name="Rerun with this fix").first.dblclick()
    expect(page.locator("section[id^=fix-]")).to_have_count(1)
    expect(page.locator(".message")).to_be_visible()
    alerts = lab.site.request("GET", "alerts?project=fixes")["alerts"]
    numbers = [alert["id"] for alert in alerts if alert["run"] == sick]
    assert sum(len(lab.site.request("GET", f"alerts/{number}/fixes")) for number in numbers) == 1


def test_enter_in_a_reason_presses_no_button(page: Page, lab: Lab, sick: int) -> None:
    page.goto(f"{lab.site.address}r/{sick}/")
    page.locator("#alerts summary", has_text="Mute").first.click()
    reason = page.locator("input[name^=reason-]").first
    reason.fill("because")
    reason.press("Enter")
    expect(reason).to_have_value("because")
    expect(page.locator(".message")).to_have_count(0)


def test_alerts_are_acknowledged_and_muted_by_keyboard_alone(page: Page, lab: Lab, sick: int) -> None:
    inbox = f"{lab.site.address}alerts/?project=fixes&check=vanishing"
    page.goto(inbox)
    rows = page.locator("[aria-label=Alerts] tbody tr")
    before = rows.count()
    assert before >= 1
    page.get_by_role("checkbox").first.focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Acknowledge selected").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".message")).to_contain_text("1 alert acknowledged")
    expect(rows).to_have_count(before - 1)

    page.goto(f"{inbox}&state=acknowledged")
    page.get_by_role("checkbox").first.focus()
    page.keyboard.press("Space")
    page.fill("[name=reason]", "seen in class")
    page.select_option("[name=for]", label="for 1 week")
    page.get_by_role("button", name="Mute selected").focus()
    page.keyboard.press("Enter")
    page.locator("summary", has_text="Muted: ").click()
    expect(page.locator("[aria-label='Muted alerts']")).to_contain_text("UTC: seen in class")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_cards_and_folds_can_be_used_by_everybody(
    running_browser: Browser, lab: Lab, sick: int, scheme: str
) -> None:
    alert = lab.site.request("GET", "alerts?project=fixes&check=vanishing")["alerts"][0]
    lab.site.request("POST", f"alerts/{alert['id']}/fix", {"seeds": 1})
    lab.site.request("POST", f"alerts/{alert['id']}/mute", {"reason": "known", "hours": 3})
    context = running_browser.new_context(
        bypass_csp=True,
        viewport={"width": 400, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    tab = chromium.Visit(context.new_page(), lab.site.address)
    tab.sign_in()
    for path in (f"/r/{alert['run']}/", "/alerts/?state="):
        page = tab.open(path)
        for fold in page.locator("details").all():
            fold.evaluate("element => { element.open = true; }")
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()
        assert page.locator("html").evaluate("element => element.scrollWidth") <= 400, path
    context.close()
