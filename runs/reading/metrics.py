"""What is known of a metric by its name alone."""

from __future__ import annotations

_HIGHER_IS_BETTER = frozenset({"val_accuracy", "val_r2", "test_accuracy", "test_r2"})
_SHARES = frozenset({"val_accuracy", "test_accuracy"})
_TITLES = {
    "train_loss": "training loss",
    "gradient_norm": "gradient norm",
    "val_loss": "validation loss",
    "val_rmse": "validation RMSE",
    "val_mae": "validation MAE",
    "val_r2": "validation R²",
    "val_accuracy": "validation accuracy",
    "test_loss": "test loss",
    "test_rmse": "test RMSE",
    "test_mae": "test MAE",
    "test_r2": "test R²",
    "test_accuracy": "test accuracy",
    "gradient_rms": "gradient RMS",
    "delta_rms": "delta RMS",
    "weight_norm": "weight norm",
    "update_ratio": "update-to-weight ratio",
    "spread": "spread of activations",
    "zero_share": "share of zero activations",
    "saturated_share": "share of saturated units",
    "dead_share": "share of dead units",
}


def title(metric: str) -> str:
    """Write a metric's name as people read it."""
    return _TITLES.get(metric, metric.replace("_", " "))


def is_share(metric: str) -> bool:
    """Whether the metric is a share of all, to be read in percent."""
    return metric in _SHARES


def higher_is_better(metric: str) -> bool:
    """Whether a larger value of the metric is the better one; losses and errors are the other kind."""
    return metric in _HIGHER_IS_BETTER
