"""What every test of a class begins with."""

from __future__ import annotations

import os

import pytest


def needs_root() -> None:
    """A class is what root sees of other users."""
    if os.geteuid() != 0:
        if os.environ.get("CI"):
            pytest.fail("CI must run the suite as root: the class would be missing")
        pytest.skip("needs root: a class is what root sees of other users")
