"""The stream of events: what a tab may watch, and who gets what, when and how often."""

from __future__ import annotations

from itertools import count
from typing import Any

import orjson
import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import _does_token_match, get_token  # type: ignore[attr-defined]
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from runs.models import Run, Series, Status
from runs.pages.live import lookout as looking
from runs.pages.live import watched as watching
from runs.pages.live.events import Stream
from runs.pages.live.lookout import Lookout
from runs.store import changes
from tests.runs import builders

pytestmark = pytest.mark.django_db


class Site:
    """A lookout with a clock of its own, to whom somebody has always written; and the tabs of one person."""

    def __init__(self, client: Client) -> None:
        self.client, self.lookout, self.now, self.writes = client, Lookout(), 1000.0, count()
        self.user = builders.build_user()
        client.force_login(self.user)

    def sign_in(self, user: User) -> None:
        """Let somebody else open the next tabs, in a browser of their own."""
        self.client, self.user = Client(), user
        self.client.force_login(user)

    def open_and_read(self, **query: Any) -> Tab:
        """Open a tab that has read what there was, and for which the lookout has looked once."""
        tab = self.open(**query)
        tab.read()
        self.look(tab)
        tab.read()
        return tab

    def open(self, *, last: str = "", **query: Any) -> Tab:
        answer: Any = self.client.get(
            reverse("events"), query, headers={"Last-Event-ID": last} if last else {}
        )
        assert answer.streaming, answer.content
        return Tab(answer)

    def look(self, *tabs: Tab, after: float = 1.0) -> None:
        self.now += after
        self.lookout.look([tab.stream for tab in tabs])


class Tab:
    """A tab that has a stream open."""

    def __init__(self, answer: Any) -> None:
        self.headers, self.cursor = answer.headers, ""
        (self.stream,) = [
            one.__self__ for one in answer._resource_closers if isinstance(one.__self__, Stream)
        ]

    def read(self) -> list[dict[str, Any]]:
        """What has come since it read last."""
        news = []
        while part := self.stream.take():
            event = dict(line.split(": ", 1) for line in part.decode().rstrip("\n").split("\n"))
            self.cursor = event["id"]
            news.append(orjson.loads(event["data"]))
        return news

    def steps(self) -> list[int]:
        """The steps that have come for the line of the training loss."""
        appended = [one["charts"]["loss"]["append"][0] for one in self.read() if "charts" in one]
        return [step for line in appended if line for step in line[0]]

    @property
    def has_ended(self) -> bool:
        return self.stream._is_over


@pytest.fixture
def site(client: Client, monkeypatch: pytest.MonkeyPatch) -> Site:
    made = Site(client)
    monkeypatch.setattr(looking, "monotonic", lambda: made.now)
    monkeypatch.setattr(changes, "standing", lambda: str(next(made.writes)))
    return made


@pytest.fixture
def trained() -> tuple[Run, Series]:
    run = builders.build_running_run()
    return run, builders.build_series(run, "train_loss", [3.0, 2.0])


def grow(run: Run, series: Series, *values: float) -> None:
    builders.extend_series(series, list(values))
    Run.objects.filter(pk=run.pk).update(steps_run=series.last_step)


def cursor_of(site: Site, run: Run) -> str:
    """The cursor that a page begins with, on which everything is drawn."""
    return str(site.client.get(reverse("run-live", args=[run.pk])).json()["next"])


def test_only_what_is_new_travels(site: Site, trained: tuple[Run, Series]) -> None:
    run, series = trained
    tab = site.open(run=run.pk, after=cursor_of(site, run))
    assert [set(one) for one in tab.read()] == [{"of", "next", "fragments", "marks"}]
    grow(run, series, 1.5)
    site.look(tab)
    (news,) = tab.read()
    assert news["of"] == reverse("run-live", args=[run.pk])
    assert news["charts"] == {"loss": {"append": [[[3], [1.5]], None]}}
    assert "run-state" in news["fragments"]
    assert "run-tabs" not in news["fragments"]
    assert "marks" not in news
    site.look(tab, after=20)
    assert tab.steps() == []


def test_each_step_comes_once_however_the_line_is_cut(site: Site, trained: tuple[Run, Series]) -> None:
    run, series = trained
    cursor, seen = cursor_of(site, run), [1, 2]
    for cut in range(8):
        tab = site.open(run=run.pk, **({"last": cursor, "after": "1_0.0"} if cut % 2 else {"after": cursor}))
        seen += tab.steps()
        grow(run, series, 1.0, 1.0)
        site.look(tab)
        seen += tab.steps()
        cursor = tab.cursor or cursor
        grow(run, series, 1.0)
        site.look(tab)  # and this is lost on its way
    seen += site.open(run=run.pk, after=cursor).steps()
    assert seen == list(range(1, (series.last_step or 0) + 1))


