"""Somebody with certain rights, whoever it is: what all such people see has to be made only once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from django.contrib.auth.models import User


class PersonalError(Exception):
    """What is asked for depends on more than rights: each person has to ask for it."""


class Nobody:
    """Stands where a session would be: whoever looks into it asks for something personal."""

    def __getattr__(self, name: str) -> NoReturn:
        raise PersonalError(name)

    def __getitem__(self, name: str) -> NoReturn:
        raise PersonalError(name)

    def __str__(self) -> str:
        raise PersonalError

    def __eq__(self, other: object) -> bool:
        raise PersonalError

    __hash__ = None  # type: ignore[assignment]


class Onlooker(Nobody):
    """Stands where a user would be, and tells no more than rights."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(self, user: User) -> None:
        self.is_superuser, self.is_staff = user.is_superuser, user.is_staff
        self._rights = frozenset(user.get_all_permissions())

    @property
    def key(self) -> tuple[object, ...]:
        """Name the rights; people with the same see the same."""
        return self.is_superuser, self.is_staff, self._rights

    def has_perm(self, right: str, obj: Any = None) -> bool:
        """Say whether there is a right, as ``User`` does."""
        return self.is_superuser or right in self._rights

    def has_perms(self, rights: Iterable[str], obj: Any = None) -> bool:
        """Say whether all of these rights are there."""
        return all(self.has_perm(right, obj) for right in rights)

    def has_module_perms(self, label: str) -> bool:
        """Say whether there is any right of an app."""
        return self.is_superuser or any(right.startswith(f"{label}.") for right in self._rights)
