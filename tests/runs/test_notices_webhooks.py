"""Where webhooks may lead, and what a bad receiver cannot do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings

from runs.notices import targets, webhooks
from runs.notices.errors import NotTakenError, RefusedError
from tests.runs.receiver import receiver

PRIVATE = [
    "127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.9.9", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "224.0.0.1", "[::1]", "[::]", "[fe80::1]", "[fd00::1]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]",
    "[2002:7f00:1::]", "[64:ff9b::7f00:1]", "[ff02::1]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
    "[fec0::1]", "[::127.0.0.1]", "[64:ff9b:1::7f00:1]",
]  # fmt: skip


def answering(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let every name have these addresses; the names that were looked up."""
    names: list[str] = []

    def looked_up(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        names.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    return names


@pytest.mark.parametrize("host", PRIVATE)
def test_a_private_address_is_refused_when_it_is_typed(host: str) -> None:
    with pytest.raises(RefusedError, match="NNLAB_ALLOW_PRIVATE_WEBHOOKS"):
        targets.parse(f"http://{host}/x")


@pytest.mark.parametrize("host", PRIVATE)
def test_a_name_that_leads_to_a_private_address_is_refused(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    answering(monkeypatch, "93.184.216.34", host.strip("[]"))
    with pytest.raises(RefusedError, match="private"):
        targets.resolve(targets.parse("https://example.org/x"))


@pytest.mark.parametrize(
    "host", ["93.184.216.34", "[2606:2800:220:1::1]", "[::ffff:93.184.216.34]", "[64:ff9b::5db8:d822]"]
)
def test_an_address_out_in_the_world_is_taken(host: str) -> None:
    assert targets.parse(f"https://{host}/x?y=1").path == "/x?y=1"


def test_localhost_is_refused_by_its_address() -> None:
    with pytest.raises(RefusedError, match="private"):
        webhooks.post("http://localhost:1/", b"", {})


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1"])
def test_other_spellings_of_loopback_are_refused_by_their_address(host: str) -> None:
    with pytest.raises(NotTakenError, match=r"private|no address"):
        targets.resolve(targets.parse(f"http://{host}/"))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/x",
        "file:///etc/passwd",
        "https://",
        "example.org",
        "https://user:word@example.org/",
        "https://example.org/#x",
        "https://example.org/a b",
        "https://example.org/a\r\nX: y",
        "https://example.org:99999/",
        "https://exämple.org/",
    ],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(RefusedError, match="expected a web address"):
        targets.parse(url)


def test_the_name_is_looked_up_once_and_its_address_connected_to(
    monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    settings.ALLOW_PRIVATE_WEBHOOKS = True
    with receiver() as here:
        names = answering(monkeypatch, "127.0.0.1")
        connected = []
        real = socket.create_connection

        def connect(address: tuple[str, int], **options: Any) -> socket.socket:
            connected.append(address[0])
            monkeypatch.undo()  # connecting by number looks nothing up in the world
            return real(address, **options)

        monkeypatch.setattr(socket, "create_connection", connect)
        webhooks.post(f"http://rebind.example.org:{here.port}/", b"{}", {})
        assert (names, connected) == (["rebind.example.org"], ["127.0.0.1"])
        assert here.requests[0][1]["Host"] == f"rebind.example.org:{here.port}"


def test_a_name_with_many_addresses_does_not_hold_up_the_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, *(f"93.184.216.{number}" for number in range(100)))
    tried = []

    def connect(address: tuple[str, int], **_: Any) -> socket.socket:
        tried.append(address[0])
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(NotTakenError, match="timed out"):
        webhooks.post("https://example.org/x", b"{}", {})
    assert tried == [f"93.184.216.{number}" for number in range(webhooks.MAX_ADDRESSES)]


def test_a_redirect_is_not_followed(settings: LazySettings) -> None:
    settings.ALLOW_PRIVATE_WEBHOOKS = True
    with receiver() as elsewhere, receiver(302, Location=elsewhere.url) as here:
        with pytest.raises(RefusedError, match="redirects are not followed"):
            webhooks.post(here.url, b"{}", {})
        assert elsewhere.requests == []


def test_a_host_that_is_not_there_may_be_there_later(settings: LazySettings) -> None:
    settings.ALLOW_PRIVATE_WEBHOOKS = True
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(NotTakenError, match="refused") as found:
        webhooks.post(f"http://127.0.0.1:{port}/", b"{}", {})
    assert not isinstance(found.value, RefusedError)


@pytest.fixture
def dripping() -> Iterator[int]:
    """Serve an answer that never comes to its point, a byte at a time, within every single time limit."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    while not over.wait(0.02):
                        connection.sendall(b"x")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        yield server.getsockname()[1]
        over.set()
        thread.join()


def test_an_answer_that_drips_for_ever_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, settings: LazySettings, dripping: int
) -> None:
    settings.ALLOW_PRIVATE_WEBHOOKS = True
    monkeypatch.setattr(webhooks, "ALL_SECONDS", 0.2)
    with pytest.raises(NotTakenError):
        webhooks.post(f"http://127.0.0.1:{dripping}/", b"{}", {})


def test_a_server_without_a_good_certificate_gets_nothing(settings: LazySettings) -> None:
    settings.ALLOW_PRIVATE_WEBHOOKS = True
    with receiver() as here:
        with pytest.raises(NotTakenError, match="SSL"):
            webhooks.post(here.url.replace("http:", "https:"), b"{}", {})
        assert here.requests == []
