"""What was done and what is there of a lab, for a person: lines and tables, in colour where there is a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from labctl.engine.counters import words_for
from labctl.engine.features import told
from labctl.plan import steps
from labctl.plan.coverage import Coverage
from labctl.plan.facts import Link, Namespace
from labctl.plan.recorded import Substitution
from labctl.report import challenge, diff
from labctl.report.console import console
from labctl.topology.rename import given_name
from labctl.topology.shipped import as_typed

if TYPE_CHECKING:
    from labctl.kernel.drivers import Able
    from labctl.lab.cables.status import CableStatus
    from labctl.lab.reconcile import Planned
    from labctl.lab.status import EngineStatus, ProgramStatus, Status, Summary
    from labctl.lab.up import UpReport
    from labctl.rootless.userns_diagnosis import Diagnosis

_MARKS = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "missing": "[red]missing[/]"}


ROOMY = 120
"""Columns of a terminal in which each engine has one line."""


def up(report: UpReport, hints: Sequence[tuple[str, str]]) -> None:
    """Print what `up` did, and commands to try next, each with what it is for."""
    out = console()
    if not report.changes:
        out.print(f"nothing to do: [bold]{report.lab}[/] is as its file says ({report.mode})")
        _looked(out, report.coverage)
        _notes(out, report.notes)
        return
    done = [change.step for change in report.changes]
    counts = [
        (sum(isinstance(step, steps.AddNamespace) for step in done), "namespace"),
        (sum(2 if isinstance(step, steps.AddVeth) else isinstance(step, steps.AddLink) for step in done), "interface"),
        (sum(isinstance(step, steps.StartEngine) for step in done), "engine"),
        (sum(isinstance(step, steps.StartCable) for step in done), "cable end"),
        (sum(isinstance(step, steps.StartProgram) for step in done), "program"),
    ]
    told = ", ".join(f"{number} {what}{'s' * (number != 1)}" for number, what in counts if number)
    what = told or f"{len(report.changes)} change{'s' * (len(report.changes) != 1)}"
    out.print()
    out.print(f"[bold green]{report.lab}[/] is up ({report.mode}, {report.seconds:.2f} s): {what}")
    _substitutions(out, report.substitutions)
    _notes(out, report.notes)
    out.print("\nTry next:")
    width = max(len(command) for command, _ in hints)
    for command, words in hints:
        out.print(f"  [bold]{escape(command.ljust(width))}[/]  [dim]{words}[/]")


def plan(found: Planned, fresh: bool, explain: bool) -> None:
    """Print what `up` would do."""
    out = console()
    for change in found.pending.changes:
        for line in diff.lines(change, fresh, explain):
            out.print(line)
    number = len(found.pending.changes)
    told = f"{found.lab}: {number} step{'s' * (number != 1)} to do"
    made = f" (it was made{_made_from(found.file)})" if found.file else ""
    out.print(f"{told if number else f'nothing to do: {found.lab} is as its file says'}{made}")
    if not number:
        _looked(out, found.pending.coverage)


def _looked(out: Console, coverage: Coverage) -> None:
    """Print what was looked at where nothing is to do, and what was not."""
    grid = Table.grid(padding=(0, 2))
    grid.add_row("looked at", escape(", ".join(coverage.looked_at)))
    grid.add_row("not at", escape(", ".join(coverage.not_looked_at)))
    out.print(grid, style="dim", soft_wrap=False)


def _notes(out: Console, notes: Iterable[str]) -> None:
    for note in notes:
        out.print(f"[yellow]note:[/] {escape(note)}")


def _substitutions(out: Console, substitutions: Iterable[Substitution]) -> None:
    for (wanted, used, reason), group in groupby(
        sorted(substitutions, key=lambda s: (s.wanted, s.used, s.reason)), key=lambda s: (s.wanted, s.used, s.reason)
    ):
        subjects = ", ".join(str(substitution.subject) for substitution in group)
        out.print(f"[yellow]in place of {wanted}: {used}[/] ({reason}): {subjects}")


def status(report: Status) -> None:
    """Print interfaces and engines with their counters, and how the lab differs from its file."""
    out = console()
    out.print(f"[bold]{report.lab}[/] ({report.mode}){_made_from(report.file, report.inventory)}")
    table = _table("namespace", "interface", "kind", "state", "MTU", "addresses", ">rx", ">tx")
    for name, space in report.namespaces.items():
        if space is None:
            table.add_row(name, "[red]gone[/]")
            continue
        for link in space.links.values():
            table.add_row(name, *_link(link))
            name = ""
    out.print(table)
    for host in report.hosts:
        what = "" if not host.why else "[red]another lab[/] " if host.reached else "[red]not reached[/] "
        out.print(f"{what}on {escape(host.host)}: {', '.join(host.namespaces)}")
        if host.why:
            out.print(f"  {escape(host.why)}")
    if report.engines:
        _engines(out, report.engines)
        _offloads(out, report.engines)
    _cables(out, report.cables)
    if report.programs:
        programs = _table("program", "state", ">restarts", "command")
        for program in report.programs:
            programs.add_row(program.program, _state(program), str(program.restarts), escape(program.command))
        out.print(programs)
    _firewalls(out, report.namespaces)
    _substitutions(out, report.substitutions)
    if report.pending and report.pending.changes:
        out.print(f"[yellow]differs from its file[/]{_mended_by(report)}:")
        for line in diff.differences(report.pending.changes):
            out.print(line)
    elif report.pending:
        lost = ", ".join(host.host for host in report.hosts if not host.reached)
        out.print(f"{report.lab} is as its file says" + (f", but for {escape(lost)}: not reached" if lost else ""))
        _looked(out, report.pending.coverage)
    elif report.topology is None:
        again = f"labctl up {_typed(report)} makes it whole, " if report.file else ""
        out.print(f"[yellow]unfinished:[/] labctl up has not come to its end ({again}labctl down {report.lab} ends it)")
    challenge.note(report.challenge)


def _engines(out: Console, engines: Iterable[EngineStatus]) -> None:
    """Print what engines have carried; what they have dropped is below where a column of it leaves too little room."""
    beside = out.width >= ROOMY
    columns = ("engine", "state", "command", ">TUN read", ">sent", ">received", ">TUN written")
    table, below = _table(*columns, *(("dropped",) if beside else ())), []
    for engine in engines:
        counts = engine.counters
        numbers = (
            str(counts[f"{n}_packets"]) if counts else "–"  # noqa: RUF001
            for n in ("tun_read", "udp_sent", "udp_received", "tun_written")
        )
        lost = ", ".join(words_for(n, c) for n, c in counts.items() if c and n.startswith(("in_", "out_", "icmp_")))
        table.add_row(engine.device, _engine_state(engine), engine.command, *numbers, *((lost,) if beside else ()))
        if lost and not beside:
            below.append(f"{engine.device} dropped {lost}")
    out.print(table)
    for line in below:
        out.print(line, soft_wrap=False)


def _engine_state(engine: EngineStatus) -> str:
    if not engine.running:
        return "[red]ended[/] (labctl logs)"
    return f"[red]stopped[/], pid {engine.pid}" if engine.stopped else f"pid {engine.pid}"


def _state(program: ProgramStatus) -> str:
    if program.state == "running":
        return f"pid {program.pid}"
    told = {"waiting": f"{program.ended}, waits", "stopped": "stopped"}.get(program.state, program.ended or "ended")
    return f"[red]{told}[/] (labctl logs)"


def _mended_by(report: Status) -> str:
    return f" (labctl up {_typed(report)} repairs it)" if report.file else ""


def _typed(report: Status) -> str:
    return escape(as_typed(report.file, report.inventory, given_name(report.lab, report.namespaces)))


def _made_from(file: str, inventory: str = "") -> str:
    return f" from {escape(as_typed(file, inventory))}" if file else ""


def _offloads(out: Console, engines: Iterable[EngineStatus]) -> None:
    """Print which offloads of the kernel are engaged, and which core; engines with the same ones together."""
    running = sorted((engine.offload, engine.device) for engine in engines if engine.running and engine.counters)
    for words, group in groupby(running, key=lambda pair: pair[0]):
        devices = ", ".join(device for _, device in group)
        out.print(f"[dim]{told(words)} ({devices})[/]")


def _cables(out: Console, cables: Sequence[CableStatus]) -> None:
    """Print the ends of cables to other hosts, and what is in the way of those without carrier."""
    if not cables:
        return
    from labctl.engine.cable.counters import DROPS_IN, DROPS_OUT
    from labctl.engine.cable.counters import words_for as words_for_cable

    grid = _table("cable", "to", "state", ">frames out", ">frames in", "dropped")
    for cable in cables:
        counts = cable.counters
        colour, shown = ("green", "up") if cable.is_up else ("red", _without_carrier(cable))
        # What came before an end was joined is no loss: the other end was only sooner.
        drops = ((name, counts[name]) for name in (*DROPS_OUT, *DROPS_IN[1:], "lost_datagrams") if counts.get(name))
        grid.add_row(
            cable.device,
            f"{cable.to} on {cable.host}",
            f"[{colour}]{shown}[/]",
            *(str(counts[name]) if counts else "–" for name in ("sent_frames", "received_frames")),  # noqa: RUF001
            ", ".join(words_for_cable(*drop) for drop in drops),
        )
    out.print(grid)
    for cable in cables:
        out.print(f"[dim]{cable.device}: {escape(str(cable))}[/]")


def _without_carrier(cable: CableStatus) -> str:
    return "stopped" if cable.stopped else "no carrier" if cable.running else "ended"


def _firewalls(out: Console, namespaces: Mapping[str, Namespace | None]) -> None:
    """Print the tables of nftables; nothing where no namespace has one."""
    grid = _table("namespace", "firewall", ">chains", ">rules")
    for name, space in namespaces.items():
        for table in space.tables if space else ():
            grid.add_row(name, escape(f"table {table.family} {table.name}"), str(table.chains), str(table.rules))
            name = ""
    if grid.row_count:
        out.print(grid)


def _link(link: Link) -> list[str]:
    kind = f"{link.kind} [yellow]({link.stand_in})[/]" if link.stand_in else link.kind
    state = link.state if link.up else "[red]down[/]"
    counters = (str(link.counters.rx_packets), str(link.counters.tx_packets))
    return [link.name, kind, state, str(link.mtu), " ".join(link.addresses), *counters]


def _table(*headings: str) -> Table:
    """Return a table with these columns; one that begins with > holds numbers."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in headings:
        right = heading.startswith(">")
        table.add_column(heading.lstrip(">"), justify="right" if right else "left", overflow="fold")
    return table


