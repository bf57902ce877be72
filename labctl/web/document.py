"""All that the page shows of a lab beside its picture, as one JSON document; what has changed of it is sent.

Rates are rounded to what a person reads, so that one that stays the same is not sent again.
"""

from __future__ import annotations

from collections.abc import Iterator

from labctl.engine.counters import words_for
from labctl.live.meter import Rates
from labctl.live.state import LabState, Space
from labctl.report.graph.model import Picture
from labctl.topology.interface_ref import InterfaceRef
from labctl.web.patch import Document
from labctl.web.picture import faults, marks

Flow = list[int]
"""Packets and bits a second."""


def document(state: LabState, picture: Picture) -> Document:
    """Return what is known of a lab.

    `rates` by line of the picture, which hosts are `lost`, what is `dead`, `drift`, `drops`, `checks`.
    """
    dead = list(faults(picture, state))
    return {
        "lab": state.lab,
        "phase": state.phase,
        "mode": state.mode,
        "rates": {line: {"there": there, "back": back} for line, there, back in _rates(state, picture)},
        "marks": marks(picture, dead, state),
        "lost": [[known.host, known.lost] for known in state.lost],
        "dead": [[fault.place, fault.words] for fault in dead],
        "drift": [[one.subject, one.change, one.reason, one.command] for one in state.drift or ()],
        "compared": state.drift is not None,
        "challenge": bool(state.challenge),
        "drops": [[place, words] for place, words in _drops(state)],
        "checks": {
            check.name: {"verdict": check.verdict or "", "observed": check.observed, "why": check.why}
            for check in state.checks.values()
        },
    }


def _rates(state: LabState, picture: Picture) -> Iterator[tuple[str, Flow, Flow]]:
    """Yield what moves along each line, both ways, as who sends counts it."""
    for cable in picture.cables:
        yield f"link-{cable.one}", _sent_by(state, cable.one), _sent_by(state, cable.other)
    for tunnel in picture.tunnels:
        there = state.engines.get(tunnel.device)
        back = state.engines.get(tunnel.far) if tunnel.far and tunnel.both else None
        yield (
            f"tun-{tunnel.device}",
            _flow(there.meter.rates) if there else [0, 0],
            _flow(back.meter.rates) if back else [0, 0],
        )


def _sent_by(state: LabState, end: InterfaceRef) -> Flow:
    found = state.interface(end)
    return _flow(found.meter.rates) if found else [0, 0]


def _flow(rates: Rates) -> Flow:
    return [readable(rates.tx_packets), readable(rates.tx_bits)]


def readable(number: float) -> int:
    """Return a number to two digits; a little is one."""
    if number <= 0:
        return 0
    whole = max(1, round(number))
    return round(whole, min(0, 2 - len(str(whole))))


def _drops(state: LabState) -> Iterator[tuple[str, str]]:
    """Yield where packets were dropped, and how many for which reason, since the engine or the interface began."""
    for device, engine in state.engines.items():
        yield from ((str(device), words_for(name, count)) for name, count in engine.drops.items())
    for space in state.spaces.values():
        yield from _dropped_by_links(space)


def _dropped_by_links(space: Space) -> Iterator[tuple[str, str]]:
    for index, interface in space.links.items():
        counted = interface.meter.counters
        for count, way in ((counted.rx_dropped, "in"), (counted.tx_dropped, "out")):
            if count:
                plural = "s" * (count != 1)
                yield space.place(index), f"{count} packet{plural} dropped by the interface, on the way {way}"