def test_runs_and_topics_share_a_stream(site: Site, trained: tuple[Run, Series]) -> None:
    run, series = trained
    other = builders.build_running_run()
    tab = site.open(run=f"{run.pk},{other.pk}", topic=["queue", "workers"])
    addresses = [reverse("run-live", args=[one.pk]) for one in (run, other)]
    addresses += [reverse("queue-now"), reverse("workers-now")]
    assert [one["of"] for one in tab.read()] == addresses
    assert tab.cursor.count(";") == 3
    again = site.open(run=f"{run.pk},{other.pk}", topic=["queue", "workers"], last=tab.cursor)
    assert reverse("workers-now") not in {one["of"] for one in again.read()}  # it is as it was
    grow(run, series, 1.0)
    site.look(again)
    assert again.steps() == [3]


def test_a_topic_is_what_polling_answers_and_comes_when_it_changes(site: Site) -> None:
    run = builders.build_run()
    address = reverse("project-rows", args=[run.project.slug]) + "?status=queued"
    tab = site.open(topic=address)
    (news,) = tab.read()
    assert news["fragments"] == {"": site.client.get(address).text}
    site.look(tab, after=60)
    assert tab.read() == []
    Run.objects.filter(pk=run.pk).update(name="another name")
    site.look(tab, after=60)
    assert "another name" in tab.read()[0]["fragments"][""]


def test_the_numbers_of_the_navigation_come_when_they_change(site: Site) -> None:
    tab = site.open(topic="badges")
    (news,) = tab.read()
    assert set(news["fragments"]) == {"waiting_runs", "open_alerts"}
    site.look(tab)
    assert tab.read() == []
    builders.build_run()
    site.look(tab, after=1)
    assert tab.read() == []  # not so soon
    site.look(tab, after=3)
    (news,) = tab.read()
    assert list(news["fragments"]) == ["waiting_runs"]
    assert ">1<span" in news["fragments"]["waiting_runs"]


def test_the_numbers_cost_one_query_for_all_with_the_same_rights(
    site: Site, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    tabs = []
    for _ in range(5):
        site.sign_in(builders.build_user())
        tabs.append(site.open_and_read(topic="badges"))
    site.look(*tabs, after=6)
    builders.build_run()
    with django_assert_num_queries(1):
        site.look(*tabs, after=3)
    assert [len(tab.read()) for tab in tabs] == [1] * 5


def test_the_stream_ends_when_all_that_it_shows_is_over(site: Site, trained: tuple[Run, Series]) -> None:
    run, _ = trained
    tab = site.open(run=run.pk)
    tab.read()
    Run.objects.filter(pk=run.pk).update(
        status=Status.FINISHED, ended_at=timezone.now(), token=None, lease_until=None
    )
    site.look(tab)
    (news,) = tab.read()
    assert news["over"] is True
    assert "loss" in news["replace"]
    assert tab.has_ended
    again = site.client.get(reverse("events"), {"run": str(run.pk), "after": tab.cursor})
    assert again.status_code == 204  # so that the browser stays away


def test_a_run_in_the_trash_ends_the_stream(site: Site, trained: tuple[Run, Series]) -> None:
    run, _ = trained
    tab = site.open(run=run.pk)
    Run.objects.filter(pk=run.pk).update(deleted_at=timezone.now())
    tab.read()
    site.look(tab)
    assert tab.has_ended
    assert site.client.get(reverse("events"), {"run": run.pk}).status_code == 404


@pytest.mark.parametrize("how", ["signed out", "locked", "new password", "expired"])
def test_who_may_not_look_any_more_hears_nothing_more(
    site: Site, trained: tuple[Run, Series], how: str
) -> None:
    run, series = trained
    tab = site.open_and_read(run=run.pk)
    if how == "signed out":
        site.client.logout()
    elif how == "expired":
        Session.objects.update(expire_date=timezone.now())
    elif how == "locked":
        User.objects.update(is_active=False)
    else:
        site.user.set_password("another passphrase")
        site.user.save()
    grow(run, series, 1.0)
    site.look(tab, after=6)
    assert tab.has_ended
    assert tab.read() == []


def test_strangers_have_to_sign_in(client: Client) -> None:
    answer = client.get(reverse("events"), {"topic": "queue"})
    assert answer.status_code == 302
    assert reverse("login") in answer.headers["Location"]


def test_the_answer_is_a_stream_that_nobody_keeps(site: Site) -> None:
    headers = site.open(topic="queue").headers
    assert headers["Content-Type"].startswith("text/event-stream")
    assert headers["Cache-Control"] == "no-cache"
    assert headers["X-Accel-Buffering"] == "no"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({}, "1 to 24 runs and topics"),
        ({"run": "1,x"}, "numbers of runs"),
        ({"run": "9" * 40}, "numbers of runs"),
        ({"topic": "/admin/"}, "can be watched"),
        ({"topic": "https://elsewhere.test/p/x/rows/"}, "begins with /"),
        ({"topic": "nonsense"}, "can be watched"),
        ({"topic": "//[", "after": ";;;;"}, "can be watched"),
        ({"topic": [f"/queue/now/?open={number}" for number in range(30)]}, "got 30"),
    ],
)
def test_an_address_that_makes_no_sense_is_refused_in_words(
    site: Site, query: dict[str, Any], words: str
) -> None:
    answer = site.client.get(reverse("events"), query)
    assert answer.status_code == 400
    assert words in answer.content.decode()


