"""The command line: options in, exit codes out. What a command does is in `lab`, how it reads in `report`.

Everything heavy is imported by the command that needs it, so that --help and completion answer at once.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

import click

from labctl import __version__
from labctl.errors import LabError, UsageError

if TYPE_CHECKING:
    from labctl.kernel.room import Place
    from labctl.lab.up import UpReport
    from labctl.topology.model import Topology

WELL, CHECK_FAILED, WRONG, CANNOT = 0, 1, 2, 3
SOMETHING_TO_DO = 1
INTERRUPTED = 128 + signal.SIGINT

IMPAIRMENTS = {
    "delay": "50ms",
    "jitter": "5ms",
    "loss": "10%",
    "duplicate": "1%",
    "corrupt": "1%",
    "reorder": "25%",
    "rate": "10mbit",
    "seed": "7",
}

_format = click.option(
    "-f", "--format", "form", type=click.Choice(["table", "json"]), default="table", help="For a person or a program."
)
_lab = click.option("-l", "--lab", envvar="LABCTL_LAB", help="Which lab, where several are running.")

_explain = click.option("--explain", is_flag=True, help="Show the command that a person would type for every step.")


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 well, 1 a check failed, 2 the file or the call is wrong, 3 this machine cannot, "
    "4 the kernel refused and everything was taken back. Begin with: labctl up two-site",
)
@click.version_option(__version__, prog_name="labctl")
def cli() -> None:
    """Network labs from one YAML file: namespaces, tunnels, and checks that prove it with packet counts.

    As root a lab is real named namespaces; without any right it lives in a room of your own.
    """


@cli.command()
@click.argument("file", metavar="FILE|NAME")
@click.option("--name", help="Another name for the lab; it becomes the prefix of every namespace.")
@_explain
@_format
def up(file: str, name: str | None, explain: bool, form: str) -> int:
    """Make the lab of a topology file, or of a topology that ships with labctl."""
    from labctl.kernel.room import place_of_new
    from labctl.kernel.signals import carry_on
    from labctl.lab.up import up as make

    topology = _topology(file, name)
    place = place_of_new(topology.name)
    try:
        if form == "json":
            report = place.call(lambda: make(topology, place.mode, lambda _: None))
        else:
            report = place.call(lambda: _shown_up(topology, place.mode, explain))
        carry_on()  # the lab is made, and all that is left is to say so
    except BaseException:
        place.abandon()
        raise
    try:
        _report_up(report, topology, form)
    finally:
        place.keep()  # the very last: until here a room goes with the command, however it ends
    return WELL


@cli.command()
@click.argument("file", metavar="FILE|NAME")
@click.option("--name", help="The name of the lab, where it is not the file's.")
@_explain
@_format
def plan(file: str, name: str | None, explain: bool, form: str) -> int:
    """Show what `up` would do, without doing it; exit code 1 where there is something to do."""
    from labctl.lab.gap import planned

    topology = _topology(file, name)
    here = _places().get(topology.name)
    changes = here.call(lambda: planned(topology)) if here else planned(topology)
    if form == "json":
        from labctl.report import as_json

        click.echo(as_json.text(as_json.plan(topology.name, changes)))
    else:
        from labctl.report import terminal

        terminal.plan(topology.name, changes, fresh=here is None, explain=explain)
    return SOMETHING_TO_DO if changes else WELL


def _report_up(report: UpReport, topology: Topology, form: str) -> None:
    if form == "json":
        from labctl.report import as_json

        click.echo(as_json.text(as_json.up(report)))
    else:
        from labctl.report import terminal

        terminal.up(report, _hints(topology))
        sys.stdout.flush()


def _shown_up(topology: Topology, mode: str, explain: bool) -> Any:
    from labctl.lab.up import up as make
    from labctl.report.terminal import UpView

    view = UpView(topology.name, explain)
    try:
        return make(topology, mode, view.notify)
    finally:
        view.close()


def _topology(file: str, name: str | None = None) -> Topology:
    from labctl.topology.load import load
    from labctl.topology.rename import renamed
    from labctl.topology.shipped import find

    topology = load(find(file))
    return renamed(topology, name) if name is not None else topology


def _hints(topology: Topology) -> list[tuple[str, str]]:
    """What to try next, with the names of this very lab."""
    space = next(iter(topology.namespaces))
    hints = [("labctl status", "interfaces, addresses, engines and their counters")]
    if topology.checks:
        hints.insert(0, ("labctl verify", f"prove it: {len(topology.checks)} checks, with packet counts"))
    crossing = (check.ping for check in topology.checks if check.ping and check.crosses and check.expect != "no-reply")
    ping = next(crossing, None)
    if ping:
        hints.append((f"labctl exec {ping.from_} -- ping {ping.to}", "try it by hand"))
    hints.append((f"labctl shell {space}", f"a shell in {space}"))
    hints.append(("labctl down", "leaves no trace"))
    return hints


@cli.command()
@click.argument("checks", nargs=-1, metavar="[CHECK]...")
@click.option("--system-tools", is_flag=True, help="Use the ping and nc of this machine.")
@_lab
@_format
def verify(checks: tuple[str, ...], system_tools: bool, lab: str | None, form: str) -> int:
    """Run the checks of a lab, all or those named, and prove each with packet counts."""
    place, name = _running(lab)
    show = None
    if form == "table":
        from labctl.report import terminal

        show = terminal.result

    def work() -> list[Any]:
        from labctl.lab.verify import verify as results_of

        results = []
        for found in results_of(name, checks, _tools(system_tools)):
            results.append(found)
            if show:
                show(found)
        return results

    results = place.call(work)
    if show:
        terminal.verdict(name, results)
    else:
        from labctl.report import as_json

        click.echo(as_json.text(as_json.verify(name, results)))
    return WELL if all(found.passed for found in results) else CHECK_FAILED


def _tools(system: bool) -> Any:
    if system:
        from labctl.checks.system_tools import SystemTools

        return SystemTools()
    from labctl.checks.probes import Probes

    return Probes()


@cli.command()
@click.argument("lab", required=False, envvar="LABCTL_LAB")
@click.option("-l", "--lab", "also", help="The same, as an option.")
@click.option("-a", "--all", "everything", is_flag=True, help="Every lab of yours.")
def down(lab: str | None, also: str | None, everything: bool) -> int:
    """End a lab and leave no trace of it. Needs no topology file; a second time is no error."""
    from labctl.kernel.room import places, refuse_elsewhere
    from labctl.lab.down import down as end
    from labctl.lab.state import tidy

    running = _places()
    wanted = also or lab
    names = list(running) if everything or (wanted is None and len(running) == 1) else [wanted] if wanted else []
    if wanted is None and len(running) > 1 and not everything:
        raise _which(running)
    ended = False
    for name in names:
        if name not in running:
            refuse_elsewhere(name)
            continue
        place, ended = running[name], True
        removed: list[Any] = place.call(lambda name=name: _taken_down(end, name))  # type: ignore[misc]
        place.close()
        from labctl.report import terminal

        terminal.down(removed, name)
    if not ended:
        for place in places():
            place.call(tidy)  # an earlier down may have been killed at its very end
        click.echo(f"no lab{f' named {wanted}' if wanted else ''} is running: nothing to do")
    return WELL


def _taken_down(story: Callable[[str, Callable[[Any], None]], None], name: str) -> list[Any]:
    events: list[Any] = []
    story(name, events.append)
    return events


@cli.command()
@click.argument("lab", required=False, envvar="LABCTL_LAB")
@click.option("-l", "--lab", "also", help="The same, as an option.")
@_format
def status(lab: str | None, also: str | None, form: str) -> int:
    """Show what is there: namespaces, interfaces, addresses, engines with their counters."""
    from labctl.lab import status as story

    place, name = _running(also or lab)
    report = place.call(lambda: story.status(name))
    if form == "json":
        from labctl.report import as_json

        click.echo(as_json.text(as_json.status(report)))
    else:
        from labctl.report import terminal

        terminal.status(report)
    return WELL


@cli.command("list")
@_format
def list_(form: str) -> int:
    """List your labs."""
    from labctl.lab import status as story

    def summary(name: str, place: Place) -> Any:
        return place.call(lambda: story.summary(name, place.mode))

    summaries = [summary(name, place) for name, place in _places().items()]
    if form == "json":
        from labctl.report import as_json

        click.echo(as_json.text(as_json.labs(summaries)))
    else:
        from labctl.report import terminal

        terminal.labs(summaries)
    return WELL


@cli.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("namespace", metavar="NS")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- CMD...")
@_lab
def exec_(namespace: str, command: tuple[str, ...], lab: str | None) -> int:
    """Run a command in a namespace of a lab; its exit code is ours."""
    from labctl.lab import inside

    place, name = _running(lab)
    return place.call(lambda: inside.execute(name, namespace, command))


@cli.command()
@click.argument("namespace", metavar="NS")
@_lab
def shell(namespace: str, lab: str | None) -> int:
    """Open a shell in a namespace of a lab."""
    from labctl.kernel import terminal
    from labctl.lab import inside

    place, name = _running(lab)
    try:
        return place.call(lambda: inside.shell(name, namespace))
    finally:
        terminal.give_back()


@cli.command()
@click.argument("devices", nargs=-1, metavar="[NS:DEVICE]...")
@click.option("--follow", is_flag=True, help="Go on as the engines write, until Ctrl-C.")
@_lab
def logs(devices: tuple[str, ...], follow: bool, lab: str | None) -> int:
    """Show what the engines of a lab said: all, or those of the devices named."""
    from labctl.lab import logs as story

    place, name = _running(lab)

    def work() -> None:
        for line in story.lines(name, devices, follow):
            click.echo(line)

    place.call(work)
    return WELL


def _impairments(command: Callable[..., int]) -> Callable[..., int]:
    """An option for every word of tc netem."""
    for word, example in reversed(IMPAIRMENTS.items()):
        command = click.option(f"--{word}", metavar=example, help=f"{word}, for example {example}.")(command)
    return command


@cli.command()
@click.argument("device", metavar="NS:DEVICE")
@_impairments
@click.option("--direction", type=click.Choice(["out", "in"]), default="out", help="Which packets; out by default.")
@click.option("--show", is_flag=True, help="Only show what is in force.")
@click.option("--reset", is_flag=True, help="Take every impairment away first, in both directions.")
@_lab
@_format
def impair(
    device: str, direction: str, show: bool, reset: bool, lab: str | None, form: str, **words: str | None
) -> int:
    """Change what packets of a running tunnel endpoint suffer; what is not named stays."""
    from labctl.lab.impair import impair as change

    place, name = _running(lab)
    named = {word: value for word, value in words.items() if value is not None}
    if not (named or show or reset):
        raise UsageError("nothing to change", "", "name an impairment, as in --delay 50ms, or --show, or --reset")
    if reset:
        place.call(lambda: change(name, device, {"out": None, "in": None}))
    in_force = place.call(lambda: change(name, device, {direction: named} if named else {}))
    if form == "json":
        from labctl.report import as_json

        click.echo(as_json.text(as_json.impairments(name, device, in_force)))
    else:
        for way, impairment in in_force.items():
            click.echo(f"{device} {way.ljust(3)}  {impairment}")
    return WELL


@cli.command()
@click.argument("file", metavar="FILE|NAME")
def validate(file: str) -> int:
    """Check a topology file without making anything."""
    topology = _topology(file)
    click.echo(
        f"{file}: lab {topology.name}, {len(topology.namespaces)} namespaces, {len(topology.ttun)} tunnel endpoints, "
        f"{len(topology.checks)} checks: no mistakes"
    )
    return WELL


@cli.command()
@click.argument("file", metavar="FILE|NAME")
@click.option("--name", help="Another name for the lab; it becomes the prefix of every namespace.")
@click.option("--as", "language", type=click.Choice(["shell"]), default="shell", help="Into what; shell by default.")
def export(file: str, name: str | None, language: str) -> int:
    """Write the lab as the script that a person would type, with its own way back."""
    from labctl.plan.script import script

    click.echo({"shell": script}[language](_topology(file, name)), nl=False)
    return WELL


@cli.command()
def schema() -> int:
    """Print the JSON Schema of topology files, for editors."""
    import json

    from labctl.topology.model import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
    return WELL


@cli.command()
@_format
def doctor(form: str) -> int:
    """Say in plain words what this machine can do, by trying it."""
    from labctl.kernel.capabilities import can_run_labs, examine

    findings = examine()
    able = can_run_labs(findings)
    if form == "json":
        from labctl.report import as_json

        click.echo(as_json.text(as_json.doctor(findings, able)))
    else:
        from labctl.report import terminal

        terminal.doctor(findings, able)
    return WELL if able else CANNOT


def _places() -> dict[str, Place]:
    """Every lab of this user, with the place where it lives."""
    from labctl.kernel.room import places
    from labctl.lab.state import recorded_labs

    return {name: place for place in places() for name in ([place.lab] if place.lab else place.call(recorded_labs))}


def _running(lab: str | None) -> tuple[Place, str]:
    """The lab that is meant, and its place. Raises UsageError where that is none or not clear."""
    from labctl.kernel.room import refuse_elsewhere

    running = _places()
    if lab is None and len(running) == 1:
        lab = next(iter(running))
    if lab is None:
        raise _which(running)
    if lab not in running:
        refuse_elsewhere(lab)
        raise UsageError(
            f"there is no lab named {lab}",
            f"running: {', '.join(running) or 'none'}",
            "labctl up FILE makes one, labctl list shows yours",
        )
    return running[lab], lab


def _which(running: dict[str, Place]) -> UsageError:
    if not running:
        return UsageError("no lab is running", "", "make one first, for example: labctl up two-site")
    return UsageError("several labs are running", ", ".join(running), "say which one with -l LAB")


def main() -> NoReturn:
    """Run the command line, and end at once: the interpreter's own end takes longer than `labctl --help`."""
    code = answered()
    with suppress(OSError):  # what an error left in the buffer; the error itself is told already
        sys.stdout.flush()
    os._exit(code)


