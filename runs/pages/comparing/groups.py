"""The list of a comparison's groups, a page at a time; what a group comes to does not depend on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnlab.stats.intervals import Interval
from runs.pages.comparing.comparison import Comparison, Group, seed_interval
from runs.pages.comparing.view import CompareView

PAGE = 100  # groups
_WHY = "whoever chooses by them has no honest estimate left"


@dataclass(frozen=True)
class GroupRow:
    """A group in the list.

    Args:
        toggle: address of the view in which it is drawn if it is hidden now, or the other way round.
        test: the metric of the test rows over its seeds, of what validation chose; None for the others.
    """

    group: Group
    hidden: bool
    toggle: str
    test: Interval | None


@dataclass(frozen=True)
class GroupsPage:
    """A page of the list; ``previous`` and ``next`` are addresses, empty where there is none.

    ``tests`` is the address that shows the tests of all groups, or of the chosen one alone again.
    """

    rows: Sequence[GroupRow]
    first: int
    last: int
    total: int
    previous: str
    next: str
    tests: str
    shows_all: bool


def groups_page(comparison: Comparison, view: CompareView, warnings: list[str]) -> GroupsPage:
    """List the groups of the page that the address names, the best mean first."""
    groups = comparison.groups
    pages = max(1, -(-len(groups) // PAGE))
    if comparison.test and shows_all_tests(view) and len(groups) > 1:
        warnings.append(f"Tests of all groups are shown: {_WHY}.")
    asked = view.extra.get("tests", "")
    if asked not in {"", "all"}:
        warnings.append(f"tests={asked[:40]}: expected “all”; the test of the best group is shown.")
    page = _page(view, pages, warnings)
    start = (page - 1) * PAGE
    shown = groups[start : start + PAGE]
    return GroupsPage(
        rows=[_row(group, comparison, view) for group in shown],
        first=start + 1,
        last=start + len(shown),
        total=len(groups),
        previous=_address(view, page - 1) if page > 1 else "",
        next=_address(view, page + 1) if page < pages else "",
        tests=view.address(extra={"tests": "" if shows_all_tests(view) else "all"}) + "#groups",
        shows_all=shows_all_tests(view),
    )


def shows_all_tests(view: CompareView) -> bool:
    """Whether the address asks for the test of every group, not only of the one that validation chose."""
    return view.extra.get("tests", "") == "all"


def test_interval(group: Group, comparison: Comparison, view: CompareView) -> Interval | None:
    """Average the test metric over the seeds whose validation metric counts.

    None for a group that validation did not put first, unless the address asks for all: the best of many
    tests is too good, as the best of many validations is.
    """
    if group is not comparison.groups[0] and not shows_all_tests(view):
        return None
    return seed_interval(
        (member.run.replicate, comparison.tests[member.run.pk])
        for member in group.members
        if member.counts and member.value is not None and member.run.pk in comparison.tests
    )


def _row(group: Group, comparison: Comparison, view: CompareView) -> GroupRow:
    hidden = group.key in view.hide
    hide = set(view.hide) - {group.key} if hidden else {*view.hide, group.key}
    toggle = view.address(hide=tuple(sorted(hide)))
    return GroupRow(group, hidden, toggle, test_interval(group, comparison, view))


def _page(view: CompareView, pages: int, warnings: list[str]) -> int:
    text = view.extra.get("page", "1")
    page = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    if 1 <= page <= pages:
        return page
    warnings.append(f"page={text[:40]}: the groups have pages 1 to {pages}; the first is shown.")
    return 1


def _address(view: CompareView, page: int) -> str:
    return view.address(extra={"page": "" if page == 1 else str(page)}) + "#groups"
