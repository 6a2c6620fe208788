"""The deployment's proxy, run with its own configuration: TLS, HTTP/2, and nothing held back."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_connection

import pytest

from tests.services.installation import CHECKOUT, free_port

pytestmark = pytest.mark.services

TRUSTING = ssl.create_default_context()
TRUSTING.check_hostname = False
TRUSTING.verify_mode = ssl.CERT_NONE
first_was_read = threading.Event()


class Stream(BaseHTTPRequestHandler):
    """Sends a first event, and the second when the first has been read at the other end."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        seen = f"{self.headers['X-Forwarded-Proto']} {self.headers['Host']} {self.headers['X-Forwarded-For']}"
        self.wfile.write(f"data: {seen}\n\n".encode())
        self.wfile.flush()
        was_read = first_was_read.wait(20)
        self.wfile.write(f"data: {was_read}\n\n".encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def upstream() -> Iterator[int]:
    first_was_read.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stream)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def proxy(folder: Path, web: int) -> Iterator[tuple[int, int]]:
    """Run Caddy with the deployment's file, on free ports; those of HTTP and HTTPS."""
    ports = {inside: free_port() for inside in (8080, 8443, 8081)}
    text = (CHECKOUT / "deploy" / "Caddyfile").read_text(encoding="utf-8")
    for inside, port in ports.items():
        text = text.replace(str(inside), str(port))
    file = folder / "Caddyfile"
    file.write_text(text)
    told = {"NNLAB_DOMAIN": "localhost", "NNLAB_WEB": f"127.0.0.1:{web}", "HOME": str(folder)}
    folders = {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    program = Path(sys.executable).with_name("caddy")
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "run", "--config", file, "--adapter", "caddyfile"],
            env={**os.environ, **told, **folders},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _await(ports[8081], ports[8443], process, folder / "proxy.log")
        yield ports[8080], ports[8443]
    finally:
        process.terminate()
        process.wait(20)


def test_events_arrive_when_they_are_sent_over_tls(tmp_path: Path, upstream: int) -> None:
    with proxy(tmp_path, upstream) as (_, port):
        connection = HTTPSConnection("localhost", port, timeout=30, context=TRUSTING)
        connection.request("GET", "/", headers={"X-Forwarded-For": "6.6.6.6"})
        answer = connection.getresponse()
        first = answer.readline().decode()
        first_was_read.set()
        assert (
            first == f"data: https localhost:{port} 127.0.0.1\n"
        )  # what a client claims of itself is dropped
        assert answer.read().decode() == "\ndata: True\n\n"
        connection.close()


def test_the_proxy_speaks_http_2_and_sends_http_to_https(tmp_path: Path, upstream: int) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with proxy(tmp_path, upstream) as (plain, port):
        with (
            create_connection(("127.0.0.1", port)) as socket,
            context.wrap_socket(socket, server_hostname="localhost") as secure,
        ):
            assert secure.selected_alpn_protocol() == "h2"
        connection = HTTPConnection("localhost", plain, timeout=30)
        connection.request("GET", "/projects/")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Location"]) == (308, "https://localhost/projects/")
        connection.close()


def _await(health: int, tls: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until it answers the health check, and has signed its certificate."""
    deadline = time.monotonic() + 30
    while not (_is_well(health) and _has_certificate(tls)):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def _is_well(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _has_certificate(port: int) -> bool:
    try:
        with (
            create_connection(("127.0.0.1", port)) as socket,
            TRUSTING.wrap_socket(socket, server_hostname="localhost"),
        ):
            return True
    except OSError:
        return False
