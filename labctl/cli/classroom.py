"""Commands for a teacher, who is root on the students' server: class and all below it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from labctl.cli.base import SECONDS, cli, format_option
from labctl.cli.operate import junit_file
from labctl.cli.streams import tolerate_unwritable_output
from labctl.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from labctl.learn.classroom.listing import Row
    from labctl.learn.classroom.people import Student
    from labctl.learn.classroom.tables import Table

_FORMATS = click.Choice(["table", "json", "csv"])
_format_option = click.option(
    "-f", "--format", "form", type=_FORMATS, default="table", help="For a person, a program or a spreadsheet."
)
_checks_option = click.option(
    "--checks", "file", metavar="FILE|NAME", help="The teacher's topology, or a file with checks alone."
)


def _class(names: Sequence[str] = ()) -> list[Student]:
    """Return the students of this machine. Raise MachineError without root's rights."""
    from labctl.learn.classroom import people, spool
    from labctl.rootless.holders import every_holder, need_root

    need_root("labctl class", "labctl class")
    return people.chosen(people.students(every_holder(), spool.users()), names)


@cli.group("class", invoke_without_command=True)
@click.option("--watch", is_flag=True, help="Show it again and again, on the whole terminal; Ctrl-C ends it.")
@click.option("--every", type=SECONDS, default=10.0, help="Seconds between two looks.")
@click.option("--quick", is_flag=True, help="Measure no checks: only what there is, and what students have reported.")
@_checks_option
@_format_option
@click.pass_context
def class_(context: click.Context, watch: bool, every: float, quick: bool, file: str | None, form: str) -> int:
    """Show the labs and lessons of all users of this server, as root.

    Who, which step, since when, how many hints, which checks fail now, and what the lab costs.
    """
    from labctl.learn.classroom.listing import listing
    from labctl.learn.classroom.tables import class_as_records, class_as_values, of_class
    from labctl.learn.classroom.teachers_checks import AsReported, of_file

    if command := context.invoked_subcommand:
        _refuse_options_before(command, context)
        return ExitCode.SUCCESS
    _class()
    checks = None if quick else of_file(file) if file else AsReported()
    if watch:
        _watch(lambda: of_class(listing(_class(), checks), time.time()), every)
        return ExitCode.SUCCESS
    rows = listing(_class(), checks)
    _print(form, of_class(rows, time.time()), class_as_values(rows), class_as_records(rows))
    return ExitCode.SUCCESS


def _refuse_options_before(command: str, context: click.Context) -> None:
    """Raise UsageError where an option stands before a command, which knows nothing of it."""
    for name in context.params:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"what {command} is to know stands behind it: labctl class {command} [OPTION]...")


@class_.command()
@click.argument("users", nargs=-1, metavar="[USER]...")
@_checks_option
@click.option("--lesson", metavar="NAME", help="Those of a step of a lesson, as it is for the seed of each student.")
@click.option("--step", type=click.IntRange(min=1), help="Which step; the one that each reports where it is not given.")
@click.option("--junit", type=click.Path(), help="Write the verdicts to a file as JUnit XML, too.")
@_format_option
@tolerate_unwritable_output()
def verify(
    users: tuple[str, ...], file: str | None, lesson: str | None, step: int | None, junit: str | None, form: str
) -> int:
    """Measure the teacher's checks in the lab of every student, from outside and with the rights of that student.

    Without --checks and --lesson they are those of the shipped topology that has the name of the lab. Where that may
    be another one, because the student reports to be in a lesson there, or has other tunnels, no check has failed: it
    could not be asked. Of one student all is shown.
    """
    from labctl.learn.classroom.listing import as_verified, measured_rows
    from labctl.learn.classroom.tables import (
        class_as_records,
        class_as_values,
        of_results,
        of_results_at_reported_steps,
    )
    from labctl.learn.classroom.teachers_checks import OfShipped, of_file, of_lesson

    if file and lesson:
        raise UsageError("--checks and --lesson are two answers to one question", "", "leave one of them out")
    if step is not None and lesson is None:
        raise UsageError("--step is one of a lesson", "no lesson is named", "name it with --lesson")
    students = _class(users)
    checks = of_file(file) if file else of_lesson(lesson, step) if lesson else OfShipped()
    with junit_file(junit) as write:
        rows = measured_rows(students, checks)
        write(list(map(as_verified, rows)))
    if form == "table" and len(students) == 1:
        _print_whole(rows)
    else:
        table = of_results_at_reported_steps if lesson and step is None else of_results
        _print(form, table(rows), class_as_values(rows), class_as_records(rows))
    if rows and all(row.measured and row.measured.passed for row in rows):
        return ExitCode.SUCCESS
    return ExitCode.FAILED if any(row.measured and row.measured.failed for row in rows) else ExitCode.NOT_ASKED


@class_.command()
@click.argument("users", nargs=-1, required=True, metavar="USER...")
@format_option
@tolerate_unwritable_output()
def reset(users: tuple[str, ...], form: str) -> int:
    """End the labs of students, who can then begin again."""
    return _end(_class(users), form)


