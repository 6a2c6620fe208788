"""Where one installation keeps its files: database, secret key, broker, uploaded data. Never the checkout."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path


def data_folder() -> Path:
    """Return NNLAB_HOME, or the platform's folder for a user's application data, and make it."""
    chosen = os.environ.get("NNLAB_HOME")
    folder = Path(chosen).expanduser() if chosen else _platform_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder.resolve()


def secret_key(folder: Path) -> str:
    """Read the installation's secret key; make it on first use, readable by its owner only."""
    path = folder / "secret-key"
    if not path.exists():
        _write_once(path, secrets.token_urlsafe(50))
    return path.read_text().strip()


def keep_private(path: Path) -> None:
    """Make a file, if need be, and let only its owner read it; the folder may have been made by others."""
    path.touch(mode=0o600)
    path.chmod(0o600)


def broker_socket(folder: Path) -> Path:
    """Return the path of the embedded broker's socket: the same for every process of one installation.

    A Unix socket's path must stay under 108 bytes, so it does not live in the folder itself.

    Raises:
        PermissionError: if somebody else owns the folder of sockets.
    """
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return _socket_folder() / f"{name}.sock"


def shared_counts(folder: Path) -> Path:
    """Return a folder of this host in which the processes of one web server add up what they count."""
    path = broker_socket(folder).with_suffix(".counts")
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def _platform_folder() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "nnlab"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "nnlab"


def _write_once(path: Path, text: str) -> None:
    """Write a file whole or not at all: of two processes that start together, the first one's counts."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent)  # readable by its owner only
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()


def _socket_folder() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_dir() and len(runtime) < 60:
        folder = Path(runtime) / "nnlab"
    else:
        folder = Path(tempfile.gettempdir()) / f"nnlab-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
        raise PermissionError(
            f"expected {folder} to be a folder that only you can read; remove it and try again"
        )
    return folder
