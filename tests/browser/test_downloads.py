"""Downloads of a chart: four formats from one menu, by mouse and by keyboard, and the range by numbers."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import chromium
from tests.browser.conftest import Lab

pytestmark = pytest.mark.browser


def download(page: Page, chart: str, kind: str, folder: Path) -> Path:
    """Open the menu of a chart and choose a format."""
    page.click(f"#{chart} [popovertarget={chart}-download]")
    with page.expect_download() as found:
        page.click(f"#{chart}-download [data-kind={kind}]")
    target = folder / f"{chart}.{kind}"
    assert found.value.suggested_filename == target.name
    found.value.save_as(target)
    page.keyboard.press("Escape")
    expect(page.locator(f"#{chart}-download")).to_be_hidden()
    return target


def test_a_chart_is_downloaded_in_every_format(running_browser: Browser, lab: Lab, tmp_path: Path) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open(f"/p/housing/compare/?sweep={lab.sweep}&tab=factors")
        files = {
            kind: download(page, "factor-depth", kind, tmp_path) for kind in ("csv", "json", "png", "html")
        }
    head, *rows = csv.reader(files["csv"].read_text().splitlines())
    assert head == ["series", "Depth", "validation RMSE (USD)", "low", "high"]
    means = [row for row in rows if row[0] == "mean"]
    assert [mean[1] for mean in means] == ["1", "2"]
    assert len(rows) == 2 + 32  # every run beside its mean
    for _, _, value, low, high in means:
        assert float(low) < float(value) < float(high)
    figure = json.loads(files["json"].read_text())
    assert [trace["type"] for trace in figure["data"]] == ["scatter", "scatter"]
    assert figure["data"][1]["y"] == pytest.approx([float(mean[2]) for mean in means])
    assert files["png"].read_bytes().startswith(b"\x89PNG")


def test_a_saved_page_draws_by_itself_without_any_network(
    running_browser: Browser, lab: Lab, tmp_path: Path
) -> None:
    evil = "</script><script>document.title='run'</script>"
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open(f"/p/housing/compare/?sweep={lab.sweep}&tab=factors")
        page.locator("#factor-depth .chart__title").evaluate(f"title => title.textContent = {evil!r}")
        saved = download(page, "factor-depth", "html", tmp_path)
    context = running_browser.new_context(offline=True)
    alone = context.new_page()
    asked: list[str] = []
    faults: list[str] = []
    alone.on("request", lambda request: asked.append(request.url))
    alone.on("pageerror", lambda error: faults.append(str(error)))
    alone.goto(saved.as_uri())
    alone.locator(".errorbar path").first.wait_for(state="attached")
    assert alone.title() == evil
    assert [address for address in asked if not address.startswith(("file:", "blob:", "data:"))] == []
    assert faults == []
    context.close()


def test_the_menu_opens_and_closes_by_keyboard(running_browser: Browser, lab: Lab, tmp_path: Path) -> None:
    with chromium.visit(running_browser, lab.site.address, width=400) as tab:
        page = tab.open(f"/r/{lab.healthy}/")
        button = page.locator("#loss [popovertarget=loss-download]")
        menu = page.locator("#loss-download")
        button.focus()
        page.keyboard.press("Enter")
        expect(menu).to_be_visible()
        box = menu.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 400
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.dataset.kind") == "csv"
        for item in menu.locator("button").all():
            size = item.bounding_box()
            assert size is not None
            assert min(size["width"], size["height"]) >= 24
        with page.expect_download():
            page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        expect(menu).to_be_hidden()
        expect(button).to_be_focused()


def test_numbers_zoom_a_chart_as_dragging_does(running_browser: Browser, lab: Lab) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open(f"/r/{lab.healthy}/")
        page.click("#loss [popovertarget=loss-range]")
        page.fill("#loss-range [name=from]", "20")
        page.fill("#loss-range [name=to]", "60")
        page.keyboard.press("Enter")
        shown = page.locator("#loss [data-chart-plot]").evaluate("plot => plot._fullLayout.xaxis.range")
        assert shown == [20, 60]


def test_data_are_true_and_levels_plain_whatever_is_drawn(
    running_browser: Browser, lab: Lab, tmp_path: Path
) -> None:
    rates = [0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03]  # so many that a tick is one line: "0.01 (2)"
    sweep = lab.site.request(
        "POST",
        "sweeps",
        {
            "project": "Rates",
            "name": "rates",
            "data": {"dataset": "digits"},
            "training": {"hidden_units": [32], "optimizer": "adam", "epochs": 5},
            "grid": {"learning_rate": rates},
            "seeds": 2,
        },
    )
    for run in sweep["runs"]:
        lab.site.await_status(run, "finished", 120)
    told = lab.site.request("GET", f"projects/rates/comparison?sweep={sweep['id']}&effects=true")
    [factor] = [one for one in told["factors"] if one["name"] == "learning_rate"]
    with chromium.visit(running_browser, lab.site.address) as tab:
        page = tab.open(f"/p/rates/compare/?sweep={sweep['id']}&tab=factors")
        drawn = download(page, "factor-learning-rate", "csv", tmp_path)
        page = tab.open(f"/p/rates/compare/?sweep={sweep['id']}&tab=parallel")
        lines = download(page, "parallel", "csv", tmp_path)
    _head, *rows = csv.reader(drawn.read_text().splitlines())
    means = {row[1]: [float(cell) for cell in row[2:]] for row in rows if row[0] == "mean"}
    assert [float(level) for level in means] == rates
    effects = [[level["mean"], level["low"], level["high"]] for level in factor["effects"]]
    assert [[value / 100 for value in row] for row in means.values()] == [
        pytest.approx(row) for row in effects
    ]
    assert max(row[2] for row in means.values()) > 100  # else nothing would be cut
    assert "validation accuracy (%)" in {row[1] for row in csv.reader(lines.read_text().splitlines())}


def test_each_line_is_saved_with_its_own_band(running_browser: Browser, lab: Lab, tmp_path: Path) -> None:
    with chromium.visit(running_browser, lab.site.address) as tab:
        tab.open(f"/p/housing/compare/?sweep={lab.sweep}&depth=1&width=8&dropout=0")
        saved = download(tab.page, "curves-0", "csv", tmp_path)
    _, *rows = csv.reader(saved.read_text().splitlines())
    banded = [row for row in rows if row[3]]
    assert {row[0] for row in banded} == {"relu", "tanh"}
    assert len(banded) == 2 * 3  # a row for each epoch
    assert all(float(low) < float(value) < float(high) for _, _, value, low, high in banded)