@class_.command()
@click.option("--all", "all_of_them", is_flag=True, help="Really all; it is needed.")
@format_option
@tolerate_unwritable_output()
def down(all_of_them: bool, form: str) -> int:
    """End the labs of all students, and remove their messages and seeds."""
    from labctl.learn.classroom import spool

    students = _class()
    if not all_of_them:
        raise UsageError("this would end the labs of all students", "", "if that is meant: labctl class down --all")
    code = _end(students, form)
    spool.clear()
    return code


@class_.command()
@click.argument("text")
@click.option("--user", "users", multiple=True, help="To whom; to all students where it is not given.")
def message(text: str, users: tuple[str, ...]) -> int:
    """Show a text to students, in the screen of their lesson."""
    from labctl.learn.classroom import spool

    students = _class(users)
    for student in students:
        spool.send(student.uid, student.gid, text)
    click.echo(f"told {', '.join(student.name for student in students) or 'none'}")
    return ExitCode.SUCCESS


@class_.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--course", default="", help="Seeds of another course are others.")
@_format_option
def roster(file: Path, course: str, form: str) -> int:
    """Give every user of a CSV file a seed, so that neighbours have other addresses and other faults."""
    from dataclasses import asdict

    from labctl.learn.classroom.roster import enrol, read
    from labctl.learn.classroom.tables import of_roster

    users = read(file)
    _class()
    found = enrol(users, course)
    values = [asdict(each) for each in found]
    _print(form, of_roster(found), values, values)
    return ExitCode.SUCCESS


@class_.command()
@click.argument("directory", type=click.Path(path_type=Path))
@_format_option
@tolerate_unwritable_output()
def collect(directory: Path, form: str) -> int:
    """Show the files that students have written with `labctl learn --submit`: all in them is self-reported."""
    from labctl.learn.classroom.submission import Refused
    from labctl.learn.classroom.submission import collect as collected
    from labctl.learn.classroom.tables import of_submissions, submissions_as_records, submissions_as_values

    found = list(collected(directory))
    _print(form, of_submissions(found, time.time()), submissions_as_values(found), submissions_as_records(found))
    return ExitCode.FAILED if any(isinstance(each, Refused) for each in found) else ExitCode.SUCCESS


@class_.command()
@click.argument("directory", type=click.Path(path_type=Path))
@_format_option
@tolerate_unwritable_output()
def results(directory: Path, form: str) -> int:
    """Show what the Ansible playbook of a class has kept: which server has measured what, and what is self-reported.

    Only what the playbook has written belongs in that directory; what students hand in is for `collect`.
    """
    from labctl.learn.classroom.server_tables import of_servers, servers_as_records, servers_as_values
    from labctl.learn.classroom.servers import Found
    from labctl.learn.classroom.servers import results as results_of

    found = list(results_of(directory))
    _print(form, of_servers(found, time.time()), servers_as_values(found), servers_as_records(found))
    well = all(isinstance(each, Found) and each.ok for each in found)
    return ExitCode.SUCCESS if well else ExitCode.FAILED


def _end(students: Sequence[Student], form: str) -> int:
    from labctl.learn.classroom.orders import end

    names = {student.uid: student.name for student in students}
    ended: list[dict[str, Any]] = []
    for holder, wrong in end([holder for student in students for holder in student.holders]):
        ended.append({"user": names[holder.uid], "lab": holder.lab, "ended": not wrong, "why": wrong})
        if form == "table":
            words = f"could not be ended: {wrong}" if wrong else "is ended"
            click.echo(f"{names[holder.uid]}: lab {holder.lab} {words}")
    if form == "json":
        _print_json(ended)
    elif not ended:
        click.echo("there is no lab to end")
    return ExitCode.SUCCESS if all(each["ended"] for each in ended) else ExitCode.REFUSED


def _print(form: str, table: Table, values: list[dict[str, Any]], records: Sequence[dict[str, object]]) -> None:
    if form == "json":
        _print_json(values)
    elif form == "csv":
        from labctl.learn.classroom.tables import csv_of

        click.echo(csv_of(records), nl=False)
    else:
        from labctl.report.columns import show

        show(table)


def _print_whole(rows: Sequence[Row]) -> None:
    """Print all that is known of the checks of one student."""
    from labctl.learn.classroom.tables import summary
    from labctl.report.verdicts import result

    for row in rows:
        click.echo(f"{row.user}, {f'lab {row.lab}' if row.lab else 'no lab'}: {summary(row.measured)}")
        for each in row.measured.results if row.measured else ():
            result(each)


def _print_json(values: list[dict[str, Any]]) -> None:
    import json

    click.echo(json.dumps(values, indent=2))


def _watch(look: Callable[[], Table], every: float) -> None:
    """Show a table until a signal ends it. Raise UsageError where there is no terminal."""
    import select
    import signal

    from labctl.engine.loop.signals import heard
    from labctl.report.columns import shown_again

    if not sys.stdout.isatty():
        raise UsageError("labctl class --watch draws on a terminal", "standard output is none", "leave --watch out")
    with heard(signal.SIGINT, signal.SIGTERM) as stop, shown_again() as show:
        while True:
            show(look())
            if select.select([stop], [], [], every)[0]:
                return
