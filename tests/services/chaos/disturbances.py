"""A seeded stream of disturbances: what is killed, frozen or restarted, and when."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from tests.services.chaos.sites import Site, kill, lose_data

FROZEN = (36.0, 46.0)  # seconds; a lease has 30, and the reconciler looks every 5
AWAY = (0.2, 4.0)  # seconds that a database is away
FREEZE = "worker frozen"

# How often it comes among all, and what is done: it returns words for the log, nothing where it found nobody.
Act = tuple[int, Callable[[], str]]


@dataclass
class Chaos:
    """Disturbs a site.

    Args:
        between: the shortest and the longest pause between two disturbances, in seconds.
    """

    site: Site
    seed: int
    between: tuple[float, float]
    done: Counter[str] = field(default_factory=Counter)
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._began = time.monotonic()
        self._next = self._began + self._random.uniform(*self.between)
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._frozen: set[int] = set()  # they shall wake up, and find their runs gone
        self._acts = self._kinds()

    @property
    def kills(self) -> int:
        """How many disturbances ended a process; frozen ones live on."""
        return self.done.total() - self.done[FREEZE]

    def tend(self) -> None:
        """Do what is due, and disturb where it is time; call it several times a second."""
        self.settle()
        if time.monotonic() >= self._next:
            self.strike(
                self._random.choices(list(self._acts), [weight for weight, _ in self._acts.values()])[0]
            )
            self._next = time.monotonic() + self._random.uniform(*self.between)

    def strike(self, kind: str) -> None:
        """Disturb in this way, where there is somebody to be disturbed."""
        _, act = self._acts[kind]
        words = act()
        if words:
            self.done[kind] += 1
            self.say(f"{kind}: {words}")

    def settle(self) -> None:
        """Do what is due, and start what ended."""
        now = time.monotonic()
        due = [act for at, act in self._later if now >= at]
        self._later = [(at, act) for at, act in self._later if now < at]
        for act in due:
            act()
        self.site.tend()

    def is_settled(self) -> bool:
        """Whether all that was frozen or stopped is back."""
        return not self._later

    def say(self, text: str) -> None:
        """Note an event, also for those who look on."""
        line = f"{time.strftime('%H:%M:%S')} {time.monotonic() - self._began:6.1f} s  {text}"
        self.log.append(line)
        with (self.site.api.home / "storm.log").open("a") as file:
            file.write(f"{line}\n")

    def _kinds(self) -> dict[str, Act]:
        acts: dict[str, Act] = {
            "worker killed": (6, self._kill_worker),
            "pool process killed": (5, self._kill_pool_process),
            FREEZE: (2, self._freeze),
            "web killed": (2, partial(self._kill_main, "web")),
            "scheduler killed": (2, partial(self._kill_main, "scheduler")),
            "broker killed": (2, partial(self._kill_main, "broker")),
        }
        if self.site.broker_folder is not None:
            acts["broker killed, data lost"] = (2, self._lose_broker)
        if self.site.database is not None:
            acts["database stopped"] = (1, partial(self._restart_database, signal.SIGINT))
            acts["database crashed"] = (1, partial(self._restart_database, signal.SIGQUIT))
        if self.site.kill_all is not None:
            acts["everything killed"] = (1, self._kill_all)
        return acts

    def _kill_worker(self) -> str:
        return self._kill_one(self.site.workers())

    def _kill_main(self, part: str) -> str:
        found = self.site.mains(part)
        return self._kill_one(found)

    def _kill_pool_process(self) -> str:
        return self._kill_one(self.site.pool())

    def _kill_one(self, found: list[int]) -> str:
        awake = [pid for pid in found if pid not in self._frozen]
        if not awake:
            return ""
        pid = self._random.choice(awake)
        return f"process {pid}" if kill(pid) else ""

    def _freeze(self) -> str:
        """Stop all processes of a worker, one at a time, for longer than its lease."""
        found = self.site.workers()
        if not found or self._frozen:
            return ""
        frozen = self.site.tree(self._random.choice(found))
        self._frozen.update(frozen)
        for pid in frozen:
            kill(pid, signal.SIGSTOP)
        seconds = self._random.uniform(*FROZEN)
        self._later.append((time.monotonic() + seconds, partial(self._thaw, frozen)))
        return f"processes {frozen} for {seconds:.0f} s"

    def _thaw(self, frozen: list[int]) -> None:
        self._frozen.clear()
        back = [pid for pid in frozen if kill(pid, signal.SIGCONT)]
        self.say(f"worker thawed: processes {back}")

    def _lose_broker(self) -> str:
        found = self.site.mains("broker")
        words = self._kill_one(found)
        while set(found) & set(self.site.mains("broker")):
            time.sleep(0.01)
        if words:
            lose_data(self.site)
        return words

    def _restart_database(self, number: signal.Signals) -> str:
        database = self.site.database
        if database is None or not database.is_running():
            return ""
        database.stop(number)
        seconds = self._random.uniform(*AWAY)
        self._later.append((time.monotonic() + seconds, database.start))
        return f"{number.name}, away for {seconds:.1f} s"

    def _kill_all(self) -> str:
        assert self.site.kill_all is not None
        self.site.kill_all()
        return "the supervisor, and all its processes with it"
