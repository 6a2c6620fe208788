"""A signed-in visitor of the pages, without a browser: what is timed is the server."""

from __future__ import annotations

import re
from http.cookiejar import CookieJar
from time import perf_counter
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener


class Visitor:
    """Signs in and fetches pages.

    Args:
        address: of the installation, with a slash at its end.
    """

    def __init__(self, address: str, user: str, password: str) -> None:
        self._address = address
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()))
        self.post("accounts/login/", username=user, password=password)

    def fetch(self, path: str) -> tuple[float, str]:
        """Fetch a page; the seconds that it took, and its text."""
        begun = perf_counter()
        with self._opener.open(self._address + path, timeout=60) as answer:
            text = answer.read().decode()
        return perf_counter() - begun, text

    def post(self, path: str, *, form: str = "", **fields: str) -> None:
        """Send a form as a browser does.

        Args:
            form: the page that has the form; the same address where it is empty.
        """
        _, page = self.fetch(form or path)
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        if found is None:
            raise RuntimeError(f"expected a form on {form or path}, found none")
        body = urlencode({"csrfmiddlewaretoken": found[1], **fields}).encode()
        request = Request(self._address + path, data=body, headers={"Referer": self._address + path})
        with self._opener.open(request, timeout=60):
            pass
