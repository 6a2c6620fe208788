"""nnlab: experiment tracking for neural networks, with an engine of its own.

Empty of imports on purpose: ``import nnlab.engine`` must never load Django or Celery.
"""

from __future__ import annotations
