"""What a process remembers of runs is bounded by their series, not by how many runs there are."""

from __future__ import annotations

from runs.store.memory import Memory


def remembered(memory: Memory[dict[int, str]], runs: range) -> list[int]:
    return [run for run in runs if memory.get(run, 0) is not None]


def test_the_runs_used_last_are_remembered_as_long_as_their_series_fit() -> None:
    memory = Memory[dict[int, str]](10)
    for run in range(8):
        memory.put(run, 0, {1: "", 2: "", 3: ""})
    assert remembered(memory, range(8)) == [5, 6, 7]
    memory.put(8, 0, dict.fromkeys(range(8), ""))
    assert remembered(memory, range(9)) == [8]


def test_a_run_of_many_series_is_remembered_by_itself() -> None:
    memory = Memory[dict[int, str]](10)
    memory.put(1, 0, {1: ""})
    memory.put(2, 0, dict.fromkeys(range(50), ""))
    assert remembered(memory, range(3)) == [2]
    memory.put(3, 0, {1: ""})
    assert remembered(memory, range(4)) == [3]


def test_what_is_replaced_or_forgotten_makes_room() -> None:
    memory = Memory[dict[int, str]](10)
    memory.put(1, 0, dict.fromkeys(range(4), ""))
    for _ in range(5):
        memory.put(2, 0, dict.fromkeys(range(6), ""))
    assert remembered(memory, range(3)) == [1, 2]
    assert memory.take(2, 0) is not None
    memory.put(3, 0, dict.fromkeys(range(6), ""))
    assert remembered(memory, range(4)) == [1, 3]
