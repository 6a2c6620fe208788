"""What goes wrong beside the work itself: the database is away, or one of many things breaks unforeseen."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from django.db import InterfaceError, InternalError, OperationalError

logger = logging.getLogger(__name__)

# The last is what PostgreSQL says to a client that was silent for too long in the middle of a transaction.
AWAY = (OperationalError, InterfaceError, InternalError)

Thing = TypeVar("Thing")


def each_apart(act: Callable[[Thing], int], things: Iterable[Thing]) -> int:
    """Do something with each thing, and add up what comes of it.

    Where one breaks unforeseen, it is logged and the others have their turn: they may be other people's.

    Raises:
        OperationalError, InterfaceError, InternalError: of the database, for then nothing can go on.
    """
    return sum(_apart(act, thing) for thing in things)


def _apart(act: Callable[[Thing], int], thing: Thing) -> int:
    try:
        return act(thing)
    except AWAY:
        raise
    except Exception:
        logger.exception("%r broke unforeseen; it is tried again later", thing)
        return 0
