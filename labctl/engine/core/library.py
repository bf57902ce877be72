"""The compiled core: how it is found, and the memory that it shares with Python.

The structures are those of `common_way.c`, field by field.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

# Not just .so: Python would take it for a module.
LIBRARY = Path(__file__).with_name("libcommonway.so.1")
SOURCE = Path(__file__).with_name("common_way.c")
VARIABLE = "LABCTL_CORE"
"""The environment variable that chooses Python, by `python`; any other value has the core in C, where there is one."""

_MOST_READY = 8


class LeftOut(ctypes.Structure):
    """What of the TUN device is left to Python: finished packets in its buffer, and behind them a frame as it came."""

    error: int
    refusal: int
    packets_at: int
    length: int
    size: int
    number: int
    frame_at: int
    frame: int
    sent: int
    _fields_ = (
        ("error", ctypes.c_int32),
        ("refusal", ctypes.c_int32),
        *((name, ctypes.c_int64) for name in ("packets_at", "length", "size", "number", "frame_at", "frame", "sent")),
    )


class LeftIn(ctypes.Structure):
    """What of the peer is left to Python: one message at the start of its buffer."""

    there: int
    error: int
    refusal: int
    flags: int
    ecn: int
    gro: int
    run: int
    length: int
    _fields_ = (
        *((name, ctypes.c_int32) for name in ("there", "error", "refusal", "flags", "ecn", "gro", "run")),
        ("length", ctypes.c_int64),
    )


class _Descriptor(ctypes.Structure):
    descriptor: int
    events: int
    _fields_ = (("descriptor", ctypes.c_int32), ("events", ctypes.c_uint32))


class Shared(ctypes.Structure):
    """All that the core knows."""

    epoll: int
    tun: int
    peer: int
    forwards_out: int
    forwards_in: int
    header: int
    frames: int
    datagrams: int
    cells: int
    features: int
    own_ports: ctypes.Array[ctypes.c_uint8]
    ecn: int
    largest: int
    ready: int
    descriptors: ctypes.Array[_Descriptor]
    out: LeftOut
    into: LeftIn
    _fields_ = (
        *((name, ctypes.c_int32) for name in ("epoll", "tun", "peer", "forwards_out", "forwards_in")),
        *((name, ctypes.c_void_p) for name in ("header", "frames", "datagrams", "cells", "features")),
        ("own_ports", ctypes.c_uint8 * 4),
        ("ecn", ctypes.c_int32),
        ("largest", ctypes.c_int64),
        ("ready", ctypes.c_int32),
        ("descriptors", _Descriptor * _MOST_READY),
        ("out", LeftOut),
        ("into", LeftIn),
    )


def chosen() -> tuple[str, str]:
    """Return the core of engines that are started now, `c` or `python`, and why."""
    if is_unwanted():
        return "python", f"{VARIABLE}=python"
    try:
        load()
    except OSError as error:
        return "python", "not compiled" if not LIBRARY.exists() else str(error)
    return "c", "compiled"


def is_unwanted() -> bool:
    """Return whether the environment chooses Python."""
    return os.environ.get(VARIABLE) == "python"


def load() -> ctypes.CDLL:
    """Return the library. Raise OSError if it is not there or was compiled from another source."""
    library = ctypes.CDLL(str(LIBRARY))
    library.core_size.restype = ctypes.c_size_t
    if library.core_size() != ctypes.sizeof(Shared):
        raise OSError(f"{LIBRARY.name} was compiled from another {SOURCE.name}")
    return library
