"""The supervisor, with real processes: it restarts what dies and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nnlab import supervisor
from nnlab.supervisor import AlreadyRunningError, Child, FolderLock, Supervisor

PATIENCE = 30.0  # seconds that a busy machine may need for what takes milliseconds


def await_that(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that is dead but not yet waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[None]:
    """Give the process its signal handlers back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


class Script:
    """A small program that notes the process id of each of its starts."""

    def __init__(self, folder: Path, name: str, body: str) -> None:
        self.notes = folder / f"{name}.pids"
        self.notes.touch()
        source = f"""
            import os, signal, subprocess, sys, time
            def note(pid):
                with open({str(self.notes)!r}, "a") as file:
                    file.write(f"{{pid}}\\n")
        """
        path = folder / f"{name}.py"
        path.write_text(textwrap.dedent(source) + textwrap.dedent(body))
        self.child = Child(name, [sys.executable, "-S", str(path)], folder / f"{name}.log")

    @property
    def pids(self) -> list[int]:
        return [int(line) for line in self.notes.read_text().splitlines()]


QUIET = """
    note(os.getpid())
    time.sleep(600)
"""
SHORT = """
    note(os.getpid())
    print("that was all")
    sys.exit(3)
"""
STUBBORN = """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note(os.getpid())
    time.sleep(600)
"""
PARENT = """
    child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    note(child.pid)
    note(os.getpid())
    time.sleep(600)
"""


def test_children_run_until_they_are_stopped_and_nothing_is_left(tmp_path: Path) -> None:
    scripts = [Script(tmp_path, name, QUIET) for name in ("broker", "web")]
    watched = Supervisor([script.child for script in scripts])
    watched.start()
    await_that(lambda: all(script.pids for script in scripts))
    watched.watch()
    assert all(script.child.is_alive() for script in scripts)
    watched.stop()
    assert watched.stopping
    assert not any(is_alive(pid) for script in scripts for pid in script.pids)
    watched.watch()
    assert [len(script.pids) for script in scripts] == [1, 1]


def test_a_child_that_dies_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "RESTART_PAUSES", (0.0,))
    script = Script(tmp_path, "worker", QUIET)
    watched = Supervisor([script.child])
    watched.start()
    await_that(lambda: len(script.pids) == 1)
    os.kill(script.pids[0], signal.SIGKILL)

    def restarted() -> bool:
        watched.watch()
        return len(script.pids) == 2

    await_that(restarted)
    assert script.child.is_alive()
    watched.stop()
    assert not any(is_alive(pid) for pid in script.pids)


def test_a_child_that_dies_at_once_is_given_longer_and_longer_pauses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    script = Script(tmp_path, "worker", SHORT)
    watched = Supervisor([script.child])
    watched.start()
    pauses = []
    for _ in range(6):
        assert script.child.process is not None
        script.child.process.wait()
        watched.watch()
        pauses.append(script.child.restart_at - now[0])
        now[0] = script.child.restart_at - 0.01
        watched.watch()
        assert not script.child.is_alive()
        now[0] = script.child.restart_at
        watched.watch()
    assert pauses == pytest.approx([0.5, 1.0, 2.0, 5.0, 10.0, 10.0])

    now[0] += supervisor.STEADY + 1  # it ran well for a while
    assert script.child.process is not None
    script.child.process.wait()
    watched.watch()
    assert script.child.restart_at - now[0] == pytest.approx(0.5)
    monkeypatch.undo()
    watched.stop()


def test_a_dead_childs_own_children_are_killed_before_it_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "RESTART_PAUSES", (0.0,))
    script = Script(tmp_path, "worker", PARENT)
    watched = Supervisor([script.child])
    watched.start()
    await_that(lambda: len(script.pids) == 2)
    grandchild, child = script.pids
    os.kill(child, signal.SIGKILL)
    await_that(lambda: not script.child.is_alive())
    assert is_alive(grandchild)
    watched.watch()
    await_that(lambda: not is_alive(grandchild))
    watched.stop()


def test_stopping_kills_the_whole_session_of_a_child(tmp_path: Path) -> None:
    script = Script(tmp_path, "worker", PARENT)
    watched = Supervisor([script.child])
    watched.start()
    await_that(lambda: len(script.pids) == 2)
    watched.stop()
    await_that(lambda: not any(is_alive(pid) for pid in script.pids))


