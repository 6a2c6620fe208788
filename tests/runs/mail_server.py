"""A mail server that receives letters over a real connection, and answers as a test wants."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from tests.services.installation import free_port

LOGIN = (b"nnlab", b"a password")


@dataclass
class Letter:
    """What arrived, and how."""

    sender: str
    recipients: list[str]
    content: EmailMessage
    over_tls: bool
    logged_in: bool


@dataclass
class MailServer:
    """The letters that arrived, and what is answered.

    Args:
        answers: to the commands MAIL, RCPT and DATA, such as ``550 no such user``; else they are taken.
    """

    port: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    letters: list[Letter] = field(default_factory=list)
    tries: int = 0

    async def handle_MAIL(  # noqa: N802 - its name there
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        self.tries += 1
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        answer = self.answers.get("RCPT", "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        answer = self.answers.get("DATA", "250 OK")
        if answer.startswith("250"):
            content = message_from_bytes(envelope.content, policy=policy.default)
            self.letters.append(
                Letter(
                    envelope.mail_from,
                    list(envelope.rcpt_tos),
                    content,
                    session.ssl is not None,
                    bool(session.authenticated),
                )
            )
        return answer


@contextmanager
def mail_server(
    answers: Mapping[str, str] | None = None, *, tls: ssl.SSLContext | None = None
) -> Iterator[MailServer]:
    """Serve on a port of this machine; with ``tls`` nothing is taken before STARTTLS and a login."""
    here = MailServer(free_port(), dict(answers or {}))

    def log_in(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == LOGIN, handled=False)

    controller = Controller(
        here,
        hostname="127.0.0.1",
        port=here.port,
        tls_context=tls,
        require_starttls=tls is not None,
        auth_required=tls is not None,
        authenticator=log_in,
    )
    controller.start()
    try:
        yield here
    finally:
        controller.stop()
