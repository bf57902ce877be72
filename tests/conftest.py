"""What all tests share."""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest
from hypothesis import settings

# How long an example takes is the machine's business: other tests run beside it. Each run draws other examples.
settings.register_profile("labctl", deadline=None, max_examples=50)
settings.register_profile("quick", deadline=None, max_examples=10)
settings.load_profile("labctl")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while tests are collected: a fifth of the time would be that, and nearly all stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
