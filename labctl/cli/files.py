"""What is only about a topology file: is it right, what is it as a script, and what may be in it."""

from __future__ import annotations

import click

from labctl.cli.base import WELL, cli, file_argument
from labctl.cli.labs import topology_of


@cli.command()
@file_argument
def validate(file: str) -> int:
    """Check a topology file without making anything."""
    topology = topology_of(file)
    click.echo(
        f"{file}: lab {topology.name}, {len(topology.namespaces)} namespaces, {len(topology.ttun)} tunnel endpoints, "
        f"{len(topology.checks)} checks: no mistakes"
    )
    return WELL


@cli.command()
@file_argument
@click.option("--name", help="Another name for the lab; it becomes the prefix of every namespace.")
@click.option("--as", "language", type=click.Choice(["shell"]), default="shell", help="Into what; shell by default.")
def export(file: str, name: str | None, language: str) -> int:
    """Write the lab as the script that a person would type, with its own way back."""
    from labctl.plan.script import script

    click.echo({"shell": script}[language](topology_of(file, name)), nl=False)
    return WELL


@cli.command()
def schema() -> int:
    """Print the JSON Schema of topology files, for editors."""
    import json

    from labctl.topology.model import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
    return WELL
