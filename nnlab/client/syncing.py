"""``nnlab sync``: sends what programs that are gone have left in their spools."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from nnlab.client import spool
from nnlab.client.backlog import Backlog
from nnlab.client.connection import Connection
from nnlab.client.delivery import Delivery
from nnlab.client.errors import AwayError, ClientError, RefusedError
from nnlab.client.spool import InUseError, Spool

HELP = "Send what nnlab.client could not send, with the token in NNLAB_TOKEN."


def main(arguments: Sequence[str]) -> int:
    """Send one folder, or all; 1 where something is left."""
    parser = argparse.ArgumentParser(prog="nnlab sync", description=HELP)
    add_arguments(parser)
    options = parser.parse_args(arguments)
    return sync(options.folder, options.url)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what to send, and where to."""
    parser.add_argument("folder", nargs="?", help="of one run, or of many (default: NNLAB_SPOOL, else yours)")
    parser.add_argument("--url", help="where the server is now, if it has moved since")


def sync(folder: str | None, url: str | None) -> int:
    """Send one folder, or all; 1 where something is left."""
    root = Path(folder) if folder else spool.root()
    if not root.is_dir():
        _say(f"Nothing waits: there is no folder {root}")
        return 1 if folder else 0
    folders = [root] if _holds_run(root) else sorted(path for path in root.iterdir() if _holds_run(path))
    if not folders:
        _say(f"Nothing waits in {root}")
        return 0
    sent = [_send_folder(found, url) for found in folders]
    left = sent.count(None)
    _say(f"{len(folders) - left} of {len(folders)} runs sent, {sum(one or 0 for one in sent):,} points")
    return 1 if left else 0


def _holds_run(folder: Path) -> bool:
    return (folder / "meta.json").is_file()


def _send_folder(folder: Path, url: str | None) -> int | None:
    """Send one run; the number of its points, or None where something is left."""
    try:
        found = Spool.found(folder)
    except (OSError, ValueError, InUseError) as error:
        _say(f"{folder.name}: {error}")
        return None
    name = str(found.meta.get("name"))
    try:
        connection = Connection(url or found.meta["url"], os.environ.get("NNLAB_TOKEN", "").strip())
        delivery = Delivery(found.meta, Backlog(found), connection, found)
        waiting = delivery.backlog.points
        try:
            _send_all(delivery, name, waiting)
        finally:
            delivery.close()
    except (OSError, ClientError, AwayError, RefusedError) as error:
        _say(f"{name}: {error}; {folder} is left as it is")
        return None
    if found.refused():
        _say(f"{name}: {delivery.url} has all but what it refused; {folder} holds that, with the reasons")
        return None
    _say(f"{name}: {waiting:,} points sent, {delivery.url}")
    return waiting


def _send_all(delivery: Delivery, name: str, waiting: int) -> None:
    """Send until nothing is left; a server that asks for a pause gets it."""
    more = True
    while more:
        try:
            more = delivery.send_next()
        except AwayError as error:
            if error.retry_after is None:
                raise
            time.sleep(error.retry_after)
        if sys.stdout.isatty():
            sys.stdout.write(f"\r{name}: {waiting - delivery.backlog.points:,} of {waiting:,} points\r")
            sys.stdout.flush()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
