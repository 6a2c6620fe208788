"""Contenders from outside: who there is, and one process for each."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from tests.benchmarks import pipes
from tests.benchmarks.pipes import ROOT

BUILD = ROOT / "build"
PEERS = BUILD / "bench-venv" / "bin" / "python"
LOGS = BUILD / "bench-logs"
COMPILED = BUILD / "bench-compiled"
PACKAGE = "tests.benchmarks.engine"


@dataclass(frozen=True)
class Entry:
    """A contender: its title, and ``module:class:option``."""

    title: str
    path: str
    is_ours: bool = False


NETWORKS = {
    "native": Entry("nnlab native", "ours:Trainer:native", is_ours=True),
    "numpy": Entry("nnlab NumPy", "ours:Trainer:numpy", is_ours=True),
    "jax": Entry("JAX scan", "jax_scan:JaxScan:"),
    "torch": Entry("torch eager", "torch_nets:TorchModules:plain"),
    "torch_fused": Entry("torch fused", "torch_nets:TorchModules:fused"),
    "torch_compiled": Entry("torch compiled", "torch_functions:TorchFunctions:compiled"),
    "sklearn": Entry("scikit-learn", "sklearn_mlp:Perceptron:"),
    "keras": Entry("Keras", "keras_fit:Fit:"),
}
POPULATIONS = {
    "native": Entry("nnlab native", "ours:Members:native", is_ours=True),
    "numpy": Entry("nnlab NumPy", "ours:Members:numpy", is_ours=True),
    "jax": Entry("jax.vmap, scan", "jax_scan:JaxScan:"),
    "torch": Entry("torch.vmap", "torch_functions:TorchFunctions:eager"),
    "torch_compiled": Entry("torch.vmap, compiled", "torch_functions:TorchFunctions:compiled"),
    "numpy_batched": Entry("NumPy batched", "numpy_batched:Batched:"),
}
BLIND = Entry("nnlab native, probes off", "ours:Trainer:native-blind", is_ours=True)


def environment(threads: int = 1, *, is_cached: bool = False) -> dict[str, str]:
    """Give a contender's environment: the count of threads must be known before its libraries load.

    Args:
        is_cached: let compilers keep what they made; else compile times are those of a first run.
    """
    count = str(threads)
    values = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), count)
    values |= {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
        "KERAS_BACKEND": "jax",
        "PYTHONWARNINGS": "ignore",
    }
    if is_cached:
        values |= {
            "JAX_COMPILATION_CACHE_DIR": str(COMPILED / "jax"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
    else:
        values["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"
    return os.environ | values


def command(entry: Entry, workload: str) -> list[str]:
    """Give the command that starts a contender."""
    python = sys.executable if entry.is_ours else str(PEERS)
    return [python, "-m", f"{PACKAGE}.contender", f"{PACKAGE}.contenders.{entry.path}", workload]


class Process(pipes.Process):
    """A contender at a workload. ``hello`` tells its versions, and its seconds of import and compilation."""

    def __init__(self, entry: Entry, workload: str, variables: dict[str, str]) -> None:
        log = LOGS / f"{workload}-{entry.path.replace(':', '-')}.log"
        super().__init__(command(entry, workload), variables, log)
