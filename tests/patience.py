"""How long tests wait for a condition before they say that it will not come true."""

from __future__ import annotations

import os

PATIENCE = float(os.environ.get("LABCTL_TEST_PATIENCE", "20"))
"""Seconds. A test that passes never waits for so long."""
