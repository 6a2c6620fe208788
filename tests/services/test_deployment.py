"""The deployment of the compose file: used, restarted piece by piece, backed up, wiped and restored."""

from __future__ import annotations

import json
import re
import tomllib
import zipfile
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest

from tests.services.installation import CHECKOUT, Installation
from tests.services.stack import SERVICES, Stack, stack

pytestmark = pytest.mark.services

LONG = {
    "data": {"dataset": "digits"},
    "training": {"hidden_units": [32, 32], "learning_rate": 0.01, "steps": 8000},
    "grid": {"activation": ["relu", "tanh"]},
    "seeds": 2,
}


def test_a_deployment_survives_its_restarts_and_its_own_loss(tmp_path: Path) -> None:
    with stack(tmp_path / "first") as first:
        first.run("nnlab", "collectstatic", "--no-input", "--verbosity", "0")  # the image has them
        set_up(first)
        home_page = signed_in(first)
        assert "Quiz" not in home_page
        site = first.site()
        quiz, disturbed = submit_quiz(site), site.submit(**LONG)
        for name in ("worker-cpu", "scheduler", "redis", "postgres", "web"):
            first.restart(name)
        trained = [site.await_status(run_id, "finished", 120) for run_id in (*quiz, *disturbed)]
        expect_the_demonstration_s_figures(site, trained[:2])
        first.stop(*SERVICES)
        saved = first.run("nnlab", "backup", "-")

    with stack(tmp_path / "second", tmp_path / "first" / "secrets") as second:
        second.run("nnlab", "restore", "-", data=saved)
        assert checksums(tmp_path, second.run("nnlab", "backup", "-")) == checksums(tmp_path, saved)
        set_up(second)
        assert "Quiz" in signed_in(second)
        site = second.site()
        undisturbed = site.submit(**LONG)
        for run_id, twin in zip(disturbed, undisturbed, strict=True):
            site.await_status(twin, "finished", 120)
            assert site.series(run_id, "train_loss") == site.series(twin, "train_loss")


def set_up(made: Stack) -> None:
    """Do what ``docker compose up`` does."""
    made.run(*made.command("migrate")[2:])
    made.start(*SERVICES)


def signed_in(made: Stack) -> str:
    """Sign in with the password that the secrets name; the first page."""
    browser = build_opener(HTTPCookieProcessor(CookieJar()))
    address = f"http://127.0.0.1:{made.port}/"
    with browser.open(address, timeout=30) as answer:
        page, where = answer.read().decode(), answer.url
    assert "/login/" in where
    (token,) = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page))
    password = (made.secrets / "admin_password").read_text()
    form = {"csrfmiddlewaretoken": token, "username": "admin", "password": password}
    with browser.open(Request(where, data=urlencode(form).encode()), timeout=30) as answer:
        assert answer.url == address
        return str(answer.read().decode())


def submit_quiz(site: Installation) -> list[int]:
    """Submit one of the demonstration's sweeps."""
    path = CHECKOUT / "runs" / "demo" / "4-quiz.toml"
    specification = tomllib.loads(path.read_text(encoding="utf-8"))
    return list(site.request("POST", "sweeps", specification)["runs"])


def expect_the_demonstration_s_figures(site: Installation, runs: list[dict[str, Any]]) -> None:
    sick, healthy = runs
    assert sick["score"] < 0.2
    assert healthy["score"] > 0.9
    (alert,) = site.request("GET", f"runs/{sick['id']}/alerts")
    assert alert["check"] == "vanishing"


def checksums(folder: Path, saved: bytes) -> dict[str, str]:
    """Every table's and file's."""
    path = folder / "backup"
    path.write_bytes(saved)
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    return {name: found["sha256"] for name, found in (manifest["tables"] | manifest["files"]).items()}
