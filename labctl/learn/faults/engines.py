"""Engines and servers: ended, stopped; an engine with an impairment that lets nothing through."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.diagnosis.path import Kind
from labctl.diagnosis.reasons import Reason
from labctl.learn.changes import Impair, Restart
from labctl.learn.faults.fault import Fault, Injected, at
from labctl.learn.faults.layout import Layout
from labctl.learn.faults.shell import run, signal, signal_udp


def _ended(layout: Layout) -> Iterator[Injected]:
    for way in layout.between:
        for stage in way.of(Kind.READ, Kind.WRITE, back=False):
            yield Injected(
                run(stage.namespace, signal(stage.ref.interface, "KILL")),
                (Restart(stage.place),),
                way.check.name,
                at(stage.place, why=Reason.ENGINE_ENDED),
            )


def _stopped(layout: Layout) -> Iterator[Injected]:
    for way in layout.between:
        for stage in way.of(Kind.READ, Kind.WRITE, back=False):
            yield Injected(
                run(stage.namespace, signal(stage.ref.interface, "STOP")),
                run(stage.namespace, signal(stage.ref.interface, "CONT")),
                way.check.name,
                at(stage.place, why=Reason.ENGINE_STOPPED),
            )


def _impaired(layout: Layout) -> Iterator[Injected]:
    for way in layout.ways:
        for stage in way.of(Kind.READ, Kind.WRITE, back=False):
            for words in ({"loss": "100%"}, {"corrupt": "100%"}, {"delay": "4s"}):
                yield Injected(
                    (Impair(stage.place, words, "out" if stage.kind is Kind.READ else "in"),),
                    (Impair(stage.place, {}),),
                    way.check.name,
                    at(stage.place, why=(Reason.IMPAIRED, Reason.CORRUPTED)),
                )


def _server_stopped(layout: Layout) -> Iterator[Injected]:
    for way in layout.between:
        for stage in way.of(Kind.DELIVER, back=False, depth=0):
            if way.asked.protocol == "udp" and not way.asked.own_server:
                yield Injected(
                    run(stage.namespace, signal_udp(way.asked.port, "STOP")),
                    run(stage.namespace, signal_udp(way.asked.port, "CONT")),
                    way.check.name,
                    at(stage.place, why=Reason.PROGRAM_STOPPED),
                )


FAULTS = (
    Fault("engine-ended", 1, "the engine of a tunnel has ended", _ended),
    Fault("engine-stopped", 2, "the engine of a tunnel is stopped: it is there, and does nothing", _stopped),
    Fault(
        "tunnel-impaired", 2, "the engine of a tunnel is told to spoil what it carries in one direction", _impaired, ()
    ),
    Fault("server-stopped", 2, "a server is stopped: it has its port, and does nothing", _server_stopped, ("ss",)),
)
