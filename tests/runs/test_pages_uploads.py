"""From a CSV file to a dataset: upload, choose target and inputs, preview, save, train."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from runs import submission
from runs.models import DatasetRecipe, DatasetVersion, Project, Upload
from runs.store import datasets
from tests.runs import builders, readers

pytestmark = pytest.mark.django_db

UPLOAD = "/datasets/upload/"
COLOURS = ("red", "green", "blue")
HOUSES = "id,rooms,colour,year,price\n" + "".join(
    f"{row},{row * 7 % 11 if row % 9 else ''},{COLOURS[row % 3]},{2024 - row % 50},{row * 35 % 97}\n"
    for row in range(120)
)


@pytest.fixture
def uploader(client: Client, settings: Any, tmp_path: Path) -> Client:
    settings.CSV_FOLDER = tmp_path
    client.force_login(builders.build_user("submit_sweep"))
    return client


def send(client: Client, content: bytes | str, name: str = "houses.csv", **fields: str) -> Any:
    """Send a file, let it be read where it is taken, and return the page that this leads to."""
    data = content.encode() if isinstance(content, str) else content
    answer = client.post(UPLOAD, {"project": "Houses", "file": SimpleUploadedFile(name, data), **fields})
    if answer.status_code != HTTPStatus.FOUND:
        return answer
    readers.read_all()
    return client.get(answer["Location"], follow=True)


def refused(client: Client, content: bytes | str, **fields: str) -> str:
    """Send a file that is refused, see that nothing was kept, and return what the page says."""
    answer = send(client, content, **fields)
    assert not DatasetVersion.objects.exists()
    assert not Project.objects.exists()
    text: str = answer.content.decode()
    assert "Nothing was kept" in text
    assert answer.status_code == (HTTPStatus.OK if Upload.objects.exists() else HTTPStatus.BAD_REQUEST)
    return text


def draft(client: Client, content: str = HOUSES) -> DatasetVersion:
    send(client, content)
    return DatasetVersion.objects.get()


def choices(client: Client, version: DatasetVersion, **changes: str) -> dict[str, str]:
    """Fill the form of a recipe as the page does."""
    form = client.get(reverse("recipe-new", args=[version.key])).context["form"]
    first = {field.html_name: next(iter(getattr(field.field, "choices", [("",)])))[0] for field in form}
    typed = {field.html_name: field.value() for field in form if field.value() is not None}
    return first | typed | changes


def chosen(client: Client, version: DatasetVersion, **changes: str) -> Any:
    values = choices(client, version, **changes)
    return client.post(reverse("recipe-new", args=[version.key]), values, follow=True)


# The way of a user


def test_a_file_becomes_a_dataset_that_runs_train_on(uploader: Client) -> None:
    answer = send(uploader, HOUSES, name="houses.csv", licence="CC0 <b>")
    version = DatasetVersion.objects.get()
    text = answer.content.decode()
    assert (version.name, version.number, version.saved_at) == ("houses", 0, None)
    assert "Not saved yet" in text
    assert "CC0 &lt;b&gt;" in text
    assert "looks like an identifier" in text
    assert "houses, version" not in uploader.get(reverse("datasets")).content.decode()
    preview = chosen(uploader, version)
    recipe = DatasetRecipe.objects.get()
    text = preview.content.decode()
    assert "72 to train, 24 to validate, 24 to test" in text
    assert "rooms: missing" in text
    assert len(preview.context["matrix"]) == 20
    saved = uploader.post(recipe.get_absolute_url(), follow=True).content.decode()
    assert "is saved with recipe" in saved
    assert f"{version.key}" in saved
    assert "houses, version 1" in uploader.get(reverse("datasets")).content.decode()
    data = {"dataset": version.key, "recipe": recipe.key}
    form = uploader.get(reverse("sweep-new"), data).context["form"]
    assert {name: form[name].value() for name in data} == data
    spec = submission.parse(
        {"project": "Houses", "name": "first", "data": data, "training": {"steps": 5, "depth": 1, "width": 4}}
    )
    assert (spec.shape.inputs, spec.shape.task) == (6, "regression")


def test_the_preview_is_what_training_sees(uploader: Client) -> None:
    version = draft(uploader)
    context = chosen(uploader, version, scaling="0 to 1").context
    prepared = context["prepared"]
    assert next(row for row, _ in context["matrix"])[0] == f"{prepared.x_train[0, 0]:.4g}"
    ranges = {one.name: (one.source, one.before, one.after) for one in context["ranges"]}
    assert ranges["rooms"] == ("rooms", "0 to 10", "0 to 1")
    assert ranges["rooms: missing"][0] == "rooms"
    assert ranges["colour: red"] == ("colour", "3 categories", "0 to 1")


def test_the_same_file_again_leads_to_the_version_that_is_there(uploader: Client) -> None:
    version = draft(uploader)
    chosen(uploader, version)
    uploader.post(DatasetRecipe.objects.get().get_absolute_url())
    again = send(uploader, HOUSES.replace(",", ";"), name="other.csv", project="Elsewhere")
    assert "uploaded before" in again.content.decode()
    assert DatasetVersion.objects.get().name == "houses"


def test_a_delimiter_that_was_guessed_wrong_can_be_said(uploader: Client) -> None:
    lines = "name,of|a,price\n" + "".join(f"n{row},{row}|{row},p{row}\n" for row in range(20))
    guessed = draft(uploader, lines)
    assert (guessed.columns, guessed.delimiter_name) == (3, "commas")
    send(uploader, lines, delimiter="|")
    said = DatasetVersion.objects.exclude(pk=guessed.pk).get()
    assert (said.columns, said.delimiter_name) == (2, "bars")


def test_choices_that_do_not_fit_are_refused_beside_their_field(uploader: Client) -> None:
    version = draft(uploader)
    answer = chosen(uploader, version, target="colour", task="regression")
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert "expected numbers in &#x27;colour&#x27; for regression" in answer.content.decode()
    assert "expected both limits" in chosen(uploader, version, cap="values", cap_low="").content.decode()
    odd = {"target": "nothing", "divide": "nan", "cap_low": "x", "column-1": "vector"}
    for name, value in odd.items():
        assert chosen(uploader, version, **{name: value}).status_code == HTTPStatus.BAD_REQUEST
    assert not DatasetRecipe.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"target": "colour"},
        {"numbers": "drop", "categories": "drop"},
        {"numbers": "mean", "categories": "most frequent", "scaling": "log"},
        {"rows": "order:year", "cap": "percentiles", "cap_low": "5", "cap_high": "95"},
        {"cap": "values", "cap_low": "2", "cap_high": "2000", "column-3": "", "scaling": "-1 to 1"},
        {"divide": "1000", "unit": "USD"},
        {"column-1": "categorical", "column-2": ""},
    ],
)
def test_every_choice_leads_to_a_preview(uploader: Client, changes: dict[str, str]) -> None:
    answer = chosen(uploader, draft(uploader), **changes)
    assert answer.status_code == HTTPStatus.OK
    assert "First rows of the matrix" in answer.content.decode()


def test_pages_of_an_upload_take_few_queries(uploader: Client, django_assert_max_num_queries: Any) -> None:
    version = draft(uploader)
    chosen(uploader, version)
    recipe = DatasetRecipe.objects.get()
    for address in (
        version.get_absolute_url(),
        reverse("recipe-new", args=[version.key]),
        recipe.get_absolute_url(),
        reverse("datasets"),
        UPLOAD,
    ):
        with django_assert_max_num_queries(13):
            assert uploader.get(address).status_code == HTTPStatus.OK


# Who may


def test_uploading_needs_the_right_to_submit(client: Client) -> None:
    client.force_login(builders.build_user())
    assert client.get(UPLOAD).status_code == HTTPStatus.FORBIDDEN
    assert send(client, HOUSES).status_code == HTTPStatus.FORBIDDEN
    assert not DatasetVersion.objects.exists()


def test_an_upload_without_the_token_of_a_form_is_refused() -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(builders.build_user("submit_sweep"))
    assert send(strict, HOUSES).status_code == HTTPStatus.FORBIDDEN
    assert not DatasetVersion.objects.exists()


def test_a_version_that_runs_use_is_not_deleted_and_the_runs_are_named(uploader: Client) -> None:
    version = draft(uploader)
    chosen(uploader, version)
    datasets.save(DatasetRecipe.objects.get())
    run = builders.build_finished_run(dataset=version.key)
    address = reverse("upload-delete", args=[version.key])
    text = uploader.post(address, follow=True).content.decode()
    assert f"because runs use it: {run.name} (run {run.pk})" in text
    run.delete()
    assert "was deleted" in uploader.post(address, follow=True).content.decode()
    assert not DatasetVersion.objects.exists()


def test_only_who_uploaded_or_an_administrator_deletes(uploader: Client, client: Client) -> None:
    version = draft(uploader)
    address = reverse("upload-delete", args=[version.key])
    client.force_login(builders.build_user("submit_sweep"))
    assert client.post(address).status_code == HTTPStatus.FORBIDDEN
    client.force_login(builders.build_user("submit_sweep", "delete_datasetversion"))
    assert client.post(address).status_code == HTTPStatus.FOUND


# Bad files


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The submitted file is empty"),
        (b"\n\n\n", "expected a header row and data, got an empty file"),
        (b"a,b\n", "expected data below the header row"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "expected a CSV file, got a picture"),
        (b"PK\x03\x04\x00\x00,\x00\n", "expected a CSV file, got a ZIP archive, or a spreadsheet"),
        (b"a,b\n1,\x00\n", "expected a CSV file, got a file with NUL bytes"),
        (b"a,b\n" + b"1,2\n" * 30_000 + b"1,\x00\n", "line 30002: expected text, got a NUL byte"),
        ("größe,b\n1,2\n".encode("latin-1"), "expected UTF-8 text, got byte 0xf6"),
        (HOUSES.encode("utf-16"), "expected a CSV file, got text encoded as UTF-16"),
        (b"a,b\n1,2\n1,2,3\n", "row 3: expected 2 cells as in the header, got 3"),
        (b"a,a\n1,2\n", "row 1, column 2: expected unique names, got &#x27;a&#x27; again"),
        (b"a, a \n1,2\n", "expected unique names"),
        (b"a,\n1,2\n", "row 1, column 2: expected a name of 1 to 200 characters"),
        (b"1,2\n3,4\n", "expected column names, got numbers"),
        (b'a,b\n1,"2\n', "expected cells whose quotes close"),
        (b"a,b\n" + b"1,2\n" * 30 + b"1,three\n", "row 32, column &#x27;b&#x27;: expected a number"),
        (b"a;b\n" + b"1;2,5\n" * 30, "expected a number with a decimal point, got &#x27;2,5&#x27;"),
        (b"a,b\n1," + b"x" * 300 + b"\n", "expected a category of at most 200 characters, got 300"),
        (b",".join(b"c%d" % number for number in range(501)) + b"\n", "at most 500 columns, got 501"),
        (b"a," * 500_000, "row 1: expected at most 500 columns, got 500,001"),
        (b"a," * 1_000_000, "line 1: expected at most 1,000,000 bytes"),
        (b"a,b\n1,2\n" + b"1," * 600_000, "line 3: expected at most 1,000,000 bytes"),
        (b"a,b\n" + b"1,2\n" * 200_001, "expected at most 200,000 rows below the header"),
    ],
)
def test_a_bad_file_is_refused_with_row_and_column(uploader: Client, content: bytes, message: str) -> None:
    assert message in refused(uploader, content)


def test_a_project_without_a_name_is_refused(uploader: Client) -> None:
    assert "expected some letters or digits" in refused(uploader, HOUSES, project="!!!")


def test_formulas_are_text_and_a_byte_order_mark_is_no_part_of_a_name(uploader: Client) -> None:
    formulas = "\ufeffcell,price\n" + "".join(f'"=HYPERLINK({row % 3})",{row}\n' for row in range(30))
    version = draft(uploader, formulas)
    found = uploader.get(version.get_absolute_url()).context["found"]
    assert [column.name for column in found.columns] == ["cell", "price"]
    assert found.columns[0].labels[0] == "=HYPERLINK(0)"


def test_a_file_that_is_too_large_is_refused_before_all_of_it_is_on_disk(uploader: Client) -> None:
    answer = send(uploader, b"a,b\n" + b"1,2\n" * 5_500_000)
    assert answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert "Expected a file of at most 20,000,000 bytes" in answer.content.decode()
    assert not DatasetVersion.objects.exists()


class TooLarge:
    """A body that the web server threw away."""

    def read(self, *_: int) -> bytes:
        raise RequestDataTooBig

    readline = read


def test_a_body_that_was_thrown_away_is_told_of_on_the_form(uploader: Client) -> None:
    body: dict[str, Any] = {"wsgi.input": TooLarge(), "CONTENT_LENGTH": "1000000000"}
    answer = uploader.generic("POST", UPLOAD, b"x", "multipart/form-data; boundary=x", **body)
    assert answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert "Expected a file of at most 20,000,000 bytes" in answer.content.decode()
    broken = uploader.generic("POST", UPLOAD, b"x", "multipart/form-data")
    assert broken.status_code == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize(
    "content",
    [b"a," * 9_900_000, b"a,b\n" + b"1," * 9_900_000, b'a,b\n"' + b"x\n" * 9_900_000, b"\x00" * 19_000_000],
    ids=["a header of a million columns", "a row of a million columns", "a quote that never closes", "zeros"],
)
def test_a_bad_file_of_the_largest_size_takes_little_memory(uploader: Client, content: bytes) -> None:
    tracemalloc.start()
    try:
        refused(uploader, content)
        assert tracemalloc.get_traced_memory()[1] < 250_000_000  # the test's own copies among them
    finally:
        tracemalloc.stop()


_WIDE = """
import resource, sys
from nnlab.data.csv_columns import read_columns
from nnlab.data.csv_reading import UPLOAD_LIMITS
from nnlab.data.profile import profile
from nnlab.data.uploads import encode
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
head = ",".join(f"c{n}" for n in range(500)) + "\\n"
content = (head + ("1," * 499 + "2\\n") * 4_000).encode()
columns = read_columns(content, UPLOAD_LIMITS)
encode(columns), profile(columns, "c499")
print(len(content), len(columns[0].cells))
"""


def test_two_million_cells_are_read_within_600_megabytes() -> None:
    found = subprocess.run(
        [sys.executable, "-c", _WIDE, str(600 * 2**20)], capture_output=True, text=True, check=False
    )
    assert found.stdout.split() == ["4002390", "4000"], found.stderr[-500:]
