"""Commands for those who write lessons: lesson new, test, schema."""

from __future__ import annotations

from pathlib import Path

import click

from labctl.cli.base import cli, format_option
from labctl.cli.streams import tolerate_unwritable_output
from labctl.errors import ExitCode


@cli.group()
def lesson() -> None:
    """Write lessons for `labctl learn`: begin one, prove that it does what it claims."""


@lesson.command()
@click.argument("folder")
def new(folder: str) -> int:
    """Begin a lesson: a folder with a lesson.md that can be gone through as it is."""
    from labctl.learn.authoring.skeleton import write_new

    click.echo(f"{write_new(Path(folder))} can be edited; labctl lesson test {folder} proves it")
    return ExitCode.SUCCESS


@lesson.command()
@click.argument("lessons", nargs=-1, required=True, metavar="FOLDER|NAME...")
@click.option("--seed", "seeds", type=int, multiple=True, help="Which values the variables have; 1 if none is named.")
@click.option("--step", "steps", multiple=True, help="Only the step of this name; may be repeated.")
@format_option
@tolerate_unwritable_output()
def test(lessons: tuple[str, ...], seeds: tuple[int, ...], steps: tuple[str, ...], form: str) -> int:
    """Prove lessons: each step fails before it is done, holds after `solve`, and is restored by going back."""
    import json
    from dataclasses import asdict

    from labctl.learn.authoring.proof import StepProof, prove
    from labctl.learn.lesson.shipped import load_named
    from labctl.report.lesson.proof import proof_line
    from labctl.topology.unknown_names import no_such

    def show(found: StepProof) -> None:
        if form == "table":
            click.echo(proof_line(found.step, found.seed, found.findings, found.back))

    proofs: list[StepProof] = []
    files = [load_named(each, seed) for each in lessons for seed in seeds or (1,)]
    known = [step.name for file in files for step in file.steps]
    for name in steps:
        if name not in known:
            raise no_such(f"there is no step {name!r}", name, known)
    for file in files:
        if form == "table":
            click.echo(f"{file.name}: {file.lesson.title}")
        proofs += prove(file, steps, show)
    if form == "json":
        click.echo(json.dumps({"steps": [asdict(proof) for proof in proofs]}, indent=2))
    return ExitCode.FAILED if any(proof.findings for proof in proofs) else ExitCode.SUCCESS


@lesson.command()
def schema() -> int:
    """Print the JSON Schema of the front matter of a lesson, for editors."""
    import json

    from labctl.learn.lesson.model import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
    return ExitCode.SUCCESS
