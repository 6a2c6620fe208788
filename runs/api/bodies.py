"""Bodies of requests, read within bounds."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from typing import Any

import orjson
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from ninja.errors import HttpError

_GZIP = 16 + zlib.MAX_WBITS


def read_body(request: HttpRequest, most: int) -> bytes:
    """Read a body of at most so many bytes, before and after it is unpacked.

    Raises:
        HttpError: 413 for one that is larger, 415 for one packed otherwise than by gzip, 422 for broken gzip.
    """
    if int(request.META.get("CONTENT_LENGTH") or 0) > most:
        raise _too_large(most)
    try:
        body = request.read(most + 1)
    except RequestDataTooBig as error:
        raise _too_large(most) from error
    packing = request.headers.get("Content-Encoding", "identity")
    if packing == "gzip" and len(body) <= most:
        body = _unpacked(body, most)
    elif packing not in {"gzip", "identity"}:
        raise HttpError(415, f"expected Content-Encoding gzip or none, got {packing[:40]!r}")
    if len(body) > most:
        raise _too_large(most)
    return body


def read_json(body: bytes) -> dict[str, Any]:
    """Read a JSON table; an empty body is an empty one.

    Raises:
        HttpError: 422 for what is no JSON, or no table.
    """
    try:
        table = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise HttpError(422, f"expected JSON, got a body that is none: {error}") from error
    if not isinstance(table, dict):
        raise HttpError(422, f"expected a JSON table, got {type(table).__name__}")
    return table


def check_keys(table: Mapping[str, Any], known: Collection[str]) -> None:
    """Refuse a table with other keys than those known.

    Raises:
        HttpError: 422, naming the first.
    """
    unknown = table.keys() - set(known)
    if unknown:
        raise HttpError(422, f"expected {', '.join(sorted(known))}, got {min(unknown)[:60]!r}")


def _unpacked(body: bytes, most: int) -> bytes:
    unpacker = zlib.decompressobj(_GZIP)
    try:
        content = unpacker.decompress(body, most + 1)
    except zlib.error as error:
        raise HttpError(422, f"expected a body packed by gzip, got {error}") from error
    if len(content) <= most and not unpacker.eof:
        raise HttpError(422, "expected a body packed by gzip, got one that is cut")
    if unpacker.unused_data:
        raise HttpError(422, "expected a body packed by gzip in one piece, got more bytes behind it")
    return content


def _too_large(most: int) -> HttpError:
    return HttpError(413, f"expected a body of at most {most:,} bytes, got more; send it in parts")
