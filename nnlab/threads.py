"""How many threads NumPy takes; imported before it, since BLAS looks at the environment only once."""

from __future__ import annotations

import os

# Two BLAS threads on each of two busy cores are many times slower than one.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
