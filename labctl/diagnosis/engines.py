"""Engines: whether the one of a TUN device runs, reads, and is where the other end sends to; what it dropped, and why.

The endpoints of a tunnel are compared as the engines were started. Where two do not match the file has it so, or an
engine was started otherwise than the file says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from labctl.diagnosis import fixes, nat
from labctl.diagnosis.facts import Case, Engine
from labctl.diagnosis.links import broken
from labctl.diagnosis.path import Kind
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.sockets import on_port, owner, receivers
from labctl.diagnosis.verdict import Verdict, Witness
from labctl.engine.counters import DROPS_IN, DROPS_OUT, held_back, words_for
from labctl.kernel.programs import Program
from labctl.kernel.sock_diag import Socket
from labctl.topology.interface_ref import InterfaceRef

_SYMPTOMS = ("out_refused", "out_unreachable", "out_send_failed", "in_not_from_peer", "in_empty")
"""Drops whose cause is somewhere else: what the kernel answered, and what came from others."""

_REASONS = {
    "out_routing_loop": Reason.ROUTING_LOOP,
    "out_lost": Reason.IMPAIRED,
    "out_queue_full": Reason.IMPAIRED,
    "in_lost": Reason.IMPAIRED,
    "in_queue_full": Reason.IMPAIRED,
    "out_too_big": Reason.MTU,
    "out_busy": Reason.SOCKET_BUFFER,
    "in_link_down": Reason.LINK_DOWN,
}


def device_of(case: Case, number: int) -> InterfaceRef | None:
    """Return the TUN device whose engine a stage needs: one that it reads, writes, or is delivered to."""
    stage = case.stages[number]
    if stage.kind in (Kind.READ, Kind.WRITE):
        return stage.ref
    if stage.kind in (Kind.SEND, Kind.FORWARD) and _has_endpoint(case, stage.ref):
        return stage.ref
    return case.engine_behind(number) if stage.kind is Kind.DELIVER else None


def _has_endpoint(case: Case, ref: InterfaceRef) -> bool:
    return any(end.device == ref for end in case.topology.ttun)


def runs(case: Case, number: int) -> Iterator[Verdict]:
    """Yield why the engine of a stage carries nothing: its device is gone or down, it has ended, or is stopped."""
    device = device_of(case, number)
    if device is None:
        return
    found = list(broken(case, device))
    yield from found
    if not any(verdict.reason is Reason.INTERFACE_MISSING for verdict in found):
        yield from not_running(case, device)


def not_running(case: Case, device: InterfaceRef) -> Iterator[Verdict]:
    """Yield that the engine of a device has ended, is stopped, or does not have the device open."""
    engine = case.engines.get(device)
    readers = case.space(device.namespace).readers.get(device.interface, ())
    named = " ".join(f"{reader.name} (PID {reader.pid})" for reader in readers) or "no program"
    reading = Witness(str(device), "has the device open", named)
    if engine is None or not engine.alive:
        pid = f"PID {engine.pid}" if engine else "its process"
        gone = Witness(str(device), "engine", f"{pid} is gone" if engine else "not started")
        instead = f"; {named} has the device open in its place" if readers else ""
        words = f"the engine of {device} has ended{instead}" if engine else f"{device} has no engine"
        holders = _in_the_way(case, device, engine)
        held = tuple(Witness(device.namespace, f"has {each.host}:{each.port}", name) for each, name in holders)
        pids = dict.fromkeys(
            each.pid for each in (*readers, *(one for socket, _ in holders for one in _programs(case, device, socket)))
        )
        fix = _restart(case, device)
        if pids and fix == fixes.up(case):
            fix = f"{fixes.inside(device.namespace, 'kill ' + ' '.join(map(str, pids)))} && {fix}"
        yield Verdict(str(device), Reason.ENGINE_ENDED, words, (gone, reading, *held), fix)
    elif engine.stopped:
        state = Witness(str(device), f"PID {engine.pid}", "stopped (state T)")
        words = f"the engine of {device} is stopped, as after Ctrl-Z: it forwards nothing until it is continued"
        fix = fixes.inside(device.namespace, f"kill -CONT {engine.pid}")
        yield Verdict(str(device), Reason.ENGINE_STOPPED, words, (state, reading), fix)
    elif (link := case.link(device)) is not None and link.up and not link.carrier and readers:
        lost = Witness(str(device), "link", "up, NO-CARRIER")
        words = f"{device} has no carrier, though its engine has it open: it was switched off (ip link set carrier off)"
        yield Verdict(str(device), Reason.NO_CARRIER, words, (lost, reading), fixes.up(case))
    elif not readers:
        alive = Witness(str(device), f"PID {engine.pid}", "runs")
        words = f"the engine of {device} runs, and does not have the device open: it reads nothing from it"
        yield Verdict(str(device), Reason.ENGINE_NOT_READING, words, (reading, alive), _restart(case, device))


def _in_the_way(case: Case, device: InterfaceRef, engine: Engine | None) -> list[tuple[Socket, str]]:
    """Return the sockets of other programs at the address of an engine that has ended, and the programs in words."""
    space = case.space(device.namespace)
    bound_to = engine.bind if engine else ""
    host, _, port = bound_to.rpartition(":")
    return [
        (each, owner(case, device.namespace, each))
        for each in space.sockets
        if each.protocol == "udp" and str(each.port) == port and str(each.host) in (host.strip("[]"), "0.0.0.0", "::")
    ]


def _programs(case: Case, device: InterfaceRef, socket: Socket) -> Sequence[Program]:
    return case.space(device.namespace).owners.get(socket.inode, ())


def _restart(case: Case, device: InterfaceRef) -> str:
    """Return what starts an engine again; of a program that is in its place, the line of the file."""
    numbers = [number for number, end in enumerate(case.topology.ttun) if end.device == device]
    if not numbers:
        return fixes.write(case, "ttun", text=f'add an endpoint: - {{device: "{device}", bind: ..., peer: ...}}')
    if case.topology.ttun[numbers[0]].engine is not None:
        return fixes.write(case, "ttun", numbers[0], "engine", text="make this program carry packets, or leave it out")
    return fixes.up(case)


def ends(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that the two endpoints of a tunnel do not fit: one sends where the other is not bound."""
    reads = _tunnel_of(case, number)
    if reads is None:
        return
    stage = case.stages[reads]
    levels = (each for each in case.stages[reads:] if each.kind is Kind.WRITE and each.depth == stage.depth)
    writes = next(levels, None)
    near, far = case.engines.get(stage.ref), case.engines.get(writes.ref) if writes else _partner(case, stage.ref)
    if near is None or far is None or near.program or far.program:
        return
    if not _fits(near.peer, far.bind):
        yield _sends_elsewhere(case, near, far)
    elif not _fits(far.peer, near.bind):
        strange = case.counted(far.device, "in_not_from_peer")
        words = (
            f"the engine of {far.device} takes that of {near.device} for a stranger: "
            f"it listens to {far.peer} alone, and that one sends from {near.bind}"
        )
        evidence = (*_both(case, near, far), Witness(str(far.device), "from a stranger", f"{strange} packets"))
        yield Verdict(str(far.device), Reason.STRANGER, words, evidence, _end_fix(case, far, f'peer: "{near.bind}"'))


