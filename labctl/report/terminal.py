"""What a person reads: trees, tables and verdicts, in colour where there is a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from labctl.checks.outcome import Evidence, Result
from labctl.kernel.capabilities import Finding
from labctl.lab.events import Removed
from labctl.plan.facts import Link, Substitution
from labctl.plan.reasons import Change
from labctl.plan.steps import AddLink, AddNamespace, AddVeth, StartEngine
from labctl.report import diff
from labctl.report.console import console

if TYPE_CHECKING:
    from labctl.lab.status import EngineStatus, Status, Summary
    from labctl.lab.up import UpReport

MOST_NAMED = 12
"""What is gone is named up to this many; more is only counted."""

_MARKS = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "missing": "[red]missing[/]"}


def up(report: UpReport, hints: Sequence[tuple[str, str]]) -> None:
    out = console()
    if not report.changes:
        out.print(f"nothing to do: [bold]{report.lab}[/] is as its file says ({report.mode})")
        return
    steps = [change.step for change in report.changes]
    counts = [
        (sum(isinstance(step, AddNamespace) for step in steps), "namespace"),
        (sum(2 if isinstance(step, AddVeth) else isinstance(step, AddLink) for step in steps), "interface"),
        (sum(isinstance(step, StartEngine) for step in steps), "engine"),
    ]
    told = ", ".join(f"{number} {what}{'s' * (number != 1)}" for number, what in counts if number)
    what = told or f"{len(report.changes)} change{'s' * (len(report.changes) != 1)}"
    out.print()
    out.print(f"[bold green]{report.lab}[/] is up ({report.mode}, {report.seconds:.2f} s): {what}")
    _substitutions(out, report.substitutions)
    if hints:
        out.print("\nTry next:")
        width = max(len(command) for command, _ in hints)
        for command, words in hints:
            out.print(f"  [bold]{escape(command.ljust(width))}[/]  [dim]{words}[/]")


def plan(lab: str, changes: Sequence[Change], fresh: bool, explain: bool) -> None:
    """What `up` would do."""
    out = console()
    for change in changes:
        for line in diff.lines(change, fresh, explain):
            out.print(line)
    number = len(changes)
    told = f"{lab}: {number} step{'s' * (number != 1)} to do"
    out.print(told if number else f"nothing to do: {lab} is as its file says")


def _substitutions(out: Console, substitutions: Iterable[Substitution]) -> None:
    for (wanted, used, reason), group in groupby(
        sorted(substitutions, key=lambda s: (s.wanted, s.used, s.reason)), key=lambda s: (s.wanted, s.used, s.reason)
    ):
        subjects = ", ".join(substitution.subject for substitution in group)
        out.print(f"[yellow]in place of {wanted}: {used}[/] ({reason}): {subjects}")


def result(found: Result) -> None:
    """One check, as soon as it has its verdict."""
    out = console()
    mark = "[bold green]pass[/]" if found.passed else "[bold red]FAIL[/]" if found.asked else "[bold yellow]????[/]"
    _hanging(out, f"{mark} [bold]{found.name}[/]  ", [escape(found.description)])
    style = "dim" if found.passed else ""
    if not found.passed:
        _hanging(out, "     expected  ", [escape(found.expected)])
    _hanging(out, "     observed  ", [escape(found.observed)], style)
    _hanging(out, "     counted   ", _evidence(found.evidence), style)
    if found.lost:
        _hanging(out, "     ", [f"[bold]{escape(found.lost)}[/]"])
    if found.message:
        _hanging(out, "     ", [escape(found.message)])
    out.print(f"     [dim]by hand   {escape(found.command)}[/]")  # in one piece, to be copied


def _hanging(out: Console, label: str, texts: Iterable[str], style: str = "") -> None:
    """Texts that begin with the same label, and go on below themselves where a terminal is too narrow."""
    grid = Table.grid()
    grid.add_column(no_wrap=True)
    grid.add_column()
    for text in texts:
        grid.add_row(label, text)
    out.print(grid, style=style, soft_wrap=False)


def _evidence(evidence: Sequence[Evidence]) -> Iterable[str]:
    """Places with one number together; what does not hold stands alone, with what it had to be."""
    for (observed, holds, expected), group in groupby(
        evidence, key=lambda e: (e.observed, e.holds, "" if e.holds else e.expected)
    ):
        places = " ".join(
            f"{place} ({' '.join(found.counter for found in found_there)})"
            for place, found_there in groupby(group, key=lambda e: e.place)
        )
        packets = f"{observed} packet{'s' * (observed != 1)}"
        yield f"{packets} at {places}" if holds else f"[red]{packets}, not {expected},[/] at {places}"


def verdict(lab: str, results: Sequence[Result]) -> None:
    failed = sum(found.asked and not found.passed for found in results)
    unasked = sum(not found.asked for found in results)
    counts = [(failed, "red", "failed"), (unasked, "yellow", "could not be asked")]
    words = [f"[bold {colour}]{number} {word}[/]" for number, colour, word in counts if number]
    told = ", ".join(words) or "[bold green]all passed[/]"
    console().print(f"\n{lab}: {len(results)} check{'s' * (len(results) != 1)}, {told}")


def status(report: Status) -> None:
    out = console()
    out.print(f"[bold]{report.lab}[/] ({report.mode})")
    table = _table("namespace", "interface", "kind", "state", "MTU", "addresses", ">rx", ">tx")
    for name, space in report.namespaces.items():
        if space is None:
            table.add_row(name, "[red]gone[/]")
            continue
        for link in space.links.values():
            table.add_row(name, *_link(link))
            name = ""
    out.print(table)
    if report.engines:
        engines = _table("engine", "state", "command", ">TUN read", ">sent", ">received", ">TUN written", "dropped")
        for engine in report.engines:
            counts = engine.counters
            engines.add_row(
                engine.device,
                f"pid {engine.pid}" if engine.running else "[red]ended[/] (labctl logs)",
                engine.command,
                *(str(counts.get(f"{n}_packets", 0)) for n in ("tun_read", "udp_sent", "udp_received", "tun_written")),
                ", ".join(f"{n} {c}" for n, c in counts.items() if c and n.startswith(("in_", "out_", "icmp_"))),
            )
        out.print(engines)
        _offloads(out, report.engines)
    _substitutions(out, report.substitutions)
    if report.drift:
        out.print("[yellow]differs from its file[/] (labctl up FILE repairs it):")
        for change in report.drift:
            for line in diff.lines(change, fresh=False, explain=False):
                out.print(line)


def _offloads(out: Console, engines: Iterable[EngineStatus]) -> None:
    """Which offloads of the kernel are engaged, engines with the same ones together."""
    running = sorted((engine.offload, engine.device) for engine in engines if engine.running)
    for words, group in groupby(running, key=lambda pair: pair[0]):
        devices = ", ".join(device for _, device in group)
        out.print(f"[dim]offload engaged: {' '.join(words) or 'none'} ({devices})[/]")


def _link(link: Link) -> list[str]:
    kind = f"{link.kind} [yellow]({link.stand_in})[/]" if link.stand_in else link.kind
    state = link.state if link.up else "[red]down[/]"
    counters = (str(link.counters.rx_packets), str(link.counters.tx_packets))
    return [link.name, kind, state, str(link.mtu), " ".join(link.addresses), *counters]


def _table(*headings: str) -> Table:
    """Columns of a table; one that begins with > holds numbers."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in headings:
        right = heading.startswith(">")
        table.add_column(heading.lstrip(">"), justify="right" if right else "left", overflow="fold")
    return table


