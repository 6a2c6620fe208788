"""The page for operators names only what exists."""

from __future__ import annotations

import re
from functools import cache

import pytest
from django.core.management import get_commands, load_command_class

from tests.services import compose
from tests.services.installation import CHECKOUT

TEXT = (CHECKOUT / "docs" / "deploy.md").read_text(encoding="utf-8")
COMPOSE_OPTIONS = {"--build", "--wait", "--scale", "--follow", "--no-deps", "--profile", "--rm"}


@cache
def settings_known() -> str:
    files = [
        *(CHECKOUT / "nnlab").glob("*.py"),
        CHECKOUT / "docker-compose.yml",
        CHECKOUT / "deploy" / "stores.yml",
    ]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def nnlab_lines() -> list[str]:
    return re.findall(r"\bnnlab ((?:backup|restore|workers|token|prepare|up|demo)\b[^`\n|#]*)", TEXT)


def test_there_are_commands_to_check() -> None:
    assert len(nnlab_lines()) >= 8


@pytest.mark.parametrize("line", nnlab_lines())
def test_a_command_and_its_options_exist(line: str) -> None:
    name, *words = line.split()
    assert name in get_commands()
    parser = load_command_class("runs", name).create_parser("nnlab", name)
    known = {option for action in parser._actions for option in action.option_strings}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\bNNLAB_[A-Z_]+\b", TEXT))))
def test_a_setting_exists(name: str) -> None:
    assert name in settings_known()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\bdeploy/[\w.-]+|\brequirements-\w+\.lock", TEXT))))
def test_a_file_exists(path: str) -> None:
    assert (CHECKOUT / path).exists()


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([\w./-]+)\)", TEXT)
    assert links
    assert [link for link in links if not (CHECKOUT / "docs" / link).exists()] == []


def test_services_profiles_and_options_of_compose_exist() -> None:
    every = compose.services("gpu", "proxy")
    lines = re.findall(r"docker compose ([^`\n#]*)", TEXT)
    words = [word for line in lines for word in line.split("nnlab ")[0].split()]
    assert {word for word in words if word.startswith("--")} <= COMPOSE_OPTIONS
    named = {
        word.split("=")[0]
        for line in lines
        for word in re.findall(
            r"(?:--scale|exec|exec -T|logs --follow|build|run --rm -T) ([a-z][\w-]*)", line
        )
    }
    assert named <= set(every)
    table = set(re.findall(r"^\| `([\w-]+)` \|", TEXT, re.MULTILINE))
    assert table == set(every)
    assert set(re.findall(r"--profile (\w+)|profile `(\w+)`", TEXT)) == {
        ("gpu", ""),
        ("", "gpu"),
        ("", "proxy"),
    }


def test_variables_of_the_environment_file_are_those_of_compose() -> None:
    block = TEXT.split("NNLAB_DOMAIN=", 1)[1].split("```", 1)[0]
    named = {"NNLAB_DOMAIN", *re.findall(r"^(NNLAB_\w+)=", block, re.MULTILINE)}
    assert named <= compose.variables()
