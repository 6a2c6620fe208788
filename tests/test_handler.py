"""The web server's way into Django: one thread a request, bounded bodies, the same headers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.decorators import login_not_required
from django.core.handlers.asgi import ASGIHandler
from django.http import FileResponse, HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from nnlab import handler
from nnlab.handler import Handler

middleware_threads: list[int] = []


def noting_threads(get_response: Any) -> Any:
    def note(request: HttpRequest) -> HttpResponse:
        middleware_threads.append(threading.get_ident())
        answer: HttpResponse = get_response(request)
        return answer

    return note


@csrf_exempt
@login_not_required
def tell(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{threading.get_ident()} {len(request.read())}")


@csrf_exempt
@login_not_required
def stream(request: HttpRequest) -> FileResponse:
    return FileResponse(open(__file__, "rb"))  # noqa: PTH123 - the answer closes it


urlpatterns = [path("tell", tell), path("stream", stream)]
site = override_settings(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["site.test"])


class Exchange:
    """One request and what came back."""

    def __init__(
        self, app: ASGIHandler, target: str, parts: Iterable[bytes] = (b"",), host: str = "site.test"
    ) -> None:
        self._parts = list(parts)
        self.status, self.headers, self.body = 0, dict[bytes, bytes](), b""
        scope = {
            "type": "http",
            "method": "POST",
            "path": target,
            "query_string": b"",
            "headers": [(b"host", host.encode())],
            "server": ("site.test", 80),
        }
        with ThreadPoolExecutor(1) as thread:  # in this one, another test's loop may still be open
            thread.submit(lambda: asyncio.run(app(scope, self._receive, self._send))).result()

    async def _receive(self) -> Mapping[str, Any]:
        if not self._parts:  # Django's own handler listens for the client's hanging up
            await asyncio.sleep(3600)
        return {"type": "http.request", "body": self._parts.pop(0), "more_body": bool(self._parts)}

    async def _send(self, message: Mapping[str, Any]) -> None:
        self.status = message.get("status", self.status)
        self.headers |= dict(message.get("headers", ()))
        self.body += message.get("body", b"")


@pytest.fixture
def app() -> Iterable[Handler]:
    with site:
        yield Handler()


def test_middleware_and_view_share_one_thread(settings: Any) -> None:
    middleware_threads.clear()
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.noting_threads"]
    with site:
        body = Exchange(Handler(), "/tell").body
    assert int(body.split()[0]) == middleware_threads[0] != threading.get_ident()


def test_a_body_in_parts_arrives_whole(app: Handler) -> None:
    assert Exchange(app, "/tell", [b"ab", b"", b"cde"]).body.endswith(b" 5")


def test_a_body_too_large_for_any_address_is_refused(app: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "MAX_BODY", 8)
    assert Exchange(app, "/tell", [b"12345678"]).status == 200
    assert Exchange(app, "/tell", [b"1234", b"56789"]).status == 400


def test_an_endless_body_is_cut_off(app: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "MAX_BODY", 8)
    monkeypatch.setattr(handler, "MAX_UNREAD", 64)
    exchange = Exchange(app, "/tell", [b"12345678"] * 1000)
    assert exchange.status == 400
    assert len(exchange._parts) > 900


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")
def test_a_file_is_streamed_whole(app: Handler) -> None:
    assert Exchange(app, "/stream").body.startswith(b'"""The web server')


@pytest.mark.parametrize("host", ["site.test", "elsewhere.test"])
def test_answers_are_those_of_djangos_own_handler(app: Handler, host: str) -> None:
    ours = Exchange(app, "/tell", host=host)
    theirs = Exchange(ASGIHandler(), "/tell", host=host)
    assert (ours.status, ours.headers.keys()) == (theirs.status, theirs.headers.keys())
    assert b"Content-Security-Policy" in ours.headers
    assert ours.status == (200 if host == "site.test" else 400)
