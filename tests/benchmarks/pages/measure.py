"""Measures pages in the database that the environment names; prints JSON. See ``poe bench-pages``."""

from __future__ import annotations

import argparse
import json
import logging
import re
import sys
from collections.abc import Mapping
from statistics import median
from time import perf_counter
from typing import Any

import django
from django.apps import apps

if not apps.ready:
    django.setup()  # before models are imported

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from runs.models import Project
from tests.benchmarks.pages.population import build_comparison
from tests.runs.many_runs import build_many_runs

_SPEC = re.compile(rb'<script id="[^"]*-spec" type="application/json">(.*?)</script>', re.DOTALL)


def main() -> int:
    """Fill the database, ask for every page in turn, several times over."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.pages.measure", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compared", type=int, nargs="*", default=[200, 1_000, 10_000])
    parser.add_argument("--beside", type=int, default=100_000, help="runs of another project")
    arguments = parser.parse_args()
    logging.disable(logging.INFO)
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    pages = _filled(arguments.compared, arguments.beside)
    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.create_superuser("reader", password="-"))
    rounds = [
        {name: _asked(client, address) for name, address in pages.items()} for _ in range(arguments.rounds)
    ]
    json.dump({name: _middle([one[name] for one in rounds]) for name in pages}, sys.stdout)
    return 0


def _filled(compared: list[int], beside: int) -> dict[str, str]:
    project = Project.objects.create(slug="compared", name="Compared")
    pages: dict[str, str] = {}
    for count in compared:
        address = build_comparison(project, count).get_absolute_url()
        pages |= {f"curves of {count:,}": address, f"factors of {count:,}": f"{address}&tab=factors"}
        pages[f"what changed of {count:,}"] = address.replace("/compare/", "/changes/")
    if beside:
        many = build_many_runs(beside)
        pages[f"runs table of {beside:,}"] = many.get_absolute_url()
        pages[f"groups of {beside:,}"] = f"{many.get_absolute_url()}?group=config"
        pages[f"groups of {beside:,} by metric"] = (
            f"{many.get_absolute_url()}?group=depth&sort=metric.val_loss"
        )
        pages["a run's page"] = many.runs.order_by("pk")[0].get_absolute_url()
    return pages


def _asked(client: Client, address: str) -> Mapping[str, Any]:
    with CaptureQueriesContext(connection) as queries:
        begun = perf_counter()
        answer = client.get(address)
        seconds = perf_counter() - begun
    assert answer.status_code == 200, f"{address}: {answer.status_code}"
    specs = sum(len(spec) for spec in _SPEC.findall(answer.content))
    return {"seconds": seconds, "queries": len(queries), "html": len(answer.content), "json": specs}


def _middle(found: list[Mapping[str, Any]]) -> dict[str, Any]:
    return {**found[-1], "seconds": median(one["seconds"] for one in found[1:] or found)}


if __name__ == "__main__":
    raise SystemExit(main())
