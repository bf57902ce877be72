"""What ssh runs on a host of a lab over several: a Python in which labctl is (hosts/link.py)."""

from __future__ import annotations

import os
import sys

import click

from labctl.cli.base import cli


@cli.command(hidden=True, add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def agent(words: tuple[str, ...]) -> int:
    """Become the Python that runs this labctl; for labctl on another machine."""
    os.execv(sys.executable, [sys.executable, *words])