def labs(summaries: Sequence[Summary]) -> None:
    out = console()
    if not summaries:
        out.print("no lab is running")
        return
    table = _table("lab", "mode", ">namespaces", "engines", "state")
    for summary in summaries:
        table.add_row(
            summary.lab,
            summary.mode,
            str(summary.namespaces),
            f"{summary.engines_running} of {summary.engines} running",
            "up" if summary.complete else "[yellow]unfinished[/]",
        )
    out.print(table)


def down(removed: Sequence[Removed], lab: str) -> None:
    console().print(f"[bold]{lab}[/] is down: {_named_or_counted(removed)}")


def _named_or_counted(removed: Sequence[Removed]) -> str:
    """What is gone by name; where it is much, how many there are of each kind."""
    if len(removed) <= MOST_NAMED:
        return ", ".join(found.what for found in removed) or "nothing was left of it"
    kinds = Counter(found.kind for found in removed)
    return ", ".join(
        f"{number} {kind}{'' if number == 1 else 'es' if kind.endswith('s') else 's'}" for kind, number in kinds.items()
    )


def doctor(findings: Iterable[Finding], able: bool) -> None:
    out = console()
    table = _table("", "what", "found")
    for finding in findings:
        helps = f"\n[bold]→ {escape(finding.helps)}[/]" if finding.helps else ""
        table.add_row(_MARKS[finding.verdict], finding.name, escape(finding.found) + helps)
    out.print(table)
    out.print("\n[bold green]this machine can run labs[/]" if able else "\n[bold red]this machine cannot run labs[/]")
