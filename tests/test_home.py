"""The data folder: where it is, and that its secrets are its owner's alone."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nnlab import home


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing of the machine's own home be read or written."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("NNLAB_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_chosen_folder_is_made_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNLAB_HOME", str(tmp_path / "deep" / "lab"))
    assert home.data_folder() == (tmp_path / "deep" / "lab").resolve()
    assert mode(tmp_path / "deep" / "lab") == 0o700


def test_a_tilde_means_the_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNLAB_HOME", "~/lab")
    assert home.data_folder() == (tmp_path / "home" / "lab").resolve()


@pytest.mark.skipif(sys.platform != "linux", reason="the folder is another on each platform")
def test_without_a_choice_it_is_the_platforms_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home.data_folder() == (tmp_path / "home" / ".local" / "share" / "nnlab").resolve()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert home.data_folder() == (tmp_path / "data" / "nnlab").resolve()


def test_the_secret_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        key = home.secret_key(tmp_path)
    finally:
        os.umask(old)
    assert len(key) >= 50
    assert home.secret_key(tmp_path) == key
    assert mode(tmp_path / "secret-key") == 0o600


def test_processes_that_start_together_share_one_whole_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(home.secret_key, [tmp_path] * 64))
    assert len(keys) == 1
    assert len(keys.pop()) >= 50
    assert [path.name for path in tmp_path.iterdir()] == ["secret-key"]


def test_a_file_kept_private_is_its_owners_alone_whoever_made_the_folder(tmp_path: Path) -> None:
    (tmp_path / "old").touch(mode=0o644)
    for name in ("old", "new"):
        home.keep_private(tmp_path / name)
        assert mode(tmp_path / name) == 0o600


def test_every_installation_has_a_key_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert home.secret_key(tmp_path) != home.secret_key(tmp_path / "other")


def test_the_brokers_socket_is_the_same_for_every_process_and_another_for_every_installation(
    tmp_path: Path,
) -> None:
    assert home.broker_socket(tmp_path / "a") == home.broker_socket(tmp_path / "a")
    assert home.broker_socket(tmp_path / "a") != home.broker_socket(tmp_path / "b")


@pytest.mark.parametrize("runtime", [None, "/run/user/1000", "x" * 100])
def test_the_path_of_the_socket_is_short_however_long_the_folders_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str | None
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")
    if runtime == "x" * 100:
        (tmp_path / runtime).mkdir()
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / runtime))
    elif runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    path = home.broker_socket(Path("/" + "very-long-folder-name/" * 20))
    assert len(str(path).encode()) < 108


def test_the_runtime_folder_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        assert home.broker_socket(Path("/lab")).parent == Path(runtime) / "nnlab"
        assert mode(Path(runtime) / "nnlab") == 0o700


def folder_of_sockets(tmp_path: Path) -> Path:
    return tmp_path / f"nnlab-{os.getuid()}"


def test_a_folder_of_sockets_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    folder_of_sockets(tmp_path).mkdir()
    folder_of_sockets(tmp_path).chmod(0o755)
    with pytest.raises(PermissionError, match="that only you can read; remove it and try again"):
        home.broker_socket(Path("/lab"))


def test_a_folder_of_sockets_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    folder_of_sockets(tmp_path).symlink_to(tmp_path / "real")
    with pytest.raises(PermissionError, match="only you can read"):
        home.broker_socket(Path("/lab"))


def test_a_folder_of_sockets_that_is_somebody_elses_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = os.getuid()
    folder_of_sockets(tmp_path).mkdir(mode=0o700)
    folder_of_sockets(tmp_path).rename(tmp_path / f"nnlab-{owner + 1}")
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    with pytest.raises(PermissionError, match="only you can read"):
        home.broker_socket(Path("/lab"))


@pytest.mark.parametrize("name", ["a#b", "a?b=c", "a%20b", "ü 日本"])
def test_the_database_lies_in_the_folder_whatever_that_is_called(tmp_path: Path, name: str) -> None:
    code = """if True:
        from django.conf import settings
        from pathlib import Path
        assert Path(settings.DATABASES["default"]["NAME"]) == settings.NNLAB_HOME / "nnlab.sqlite3"
    """
    kept = {key: value for key, value in os.environ.items() if key not in {"DATABASE_URL", "SECRET_KEY"}}
    chosen = {"NNLAB_HOME": str(tmp_path / name), "DJANGO_SETTINGS_MODULE": "nnlab.settings"}
    subprocess.run([sys.executable, "-c", code], env={**kept, **chosen}, check=True)
