"""Makes the README's pictures: ``python -m tests.browser.screenshots`` trains the demonstration."""

from __future__ import annotations

import sys
import tempfile
import tomllib
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser import chromium
from tests.services.installation import CHECKOUT, Installation, installation

DOCS = CHECKOUT / "docs"
DEMO = CHECKOUT / "runs" / "demo"
WIDTH, HEIGHT = 1360, 1000
COMPARISON_HEIGHT = 1480  # down to the best of the groups


def main() -> None:
    """Train, photograph, and say where the pictures are."""
    executable = chromium.find_browser()
    if executable is None:
        sys.exit("there is no Chromium: install it, or set NNLAB_BROWSER")
    with (
        tempfile.TemporaryDirectory() as folder,
        installation(Path(folder), NNLAB_ADMIN_PASSWORD=chromium.PASSWORD) as site,
        chromium.browser(executable) as running,
    ):
        sweeps = _train_demonstration(site)
        compared, quiz = sweeps[0], sweeps[-1]
        sick = site.request("GET", f"sweeps/{quiz}")["runs"][0]
        _photograph(
            running,
            site,
            "compare",
            f"/p/lab-6-california-housing/compare/?sweep={compared}",
            height=COMPARISON_HEIGHT,
        )
        _photograph(running, site, "run", f"/r/{sick}/", scheme="dark")
        _photograph(running, site, "runs", "/p/lab-6-california-housing/?sort=score")


def _train_demonstration(site: Installation) -> list[int]:
    sweeps = []
    for path in sorted(DEMO.glob("*.toml")):
        sweep = site.request("POST", "sweeps", tomllib.loads(path.read_text()))
        sweeps.append(sweep["id"])
        for run_id in sweep["runs"]:
            site.await_status(run_id, "finished", 300)
    return sweeps


def _photograph(
    running: Browser, site: Installation, name: str, path: str, *, scheme: str = "light", height: int = HEIGHT
) -> None:
    with chromium.visit(running, site.address, scheme=scheme) as tab:
        page = tab.open(path)
        page.set_viewport_size({"width": WIDTH, "height": height})
        page.evaluate("window.scrollTo(0, 0)")
        page.wait_for_timeout(500)
        page.screenshot(path=DOCS / f"{name}.png")
        print(DOCS / f"{name}.png")


if __name__ == "__main__":
    main()
