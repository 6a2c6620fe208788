"""How a comparison is looked at: what the address says of it, and the one writer of such addresses."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, cast
from urllib.parse import quote, urlencode

from django.http import QueryDict

from runs.pages.comparing.comparison import Comparison
from runs.reading.values import storable

DEFAULT_TAB = "curves"
AXES = ("step", "epoch", "time", "examples")
LINES = ("mean", "median")
BANDS = ("ci95", "sd", "se", "minmax", "quartiles", "none")
MEDIAN_BANDS = ("quartiles", "minmax", "none")  # an interval of the mean says nothing about a median
FACTOR_FIELDS = ("color", "dash", "facet")
FIELDS = (
    *("tab", "metric", "x", "ylog", "smooth", *FACTOR_FIELDS),
    *("agg", "band", "from", "to", "hide"),
)
MAX_SMOOTHING = 0.99
MAX_HIDDEN = 500
_MAX_TEXT = 250  # characters of a name or a value


@dataclass(frozen=True)
class Tab:
    """One way to look at a comparison.

    Args:
        key: in the address.
        template: shows what ``build`` returns; it also has ``comparison``, ``view`` and ``project``.
        build: reads and computes what the tab shows, and adds to the page's warnings.
        fields: of its own in the address; one that ends with a dot stands for all that begin with it.
        controls: fields of the view that the form above it offers.
    """

    key: str
    title: str
    template: str
    build: Callable[[Comparison, CompareView, list[str]], dict[str, Any]]
    fields: tuple[str, ...] = ()
    controls: tuple[str, ...] = ("metric",)


@dataclass(frozen=True)
class CompareView:
    """How the address wants a comparison to be shown. The runs are chosen apart from it.

    Args:
        chosen: the part of the address that chooses the runs, in its order.
        metric: empty for the one that most runs are judged by.
        ylog: None lets the values decide.
        smooth: weight of what came before, 0 to 0.99.
        color: factor whose levels share a colour; likewise dash and facet; empty for none.
        first: least x that is shown; None for the start. ``from`` in the address.
        last: greatest x that is shown; None for the end. ``to`` in the address.
        hide: keys of groups that are not drawn; they count nevertheless.
        extra: fields of the tabs' own.
    """

    chosen: tuple[tuple[str, str], ...] = ()
    tab: str = DEFAULT_TAB
    metric: str = ""
    x: Literal["step", "epoch", "time", "examples"] = "step"
    ylog: bool | None = None
    smooth: float = 0.0
    color: str = ""
    dash: str = ""
    facet: str = ""
    agg: Literal["mean", "median"] = "mean"
    band: Literal["ci95", "sd", "se", "minmax", "quartiles", "none"] = "ci95"
    first: float | None = None
    last: float | None = None
    hide: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def address(self, **changes: Any) -> str:
        """Write the query string of this view with changes; equal views have equal addresses.

        ``extra`` among the changes is added to the fields that the tabs have already.
        """
        changes["extra"] = {**self.extra, **changes.get("extra", {})}
        pairs = replace(self, **changes).pairs()
        return f"?{urlencode(pairs, safe=',.!', quote_via=quote)}" if pairs else "?"

    def pairs(self, without: Collection[str] = ()) -> list[tuple[str, str]]:
        """Return the fields that are not as they are by default, in canonical order, for a form or a link."""
        band = "" if self.band == default_band(self.agg) else self.band
        own = {
            "tab": "" if self.tab == DEFAULT_TAB else self.tab,
            "metric": self.metric,
            "x": "" if self.x == AXES[0] else self.x,
            "ylog": "" if self.ylog is None else str(int(self.ylog)),
            "smooth": f"{self.smooth:g}" if self.smooth else "",
            **{name: getattr(self, name) for name in FACTOR_FIELDS},
            "agg": "" if self.agg == LINES[0] else self.agg,
            "band": band,
            "from": "" if self.first is None else repr(self.first).removesuffix(".0"),
            "to": "" if self.last is None else repr(self.last).removesuffix(".0"),
            "hide": ",".join(self.hide),
        }
        named = [*self.chosen, *own.items(), *sorted(self.extra.items())]
        return [(name, value) for name, value in named if value and name not in without]

    @property
    def has_further(self) -> bool:
        """Whether the address says something that the form folds away."""
        return bool({"dash", "agg", "band", "smooth", "ylog", "from", "to"} & dict(self.pairs()).keys())

    def among(self, comparison: Comparison, warnings: list[str]) -> CompareView:
        """Leave out what these runs cannot be shown by."""
        changes: dict[str, Any] = {}
        for name in FACTOR_FIELDS:
            factor = getattr(self, name)
            if factor and factor not in comparison.varied:
                warnings.append(
                    f"{name} by “{factor[:60]}” is not possible: it was not varied among these runs."
                )
                changes[name] = ""
        known = {group.key for group in comparison.groups}
        if strange := [key for key in self.hide if key not in known]:
            warnings.append(f"hide={','.join(strange)[:60]}: these runs have no such group.")
            changes["hide"] = tuple(key for key in self.hide if key in known)
        return replace(self, **changes)


def is_field(name: str, tabs: Sequence[Tab]) -> bool:
    """Whether a field of an address says how to look, not what to look at."""
    return name in FIELDS or _is_extra(name, tabs)


def parse_view(
    parameters: QueryDict, tabs: Sequence[Tab], warnings: list[str], chosen: Sequence[tuple[str, str]] = ()
) -> CompareView:
    """Read how a comparison is to be shown; what cannot be understood becomes a warning."""
    given = {
        name: storable(parameters.get(name, ""))[:_MAX_TEXT] for name in parameters if is_field(name, tabs)
    }
    agg = _one_of("agg", given, LINES, LINES[0], warnings)
    bands = BANDS if agg == LINES[0] else MEDIAN_BANDS
    first, last = (_number(name, given, warnings) for name in ("from", "to"))
    if first is not None and last is not None and not first < last:
        warnings.append(f"from={first:g} is not below to={last:g}; all is shown.")
        first = last = None
    ylog = _one_of("ylog", given, ("", "0", "1"), "", warnings)
    return CompareView(
        chosen=tuple(chosen),
        tab=_one_of("tab", given, [tab.key for tab in tabs], DEFAULT_TAB, warnings),
        metric=given.get("metric", ""),
        x=cast("Any", _one_of("x", given, AXES, AXES[0], warnings)),
        ylog=bool(int(ylog)) if ylog else None,
        smooth=_smoothing(given, warnings),
        **{name: given.get(name, "") for name in FACTOR_FIELDS},
        agg=cast("Any", agg),
        band=cast("Any", _one_of("band", given, bands, default_band(agg), warnings)),
        first=first,
        last=last,
        hide=_hidden(storable(",".join(parameters.getlist("hide"))), warnings),
        extra={name: text for name, text in given.items() if text and _is_extra(name, tabs)},
    )


def default_band(agg: str) -> str:
    """Return the band that belongs to a line unless another is asked for."""
    return BANDS[0] if agg == LINES[0] else MEDIAN_BANDS[0]


def _is_extra(name: str, tabs: Sequence[Tab]) -> bool:
    own = [one for tab in tabs for one in tab.fields]
    return any(name == one or (one.endswith(".") and name.startswith(one)) for one in own)


def _one_of(
    name: str, given: Mapping[str, str], known: Sequence[str], default: str, warnings: list[str]
) -> str:
    text = given.get(name, "") or default
    if text in known:
        return text
    choices = ", ".join(one for one in known if one)
    warnings.append(f"{name}={text[:60]} is not known; expected one of {choices}.")
    return default


def _number(name: str, given: Mapping[str, str], warnings: list[str]) -> float | None:
    text = given.get(name, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isfinite(value):
        return value + 0.0  # -0 is 0
    warnings.append(f"{name}={text[:60]} is not a number; it was left out.")
    return None


def _smoothing(given: Mapping[str, str], warnings: list[str]) -> float:
    value = _number("smooth", given, warnings)
    if value is None:
        return 0.0
    if 0 <= value <= MAX_SMOOTHING:
        return round(value, 3)
    warnings.append(f"smooth={value:g} is not between 0 and {MAX_SMOOTHING}; nothing was smoothed.")
    return 0.0


def _hidden(text: str, warnings: list[str]) -> tuple[str, ...]:
    keys = sorted({part.strip() for part in text.split(",")} - {""})
    strange = [key for key in keys if not key.isalnum()]
    if strange or len(keys) > MAX_HIDDEN:
        warnings.append(f"hide={text[:60]}: expected at most {MAX_HIDDEN} keys of groups.")
    return tuple(key for key in keys if key.isalnum())[:MAX_HIDDEN]
