"""Sockets: which program gets what arrives at a port, and whether it is the one that is meant."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.diagnosis import fixes
from labctl.diagnosis.facts import Case
from labctl.diagnosis.path import Kind, Stage
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict, Witness
from labctl.kernel import sock_diag
from labctl.kernel.sock_diag import Socket
from labctl.plan.change import Change
from labctl.plan.steps import StartProgram


def receivers(case: Case, stage: Stage) -> list[Socket]:
    """Return the sockets that get the packets of a stage, the one that gets them first."""
    return sock_diag.receivers(stage.flow, stage.arrives, case.space(stage.namespace).sockets)


def on_port(case: Case, stage: Stage) -> list[Socket]:
    """Return the sockets that have the port that a stage's packets go to, whatever address they are bound to."""
    protocol, port = stage.flow.protocol, stage.flow.dport
    listening = ("listening",) if protocol == "tcp" else ("unconnected", "established")
    return [
        each
        for each in case.space(stage.namespace).sockets
        if (each.protocol, each.port) == (protocol, port) and each.state in listening
    ]


def owner(case: Case, namespace: str, socket: Socket) -> str:
    """Return the program that has a socket, in words."""
    programs = case.space(namespace).owners.get(socket.inode, ())
    return ", ".join(f"{each.name} (PID {each.pid})" for each in programs) or "a program that is not shown"


def server(case: Case, number: int) -> Iterator[Verdict]:
    """Yield why the server of a check gets nothing: there is none, it is elsewhere, another program has the port."""
    stage = case.stages[number]
    if stage.kind is not Kind.DELIVER or stage.depth or stage.back or stage.flow.protocol not in ("tcp", "udp"):
        return
    if case.asked.receiver not in ("", stage.namespace):
        return  # it is meant to go on from here
    here, to, port, protocol = stage.namespace, stage.flow.to, stage.flow.dport, stage.flow.protocol
    name = f"{protocol.upper()} port {port}"
    found, fitting = on_port(case, stage), receivers(case, stage)
    evidence = tuple(Witness(here, f"has {each.host}:{each.port}", owner(case, here, each)) for each in found)
    if case.asked.own_server:
        if found and case.outcome == "unasked":
            program = owner(case, here, found[0])
            words = f"another program has {name} of {here}: {program}; the check cannot listen there"
            fix = _ask(case, here, protocol, port) or _end(case, here, found[0])
            yield Verdict(here, Reason.OTHER_LISTENER, words, evidence, fix)
        return
    if not found:
        words = f"no program listens on {name} of {here}"
        none = Witness(here, f"sockets on {name}", "none")
        for change in _ended(case, stage):
            told = f"{words}: its program {change.step.subject} should, and {change.reason}"
            evidence = (none, Witness(here, f"program {change.step.subject}", change.reason))
            yield Verdict(here, Reason.NOT_LISTENING, told, evidence, fixes.up(case))
            return
        yield Verdict(here, Reason.NOT_LISTENING, words, (none,), _listen(case, f"start one that listens on {to}"))
    elif not fitting:
        words = f"{owner(case, here, found[0])} listens on {found[0].host}, not on {to}"
        yield Verdict(here, Reason.LISTENS_ELSEWHERE, words, evidence, _listen(case, f"have it listen on {to}"))
    else:
        yield from _stopped(case, here, fitting[0], name)


def _stopped(case: Case, namespace: str, socket: Socket, name: str) -> Iterator[Verdict]:
    """Yield that every process that could read a socket is stopped."""
    programs = case.space(namespace).owners.get(socket.inode, ())
    if programs and all(each.is_stopped for each in programs):
        words = f"{owner(case, namespace, socket)} has {name} of {namespace}, and is stopped"
        evidence = tuple(Witness(namespace, f"PID {each.pid}", each.state) for each in programs)
        fix = fixes.inside(namespace, f"kill -CONT {' '.join(str(each.pid) for each in programs)}")
        yield Verdict(namespace, Reason.PROGRAM_STOPPED, words, evidence, fix)


def _listen(case: Case, what: str) -> str:
    """Return what to do where a program is to listen that the check does not start: at its line, where it says so."""
    asked = case.asked
    for number, check in enumerate(case.topology.checks):
        nc = check.nc
        meant = nc is not None and (nc.address, nc.port, nc.protocol) == (asked.to, asked.port, asked.protocol)
        if nc is not None and meant and not nc.server:
            return fixes.write(case, "checks", number, "nc", text=f"{what}, or leave `server: false` out")
    return ""


def _ended(case: Case, stage: Stage) -> Iterator[Change]:
    """Yield how the program does not run that is ready, by the file, once it listens where a stage's packets go."""
    for change in case.changes:
        if isinstance(change.step, StartProgram) and change.step.namespace == stage.namespace:
            ready = change.step.spec.ready
            if ready and (ready.sign, ready.what) == (stage.flow.protocol, str(stage.flow.dport)):
                yield change


def _ask(case: Case, namespace: str, protocol: str, port: int) -> str:
    """Return how the check asks the program of the file that has the port; empty where none is ready by it."""
    for program in case.topology.namespaces[namespace].programs:
        if program.ready and getattr(program.ready, protocol) == port:
            return f"write `server: false` in the check: it then asks the program {namespace}:{program.name}"
    return ""


def _end(case: Case, namespace: str, socket: Socket) -> str:
    programs = case.space(namespace).owners.get(socket.inode, ())
    return fixes.inside(namespace, f"kill {' '.join(str(each.pid) for each in programs)}") if programs else ""


def buffers(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that the receive buffer of a socket was full: the kernel counts what it dropped for that."""
    stage = case.stages[number]
    if stage.kind is not Kind.DELIVER or stage.flow.protocol != "udp":
        return
    full = [
        each
        for each in receivers(case, stage)
        if each.drops and case.space(stage.namespace).moved.get("UdpRcvbufErrors", 0)
    ]
    for each in full:
        program = owner(case, stage.namespace, each)
        evidence = (
            Witness(stage.namespace, "UdpRcvbufErrors", f"+{case.space(stage.namespace).moved['UdpRcvbufErrors']}"),
            Witness(
                stage.namespace, f"queue of {each.host}:{each.port}", f"{each.receive_queue} bytes, {each.drops} drops"
            ),
        )
        words = f"the receive buffer of {program} on {each.host}:{each.port} was full"
        yield Verdict(stage.namespace, Reason.SOCKET_BUFFER, words, evidence, "")
