"""The pages of questions: the list of a project, the form, and the answer."""

from __future__ import annotations

from typing import Any

import orjson
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.utils.html import escape
from django.views.decorators.http import require_GET, require_http_methods

from runs.estimating.estimate import estimate
from runs.models import Project, Question, Run
from runs.pages.formats import MISSING
from runs.pages.frame import needs, render_page, signed_in
from runs.pages.questions import charts
from runs.pages.questions.form import QuestionForm
from runs.pages.selection import run_numbers
from runs.preflight import forecast
from runs.questions import asking
from runs.questions.answering import Answer, Stage, answer, answers
from runs.questions.words import distance_words
from runs.submitted.specification import SubmissionError

PAGE_SIZE = 25


@require_GET
def questions(request: HttpRequest, slug: str) -> HttpResponse:
    """List a project's questions, the newest first, with what became of them."""
    project = get_object_or_404(Project, slug=slug)
    found = Question.objects.filter(project=project).select_related("project", "created_by")
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page", "1"))
    context = {
        "project": project,
        "answers": answers(list(page.object_list)),
        "page": page,
        "previous": f"?page={page.number - 1}" if page.has_previous() else "",
        "next": f"?page={page.number + 1}" if page.has_next() else "",
    }
    return render_page(request, "runs/questions.html", context)


@require_http_methods(["GET", "POST"])
@needs("runs.submit_sweep")
def new(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the form, the networks that it means and what they cost, or ask the question."""
    project = get_object_or_404(Project, slug=slug)
    source = _source(request, project)
    initial = QuestionForm.initial_from(source) if source else _initial(project)
    form = QuestionForm(project, request.POST or None, initial=initial)
    context: dict[str, Any] = {"project": project, "form": form, "source": source, "asked": None}
    if form.is_valid() and form.asked is not None:
        if "preview" in request.POST:
            context |= _preview(form.asked)
        else:
            try:
                return redirect(asking.ask(form.asked, signed_in(request)))
            except SubmissionError as error:
                form.refuse(error)
    refused = form.is_bound and context["asked"] is None
    return render_page(request, "runs/question_new.html", context, status=400 if refused else 200)


@require_GET
def question(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Show the answer, or how far it is."""
    context = _context(slug, number)
    found = context["answer"]
    drawn = charts.charts_of(found)
    context |= {
        "charts": drawn,
        "standing": charts.standing(found, drawn),
        "pairs": _pairs(found),
        "mine": may_delete(request, found.question),
    }
    return render_page(request, "runs/question.html", context)


@require_GET
def now(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Return how far a question is and its charts, for a page that somebody watches."""
    context = _context(slug, number)
    found = context["answer"]
    drawn = charts.charts_of(found)
    news: dict[str, Any] = {"next": charts.standing(found, drawn), "over": found.is_over}
    if found.is_over or request.GET.get("after") != news["next"]:
        progress = render_to_string("runs/_question_progress.html", {**context, "pairs": []}, request)
        summaries = {f"{chart.key}-summary": escape(chart.summary) for chart in drawn}
        news["fragments"] = {"question-now": progress, **summaries}
        news["replace"] = {chart.key: chart.figure for chart in drawn if chart.figure}
    return HttpResponse(orjson.dumps(news), content_type="application/json")


def may_delete(request: HttpRequest, found: Question) -> bool:
    """Whether somebody may delete this question: who asked it, or who may delete any run."""
    is_own = found.created_by_id == request.user.pk and request.user.has_perm("runs.submit_sweep")
    return is_own or request.user.has_perm("runs.delete_run")


def _context(slug: str, number: int) -> dict[str, Any]:
    asked = get_object_or_404(
        Question.objects.select_related("project", "tuning__project", "confirmation__project", "created_by"),
        pk=number,
        project__slug=slug,
    )
    found = answer(asked)
    sweep = asked.tuning if found.stage in {Stage.TUNING, Stage.ENDED} else asked.confirmation
    runs = Run.objects.kept().filter(sweep=sweep)
    return {
        "project": asked.project,
        "answer": found,
        "sweep": sweep,
        "statuses": set(runs.order_by().values_list("status", flat=True).distinct()),
    }


def _pairs(found: Answer) -> list[tuple[str, str, str, str]]:
    """Write every comparison: who with whom, the difference, its p value and what follows."""
    metric = found.question.metric
    return [
        (
            f"{one.compared.after} against {one.compared.before}",
            distance_words(str(one.compared.after), one.compared, metric),
            _p_text(one.compared.p_value),
            one.verdict,
        )
        for one in (found.verdict.pairs if found.verdict else ())
    ]


def _p_text(p_value: float | None) -> str:
    """Write a p value, whose third digit says nothing."""
    if p_value is None:
        return MISSING
    return "under 0.0001" if p_value < 1e-4 else f"{p_value:.2g}"


def _preview(asked: asking.Asked) -> dict[str, Any]:
    """Tell what a question would train, before it is one."""
    tuning, answering = asked.runs
    return {
        "asked": asked,
        "tuning": tuning,
        "answering": answering,
        "all_runs": tuning + answering,
        "cost": estimate(asked.all_runs),
        "found": forecast(asked.all_runs),
    }


def _source(request: HttpRequest, project: Project) -> Question | None:
    numbers = run_numbers(request.GET.get("from", "")).numbers
    return Question.objects.filter(project=project, pk__in=numbers[:1]).first()


def _initial(project: Project) -> dict[str, Any]:
    """Begin with the data of the project's newest run."""
    newest = project.runs.kept().filter(source="engine").order_by("-pk").values_list("config", flat=True)
    data = (newest.first() or {}).get("data", {})
    return {key: data[key] for key in ("dataset", "recipe", "target") if key in data}
