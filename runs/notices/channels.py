"""The form of a channel."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import validate_email

from runs.models import Channel, Project
from runs.notices import targets
from runs.notices.errors import RefusedError

MAX_CHANNELS = 20  # of a project


class ChannelForm(forms.ModelForm[Channel]):
    """Add a channel to a project."""

    class Meta:
        model = Channel
        fields = ["kind", "address", "least_severity"]
        labels = {"kind": "By", "least_severity": "From severity"}
        help_texts = {"address": "An e-mail address, or the web address of a webhook: Slack's, or your own."}

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._project = project
        self.fields["kind"].choices = Channel.Kind.choices  # type: ignore[attr-defined] # a ChoiceField
        self.fields["kind"].initial = Channel.Kind.EMAIL

    def clean(self) -> dict[str, Any]:
        """Look at the address as its kind demands."""
        data = super().clean() or {}
        kind, address = data.get("kind"), data.get("address", "")
        if kind == Channel.Kind.EMAIL:
            self._try(validate_email, address)
        elif kind == Channel.Kind.WEBHOOK:
            self._try(targets.parse, address)
        channels = Channel.objects.filter(project=self._project)
        if channels.filter(kind=kind, address=address).exists():
            self.add_error("address", "This project has that channel already.")
        if channels.count() >= MAX_CHANNELS:
            self.add_error(None, f"Expected at most {MAX_CHANNELS} channels; delete one first.")
        return data

    def _try(self, check: Any, address: str) -> None:
        if not address:
            return  # said already
        try:
            check(address)
        except (RefusedError, forms.ValidationError) as error:
            said = error.messages[0] if isinstance(error, forms.ValidationError) else f"{error}"
            self.add_error("address", said[:1].upper() + said[1:])