def test_a_tab_watches_a_few_runs_and_no_more(site: Site) -> None:
    runs = [builders.build_running_run().pk for _ in range(watching.MAX_RUNS + 1)]
    refused = site.client.get(reverse("events"), {"run": ",".join(map(str, runs))})
    assert refused.status_code == 400
    assert "at most 8 live runs" in refused.content.decode()


def test_many_tabs_cost_what_one_costs(
    site: Site, trained: tuple[Run, Series], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    run, series = trained
    after = cursor_of(site, run)
    tabs = [site.open_and_read(run=run.pk, after=after) for _ in range(30)]
    grow(run, series, 1.5)
    # Sessions, people, rights, the run's row; then what one tab's polling costs but for its session.
    with django_assert_max_num_queries(10):
        site.look(*tabs, after=6)
    assert [tab.steps() for tab in tabs] == [[3]] * 30


def test_people_with_the_same_rights_cost_what_one_costs(
    site: Site, trained: tuple[Run, Series], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    run, series = trained
    after = cursor_of(site, run)
    tabs = []
    for _ in range(5):
        site.sign_in(builders.build_user("stop_run"))
        tabs.append(site.open_and_read(run=run.pk, after=after))
    site.look(*tabs, after=6)
    for tab in tabs:
        tab.read()
    grow(run, series, 1.5)
    with django_assert_max_num_queries(8):  # the run's row, and one tab's polling
        site.look(*tabs)
    assert [tab.steps() for tab in tabs] == [[3]] * 5


def test_what_is_personal_is_made_for_each_person(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def now(request: HttpRequest) -> HttpResponse:
        return HttpResponse(f"{request.user.get_username()} {next(site.writes)}")

    tabs = []
    for _ in range(3):
        site.sign_in(builders.build_user())
        tabs.append(site.open(topic="workers"))
        tabs[-1].read()
        tabs[-1].stream.watched[0].match.func = now
    site.look(*tabs)
    names = [tab.read()[0]["fragments"][""].split()[0] for tab in tabs]
    assert names == [tab.stream.request.user.get_username() for tab in tabs]
    assert len(set(names)) == 3


def test_a_form_has_the_secret_of_its_own_browser(site: Site) -> None:
    def now(request: HttpRequest) -> HttpResponse:
        return HttpResponse(get_token(request))

    tab = site.open(topic="workers")
    tab.read()
    tab.stream.watched[0].match.func = now
    site.look(tab)
    secret = tab.stream.request.META["CSRF_COOKIE"]
    assert _does_token_match(tab.read()[0]["fragments"][""], secret)


def test_where_nobody_has_written_nobody_is_asked(
    site: Site, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(changes, "standing", lambda: "as before")
    tab = site.open_and_read(run=builders.build_running_run().pk, topic="queue")
    with django_assert_max_num_queries(4):  # whether the person is still signed in, and may do what
        site.look(tab, after=6)
    with django_assert_max_num_queries(0):
        site.look(tab, after=1)


def test_a_run_that_is_as_it_was_is_not_asked_though_others_are_written_to(
    site: Site, trained: tuple[Run, Series], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    tab = site.open_and_read(run=trained[0].pk)
    with django_assert_max_num_queries(1):
        site.look(tab)


def test_who_reads_slowly_gets_the_rest_in_one_piece(site: Site, trained: tuple[Run, Series]) -> None:
    run, series = trained
    tab = site.open(run=run.pk, after=cursor_of(site, run))
    for _ in range(5):
        grow(run, series, 1.0)
        site.look(tab)
    assert len(tab.read()) == 1
    site.look(tab)
    assert tab.steps() == [3, 4, 5, 6, 7]
