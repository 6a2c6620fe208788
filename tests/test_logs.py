"""Logs: one format for all that is logged, what a line is about in each, and no secret in any."""

from __future__ import annotations

import json
import logging
import logging.config
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nnlab import logs

SECRETS = {
    "SECRET_KEY": "a-key-that-signs-sessions",
    "NNLAB_ADMIN_PASSWORD": 'quoted "pass" word',
    "NNLAB_METRICS_TOKEN": "of-the-metrics-alone",
    "DATABASE_URL": "postgres://nnlab:s%40crets%2Fof-the-database@db.test/nnlab",
    "REDIS_URL": "redis://:s3cret-of-the-broker@redis.test/0",
    "EMAIL_URL": "smtp://me:s3cret-of-the-post@mail.test:25",
}
PRINTED = ("a-key-that", "of-the-", "s@crets/", "pass", "s3cret")
TOKEN = "nnlab_0123456789abcdefghijklmnopqrstuvwxyz-_ABCDE"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Give the test run its own handlers back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logs.forget()


def set_up(form: str, secrets: Any = ()) -> logging.Logger:
    logging.config.dictConfig(logs.configuration(form, "INFO", secrets))
    return logging.getLogger("runs.test")


def as_json(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_machines_get_an_object_a_line_with_what_it_is_about(capsys: pytest.CaptureFixture[str]) -> None:
    logger = set_up("json")
    with logs.bound(run_ids=[4, 7], attempt=2):
        logger.info("trained %s steps\nin two lines", 30)
    logger.warning("later")
    first, second = as_json(capsys.readouterr().err)
    assert (first["event"], first["level"], first["logger"]) == (
        "trained 30 steps\nin two lines",
        "info",
        "runs.test",
    )
    assert (first["run_ids"], first["attempt"]) == ([4, 7], 2)
    assert first["timestamp"].endswith("Z")
    assert "run_ids" not in second


def test_people_get_a_line_each_without_colours_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    logger = set_up("lines")
    with logs.bound(run_ids=[4]):
        logger.info("trained %s steps", 30)
    line = capsys.readouterr().err
    assert line.endswith("runs.test: trained 30 steps run_ids=[4]\n")
    assert "\x1b" not in line


def test_nobody_from_outside_writes_a_line_of_his_own(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("lines").warning("Not Found: %s", "/x\n2026-01-01 [info] admin logged in\x1b[2J")
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert "\x1b" not in text


def test_a_traceback_is_kept_without_the_values_of_variables(capsys: pytest.CaptureFixture[str]) -> None:
    for form in logs.FORMATS:
        logger = set_up(form)
        try:
            opened = "what a variable holds".upper()
            raise OSError(len(opened))
        except OSError:
            logger.exception("it broke")
        text = capsys.readouterr().err
        assert "Traceback" in text
        assert "OSError: 21" in text
        assert "WHAT A VARIABLE HOLDS" not in text


def test_what_a_record_brings_beside_its_message_stays_out_unless_it_is_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up("json").info("answered", extra={"status": 200, "request": "GET /?token=x"})
    (line,) = as_json(capsys.readouterr().err)
    assert line["status"] == 200
    assert "request" not in line


@pytest.mark.parametrize("form", logs.FORMATS)
def test_no_secret_is_ever_printed(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logger = set_up(form, list(SECRETS.values()))
    for value in (*SECRETS.values(), "s@crets/of-the-database"):
        logger.info("it is %s", value)
        try:
            raise ValueError(value)
        except ValueError:
            logger.exception("refused")
        with logs.bound(value=value):
            logger.info("bound")
    text = capsys.readouterr().err
    assert [part for part in PRINTED if part in text] == []
    assert "@db.test/nnlab" in text  # where it is stays readable


@pytest.mark.parametrize("form", logs.FORMATS)
def test_what_has_the_form_of_a_secret_is_taken_out(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logger = set_up(form)
    logger.info("token %s", TOKEN)
    logger.info("Authorization: Bearer 0123456789abcdef==")
    logger.info("cannot reach redis://:pass-of-others@redis.test/0")
    logger.info("signed with nnhook_0123456789abcdefghijklmnopqrstuv")
    text = capsys.readouterr().err
    assert text.count(logs.REMOVED) == 4
    for part in (TOKEN[6:], "0123456789", "pass-of-others"):
        assert part not in text


def test_ordinary_words_stay(capsys: pytest.CaptureFixture[str]) -> None:
    logger = set_up("lines", ["", "admin", "sqlite:////home/me/nnlab.sqlite3"])
    logger.info("admin has /home/me/nnlab.sqlite3; see https://nnlab.test/a:b@c and nnlab_worker")
    assert logs.REMOVED not in capsys.readouterr().err


def test_an_unknown_format_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"NNLAB_LOG to be one of lines, json, got 'xml'"):
        logs.configuration("xml", "INFO", [])


def test_the_settings_keep_every_secret_of_theirs_out_of_the_log(tmp_path: Path) -> None:
    code = """
import django, logging, os, sys
django.setup()
from django.conf import settings
logger = logging.getLogger("runs")
for name in sys.argv[1:]:
    logger.warning("%s", os.environ[name])
logger.warning("%s %s", settings.DATABASES["default"]["PASSWORD"], settings.EMAIL_HOST_PASSWORD)
"""
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("NNLAB")},
        **SECRETS,
        "NNLAB_HOME": str(tmp_path),
        "NNLAB_LOG": "json",
        "DJANGO_SETTINGS_MODULE": "nnlab.settings",
    }
    done = subprocess.run(
        [sys.executable, "-c", code, *SECRETS], env=environment, capture_output=True, text=True, check=True
    )
    lines = as_json(done.stderr)
    assert len(lines) == 7
    assert [part for part in PRINTED if part in done.stderr] == []
