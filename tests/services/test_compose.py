"""The compose file keeps the deployment's rules, in every profile; none of this needs Docker."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.services import compose
from tests.services.installation import CHECKOUT

OWN = ("migrate", "web", "worker-cpu", "worker-gpu", "scheduler")
LONG_LIVED = (*OWN[1:], "redis", "postgres", "proxy")
ALL = compose.services("gpu", "proxy")
each_service = pytest.mark.parametrize("service", ALL.values(), ids=ALL.keys())


def test_the_services_are_these_and_profiles_add_to_them() -> None:
    assert set(ALL) == {"migrate", *LONG_LIVED}
    assert set(ALL) - set(compose.services()) == {"worker-gpu", "proxy"}
    assert set(compose.services("gpu")) - set(compose.services()) == {"worker-gpu"}


@each_service
def test_a_service_is_hardened(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"].split(":")[0] not in {"", "0", "root"}
    assert service["init"] is True
    assert not service.get("privileged")
    assert "network_mode" not in service


@each_service
def test_a_service_has_limits_and_its_log_ends(service: dict[str, Any]) -> None:
    limits = service["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}


@pytest.mark.parametrize("name", LONG_LIVED)
def test_a_long_lived_service_is_watched_restarted_and_given_time_to_stop(name: str) -> None:
    service = ALL[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"
    assert "stop_grace_period" in service


def test_migrating_happens_once_before_the_rest() -> None:
    assert ALL["migrate"]["restart"] == "no"
    assert ALL["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in OWN[1:]:
        assert ALL[name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"},
            "redis": {"condition": "service_healthy"},
        }


@each_service
def test_ports_are_on_this_machine_only(service: dict[str, Any]) -> None:
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_only_the_web_server_and_the_proxy_have_ports() -> None:
    assert {name for name, service in ALL.items() if "ports" in service} == {"web", "proxy"}


@each_service
def test_no_secret_stands_in_the_environment(service: dict[str, Any]) -> None:
    named = {
        name: value
        for name, value in service.get("environment", {}).items()
        if re.search("PASSWORD|SECRET|TOKEN|DATABASE|REDIS", name)
    }
    assert all(name.endswith("_FILE") and value.startswith("/run/secrets/") for name, value in named.items())
    files = {value.removeprefix("/run/secrets/") for value in named.values()}
    assert files <= set(service.get("secrets", []))


def test_a_secret_is_given_to_those_who_need_it_only() -> None:
    holders = {
        name: {service for service, found in ALL.items() if name in found.get("secrets", [])}
        for name in compose.read()["secrets"]
    }
    assert holders["admin_password"] == {"migrate"}
    assert holders["metrics_token"] == {"web"}
    assert holders["postgres_password"] == {"postgres"}
    assert holders["redis_conf"] == {"redis"}
    assert holders["database_url"] == holders["redis_url"] == holders["secret_key"] == set(OWN)


def test_the_broker_keeps_its_messages_and_evicts_none() -> None:
    command = ALL["redis"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert options["--include"] == "/run/secrets/redis_conf"
    assert ALL["redis"]["volumes"] == ["redis:/data"]


def test_the_stores_are_on_a_network_without_a_way_out() -> None:
    assert compose.read()["networks"]["stores"] == {"internal": True}
    assert ALL["redis"]["networks"] == ALL["postgres"]["networks"] == ["stores"]
    assert "stores" not in ALL["proxy"].get("networks", [])


def test_workers_take_from_their_queues() -> None:
    queues = {name: ALL[name]["command"][ALL[name]["command"].index("--queues") + 1] for name in OWN[2:4]}
    assert queues == {"worker-cpu": "cpu", "worker-gpu": "gpu,cpu"}


def test_the_stores_are_opened_on_a_named_address_only() -> None:
    opened = compose.read("deploy/stores.yml", {"NNLAB_STORES_ADDRESS": "10.0.0.1"})["services"]
    assert {name: service["ports"] for name, service in opened.items()} == {
        "redis": ["10.0.0.1:6379:6379"],
        "postgres": ["10.0.0.1:5432:5432"],
    }
    with pytest.raises(KeyError, match="the private address of this machine"):
        compose.read("deploy/stores.yml")


def test_secrets_are_made_once_and_are_all_that_the_services_ask_for(tmp_path: Path) -> None:
    made = compose.make_secrets(tmp_path)
    assert {f"./secrets/{path.name}" for path in made.iterdir()} == {
        secret["file"] for secret in compose.read()["secrets"].values()
    }
    assert made.stat().st_mode & 0o077 == 0
    again = subprocess.run(
        [tmp_path / "deploy" / "make-secrets"], capture_output=True, text=True, check=False
    )
    assert again.returncode == 1
    assert "nothing was changed" in again.stderr


def test_another_machines_workers_get_the_address_and_no_more_than_they_need(tmp_path: Path) -> None:
    own = compose.make_secrets(tmp_path)
    script = tmp_path / "deploy" / "worker-secrets"
    script.write_bytes((CHECKOUT / "deploy" / "worker-secrets").read_bytes())
    given = tmp_path / "given"
    subprocess.run(["sh", script, "10.0.0.1", given], check=True, capture_output=True)
    assert {path.name for path in given.iterdir()} == {"secret_key", "database_url", "redis_url"}
    password = (own / "postgres_password").read_text()
    assert (given / "database_url").read_text() == f"postgres://nnlab:{password}@10.0.0.1:5432/nnlab"
    assert "@10.0.0.1:6379/0" in (given / "redis_url").read_text()
