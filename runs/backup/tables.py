"""Rows of every table, as bytes and back: bit for bit, and the same for SQLite and PostgreSQL."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import IO, Any, TypeAlias

import msgspec
from django.apps import apps
from django.db import connection
from django.db.models import AutoField, BinaryField, Field, JSONField, Model

Row: TypeAlias = list[Any]

_LENGTH = struct.Struct(">I")
_ROWS_AT_A_TIME = 1000
_LARGE_ROWS_AT_A_TIME = 20  # a part of a checkpoint has a megabyte


class Table:
    """A table of the installation, with the columns that are stored."""

    def __init__(self, model: type[Model]) -> None:
        meta = model._meta  # noqa: SLF001 - Django's documented name
        self.name = meta.db_table
        self._rows = model._base_manager  # noqa: SLF001 - Django's documented name
        self._key = meta.pk
        # A composite key has no column of its own.
        self._fields = [field for field in meta.concrete_fields if field.column and not field.generated]
        has_bytes = any(isinstance(field, BinaryField) for field in self._fields)
        self._at_a_time = _LARGE_ROWS_AT_A_TIME if has_bytes else _ROWS_AT_A_TIME

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return [str(field.column) for field in self._fields]

    def is_empty(self) -> bool:
        """Whether there is no row."""
        return not self._rows.exists()

    def encoded(self) -> Iterator[bytes]:
        """Read the rows, each as its length and its values."""
        encoder = msgspec.msgpack.Encoder()
        json_at = [place for place, field in enumerate(self._fields) if isinstance(field, JSONField)]
        rows = self._rows.order_by("pk").values_list(*(field.attname for field in self._fields))
        for values in rows.iterator(chunk_size=self._at_a_time):
            row = list(values)
            for place in json_at:  # as text: the packing knows no integers beyond 64 bits
                row[place] = json.dumps(row[place])
            data = encoder.encode(row)
            yield _LENGTH.pack(len(data)) + data

    def decoded(self, file: IO[bytes]) -> Iterator[Row]:
        """Read rows back, as ``encoded`` wrote them."""
        decoder = msgspec.msgpack.Decoder(list[Any])
        read = [_reader(field) for field in self._fields]
        while head := file.read(_LENGTH.size):
            values = decoder.decode(file.read(*_LENGTH.unpack(head)))
            yield [reader(value) for reader, value in zip(read, values, strict=True)]

    def insert(self, rows: Iterable[Row]) -> int:
        """Write rows, with the keys that they had. Returns how many."""
        columns = ", ".join(map(_quoted, self.columns))
        marks = ", ".join(["%s"] * len(self._fields))
        statement = f"INSERT INTO {_quoted(self.name)} ({columns}) VALUES ({marks})"  # noqa: S608 - our names
        left, written = iter(rows), 0
        with connection.cursor() as cursor:
            while some := [self._prepared(row) for row in islice(left, self._at_a_time)]:
                cursor.executemany(statement, some)
                written += len(some)
        return written

    def last_id(self) -> int:
        """Return the greatest number that the database gave a row; 0 where it gives none."""
        if not isinstance(self._key, AutoField):
            return 0
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                last = f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {self._sequence()}"  # noqa: S608
                cursor.execute(last)
            else:
                cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [self.name])
            found = cursor.fetchone()
        return int(found[0]) if found else 0

    def go_on_after(self, number: int) -> None:
        """Let the next row get a greater number than this one."""
        if not number:
            return
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SELECT setval(%s, %s)", [self._sequence(), number])
                return
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [self.name])
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [self.name, number])

    def _sequence(self) -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [_quoted(self.name), self._key.column])
            return str(cursor.fetchone()[0])

    def _prepared(self, row: Row) -> Row:
        return [
            field.get_db_prep_save(value, connection) for field, value in zip(self._fields, row, strict=True)
        ]


def tables() -> dict[str, Table]:
    """Every table of the installation by its name, the many-to-many ones too."""
    every = map(Table, apps.get_models(include_auto_created=True))
    return {table.name: table for table in every}


def empty(every: Iterable[Table]) -> None:
    """Delete all rows of these tables, whatever refers to them."""
    names = [_quoted(table.name) for table in every]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL lock_timeout = '10s'")
            cursor.execute(f"TRUNCATE {', '.join(names)}")
            return
        for name in names:
            cursor.execute(f"DELETE FROM {name}")  # noqa: S608 - our own names


def _quoted(name: str) -> str:
    return str(connection.ops.quote_name(name))


def _reader(field: Field[Any, Any]) -> Callable[[Any], Any]:
    """How a value comes back: the packing has no type of its own for some."""
    if isinstance(field, JSONField):
        return json.loads
    return _as_it_is if isinstance(field, BinaryField) else field.to_python


def _as_it_is(value: Any) -> Any:
    return value
