"""A labelled configuration: what is trained, on which data, and what tells afterwards how a run went."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "cases"
SCHEMA = "nnlab-benchmark-cases/1"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How the outcome of a run is told from its validation metric, whatever any detector said.

    Args:
        metric: higher is better.
        statistic: ``best`` of the evaluations, or ``late``, the median of their last tenth.
        sick_below: a run below it is sick.
        healthy_from: a run that reaches it is healthy; between the two it is mid, and not scored.
        reference: id of the case whose runs give both bounds where they are not given: the middle of baseline
            and the reference's median, and 5 points below that median.
        by_changes: whether a single change that makes the configuration better unmakes its health.
        born_dead: sick where a hidden layer is silent on all training rows at the start, healthy elsewhere.
    """

    metric: str = "val_accuracy"
    statistic: str = "best"
    sick_below: float | None = None
    healthy_from: float | None = None
    reference: str = ""
    born_dead: bool = False
    by_changes: bool = False


@dataclass(frozen=True, kw_only=True)
class Case:
    """One configuration, trained with the seeds 0, 1, ...

    Args:
        suite: A, controls, quiz, B, C, D or E.
        training: hyperparameters in plain values, without the seed.
        data: what ``datasets.problem_of`` takes.
        problem: what is wrong with it where something is; names what was published or injected.
        published: the published label: sick, normal or empty.
        accepts: checks that name the cause of a sick run rightly.
        epoch_steps: steps of an epoch where the source also uses the last, partial batch; 0 for the engine's.
        unable: why the engine cannot train it; empty where it can.
    """

    id: str
    suite: str
    training: dict[str, Any]
    data: dict[str, Any]
    rule: Rule
    seeds: int = 10
    problem: str = ""
    published: str = ""
    accepts: tuple[str, ...] = ()
    epoch_steps: int = 0
    unable: str = ""
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Names what is trained, whatever the case is called: 16 hex digits."""
        told = json.dumps([self.training, self.data], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """Give what differs from the defaults as plain values."""
        found = asdict(self)
        found["rule"] = {name: value for name, value in found["rule"].items() if value != getattr(Rule, name)}
        optional = {"problem", "published", "accepts", "epoch_steps", "unable", "notes"}
        return {name: value for name, value in found.items() if value or name not in optional}

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Case:
        """Read what ``to_dict`` gave.

        Raises:
            ValueError: for a name that no case has.
        """
        unknown = set(told) - {each.name for each in fields(cls)}
        if unknown:
            raise ValueError(f"expected fields of a case, got {', '.join(sorted(unknown))}")
        rule, accepts = Rule(**told.get("rule", {})), tuple(told.get("accepts", ()))
        return cls(**told | {"rule": rule, "accepts": accepts})


def read(path: Path) -> list[Case]:
    """Read a file of cases in our own schema.

    Raises:
        ValueError: for another schema.
    """
    told = json.loads(path.read_text(encoding="utf-8"))
    if told.get("schema") != SCHEMA:
        raise ValueError(f"expected the schema {SCHEMA} in {path.name}, got {told.get('schema')!r}")
    return [Case.from_dict(one) for one in told["cases"]]


def write(path: Path, cases: list[Case]) -> None:
    """Write a file that ``read`` reads."""
    told = {"schema": SCHEMA, "cases": [case.to_dict() for case in cases]}
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
