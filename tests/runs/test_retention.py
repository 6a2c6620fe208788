"""Retention: what is deleted is out of sight, can be restored, and in the end is gone."""

from __future__ import annotations

import pytest
from django.utils import timezone

from runs.models import Run
from tests.runs.builders import build_run

pytestmark = pytest.mark.django_db


def test_a_run_is_either_kept_or_in_the_trash() -> None:
    kept, deleted = build_run(), build_run(deleted_at=timezone.now())
    assert list(Run.objects.kept()) == [kept]
    assert list(Run.objects.in_trash()) == [deleted]
