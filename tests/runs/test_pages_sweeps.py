"""The form of a new sweep: filled from a run or an alert, errors beside their fields, and what it submits."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from runs.models import Run, Sweep
from tests.runs import builders

pytestmark = pytest.mark.django_db

GOOD: dict[str, Any] = {
    "project": "Digits",
    "name": "depth",
    "dataset": "digits",
    "recipe": "default",
    "depth": "1, 2",
    "width": "8",
    "activation": ["relu"],
    "dropout": "0",
    "initializer": "auto",
    "optimizer": ["adam"],
    "learning_rate": "0.001",
    "batch_size": "32",
    "steps": "10",
    "seeds": "2",
}


@pytest.fixture
def writer(client: Client) -> Client:
    client.force_login(builders.build_user("submit_sweep"))
    return client


def test_a_sweep_is_submitted_and_its_number_of_runs_told(writer: Client) -> None:
    answer = writer.post(reverse("sweep-new"), GOOD, follow=True)
    sweep = Sweep.objects.get()
    assert answer.redirect_chain == [(sweep.get_absolute_url(), HTTPStatus.FOUND)]
    assert "depth: 4 runs queued." in answer.content.decode()
    assert sweep.runs.count() == 4


def test_the_runs_can_be_counted_before_they_are_submitted(writer: Client) -> None:
    answer = writer.post(reverse("sweep-new"), {**GOOD, "seeds": "3", "preview": "1"})
    assert answer.status_code == HTTPStatus.OK
    text = answer.content.decode()
    assert "Nothing was submitted yet: this would be 6 runs" in text
    assert "2 configurations × 3 seeds; 10 steps a run, 60 together; 610 to 682 parameters" in text
    assert 'value="1, 2"' in text
    assert not Run.objects.exists()
    refused = writer.post(reverse("sweep-new"), {**GOOD, "depth": "one", "preview": "1"})
    assert refused.status_code == HTTPStatus.BAD_REQUEST


def test_seldom_settings_are_folded_unless_one_was_touched(writer: Client) -> None:
    assert "<details>" in writer.get(reverse("sweep-new")).content.decode()
    plain = builders.build_run()
    assert "<details>" in writer.get(reverse("sweep-new"), {"from": plain.pk}).content.decode()
    run = builders.build_run(training={"momentum": 0.5, "optimizer": "momentum"})
    copied = writer.get(reverse("sweep-new"), {"from": run.pk}).content.decode()
    assert "<details open>" in copied
    more = {"output_activation": "auto", "loss": "auto", "shuffle": "yes", "dtype": "float32", "task": "auto"}
    counted = writer.post(reverse("sweep-new"), {**GOOD, **more, "preview": "1"}).content.decode()
    assert "<details>" in counted
    refused = writer.post(reverse("sweep-new"), {**GOOD, "noise": "7"}).content.decode()
    assert "<details open>" in refused


def test_the_runs_of_a_search_are_counted_with_those_that_come_later(writer: Client) -> None:
    search = {"search_method": "bayesian", "search_trials": "20", "learning_rate": "0.001 .. 0.1 log"}
    text = writer.post(reverse("sweep-new"), {**GOOD, **search, "preview": "1"}).content.decode()
    assert "of the runs are proposed later" in text
    assert text.count("<details open>") == 1


def test_a_single_run_leads_to_its_page(writer: Client) -> None:
    answer = writer.post(reverse("sweep-new"), {**GOOD, "depth": "1", "seeds": "1"})
    assert answer["Location"] == Run.objects.get().get_absolute_url()


def test_errors_stand_beside_their_fields_and_in_a_summary(writer: Client) -> None:
    wrong = {**GOOD, "learning_rate": "-1", "name": "", "depth": "one"}
    answer = writer.post(reverse("sweep-new"), wrong)
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    text = answer.content.decode()
    assert "Nothing was submitted" in text
    assert 'href="#id_name"' in text
    assert 'id="id_name_error"' in text
    assert 'value="one"' in text
    assert not Run.objects.exists()


def test_an_error_of_the_engine_stands_beside_its_field(writer: Client) -> None:
    answer = writer.post(reverse("sweep-new"), {**GOOD, "learning_rate": "-1"})
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert "learning_rate" in answer.context["form"].errors


def test_the_form_is_filled_from_a_run(writer: Client) -> None:
    run = builders.build_run(training={"hidden_units": (32, 16), "learning_rate": 0.07})
    answer = writer.get(reverse("sweep-new"), {"from": run.pk})
    text = answer.content.decode()
    assert 'value="32, 16"' in text
    assert 'value="0.07"' in text
    assert run.name in text


def test_an_advice_changes_its_field_and_marks_it(writer: Client) -> None:
    run = builders.build_run(training={"activation": "sigmoid"})
    alert = builders.build_alert(run)
    answer = writer.get(reverse("sweep-new"), {"from": run.pk, "alert": alert.pk, "advice": 0})
    assert answer.context["changes"] == {"activation": "relu"}
    assert answer.context["form"]["activation"].value() == ["relu"]
    text = answer.content.decode()
    assert "field--changed" in text
    assert "Use ReLU instead of sigmoid" in text


@pytest.mark.parametrize("parameters", [{"alert": "0"}, {"advice": "7"}, {"advice": "-1"}, {"advice": "x"}])
def test_an_advice_that_is_gone_is_said(writer: Client, parameters: dict[str, str]) -> None:
    run = builders.build_run()
    alert = builders.build_alert(run)
    address = {"from": f"{run.pk}", "alert": f"{alert.pk}", "advice": "0", **parameters}
    answer = writer.get(reverse("sweep-new"), address)
    assert answer.context["changes"] == {}
    assert "no longer there" in answer.content.decode()


def test_an_alert_of_another_run_is_no_advice(writer: Client) -> None:
    run, other = builders.build_run(), builders.build_run()
    alert = builders.build_alert(other)
    answer = writer.get(reverse("sweep-new"), {"from": f"{run.pk}", "alert": f"{alert.pk}", "advice": "0"})
    assert answer.context["changes"] == {}


def test_a_copy_remembers_its_origin(writer: Client) -> None:
    run = builders.build_run()
    writer.post(f"{reverse('sweep-new')}?from={run.pk}", {**GOOD, "depth": "1", "seeds": "1"})
    assert Run.objects.order_by("-pk")[0].parent == run


def test_a_run_is_cloned_as_it_is(writer: Client) -> None:
    run = builders.build_finished_run(training={"hidden_units": (8,), "steps": 10})
    answer = writer.post(reverse("run-clone", args=[run.pk]), follow=True)
    copy = Run.objects.exclude(pk=run.pk).get()
    assert "is queued with the configuration of run" in answer.content.decode()
    assert (copy.parent, copy.config, copy.status) == (run, run.config, "queued")


def test_a_run_that_cannot_be_cloned_any_more_says_why(writer: Client) -> None:
    run = builders.build_finished_run(data={"dataset": "gone.csv"})
    answer = writer.post(reverse("run-clone", args=[run.pk]), follow=True)
    assert "cannot be cloned" in answer.content.decode()
    assert Run.objects.count() == 1


def test_project_and_dataset_may_be_given_by_the_address(writer: Client) -> None:
    project = builders.build_project("Housing")
    answer = writer.get(reverse("sweep-new"), {"project": project.slug, "dataset": "wine"})
    assert answer.context["form"]["project"].value() == "Housing"
    assert answer.context["form"]["dataset"].value() == "wine"


def test_every_configuration_is_listed_before_it_is_submitted(writer: Client) -> None:
    text = writer.post(reverse("sweep-new"), {**GOOD, "dropout": "0, 0.5", "preview": "1"}).content.decode()
    assert "The 4 configurations" in text
    for name in ("8 relu", "8 relu dropout 0.5", "8-8 relu", "8-8 relu dropout 0.5"):
        assert f'<th scope="row">{name}</th>' in text
    assert "Differs from" not in text


def test_the_list_says_what_differs_from_the_run_that_was_copied(writer: Client) -> None:
    run = builders.build_run(training={"hidden_units": [8], "learning_rate": 0.25, "steps": 10})
    path = f"{reverse('sweep-new')}?from={run.pk}"
    same = {**GOOD, "depth": "", "width": "", "hidden_units": "8", "optimizer": [run.training["optimizer"]]}
    same |= {"batch_size": str(run.training["batch_size"]), "activation": [run.training["activation"]]}
    text = writer.post(path, {**same, "learning_rate": "0.25, 0.5", "preview": "1"}).content.decode()
    assert f"Differs from {run.name}" in text
    assert text.count("<code>learning_rate = 0.5</code>") == 1
    assert "learning_rate = 0.25" not in text
    assert "seed" not in text.partition("Differs from")[2].partition("</table>")[0]
