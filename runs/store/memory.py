"""What a process remembers of the runs that it writes to, as long as nobody else folded or rewound them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sized
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value", bound=Sized)


class Memory(Generic[Value]):
    """A collection for each of the runs last used; it holds for one count of the run's folds.

    Values are put in when their transaction has committed: what was rolled back must not be remembered.

    Args:
        most: items of all collections that are remembered: a run may have one series, or thousands.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._items = 0
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
        """Remember a value, which nobody changes while it is in here; the run last used always stays."""
        with self._lock:
            self._drop(run_id)
            self._values[run_id] = (folds, value)
            self._items += len(value)
            while self._items > self._most and len(self._values) > 1:
                self._drop(next(iter(self._values)))

    def forget(self, run_id: int) -> None:
        """Forget a run."""
        with self._lock:
            self._drop(run_id)

    def _drop(self, run_id: int) -> None:
        if run_id in self._values:
            self._items -= len(self._values.pop(run_id)[1])
