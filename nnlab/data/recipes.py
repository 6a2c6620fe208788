"""Recipes: named sequences of steps that turn a dataset's columns into inputs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nnlab.data.columns import Bucketise, Cross, Drop, Impute, OneHot, Ratio, Select, Sine
from nnlab.data.errors import DataError
from nnlab.data.filling import Fill
from nnlab.data.frames import Frame, listing
from nnlab.data.generators import GENERATORS
from nnlab.data.scaling import Clip, Divide, Log, MinMax, ZScore

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from nnlab.data.steps import Parameters, Step

STEPS: dict[str, type[Step]] = {
    step.kind: step
    for step in (
        ZScore,
        MinMax,
        Log,
        Clip,
        Divide,
        Select,
        Drop,
        Ratio,
        Sine,
        Cross,
        Bucketise,
        Impute,
        Fill,
        OneHot,
    )
}


@dataclass(frozen=True)
class Recipe:
    """A named sequence of steps.

    Args:
        key: as written in ``DataConfig.recipe``.
    """

    key: str
    title: str
    steps: tuple[Step, ...] = ()

    def fit(self, train: Frame) -> tuple[tuple[Parameters, ...], Frame]:
        """Learn every step's parameters from the training rows; return them with the rows they make."""
        learned = []
        for step in self.steps:
            parameters = step.fit(train)
            train = step.apply(train, parameters)
            learned.append(parameters)
        return tuple(learned), train

    def apply(
        self, frame: Frame, learned: Sequence[Parameters], part: str = "validation"
    ) -> tuple[Frame, tuple[str, ...]]:
        """Change other rows by parameters learned before; return also what a reader should know.

        Args:
            part: what the rows are for, as a note says it.
        """
        notes: list[str] = []
        for step, parameters in zip(self.steps, learned, strict=True):
            if isinstance(step, OneHot):
                notes += [
                    f"{count:,} {part} rows have a {name} that no training row has: their inputs for it are 0"
                    for name, count in step.unseen(frame, parameters).items()
                ]
            frame = step.apply(frame, parameters)
        return frame, tuple(notes)

    def without(self, names: Collection[str]) -> Recipe:
        """Leave columns out of the steps that name them."""
        steps = []
        for step in self.steps:
            named = getattr(step, "columns", ())
            kept = tuple(name for name in named if name not in names)
            if (named and not kept) or (isinstance(step, Bucketise) and step.column in names):
                continue
            steps.append(replace(step, columns=kept) if kept != named else step)  # type: ignore[call-arg]
        return replace(self, steps=tuple(steps))

    def to_list(self) -> list[dict[str, Any]]:
        """Write the steps as plain types."""
        return [step.to_dict() for step in self.steps]

    @property
    def hash(self) -> str:
        """The first 12 hex digits of the sha256 of the steps' canonical JSON; names do not count."""
        canonical = json.dumps(self.to_list(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def steps_from_list(items: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    """Read steps as ``Recipe.to_list`` writes them.

    Raises:
        DataError: for an unknown step or parameters that it does not take.
    """
    steps = []
    for item in items:
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in item.items() if k != "step"}
        kind = STEPS.get(str(item.get("step")))
        if kind is None:
            known = listing(tuple(STEPS))
            raise DataError("recipe", f"expected a step among {known}, got {item.get('step')!r}")
        try:
            steps.append(kind(**values))
        except TypeError as error:
            raise DataError(
                "recipe", f"step {kind.kind!r} does not take {sorted(values)}: {error}"
            ) from error
    return tuple(steps)


def recipes(dataset: str) -> dict[str, Recipe]:
    """List a dataset's recipes by key; those of CSV files for a key that is not shipped or generated."""
    found = _PLAYGROUND if dataset in GENERATORS else _SHIPPED.get(dataset, _MIXED)
    return {recipe.key: recipe for recipe in found}


def recipe(dataset: str, key: str) -> Recipe:
    """Find one recipe.

    Raises:
        DataError: if the dataset has none of that key.
    """
    found = recipes(dataset)
    if key not in found:
        raise DataError(
            "recipe", f"expected a recipe of {dataset!r} among {listing(tuple(found))}, got {key!r}"
        )
    return found[key]


_FEATURES = (
    Cross("x1", "x1", "x1²"),
    Cross("x2", "x2", "x2²"),
    Cross("x1", "x2", "x1x2"),
    Sine(("x1", "x2")),
)


def _features(key: str, title: str, *columns: str) -> Recipe:
    return Recipe(key, title, (*_FEATURES, Select(columns)))


_PLAYGROUND: tuple[Recipe, ...] = (
    Recipe("default", "x1 and x2 as they stand"),
    _features("squares", "x1² and x2² only", "x1²", "x2²"),
    _features("product", "x1, x2 and x1x2", "x1", "x2", "x1x2"),
    _features("crosses", "x1, x2 and their second-degree crosses", "x1", "x2", "x1²", "x2²", "x1x2"),
    _features("sines", "x1, x2 and their sines", "x1", "x2", "sin x1", "sin x2"),
    _features("no_inputs", "crosses and sines without x1, x2", "x1²", "x2²", "x1x2", "sin x1", "sin x2"),
    _features("no_product", "all but x1x2", "x1", "x2", "x1²", "x2²", "sin x1", "sin x2"),
    _features("playground_all", "all seven features", "x1", "x2", "x1²", "x2²", "x1x2", "sin x1", "sin x2"),
    Recipe("z-score", "x1 and x2 with mean 0 and standard deviation 1", (ZScore(),)),
)

_RAW = Recipe("raw", "numbers as they stand")
_MIN_MAX = Recipe("min-max", "every column from 0 to 1", (MinMax(),))
_SCALED: tuple[Recipe, ...] = (
    Recipe("default", "every column with mean 0 and standard deviation 1", (ZScore(),)),
    _RAW,
    _MIN_MAX,
)
_MIXED: tuple[Recipe, ...] = (
    Recipe(
        "default", "z-scores, medians for missing numbers, categories one-hot", (ZScore(), Impute(), OneHot())
    ),
    Recipe(
        "raw", "numbers as they stand, medians for missing ones, categories one-hot", (Impute(), OneHot())
    ),
    Recipe(
        "min-max",
        "numbers from 0 to 1, medians for missing ones, categories one-hot",
        (MinMax(), Impute(), OneHot()),
    ),
)

_SKEWED = ("AveRooms", "AveBedrms", "AveOccup")
_LAB6_NUMBERS = ("HouseAge", "MedInc", *_SKEWED)
# linspace(-124.3, -114.3, 5) and linspace(32.5, 42, 10), written out so that no rounding moves a bucket.
_LAB6_BUCKETS = (
    Bucketise("Longitude", (-124.3, -121.8, -119.3, -116.8, -114.3)),
    Bucketise("Latitude", tuple(float(32.5 + i * 9.5 / 9) for i in range(10))),
    OneHot(),
)
_LAB6_COLUMNS = Select((*_LAB6_NUMBERS, "Longitude", "Latitude"))
_HOUSING: tuple[Recipe, ...] = (
    Recipe(
        "default",
        "all eight columns: logarithms of the skewed ones, then z-scores",
        (Log((*_SKEWED, "Population")), ZScore()),
    ),
    _RAW,
    _MIN_MAX,
    Recipe("lab6", "the lab's 22 inputs, not scaled", (_LAB6_COLUMNS, *_LAB6_BUCKETS)),
    Recipe(
        "lab6_scaled",
        "the lab's 22 inputs, the five numbers capped and z-scored",
        (_LAB6_COLUMNS, Clip(_LAB6_NUMBERS, 1.0, 99.0), ZScore(_LAB6_NUMBERS), *_LAB6_BUCKETS),
    ),
    Recipe(
        "crosses",
        "z-scores, with the cross of longitude and latitude in ten parts each",
        (
            Log((*_SKEWED, "Population")),
            ZScore((*_LAB6_NUMBERS, "Population")),
            Bucketise("Longitude", quantiles=10),
            Bucketise("Latitude", quantiles=10),
            Cross("Longitude", "Latitude"),
            OneHot(),
        ),
    ),
)


def _pixels(greatest: int) -> tuple[Recipe, ...]:
    return (Recipe("default", f"pixels divided by {greatest}", (Divide(by=float(greatest)),)), _RAW)


_SHIPPED = {
    "digits": _pixels(16),
    "mnist_5k": _pixels(255),
    "breast_cancer": _SCALED,
    "wine": _SCALED,
    "iris": _SCALED,
    "diabetes": _SCALED,
    "penguins": _MIXED,
    "california_housing": _HOUSING,
}
