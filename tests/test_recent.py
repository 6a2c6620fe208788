"""A look that holds for a while is shared by all who ask."""

from __future__ import annotations

import threading

import pytest

from nnlab.recent import Recent


def test_a_look_holds_until_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    now, looks = [100.0], iter(range(10))
    monkeypatch.setattr("nnlab.recent.monotonic", lambda: now[0])
    recent = Recent(lambda: next(looks), 2.0)
    assert [recent(), recent()] == [0, 0]
    now[0] += 1.9
    assert recent() == 0
    now[0] += 0.1
    assert [recent(), recent()] == [1, 1]
    recent.forget()
    assert recent() == 2


def test_who_asks_during_a_long_look_is_told_what_the_last_one_found() -> None:
    begun, may_end, looks = threading.Event(), threading.Event(), iter(range(10))

    def look() -> int:
        number = next(looks)
        if number:
            begun.set()
            may_end.wait(30)
        return number

    recent = Recent(look, 0.0)
    recent()
    slow = threading.Thread(target=recent)
    slow.start()
    assert begun.wait(30)
    assert recent() == 0
    may_end.set()
    slow.join(30)


def test_a_look_that_fails_is_tried_again() -> None:
    texts = iter(["no number", "7"])
    recent = Recent(lambda: int(next(texts)), 60.0)
    with pytest.raises(ValueError, match="no number"):
        recent()
    assert recent() == 7
