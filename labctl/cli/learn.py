"""The command for a student: learn."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl.cli import completion
from labctl.cli.base import cli, format_option
from labctl.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from labctl.learn.lesson.load import LessonFile
    from labctl.learn.player import Player
    from labctl.learn.progress import Folder


@cli.command()
@click.argument("lesson", required=False, metavar="[LESSON]", shell_complete=completion.lessons)
@click.option("--list", "listing", is_flag=True, help="Only list the lessons, with how far you are in each.")
@click.option("--seed", type=click.IntRange(min=0), help="Which addresses and values the lesson has.")
@click.option("--again", is_flag=True, help="Begin the lesson anew.")
@click.option("--shell", is_flag=True, help="With a shell in a second pane of this terminal (tmux).")
@click.option("--submit", metavar="FILE", help="Only write what happened in the lesson to a file, for the teacher.")
@format_option
@click.option(
    "--web",
    is_flag=False,
    flag_value="",
    metavar="[ADDRESS:PORT]",
    help="Serve the lesson as a page for a browser, on loopback if nothing else is said.",
)
def learn(
    lesson: str | None,
    listing: bool,
    seed: int | None,
    again: bool,
    shell: bool,
    submit: str | None,
    web: str | None,
    form: str,
) -> int:
    """Go through a lesson, step by step: by its name, its number, or its folder; or through the next one.

    The steps check themselves while you work in the lab, in another terminal.
    """
    from labctl.learn.course import listed
    from labctl.learn.player import Player
    from labctl.learn.programs import refuse_without
    from labctl.learn.progress import Folder
    from labctl.learn.terminal import refuse_without_terminal
    from labctl.learn.tmux import refuse_without_tmux
    from labctl.report.reporter import reporter

    folder = Folder()
    if listing:
        reporter(form).lessons(listed(folder))
        return ExitCode.SUCCESS
    if form == "json":
        raise UsageError("a lesson is no JSON", "-f json is for --list", "labctl learn --list -f json")
    if submit is not None:
        return _handed_in(lesson, folder, submit)
    if web is None or lesson is None:
        refuse_without_terminal()
    if shell:
        refuse_without_tmux()
    chosen = lesson or _chosen(folder)
    if chosen is None:
        return ExitCode.SUCCESS
    file = _lesson(chosen, seed, folder)
    refuse_without(file.lesson.needs)
    player = Player.anew(file, folder) if again else Player.open(file, folder)
    if player.is_over:
        _tell(player)
        click.echo(f"anew: labctl learn {shlex.quote(chosen)} --again")
        return ExitCode.SUCCESS
    if web is not None:
        return _in_a_browser(player, web)
    return _beside_a_shell(player, again) if shell else _alone(player)


def _chosen(folder: Folder) -> str | None:
    """Show the lessons, and ask which one. Return None where none is to follow."""
    from labctl.learn.course import current, listed
    from labctl.report.lesson import course

    lessons = listed(folder)
    course.lessons(lessons)
    following = current(lessons)
    if following is None:
        click.echo("\nYou have been through all of them. Type the number of one to see how; Enter ends.")
    else:
        at = f", step {following.step} of {following.of}" if following.state == "begun" else ""
        click.echo(f"\nEnter goes on with {following.name}{at}.\nOr type the number of another lesson; q ends.")
    try:
        typed = input("> ").strip()
    except EOFError:
        return None
    if typed in ("q", "quit"):
        return None
    return typed or (following.name if following else None)


def _handed_in(lesson: str | None, folder: Folder, target: str) -> int:
    """Write what happened in a lesson, by default the one that was gone through last."""
    from labctl.learn.course import listed
    from labctl.learn.player import Player
    from labctl.learn.submitted import hand_in

    begun = sorted((each for each in listed(folder) if each.state != "new"), key=lambda each: each.since)
    if lesson is None and not begun:
        raise UsageError("there is nothing to hand in", "no lesson was begun", "labctl learn begins one")
    file = _lesson(lesson or begun[-1].name, None, folder)
    results = hand_in(Player.open(file, folder), Path(target))
    told = f", with {len(results)} check{'s' * (len(results) != 1)} asked now" if results else ""
    click.echo(f"wrote {target}: the lesson {file.name}{told}")
    return ExitCode.SUCCESS


def _lesson(chosen: str, seed: int | None, folder: Folder) -> LessonFile:
    """Return a lesson with the seed that is asked for, or that it was begun with, or that the teacher has given."""
    from labctl.learn.classroom.spool import own_seed
    from labctl.learn.lesson.load import load, name_of
    from labctl.learn.lesson.shipped import find

    path = find(chosen)
    known = folder.read(name_of(path))
    if seed is None:
        seed = known.seed if known else own_seed()
    return load(path, 1 if seed is None else seed)


def _alone(player: Player) -> int:
    """Go through a lesson on this terminal, and say what follows."""
    from labctl.learn.terminal import learn as go_through

    if go_through(player) != "gone":
        _tell(player)
    return ExitCode.SUCCESS


def _in_a_browser(player: Player, written: str) -> int:
    """Serve a lesson as a page until Ctrl-C."""
    from labctl.web.access import DEFAULT, place
    from labctl.web.lesson_session import serve

    at = place(written or DEFAULT)
    serve(player, at, lambda url: click.echo(f"lesson {player.file.name} is at {url}; Ctrl-C ends"))
    return ExitCode.SUCCESS


def _beside_a_shell(player: Player, again: bool) -> int:
    """Have another labctl go through a lesson beside a shell: what follows is said here, where it stays."""
    from labctl.learn.player import Player
    from labctl.learn.tmux import beside_a_shell

    file = player.file
    lab = file.labs[0]
    say = f"Commands go here, for example: labctl exec {next(iter(lab.namespaces))} -- ip addr"
    words = ["learn", str(file.directory), "--seed", str(file.seed), *(["--again"] if again else [])]
    code, errors = beside_a_shell(words, lab.name, say)
    if code:
        sys.stderr.write(errors)
        return code
    _tell(Player.open(file, player.folder))
    return ExitCode.SUCCESS


def _tell(player: Player) -> None:
    """Tell what a lesson was about, if it is over, or else how it goes on."""
    from labctl.learn.course import following, passed
    from labctl.learn.lesson.shipped import folders
    from labctl.report.lesson import course

    file, progress = player.file, player.progress
    if player.is_over:
        course.over(file.lesson.title, passed(file, progress), following(file.name))
    else:
        named = file.name if file.directory in folders().values() else str(file.directory)
        course.left(named, progress.lab, progress.step + 1, progress.of)
