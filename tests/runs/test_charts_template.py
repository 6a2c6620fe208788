"""The chart in a page, and the pages that need no data: they render, and name what they show."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.test import Client, RequestFactory

from runs.charts.curves import Line, curves
from tests.runs.sample_charts import CHARTS

if TYPE_CHECKING:
    from runs.charts.chart import Chart


def render(chart: Chart) -> str:
    return render_to_string("runs/_chart.html", {"chart": chart})


@pytest.mark.parametrize("key", CHARTS)
def test_the_page_carries_the_figure_as_data(key: str) -> None:
    chart = CHARTS[key]()
    found = re.search(
        rf'<script id="{chart.key}-spec" type="application/json">(.*?)</script>', render(chart), re.DOTALL
    )
    assert found is not None
    assert json.loads(found[1]) == json.loads(chart.to_json())


def test_a_chart_is_an_image_with_a_name_and_a_sentence() -> None:
    html = render(CHARTS["curves"]())
    assert 'role="img" aria-labelledby="c-title" aria-describedby="c-summary"' in html
    assert re.search(r'id="c-summary">Train fell from', html)
    assert '<th scope="col">step</th>' in html


def test_an_empty_chart_says_why_and_waits_for_data() -> None:
    html = render(CHARTS["empty"]())
    assert "first point expected at step 10" in html
    assert "data-chart-plot hidden" in html


def test_a_name_given_by_a_user_does_not_become_markup() -> None:
    html = render(curves("c", "<img>", [Line("</script><b>", [1, 2], [1, 2])], y_title="loss"))
    assert "<img>" not in html
    assert "</script><b>" not in html


@pytest.mark.django_db
def test_the_page_to_sign_in_shows_no_navigation(client: Client) -> None:
    html = client.get("/accounts/login/").content.decode()
    assert 'class="rail"' not in html
    assert 'name="username"' in html


@pytest.mark.django_db
def test_a_wrong_password_is_answered_in_words(client: Client) -> None:
    html = client.post("/accounts/login/", {"username": "nobody", "password": "wrong"}).content.decode()
    assert 'role="alert"' in html


def frame(user: User, template: str, **context: object) -> str:
    request = RequestFactory().get("/")
    request.user = user
    return render_to_string(template, context, request)


def test_the_navigation_counts_open_alerts_and_offers_the_admin_to_staff_only() -> None:
    member, staff = User(username="mira"), User(username="noor", is_staff=True)
    html = frame(member, "404.html", request_path="/x/", open_alerts=3)
    assert "3<span class" in html
    assert "/admin/" not in html
    assert "/admin/" in frame(staff, "404.html", request_path="/x/")


def test_signing_out_is_a_form_with_its_token() -> None:
    html = frame(User(username="mira"), "403.html", exception="You have no right to stop a run.")
    form = re.search(r'<form method="post" action="/accounts/logout/">.*?</form>', html, re.DOTALL)
    assert form is not None
    assert "csrfmiddlewaretoken" in form[0]
    assert "You have no right to stop a run." in html


def test_the_page_of_an_error_needs_no_context_at_all() -> None:
    assert "Something went wrong" in render_to_string("500.html")
