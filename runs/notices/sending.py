"""Sending what is in the outbox. Every try is claimed, so two senders do no harm.

A notice whose sender was killed is sent again: at least once, and under the same key.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Collection
from datetime import timedelta
from smtplib import (
    SMTPDataError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)
from time import time

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db.models import F, QuerySet
from django.utils import timezone

from runs.models import Channel, Notice
from runs.notices import webhooks
from runs.notices.errors import NotTakenError, RefusedError
from runs.notices.messages import Message, composed

logger = logging.getLogger(__name__)

MAX_TRIES = 6
FIRST_PAUSE = timedelta(seconds=30)  # before the second try; each pause is four times the one before it
PAUSE_FACTOR = 4
JITTER = 0.25  # of a pause, more or less, so that what failed together does not come back together
LEASE = timedelta(minutes=2)  # after which a try that says nothing has failed
KEPT = timedelta(days=30)  # that the log goes back
State = Notice.State
_OF_THE_LETTER = (SMTPRecipientsRefused, SMTPSenderRefused, SMTPDataError)


def is_due() -> bool:
    """Whether there is something to send."""
    return Notice.objects.filter(state=State.WAITING, due_at__lte=timezone.now()).exists()


def send_due() -> int:
    """Send all that is due; returns how many notices were tried.

    A channel that does not answer is not asked a second time: it must not hold up the others.
    """
    tried, silent = 0, set[int]()
    while (notice := _claimed(silent)) is not None:
        tried += 1
        if not _sent(notice):
            silent.add(notice.channel_id)
    Notice.objects.filter(settled_at__lt=timezone.now() - KEPT).delete()
    return tried


def _claimed(silent: Collection[int]) -> Notice | None:
    """Take the notice that is due for longest for one try."""
    while True:
        now = timezone.now()
        due = Notice.objects.filter(state=State.WAITING, due_at__lte=now).exclude(channel__in=silent)
        notice = due.select_related("channel__project", "run").order_by("due_at", "pk").first()
        if notice is None:
            return None
        mine = due.filter(pk=notice.pk, tries=notice.tries)
        if notice.tries >= MAX_TRIES:  # and the last came to no end
            _settle(notice, State.FAILED, "given up: whoever tried to send it was cut off")
        elif mine.update(tries=F("tries") + 1, due_at=now + LEASE):
            notice.tries += 1
            return notice


def _sent(notice: Notice) -> bool:
    """Send a notice; False where its channel did not answer."""
    message = composed(notice)
    reason = _unwanted(notice, message)
    if reason:
        _settle(notice, State.DROPPED, reason)
        return True
    told = [alert.check_id for alert in message.alerts]
    notice.lines.exclude(check_id__in=told).delete()
    try:
        answer = _deliver(notice.channel, message)
    except NotTakenError as error:
        _put_off(notice, error)
        return False
    _settle(notice, State.SENT, answer)
    return True


def _unwanted(notice: Notice, message: Message) -> str:
    """Say why a notice need not be sent any more."""
    run = notice.run
    if run is None:
        return ""
    if not notice.channel.is_on:
        return "switched off meanwhile"
    if run.deleted_at is not None:
        return "the run was deleted meanwhile"
    return "" if message.alerts else "muted, acknowledged or eased meanwhile, or the run began anew"


def _deliver(channel: Channel, message: Message) -> str:
    if channel.kind == Channel.Kind.EMAIL:
        return _mail(channel.address, message)
    body = json.dumps(message.payload, ensure_ascii=False, allow_nan=False).encode()
    now = int(time())
    headers = {
        "User-Agent": "nnlab",
        "Idempotency-Key": message.key,
        "X-Nnlab-Timestamp": str(now),
        "X-Nnlab-Signature": webhooks.signature(channel.secret, now, body),
    }
    return webhooks.post(channel.address, body, headers)


def _mail(recipient: str, message: Message) -> str:
    if not settings.MAIL_IS_SET_UP:
        raise RefusedError("no e-mail is set up: set EMAIL_URL")
    headers = {
        "Message-ID": f"<{message.key}@nnlab>",  # the same in every try: many mailboxes keep only one
        "Auto-Submitted": "auto-generated",
    }
    letter = EmailMessage(message.title[:200], message.text, to=[recipient], headers=headers)
    try:
        with get_connection() as letter.connection:  # which is closed even where STARTTLS fails
            letter.send()
    except (SMTPException, OSError) as error:
        raise _mail_failure(error) from error
    return "taken by the mail server"


def _mail_failure(error: SMTPException | OSError) -> NotTakenError:
    """Tell a letter that was refused from trouble that may pass; a refused login may be mended."""
    said: bytes | str
    if isinstance(error, SMTPRecipientsRefused):
        ((code, said),) = error.recipients.values()
    elif isinstance(error, SMTPResponseException):
        code, said = error.smtp_code, error.smtp_error
    else:
        return NotTakenError(f"{type(error).__name__}: {error}")
    text = f"{code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
    is_refused = isinstance(error, _OF_THE_LETTER) and code >= 500
    return RefusedError(text) if is_refused else NotTakenError(text)


def _put_off(notice: Notice, error: NotTakenError) -> None:
    """Try again later, a few times."""
    logger.warning("notice %s to %s, try %s: %s", notice.pk, notice.channel, notice.tries, error)
    if isinstance(error, RefusedError) or notice.tries >= MAX_TRIES:
        _settle(notice, State.FAILED, str(error))
        return
    pause = FIRST_PAUSE * PAUSE_FACTOR ** (notice.tries - 1) * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
    _own(notice).update(due_at=timezone.now() + pause, answer=str(error)[:200])


def _settle(notice: Notice, state: Notice.State, answer: str) -> None:
    _own(notice).update(state=state, answer=answer[:200], settled_at=timezone.now())


def _own(notice: Notice) -> QuerySet[Notice]:
    """The notice, as long as this try is its last: a slow one may have been overtaken."""
    return Notice.objects.filter(pk=notice.pk, state=State.WAITING, tries=notice.tries)
