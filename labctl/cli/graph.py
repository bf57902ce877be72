"""The command that draws a lab."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl.cli import completion
from labctl.cli.base import cli, format_option, inventory_option, lab_option
from labctl.cli.labs import own_labs, running_lab
from labctl.errors import ExitCode, UsageError, kernel_words
from labctl.report.reporter import reporter

if TYPE_CHECKING:
    from labctl.report.graph.model import Picture

_BY_SUFFIX = {
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".dot": "dot",
    ".gv": "dot",
    ".svg": "svg",
    ".html": "html",
    ".htm": "html",
}


@cli.command()
@click.argument("file", metavar="[FILE|NAME]", required=False, shell_complete=completion.topologies)
@click.option("--as", "language", type=click.Choice(["mermaid", "dot", "svg", "html"]), help="Into what.")
@click.option("-o", "--output", type=click.Path(), help="Write a file; its suffix says into what.")
@inventory_option
@lab_option
@format_option
def graph(
    file: str | None, language: str | None, output: str | None, inventory: str | None, lab: str | None, form: str
) -> int:
    """Draw a topology file, or else the running lab, with what is dead or differs from its file in red."""
    from labctl.api.pictures import LANGUAGES

    if file is not None and lab is not None:
        raise click.UsageError("a file is drawn, or a running lab, not both")
    if file is None and inventory is not None:
        raise click.UsageError("an inventory is for a file that is drawn: a running lab has its hosts")
    language = language or _language_of(output)
    picture = _of_running(lab) if file is None else _of(file, inventory)
    drawn = LANGUAGES[language](picture)
    if output is not None:
        _write(output, drawn)
    reporter(form).picture(picture.lab, language, drawn, output or "")
    return ExitCode.SUCCESS


def _of(word: str, inventory: str | None) -> Picture:
    """Return the picture of a file or a shipped topology, or of the running lab where the word names nothing else."""
    from labctl.api.pictures import picture_of

    try:
        return picture_of(word, inventory)
    except UsageError:
        if os.path.lexists(word) or word not in own_labs():
            raise
    return _of_running(word)


def _of_running(lab: str | None) -> Picture:
    from labctl.api.pictures import picture_of_running

    return picture_of_running(running_lab(lab).status())


def _language_of(output: str | None) -> str:
    """Return the language that a file's suffix stands for; without a file it is Mermaid."""
    if output is None:
        return "mermaid"
    suffix = Path(output).suffix.lower()
    if suffix not in _BY_SUFFIX:
        raise UsageError(
            f"what to write into {output} is not clear", "", "name it .svg, .html, .mmd or .dot, or add --as svg"
        )
    return _BY_SUFFIX[suffix]


def _write(output: str, drawn: str) -> None:
    try:
        Path(output).write_text(drawn, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output} cannot be written", kernel_words(error), "name a file of your own") from None
