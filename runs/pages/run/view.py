"""What every tab of a run's page starts from: the run, its alerts, and what the address asks for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from django.http import QueryDict
from django.urls import reverse

from runs.models import Alert, Run
from runs.pages.run.charts import RunView, view_of

MOST_WARNINGS = 5
LARGEST = 2**62  # a step that a database can hold
_KEPT = ("step",)  # the cursor goes along from tab to tab
_OF_THE_FRAME = ("tab", "after")  # parts of the live address


@dataclass
class RunPage:
    """One look at a run.

    Args:
        query: the parts of the address; what cannot be read of them becomes a warning.
    """

    run: Run
    alerts: Sequence[Alert]
    query: Mapping[str, str]
    warnings: list[str] = field(default_factory=list)

    def expect(self, known: Collection[str]) -> None:
        """Warn of parts of the address that mean nothing here."""
        for name in self.query:
            if name not in known and name not in _OF_THE_FRAME:
                self.warn(f"“{name[:40]}” means nothing on this page")

    def choice(self, name: str, choices: Collection[str], default: str) -> str:
        """Return which of some words the address names."""
        value = self.query.get(name, "")
        if value in choices:
            return value
        if value:
            self.warn(f"{name}={value[:40]} is none of {', '.join(choices)}; {default} is shown")
        return default

    def whole(self, name: str, low: int = 0, high: int = LARGEST) -> int | None:
        """Return a whole number of the address; None where it has none."""
        value = self.query.get(name, "").strip()
        if not value:
            return None
        try:
            number = int(value) if len(value) < 25 else high + 1
        except ValueError:
            number = low - 1
        if low <= number <= high:
            return number
        self.warn(f"{name}={value[:40]} is not a whole number from {low:,} to {high:,}; it is left out")
        return None

    def share(self, name: str, high: float) -> float:
        """Return a number from 0 to ``high`` of the address; 0 where it has none."""
        value = self.query.get(name, "").strip()
        if not value:
            return 0.0
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if 0 <= number <= high:
            return number
        self.warn(f"{name}={value[:40]} is not a number from 0 to {high:g}; it is left out")
        return 0.0

    def warn(self, words: str) -> None:
        """Say that a part of the address could not be followed."""
        if len(self.warnings) < MOST_WARNINGS:
            self.warnings.append(words)

    @property
    def step(self) -> int | None:
        """The step at which everything on the page is looked at; None for the last."""
        return self.whole("step")

    def view(self, step: int | None = None) -> RunView:
        """Describe the run for its charts."""
        return view_of(self.run, self.alerts, self.query.get("measure", ""), step)

    def live_address(self, tab: str) -> str:
        """Return where to ask for what is new on a tab, as it is shown."""
        query = QueryDict(mutable=True)
        query["tab"] = tab
        query.update({name: value for name, value in self.query.items() if name not in _OF_THE_FRAME})
        return f"{reverse('run-live', args=[self.run.pk])}?{query.urlencode()}"

    def tab_address(self, tab: str) -> str:
        """Return the address of another tab, with what goes along."""
        query = QueryDict(mutable=True)
        query.update({name: self.query[name] for name in _KEPT if self.query.get(name)})
        name = "run" if tab == "overview" else f"run-{tab}"
        address = reverse(name, args=[self.run.pk])
        return f"{address}?{query.urlencode()}" if query else address


@dataclass(frozen=True)
class TabLink:
    """One tab in the row of tabs.

    Args:
        count: open alerts that it is about; 0 shows none.
    """

    key: str
    title: str
    address: str
    count: int = 0


def tab_links(page: RunPage, tabs: Mapping[str, str]) -> list[TabLink]:
    """Return the row of tabs with what there is to count: open alerts, and those of layers."""
    loud = [alert for alert in page.alerts if is_loud(alert)]
    counts: dict[str, int] = {"health": sum(bool(alert.layers) for alert in loud), "alerts": len(loud)}
    return [TabLink(key, title, page.tab_address(key), counts.get(key, 0)) for key, title in tabs.items()]


def is_loud(alert: Alert) -> bool:
    """Whether an alert wants somebody: open, and neither acknowledged nor muted."""
    return alert.state == "open" and alert.acknowledged_at is None and not alert.is_muted


@dataclass(frozen=True)
class Place:
    """Where a run stands within its sweep: its number, of how many, and its neighbours' keys."""

    number: int
    of: int
    previous: int | None
    next: int | None


def place_of(found: Run) -> Place:
    """Find a run among those of its sweep."""
    keys = list(Run.objects.kept().filter(sweep=found.sweep_id).order_by("pk").values_list("pk", flat=True))
    at = keys.index(found.pk)
    return Place(
        at + 1, len(keys), keys[at - 1] if at else None, keys[at + 1] if at + 1 < len(keys) else None
    )
