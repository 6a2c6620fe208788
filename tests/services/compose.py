"""The compose file, read as Docker Compose reads it: anchors merged, variables replaced by their defaults."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.services.installation import CHECKOUT

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<kind>:-|:\?)(?P<rest>[^}]*)\}")


def read(name: str = "docker-compose.yml", variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Read one of the deployment's files."""
    text = (CHECKOUT / name).read_text(encoding="utf-8")
    found: dict[str, Any] = _filled(yaml.safe_load(text), variables or {})
    return found


def services(*profiles: str) -> dict[str, Any]:
    """The services that start with these profiles."""
    found = read()["services"]
    return {
        name: service
        for name, service in found.items()
        if not service.get("profiles") or set(service["profiles"]) & set(profiles)
    }


def variables() -> set[str]:
    """What the deployment can be told by the environment."""
    text = (CHECKOUT / "docker-compose.yml").read_text(encoding="utf-8")
    return {match["name"] for match in _VARIABLE.finditer(text)}


def make_secrets(folder: Path) -> Path:
    """Run the deployment's own script, as if the folder were the checkout; the folder of secrets."""
    script = folder / "deploy" / "make-secrets"
    script.parent.mkdir()
    script.write_bytes((CHECKOUT / "deploy" / "make-secrets").read_bytes())
    script.chmod(0o755)
    subprocess.run([script], check=True, capture_output=True)
    return folder / "secrets"


def _filled(value: Any, given: Mapping[str, str]) -> Any:
    """Replace the variables in all texts."""
    if isinstance(value, dict):
        return {key: _filled(inner, given) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, given) for inner in value]
    return _VARIABLE.sub(lambda match: _value(match, given), value) if isinstance(value, str) else value


def _value(match: re.Match[str], given: Mapping[str, str]) -> str:
    if match["name"] in given:
        return given[match["name"]]
    if match["kind"] == ":?":
        raise KeyError(f"expected {match['name']} to be set: {match['rest']}")
    return match["rest"]
