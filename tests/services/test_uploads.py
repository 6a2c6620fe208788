"""Uploads are read while workers train, and whatever is killed: nothing is lost, nothing half saved."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.services.installation import Installation, installation

pytestmark = pytest.mark.services

ROWS = 15_000
LONG: dict[str, Any] = {
    "data": {"dataset": "california_housing", "recipe": "lab6"},
    "training": {"hidden_units": [100, 50, 20], "batch_size": 100, "steps": 1_000_000},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation whose two worker processes train for hours."""
    with installation(tmp_path_factory.mktemp("uploads") / "home") as found:
        for run_id in found.submit(**LONG, seeds=2):
            found.await_status(run_id, "running")
        yield found


def build_file(last: int) -> bytes:
    """A file of many cells, most of them categories, which takes seconds."""
    head = ",".join(f"c{place}" for place in range(400))
    rows = ("a,1," * 199 + f"b,{row % 50}\n" for row in range(ROWS))
    return f"{head}\n{''.join(rows)}{'a,1,' * 199}c,{last}\n".encode()


def send(site: Installation, content: bytes) -> int:
    head = {"Authorization": f"Bearer {site.token}", "Content-Type": "text/csv"}
    address = f"{site.address}api/datasets?project=Uploads&file_name=wide.csv"
    with urlopen(Request(address, data=content, headers=head), timeout=120) as answer:
        assert answer.status == 202
        return int(json.load(answer)["id"])


def await_upload(site: Installation, key: int, reached: Callable[[Mapping[str, Any]], bool]) -> Any:
    deadline = time.monotonic() + 240
    while not reached(upload := site.request("GET", f"uploads/{key}")):
        assert time.monotonic() < deadline, f"the upload is {upload}\n{site.logs()}"
        time.sleep(0.05)
    return upload


def test_a_reader_that_is_killed_in_the_middle_is_followed_by_another(site: Installation) -> None:
    key = send(site, build_file(1))
    under_way = await_upload(site, key, lambda upload: upload["rows_read"] > 0)
    assert under_way["state"] == "reading"
    (reader,) = site.processes(f"nnlab read {key} 1")
    os.kill(reader, signal.SIGKILL)
    upload = await_upload(site, key, lambda upload: upload["state"] in {"read", "refused"})
    assert upload["state"] == "read", upload
    assert (upload["dataset"]["rows"], upload["dataset"]["columns"]) == (ROWS + 1, 400)
    assert "ended (-9)" in (site.home / "logs" / "scheduler.log").read_text()


def test_a_reader_ends_with_its_scheduler_and_the_next_one_starts_another(site: Installation) -> None:
    key = send(site, build_file(2))
    await_upload(site, key, lambda upload: upload["rows_read"] > 0)
    (reader,) = site.processes(f"nnlab read {key} 1")
    (scheduler,) = site.processes("nnlab scheduler")
    os.kill(scheduler, signal.SIGKILL)
    upload = await_upload(site, key, lambda upload: upload["state"] in {"read", "refused"})
    assert upload["state"] == "read", upload
    assert not Path(f"/proc/{reader}").exists()
    assert len([one for one in site.request("GET", "datasets") if one["kind"] == "upload"]) == 2
