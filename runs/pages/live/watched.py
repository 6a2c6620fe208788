"""What a tab may watch: addresses whose answers are news, and how far a tab has read each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, cast
from urllib.parse import urlsplit

import orjson
from django.contrib.auth.models import AnonymousUser, User
from django.http import Http404, HttpRequest, QueryDict
from django.urls import Resolver404, ResolverMatch, resolve, reverse

from runs.pages.live.onlookers import Nobody, Onlooker, PersonalError

MAX_RUNS = 8  # of one tab
MAX_ADDRESSES = 24
OVER = "over"
_RUN = "run-live"
_RESUMED = frozenset({_RUN, "question-now"})  # routes that are told how far the tab has read
_QUIET = 15.0  # seconds after which an address is asked though nobody has written: some words tell the time
_UNSEEN = 5.0  # seconds after which a run is asked whose row is as it was: what was written may be an alert

# The routes that may be watched, and the seconds between two looks at one.
PACES: Mapping[str, float] = {
    _RUN: 0.5,
    "queue-now": 2.0,
    "workers-now": 5.0,
    "project-rows": 2.0,
    "notice-log": 3.0,
    "fix-state": 3.0,
    "question-now": 3.0,
    "upload-now": 0.5,
    "badges": 3.0,
}
NAMES: Mapping[str, str] = {"queue": "queue-now", "workers": "workers-now", "badges": "badges"}


@dataclass
class Watched:
    """An address that a tab watches.

    Args:
        address: as the tab wrote it; its news carry it.
        cursor: how far the tab has read: of a run as its view writes it, else a digest of what it shows.
        known: digests of the fragments that the tab has.
    """

    address: str
    match: ResolverMatch
    cursor: str
    known: dict[str, str] = field(default_factory=dict)
    _state: str = ""
    _fact: object = None
    _asked_at: float = float("-inf")

    @classmethod
    def at(cls, address: str, cursor: str) -> Watched:
        """Watch an address.

        Raises:
            ValueError: if it is none that can be watched.
        """
        try:
            match = resolve(urlsplit(address).path) if address.startswith("/") else None
        except (Resolver404, ValueError) as error:
            raise ValueError(_refusal(address)) from error
        if match is None or match.url_name not in PACES:
            raise ValueError(_refusal(address))
        return cls(address, match, cursor, {} if match.url_name in _RESUMED else {"": cursor})

    @property
    def run_id(self) -> int | None:
        """The run whose points are watched, where it is one."""
        return self.match.kwargs["run_id"] if self.match.url_name == _RUN else None

    @property
    def is_over(self) -> bool:
        """Whether there will be no more news."""
        return self.cursor == OVER

    def is_due(self, state: str, now: float) -> bool:
        """Whether it is time to ask."""
        if self.is_over or now < self._asked_at + PACES[str(self.match.url_name)]:
            return False
        return state != self._state or now >= self._asked_at + _QUIET

    def is_as_it_was(self, fact: object, now: float) -> bool:
        """Whether the run's row is the one that was there when it was asked last, a moment ago."""
        return fact is not None and fact == self._fact and now < self._asked_at + _UNSEEN

    def note(self, state: str, fact: object, now: float) -> None:
        """Remember how things stood when it was asked."""
        self._state, self._fact, self._asked_at = state, fact, now

    def ask(self, request: HttpRequest, user: User | AnonymousUser | Onlooker) -> Mapping[str, Any]:
        """Ask the view, as the tab would by itself; of an onlooker nothing personal can be asked.

        Raises:
            Http404: if what is watched is no longer there.
            PermissionDenied: if this person may not see it.
            PersonalError: if the answer depends on who an onlooker is.
        """
        asked = self._request(request, user)
        response = self.match.func(asked, *self.match.args, **self.match.kwargs)
        if response.status_code != 200:
            raise Http404(f"{self.address} answered {response.status_code}")
        if isinstance(user, Onlooker) and "CSRF_COOKIE" in asked.META:
            raise PersonalError("a form has the secret of one browser")
        if response.headers["Content-Type"] == "application/json":
            return dict(orjson.loads(response.content))
        text = response.content.decode()
        return {"fragments": {"": text}, "next": _digest(text), "over": response.get("X-Over") == "1"}

    def _request(self, request: HttpRequest, user: User | AnonymousUser | Onlooker) -> HttpRequest:
        path, query = urlsplit(self.address).path, urlsplit(self.address).query
        asked: Any = copy(request)
        asked.user = user
        asked.path = asked.path_info = path
        asked.META = {**request.META, "PATH_INFO": path, "QUERY_STRING": query}
        if isinstance(user, Onlooker):
            asked.session = Nobody()
            asked.META.pop("CSRF_COOKIE", None)
        parameters = QueryDict(query, mutable=True)
        if self.match.url_name in _RESUMED:
            parameters["after"] = self.cursor
        asked.GET = parameters
        asked.resolver_match = self.match
        return cast("HttpRequest", asked)

    def news(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Take from an answer what the tab has not got; its cursor then stands behind it."""
        fragments = answer.get("fragments", {})
        news = {key: answer[key] for key in ("charts", "replace", "over") if answer.get(key)}
        if fresh := {key: text for key, text in fragments.items() if self._learns(key, text)}:
            news["fragments"] = fresh
        if "marks" in answer and self._learns("<marks>", orjson.dumps(answer["marks"]).decode()):
            news["marks"] = answer["marks"]
        self.cursor = OVER if answer.get("over") else str(answer.get("next", self.cursor))
        return {"of": self.address, "next": self.cursor, **news} if news else {}

    def _learns(self, key: str, text: str) -> bool:
        digest = _digest(text)
        is_new = self.known.get(key) != digest
        self.known[key] = digest
        return is_new


def parse_watched(request: HttpRequest) -> list[Watched]:
    """Read what a tab wants to watch: ``run=118,119``, ``topic=`` an address or a name, ``after=`` cursors.

    The cursors stand in the order of the addresses, those of runs first, with semicolons between them. A
    browser that connects again by itself sends them as Last-Event-ID, which is newer than the address.

    Raises:
        ValueError: and says what is expected.
    """
    texts = [text for value in request.GET.getlist("run") for text in value.split(",") if text]
    if not all(text.isdecimal() and len(text) < 19 for text in texts):
        raise ValueError(f"expected numbers of runs with commas between them, got {', '.join(texts)[:80]!r}")
    addresses = [reverse(_RUN, args=[int(text)]) for text in texts]
    addresses += [reverse(NAMES[text]) if text in NAMES else text for text in request.GET.getlist("topic")]
    addresses = list(dict.fromkeys(addresses))
    if not 0 < len(addresses) <= MAX_ADDRESSES:
        raise ValueError(f"expected 1 to {MAX_ADDRESSES} runs and topics to watch, got {len(addresses)}")
    after = request.headers.get("Last-Event-ID") or request.GET.get("after", "")
    cursors = after.split(";") + [""] * len(addresses)
    found = [Watched.at(address, cursor) for address, cursor in zip(addresses, cursors, strict=False)]
    if (runs := sum(one.run_id is not None for one in found)) > MAX_RUNS:
        raise ValueError(f"expected at most {MAX_RUNS} live runs in a tab, got {runs}")
    return found


def cursors(watched: Sequence[Watched]) -> str:
    """Write how far a tab has read everything, in the order of its addresses."""
    return ";".join(one.cursor for one in watched)


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=6).hexdigest()


def _refusal(address: str) -> str:
    names = ", ".join([*NAMES, *PACES])
    return (
        f"expected a name or an address that begins with / and can be watched: {names}; got {address[:120]!r}"
    )
