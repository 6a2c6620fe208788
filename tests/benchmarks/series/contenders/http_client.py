"""The client of both servers: the same bodies, on connections that are kept open."""

from __future__ import annotations

import json
import time
from http.client import HTTPConnection
from statistics import median, quantiles
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from tests.benchmarks.series.contenders import logged
from tests.benchmarks.series.network import NAMES, values

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nnlab.series.batch import Key, Points

MLFLOW = "/api/2.0/mlflow"
BATCH = 1000  # the most metrics that log-batch takes


class Client:
    """Speaks to one server. Options: ``mlflow`` and ``nnlab`` send JSON, ``columns`` our binary body."""

    def __init__(self, folder: Path, option: str) -> None:
        self._option = option
        self._round = 0

    def versions(self) -> dict[str, str]:
        """Name the servers' versions: the contenders in process tell them."""
        return {}

    def connect(self, address: str, token: str) -> None:
        """Say where the server is."""
        self._place = urlsplit(address).netloc
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def begin(self, requests: int, keys: int) -> int:
        """Make a run and the bodies of the next round; give the points in them."""
        self._run = self._new_run()
        self._round += 1
        if self._option == "columns":
            self._requests = self._columns(requests, keys)
        else:
            self._requests = self._batches(requests, keys)
        return requests * (BATCH // keys * keys if self._option != "columns" else self._steps * keys)

    def post(self, connections: int) -> dict[str, Any]:
        """Send all, over so many connections at once; give the requests' milliseconds, median and p95."""
        seconds: list[float] = []
        failures: list[str] = []
        threads = [
            Thread(target=self._post, args=(self._requests[place::connections], seconds, failures))
            for place in range(connections)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise RuntimeError(failures[0])
        return {"median_ms": 1e3 * median(seconds), "p95_ms": 1e3 * quantiles(seconds, n=20)[-1]}

    def get(self, path: str, times: int) -> dict[str, Any]:
        """Ask one thing so many times on one connection; give each answer's milliseconds, and the last."""
        connection = HTTPConnection(self._place)
        spent = []
        for _ in range(times):
            began = time.perf_counter()
            found = self._exchange(connection, "GET", path, None, "")
            spent.append(1e3 * (time.perf_counter() - began))
        connection.close()
        return {"ms": spent, "bytes": len(found), "answer": json.loads(found)}

    def search(self, path: str, payloads: Sequence[object]) -> dict[str, Any]:
        """Post each payload once on one connection; give each answer's milliseconds, and the last."""
        connection = HTTPConnection(self._place)
        spent = []
        for payload in payloads:
            began = time.perf_counter()
            found = self._exchange(connection, "POST", path, json.dumps(payload).encode(), "")
            spent.append(1e3 * (time.perf_counter() - began))
        connection.close()
        return {"ms": spent, "bytes": len(found), "answer": json.loads(found)}

    def count(self, keys: int) -> int:
        """Count the points of the last run by the server's own route: MLflow's history, our windows."""
        if self._option == "mlflow":
            return sum(self._history(name) for name in NAMES[:keys])
        asked = {"runs": self._run, "metrics": ",".join(NAMES[:keys]), "format": "lists"}
        connection = HTTPConnection(self._place)
        found = json.loads(self._exchange(connection, "GET", f"/api/series?{urlencode(asked)}", None, ""))
        connection.close()
        return sum(
            len(one["steps"]) if one["kind"] == "points" else sum(one["counts"]) for one in found["series"]
        )

    def _history(self, name: str) -> int:
        connection, token, points = HTTPConnection(self._place), "", 0
        while True:
            query = {"run_id": self._run, "metric_key": name, "max_results": 25_000, "page_token": token}
            asked = f"{MLFLOW}/metrics/get-history?" + urlencode({k: v for k, v in query.items() if v})
            found = json.loads(self._exchange(connection, "GET", asked, None, ""))
            points += len(found.get("metrics", []))
            token = found.get("next_page_token", "")
            if not token:
                connection.close()
                return points

    def run(self) -> str:
        """Name the last run."""
        return str(self._run)

    def _new_run(self) -> Any:
        connection = HTTPConnection(self._place)
        if self._option == "mlflow":
            body = {"experiment_id": "0", "run_name": f"round {self._round}"}
            found = json.loads(
                self._exchange(connection, "POST", f"{MLFLOW}/runs/create", json.dumps(body).encode(), "")
            )["run"]["info"]["run_id"]
        else:
            body = {"project": "benchmark", "name": f"round {self._round}"}
            found = json.loads(
                self._exchange(connection, "POST", "/api/runs", json.dumps(body).encode(), "")
            )["id"]
        connection.close()
        return found

    def _batches(self, requests: int, keys: int) -> list[tuple[str, bytes, str]]:
        """Make log-batch's bodies; to our server they go with the run's name that MLflow would want."""
        steps = BATCH // keys
        rows = logged.rows(requests * steps, keys)
        if self._option == "mlflow":
            path, named = f"{MLFLOW}/runs/log-batch", self._run
        else:
            path, named = f"/api/runs/{self._run}/log", "0123456789abcdef" * 2
        now = int(1000 * time.time())
        bodies = []
        for start in range(0, len(rows), steps):
            metrics = [
                {"key": name, "value": value, "timestamp": now, "step": start + place}
                for place, row in enumerate(rows[start : start + steps])
                for name, value in row.items()
            ]
            bodies.append((path, json.dumps({"run_id": named, "metrics": metrics}).encode(), ""))
        return bodies

    def _columns(self, requests: int, keys: int) -> list[tuple[str, bytes, str]]:
        """Make binary bodies of 1,024 steps."""
        import numpy as np  # noqa: PLC0415

        from nnlab.series.batch import encode_batch  # noqa: PLC0415 - not for MLflow's client

        self._steps = 1024
        source = values(logged.SOURCE_STEPS)[:keys]
        bodies = []
        for number in range(requests):
            steps = np.arange(number * self._steps, (number + 1) * self._steps, dtype=np.int64)
            part = source[:, steps % source.shape[1]].astype(np.float64)
            points: dict[Key, Points] = {
                (name, None): (steps, row) for name, row in zip(NAMES[:keys], part, strict=True)
            }
            path = f"/api/runs/{self._run}/columns?writer=bench&batch={number}"
            bodies.append((path, encode_batch(points), "application/octet-stream"))
        return bodies

    def _post(
        self, requests: Sequence[tuple[str, bytes, str]], seconds: list[float], failures: list[str]
    ) -> None:
        connection = HTTPConnection(self._place)
        try:
            for path, body, kind in requests:
                began = time.perf_counter()
                said = self._exchange(connection, "POST", path, body, kind)
                seconds.append(time.perf_counter() - began)
                if b'"repeated": true' in said or b'"repeated":true' in said:
                    failures.append("a new batch was taken for a repeated one")
        except (OSError, RuntimeError) as error:
            failures.append(str(error))
        finally:
            connection.close()

    def _exchange(
        self, connection: HTTPConnection, method: str, path: str, body: bytes | None, kind: str
    ) -> bytes:
        headers = self._headers | ({"Content-Type": kind} if kind else {})
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {said[:300].decode(errors='replace')}")
        return said
