"""`python -m labctl`, for where the command itself is not on the path."""

from __future__ import annotations

from labctl.cli import main

main()
