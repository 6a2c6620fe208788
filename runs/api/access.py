"""Who may use the API: a script with a token, or a browser with its session."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver
from django.utils import timezone
from ninja.errors import HttpError
from ninja.security import HttpBearer, SessionAuth

from runs.models import ApiToken


class TokenAuth(HttpBearer):
    """``Authorization: Bearer nnlab_...``; the request then acts as the token's user."""

    def authenticate(self, request: HttpRequest, token: str) -> AbstractBaseUser | None:
        """Return the token's user, or None."""
        found = ApiToken.objects.select_related("user").filter(digest=ApiToken.digest_of(token)).first()
        if found is None or not found.user.is_active:
            return None
        ApiToken.objects.filter(pk=found.pk).update(last_used_at=timezone.now())
        request.user = found.user
        return found.user


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
