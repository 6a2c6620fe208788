"""Who may use the API: a script with a token, or a browser with its session."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import OperationalError
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver
from django.utils import timezone
from ninja.errors import HttpError
from ninja.security import HttpBearer, SessionAuth

from runs.models import ApiToken

logger = logging.getLogger(__name__)

USE_NOTED_EVERY = timedelta(minutes=1)


class TokenAuth(HttpBearer):
    """``Authorization: Bearer nnlab_...``; the request then acts as the token's user."""

    def authenticate(self, request: HttpRequest, token: str) -> AbstractBaseUser | None:
        """Return the token's user, or None."""
        found = ApiToken.objects.select_related("user").filter(digest=ApiToken.digest_of(token)).first()
        if found is None or not found.user.is_active:
            return None
        _note_use(found)
        request.user = found.user
        return found.user


def _note_use(token: ApiToken) -> None:
    """Note when a token was used, to the minute: a script that polls must not write with each look.

    A database that cannot be written to, on a full disk for one, can still be read.
    """
    now = timezone.now()
    if token.last_used_at is not None and now - token.last_used_at < USE_NOTED_EVERY:
        return
    try:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    except OperationalError as error:
        logger.warning("the use of token %s was not noted: %s", token.pk, error)


AUTH = [TokenAuth(), SessionAuth(csrf=True)]


def require(request: HttpRequest, permission: str) -> AbstractBaseUser:
    """Return the request's user.

    Raises:
        HttpError: 403 for a user who lacks the permission, and names it.
    """
    user = request.user
    if isinstance(user, AnonymousUser) or not user.has_perm(permission):
        raise HttpError(403, f"this needs the permission {permission}; an administrator can grant it")
    return user


def own_access(urls: tuple[list[URLPattern | URLResolver], str, str]) -> tuple[list[Any], str, str]:
    """Exempt the API's operations from the site-wide login page: they answer 401 themselves.

    The API's root and its document stay behind the login.
    """
    for pattern in urls[0]:
        if isinstance(pattern, URLPattern) and pattern.name not in {"api-root", "openapi-json"}:
            login_not_required(pattern.callback)
    return urls
