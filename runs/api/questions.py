"""Operations on questions."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Body, Router, Schema, Status

from runs import submission
from runs.api.access import require
from runs.api.schemas import ErrorsOut, Key, Word
from runs.models import Question
from runs.questions import asking
from runs.questions.answering import Answer, Stage, answer, answers
from runs.questions.outcomes import CellOutcome
from runs.questions.verdicts import Pair
from runs.submitted.specification import SubmissionError

LISTED = 100

router = Router()


class QuestionIn(Schema):
    """A question; docs/questions.md tells its keys.

    For the API's document only: a body is checked whole, so that a misspelt key is refused, not dropped.
    """

    project: Any = None
    name: Any = None
    data: Any = {}
    training: Any = {}
    depth: Any = [1]
    activation: Any = ["relu"]
    dropout: Any = [0.0]
    budget: Any = None
    learning_rates: Any = None
    tuning_seeds: Any = 2
    seeds: Any = 5
    metric: Any = ""
    margin: Any = None
    job: Any = {}


class RateOut(Schema):
    """A learning rate that was tried; ``mean`` is of the runs that did not diverge."""

    learning_rate: float
    mean: float | None
    runs: int
    diverged: int


class NetworkOut(Schema):
    """A network that is compared; ``learning_rate`` is the one chosen, ``mean`` that of the fresh seeds."""

    label: str
    hidden_units: list[int]
    activation: str
    dropout: float
    parameters: int
    multiply_adds: int
    deviation: float | None
    rates: list[RateOut]
    learning_rate: float | None
    at_edge: bool
    mean: float | None
    low: float | None
    high: float | None
    seeds: int
    diverged: int


class PairOut(Schema):
    """Two networks; the difference is that of ``after`` to ``before``, its p value is Holm's."""

    before: str
    after: str
    mean: float | None
    low: float | None
    high: float | None
    p_value: float | None
    verdict: str


class VerdictOut(Schema):
    """The answer."""

    kind: str
    sentence: str
    best: str
    pairs: list[PairOut]


class QuestionOut(Schema):
    """A question and where it stands; ``verdict`` is null before its last run has ended."""

    id: int
    project: str
    name: str
    stage: str
    error: str
    metric: str
    specification: dict[str, Any]
    tuning_sweep: int
    answering_sweep: int | None
    networks: list[NetworkOut]
    verdict: VerdictOut | None
    is_confounded: bool
    caveats: list[str]


_BODY = {"requestBody": {"content": {"application/json": {"schema": QuestionIn.model_json_schema()}}}}


@router.post(
    "/projects/{slug}/questions",
    response={201: QuestionOut, 422: ErrorsOut},
    summary="Ask which network is better at equal size",
    openapi_extra=_BODY,
)
def ask_question(request: HttpRequest, slug: Word, payload: Body[dict[str, Any]]) -> Status[Any]:
    """Check a question and queue the runs that tune; those that answer follow by themselves.

    A project that is not there yet is made, called by the ``project`` of the body or else by its address.
    """
    user = require(request, "runs.submit_sweep")
    try:
        question = asking.ask(asking.parse({**payload, "project": _project_name(slug, payload)}), user)
    except SubmissionError as error:
        return Status(422, {"errors": error.errors})
    return Status(201, _question(answer(question)))


@router.get("/projects/{slug}/questions", response=list[QuestionOut], summary="The questions of a project")
def list_questions(request: HttpRequest, slug: Word, before: Key | None = None) -> list[dict[str, Any]]:
    """Give the newest hundred; ``before`` is the smallest id of the answer before."""
    questions = Question.objects.filter(project__slug=slug).select_related("project")
    if before is not None:
        questions = questions.filter(pk__lt=before)
    return [_question(found) for found in answers(list(questions[:LISTED]))]


@router.get("/projects/{slug}/questions/{number}", response=QuestionOut, summary="One question")
def read_question(request: HttpRequest, slug: Word, number: Key) -> dict[str, Any]:
    """Give a question with its networks, its verdict and what may make that wrong."""
    questions = Question.objects.select_related("project")
    return _question(answer(get_object_or_404(questions, pk=number, project__slug=slug)))


def _project_name(slug: str, payload: dict[str, Any]) -> object:
    """Return a name of the project of the address.

    Raises:
        SubmissionError: for a body that names another one.
    """
    name = payload.get("project", slug)
    if isinstance(name, str) and submission.project_slug(name) != slug:
        raise SubmissionError({"project": [f"project: expected {slug}, as in the address, got {name!r}"]})
    return name


def _question(found: Answer) -> dict[str, Any]:
    question, verdict = found.question, found.verdict
    return {
        "id": question.pk,
        "project": question.project.slug,
        **{name: getattr(question, name) for name in ("name", "error", "metric", "specification")},
        "stage": found.stage.value,
        "tuning_sweep": question.tuning_id,
        "answering_sweep": question.confirmation_id,
        "networks": [_network(one, is_tuned=found.stage is not Stage.TUNING) for one in found.cells],
        "verdict": verdict
        and {
            "kind": verdict.kind.value,
            "sentence": verdict.sentence,
            "best": verdict.best,
            "pairs": [_pair(one) for one in verdict.pairs],
        },
        "is_confounded": found.is_confounded,
        "caveats": list(found.caveats),
    }


def _network(one: CellOutcome, *, is_tuned: bool) -> dict[str, Any]:
    interval = one.answer.interval
    ends = {end: getattr(interval, end, None) for end in ("mean", "low", "high")}
    return {
        **one.cell.to_dict(),
        **ends,
        "rates": [
            {"learning_rate": rate, "mean": shown.mean, "runs": shown.runs, "diverged": shown.diverged}
            for rate, shown in one.tuned.rates.items()
        ],
        "learning_rate": one.tuned.best if is_tuned else None,
        "at_edge": is_tuned and one.tuned.is_at_edge,
        "seeds": len(one.answer.finite),
        "diverged": one.answer.diverged,
    }


def _pair(one: Pair) -> dict[str, Any]:
    difference = one.compared.difference
    return {
        "before": one.compared.before,
        "after": one.compared.after,
        **{end: getattr(difference, end, None) for end in ("mean", "low", "high")},
        "p_value": one.compared.p_value,
        "verdict": one.verdict,
    }
