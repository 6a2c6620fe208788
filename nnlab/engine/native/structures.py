"""The structures that the compiled core is handed: run.h, field by field."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, c_double, c_float, c_int64, c_uint32, c_uint64
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LayerStructure(Structure):
    """Mirrors ``struct Layer``."""

    _fields_ = (
        *((name, c_int64) for name in ("inputs", "units", "activation", "drops", "is_normalised")),
        *((name, c_int64) for name in ("affine", "gamma", "leaks", "end", "running", "threshold")),
        ("dropout_key", c_uint64),
        ("keep_scale", c_double),
    )


class RunStructure(Structure):
    """Mirrors ``struct Run``."""

    _fields_ = (
        *((name, c_int64) for name in ("layers", "batch", "rows", "steps_per_epoch", "is_shuffled")),
        *((name, c_int64) for name in ("target_columns", "weight_columns", "loss", "output", "optimizer")),
        ("shuffle_key", c_uint64),
        *((name, c_double) for name in ("loss_factor", "slope_factor", "learning_rate", "momentum")),
        *((name, c_double) for name in ("weight_decay", "l1", "l2")),
        *((name, c_double) for name in ("clip_value", "clip_layer_norm", "clip_norm", "max_norm")),
        *((name, c_int64) for name in ("step", "order_epoch", "probed_from")),
        ("layer", POINTER(LayerStructure)),
        *((name, POINTER(c_float)) for name in ("parameters", "gradients", "first", "second")),
        *((name, POINTER(c_float)) for name in ("running", "pinned", "is_weight", "x", "targets", "weights")),
        ("order", POINTER(c_uint32)),
        ("sorted", POINTER(c_uint64)),
        ("work", POINTER(c_float)),
        *((name, POINTER(c_double)) for name in ("rates", "losses", "norms")),
        *((name, POINTER(c_double)) for name in ("layer_sums", "hidden_sums", "unit_sums")),
        ("trouble", c_int64),
    )


def float_pointer(array: NDArray[Any]) -> Any:
    """Point to the numbers of a contiguous float32 array."""
    return ctypes.cast(array.ctypes.data, POINTER(c_float))


def double_pointer(array: NDArray[Any]) -> Any:
    """Point to the numbers of a contiguous float64 array."""
    return ctypes.cast(array.ctypes.data, POINTER(c_double))


def declare(functions: ctypes.CDLL) -> None:
    """Tell ctypes what the core's functions take and give."""
    functions.nn_work_floats.argtypes = [POINTER(RunStructure)]
    functions.nn_work_floats.restype = c_int64
    functions.nn_train.argtypes = [POINTER(RunStructure), c_int64]
    functions.nn_train.restype = c_int64
    floats, doubles = POINTER(c_float), POINTER(c_double)
    functions.nn_predict.argtypes = [POINTER(RunStructure), floats, doubles, floats, c_int64]
    functions.nn_predict.restype = None
    functions.nn_can_be_member.argtypes = [POINTER(RunStructure)]
    functions.nn_can_be_member.restype = c_int64
    functions.nn_lanes.restype = c_int64
    functions.nn_members_floats.argtypes = [POINTER(POINTER(RunStructure))]
    functions.nn_members_floats.restype = c_int64
    functions.nn_train_members.argtypes = [POINTER(POINTER(RunStructure)), c_int64, POINTER(c_float), c_int64]
    functions.nn_train_members.restype = None
