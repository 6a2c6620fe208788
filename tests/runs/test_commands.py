"""The commands: what they take, what they print, and what they leave alone when they refuse."""

from __future__ import annotations

import io
import json
import socket
import stat
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings, settings
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import Client

from nnlab.engine.device import cupy_backend
from nnlab.engine.native import library
from nnlab.supervisor import FolderLock
from runs import console, queue, serving
from runs.management.commands import scheduler
from runs.models import ApiToken, Run, Status, Sweep
from runs.serving import Account
from tests.runs.builders import build_run, build_running_run, build_user
from tests.runs.submissions import build_submission

pytestmark = pytest.mark.django_db

TOML = """
project = "Iris"
name = "Depth"
seeds = 2
[data]
dataset = "iris"
[training]
width = 4
steps = 5
[grid]
depth = [1, 2]
"""


def command(name: str, *arguments: str, **options: Any) -> str:
    printed = StringIO()
    call_command(name, *arguments, stdout=printed, **options)
    return printed.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sweep.toml"
    path.write_text(TOML)
    return path


def test_submit_reads_toml_and_says_where_the_sweep_is(file: Path) -> None:
    printed = command("submit", str(file))
    sweep = Sweep.objects.get()
    assert printed == f"Submitted 4 run(s) as sweep {sweep.pk}: {sweep.get_absolute_url()}\n"
    assert sweep.runs.count() == 4
    assert sweep.created_by is None


def test_submit_reads_json(tmp_path: Path) -> None:
    path = tmp_path / "sweep.json"
    path.write_text(json.dumps(build_submission(seeds=3)))
    command("submit", str(path))
    assert Run.objects.count() == 3


def test_submit_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(TOML))
    command("submit", "-")
    assert Run.objects.count() == 4


def test_submit_in_a_users_name(file: Path) -> None:
    user = build_user(name="ada")
    command("submit", str(file), user="ada")
    assert Sweep.objects.get().created_by == user


def test_submit_only_checks_where_that_is_asked(file: Path) -> None:
    lines = command("submit", str(file), check=True).splitlines()
    assert lines[-1] == "4 run(s), nothing submitted"
    assert lines[0].startswith("work: ")  # what it would cost
    assert not Sweep.objects.exists()


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"project = ", "sweep.toml", "is not valid"),
        (b"{", "sweep.json", "is not valid"),
        (b'"text"', "sweep.json", "is not valid"),
        (b"3", "sweep.json", "is not valid"),
        (b"\xff\xfe", "sweep.toml", "cannot read"),
        (None, "missing.toml", "cannot read"),
    ],
)
def test_submit_says_what_is_wrong_with_a_file(
    tmp_path: Path, content: bytes | None, name: str, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CommandError, match=message):
        command("submit", str(tmp_path / name))
    assert not Sweep.objects.exists()


def test_submit_refuses_a_user_who_does_not_exist(file: Path) -> None:
    with pytest.raises(CommandError, match="there is no user 'ghost'; nothing was submitted"):
        command("submit", str(file), user="ghost")
    assert not Sweep.objects.exists()


def test_token_prints_a_secret_that_opens_the_api() -> None:
    user = build_user(name="ada")
    secret = command("token", "ada", "nightly sweeps").strip()
    token = ApiToken.objects.get()
    assert (token.user, token.name) == (user, "nightly sweeps")
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    assert client.get("/api/runs").status_code == 200


def test_token_refuses_a_user_who_does_not_exist() -> None:
    with pytest.raises(CommandError, match="there is no user 'ghost'"):
        command("token", "ghost", "x")
    assert not ApiToken.objects.exists()


