"""What a program hears whose request is refused."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI

from nnlab.series.errors import SeriesError
from runs.outside.errors import BusyError, ClosedError, NoRunError
from runs.submitted.specification import SubmissionError

RETRY_AFTER = 5  # seconds
_STATUSES: dict[type[Exception], int] = {NoRunError: 404, ClosedError: 409, BusyError: 429, SeriesError: 422}


def answer_refusals(api: NinjaAPI) -> None:
    """Let the errors that operations raise be answered in words."""

    def refused(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
        status = next(code for kind, code in _STATUSES.items() if isinstance(error, kind))
        answer = api.create_response(request, {"detail": str(error)}, status=status)
        if isinstance(error, BusyError):
            answer["Retry-After"] = str(RETRY_AFTER)
        return answer

    def wrong(request: HttpRequest, error: SubmissionError | type[SubmissionError]) -> HttpResponse:
        return api.create_response(request, {"errors": getattr(error, "errors", {})}, status=422)

    for kind in _STATUSES:
        api.add_exception_handler(kind, refused)
    api.add_exception_handler(SubmissionError, wrong)
