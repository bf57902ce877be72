"""What a diagnosis asks: questions to the kernel and to the engines of a lab, whose answers are plain data.

Nothing else of a diagnosis is IO. Of a lab on one machine the questions are answered where it lives; of one over hosts
each by the host that has the namespace, and the answers are put together.

Taps and counters are looked at from before a check until after it (`begin`), so that what they show is of the run that
failed. What the kernel would do with each packet of the way is asked afterwards, in the namespace of each stage.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from labctl.diagnosis.facts import CableEnd, Engine, Space
from labctl.kernel.addresses import Address
from labctl.kernel.conntrack import Connection
from labctl.kernel.flow import Flow
from labctl.kernel.lookup import NoWay, Way
from labctl.kernel.nftables.ruleset import Chain
from labctl.kernel.nftables.trace import Event
from labctl.kernel.packet_taps import Seen
from labctl.plan import facts as plan
from labctl.plan.change import Change
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Probe
from labctl.topology.values import Host


class LookUp(NamedTuple):
    """Where the kernel takes a packet: one that arrives at an interface, or that the namespace itself sends."""

    namespace: str
    flow: Flow
    arrives: str = ""


class Met(NamedTuple):
    """Which packets are to be traced in the firewall of a namespace: its chains, flows, and whose neighbours."""

    chains: Sequence[Chain]
    flows: Sequence[Flow]
    neighbours: Sequence[Host]


class Looked(NamedTuple):
    """The packets that were seen since a moment, in the order of time, and how many more were too many to be kept."""

    packets: Sequence[Seen] = ()
    missed: int = 0


class Gather(Protocol):
    """What is asked. A namespace that is gone is left out of an answer."""

    def watch(self, names: Collection[str]) -> Collection[str]:
        """Look at the packets of these namespaces from now on. Return those of them that are there."""

    def begin(self, names: Collection[str], program: bytes) -> None:
        """Forget what was seen until now. Count from now on in these namespaces, and in all engines.

        What a filter does not accept is not looked at.
        """

    def seen(self) -> Looked:
        """Return the packets that were seen since `begin`."""

    def namespaces(self) -> Mapping[str, plan.Namespace]:
        """Return what there is of the lab, as it is compared with its file."""

    def changes(self) -> Sequence[Change]:
        """Return what `up` would do, by the same."""

    def spaces(self, names: Collection[str]) -> Mapping[str, Space]:
        """Return what there is of these namespaces now, and what was counted there since `begin`."""

    def engines(self) -> Mapping[InterfaceRef, Engine]:
        """Return the engines by their devices, and what each has counted since `begin`."""

    def cables(self) -> Mapping[InterfaceRef, CableEnd]:
        """Return the ends of cables between hosts, and what the engine of each has counted since `begin`."""

    def connections(self, names: Collection[str]) -> Mapping[str, Sequence[Connection]]:
        """Return the connections that these namespaces track."""

    def look_ups(self, asked: Sequence[LookUp]) -> Sequence[Way | NoWay | None]:
        """Return where the kernel takes each packet; None where there is no such namespace or interface."""

    def setting(self, namespace: str, path: str) -> str | None:
        """Return a setting by its path below /proc/sys; None where it cannot be read."""

    def begin_trace(self, wanted: Mapping[str, Met]) -> Collection[str]:
        """Trace packets in the firewalls of some namespaces from now on. Return where that can be done."""

    def events(self) -> Mapping[str, Sequence[Event]]:
        """Return which rules the packets have met since this was asked last, by namespace."""

    def end_trace(self) -> None:
        """Trace no more, and leave nothing of it."""

    def ask(self, probe: Probe) -> object:
        """Make a probe once more."""


def elsewhere(seen: plan.Namespace) -> Space:
    """Return what is known of a namespace that is not on the way: its interfaces and addresses."""
    addresses = {name: tuple(map(_plain, link.addresses)) for name, link in seen.links.items()}
    return Space(links=seen.links, addresses=addresses)


def _plain(text: str) -> Address:
    host, _, length = text.partition("/")
    return Address(host.partition(" ")[0], int(length))
