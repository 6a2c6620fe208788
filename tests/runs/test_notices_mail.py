"""E-mail over a real connection: taken, refused, put off, too slow, with TLS and without."""

from __future__ import annotations

import shutil
import smtplib
import socket
import ssl
import subprocess
from pathlib import Path

import environ
import pytest
from django.conf import LazySettings
from django.utils import timezone

from runs.models import Notice
from runs.notices import sending
from tests.runs import builders
from tests.runs.mail_server import mail_server
from tests.runs.test_notices_sending import build_notice, due_again

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _mail(settings: LazySettings) -> None:
    settings.MAIL_IS_SET_UP = True
    settings.EMAIL_TIMEOUT = 5
    settings.DEFAULT_FROM_EMAIL = "nnlab@example.org"


def use(settings: LazySettings, address: str) -> None:
    """Set the mail server as ``EMAIL_URL`` does."""
    for name, value in environ.Env.email_url_config(address).items():
        setattr(settings, name, value)


def sent(notice: Notice) -> tuple[str, str, int]:
    sending.send_due()
    notice.refresh_from_db()
    return notice.state, notice.answer, notice.tries


def test_a_letter_arrives_as_it_was_written(settings: LazySettings) -> None:
    notice = build_notice("ada@example.org", run=builders.build_running_run(name="Läufe\nnumber 7"))
    with mail_server() as post:
        use(settings, f"smtp://127.0.0.1:{post.port}")
        assert sent(notice) == ("sent", "taken by the mail server", 1)
    (letter,) = post.letters
    assert (letter.sender, letter.recipients) == ("nnlab@example.org", ["ada@example.org"])
    assert (letter.over_tls, letter.logged_in) == (False, False)
    assert letter.content["Message-ID"] == f"<{notice.key}@nnlab>"
    assert letter.content["Auto-Submitted"] == "auto-generated"
    assert "Läufe number 7: Vanishing gradient: hidden 1" in letter.content["Subject"]
    body = letter.content.get_content()
    assert "The sigmoid's derivative" in body
    assert "- Try: Use ReLU instead of sigmoid" in body


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_a_refused_letter_is_not_sent_again(settings: LazySettings, command: str) -> None:
    notice = build_notice("nobody@example.org")
    with mail_server({command: "550 5.1.1 no such user"}) as post:
        use(settings, f"smtp://127.0.0.1:{post.port}")
        assert sent(notice) == ("failed", "550 5.1.1 no such user", 1)
        due_again()
        sending.send_due()
    assert post.tries == 1


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_a_letter_put_off_is_sent_again_under_the_same_key(settings: LazySettings, command: str) -> None:
    notice = build_notice("ada@example.org")
    with mail_server({command: "451 4.7.1 greylisted, try later"}) as post:
        use(settings, f"smtp://127.0.0.1:{post.port}")
        before = timezone.now()
        assert sent(notice) == ("waiting", "451 4.7.1 greylisted, try later", 1)
        assert notice.due_at > before
        assert sending.send_due() == 0
        del post.answers[command]
        due_again()
        assert sent(notice) == ("sent", "taken by the mail server", 2)
    assert [letter.content["Message-ID"] for letter in post.letters] == [f"<{notice.key}@nnlab>"]


def test_a_server_that_says_nothing_is_left_after_the_timeout(settings: LazySettings) -> None:
    settings.EMAIL_TIMEOUT = 0.2
    notice = build_notice("ada@example.org")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use(settings, f"smtp://127.0.0.1:{silent.getsockname()[1]}")
        state, answer, _ = sent(notice)
    assert (state, answer.rpartition(": ")[2]) == ("waiting", "timed out")


def test_a_server_that_is_not_there_is_asked_again_later(settings: LazySettings) -> None:
    notice = build_notice("ada@example.org")
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    use(settings, f"smtp://127.0.0.1:{port}")
    state, answer, _ = sent(notice)
    assert (state, answer.partition(":")[0]) == ("waiting", "ConnectionRefusedError")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that only those trust who are told to, with its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("certificate")
    request = (
        openssl,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
    )
    files = ("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "certificate.pem")
    subprocess.run([*request, *files], cwd=folder, check=True, capture_output=True)
    whole = folder / "whole.pem"
    whole.write_text((folder / "key.pem").read_text() + (folder / "certificate.pem").read_text())
    return whole


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    """What a server with this certificate speaks."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize(
    ("password", "expected"),
    [("a%20password", ("sent", "taken by the mail server")), ("wrong", ("waiting", "535 5.7.8"))],
)
def test_tls_carries_letter_and_login_and_a_wrong_password_may_be_mended(
    settings: LazySettings,
    tls: ssl.SSLContext,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    password: str,
    expected: tuple[str, str],
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}")
    notice = build_notice("ada@example.org")
    with mail_server(tls=tls) as post:
        use(settings, f"smtp+tls://nnlab:{password}@127.0.0.1:{post.port}")
        state, answer, _ = sent(notice)
    assert state == expected[0], answer
    assert answer.startswith(expected[1])
    assert [(letter.over_tls, letter.logged_in) for letter in post.letters] == [(True, True)] * (
        state == "sent"
    )


def test_nothing_is_sent_where_the_certificate_is_not_trusted(
    settings: LazySettings, tls: ssl.SSLContext
) -> None:
    notice = build_notice("ada@example.org")
    with mail_server(tls=tls) as post:
        use(settings, f"smtp+tls://nnlab:a%20password@127.0.0.1:{post.port}")
        state, answer, _ = sent(notice)
    assert (state, post.letters) == ("waiting", [])
    assert answer.startswith("SSLCertVerificationError")


def test_a_letter_is_not_sent_in_the_clear_where_tls_was_asked_for(settings: LazySettings) -> None:
    notice = build_notice("ada@example.org")
    with mail_server() as post:
        use(settings, f"smtp+tls://127.0.0.1:{post.port}")
        state, answer, _ = sent(notice)
    assert (state, post.letters) == ("waiting", [])
    assert answer.startswith(smtplib.SMTPNotSupportedError.__name__)
