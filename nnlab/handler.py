"""How a request reaches its view, and its answer the client."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import IO, Any, TypeAlias, cast

from django.core import signals
from django.core.exceptions import RequestAborted, RequestDataTooBig
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.db import close_old_connections
from django.http import FileResponse, HttpResponseServerError, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

Receive: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
Send: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[None]]

THREADS = 16  # requests that are answered at the same time, each with a connection to the database
STREAM_THREADS = 4  # that make the parts of long answers, in turn; none waits for a slow client
MAX_BODY = 9 * 2**20  # bytes; the largest body that any address takes has 8 MB
MAX_UPLOAD = 20 * 2**20  # bytes; a file of 20,000,000 with the form around it
UPLOADS = frozenset({"/datasets/upload/", "/api/datasets"})
MAX_UNREAD = 8 * MAX_BODY  # bytes that are taken and thrown away, so that the client hears why


class Handler(ASGIHandler):
    """Django's ASGI handler for a site whose views are all synchronous; a stream may wait in the loop.

    Django's own goes from the event loop to a thread and back for every middleware, and starts a thread, and
    with it a connection to the database, for every request: 4 ms where the view itself needs 0.5. Here the
    same middleware and the view are one call in a thread of a pool, whose connections stay open.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="request")
        self._streams = ThreadPoolExecutor(STREAM_THREADS, thread_name_prefix="stream")
        super().__init__()

    def load_middleware(self, is_async: bool = False) -> None:
        """Build the chain of middleware as for threads, whatever the event loop asks for."""
        super().load_middleware(is_async=False)

    async def handle(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request."""
        try:
            body = await self.read_body(receive, MAX_UPLOAD if scope["path"] in UPLOADS else MAX_BODY)
        except RequestAborted:  # the client hung up
            return
        loop = asyncio.get_running_loop()
        response = await loop.run_in_executor(self._threads, self._answer, scope, body)
        if isinstance(response, StreamingHttpResponse):
            await self._stream(response, receive, send)
        else:
            await self.send_response(response, send)

    async def read_body(self, receive: Receive, most: int = MAX_BODY) -> IO[bytes]:
        """Take the body; of one that is larger than its address takes nothing is kept."""
        size = 0

        async def bounded() -> Mapping[str, Any]:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size <= most:
                return message
            return {**message, "body": b"", "more_body": message.get("more_body") and size <= MAX_UNREAD}

        body = await super().read_body(bounded)
        if size <= most:
            return body
        body.close()
        return io.BufferedReader(_TooLarge(most))

    async def _stream(self, response: StreamingHttpResponse, receive: Receive, send: Send) -> None:
        """Send an answer part by part, each made when the one before was taken, until the client hangs up."""
        gone = asyncio.create_task(_gone(receive))
        try:
            if response.is_async:
                await _unless(gone, self.send_response(response, send))
            else:
                content = cast(Iterator[bytes], response.streaming_content)
                response.streaming_content = self._parts(content, gone)
                await self.send_response(response, send)
        finally:
            gone.cancel()
            await asyncio.get_running_loop().run_in_executor(self._streams, response.close)

    async def _parts(self, content: Iterator[bytes], gone: asyncio.Task[None]) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        while not gone.done():
            part = await loop.run_in_executor(self._streams, _next, content)
            if part is None:
                return
            yield part

    def _answer(self, scope: dict[str, Any], body: IO[bytes]) -> HttpResponseBase:
        """Do all that concerns one request; of an answer that is no stream nothing is left open."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=type(self), scope=scope)
        request, refusal = self.create_request(scope, body)
        response = refusal or HttpResponseServerError() if request is None else self.get_response(request)
        if isinstance(response, FileResponse):
            response.block_size = self.chunk_size
        if not response.streaming:
            response.close()
        return response


async def _gone(receive: Receive) -> None:
    """Wait until the client hangs up; its request was read whole."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _unless(gone: asyncio.Task[None], sending: Coroutine[Any, Any, None]) -> None:
    """Send to the end, or until the client has gone: an answer that waits for news would not notice."""
    task = asyncio.create_task(sending)
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _next(content: Iterator[bytes]) -> bytes | None:
    """Make the next part, in a thread that no request began in: its connection may have ended meanwhile."""
    close_old_connections()
    return next(content, None)


class _TooLarge(io.RawIOBase):
    """Stands for a body that was thrown away: whoever reads it learns why."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def readable(self) -> bool:
        return True

    def readinto(self, _: object) -> int:
        raise RequestDataTooBig(
            f"expected a body of at most {self._most:,} bytes, got more; send it in parts"
        )
