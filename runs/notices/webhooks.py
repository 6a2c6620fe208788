"""Posting to webhooks: signed, bounded in time and size, to the address that was looked at."""

from __future__ import annotations

import hashlib
import hmac
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPSConnection

from runs.notices import targets
from runs.notices.errors import NotTakenError, RefusedError
from runs.notices.targets import Target

STEP_SECONDS = 5.0  # to connect, and between two signs of life
ALL_SECONDS = 10.0  # for everything after the connection
MAX_ADDRESSES = 4  # of a host that are tried: a name may have hundreds, none of which answers
MAX_ANSWER = 16 * 1024  # bytes that are read of it, and thrown away
_TRY_LATER = (408, 425, 429)


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """Sign a body with the time of its sending, so that an old message cannot be sent again by others."""
    message = f"{timestamp}.".encode() + body
    return "sha256=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def post(url: str, body: bytes, headers: Mapping[str, str]) -> str:
    """Post JSON to a URL; returns what was answered, such as '200 OK'. Redirects are not followed.

    Raises:
        NotTakenError: if it was not taken, and a later try may succeed.
        RefusedError: if it never will.
    """
    target = targets.parse(url)
    addresses = targets.resolve(target)
    try:
        with _connection(target, addresses) as connection:
            connection.request("POST", target.path, body, {"Content-Type": "application/json", **headers})
            with connection.getresponse() as response:
                response.read(MAX_ANSWER)
    except (OSError, HTTPException) as error:
        raise NotTakenError(f"{type(error).__name__}: {error}") from error
    reason = "".join(character for character in response.reason[:80] if character.isprintable())
    return _judged(response.status, f"{response.status} {reason}".strip())


def _judged(status: int, answer: str) -> str:
    if 200 <= status < 300:
        return answer
    if 300 <= status < 400:
        raise RefusedError(f"{answer}: redirects are not followed, give the final address")
    if 400 <= status < 500 and status not in _TRY_LATER:
        raise RefusedError(answer)
    raise NotTakenError(answer)


@contextmanager
def _connection(target: Target, addresses: list[str]) -> Iterator[HTTPConnection]:
    """Connect to one of the addresses under the target's name; hang up when the time is over."""
    is_safe = target.scheme == "https"
    connection = (HTTPSConnection if is_safe else HTTPConnection)(target.host, target.port)
    plain = _reached(addresses, target.port)
    try:
        sock = _wrapped(plain, target.host) if is_safe else plain
    except BaseException:
        plain.close()
        raise
    connection.sock = sock  # so that it looks no name up by itself
    timer = threading.Timer(ALL_SECONDS, _hang_up, [sock])
    timer.daemon = True
    timer.start()
    try:
        if isinstance(sock, ssl.SSLSocket):
            sock.do_handshake()
        yield connection
    finally:
        timer.cancel()
        sock.close()
        connection.close()


def _wrapped(plain: socket.socket, host: str) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    return context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)


def _reached(addresses: list[str], port: int) -> socket.socket:
    """Connect to the first address that answers."""
    *others, last = addresses[:MAX_ADDRESSES]
    for address in others:
        try:
            return socket.create_connection((address, port), timeout=STEP_SECONDS)
        except OSError:
            continue
    return socket.create_connection((last, port), timeout=STEP_SECONDS)


def _hang_up(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it was over just now
