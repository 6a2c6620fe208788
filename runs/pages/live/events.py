"""The stream of events: one open answer per tab, with the news of all that the tab shows."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.views.decorators.http import require_GET

from runs.pages.live.lookout import lookout
from runs.pages.live.watched import Watched, cursors, parse_watched

BEAT_SECONDS = 15.0
# A comment for proxies, which would close a silent connection, and an event for the page, which would not
# know of a server that is gone without a word.
_BEAT = b": still here\nevent: beat\ndata:\n\n"
_RETRY = b"retry: 3000\n\n"
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


@require_GET
def events(request: HttpRequest) -> HttpResponseBase:
    """Open a stream with what is new since the cursors of the address."""
    try:
        watched = parse_watched(request)
    except ValueError as error:
        return HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8")
    if all(one.is_over for one in watched):
        return HttpResponse(status=204)  # which tells a browser not to come back
    get_token(request)  # fragments may have forms, and this answer's head is the last chance for the cookie
    stream = Stream(request, watched)
    for one in watched:
        if not one.is_over:
            stream.give(one, one.ask(request, request.user))
    return StreamingHttpResponse(stream, content_type="text/event-stream", headers=_HEADERS)


class Stream:
    """One tab's open answer; given to from the lookout's thread, taken from in the event loop."""

    def __init__(self, request: HttpRequest, watched: Sequence[Watched]) -> None:
        self.request, self.watched = request, watched
        session = request.session
        self.person = (str(session.session_key), session[SESSION_KEY], session.get(HASH_SESSION_KEY, ""))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bell = asyncio.Event()
        self._parts: deque[bytes] = deque()
        self._is_over = False

    @property
    def can_take(self) -> bool:
        """Whether what it was given last is on its way: who reads slowly gets news in larger pieces."""
        return not (self._parts or self._is_over)

    def give(self, one: Watched, answer: Mapping[str, Any]) -> None:
        """Pass on what is new in an answer."""
        if news := one.news(answer):
            self._parts.append(b"id: %s\ndata: %s\n\n" % (cursors(self.watched).encode(), orjson.dumps(news)))
        self._is_over = all(each.is_over for each in self.watched)
        self._ring()

    def take(self) -> bytes:
        """Return what is to be sent next; empty where there is nothing."""
        return self._parts.popleft() if self._parts else b""

    def end(self) -> None:
        """Say that nothing more will come."""
        self._is_over = True
        self._ring()

    def close(self) -> None:
        """Forget a tab that is gone."""
        lookout.leave(self)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._loop = asyncio.get_running_loop()
        yield _RETRY
        lookout.join(self)
        while self._parts or not self._is_over:
            while part := self.take():
                yield part
            if not self._is_over:
                try:
                    await asyncio.wait_for(self._bell.wait(), BEAT_SECONDS)
                except TimeoutError:
                    yield _BEAT
                self._bell.clear()

    def _ring(self) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has closed meanwhile, and the tab's connection with it
                self._loop.call_soon_threadsafe(self._bell.set)
