"""Static files: what is vendored is what we say, everything is ours, small, and survives collectstatic."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import plotly
import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import override_settings

from runs.charts import plotly_css
from runs.charts.chart import BUNDLED_TRACES

ROOT = Path(__file__).resolve().parents[2]
STATIC = plotly_css.STATIC
TEMPLATE_ROOT = ROOT / "templates"
TEMPLATES = sorted(TEMPLATE_ROOT.rglob("*.html"))
PAGES = [path for path in TEMPLATES if '{% extends "base.html" %}' in path.read_text()]
OWN = [*STATIC.glob("**/*.css"), *STATIC.glob("js/*.js"), *TEMPLATES]
VENDOR_NOTES = (STATIC / "vendor" / "VENDOR.md").read_text()


def test_the_bundle_is_the_one_in_the_vendor_notes() -> None:
    digest = hashlib.sha256(plotly_css.BUNDLE.read_bytes()).hexdigest()
    assert f"| `{plotly_css.BUNDLE.name}` " in VENDOR_NOTES
    assert f"`{digest}`" in VENDOR_NOTES


def test_python_checks_figures_against_the_version_that_the_browser_draws() -> None:
    package = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    with package.open(encoding="utf-8") as bundle:
        version = re.search(r"plotly\.js v([\d.]+)", bundle.read(200))
    assert version is not None
    assert plotly_css.BUNDLE.name == f"plotly-cartesian-{version[1]}.min.js"


def test_every_trace_type_that_charts_may_use_is_in_the_bundle() -> None:
    names = set(re.findall(r'moduleType:"trace",name:"(\w+)"', plotly_css.BUNDLE.read_text()))
    assert names >= BUNDLED_TRACES


def test_the_sheet_of_plotly_is_the_one_generated_from_the_bundle() -> None:
    bundle = plotly_css.BUNDLE.read_text(encoding="utf-8")
    assert plotly_css.SHEET.read_text(encoding="utf-8") == plotly_css.sheet(bundle, plotly_css.BUNDLE.name)


def test_the_sheet_of_plotly_removes_no_focus_outline() -> None:
    assert "outline:none" not in plotly_css.SHEET.read_text()


def test_a_bundle_without_the_table_of_rules_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the bundle to hold a table"):
        plotly_css.rules("nothing here")


def test_a_table_that_is_not_wholly_understood_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing but selectors"):
        plotly_css.rules('K={"X,X div":"margin:0;","X a":font};for(k in K)')


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_nothing_is_loaded_from_another_host(path: Path) -> None:
    loads = (
        r"""(?:src|href|action)=["']?(?:https?:)?//|url\(["']?(?:https?:)?//|@import|fetch\(["'`]https?:"""
    )
    assert not re.search(loads, path.read_text())


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_inline_style_and_no_inline_handler(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=", text)
    for script in re.findall(r"<script[^>]*>", text):
        assert "src=" in script


@pytest.mark.parametrize("path", sorted(STATIC.glob("js/*.js")), ids=lambda path: path.name)
def test_a_script_does_nothing_that_the_policy_blocks_or_that_breaks_under_a_hashed_name(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\beval\(|new Function|setAttribute\(\"style\"|\.cssText|document\.write", text)
    assert not re.search(r"^import |\bimport\(", text, re.MULTILINE)


def own_bytes(template: Path, kind: str) -> int:
    """Sum the files of ours that a page loads: those of the frame, and those that its template adds."""
    texts = [template.read_text(), (TEMPLATE_ROOT / "base.html").read_text()]
    named = {name for text in texts for name in re.findall(rf"'runs/([\w/-]+\.{kind})' %}}", text)}
    return sum((STATIC / name).stat().st_size for name in named - {"plotly.css"})  # the library's


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_scripts_and_sheets_that_a_page_loads_stay_within_their_budgets(path: Path) -> None:
    assert 0 < own_bytes(path, "js") <= 30 * 1024
    # The frame's sheets take 20; a page whose parts are on no other page has 4 of its own.
    assert 0 < own_bytes(path, "css") <= 24 * 1024


def test_the_sheets_of_the_frame_stay_within_their_budget() -> None:
    assert own_bytes(TEMPLATE_ROOT / "base.html", "css") <= 20 * 1024


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_icon_that_a_template_shows_is_in_the_sprite(path: Path) -> None:
    icons = set(re.findall(r'<symbol id="([\w-]+)"', (STATIC / "icons.svg").read_text()))
    assert set(re.findall(r"icons\.svg' %}#([\w-]+)\"", path.read_text())) <= icons


def test_every_file_is_collected_under_a_hashed_name(tmp_path: Path) -> None:
    storage = "whitenoise.storage.CompressedManifestStaticFilesStorage"
    with override_settings(STATIC_ROOT=tmp_path, STORAGES={"staticfiles": {"BACKEND": storage}}):
        call_command("collectstatic", interactive=False, verbosity=0)
    paths = json.loads((tmp_path / "staticfiles.json").read_text())["paths"]
    ours = {f"runs/{path.relative_to(STATIC).as_posix()}" for path in STATIC.rglob("*") if path.is_file()}
    assert ours <= set(paths)
    assert all((tmp_path / paths[name]).is_file() for name in ours)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_static_file_that_a_template_names_exists(path: Path) -> None:
    for name in re.findall(r"{% static '([^']+)' %}", path.read_text()):
        assert finders.find(name), name
