"""One thread of a process that looks for news, for every stream of events that the process holds open.

It asks the database every half second whether anything was written, whatever the number of tabs, and then
asks the views of what has changed, as the tabs themselves would by polling: once for all tabs that have read
equally far, of people with the same rights. Between two looks no stream holds a thread or a connection.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Collection, Iterable, Mapping, Sequence
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Any, Protocol, TypeAlias

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, close_old_connections, connection
from django.http import Http404, HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from runs.models import Run
from runs.pages.live.onlookers import Onlooker, PersonalError
from runs.pages.live.watched import Watched
from runs.store import changes

Person: TypeAlias = tuple[User, Onlooker]
Answers: TypeAlias = dict[tuple[object, ...], Mapping[str, Any]]

logger = logging.getLogger(__name__)

LOOK = 0.5  # seconds between two looks
CHECK = 5.0  # seconds between two checks that everybody is still signed in
_PERSONAL: Mapping[str, Any] = {"personal": True}  # in place of an answer that is not for everybody
_FACTS = ("status", "attempt", "steps_run", "cancel_requested", "pause_requested", "deleted_at")


class Stream(Protocol):
    """A tab's open answer, as far as the lookout is concerned."""

    request: HttpRequest
    watched: Sequence[Watched]
    person: tuple[str, str, str]  # of the session: its key, whose it is, and what proves the password

    @property
    def can_take(self) -> bool:
        """Whether what it was given last is on its way."""

    def give(self, one: Watched, answer: Mapping[str, Any]) -> None:
        """Pass on what an address has answered."""

    def end(self) -> None:
        """Say that nothing more will come."""


class Lookout:
    """The streams of a process, and the thread that looks while there are any."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._streams: set[Stream] = set()
        self._thread: Thread | None = None
        self._people: dict[str, Person] = {}
        self._checked_at = 0.0

    def __len__(self) -> int:
        return len(self._streams)

    def join(self, stream: Stream) -> None:
        """Look for a stream, too."""
        with self._lock:
            self._streams.add(stream)
            if self._thread is None:
                self._thread = Thread(target=self._watch, name="lookout", daemon=True)
                self._thread.start()

    def leave(self, stream: Stream) -> None:
        """Forget a stream whose tab is gone; without any the thread ends."""
        with self._lock:
            self._streams.discard(stream)

    def look(self, streams: Collection[Stream]) -> None:
        """Give each stream what is new for it."""
        state, now = changes.standing(), monotonic()
        due = [
            (one, each) for one in streams if one.can_take for each in one.watched if each.is_due(state, now)
        ]
        if now >= self._checked_at + CHECK or any(one.person[0] not in self._people for one, _ in due):
            self._check(streams, now)
        facts = _facts({each.run_id for _, each in due if each.run_id is not None})
        answers: Answers = {}
        for stream, each in due:
            person = self._people.get(stream.person[0])
            fact = None if each.run_id is None else facts.get(each.run_id)
            if person is None or each.is_as_it_was(fact, now):
                continue
            answer = _asked(answers, stream.request, each, person)
            each.note(state, fact, now)
            if answer is None:
                stream.end()
            else:
                stream.give(each, answer)

    def _watch(self) -> None:
        """Look again and again. What ends it ends the streams: their tabs come back, or ask by themselves."""
        try:
            while streams := self._present():
                close_old_connections()
                self.look(streams)
                sleep(LOOK)
        except DatabaseError as error:
            logger.warning("the database does not answer, so that streams of events end: %s", error)
        finally:
            with self._lock:
                left, self._streams, self._thread = self._streams, set(), None
            for stream in left:
                stream.end()
            connection.close()

    def _present(self) -> list[Stream]:
        """Return the streams; none where the server is about to end, and the thread with it."""
        with self._lock:
            if not self._streams or _is_ending():
                self._thread = None
                found, self._streams = self._streams, set()
            else:
                return list(self._streams)
        for stream in found:
            stream.end()
        return []

    def _check(self, streams: Iterable[Stream], now: float) -> None:
        """Read anew who has a session and what rights; the streams of others end."""
        people = {one.person[0]: one.person for one in streams}
        sessions = Session.objects.filter(session_key__in=people, expire_date__gt=timezone.now())
        open_keys = set(sessions.values_list("session_key", flat=True))
        users = User.objects.in_bulk({int(people[key][1]) for key in open_keys})
        onlookers = {user.pk: Onlooker(user) for user in users.values()}
        self._people = {
            key: (user, onlookers[user.pk])
            for key in open_keys
            if (user := users.get(int(people[key][1]))) is not None
            and user.is_active
            and constant_time_compare(people[key][2], user.get_session_auth_hash())
        }
        self._checked_at = now
        for stream in streams:
            if stream.person[0] not in self._people:
                stream.end()


def _asked(answers: Answers, request: HttpRequest, each: Watched, person: Person) -> Mapping[str, Any] | None:
    """Ask a view, once for all; what is personal once for each person and browser. None: there is nothing."""
    user, onlooker = person
    shared = (onlooker.key, each.address, each.cursor)
    own = (user.pk, request.META.get("CSRF_COOKIE"), each.address, each.cursor)
    try:
        if shared not in answers:
            answers[shared] = each.ask(request, onlooker)
        if answers[shared] is _PERSONAL and own not in answers:
            answers[own] = each.ask(request, user)
    except PersonalError:
        answers[shared] = _PERSONAL
        return _asked(answers, request, each, person)
    except (Http404, PermissionDenied):
        return None
    return answers[own] if answers[shared] is _PERSONAL else answers[shared]


def _facts(run_ids: Collection[int]) -> dict[int, tuple[object, ...]]:
    """Read what changes with every word of a run, in one query for all runs."""
    if not run_ids:
        return {}
    rows = Run.objects.filter(pk__in=run_ids).order_by()
    return {row[0]: row[1:] for row in rows.values_list("pk", *_FACTS, "ledger__batches")}


def _is_ending() -> bool:
    """Whether uvicorn was told to stop: it waits until the streams have ended, and tells nobody else."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return bool(getattr(server, "should_exit", False))


lookout = Lookout()
