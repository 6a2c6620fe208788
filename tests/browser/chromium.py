"""A real Chromium, and what a page has to stand up to in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

USER, PASSWORD = "admin", "correct horse battery"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Every chart has to show marks: a trace type that the bundle lacks is silently an empty chart.
MARKS = ".trace path, .points path, .hm image, .bars path, .errorbar path"


def find_browser() -> str | None:
    """The path of a Chromium: the one that NNLAB_BROWSER names, or one on PATH."""
    for name in (os.environ.get("NNLAB_BROWSER"), "chromium", "chromium-browser", "google-chrome"):
        if name and shutil.which(name):
            return shutil.which(name)
    return None


@contextmanager
def browser(executable: str) -> Iterator[Browser]:
    """Start a Chromium."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        try:
            yield running
        finally:
            running.close()


@dataclass
class Visit:
    """A signed-in person's tab, and everything that went wrong in it."""

    page: Page
    address: str
    faults: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Open a page of the site and wait until its charts are drawn."""
        answer = self.page.goto(self.address.rstrip("/") + path)
        assert answer is not None
        assert answer.status < 400, f"{path} answered {answer.status}"
        self.await_charts()
        return self.page

    def await_charts(self) -> None:
        """Wait until every chart that has data shows marks."""
        for key in self.charts():
            self.page.locator(f'[data-chart="{key}"]').scroll_into_view_if_needed()
            self.page.locator(f'[data-chart="{key}"]').locator(MARKS).first.wait_for(
                state="attached", timeout=20_000
            )

    def charts(self) -> list[str]:
        """The keys of the charts that have something to draw."""
        figures = self.page.locator("figure[data-chart]:not(:has([data-chart-empty]:not([hidden])))")
        return [str(figures.nth(index).get_attribute("data-chart")) for index in range(figures.count())]

    def sign_in(self) -> None:
        """Sign in as the administrator."""
        self.page.goto(f"{self.address}accounts/login/")
        self.page.fill("[name=username]", USER)
        self.page.fill("[name=password]", PASSWORD)
        self.page.click("main [type=submit]")
        self.page.wait_for_url(self.address)


@contextmanager
def visit(running: Browser, address: str, *, width: int = 1360, scheme: str = "light") -> Iterator[Visit]:
    """Sign in with a fresh profile; at the end nothing may have gone wrong in the tab."""
    context = running.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    # Reports each violation of the content security policy as an error on the console.
    context.add_init_script(
        "document.addEventListener('securitypolicyviolation', event => "
        "console.error('policy violation', event.violatedDirective, event.blockedURI, event.sample))"
    )
    page = context.new_page()
    tab = Visit(page, address)
    host = urlsplit(address).netloc

    def note_console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            tab.faults.append(f"{page.url}: console {message.type}: {message.text}")

    def note_request(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https"} and parts.netloc != host:
            tab.faults.append(f"{page.url}: asked another host: {request.url}")

    page.on("console", note_console)
    page.on("pageerror", lambda error: tab.faults.append(f"{page.url}: {error}"))
    page.on("request", note_request)
    try:
        tab.sign_in()
        yield tab
        assert not tab.faults, "\n".join(tab.faults)
    finally:
        context.close()