def test_a_child_that_ignores_the_wish_to_end_is_killed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scripts = [Script(tmp_path, "broker", QUIET), Script(tmp_path, "worker", STUBBORN)]
    watched = Supervisor([script.child for script in scripts], stop_timeout=0.2)
    watched.start()
    await_that(lambda: all(script.pids for script in scripts))
    watched.stop()
    assert "worker did not stop in time and is killed" in caplog.text
    assert not any(is_alive(pid) for script in scripts for pid in script.pids)


def test_a_second_signal_does_not_wait_for_who_does_not_end(tmp_path: Path) -> None:
    scripts = [Script(tmp_path, "broker", STUBBORN), Script(tmp_path, "worker", STUBBORN)]
    watched = Supervisor([script.child for script in scripts], stop_timeout=100 * PATIENCE)
    watched.start()
    await_that(lambda: all(script.pids for script in scripts))
    os.kill(os.getpid(), signal.SIGINT)
    await_that(lambda: watched.stopping)
    again = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    again.start()
    watched.stop()
    again.join()
    assert not any(is_alive(pid) for script in scripts for pid in script.pids)


def test_the_first_child_is_stopped_last(tmp_path: Path) -> None:
    order = tmp_path / "order"
    body = f"""
        def end(*_):
            with open({str(order)!r}, "a") as file:
                file.write(os.path.basename(sys.argv[0]) + "\\n")
            os._exit(0)
        signal.signal(signal.SIGTERM, end)
        note(os.getpid())
        time.sleep(600)
    """
    scripts = [Script(tmp_path, name, body) for name in ("broker", "web", "worker")]
    watched = Supervisor([script.child for script in scripts])
    watched.start()
    await_that(lambda: all(script.pids for script in scripts))
    watched.stop()
    ended = order.read_text().split()
    assert sorted(ended) == ["broker.py", "web.py", "worker.py"]
    assert ended[-1] == "broker.py"


def test_what_children_print_is_logged(tmp_path: Path) -> None:
    script = Script(tmp_path, "web", SHORT)
    script.child.start()
    assert script.child.process is not None
    assert script.child.process.wait() == 3
    assert script.child.log.read_text() == "that was all\n"
    script.child.end(time.monotonic())


def test_children_get_the_environment_they_are_given(tmp_path: Path) -> None:
    script = Script(tmp_path, "web", 'print(os.environ["COLOUR"])')
    script.child.environment = {"COLOUR": "blue"}
    script.child.start()
    assert script.child.process is not None
    script.child.process.wait()
    assert script.child.log.read_text() == "blue\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_the_wish_to_stop_and_reaches_the_supervisor_alone(
    tmp_path: Path, number: signal.Signals
) -> None:
    script = Script(tmp_path, "web", QUIET)
    watched = Supervisor([script.child])
    watched.start()
    await_that(lambda: len(script.pids) == 1)
    assert os.getsid(script.pids[0]) != os.getsid(0)
    os.kill(os.getpid(), number)
    await_that(lambda: watched.stopping)
    assert script.child.is_alive()
    watched.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_children_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    script = Script(tmp_path, "web", QUIET)
    code = f"""
        import sys, time
        from pathlib import Path
        from nnlab.supervisor import Child, Supervisor
        Supervisor([Child("web", {list(script.child.command)!r}, Path({str(script.child.log)!r}))]).start()
        time.sleep(600)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)]) as parent:
        await_that(lambda: len(script.pids) == 1)
        parent.kill()
    await_that(lambda: not is_alive(script.pids[0]))


def test_a_second_lock_on_a_folder_is_refused_and_names_the_holder(tmp_path: Path) -> None:
    code = f"""
        import sys
        from pathlib import Path
        from nnlab.supervisor import FolderLock
        with FolderLock(Path({str(tmp_path)!r})):
            print("held", flush=True)
            sys.stdin.read()
    """
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(AlreadyRunningError, match=rf"\(process {holder.pid}\); stop it first"),
            FolderLock(tmp_path),
        ):
            pass
        holder.stdin.close()
    with FolderLock(tmp_path):
        assert (tmp_path / "supervisor.lock").read_text() == str(os.getpid())


def test_a_lock_goes_with_its_holder_however_it_ended(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="crash"), FolderLock(tmp_path):
        raise RuntimeError("crash")
    with FolderLock(tmp_path):
        pass
