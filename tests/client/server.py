"""A small real HTTP server that keeps the routes of the API a client speaks to, and fails when told to."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from nnlab.series.batch import CLOCK, decode_batch, points_in
from nnlab.series.errors import SeriesError

TOKEN = "nnlab_test"
CUT, CUT_AFTER = "hang up before doing it", "do it, then hang up without an answer"
Series = dict[tuple[str, int | None], list[tuple[int, float]]]
Reply = tuple[int, dict[str, Any]]


@dataclass
class StoredRun:
    """What the server has of a run."""

    started: dict[str, Any]
    config: dict[str, Any]
    points: Series = field(default_factory=dict)
    clock: list[tuple[int, float]] = field(default_factory=list)
    status: str = "running"
    error: str = ""
    last: dict[str, int] = field(default_factory=dict)  # batch, by writer
    thinned: int = 0
    beats: int = 0
    lines: list[dict[str, Any]] = field(default_factory=list)


class Server:
    """A server whose answers are the contract's, but for the faults that it was told to show first."""

    def __init__(self) -> None:
        self.runs: dict[int, StoredRun] = {}
        self.faults: deque[str | int] = deque()
        self.requests: list[str] = []
        self.most_points = 1_000_000
        self.pause = "0"  # the Retry-After of a 429
        self.stop = False  # somebody wants the runs to end
        self.sockets: list[socket.socket] = []
        self._http: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self._port = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def run(self) -> StoredRun:
        (run,) = self.runs.values()
        return run

    def come(self) -> None:
        """Listen, on the same port as before."""
        handler = type("BoundHandler", (Handler,), {"site": self})
        ThreadingHTTPServer.allow_reuse_address = True
        self._http = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._http.daemon_threads = False
        self._port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def go(self) -> None:
        """Be away: nobody listens, and open connections end."""
        if self._http is None or self._thread is None:
            return
        self._http.shutdown()
        self._thread.join()
        self.drop_connections()
        self._http.server_close()  # joins the threads of the connections
        self._http = None

    def drop_connections(self) -> None:
        """End all open connections, as a server does that finds them idle."""
        for connection in self.sockets:
            with_care(connection)
        self.sockets.clear()

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> Reply:
        """Do what a request asks for."""
        if path == "/api/runs":
            return self._start(json.loads(body))
        found = re.fullmatch(r"/api/runs/(\d+)/(columns|config|end|resume|beat|log-lines)", path)
        run = self.runs.get(int(found[1])) if found else None
        if run is None or found is None:
            return 404, {"detail": "Not Found"}
        if found[2] == "resume":
            return self._resume(run, json.loads(body))
        if run.status != "running":
            return 409, {"detail": f"the run is {run.status}: resume it"}
        if found[2] == "columns":
            return self._columns(run, query, body)
        return self._change(run, found[2], json.loads(body))

    def _start(self, body: dict[str, Any]) -> Reply:
        for number, run in self.runs.items():
            if run.started["client_id"] == body["client_id"]:
                return 200, {"id": number}
        if body["project"] == "forbidden":
            return 422, {"errors": {"project": ["no such name"]}}
        number = len(self.runs) + 1
        self.runs[number] = StoredRun(body, dict(body["config"]))
        return 201, {"id": number}

    def _columns(self, run: StoredRun, query: dict[str, list[str]], body: bytes) -> Reply:
        writer, batch = query["writer"][0], int(query["batch"][0])
        if batch <= run.last.get(writer, -1):
            return 200, {"accepted": 0, "repeated": True}
        try:
            points = decode_batch(body)
        except SeriesError as error:
            return 422, {"detail": str(error)}
        if points_in(body) > self.most_points:
            return 413, {"detail": f"expected at most {self.most_points} points"}
        if any(name == "unwanted" for name, _ in points):
            return 422, {"detail": "unwanted is no metric"}
        for key, (steps, values) in points.items():
            series = run.clock if key == CLOCK else run.points.setdefault(key, [])
            series.extend(zip(steps.tolist(), values.tolist(), strict=True))
        run.last[writer] = batch
        run.thinned = max(run.thinned, int(query.get("thinned", ["0"])[0]))
        return 200, {"accepted": points_in(body), "repeated": False, "stop": self.stop}

    def _resume(self, run: StoredRun, body: dict[str, Any]) -> Reply:
        run.status, run.error = "running", ""
        if "step" in body:
            for key, points in run.points.items():
                run.points[key] = [point for point in points if point[0] <= body["step"]]
        return 200, {"id": 1}

    def _change(self, run: StoredRun, verb: str, body: dict[str, Any]) -> Reply:
        if verb == "log-lines":
            run.lines += body["lines"]
        elif verb == "config":
            run.config |= body
        elif verb == "end":
            run.status, run.error = body["status"], body.get("error", "")
        else:
            run.beats += 1
        return 200, {"stop": self.stop}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20
    disable_nagle_algorithm = True
    site: Server

    def setup(self) -> None:
        self.site.sockets.append(self.request)
        super().setup()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        parts = urlsplit(self.path)
        with self.site.lock:
            self.site.requests.append(self.path)
            fault = self.site.faults.popleft() if self.site.faults else None
            if fault == CUT:
                self.close_connection = True
                return
            if isinstance(fault, int):
                self._reply(fault, {"detail": "as told"})
                return
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                self._reply(401, {"detail": "Unauthorized"})
                return
            status, payload = self.site.answer("POST", parts.path, parse_qs(parts.query), body)
        if fault == CUT_AFTER:
            self.close_connection = True
            return
        self._reply(status, payload)

    def _reply(self, status: int, payload: dict[str, Any]) -> None:
        content = json.dumps(payload).encode()
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", self.site.pause)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


def with_care(connection: socket.socket) -> None:
    """End a connection that may have ended by itself."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


@contextmanager
def serving() -> Iterator[Server]:
    """A server that is there."""
    server = Server()
    server.come()
    try:
        yield server
    finally:
        server.go()