def _tunnel_of(case: Case, number: int) -> int | None:
    """Return the stage at which the packet went into the tunnel whose datagram a stage carries, on the way there."""
    stage = case.stages[number]
    if stage.back or not stage.depth:
        return None
    into = (each for each in range(number, -1, -1) if case.stages[each].kind is Kind.READ)
    return next((each for each in into if case.stages[each].depth == stage.depth - 1), None)


def _partner(case: Case, device: InterfaceRef) -> Engine | None:
    others = [engine for ref, engine in case.engines.items() if ref != device]
    return others[0] if len(others) == 1 else None


def _fits(sends_to: str, bound: str) -> bool:
    """Return whether what is sent to an address and a port comes to a socket."""
    host, _, port = bound.rpartition(":")
    return sends_to == bound or (host in ("0.0.0.0", "[::]") and sends_to.rpartition(":")[2] == port)


def _sends_elsewhere(case: Case, near: Engine, far: Engine) -> Verdict:
    words = f"the engine of {near.device} sends to {near.peer}, and that of {far.device} is bound to {far.bind}"
    fix = _end_fix(case, near, f'peer: "{far.bind}"')
    return Verdict(str(near.device), Reason.ENGINE_SENDS_ELSEWHERE, words, _both(case, near, far), fix)


def _both(case: Case, near: Engine, far: Engine) -> tuple[Witness, ...]:
    """Return both ends of a tunnel, each with its line of the file."""
    return tuple(
        Witness(_line(case, engine.device), str(engine.device), f"bind {engine.bind}, peer {engine.peer}")
        for engine in (near, far)
    )


def _line(case: Case, device: InterfaceRef) -> str:
    numbers = (number for number, end in enumerate(case.topology.ttun) if end.device == device)
    return case.file.at("ttun", next(numbers, 0))


def _end_fix(case: Case, engine: Engine, text: str) -> str:
    for number, end in enumerate(case.topology.ttun):
        if end.device == engine.device:
            as_written = (str(end.bind), str(end.peer)) == (engine.bind, engine.peer)
            return fixes.write(case, "ttun", number, text=f"write {text}") if as_written else fixes.up(case)
    return fixes.up(case)


