"""Notifications and backtests as people use them, on a wide screen and on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import chromium
from tests.browser.conftest import Lab
from tests.runs.receiver import receiver
from tests.services.installation import installation

pytestmark = pytest.mark.browser

SICK = {
    "hidden_units": [128, 64, 32, 16, 8],
    "activation": "sigmoid",
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "steps": 1000,
}


def width_of(page: Page) -> int:
    return int(page.locator("html").evaluate("element => element.scrollWidth"))


def add_webhook(page: Page, address: str) -> str:
    """Fill the form in; the secret that is shown."""
    page.select_option("[name=kind]", "webhook")
    page.fill("[name=address]", address)
    page.get_by_role("button", name="Add", exact=True).click()
    return page.locator(".message--success pre").inner_text()


def test_an_alert_of_a_run_reaches_a_webhook_that_was_tried_before(
    running_browser: Browser, tmp_path: Path
) -> None:
    settings = {"NNLAB_ADMIN_PASSWORD": chromium.PASSWORD, "NNLAB_ALLOW_PRIVATE_WEBHOOKS": "true"}
    with receiver() as hook, installation(tmp_path / "home", **settings) as site:
        (first,) = site.submit(data={"dataset": "iris"}, training={"steps": 5})
        site.await_status(first, "finished")
        with chromium.visit(running_browser, site.address, width=400) as tab:
            page = tab.open("/p/tests/notifications/")
            expect(page.get_by_text("Nobody is told of this project")).to_be_visible()
            assert add_webhook(page, hook.url).startswith("nnhook_")
            assert width_of(page) <= 400
            page.get_by_role("button", name="Send a test").click()
            # The page asks by itself how it went.
            expect(page.get_by_role("cell", name="200 OK")).to_be_visible(timeout=20_000)
            (sick,) = site.submit(name="quiz", data={"dataset": "digits"}, training=SICK)
            site.await_status(sick, "finished")
            page = tab.open("/p/tests/notifications/")
            expect(page.get_by_role("cell", name="vanishing")).to_be_visible()
            expect(page.locator(".status", has_text="sent")).to_have_count(2, timeout=20_000)
            assert width_of(page) <= 400
        assert [body["event"] for body in (hook.json(0)["nnlab"], hook.json(1)["nnlab"])] == [
            "test",
            "alerts",
        ]
        assert hook.json(1)["nnlab"]["run"]["id"] == sick
        assert len(hook.requests) == 2


def test_a_webhook_into_the_own_network_is_refused_unless_it_is_allowed(
    running_browser: Browser, lab: Lab
) -> None:
    with receiver() as hook, chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open("/p/tests/notifications/")
        add_webhook(page, hook.url.replace("127.0.0.1", "localhost"))
        page.get_by_role("button", name="Send a test").click()
        expect(page.get_by_role("cell", name="is a private, local or reserved address")).to_be_visible(
            timeout=20_000
        )
        page.get_by_role("button", name="Delete").click()
        assert hook.requests == []


@pytest.mark.parametrize(("width", "scheme"), [(1360, "light"), (400, "dark")])
def test_a_backtest_names_the_run_that_other_thresholds_would_have_missed(
    running_browser: Browser, lab: Lab, width: int, scheme: str
) -> None:
    with chromium.visit(running_browser, lab.site.address, width=width, scheme=scheme) as tab:
        page = tab.open("/p/tests/backtest/")
        page.fill("[name=thresholds]", '{"checks": {"vanishing": {"open": 0, "clear": 0}}}')
        page.get_by_role("button", name="Replay").click()
        row = page.get_by_role("row", name="vanishing").first
        expect(row).to_contain_text("1 → 0")
        link = page.get_by_role("region", name="Runs that differ").get_by_role("link")
        assert f"/r/{lab.sick}/" in [link.nth(place).get_attribute("href") for place in range(link.count())]
        assert width_of(page) <= width
