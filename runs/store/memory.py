"""What a process remembers of the runs that it writes to, as long as nobody else folded or rewound them."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Memory(Generic[Value]):
    """A value for each of the runs last used; it holds for one count of the run's folds.

    Values are put in when their transaction has committed: what was rolled back must not be remembered.

    Args:
        runs: how many are remembered.
    """

    def __init__(self, runs: int) -> None:
        self._runs = runs
        self._values: OrderedDict[int, tuple[int, Value]] = OrderedDict()
        self._lock = Lock()

    def get(self, run_id: int, folds: int) -> Value | None:
        """Return what is remembered of a run; None where that is nothing, or out of date."""
        with self._lock:
            found = self._values.get(run_id)
            if found is None or found[0] != folds:
                return None
            self._values.move_to_end(run_id)
            return found[1]

    def take(self, run_id: int, folds: int) -> Value | None:
        """Return what is remembered of a run and forget it: it is about to change."""
        value = self.get(run_id, folds)
        self.forget(run_id)
        return value

    def put(self, run_id: int, folds: int, value: Value) -> None:
        """Remember a value."""
        with self._lock:
            self._values[run_id] = (folds, value)
            self._values.move_to_end(run_id)
            while len(self._values) > self._runs:
                self._values.popitem(last=False)

    def forget(self, run_id: int) -> None:
        """Forget a run."""
        with self._lock:
            self._values.pop(run_id, None)
