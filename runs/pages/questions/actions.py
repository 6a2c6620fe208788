"""What people do to a question: stop it, let it go on, ask it again with a wider range, delete it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from runs import lifecycle
from runs.models import Question, Run
from runs.pages.frame import check_right, signed_in
from runs.pages.questions.page import may_delete
from runs.questions import advancing, asking
from runs.questions.answering import answer
from runs.questions.widening import widened
from runs.submitted.specification import SubmissionError


@require_POST
def act(request: HttpRequest, slug: str, number: int, word: str) -> HttpResponse:
    """Do with a question what a button says."""
    questions = Question.objects.select_related("project")
    return ACTIONS[word](request, get_object_or_404(questions, pk=number, project__slug=slug))


def _stop(request: HttpRequest, question: Question) -> HttpResponse:
    check_right(request, "runs.stop_run")
    advancing.close(question, f"{request.user} stopped it.")
    sweeps = [question.tuning_id, question.confirmation_id]
    stopped = lifecycle.cancel_all(Run.objects.filter(sweep__in=[key for key in sweeps if key]))
    messages.success(request, f"{question.name} is stopped; {stopped} of its runs were waiting or training.")
    return redirect(question)


def _go_on(request: HttpRequest, question: Question) -> HttpResponse:
    check_right(request, "runs.submit_sweep")
    if advancing.reopen(question):
        messages.success(request, f"{question.name} goes on as soon as no run that tunes is left.")
    else:
        messages.info(request, "Nothing was changed: it goes on already, or has been answered.")
    return redirect(question)


def _widen(request: HttpRequest, question: Question) -> HttpResponse:
    check_right(request, "runs.submit_sweep")
    found = answer(question)
    if not found.at_edge:
        messages.info(request, "Nothing was asked: no best learning rate is at the edge of what was tried.")
        return redirect(question)
    try:
        again = asking.ask(asking.parse(widened(question, found.cells)), signed_in(request))
    except SubmissionError as error:
        messages.error(request, f"It cannot be asked again: {error}")
        return redirect(question)
    rates = ", ".join(f"{rate:g}" for rate in again.specification["learning_rates"])
    messages.success(request, f"Asked again with the learning rates {rates} and fresh seeds.")
    return redirect(again)


def _delete(request: HttpRequest, question: Question) -> HttpResponse:
    """Delete the question alone: its runs are ordinary runs, and stay."""
    if not may_delete(request, question):
        raise PermissionDenied("Only who asked a question, or who may delete runs, can delete it.")
    if not answer(question).is_over:
        messages.error(request, "Nothing was deleted: stop the question first.")
        return redirect(question)
    question.delete()
    messages.success(request, f"{question.name} is deleted; its runs stay in the project.")
    return redirect("project-questions", question.project.slug)


ACTIONS: Mapping[str, Callable[[HttpRequest, Question], HttpResponse]] = {
    "stop": _stop,
    "continue": _go_on,
    "widen": _widen,
    "delete": _delete,
}