def answered() -> int:
    """Run the command line; every failure ends in a few lines and an exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _ended)
    try:
        code = cli.main(standalone_mode=False)
        sys.stdout.flush()
    except LabError as error:
        _tell(error)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = WRONG
    except SystemExit as ended:
        code = int(ended.code or WELL)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        code = INTERRUPTED
    except BrokenPipeError:
        # Nobody reads our output any more; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = WELL
    except Exception as error:
        if os.environ.get("LABCTL_TRACEBACK"):
            raise
        _tell(
            LabError(
                "labctl itself failed, which it should not",
                f"{type(error).__name__}: {error}",
                "please report it, with what LABCTL_TRACEBACK=1 shows for the same command",
            )
        )
        code = CHECK_FAILED
    return code or WELL


def _ended(number: int, _: object) -> NoReturn:
    """A signal that asks us to end: unwind, so that what was begun is taken back."""
    raise SystemExit(128 + number)


def _tell(error: LabError) -> None:
    """What failed, why, what to do now."""
    click.echo(click.style(error.what, fg="red", bold=True), err=True)
    if error.why:
        # The mistakes of a file begin with FILE:LINE:COLUMN, which editors and terminals know at the start of a line.
        click.echo(error.why if "\n" in error.why else f"  {error.why}", err=True)
    if error.hint:
        click.echo(click.style(f"  → {error.hint}", bold=True), err=True)


if __name__ == "__main__":
    main()
