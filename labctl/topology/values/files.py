"""The values of `files:`: where a file is seen, where its content comes from, and who may read it."""

from __future__ import annotations

import base64
import binascii
import os
import re
from typing import Any

from labctl.topology.values import as_text, mistake, shape

LONGEST_PATH = 255
"""Bytes of the path of an own file: it is kept as the name of a file (NAME_MAX), where each of these takes three."""
_ESCAPED = "/%"

MODE = re.compile(r"0?[01]?[0-7]{3}")
_NOT_BELOW = ("/proc", "/sys", "/run/labctl", "/var/run/labctl", "/run/netns", "/var/run/netns")


def parse_path(value: Any) -> str:
    """Return the absolute path of a file."""
    path = as_text(value, "a path")
    if not path.startswith("/") or not path.isprintable():
        raise mistake(f"{path!r} is no absolute path", "for example /etc/resolv.conf")
    plain = os.path.normpath("/" + path.lstrip("/"))
    if plain == "/" or plain != path:
        raise mistake(f"{path!r} is no plain path of a file", f"write {plain}" if plain != "/" else "name a file in it")
    if any(plain == top or plain.startswith(f"{top}/") for top in _NOT_BELOW):
        raise mistake(f"{plain!r} cannot be a file of a namespace", "the kernel or labctl makes what is in there")
    size = len(plain.encode()) + 2 * sum(map(plain.count, _ESCAPED))
    if size > LONGEST_PATH:
        what = f"the path has {size} bytes, as it is kept with 3 for each {' and '.join(_ESCAPED)}"
        raise mistake(what, f"at most {LONGEST_PATH} are possible")
    return plain


def parse_source(value: Any) -> str:
    """Return the path of a file to copy."""
    path = as_text(value, "the path of a file")
    if not path or not path.isprintable():
        raise mistake(f"{path!r} is no path of a file", "for example r1.conf")
    return path


def parse_mode(value: Any) -> str:
    """Return permissions in four octal digits."""
    mode = as_text(value, "permissions")
    if not MODE.fullmatch(mode):
        raise mistake(f"{shape(value)} are no permissions", 'octal digits, for example "0640"; "1777" for a directory')
    return f"{int(mode, 8):04o}"


def parse_base64(value: Any) -> str:
    """Return bytes as base64 writes them, without white space."""
    written = "".join(as_text(value, "base64").split())
    try:
        base64.b64decode(written, validate=True)
    except (binascii.Error, ValueError) as error:
        raise mistake(f"this is not base64: {error}", "base64 -w0 FILE writes it") from None
    return written
