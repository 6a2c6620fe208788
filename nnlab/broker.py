"""The way to the broker: what is no message there is dropped, for it would end a worker with all its runs."""

from __future__ import annotations

import logging
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis
from redis.exceptions import ConnectionError as LostError

logger = logging.getLogger(__name__)


class Channel(redis.Channel):
    """Reads messages that may have been written by anything that has the broker's password."""

    def _brpop_read(self, **options: Any) -> Any:
        """Take one message; Celery answers for those that it can read."""
        parent: Any = super()  # whose stub does not know this method
        try:
            return parent._brpop_read(**options)  # noqa: SLF001 - the one place where it is read
        except (ValueError, TypeError, LookupError, AttributeError):
            logger.warning("dropped from the broker's queue, because it is no message", exc_info=True)
            return True  # as if one had been read

    def _receive_one(self, client: Any) -> Any:
        """Read what the broker says to all workers; never wait for it, for the whole worker would.

        That a socket can be read may be told of one that was closed here and lives on in a forked process: so
        it is after a worker was held up while its broker started anew. Then all connections are made anew.
        """
        connection = client.connection
        if connection is not None and not connection.can_read(timeout=0):
            raise LostError("the broker's socket was said to have news, and has none")
        parent: Any = super()
        return parent._receive_one(client)  # noqa: SLF001 - the one place where it is read


class Transport(redis.Transport):
    """Celery's own, with these channels."""

    Channel = Channel


def install() -> None:
    """Let this module take the place of Celery's own for all addresses of brokers, also those of sockets."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:Transport"))