def bound(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that no engine, or another program, has the port that a tunnel's datagrams come to."""
    stage = case.stages[number]
    device = case.engine_behind(number)
    engine = case.engines.get(device) if device else None
    if stage.kind is not Kind.DELIVER or not stage.depth or engine is None or not engine.alive:
        return
    here, to, port = stage.namespace, stage.flow.to, stage.flow.dport
    if not _fits(f"[{to}]:{port}" if to.version == 6 else f"{to}:{port}", engine.bind) and not engine.program:
        return  # its endpoints do not fit: `ends` tells
    fitting = receivers(case, stage)
    owners = case.space(here).owners
    own = [each for each in fitting if any(program.pid == engine.pid for program in owners.get(each.inode, ()))]
    at_port = tuple(Witness(here, f"has {each.host}:{each.port}", owner(case, here, each)) for each in fitting)
    if not fitting:
        there = on_port(case, stage)
        seen = tuple(Witness(here, f"has {each.host}:{each.port}", owner(case, here, each)) for each in there)
        words = f"no program of {here} has UDP port {port} of {to}, where the datagrams of the tunnel come"
        none = Witness(here, f"sockets on {to}:{port}", "none")
        if not engine.program:
            yield Verdict(str(device), Reason.ENGINE_BOUND_ELSEWHERE, words, (none, *seen), fixes.up(case))
        else:
            yield Verdict(str(device), Reason.ENGINE_NOT_READING, words, (none, *seen), _restart(case, engine.device))
    elif engine.program and fitting[0].receive_queue:
        waits = Witness(here, f"waits in {fitting[0].host}:{fitting[0].port}", f"{fitting[0].receive_queue} bytes")
        words = f"the program of {device} does not read its socket: the datagrams of the tunnel wait in it"
        yield Verdict(str(device), Reason.ENGINE_NOT_READING, words, (waits, *at_port), _restart(case, engine.device))
    elif owners and not own and not engine.program:
        words = f"another program gets the datagrams of the tunnel at {to}:{port}: {owner(case, here, fitting[0])}"
        yield Verdict(here, Reason.OTHER_LISTENER, words, at_port, fixes.up(case))


def drops(case: Case, number: int) -> Iterator[Verdict]:
    """Yield what an engine dropped while the check ran, by the reasons that it counts, but for mere symptoms."""
    stage = case.stages[number]
    if stage.kind not in (Kind.READ, Kind.WRITE):
        return
    engine = case.engines.get(stage.ref)
    if engine is None:
        return
    direction, names = ("out", DROPS_OUT) if stage.kind is Kind.READ else ("in", DROPS_IN)
    for name in names:
        count = engine.counted.get(name, 0)
        if count and name not in _SYMPTOMS:
            yield _dropped(case, engine, direction, name, count)


def _dropped(case: Case, engine: Engine, direction: str, name: str, count: int) -> Verdict:
    reason = _REASONS.get(name, Reason.ENGINE_DROP)
    seen = Witness(str(engine.device), name, f"+{count}")
    words = f"the engine of {engine.device} dropped {words_for(name, count)}"
    if reason is Reason.IMPAIRED:
        told = engine.impaired.get(direction, "")
        evidence = (seen, Witness(str(engine.device), f"impairment {direction}", told or "none"))
        return Verdict(str(engine.device), reason, f"{words} ({told})", evidence, _unimpaired(case, engine, direction))
    if reason is Reason.ROUTING_LOOP:
        words = f"the tunnel's own datagrams are routed back into {engine.device}"
    return Verdict(str(engine.device), reason, words, (seen,), fixes.up(case))


def impaired(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that an impairment of the engine holds packets for longer than the check waits, or damages them."""
    stage = case.stages[number]
    engine = case.engines.get(stage.ref)
    if stage.kind not in (Kind.READ, Kind.WRITE) or engine is None:
        return
    direction = "out" if stage.kind is Kind.READ else "in"
    told = engine.impaired.get(direction)
    held = held_back(engine.counted, direction)
    if told and held > 0:
        evidence = (
            Witness(str(engine.device), f"impairment {direction}", told),
            Witness(str(engine.device), "held back", f"{held} packets"),
        )
        words = (
            f"an impairment of the engine of {engine.device} holds packets back for longer than the check waits: {told}"
        )
        yield Verdict(str(engine.device), Reason.IMPAIRED, words, evidence, _unimpaired(case, engine, direction))


def impairs(case: Case, number: int, words: Collection[str]) -> Iterator[Verdict]:
    """Yield that the engine of a stage impairs its packets by one of these words of tc netem."""
    stage = case.stages[number]
    engine = case.engines.get(stage.ref)
    direction = "out" if stage.kind is Kind.READ else "in"
    told = engine.impaired.get(direction, "") if engine else ""
    if engine and not set(told.split()).isdisjoint(words):
        seen = Witness(str(engine.device), f"impairment {direction}", told)
        what = f"an impairment of the engine of {engine.device} is on the way {direction}: {told}"
        yield Verdict(str(engine.device), Reason.IMPAIRED, what, (seen,), _unimpaired(case, engine, direction))


def _unimpaired(case: Case, engine: Engine, direction: str) -> str:
    """Return the line of the file that asks for an impairment; else what takes it away."""
    key = "impair" if direction == "out" else "impair_in"
    for number, end in enumerate(case.topology.ttun):
        if end.device == engine.device and getattr(end, key) is not None:
            return fixes.write(case, "ttun", number, key, text="take the impairment away, or make it less")
    return f"labctl impair {engine.device} --reset"


def stranger(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that an engine dropped datagrams as a stranger's that the probe's own packets came in: where from."""
    device = case.engine_behind(number)
    engine = case.engines.get(device) if device else None
    strange = case.counted(device, "in_not_from_peer")
    if engine is None or not strange:
        return
    yield from nat.rewritten(case, number)
