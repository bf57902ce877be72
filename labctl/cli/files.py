"""Commands that only read a topology file: validate, export, schema, topologies."""

from __future__ import annotations

from pathlib import Path

import click

from labctl.cli import completion
from labctl.cli.base import cli, file_argument, format_option, inventory_option
from labctl.errors import ExitCode
from labctl.report.reporter import reporter


@cli.command()
@file_argument
@inventory_option
@format_option
def validate(file: str, inventory: str | None, form: str) -> int:
    """Check a topology file without making anything."""
    from labctl.lab import preflight
    from labctl.topology.load import loads, text_of, warnings
    from labctl.topology.program_paths import directory_of
    from labctl.topology.shipped import find
    from labctl.topology.source import name_of

    path = find(file)
    name, text = name_of(path), text_of(path)
    if inventory is None:
        topology = loads(text, name, directory_of(path))
    else:
        from labctl.topology.inventory import loads_over

        topology = loads_over(text, name, directory_of(path), Path(inventory)).topology
    unseen = preflight.unseen(topology, text, name)
    reporter(form).valid(file, topology, warnings(topology, text, name), unseen)
    return ExitCode.SUCCESS


@cli.command()
@file_argument
@click.option("--name", help="Another name for the lab; it becomes the prefix of every namespace.")
@click.option("--as", "language", type=click.Choice(["shell"]), default="shell", help="Into what; shell by default.")
@format_option
def export(file: str, name: str | None, language: str, form: str) -> int:
    """Write the lab as the script that a person would type, with its own way back."""
    from labctl.api.sources import desired_of
    from labctl.plan.script import script

    desired = desired_of(file, name)
    reporter(form).script(desired.topology.name, language, {"shell": script}[language](desired))
    return ExitCode.SUCCESS


@cli.command()
@click.argument("kind", type=click.Choice(["topology", "inventory"]), default="topology")
def schema(kind: str) -> int:
    """Print the JSON Schema of topology files, or of inventories, for editors."""
    import json

    from labctl.topology.model import inventory, topology

    click.echo(json.dumps({"topology": topology, "inventory": inventory}[kind].json_schema(), indent=2))
    return ExitCode.SUCCESS


@cli.group(invoke_without_command=True)
@format_option
@click.pass_context
def topologies(context: click.Context, form: str) -> int:
    """List the topologies that ship with labctl; show one, or copy one to edit it."""
    from labctl.topology.load import load
    from labctl.topology.shipped import find, names

    if context.invoked_subcommand:
        return ExitCode.SUCCESS
    reporter(form).topologies({name: load(find(name)).description for name in names()})
    return ExitCode.SUCCESS


@topologies.command()
@click.argument("name", shell_complete=completion.shipped)
def show(name: str) -> int:
    """Print a topology that ships with labctl."""
    from labctl.topology.shipped import text_of

    click.echo(text_of(name), nl=False)
    return ExitCode.SUCCESS


@topologies.command()
@click.argument("name", shell_complete=completion.shipped)
@click.argument("to", type=click.Path(), default=".")
def copy(name: str, to: str) -> int:
    """Copy a topology that ships with labctl into a directory, or to a new file, to edit it."""
    from labctl.topology.shipped import as_typed, copy_of

    written = copy_of(name, to)
    click.echo(f"wrote {written}; edit it, then: labctl up {as_typed(str(written))}")
    return ExitCode.SUCCESS
