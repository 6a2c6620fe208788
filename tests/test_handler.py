"""The web server's way into Django: one thread a request, bounded bodies, the same headers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.decorators import login_not_required
from django.core.handlers.asgi import ASGIHandler
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
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


class Download:
    """Parts that are made while they are sent; the first ``waits`` for something."""

    PARTS = 1000

    def __init__(self) -> None:
        self.made, self.waits, self.closed = 0, threading.Event(), False

    def parts(self) -> Iterator[bytes]:
        try:
            for _ in range(self.PARTS):
                self.made += 1
                yield b"part" if self.waits.wait(10) else b"late"
        finally:
            self.closed = True


downloads: dict[str, Download] = {}


@csrf_exempt
@login_not_required
def download(request: HttpRequest, name: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(downloads[name].parts())


class News:
    """Two parts, and then one that never comes."""

    def __init__(self) -> None:
        self.closed, self.left = False, False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            yield b"first, "
            yield b"second"
            await asyncio.Event().wait()
        finally:
            self.left = True

    def close(self) -> None:
        self.closed = True


news: list[News] = []


@csrf_exempt
@login_not_required
def events(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(news[-1])


urlpatterns = [
    path("tell", tell),
    path("stream", stream),
    path("download/<name>", download),
    path("events", events),
    path("datasets/upload/", tell),
]
site = override_settings(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["site.test"])


class Exchange:
    """One request and what came back; after ``patience`` bytes of that the client hangs up."""

    def __init__(
        self,
        app: ASGIHandler,
        target: str,
        parts: Iterable[bytes] = (b"",),
        host: str = "site.test",
        patience: int | None = None,
    ) -> None:
        self._parts, self._patience = list(parts), patience
        self._gone = asyncio.Event()
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
            await self._gone.wait()
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self._parts.pop(0), "more_body": bool(self._parts)}

    async def _send(self, message: Mapping[str, Any]) -> None:
        self.status = message.get("status", self.status)
        self.headers |= dict(message.get("headers", ()))
        self.body += message.get("body", b"")
        if self._patience is not None and len(self.body) >= self._patience:
            self._gone.set()


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


def test_a_file_may_be_larger_than_other_bodies(app: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "MAX_BODY", 8)
    monkeypatch.setattr(handler, "MAX_UPLOAD", 16)
    assert Exchange(app, "/datasets/upload/", [b"12345678"] * 2).status == 200
    assert Exchange(app, "/datasets/upload/", [b"12345678"] * 3).status == 400


def test_a_gigabyte_is_cut_off_and_not_kept(app: Handler) -> None:
    exchange = Exchange(app, "/datasets/upload/", [b"," * 2**20] * 1024)
    assert exchange.status == 400
    assert len(exchange._parts) > 900


def test_a_file_is_streamed_whole(app: Handler) -> None:
    assert Exchange(app, "/stream").body.startswith(b'"""The web server')


def test_a_download_is_made_no_further_when_its_client_hung_up(app: Handler) -> None:
    abandoned = downloads["abandoned"] = Download()
    abandoned.waits.set()
    Exchange(app, "/download/abandoned", patience=40)
    assert 10 <= abandoned.made < Download.PARTS
    assert abandoned.closed


def test_a_download_that_waits_holds_up_no_other(app: Handler) -> None:
    first, second = downloads["first"], downloads["second"] = Download(), Download()
    second.waits.set()
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(Exchange, app, "/download/first")
        assert Exchange(app, "/download/second").body == b"part" * Download.PARTS
        first.waits.set()
        assert waiting.result().body == b"part" * Download.PARTS


def test_a_stream_that_waits_for_news_ends_when_its_client_hangs_up(app: Handler) -> None:
    news.append(News())
    exchange = Exchange(app, "/events", patience=len(b"first, second"))
    assert exchange.body == b"first, second"
    assert news[-1].left
    assert news[-1].closed


def test_a_stream_ends_with_the_server(app: Handler) -> None:
    news.append(News())
    with ThreadPoolExecutor(1) as thread, pytest.raises(asyncio.CancelledError):
        thread.submit(lambda: asyncio.run(_cancelled(app))).result()
    assert news[-1].left
    assert news[-1].closed


async def _cancelled(app: Handler) -> None:
    """Ask for the stream and cancel the request when it has begun, as uvicorn does in the end."""
    begun, parts = asyncio.Event(), [b""]

    async def receive() -> Mapping[str, Any]:
        if not parts:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": parts.pop(), "more_body": False}

    async def send(message: Mapping[str, Any]) -> None:
        if message.get("body"):
            begun.set()

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/events",
        "query_string": b"",
        "server": ("site.test", 80),
    }
    asking = asyncio.create_task(app({**scope, "headers": [(b"host", b"site.test")]}, receive, send))
    await begun.wait()
    asking.cancel()
    await asking


@pytest.mark.parametrize("host", ["site.test", "elsewhere.test"])
def test_answers_are_those_of_djangos_own_handler(app: Handler, host: str) -> None:
    ours = Exchange(app, "/tell", host=host)
    theirs = Exchange(ASGIHandler(), "/tell", host=host)
    assert (ours.status, ours.headers.keys()) == (theirs.status, theirs.headers.keys())
    assert b"Content-Security-Policy" in ours.headers
    assert ours.status == (200 if host == "site.test" else 400)
