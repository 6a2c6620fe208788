"""The API and its operations: each reads the request, calls one function, and answers plain data."""

from __future__ import annotations

from ninja import NinjaAPI

from runs.api import (
    alerts,
    changes,
    controls,
    datasets,
    listing,
    questions,
    queue,
    recipes,
    retention,
    sweeps,
    windows,
    workers,
    writing,
)
from runs.api.access import AUTH
from runs.api.refusals import answer_refusals

api = NinjaAPI(title="nnlab", version="1", auth=AUTH, docs_url=None, urls_namespace="api")
_READING = (listing, changes, queue, alerts, windows, workers)
_DOING = (sweeps, questions, datasets, recipes, controls, retention, writing)
for part in (*_READING, *_DOING):
    api.add_router("", part.router)
answer_refusals(api)
