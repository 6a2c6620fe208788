"""Who may use the API: a script with a token, or a browser with its session."""

from __future__ import annotations

import logging
from datetime import timedelta
from time import monotonic
from typing import Any, cast

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db import OperationalError, connection
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from ninja.errors import HttpError
from ninja.security import HttpBearer, SessionAuth

from nnlab import logs
from runs.models import ApiToken
from runs.store import rows

logger = logging.getLogger(__name__)

USE_NOTED_EVERY = timedelta(minutes=1)
GRANT_SECONDS = 2.0  # that a permission is believed; a token itself is looked up by every request
MAX_REMEMBERED = 1_000
# In SQL of our own: every request asks it, and the ORM would take longer to build it than it takes itself.
_OWNER = """
SELECT token.id, token.user_id, token.last_used_at IS NULL OR token.last_used_at < %s
FROM runs_apitoken token JOIN auth_user ON auth_user.id = token.user_id
WHERE token.digest = %s AND auth_user.is_active"""
_granted: dict[tuple[str, str], float] = {}  # until when, by token and permission


class TokenAuth(HttpBearer):
    """``Authorization: Bearer nnlab_...``; the request then acts as the token's user."""

    def authenticate(self, request: HttpRequest, token: str) -> str:
        """Return the token's digest; its user is read only where somebody asks who it is.

        Raises:
            HttpError: 401 for a token that is not known; whoever sends one does not mean a session.
        """
        digest = ApiToken.digest_of(token)
        long_ago = connection.ops.adapt_datetimefield_value(timezone.now() - USE_NOTED_EVERY)
        found = rows.fetch(_OWNER, (long_ago, digest))
        if not found:
            raise HttpError(401, "expected a token of an active user; `nnlab token USER NAME` makes one")
        key, user_id, is_due = found[0]
        logs.bind(user_id=user_id)
        if is_due:
            _note_use(key)
        request.user = cast(User, SimpleLazyObject(lambda: User.objects.get(pk=user_id)))
        return digest


def _note_use(key: int) -> None:
    """Note when a token was used, to the minute: a script that polls must not write with each look.

    A database that cannot be written to, on a full disk for one, can still be read.
    """
    try:
        ApiToken.objects.filter(pk=key).update(last_used_at=timezone.now())
    except OperationalError as error:
        logger.warning("the use of token %s was not noted: %s", key, error)


class BrowserAuth(SessionAuth):
    """A browser's session; a request without one is answered 401, not asked for a CSRF token."""

    def _get_key(self, request: HttpRequest) -> str | None:
        return super()._get_key(request) if self.param_name in request.COOKIES else None


AUTH = [TokenAuth(), BrowserAuth(csrf=True)]


def require(request: HttpRequest, permission: str) -> AbstractBaseUser:
    """Return the request's user.

    Raises:
        HttpError: 403 for a user who lacks the permission, and names it.
    """
    user, token = request.user, getattr(request, "auth", None)  # the digest, where there is a token
    grant = (token if isinstance(token, str) else "", permission)
    if _granted.get(grant, 0.0) > monotonic():
        return cast(AbstractBaseUser, user)
    if isinstance(user, AnonymousUser) or not user.has_perm(permission):
        raise HttpError(403, f"this needs the permission {permission}; an administrator can grant it")
    if grant[0]:
        _remember(grant)
    return user


def _remember(grant: tuple[str, str]) -> None:
    """Believe for a moment that a token's user has a permission: a program logs hundreds of times."""
    if len(_granted) >= MAX_REMEMBERED:
        _granted.clear()
    _granted[grant] = monotonic() + GRANT_SECONDS


def own_access(urls: tuple[list[URLPattern | URLResolver], str, str]) -> tuple[list[Any], str, str]:
    """Exempt the API's operations from the site-wide login page: they answer 401 themselves.

    The API's root and its document stay behind the login.
    """
    for pattern in urls[0]:
        if isinstance(pattern, URLPattern) and pattern.name not in {"api-root", "openapi-json"}:
            login_not_required(pattern.callback)
    return urls
