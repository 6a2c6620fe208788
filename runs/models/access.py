"""Access: tokens for scripts. People sign in with their password."""

from __future__ import annotations

import hashlib
import secrets

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class ApiToken(models.Model):
    """A secret that lets a script act as its user. Only its hash is stored."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=60)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-pk"]
        verbose_name = "API token"

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def digest_of(secret: str) -> str:
        """Hash a token. It is random and long, so one round without salt is enough."""
        return hashlib.sha256(secret.encode()).hexdigest()

    @classmethod
    def issue(cls, user_id: int, name: str) -> str:
        """Make a token and return its text, which is never to be seen again."""
        secret = f"nnlab_{secrets.token_urlsafe(32)}"
        cls.objects.create(user_id=user_id, name=name, digest=cls.digest_of(secret))
        return secret
