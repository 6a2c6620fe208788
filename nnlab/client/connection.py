"""One keep-alive HTTP connection to an nnlab server. Whatever it sends may safely be sent twice."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from nnlab.client.errors import AwayError, ClientError

TIMEOUT = 30.0  # seconds that the server may be silent in the middle of a request
MAX_PAUSE = 60.0  # seconds; a server that asks for more is asked again after these


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    payload: Any  # None where it is no JSON
    reason: str  # in one line, for people

    @property
    def accepted(self) -> bool:
        """Whether the server did what it was asked for."""
        return 200 <= self.status < 300


class Connection:
    """Sends requests, one at a time; connects when it has to.

    Raises:
        ClientError: if the address or the token cannot be one.
    """

    def __init__(self, url: str, token: str) -> None:
        parts, port = _address(url)
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ClientError("expected a token of printable ASCII characters; make one with: nnlab token")
        self.url = url.rstrip("/")
        self._root = parts.path.rstrip("/")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._line = kind(parts.hostname or "", port, timeout=TIMEOUT)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str) -> Answer:
        """Ask for ``path``, which is below ``/api/``."""
        return self._ask("GET", path, b"", {})

    def post(self, path: str, payload: Any) -> Answer:
        """Send JSON to ``path``, which is below ``/api/``."""
        body = json.dumps(payload, allow_nan=False).encode()
        return self._ask("POST", path, body, {"Content-Type": "application/json"})

    def post_bytes(self, path: str, body: bytes) -> Answer:
        """Send a binary body to ``path``, which is below ``/api/``."""
        return self._ask("POST", path, body, {"Content-Type": "application/octet-stream"})

    def close(self) -> None:
        """Hang up; the next request connects again."""
        self._line.close()

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Send a request; once more where the server had hung up an idle connection.

        Raises:
            AwayError: if there is no answer, or one that asks for a pause.
        """
        reused = self._line.sock is not None
        target = f"{self._root}/api/{path}"
        try:
            try:
                return self._exchange(method, target, body, {**self._headers, **headers})
            except (ConnectionError, http.client.BadStatusLine):
                if not reused:
                    raise
                self.close()
                return self._exchange(method, target, body, {**self._headers, **headers})
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise AwayError(f"{self.url} does not answer ({type(error).__name__}: {error})") from error

    def _exchange(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> Answer:
        self._line.request(method, target, body=body or None, headers=headers)
        response = self._line.getresponse()
        content = response.read()
        if response.status in {408, 429} or response.status >= 500:
            pause = _seconds(response.headers.get("Retry-After"))
            told = f"{response.status} {response.reason}: {_said(content)[1]}"
            raise AwayError(f"{self.url} cannot take it now ({told})", pause)
        payload, text = _said(content)
        return Answer(response.status, payload, f"{response.status} {response.reason}: {text}")


def _address(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ClientError(f"expected the server's address, got {url!r}: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ClientError(f"expected the server's address, as http://127.0.0.1:8000, got {url!r}")
    return parts, port


def _said(content: bytes) -> tuple[Any, str]:
    """The JSON of an answer, and its message in one line."""
    try:
        payload = json.loads(content)
    except ValueError:
        return None, " ".join(content[:200].decode(errors="replace").split())
    told = payload.get("detail", payload.get("errors", payload)) if isinstance(payload, dict) else payload
    return payload, told if isinstance(told, str) else json.dumps(told)[:1000]


def _seconds(text: str | None) -> float | None:
    """A Retry-After; None where it is missing, or a date."""
    return min(float(text), MAX_PAUSE) if text is not None and text.isascii() and text.isdigit() else None
