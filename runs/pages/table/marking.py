"""Tags, the pin and the archive on pages: done at once, and told with a button that undoes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html

from runs.models import Project
from runs.models.runs import RunQuerySet
from runs.pages.frame import check_right
from runs.retention import counted
from runs.steering import SUBMIT
from runs.store import marks


@dataclass(frozen=True)
class Mark:
    """A thing to do with runs that can be undone.

    Args:
        act: does it with the tags that were typed; returns the runs that changed.
        done: what became of them, after their number.
        nothing: why none of them changed.
        inverse: the word that undoes it.
    """

    act: Callable[[RunQuerySet, Sequence[str]], list[int]]
    done: str
    nothing: str
    inverse: str


MARKS: Mapping[str, Mark] = {
    "tag": Mark(marks.tag, "tagged", f"they have these tags already, or {marks.MAX_TAGS} others", "untag"),
    "untag": Mark(marks.untag, "without the tag", "none of them has such a tag", "tag"),
    "archive": Mark(
        lambda runs, _: marks.archive(runs),
        "archived: tables, charts and counts leave them out",
        "only runs that are over can be archived, once",
        "unarchive",
    ),
    "unarchive": Mark(
        lambda runs, _: marks.unarchive(runs), "back from the archive", "none of them is archived", "archive"
    ),
}


def mark(request: HttpRequest, word: str, project: Project, runs: RunQuerySet, back: str) -> HttpResponse:
    """Do with runs what a word of ``MARKS`` says.

    Raises:
        PermissionDenied: to who lacks the right.
    """
    check_right(request, SUBMIT)
    one, typed = MARKS[word], request.POST.get("tags", "")
    try:
        tags = marks.read_tags(typed) if word in {"tag", "untag"} else []
    except marks.TagError as error:
        messages.error(request, f"Nothing was changed: {error}.")
        return redirect(back)
    changed = one.act(runs, tags)
    if not changed:
        messages.info(request, f"Nothing was changed: {one.nothing}.")
        return redirect(back)
    named = f" {', '.join(tags)}" if tags else ""
    fields = {"action": one.inverse, "runs": ",".join(map(str, changed)), "tags": ",".join(tags)}
    _tell(request, project, f"{counted(len(changed))} {one.done}{named}.", {**fields, "next": back})
    return redirect(back)


def pin(request: HttpRequest, project: Project, text: str, back: str) -> HttpResponse:
    """Make a run the project's baseline; the one that is no longer shall be, and 0 leaves none.

    Raises:
        PermissionDenied: to who lacks the right.
    """
    check_right(request, SUBMIT)
    wanted = int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0
    run = project.runs.kept().filter(pk=wanted).first() if wanted else None
    if wanted and run is None:
        messages.error(request, f"Run {wanted} is not among this project's runs.")
        return redirect(back)
    chosen = None if run is None or run.pk == project.baseline_id else run
    before = marks.pin(project, chosen.pk if chosen else None)
    if chosen is None:
        told, undo = "No run is pinned any more.", before or 0
    else:
        told, undo = f"★ {chosen.name} is pinned: the others are measured against it.", before or chosen.pk
    _tell(request, project, told, {"pin": undo, "next": back})
    return redirect(back)


def _tell(request: HttpRequest, project: Project, text: str, undo: Mapping[str, object]) -> None:
    """Say what was done, with a form that undoes it."""
    hidden = format_html('<input type="hidden" name="csrfmiddlewaretoken" value="{}">', get_token(request))
    for name, value in undo.items():
        hidden += format_html('<input type="hidden" name="{}" value="{}">', name, value)
    messages.success(
        request,
        format_html(
            '<form class="toolbar" method="post" action="{}"><span>{}</span>{}'
            '<button class="button button--small" type="submit">Undo</button></form>',
            *(reverse("runs-selected", args=[project.slug]), text, hidden),
        ),
    )
