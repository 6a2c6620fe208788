"""The folder of one run on this machine: what is known of the run, and what was not sent yet.

``meta.json`` says which run it is and where it belongs; ``waiting`` holds the records that wait, each with
its length and a CRC-32, so that one that was cut by a kill is found; ``refused-N`` is a batch that the server
would not have, beside ``refused-N.txt`` with its reason. The token is never written.
"""

from __future__ import annotations

import json
import logging
import os
import struct
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from io import FileIO
from pathlib import Path
from typing import IO, Any, Self

if sys.platform != "win32":
    import fcntl

logger = logging.getLogger("nnlab.client")

FORMAT = 1
START = struct.Struct("<II")  # length of the payload, CRC-32 of all that follows
FACTS = struct.Struct("<QBB")  # number, kind, thinned
HEADER_SIZE = START.size + FACTS.size


class Kind(IntEnum):
    """What a record asks of the server."""

    POINTS = 0  # a batch, as nnlab.series.batch writes it
    CONFIG = 1  # JSON
    END = 2  # JSON
    LINES = 3  # JSON


@dataclass(frozen=True)
class Record:
    """One thing to send."""

    number: int
    kind: Kind
    payload: bytes
    thinned: int = 0  # k where one point in 2^k was kept

    def packed(self) -> bytes:
        """Return the record as it stands in the file."""
        facts = FACTS.pack(self.number, self.kind, self.thinned)
        return (
            START.pack(len(self.payload), zlib.crc32(self.payload, zlib.crc32(facts))) + facts + self.payload
        )


class InUseError(Exception):
    """The program that made this folder is still alive, and sends by itself."""


class Spool:
    """An open folder. Any method may raise OSError, and leaves the folder readable when it does."""

    def __init__(self, folder: Path, meta: dict[str, Any], lock: IO[bytes]) -> None:
        self.folder = folder
        self.meta = meta
        self._lock = lock
        self._file = self._opened()
        self.size = self._file.seek(0, os.SEEK_END)

    @classmethod
    def made(cls, root: Path, meta: dict[str, Any]) -> Self:
        """Make the folder of a new run."""
        name = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{meta['writer'][:12]}"
        folder = root / name
        folder.mkdir(mode=0o700, parents=True)
        lock = _locked(folder)
        spool = cls(folder, {}, lock)
        spool.note(format=FORMAT, **meta)
        return spool

    @classmethod
    def found(cls, folder: Path) -> Self:
        """Open the folder of a program that is gone.

        Raises:
            InUseError: if it is not gone.
            ValueError: if it is no such folder.
        """
        text = (folder / "meta.json").read_text(encoding="utf-8")
        meta = json.loads(text)
        if not isinstance(meta, dict) or meta.get("format") != FORMAT:
            raise ValueError(f"expected format {FORMAT} in {folder / 'meta.json'}, got {text[:100]!r}")
        return cls(folder, meta, _locked(folder))

    def note(self, **facts: Any) -> None:
        """Keep facts of the run; the file is replaced whole."""
        self.meta |= facts
        draft = self.folder / "meta.draft"
        draft.write_text(json.dumps(self.meta), encoding="utf-8")
        draft.replace(self.folder / "meta.json")

    def append(self, record: Record) -> int:
        """Write a record at the end; where it begins. One that does not fit on the disk leaves no trace."""
        start, packed = self.size, record.packed()
        try:
            if self._file.write(packed) != len(packed):
                raise OSError(f"the disk of {self.folder} is full")
        except OSError:
            self._file.truncate(start)
            raise
        self.size = start + len(packed)
        return start

    def payload(self, start: int, length: int) -> bytes:
        """Read the payload of the record that begins at ``start``."""
        self._file.seek(start + HEADER_SIZE)
        return self._file.read(length)

    def empty(self) -> None:
        """Drop all records."""
        self._file.truncate(0)
        self.size = 0

    def replace(self, records: Sequence[Record]) -> list[int]:
        """Put other records into the place of all; where each begins."""
        draft = self.folder / "waiting.draft"
        starts, end = [], 0
        with draft.open("wb") as file:
            for record in records:
                starts.append(end)
                end += file.write(record.packed())
        draft.replace(self.folder / "waiting")
        self._file.close()
        self._file, self.size = self._opened(), end
        return starts

    def records(self) -> Iterator[tuple[int, Record]]:
        """Read all records, each with where it begins; one that a kill cut off is dropped, with a word."""
        start = 0
        while start < self.size:
            record = self._record(start)
            if record is None:
                logger.warning(
                    "%s ends in a damaged record; its last %d bytes are dropped",
                    self.folder,
                    self.size - start,
                )
                self._file.truncate(start)
                self.size = start
                return
            yield start, record
            start += HEADER_SIZE + len(record.payload)

    def refuse(self, record: Record, reason: str) -> Path:
        """Keep a record that the server will not have, and why."""
        path = self.folder / f"refused-{record.number}"
        path.write_bytes(record.payload)
        path.with_suffix(".txt").write_text(reason + "\n", encoding="utf-8")
        return path

    def refused(self) -> list[Path]:
        """Return the records that the server would not have."""
        return sorted(path for path in self.folder.glob("refused-*") if path.suffix != ".txt")

    def close(self) -> None:
        """Leave the folder to whoever opens it next."""
        self._file.close()
        self._lock.close()

    def remove(self) -> None:
        """Delete the folder; all of it was sent."""
        try:
            for name in ("waiting", "waiting.draft", "meta.json", "meta.draft", "lock"):
                (self.folder / name).unlink(missing_ok=True)
        finally:
            self.close()
        self.folder.rmdir()

    def _opened(self) -> FileIO:
        """Open the file of records, without a buffer, which a fork would write a second time."""
        return (self.folder / "waiting").open("a+b", buffering=0)

    def _record(self, start: int) -> Record | None:
        self._file.seek(start)
        header = self._file.read(HEADER_SIZE)
        if len(header) < HEADER_SIZE:
            return None
        length, checked = START.unpack_from(header)
        facts = header[START.size :]
        payload = self._file.read(length) if length <= self.size else b""
        if len(payload) != length or zlib.crc32(payload, zlib.crc32(facts)) != checked:
            return None
        number, kind, thinned = FACTS.unpack(facts)
        return Record(number, Kind(kind), payload, thinned)


def _locked(folder: Path) -> IO[bytes]:
    """Hold the folder until the file is closed; on Windows nothing is held."""
    file = (folder / "lock").open("a+b")
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise InUseError(f"the program that fills {folder} still runs, and sends by itself") from error
    return file


def root() -> Path:
    """Return the folder of all spools: NNLAB_SPOOL, or one in the user's folder for application data."""
    chosen = os.environ.get("NNLAB_SPOOL")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    elif sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA") or Path.home())
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return data / "nnlab" / "spool"
