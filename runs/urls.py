"""The app's addresses."""

from __future__ import annotations

from django.urls import path

from runs.api.access import own_access
from runs.api.views import api
from runs.pages import (
    alerts,
    backtest,
    downloads,
    frame,
    home,
    manual,
    notifications,
    probes,
    queue,
    sweeps,
    trash,
    workers,
)
from runs.pages.comparing import api as comparison_api
from runs.pages.comparing import changes, more_seeds
from runs.pages.comparing import page as compare
from runs.pages.datasets import page as datasets
from runs.pages.datasets import profile, progress, recipes, uploads
from runs.pages.live import events
from runs.pages.questions import actions as question_actions
from runs.pages.questions import page as questions
from runs.pages.run import logs, tabs
from runs.pages.run import page as run
from runs.pages.table import actions, runs_file, saved_views
from runs.pages.table import page as project
from runs.steering import ACTIONS

api.add_router("", comparison_api.router)

urlpatterns = [
    path("", home.home, name="home"),
    path("p/<str:slug>/", project.project, name="project"),
    path("p/<str:slug>/sweeps/", project.sweeps, name="project-sweeps"),
    path("p/<str:slug>/questions/", questions.questions, name="project-questions"),
    path("p/<str:slug>/questions/new/", questions.new, name="question-new"),
    path("p/<str:slug>/questions/<int:number>/", questions.question, name="question"),
    path("p/<str:slug>/questions/<int:number>/now/", questions.now, name="question-now"),
    *(
        path(
            f"p/<str:slug>/questions/<int:number>/{word}/",
            question_actions.act,
            {"word": word},
            name=f"question-{word}",
        )
        for word in question_actions.ACTIONS
    ),
    path("p/<str:slug>/rows/", project.rows, name="project-rows"),
    path("p/<str:slug>/selected/", actions.selected, name="runs-selected"),
    path("p/<str:slug>/runs.csv", runs_file.show, name="project-runs-file"),
    path("p/<str:slug>/views/delete/", saved_views.delete, name="view-delete"),
    path("v/save/", saved_views.save, name="view-save"),
    path("v/<str:short>/", saved_views.follow, name="view"),
    path("p/<str:slug>/delete/", trash.delete_project, name="project-delete"),
    path("p/<str:slug>/notifications/", notifications.show, name="project-notifications"),
    path("p/<str:slug>/notifications/add/", notifications.add, name="channel-add"),
    path("p/<str:slug>/notifications/<int:channel_id>/", notifications.change, name="channel-change"),
    path("p/<str:slug>/notifications/log/", notifications.log, name="notice-log"),
    path("p/<str:slug>/backtest/", backtest.show, name="backtest"),
    path("p/<str:slug>/backtest/replay/", backtest.replay, name="backtest-replay"),
    path("p/<str:slug>/compare/", compare.compare, name="compare"),
    path("p/<str:slug>/seeds/", more_seeds.add, name="more-seeds"),
    path("p/<str:slug>/changes/", changes.show, name="changes"),
    path("p/<str:slug>/changes/control/", changes.control, name="control"),
    path("r/<int:run_id>/", run.run, name="run"),
    *(
        path(f"r/<int:run_id>/{tab}/", run.run, {"tab": tab}, name=f"run-{tab}")
        for tab in tabs.TABS
        if tab != "overview"
    ),
    path("r/<int:run_id>/live/", run.live, name="run-live"),
    path("r/<int:run_id>/log.txt", logs.download, name="run-log"),
    path("r/<int:run_id>/points.csv", downloads.points, name="run-points"),
    *(
        path(f"r/<int:run_id>/{word}/", actions.steer_run, {"word": word}, name=f"run-{word}")
        for word in ACTIONS
    ),
    path("r/<int:run_id>/clone/", actions.clone, name="run-clone"),
    path("r/<int:run_id>/delete/", trash.delete_run, name="run-delete"),
    path("r/<int:run_id>/restore/", trash.restore_run, name="run-restore"),
    path("r/<int:run_id>/purge/", trash.purge_run, name="run-purge"),
    path("sweeps/new/", sweeps.new, name="sweep-new"),
    *(
        path(f"sweeps/<int:sweep_id>/{word}/", actions.steer_sweep, {"word": word}, name=f"sweep-{word}")
        for word in ACTIONS
    ),
    path("sweeps/<int:sweep_id>/delete/", trash.delete_sweep, name="sweep-delete"),
    path("trash/", trash.show, name="trash"),
    path("trash/selected/", trash.selected, name="trash-selected"),
    path("alerts/", alerts.alerts, name="alerts"),
    path("alerts/selected/", alerts.selected, name="alerts-selected"),
    path("alerts/<int:alert_id>/fix/", alerts.fix, name="alert-fix"),
    path("alerts/mutes/<int:mute_id>/delete/", alerts.unmute_check, name="mute-delete"),
    path("fixes/<int:fix_id>/", alerts.fix_state, name="fix-state"),
    path("queue/", queue.show, name="queue"),
    path("queue/now/", queue.now, name="queue-now"),
    path("queue/selected/", queue.selected, name="queue-selected"),
    path("workers/", workers.show, name="workers"),
    path("workers/now/", workers.now, name="workers-now"),
    path("help/", manual.show, name="help"),
    path("datasets/", datasets.datasets, name="datasets"),
    path("datasets/upload/", uploads.upload, name="upload"),
    path("datasets/upload/<int:pk>/", progress.show, name="upload-progress"),
    path("datasets/upload/<int:pk>/now/", progress.now, name="upload-now"),
    path("datasets/upload/<int:pk>/again/", progress.again, name="upload-again"),
    path("datasets/upload/<int:pk>/discard/", progress.discard, name="upload-discard"),
    path("datasets/<str:key>/", profile.dataset, name="dataset"),
    path("datasets/<str:key>/recipe/", recipes.new_recipe, name="recipe-new"),
    path("datasets/<str:key>/recipe/<str:recipe>/", recipes.recipe, name="recipe"),
    path("datasets/<str:key>/delete/", uploads.delete, name="upload-delete"),
    path("api/", own_access(api.urls)),
    path("badges/", frame.badges, name="badges"),
    path("events", events.events, name="events"),
    path("healthz", probes.healthz, name="healthz"),
    path("readyz", probes.readyz, name="readyz"),
    path("metrics", probes.metrics, name="metrics"),
]
