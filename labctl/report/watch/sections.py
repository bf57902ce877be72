"""What a view of a lab shows, section by section: lines of text, the most telling first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence, Set
from functools import partial

from rich.text import Text

from labctl.engine.counters import words_for
from labctl.frozen import frozen
from labctl.live.events import DropEvent, Event
from labctl.live.meter import Meter
from labctl.live.programs import Program
from labctl.live.readings import Packet
from labctl.live.state import Engine, HostState, Interface, LabState, Space
from labctl.report.happenings import clock
from labctl.report.packets import words
from labctl.report.watch.quantities import bars, short
from labctl.trace import dissect

NAME, STATE, NUMBER = 22, 11, 7
"""Columns of a name, of a state, and of a number."""

RATES = f"{'':{NAME + STATE}}{'in  p/s':>{NUMBER}}{'bit/s':>{NUMBER}}  {'out p/s':>{NUMBER}}{'bit/s':>{NUMBER}}"

RECENT = 10.0
"""Seconds for which what has happened is marked."""

Happened = tuple[float, Event]


Rank = tuple[float, ...]
"""How telling a line is: where there is no room for all, those of the highest rank are shown."""

Line = Callable[[], Text]
"""Makes a line: of a large lab most are not shown, and are not made."""


@frozen
class Section:
    """A title, and lines in their order, each with its rank."""

    title: str
    lines: tuple[tuple[Rank, Line], ...]
    columns: str = ""  # what stands above them
    hidden: str = ", {} not shown"  # behind the title, of lines for which there is no room
    style: str = "bold"

    def most_telling(self, number: int) -> list[Text]:
        """Return so many lines, in their order."""
        places = sorted(range(len(self.lines)), key=lambda place: self.lines[place][0], reverse=True)[:number]
        return [self.lines[place][1]() for place in sorted(places)]


def _in_order(lines: Iterable[Line]) -> tuple[tuple[Rank, Line], ...]:
    """Return lines of which the first are the most telling."""
    return tuple(((-place,), line) for place, line in enumerate(lines))


@frozen
class Shown:
    """What is shown beside the state of a lab, and how wide; `events` are the last ones, the newest last."""

    width: int = 80
    events: Sequence[Happened] = ()
    checks: bool = False
    packets: bool = False
    ascii_only: bool = False


def sections(state: LabState, shown: Shown) -> list[Section]:
    """Return the sections that have something to say, in their order on the screen."""
    if state.phase == "down":
        return [_events(shown)] if shown.events else []
    found = [
        _hosts(state),
        _interfaces(state, shown),
        _engines(state, shown),
        _programs(state),
        _drops(state, shown),
        _impairments(state),
        *([_checks(state)] if shown.checks else []),
        _drift(state),
        *([_packets(state)] if shown.packets else []),
        _events(shown),
    ]
    return [section for section in found if section.lines]


_PHASES = {"up": ("up", "green"), "begun": ("being made", "yellow"), "down": ("not there", "bold red")}


def _hosts(state: LabState) -> Section:
    lines = [((bool(known.lost),), partial(_host, known)) for known in state.hosts.values()]
    bad = f", {len(state.lost)} not reached" if state.lost else ""
    return Section(f"{len(lines)} hosts{bad}", tuple(lines), style="bold red" if bad else "bold")


def _host(known: HostState) -> Text:
    if known.lost:
        return Text.assemble((_fitted(known.host), "bold red"), ("lost".ljust(STATE), "bold red"), known.lost)
    word, style = _PHASES[known.share.phase] if known.told and known.share.phase in _PHASES else ("...", "dim")
    line = Text.assemble(_fitted(known.host), (word.ljust(STATE), style))
    return line.append(", ".join(known.namespaces), "dim")


def _interfaces(state: LabState, shown: Shown) -> Section:
    changed = {getattr(event, "place", "") for at, event in shown.events if state.at - at <= RECENT}
    rows = [(space, interface) for space in state.spaces.values() for interface in space.interfaces]
    rows = [row for row in rows if row[1].link.name != "lo" or any(one.packets for one in row[1].meter.history)]

    lines: list[tuple[Rank, Line]] = [
        ((2.0,), Text.assemble((_fitted(name), "bold red"), "gone").copy) for name in _gone(state)
    ]
    lines += [
        ((1.5,), Text.assemble((_fitted(name), "bold red"), f"not known: {why}").copy)
        for name, why in state.unknown.items()
    ]
    for space, interface in rows:
        marked = f"{space.name}:{interface.link.name}" in changed
        rank = (not _is_well(interface), marked, interface.meter.rates.bits)
        lines.append((rank, partial(_interface, space, interface, marked, shown)))
    spaces = f"{len(state.spaces)} namespace{'s' * (len(state.spaces) != 1)}"
    title = f"{spaces}, {len(rows)} interface{'s' * (len(rows) != 1)}"
    return Section(title, tuple(lines), columns=RATES)


def _fitted(place: str) -> str:
    """Return a place as wide as its column; of a long name of a namespace its end is left out."""
    if len(place) < NAME:
        return place.ljust(NAME)
    namespace, colon, interface = place.partition(":")
    room = max(1, NAME - 2 - len(colon + interface))
    return f"{namespace[:room]}…{colon}{interface}"[: NAME - 1].ljust(NAME)


def _gone(state: LabState) -> list[str]:
    return [name for name, space in state.spaces.items() if not space.there]


def _is_well(interface: Interface) -> bool:
    return interface.link.up and interface.link.carrier


def _interface(space: Space, interface: Interface, marked: bool, shown: Shown) -> Text:
    link = interface.link
    place = f"{space.name}:{link.name}"
    state, style = ("up", "green") if _is_well(interface) else ("no carrier", "red") if link.up else ("down", "red")
    line = Text(_fitted(place), "bold" if marked else "")
    line.append(state.ljust(STATE), style)
    return _with_rates(line, interface.meter, shown)


def _with_rates(line: Text, meter: Meter, shown: Shown) -> Text:
    rates = meter.rates
    for packets, bits in ((rates.rx_packets, rates.rx_bits), (rates.tx_packets, rates.tx_bits)):
        line.append(f"{short(packets):>{NUMBER}}{short(bits):>{NUMBER}}  ", "" if packets else "dim")
    width = min(30, shown.width - len(line))
    line.append(bars([one.bits for one in meter.history], width, ascii_only=shown.ascii_only), "cyan")
    return line


def _engines(state: LabState, shown: Shown) -> Section:
    lines = [
        ((engine.state != "running", engine.meter.rates.bits), partial(_engine, engine, shown))
        for engine in state.engines.values()
    ]
    return Section(f"{len(state.engines)} engines", tuple(lines), columns=RATES)


def _engine(engine: Engine, shown: Shown) -> Text:
    line = Text(_fitted(str(engine.spec.device)))
    word = engine.state or "..."
    line.append(word.ljust(STATE), "green" if word == "running" else "bold red")
    return _with_rates(line, engine.meter, shown)


def _programs(state: LabState) -> Section:
    lines = [
        ((program.state != "running", program.restarts), partial(_program, str(ref), program))
        for ref, program in state.programs.items()
    ]
    return Section(f"{len(lines)} program{'s' * (len(lines) != 1)}", tuple(lines))


def _program(name: str, program: Program) -> Text:
    word = program.state or "..."
    line = Text.assemble(_fitted(name), (word.ljust(STATE), "green" if word == "running" else "bold red"))
    there = word in ("running", "stopped", "...")
    line.append(program.command if there else program.ended, "dim" if there else "red")
    if program.restarts:
        line.append(f"  started again {program.restarts} times", "yellow")
    return line


def _drops(state: LabState, shown: Shown) -> Section:
    now = {
        (event.place, event.reason)
        for at, event in shown.events
        if isinstance(event, DropEvent) and state.at - at <= RECENT
    }
    found = [
        (str(device), reason, count, words_for(reason, count))
        for device, engine in state.engines.items()
        for reason, count in engine.drops.items()
    ]
    for space in state.spaces.values():
        for interface in space.interfaces:
            counters = interface.meter.counters
            for reason, count, way in (
                ("rx_dropped", counters.rx_dropped, "in"),
                ("tx_dropped", counters.tx_dropped, "out"),
            ):
                if count:
                    told = f"{count} packets by the interface, on the way {way}"
                    found.append((f"{space.name}:{interface.link.name}", reason, count, told))
    found.sort(key=lambda one: ((one[0], one[1]) in now, one[2]), reverse=True)
    lines = [
        Text.assemble(_fitted(place), (told, "red" if (place, reason) in now else "dim"))
        for place, reason, _, told in found
    ]
    return Section("dropped", _in_order(line.copy for line in lines))


def _impairments(state: LabState) -> Section:
    lines = [
        Text.assemble(_fitted(str(device)), way.ljust(4), (words, "yellow"))
        for device, in_force in state.impairments.items()
        for way, words in in_force.items()
    ]
    return Section("impaired", _in_order(line.copy for line in lines))


_MARKS = {"failed": ("FAIL", "bold red"), "not-asked": ("????", "bold yellow")}


def _checks(state: LabState) -> Section:
    known = state.checks.values()
    lines = [
        Text.assemble(_MARKS[one.verdict], " ", (one.name.ljust(NAME - 5), "bold"), " ", one.why or one.observed)
        for verdict in ("failed", "not-asked")
        for one in known
        if one.verdict == verdict
    ]
    passed, waiting = ([one.name for one in known if one.verdict == verdict] for verdict in ("passed", None))
    for names, mark, style in ((waiting, "...  ", "dim"), (passed, "pass ", "green")):
        if names:
            lines.append(Text.assemble((mark, style), (", ".join(names), "dim")))
    bad = len(known) - len(passed) - len(waiting)
    told = f"{bad} of {len(known)} did not pass" if bad else f"{len(passed)} of {len(known)} passed"
    return Section(f"checks: {told}", _in_order(line.copy for line in lines), style="bold red" if bad else "bold")


def _drift(state: LabState) -> Section:
    drift = state.drift or ()
    lines = [Text.assemble(_fitted(one.subject), (one.change, "yellow"), (f"  {one.reason}", "dim")) for one in drift]
    places = f"{len(drift)} place{'s' * (len(drift) != 1)}"
    return Section(f"differs from its file in {places}", _in_order(line.copy for line in lines), style="bold yellow")


def _packets(state: LabState) -> Section:
    ports = frozenset(end.port for engine in state.engines.values() for end in (engine.spec.bind, engine.spec.peer))
    lines: list[Line] = [partial(_packet, packet, ports) for packet in reversed(state.packets)]
    title = f"packets: a sample, {state.packets_left_out} left out" if state.packets_left_out else "packets"
    return Section(title, _in_order(lines or [Text("none yet", "dim").copy]), hidden="")


def _packet(packet: Packet, tunnel_ports: Set[int]) -> Text:
    return Text.assemble(
        (clock(packet.at) + "  ", "dim"),
        _fitted(str(packet.place)),
        "out  " if packet.outgoing else "in   ",
        words(dissect.frame(packet.frame, packet.ethernet, tunnel_ports)),
    )


def _events(shown: Shown) -> Section:
    return Section("what happened", _in_order(partial(_event, *one) for one in reversed(shown.events)), hidden="")


def _event(at: float, event: Event) -> Text:
    return Text.assemble((clock(at) + "  ", "dim"), event.kind.ljust(11), event.words)


def _on_some(state: LabState) -> str:
    """Return how a lab is that is not the same on all its hosts."""
    there = [known.host for known in state.hosts.values() if known.told and known.share.phase == "up"]
    return f"is up on {', '.join(there)} only" if there else "is not up on any host that is reached"


def heading(state: LabState, shown: Shown, file: str) -> Text:
    """Return the first line of a screen: the lab, whether it is up, its file, and the time of what is shown."""
    words = {
        "up": ("up", "bold green"),
        "begun": ("is being made", "bold yellow"),
        "down": ("is down, waiting", "bold red"),
        "mixed": (_on_some(state), "bold red"),
    }
    line = Text.assemble((state.lab, "bold"), " ", words[state.phase])
    if state.phase != "down":
        line.append(f"  {state.mode}  {file}", "dim")
    if state.challenge:
        line.append("  a challenge runs: drift and causes are hidden", "yellow")
    if state.overruns:
        line.append(f"  {state.overruns} overruns", "yellow")
    at = clock(state.at or time.time())[:8]
    line.truncate(max(0, shown.width - len(at) - 1), overflow="ellipsis")
    line.append(at.rjust(shown.width - len(line)), "dim")
    return line
