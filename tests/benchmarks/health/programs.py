"""Suite B: programs from public questions, as they were asked about and as they were answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.health.cases import FOLDER, read

if TYPE_CHECKING:
    from tests.benchmarks.health.cases import Case

FILE = FOLDER / "programs.json"


def cases() -> list[Case]:
    """Give the programs, buggy and fixed."""
    return read(FILE)


def dataset_of(program: str, variant: str) -> str:
    """Name the set that a program learns from, where it is one of ours; empty where not."""
    if not FILE.exists():
        return ""
    for case in cases():
        if case.id == f"{program}-{variant}":
            return str(case.data["dataset"])
    return ""