@pytest.fixture
def no_static(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out collecting static files, which needs seconds and the manifest storage."""

    def calling(name: str, *arguments: Any, **options: Any) -> Any:
        return None if name == "collectstatic" else call_command(name, *arguments, **options)

    monkeypatch.setattr(serving, "call_command", calling)


@pytest.mark.usefixtures("no_static")
def test_prepare_makes_one_administrator_whose_password_is_shown_once(client: Client) -> None:
    printed = command("prepare")
    password = printed.split("Password: ")[1].split()[0]
    assert client.login(username="admin", password=password)
    assert User.objects.get().is_superuser
    assert "Password" not in command("prepare")
    assert User.objects.count() == 1


@pytest.mark.usefixtures("no_static")
def test_prepare_takes_the_administrator_from_the_settings(settings: LazySettings, client: Client) -> None:
    settings.ADMIN_USER, settings.ADMIN_PASSWORD = "ada", "a password of my own"
    assert "a password of my own" not in command("prepare")
    assert client.login(username="ada", password="a password of my own")


@pytest.mark.usefixtures("no_static")
def test_the_embedded_database_is_its_owners_alone(
    monkeypatch: pytest.MonkeyPatch, settings: LazySettings, tmp_path: Path
) -> None:
    settings.NNLAB_HOME = tmp_path
    database = tmp_path / "nnlab.sqlite3"
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", str(database))
    command("prepare")
    assert stat.S_IMODE(database.stat().st_mode) == 0o600


def test_an_account_is_announced_as_it_is_and_a_chosen_password_is_not() -> None:
    with console.console.capture() as shown:
        console.announce_account(Account("a[/b]", "p[bold]w[/x]"))
    assert "a[/b]" in shown.get()
    assert "p[bold]w[/x]" in shown.get()
    with console.console.capture() as shown:
        console.announce_account(Account("ada", ""))
    assert "NNLAB_ADMIN_PASSWORD" in shown.get()


@pytest.mark.parametrize("name", ["up", "demo"])
def test_an_engine_that_is_not_here_is_refused_before_anything_starts(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNLAB_NATIVE_LIBRARY", "/nowhere.so")
    library.load.cache_clear()
    with pytest.raises(CommandError, match=r"expected nnlab's native library in /nowhere\.so"):
        call_command(name)


@pytest.mark.parametrize(
    "option", ["--port=0", "--port=65536", "--port=-1", "--port=x", "--workers=0", "--workers=-3"]
)
def test_an_option_that_cannot_be_is_refused(option: str) -> None:
    with pytest.raises(CommandError, match=r"expected a whole number from 1 to [\d,]+, got '"):
        call_command("up", option)


@pytest.mark.usefixtures("no_static")
def test_prepare_makes_the_group_that_may_submit_and_stop_and_no_more() -> None:
    command("prepare")
    command("prepare")
    group = Group.objects.get(name="Experimenters")
    assert {permission.codename for permission in group.permissions.all()} == {
        *("submit_sweep", "stop_run", "change_alert"),
    }
    user = build_user()
    user.groups.add(group)
    assert user.has_perms(["runs.submit_sweep", "runs.stop_run"])


def test_the_scheduler_looks_at_once_judges_later_and_ends_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[bool] = []
    handlers: dict[int, Any] = {}
    monkeypatch.setattr("signal.signal", lambda number, handler: handlers.update({number: handler}))
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(scheduler, "monotonic", lambda: next(clock))

    def look(*, judging: bool) -> None:
        looks.append(judging)
        if len(looks) == 3:
            raise OperationalError("the database is away")
        if len(looks) == 6:
            next(iter(handlers.values()))(15, None)

    monkeypatch.setattr(queue, "reconcile", look)
    command("scheduler", every=0.001)
    assert looks == [False, True, True, False, True, True]
    assert len(handlers) == 2


def test_a_taken_port_gives_way_to_the_next() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port < serving.free_port(port) < port + serving.PORTS_TO_TRY


def test_no_free_port_in_the_range_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "PORTS_TO_TRY", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(CommandError, match="choose one with --port"):
            serving.free_port(taken.getsockname()[1])


def test_a_second_installation_on_one_folder_is_refused() -> None:
    with (
        FolderLock(settings.NNLAB_HOME),
        pytest.raises(CommandError, match="nnlab already runs on"),
    ):
        call_command("up")  # refused before it touches the database


@pytest.fixture
def logs() -> Iterator[Path]:
    folder = settings.NNLAB_HOME / "logs"
    yield folder
    if folder.exists():
        folder.rmdir()


@pytest.mark.usefixtures("logs")
def test_the_broker_is_ours_only_where_none_is_given(settings: LazySettings) -> None:
    names = [child.name for child in serving.children(8000, 2, "x")]
    assert names == ["broker", "web", "worker", "scheduler"]
    settings.BROKER_SOCKET = None
    assert [child.name for child in serving.children(8000, 2, "x")] == names[1:]


@pytest.mark.usefixtures("logs")
def test_the_children_serve_this_machine_alone() -> None:
    children = {child.name: list(child.command) for child in serving.children(8123, 3, "x")}
    web, worker, broker = children["web"], children["worker"], children["broker"]
    assert web[web.index("--host") + 1] == "127.0.0.1"
    assert web[web.index("--port") + 1] == "8123"
    assert worker[worker.index("--concurrency") + 1] == "3"
    assert broker[broker.index("--port") + 1] == "0"


@pytest.mark.usefixtures("logs")
@pytest.mark.parametrize(("has_gpu", "queues"), [(False, "cpu"), (True, "cpu,gpu")])
def test_the_worker_takes_what_this_machine_can_train(
    monkeypatch: pytest.MonkeyPatch, has_gpu: bool, queues: str
) -> None:
    monkeypatch.setattr(cupy_backend, "available", lambda: has_gpu)
    (worker,) = (child.command for child in serving.children(8123, 3, "x") if child.name == "worker")
    assert worker[worker.index("--queues") + 1] == queues


def test_stopping_gives_this_machines_runs_back(settings: LazySettings) -> None:
    ours = build_running_run(worker=f"{socket.gethostname()}:42")
    other = build_running_run(worker="elsewhere:42")
    serving.release_runs(orderly=True)
    for run in (ours, other):
        run.refresh_from_db()
    assert (ours.status, other.status) == (Status.QUEUED, Status.RUNNING)

    shared = build_running_run(worker=f"{socket.gethostname()}:43")
    settings.BROKER_SOCKET = None  # other supervisors may serve workers of this host
    serving.release_runs(orderly=True)
    shared.refresh_from_db()
    assert shared.status == Status.RUNNING
    assert build_run().status == Status.QUEUED
