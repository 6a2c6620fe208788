"""Rows of pixels as small pictures that a page carries itself."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def grey_picture(pixels: ArrayLike, greatest: float) -> str:
    """Write grey values as the address of a PNG picture.

    Shapes: pixels (height, width), from 0 (black) to ``greatest`` (white).
    Source: Portable Network Graphics (PNG) Specification, third edition, sections 5 and 11.2.
    """
    grey = np.clip(np.asarray(pixels) / greatest * 255, 0, 255).astype(np.uint8)
    height, width = grey.shape
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    lines = np.pad(grey, ((0, 0), (1, 0))).tobytes()  # before each line, 0 for "not filtered"
    parts = _part(b"IHDR", head) + _part(b"IDAT", zlib.compress(lines)) + _part(b"IEND", b"")
    return f"data:image/png;base64,{base64.b64encode(_SIGNATURE + parts).decode()}"


def _part(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
