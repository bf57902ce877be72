"""One half of a probe whose other half is on another host: who listens tells when it does, and then the other sends.

The caller passes on that it has begun, to who listens: only then does the time of that count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from labctl.api.caller import Caller
from labctl.process.child import Tell

if TYPE_CHECKING:
    from labctl.checks.kinds.nc_apart import Half
    from labctl.checks.kinds.throughput_apart import Received, Sent
    from labctl.process.patience import PatienceFor
    from labctl.topology.model import Nc, Throughput

Seen = TypeVar("Seen")

LISTENS = "listens"
"""What the half that listens tells once it is ready."""

SENDS = "sends"
"""What the half that sends tells once it has begun."""

MEASURED = "measured"
"""What the receiver of a flow tells once it has measured enough of it."""


def served(lab: str, probe: Nc, caller: Caller) -> Half:
    """Be the server of an nc."""
    from labctl.checks.kinds.nc_apart import serve

    return _half(lab, caller, lambda patience, tell: serve(probe, patience, lambda: tell(LISTENS), caller.hear))


def called(lab: str, probe: Nc, caller: Caller) -> Half:
    """Be the client of an nc."""
    from labctl.checks.kinds.nc_apart import call

    return _half(lab, caller, lambda patience, tell: call(probe, patience, lambda: tell(SENDS)))


def served_by_program(lab: str, probe: Nc, caller: Caller) -> Half:
    """Be the server of an nc with that of this machine, until the caller speaks once more."""
    from labctl.checks.system.nc import SystemNc

    def half(patience: PatienceFor, tell: Tell) -> Half:
        return SystemNc(patience).serve(probe, lambda: tell(LISTENS), caller.hear, caller.hear)

    return _half(lab, caller, half)


def called_by_program(lab: str, probe: Nc, caller: Caller) -> Half:
    """Be the client of an nc with that of this machine."""
    from labctl.checks.system.nc import SystemNc

    return _half(lab, caller, lambda patience, tell: SystemNc(patience).call(probe, lambda: tell(SENDS)))


def received(lab: str, probe: Throughput, caller: Caller) -> Received:
    """Be the receiver of a flow; tell, too, when that may end."""
    from labctl.checks.kinds.throughput_apart import receive

    def half(patience: PatienceFor, tell: Tell) -> Received:
        return receive(probe, patience, lambda: tell(LISTENS), caller.hear, lambda: tell(MEASURED))

    return _half(lab, caller, half)


def sent(lab: str, probe: Throughput, caller: Caller) -> Sent:
    """Be the sender of a flow, until the caller speaks."""
    from labctl.checks.kinds.throughput_apart import send

    return _half(lab, caller, lambda patience, tell: send(probe, patience, lambda: tell(SENDS), caller.hear))


def received_by_program(lab: str, probe: Throughput, caller: Caller) -> Received:
    """Be the receiver of a flow with the iperf3 of this machine, whose sender ends it; interrupted where none came."""
    from labctl.checks.system.iperf3 import SystemIperf3

    def half(patience: PatienceFor, tell: Tell) -> Received:
        return SystemIperf3(patience).serve(probe, lambda: tell(LISTENS), lambda: not caller.hear())

    return _half(lab, caller, half)


def sent_by_program(lab: str, probe: Throughput, caller: Caller) -> Sent:
    """Be the sender of a flow with the iperf3 of this machine."""
    from labctl.checks.system.iperf3 import SystemIperf3

    return _half(lab, caller, lambda patience, tell: SystemIperf3(patience).call(probe, lambda: tell(SENDS)))


def _half(lab: str, caller: Caller, work: Callable[[PatienceFor, Tell], Seen]) -> Seen:
    from labctl.lab.own_labs import context_of
    from labctl.lab.state import existing
    from labctl.lab.verify import patience_of

    def there(tell: Tell) -> Seen:
        return work(patience_of(existing(lab).read()), tell)

    return context_of(lab).follow(there, caller.tell)
