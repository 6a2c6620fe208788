"""Alerts for scripts: the API's operations and ``nnlab fix``."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from runs.models import Alert, ApiToken, Fix, Mute, Run
from tests.runs import builders
from tests.runs.test_alert_fixing import finish, sick_alert

pytestmark = pytest.mark.django_db


class Script:
    """A program with a token and these rights."""

    def __init__(self, *rights: str) -> None:
        token = ApiToken.issue(builders.build_user(*rights).pk, "test")
        self.client = Client(headers={"Authorization": f"Bearer {token}"})

    def get(self, path: str, status: int = 200, **query: Any) -> Any:
        answer = self.client.get(f"/api{path}", query)
        assert answer.status_code == status, answer.content
        return answer.json()

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self.client.post(f"/api{path}", json.dumps(body or {}), content_type="application/json")
        assert answer.status_code == status, answer.content
        return answer.json()


@pytest.fixture
def script() -> Script:
    return Script("change_alert", "submit_sweep")


def test_alerts_are_listed_newest_first_page_by_page(script: Script) -> None:
    alerts = [builders.build_alert(builders.build_finished_run()) for _ in range(5)]
    first = script.get("/alerts", limit=2)
    second = script.get("/alerts", limit=2, after=first["next"])
    third = script.get("/alerts", limit=2, after=second["next"])
    seen = [alert["id"] for page in (first, second, third) for alert in page["alerts"]]
    assert seen == [alert.pk for alert in reversed(alerts)]
    assert third["next"] is None


def test_alerts_are_filtered(script: Script) -> None:
    run = builders.build_finished_run()
    builders.build_alert(run, "vanishing", severity="critical")
    builders.build_alert(run, "plateau", acknowledged_at=timezone.now())
    builders.build_alert(run, "dropout", state="resolved", resolved_step=70)
    builders.build_alert(builders.build_finished_run(), "leak", muted_at=timezone.now())
    builders.build_alert(builders.build_finished_run(deleted_at=timezone.now()), "symmetry")

    def checks(**query: Any) -> set[str]:
        return {alert["check"] for alert in script.get("/alerts", **query)["alerts"]}

    assert checks() == {"vanishing", "plateau", "dropout", "leak"}
    assert checks(severity="critical") == {"vanishing"}
    assert checks(state="open") == {"vanishing", "leak"}
    assert checks(state="open", muted="false") == {"vanishing"}
    assert checks(muted="true") == {"leak"}
    assert checks(state="acknowledged") == {"plateau"}
    assert checks(state="resolved") == {"dropout"}
    assert checks(check="plateau") == {"plateau"}
    assert checks(project=run.project.slug) == {"vanishing", "plateau", "dropout"}
    script.get("/alerts", 422, state="shut")
    script.get("/alerts", 422, limit=1001)


def test_an_alert_is_acknowledged_muted_and_unmuted(script: Script) -> None:
    alert = builders.build_alert(builders.build_finished_run(), worst_value=1e-12)
    told = script.post(f"/alerts/{alert.pk}/acknowledge")
    assert (told["acknowledged_at"] is None, told["at_end"], told["worst_value"]) == (False, True, 1e-12)
    muted = script.post(f"/alerts/{alert.pk}/mute", {"reason": "known"})
    assert (muted["muted_at"] is None, muted["mute_reason"]) == (False, "known")
    assert not Mute.objects.exists()
    assert script.post(f"/alerts/{alert.pk}/unmute")["muted_at"] is None
    script.post(f"/alerts/{alert.pk}/mute", {"whole_project": True})
    assert Mute.objects.get().check_id == alert.check_id
    assert script.get(f"/runs/{alert.run_id}/alerts")[0]["id"] == alert.pk


def test_a_reason_that_a_database_cannot_hold_is_refused(script: Script) -> None:
    alert = builders.build_alert(builders.build_finished_run())
    for reason in ("a\0b", "x" * 201):
        script.post(f"/alerts/{alert.pk}/mute", {"reason": reason}, 422)
    assert not Alert.objects.muted().exists()


def test_a_fix_is_begun_and_judged(script: Script) -> None:
    alert = sick_alert()
    begun = script.post(f"/alerts/{alert.pk}/fix", {"seeds": 3}, 201)
    assert (begun["advice"], begun["outcome"], len(begun["pairs"])) == (["A1"], "waiting", 3)
    assert begun["pairs"][0]["before_run"] == alert.run_id
    assert begun["pairs"][1]["before"] is None
    fix = Fix.objects.get()
    finish(Run.objects.filter(pairs_before__fix=fix), score=0.1)
    finish(Run.objects.filter(pairs_after__fix=fix), score=0.9)
    (told,) = script.get(f"/alerts/{alert.pk}/fixes")
    assert (told["outcome"], told["pairs_done"]) == ("helped", 3)
    assert told["difference"] == pytest.approx(0.8)
    assert told["low"] <= 0.8 <= told["high"] or told["low"] == pytest.approx(0.8)


def test_a_fix_that_cannot_be_is_answered_422_with_the_reason(script: Script) -> None:
    alert = sick_alert()
    refused = script.post(f"/alerts/{alert.pk}/fix", {"advice": ["A3", "A5"]}, 422)
    assert "choose one of them" in refused["errors"]["advice"][0]
    assert (
        "expected 1 to 50 pairs"
        in script.post(f"/alerts/{alert.pk}/fix", {"seeds": 99}, 422)["errors"]["seeds"][0]
    )


def test_what_is_not_there_is_answered_404(script: Script) -> None:
    alert = builders.build_alert(builders.build_finished_run(deleted_at=timezone.now()))
    for path in ("acknowledge", "mute", "unmute", "fix"):
        script.post(f"/alerts/{alert.pk}/{path}", {}, 404)
    script.get(f"/alerts/{alert.pk}/fixes", 404)


def test_each_operation_needs_its_right() -> None:
    alert = sick_alert()
    for right, paths in {"submit_sweep": ("acknowledge", "mute", "unmute"), "change_alert": ("fix",)}.items():
        script = Script(right)
        for path in paths:
            assert "this needs the permission" in script.post(f"/alerts/{alert.pk}/{path}", {}, 403)["detail"]
    assert not Fix.objects.exists()


def test_a_stranger_is_answered_401(client: Client) -> None:
    assert client.get("/api/alerts").status_code == 401
    for path in ("acknowledge", "mute", "unmute", "fix"):
        assert client.post(f"/api/alerts/1/{path}").status_code == 401


# nnlab fix


def command(*arguments: object) -> str:
    call_command("fix", *map(str, arguments), stdout=StringIO())
    return ""


def test_the_command_follows_the_first_advice_of_the_worst_open_alert(capsys: Any) -> None:
    alert = sick_alert()
    builders.build_alert(alert.run, "dropout", severity="info")
    command(alert.run_id, "--seeds", 2)
    fix = Fix.objects.get()
    assert (fix.check_id, fix.codes, fix.pairs.count()) == ("vanishing", ["A1"], 2)
    assert f"#fix-{fix.pk}" in capsys.readouterr().out


def test_the_command_takes_the_alert_that_offers_the_advice() -> None:
    alert = sick_alert()
    same = ("run", "state", "first_step", "opened_step", "last_step")
    Alert.objects.create(
        **{field: getattr(alert, field) for field in same},
        check_id="plateau", severity="info", title="p", cause="c",
        advice=[{"code": "A17", "title": "longer", "reason": "r",
                 "ops": [{"op": "set", "path": "steps", "value": 100, "old": 20}]}],
    )  # fmt: skip
    user = builders.build_user(name="grace")
    command(alert.run_id, "--advice", "A17", "--seeds", 1, "--user", "grace")
    fix = Fix.objects.get()
    assert (fix.check_id, fix.created_by) == ("plateau", user)


def test_the_command_takes_a_muted_alert_last() -> None:
    alert = sick_alert()
    builders.build_alert(alert.run, "saturated", severity="info", advice=alert.advice)
    Alert.objects.filter(pk=alert.pk).update(muted_at=timezone.now())
    command(alert.run_id, "--seeds", 1)
    assert Fix.objects.get().check_id == "saturated"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--advice", "A99"), "no alert with this advice; there is vanishing: A1, A3"),
        (("--advice", "A3", "--advice", "A5"), "choose one of them"),
        (("--seeds", "0"), "expected 1 to 50 pairs"),
        (("--user", "nobody"), "there is no user 'nobody'"),
    ],
)
def test_the_command_refuses_in_words(options: tuple[str, ...], words: str) -> None:
    alert = sick_alert()
    with pytest.raises(CommandError, match="nothing was submitted") as refused:
        command(alert.run_id, *options)
    assert words in str(refused.value)
    assert not Fix.objects.exists()


def test_the_command_says_that_there_is_no_alert_or_no_run() -> None:
    with pytest.raises(CommandError, match="there is no run 99"):
        command(99)
    with pytest.raises(CommandError, match="no alert, so there is nothing to fix"):
        command(builders.build_finished_run().pk)
    alert = sick_alert()
    Alert.objects.update(advice=[advice for advice in alert.advice if advice["code"] == "A15"])
    with pytest.raises(CommandError, match="no alert with advice that paired seeds can judge"):
        command(alert.run_id)
