"""Ready-made configs, by the names the forms show."""

from __future__ import annotations

from nnlab.engine.config import TrainingConfig

COURSE_BATCH_SIZE = 100

# "Course regressor": what the course trains on California housing.
COURSE_REGRESSOR = TrainingConfig(
    hidden_units=(100, 50, 20),
    activation="relu",
    dropout=0.1,
    optimizer="adam",
    learning_rate=0.01,
    batch_size=COURSE_BATCH_SIZE,
    epochs=100,
)


def nsteps(rows: int, batch_size: int = COURSE_BATCH_SIZE) -> int:
    """Count the course's NSTEPS = 100 rows / batch_size, rounded down: about 100 epochs."""
    return 100 * rows // batch_size


def course_regressor(rows: int, *, batch_size: int = COURSE_BATCH_SIZE, seed: int = 0) -> TrainingConfig:
    """Build the course regressor with the course's number of steps for a number of training rows."""
    values = COURSE_REGRESSOR.to_dict()
    values |= {"batch_size": batch_size, "epochs": None, "steps": nsteps(rows, batch_size), "seed": seed}
    return TrainingConfig.from_dict(values)