def labs(summaries: Sequence[Summary]) -> None:
    """Print the labs that are running, a line each."""
    out = console()
    if not summaries:
        out.print("no lab is running")
        return
    table = _table("lab", "mode", ">namespaces", "engines", "programs", "state")
    for summary in summaries:
        table.add_row(
            summary.lab,
            summary.mode,
            str(summary.namespaces),
            "" if summary.hosts else f"{summary.engines_running} of {summary.engines} running",
            "" if summary.hosts else f"{summary.programs_running} of {summary.programs} running",
            _completeness(summary),
        )
    out.print(table)


def _completeness(summary: Summary) -> str:
    hosts = f"on {', '.join(summary.hosts)}" if summary.hosts else ""
    if not summary.complete:
        return f"[yellow]unfinished[/], {hosts}" if hosts else "[yellow]unfinished[/]"
    return hosts or "up"


def topologies(found: Mapping[str, str]) -> None:
    """Print the topologies that ship with labctl, by name, and what each shows."""
    out, table = console(), _table("topology", "what it shows")
    for name, description in found.items():
        table.add_row(name, escape(description))
    out.print(table)
    out.print("\nlabctl up NAME makes one; labctl topologies copy NAME . copies its file, to edit it")


def doctor(findings: Iterable[Diagnosis], labs: Able, machine: str) -> None:
    """Print what a machine can do, and which labs that is enough for."""
    from labctl.kernel.drivers import Able

    out = console()
    table = _table("", "what", "found")
    for finding in findings:
        helps = f"\n[bold]→ {escape(finding.helps)}[/]" if finding.helps else ""
        table.add_row(_MARKS[finding.verdict], finding.name, escape(finding.found) + helps)
    out.print(table)
    style = {Able.ALL: "green", Able.WITHOUT_TUN: "yellow", Able.NONE: "red"}[labs]
    out.print(f"\n[bold {style}]{escape(machine)} {labs.value}[/]")
