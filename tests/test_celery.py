"""Workers: which queues there are, and what their processes are set to."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from nnlab.celery import app


@pytest.mark.parametrize("queue", ["cpu", "gpu"])
def test_a_message_goes_to_its_own_queue_alone(queue: str) -> None:
    found = app.amqp.router.route({"queue": queue}, "runs.train_next")["queue"]
    assert (found.name, found.routing_key, found.exchange.name) == (queue, queue, queue)


def test_what_is_sent_without_a_queue_waits_for_a_cpu() -> None:
    assert app.amqp.router.route({}, "runs.train_next")["queue"].name == "cpu"


def test_a_queue_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(KeyError, match="gpuu"):
        app.amqp.queues.select(["gpuu"])


def test_a_process_takes_one_message_and_keeps_it_until_its_work_is_done() -> None:
    conf = app.conf
    assert conf.worker_prefetch_multiplier == 1
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.broker_transport_options["visibility_timeout"] == 24 * 3600  # seconds: no crash detector


def test_numpy_gets_one_thread_where_nobody_chose_another_number() -> None:
    code = "import sys, nnlab.celery, os; print(os.environ['OPENBLAS_NUM_THREADS'], 'numpy' in sys.modules)"
    kept = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", code], env=kept, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]
