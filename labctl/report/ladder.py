"""The ladders of packets for a person: a rung a line, with the time since the first packet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from labctl.report.causes import causes
from labctl.report.console import console
from labctl.trace.dissect import Arp, Icmp, Packet, Tcp
from labctl.trace.encapsulation import carried
from labctl.trace.ladder import Hop, Ladder, Rung, error_words

if TYPE_CHECKING:
    from labctl.lab.traced import Traced

_STYLES = {Hop.ACCEPTED: "green", Hop.DROPPED: "bold red", Hop.LOST: "bold red"}
_BY = (Hop.TRANSMITTED, Hop.FORWARDED, Hop.ENCAPSULATED, Hop.CARRIED)
_ENDED = (Hop.DROPPED, Hop.LOST)


def trace(found: Traced, most: int) -> None:
    """Print the ladders of the first packets, and of those after them that were lost, and what is not shown."""
    out = console()
    shown = [*found.ladders[:most], *(each for each in found.ladders[most:] if each.end in _ENDED)]
    for ladder in shown:
        _ladder(out, ladder)
    if found.diagnosis:
        causes(found.diagnosis, whole=False, of="packets")
        out.print()
    ends = Counter(ladder.end for ladder in found.ladders)
    number = len(found.ladders) + found.unfollowed
    told = ", ".join(_styled(hop, f"{count} {hop}") for hop, count in ends.items())
    out.print(f"{number} packet{'s' * (number != 1)}{f': {told}' if told else ''}")
    for line in _left_out(found, len(shown)):
        out.print(f"[dim]{line}[/]")


def _left_out(found: Traced, shown: int) -> Iterator[str]:
    for error in found.lost:
        yield f"{error.what}{f' ({error.why})' if error.why else ''}: what passed there then is not known"
    if any(rung.within for ladder in found.ladders for rung in ladder.rungs):
        yield "± is how well the clocks of the hosts are known: a time may be so much earlier or later"
    if found.clocks is not None and not found.clocks.alike:
        yield "a clock was set meanwhile: times between hosts are as sure as ± says, and no surer by packets"
    if hidden := len(found.ladders) - shown:
        yield f"{hidden} of them are not shown here: --count shows more, -f json and --pcapng all"
    if found.unfollowed:
        yield f"{found.unfollowed} of them came after the first {len(found.ladders)}, and were not followed"
    if found.others:
        yield f"{found.others} other packets were seen in the lab meanwhile"
    if found.older:
        plural = "s were" if found.older > 1 else " was"
        yield f"{found.older} TCP connection{plural} there before, and left out"
    yield f"{found.missed or 'no'} frame{'s' * (found.missed != 1)} missed"


def _ladder(out: Console, ladder: Ladder) -> None:
    relation = f"answers {ladder.answer_to}: " if ladder.answer_to else ""
    out.print(f"[bold]{ladder.number}[/]  {relation}[bold]{escape(title(ladder))}[/]")
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right", no_wrap=True, min_width=9)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column()
    before: tuple[Packet, ...] = ()
    for rung in ladder.rungs:
        words = "; ".join(map(escape, rung_words(rung, before)))
        grid.add_row(_time(rung), escape(place(rung)), _styled(rung.hop, rung.hop), words)
        before = rung.layers or before
    out.print(grid, soft_wrap=False)
    out.print()


def title(ladder: Ladder) -> str:
    """Return a packet in one line."""
    content = ladder.journey.first.frame.content
    if isinstance(content, Arp):
        return content.words
    packet = ladder.journey.packet
    if packet is None:
        return f"frame of EtherType 0x{ladder.journey.first.frame.protocol:04x}"
    return f"{ends(packet)}{_detail(packet)}, {packet.length} bytes"


def ends(packet: Packet) -> str:
    """Return where a packet is from and to, and what it carries: 10.0.1.1:9000→10.0.2.1:9000 UDP."""
    sides = [packet.source, packet.destination]
    if packet.ports:
        written = "[{}]:{}" if packet.version == 6 else "{}:{}"
        sides = [written.format(host, port) for host, port in zip(sides, packet.ports, strict=True)]
    return f"{'→'.join(sides)} {packet.protocol_name}"


def _detail(packet: Packet) -> str:
    transport, words = packet.transport, ""
    if isinstance(transport, Tcp):
        words = f" {' '.join(transport.flags)}" + (f", {packet.payload_length} of payload" if packet.payload else "")
    elif isinstance(transport, Icmp):
        words = f" {transport.name}" if not transport.is_error else f" {error_words(transport)}"
        words += f" {transport.echo[1]}" if transport.echo else f" {transport.target}" if transport.target else ""
    return words + (f", fragment at {packet.fragment_at}" if packet.is_fragment else "")


def rung_words(rung: Rung, before: tuple[Packet, ...]) -> Iterator[str]:
    """Yield what is told of a rung: by which route, what carries the packet now, what was rewritten, how it ended."""
    if rung.words:
        yield f"by {rung.words}" if rung.hop in _BY else rung.words
    if len(rung.layers) > 1 and len(rung.layers) != len(before):
        yield f"{' in '.join(ends(layer) for layer in reversed(rung.layers))}, +{_added(rung.layers[-2])} bytes"
        if len(rung.layers[-2].inside) > 1:
            yield f"{len(rung.layers[-2].inside)} packets in one superframe"
    for change in rung.changes:
        yield f"{change.what} {change.before} → {change.after}"
    if rung.frames > 1:
        yield f"in {rung.frames} frames"


def _added(outer: Packet) -> int:
    """Return how many bytes of headers a tunnel has put before what it carries, in a fragment, too."""
    inside = carried(outer.protocol, outer.ports, outer.payload)
    return outer.length - outer.payload_length + (len(outer.payload) - len(inside) if inside else 0)


def place(rung: Rung) -> str:
    """Return where a rung is: an interface, or a namespace where it is its doing."""
    return f"{rung.namespace}:{rung.interface}" if rung.interface else rung.namespace


def _time(rung: Rung) -> str:
    if rung.at is None:
        return ""
    return f"{rung.at / 1000:.1f}{f' ± {rung.within / 1000:.1f}' if rung.within else ''} µs"


def _styled(hop: Hop, words: str) -> str:
    return f"[{_STYLES[hop]}]{words}[/]" if hop in _STYLES else words
