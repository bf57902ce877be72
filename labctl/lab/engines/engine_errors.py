"""Errors of the engine, which knows nothing of labs, as errors of a lab."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from labctl.engine.errors import EngineError
from labctl.errors import KernelRefused


@contextmanager
def engine_errors_as(what: str) -> Iterator[None]:
    """Turn an EngineError of the body into KernelRefused: what failed, and of that what the engine says."""
    try:
        yield
    except EngineError as error:
        raise KernelRefused(f"{what}: {error.what}", error.why, error.hint) from None
