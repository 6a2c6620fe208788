"""A question in a real browser: asked by the form, watched, answered; for everybody, on a phone as well."""

from __future__ import annotations

import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.browser import chromium
from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser

ASKED = {
    "name": "Is deeper better at 2,035 parameters?",
    "data": {"dataset": "digits"},
    "training": {"epochs": 3},
    "depth": [1, 2],
    "budget": {"parameters": 2035},
    "learning_rates": [0.0003, 0.001],
    "tuning_seeds": 1,
    "seeds": 3,
}


@pytest.fixture(scope="module")
def answered(lab: Lab) -> str:
    """The address of an answer whose best rates are at the edge."""
    asked = lab.site.request("POST", "projects/digits/questions", ASKED)
    deadline = time.monotonic() + 120
    while lab.site.request("GET", f"projects/digits/questions/{asked['id']}")["verdict"] is None:
        assert time.monotonic() < deadline, lab.site.logs()
        time.sleep(0.5)
    return f"/p/digits/questions/{asked['id']}/"


def test_a_question_is_previewed_asked_watched_and_answered(running_browser: Browser, lab: Lab) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open("/p/housing/questions/")
        page.get_by_role("link", name="New question").first.click()
        typed = {
            "name": "Which depth?", "depth": "1, 2", "budget": "90", "learning_rates": "0.001, 0.003, 0.01",
            "tuning_seeds": "1", "seeds": "2", "dataset": "digits", "recipe": "default", "epochs": "2",
            "batch_size": "32",
        }  # fmt: skip
        for name, value in typed.items():
            page.fill(f"main [name={name}]", value)
        # The answer of a form that is refused is 400, which the console counts as an error.
        page.get_by_role("button", name="Show the networks").click()
        expect(page.locator("#errors-title")).to_contain_text("Nothing was asked")
        tab.faults.clear()
        page.fill("main [name=budget]", "2035")
        page.get_by_role("button", name="Show the networks").click()
        expect(page.locator("#preview")).to_contain_text("this would be 10 runs")
        expect(page.locator("#preview")).to_contain_text("21-21")
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.get_by_role("list", name="Progress")).to_contain_text("2. Answering with fresh seeds")
        for chart in ("tuning", "answer"):  # that nobody reloads
            expect(page.locator(f"#{chart}[data-drawn]")).to_be_attached(timeout=90_000)
        expect(page.locator("#tuning-summary")).to_contain_text("is best", timeout=90_000)
        page.get_by_role("link", name="Show the answer").click(timeout=90_000)
        expect(page.locator(".verdict")).to_contain_text("At 2,035 parameters")
        expect(page.locator(".verdict")).to_contain_text(
            "2 seeds, learning rate tuned over 3 values per network"
        )
        tab.await_charts()
        assert set(tab.charts()) == {"answer", "tuning"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_answer_draws_and_axe_finds_nothing_to_object_to(
    running_browser: Browser, lab: Lab, answered: str, scheme: str
) -> None:
    with chromium.visit(running_browser, lab.site.address, scheme=scheme) as tab:
        tab.open(answered)
        assert set(tab.charts()) == {"answer", "tuning"}
    context = running_browser.new_context(
        bypass_csp=True, color_scheme="dark" if scheme == "dark" else "light"
    )
    tab = chromium.Visit(context.new_page(), lab.site.address)
    tab.sign_in()
    for path in (answered, "/p/digits/questions/"):
        tab.open(path)
        results = Axe().run(tab.page)
        assert results.violations_count == 0, results.generate_report()
    context.close()


def test_an_answer_and_a_preview_fit_a_phone(running_browser: Browser, lab: Lab, answered: str) -> None:
    with chromium.visit(running_browser, lab.site.address, width=400) as tab:
        for path in (answered, "/p/digits/questions/", "/p/digits/questions/new/"):
            page = tab.open(path)
            if path.endswith("new/"):
                page.get_by_role("button", name="Show the networks").click()
                page.locator("#preview").wait_for()
            width = page.locator("html").evaluate("element => element.scrollWidth")
            assert width <= 400, f"{path} is {width} px wide"


def test_a_rate_at_the_edge_is_asked_about_again_with_one_click(
    running_browser: Browser, lab: Lab, answered: str
) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open(answered)
        expect(page.locator("#verdict-title")).to_contain_text("may be confounded")
        page.get_by_role("button", name="Ask again with a wider range of rates").click()
        expect(page.locator(".messages")).to_contain_text("Asked again with the learning rates")
        expect(page.locator("h1")).to_contain_text(", wider")


def test_a_question_that_is_stopped_ends_without_an_answer(running_browser: Browser, lab: Lab) -> None:
    asked = {
        "name": "for ever",
        "data": {"dataset": "digits"},
        "training": {"steps": 4_000_000},
        "depth": [1, 2],
        "budget": {"parameters": 2035},
        "learning_rates": [0.001, 0.01, 0.1],
    }
    made = lab.site.request("POST", "projects/digits/questions", asked)
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open(f"/p/digits/questions/{made['id']}/")
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("main")).to_contain_text("It ended without an answer", timeout=20_000)
