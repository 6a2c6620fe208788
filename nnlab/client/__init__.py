"""Logs the metrics of any training program to an nnlab server, without ever stopping that program.

    import nnlab.client

    with nnlab.client.start(project="Digits", name="torch", config={"learning_rate": 0.1}) as run:
        for step, batch in enumerate(batches):
            run.log(step, {"loss": train(batch)})

The standard library and NumPy are all that it needs.
"""

from __future__ import annotations

from nnlab.client.errors import ClientError
from nnlab.client.run import Run
from nnlab.client.starting import start

__all__ = ["ClientError", "Run", "start"]
