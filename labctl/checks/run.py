"""One verdict per check: probe, wait for the counters, judge; and again, as long as the check may wait.

A check passes when the probe saw what was expected *and* the packets were counted where the file says. The counters of
an engine may trail a reply by a moment, so they are read until they hold, or until SETTLE seconds have passed. Before
they are read no engine has packets left to carry: those of one check are never counted in another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from labctl.checks import evidence as ev
from labctl.checks.loss import Kernel, Loss, held_back, loss, told
from labctl.checks.results import Evidence, Outcome, Result, State, Tools
from labctl.plan.mtu import mtu_of, packets, tunnel_mtus
from labctl.process.patience import Patience, PatienceFor
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Check, Nc, Ping, Topology

SETTLE = 0.5
BETWEEN_TRIES = 0.2

_WANTED: Mapping[str | None, State] = {
    None: "answered",
    "reply": "answered",
    "delivered": "answered",
    "no-reply": "silent",
    "not-delivered": "silent",
    "not-sent": "not-sent",
}


@dataclass(frozen=True)
class Means:
    """What a check is made with: probes, counters, what the kernel says of a place, and how long to wait."""

    tools: Tools
    observe: Callable[[], ev.Snapshot]
    kernel: Kernel
    patience: PatienceFor


@dataclass(frozen=True)
class _Judgement:
    evidence: tuple[Evidence, ...]
    loss: Loss | None

    @property
    def holds(self) -> bool:
        return all(found.holds for found in self.evidence)


def run(topology: Topology, checks: Sequence[Check], means: Means) -> Iterator[Result]:
    """Run checks one after the other; each is alone on the wire, because it counts."""
    means.tools.prepare(checks)
    for check in checks:
        yield _until_it_holds(topology, check, means)


def _until_it_holds(topology: Topology, check: Check, means: Means) -> Result:
    waiting = means.patience(check.wait) if check.wait else Patience(0)
    for _ in waiting.looks(BETWEEN_TRIES):
        result = _once(topology, check, means)
        if result.passed:
            break
    return result


def _once(topology: Topology, check: Check, means: Means) -> Result:
    _come_to_rest(means.patience)
    before = means.observe()
    outcome, command = _probe(check, means.tools)
    wanted = _WANTED[check.expect]
    judgement = _settled(topology, check, before, means)
    passed = outcome.state == wanted and judgement.holds
    lost = ""
    if passed and wanted == "silent" and check.crosses:
        lost = held_back(check, means.kernel)
        passed = not lost
    elif not passed and outcome.state != "unasked" and judgement.loss:
        lost = told(judgement.loss, check, means.kernel)
    return Result(
        check.name,
        check.description,
        passed,
        outcome.is_answer_to(wanted),
        outcome.state,
        expectation(check),
        outcome.words,
        judgement.evidence,
        command,
        lost,
        _message(check, passed, outcome),
    )


def _message(check: Check, passed: bool, outcome: Outcome) -> str:
    """What the file has to say. Its words for a failure explain another answer, not a count or what was not asked."""
    if passed:
        return check.pass_
    wanted = _WANTED[check.expect]
    return check.fail if outcome.is_answer_to(wanted) and outcome.state != wanted else ""


def _probe(check: Check, tools: Tools) -> tuple[Outcome, str]:
    if check.ping is not None:
        return tools.ping(check.ping), tools.ping_command(check.ping)
    assert check.nc is not None, "the rules of the file demand one of the two"
    return tools.nc(check.nc), tools.nc_command(check.nc)


def _come_to_rest(patience: PatienceFor) -> None:
    """Wait until no engine has packets left to carry."""
    for _ in patience(0).looks():
        pass


def _settled(topology: Topology, check: Check, before: ev.Snapshot, means: Means) -> _Judgement:
    """The judgement as soon as it holds; or the last one."""
    _come_to_rest(means.patience)
    for _ in means.patience(SETTLE).looks():
        judgement = judge(topology, check, before, means.observe())
        if judgement.holds:
            break
    return judgement


def judge(topology: Topology, check: Check, before: ev.Snapshot, after: ev.Snapshot) -> _Judgement:
    """What the counters say about one check; a pure function of two snapshots."""
    engines = [endpoint.device for endpoint in topology.ttun if endpoint.engine is None]
    chatty = frozenset(ref for ref in check.crosses if _is_chatty(topology, ref))
    there, back = ev.row(check.crosses, engines), ev.row_back(check.crosses, engines)
    sent, returned = _numbers(topology, check)
    found_there = _counted(there, sent, chatty, before, after)
    found_back = _counted(back, returned, chatty, before, after)
    quiet = ev.exactly(ev.silence(check.quiet, engines), 0, frozenset(), before, after)
    lost = loss(there, found_there, before, after)
    if lost is None and returned != 0:
        lost = loss(back, found_back, before, after, back=True)
    return _Judgement((*found_there, *found_back, *quiet), lost)


def _counted(
    places: list[ev.CountingPoint],
    number: int | None,
    chatty: frozenset[InterfaceRef],
    before: ev.Snapshot,
    after: ev.Snapshot,
) -> list[Evidence]:
    if number is None:
        return ev.conserved(places, before, after)
    return ev.exactly(places, number, chatty, before, after)


def _is_chatty(topology: Topology, ref: InterfaceRef) -> bool:
    """Whether an interface carries ARP or neighbour discovery beside the packets of a probe."""
    return topology.namespaces[ref.namespace].interfaces[ref.interface].kind not in ("tun", "lo")


def _numbers(topology: Topology, check: Check) -> tuple[int | None, int | None]:
    """How many packets must go and come back; None where only the protocol knows."""
    if not check.crosses:
        return 0, 0
    tunnels = tunnel_mtus(topology)
    leaving, arriving = (mtu_of(topology, ref, tunnels) for ref in (check.crosses[0], check.crosses[-1]))
    match check:
        case Check(ping=Ping(count=count, size=size, to=to)):
            there, back = (count * packets(size, mtu, to.version) for mtu in (leaving, arriving))
            return there, 0 if check.expect == "no-reply" else back
        case Check(nc=Nc(protocol="udp", address=address) as nc):
            reply = nc.reply if check.expect != "not-delivered" else None
            there = packets(len(nc.send.encode()), leaving, address.version)
            return there, packets(len(reply.encode()), arriving, address.version) if reply else 0
        case _:
            return None, None if check.expect != "not-delivered" else 0


def expectation(check: Check) -> str:
    """What a check expects, in words."""
    if check.ping is not None:
        answer = {"no-reply": "no reply", "not-sent": "not sent"}.get(check.expect or "", "every reply")
        return f"{check.ping.count} echo requests to {check.ping.to}: {answer}"
    assert check.nc is not None
    verb = {"not-delivered": "not delivered", "not-sent": "not sent"}.get(check.expect or "", "delivered")
    return f"{check.nc.protocol.upper()} {check.nc.address}:{check.nc.port}: {len(check.nc.send.encode())} bytes {verb}"
