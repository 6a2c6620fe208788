"""Every page: it draws, it keeps the policy, and everybody can use it."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser import chromium
from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

PAGES = {
    "home": "/",
    "project": "/p/housing/",
    "project with columns": "/p/housing/?columns=metric.val_loss.best,param.training.seed&sort=-score",
    "project in groups": "/p/housing/?group=activation&open=relu",
    "archived runs": "/p/housing/?archived=1",
    "sweeps": "/p/housing/sweeps/",
    "questions": "/p/housing/questions/",
    "new question": "/p/housing/questions/new/",
    "compare a sweep": "/p/housing/compare/?sweep={lab.sweep}",
    "compare faceted": "/p/housing/compare/?sweep={lab.sweep}&facet=depth&color=activation&smooth=0.5",
    "compare factors": "/p/housing/compare/?sweep={lab.sweep}&tab=factors",
    "compare as a grid": "/p/housing/compare/?sweep={lab.sweep}&tab=grid",
    "differences": "/p/housing/compare/?sweep={lab.sweep}&tab=differences&within=2",
    "changes": "/p/housing/changes/",
    "backtest": "/p/housing/backtest/",
    "notifications": "/p/housing/notifications/",
    "sick run": "/r/{lab.sick}/",
    "healthy run": "/r/{lab.healthy}/?measure=dead_share",
    "gradients as a map": "/r/{lab.sick}/?measure=gradient_rms",
    "metrics of a run": "/r/{lab.sick}/metrics/",
    "health of a run": "/r/{lab.sick}/health/",
    "gradients of a run": "/r/{lab.sick}/gradients/",
    "configuration of a run": "/r/{lab.sick}/config/",
    "log of a run": "/r/{lab.sick}/logs/",
    "alerts of a run": "/r/{lab.sick}/alerts/",
    "alerts": "/alerts/",
    "help": "/help/",
    "datasets": "/datasets/",
    "shipped dataset": "/datasets/california_housing/",
    "upload": "/datasets/upload/",
    "dataset of pictures": "/datasets/digits/",
    "trash": "/trash/",
    "queue": "/queue/",
    "workers": "/workers/",
    "new sweep": "/sweeps/new/",
    "clone and edit": "/sweeps/new/?from={lab.sick}",
    "admin": "/admin/",
    "admin runs": "/admin/runs/run/",
    "admin queue": "/admin/runs/queuedrun/",
    "admin submission": "/admin/runs/sweep/add/",
}
OURS = [name for name in PAGES if not name.startswith("admin")]
LEAST_CHARTS = {
    "compare a sweep": 1,
    "compare faceted": 2,
    "compare factors": 2,
    "compare as a grid": 1,
    "sick run": 4,
    "healthy run": 4,
    "gradients as a map": 4,
    "metrics of a run": 4,
    "health of a run": 5,
    "gradients of a run": 2,
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_draws_and_keeps_the_policy(running_browser: Browser, lab: Lab, scheme: str) -> None:
    with chromium.visit(running_browser, lab.site.address, scheme=scheme) as tab:
        for name, path in PAGES.items():
            tab.open(path.format(lab=lab))
            assert len(tab.charts()) >= LEAST_CHARTS.get(name, 0), name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_to_object_to(running_browser: Browser, lab: Lab, scheme: str) -> None:
    # axe needs eval, which the policy forbids, so it gets a context of its own.
    context = running_browser.new_context(
        bypass_csp=True, color_scheme="dark" if scheme == "dark" else "light"
    )
    tab = chromium.Visit(context.new_page(), lab.site.address)
    tab.sign_in()
    found = {}
    for name in OURS:
        tab.open(PAGES[name].format(lab=lab))
        results = Axe().run(tab.page)
        if results.violations_count:
            found[name] = results.generate_report()
    context.close()
    assert found == {}


def test_no_page_is_wider_than_a_phone(running_browser: Browser, lab: Lab) -> None:
    with chromium.visit(running_browser, lab.site.address, width=400) as tab:
        for name in OURS:
            page = tab.open(PAGES[name].format(lab=lab))
            width = page.locator("html").evaluate("element => element.scrollWidth")
            assert width <= 400, f"{name} is {width} px wide"


def test_a_stranger_sees_only_the_login_page(running_browser: Browser, lab: Lab) -> None:
    context = running_browser.new_context()
    page = context.new_page()
    for name, path in PAGES.items():
        page.goto(lab.site.address.rstrip("/") + path.format(lab=lab))
        assert "/login/" in page.url, name
    context.close()
