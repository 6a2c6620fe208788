"""The ASGI entry point that uvicorn serves."""

from __future__ import annotations

import os
import warnings

import django

from nnlab.handler import Handler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nnlab.settings")

# Static files are read in a thread, piece by piece: what Django warns of is how WhiteNoise serves them.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

django.setup(set_prefix=False)
application = Handler()
