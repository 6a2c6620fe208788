"""What every page shares: the badges of the navigation, and what a missing right says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeAlias, cast

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET

from runs.reading import overview

_P = ParamSpec("_P")
_View: TypeAlias = Callable[Concatenate[HttpRequest, _P], HttpResponse]

_BADGES = ("waiting_runs", "open_alerts")
_RIGHTS = {
    "runs.submit_sweep": "submit training jobs",
    "runs.stop_run": "stop, pause and order runs",
    "runs.delete_project": "delete projects",
    "runs.change_project": "change the settings of projects",
    "runs.change_alert": "acknowledge and mute alerts",
}


def render_page(
    request: HttpRequest, template: str, context: Mapping[str, Any], *, status: int = 200
) -> HttpResponse:
    """Render a page within its frame."""
    return render(request, template, {**overview.badges(), **context}, status=status)


@require_GET
def badges(request: HttpRequest) -> HttpResponse:
    """Return the numbers of the navigation, for every page that somebody looks at."""
    numbers = overview.badges()
    parts = {
        kind: render_to_string("runs/_badge.html", {"kind": kind, "number": numbers.get(kind, 0)})
        for kind in _BADGES
    }
    return JsonResponse({"fragments": parts})


def needs(right: str) -> Callable[[_View[_P]], _View[_P]]:
    """Refuse a view to people without a right, and say which one and who can grant it."""

    def decorate(view: _View[_P]) -> _View[_P]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponse:
            check_right(request, right)
            return view(request, *args, **kwargs)

        return cast("_View[_P]", guarded)

    return decorate


def check_right(request: HttpRequest, right: str) -> None:
    """Go on only for people with a right.

    Raises:
        PermissionDenied: and says which one is missing, and who can grant it.
    """
    if not request.user.has_perm(right):
        raise PermissionDenied(
            f"You have no right to {_RIGHTS[right]} ({right}). An administrator can grant it."
        )


def signed_in(request: HttpRequest) -> AbstractBaseUser | None:
    """Return who asks; None for a stranger, whom the login would have kept out."""
    return request.user if isinstance(request.user, AbstractBaseUser) else None
