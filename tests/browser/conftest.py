"""One installation and one Chromium for all browser tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium
from tests.services.installation import Installation, installation


@dataclass(frozen=True)
class Lab:
    """An installation with finished runs to look at."""

    site: Installation
    sweep: int
    sick: int
    healthy: int


@pytest.fixture(scope="session")
def running_browser() -> Iterator[Browser]:
    executable = chromium.find_browser()
    if executable is None:
        if os.environ.get("NNLAB_REQUIRE_BROWSER"):
            pytest.fail("NNLAB_REQUIRE_BROWSER is set, and there is no Chromium: apt-get install chromium")
        pytest.skip("there is no Chromium: install it, or set NNLAB_BROWSER")
    with chromium.browser(executable) as running:
        yield running


@pytest.fixture(scope="session")
def lab(running_browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    home = tmp_path_factory.mktemp("browser") / "home"
    with installation(home, NNLAB_ADMIN_PASSWORD=chromium.PASSWORD) as site:
        housing = site.request(
            "POST",
            "sweeps",
            {
                "project": "Housing",
                "name": "depth, width, activation, dropout",
                "data": {"dataset": "california_housing", "recipe": "lab6"},
                "training": {"optimizer": "adam", "learning_rate": 0.003, "batch_size": 200, "epochs": 3},
                "grid": {
                    "depth": [1, 2],
                    "width": [8, 16],
                    "activation": ["relu", "tanh"],
                    "dropout": [0, 0.1],
                },
                "seeds": 2,
            },
        )
        sick, healthy = site.submit(
            name="quiz",
            data={"dataset": "digits"},
            training={"hidden_units": [128, 64, 32, 16, 8], "optimizer": "sgd", "learning_rate": 0.05},
            grid={"activation": ["sigmoid", "relu"]},
        )
        for run_id in [*housing["runs"], sick, healthy]:
            site.await_status(run_id, "finished", 120)
        yield Lab(site, housing["id"], sick, healthy)
