"""Who may use the API: a script with a token, or a browser with its session."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin
from django.http import HttpRequest
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


def require(request: HttpRequest, permission: str) -> None:
    """Refuse a request whose user lacks a permission.

    Raises:
        HttpError: 403, with the permission that is missing.
    """
    user: AbstractBaseUser | AnonymousUser = request.user
    if not isinstance(user, PermissionsMixin) or not user.has_perm(permission):
        raise HttpError(403, f"this needs the permission {permission}; an administrator can grant it")
