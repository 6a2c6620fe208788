"""Settings of the test run: the product's own, in a data folder that goes with the run."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_folder = tempfile.mkdtemp(prefix="nnlab-tests-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
(Path(_folder) / "static").mkdir()  # whitenoise warns of a folder that is not there
os.environ["NNLAB_HOME"] = _folder
for _variable in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY"):
    os.environ.pop(_variable, None)

from nnlab.settings import *  # noqa: E402, F403 - the environment has to be set first

# Hashing a password is slow on purpose; the tests make many users.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Pages are rendered without collecting static files first; the browser tests serve the collected ones.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
AXES_ENABLED = False
