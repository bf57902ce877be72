"""`python -m benchmarks`: measure every contender in interleaved rounds, and report."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console

from benchmarks import busy, memory, observers, report, scale
from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.loads import ROWS
from benchmarks.world import INSIDE, REPOSITORY, Failed, Pair, enter, wait_for


def main() -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, to see that everything runs")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default 5)")
    parser.add_argument("--seconds", type=float, default=2, help="how long a measurement takes (default 2)")
    parser.add_argument("--only", nargs="+", default=[], help="rows and contenders, by name")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "build", help="directory of the results")
    given = parser.parse_args()
    if INSIDE not in os.environ:
        return enter([sys.executable, "-m", "benchmarks", *sys.argv[1:]])
    rounds, seconds = (1, 1) if given.quick else (given.rounds, given.seconds)

    console = Console()
    absent: dict[str, str] = {}
    figures = [report.Figure(row.name, row.unit, row.better) for row in ROWS if _wanted(row.name, given.only)]
    with ExitStack() as opened:
        status = opened.enter_context(console.status("starting the contenders"))
        pairs: dict[tuple[str, int], Pair] = {}
        for contender in _present(given.only, absent):
            for mtu in sorted({row.wire_mtu for row in ROWS if row.has(contender) and _wanted(row.name, given.only)}):
                try:
                    pairs[contender.name, mtu] = opened.enter_context(standing(contender, mtu))
                except (Failed, OSError) as error:
                    absent[contender.name] = str(error)
        for number in range(rounds):
            for row, figure in [(row, figure) for row in ROWS for figure in figures if figure.name == row.name]:
                for contender in CONTENDERS:
                    pair = pairs.get((contender.name, row.wire_mtu))
                    if pair is None or not row.has(contender):
                        continue
                    status.update(f"round {number + 1} of {rounds}: {row.name}, {contender.name}")
                    try:
                        value = row.measure(pair, contender, seconds)
                    except (Failed, KeyError, ValueError) as error:
                        absent[f"{contender.name} in {row.name}, round {number + 1}"] = str(error).splitlines()[0]
                    else:
                        figure.values.setdefault(contender.name, []).append(value)
    if _wanted("engine-memory", given.only):
        figures.append(report.Figure("engine-memory", "MB", "lower", memory.measure()))
    if not given.only or "observers" in given.only:
        status.update("a stream that is looked at")
        figures += observers.measure(rounds, seconds, absent)
    if not given.only or "scale" in given.only:
        status.update("whole labs")
        figures += scale.measure(1 if given.quick else 3, absent)
    if not given.only or "busy" in given.only:
        status.update("verify on a busy machine")
        figures += busy.measure(1 if given.quick else 10, absent)
    report.show(figures, absent, console)
    report.write(figures, given.output)
    console.print(f"written: {given.output}/bench.json, {given.output}/bench.svg", highlight=False)
    return 0


def _wanted(name: str, only: list[str]) -> bool:
    """Whether this row is wanted: it is named, or no row is."""
    rows = {row.name for row in ROWS} | {"engine-memory"}
    return not (rows | {"scale", "busy", "observers"}) & {*only} or name in only


def _present(only: list[str], absent: dict[str, str]) -> Iterator[Contender]:
    named = {contender.name for contender in CONTENDERS} & {*only}
    for contender in CONTENDERS:
        if named and contender.name not in named:
            continue
        if contender.missing:
            absent[contender.name] = f"not installed: {', '.join(contender.missing)}"
        else:
            yield contender


@contextmanager
def standing(contender: Contender, wire_mtu: int) -> Iterator[Pair]:
    """A pair of sites with the contender's tunnel between them, proven by a ping. Raises Failed."""
    tunnel_mtu = next(row.tunnel_mtu for row in ROWS if row.wire_mtu == wire_mtu)
    pair = Pair(f"{contender.name}-{wire_mtu}", wire_mtu, tunnel_mtu)
    try:
        contender.start(pair)
        if contender.name != "veth":
            pair.address_tunnel()
        wait_for(lambda: pair.reaches(contender.ends.b), f"an answer through {contender.name}")
        yield pair
    finally:
        pair.close()


if __name__ == "__main__":
    sys.exit(main())
