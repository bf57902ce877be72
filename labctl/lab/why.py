"""Why a namespace does not reach an address: what a failed check explains, without a check."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

from labctl.checks.probes import Probes
from labctl.diagnosis.verdict import Verdict
from labctl.errors import UsageError
from labctl.frozen import frozen
from labctl.lab.challenge import Challenge, challenge_in
from labctl.lab.names import namespaces_of, resolve
from labctl.lab.state import applied, existing
from labctl.lab.verify import explained
from labctl.plan.desired import desired
from labctl.topology.hosts_lines import address_of
from labctl.topology.model import Check, Ping, Topology
from labctl.topology.one_host import not_of_one_host
from labctl.topology.values import Host

COUNT, TIMEOUT = 3, 0.5
"""Echo requests that are sent, and seconds that are waited for the replies."""


@frozen
class Reached:
    """Whether a namespace reached an address, what came back, and why nothing did."""

    lab: str
    sender: str
    to: str
    reached: bool
    observed: str
    diagnosis: tuple[Verdict, ...]
    challenge: Challenge | None = None  # while one runs there is no diagnosis

    def __str__(self) -> str:
        head = f"{self.sender} {'reaches' if self.reached else 'does not reach'} {self.to}: {self.observed}"
        return "\n\n".join([head, *map(str, self.diagnosis)])


_BROADCAST = IPv4Address("255.255.255.255")  # RFC 919
_AS_IN = "write that of one host, as in: labctl why siteA 10.0.102.1"


def _one_host(typed: str, topology: Topology, sender: str) -> Host:
    """Return the address that is typed, or that a name of the lab means there.

    Raise UsageError where it is none, or not that of one host.
    """
    try:
        address = address_of(topology, sender, typed) or ip_address(typed)
    except ValueError:
        raise UsageError(f"{typed!r} is no IP address, and no name of the lab", "", _AS_IN) from None
    if address.is_multicast or address.is_unspecified or address == _BROADCAST:
        raise UsageError(f"{address} is not the address of one host", "", _AS_IN)
    return address


def why(lab: str, namespace: str, typed: str) -> Reached:
    """Ping an address from a namespace of a lab, and explain what becomes of the packets where none comes back.

    It is typed as an address, or as a name of the lab. Raise UsageError where there is no such lab or namespace, or the
    address is not of one host; KernelRefused where the lab never came up.
    """
    state = existing(lab)
    wanted = desired(applied(state))
    sender = resolve(lab, namespace, namespaces_of(lab), "no namespace named")
    address, check = question(wanted.topology, sender, typed)
    ((result, causes),) = explained(state, wanted, [check], Probes)
    return Reached(lab, sender, str(address), result.passed, result.observed, tuple(causes), challenge_in(state))


def question(topology: Topology, sender: str, typed: str) -> tuple[Host, Check]:
    """Return the address that is typed, and the check that asks for it. Raise UsageError as `why` does."""
    address = _one_host(typed, topology, sender)
    if reason := not_of_one_host(topology, address):
        raise UsageError(f"{address} is not the address of one host", reason, "labctl status shows those of the hosts")
    ping = Ping(from_=sender, to=address, count=COUNT, timeout=TIMEOUT)
    return address, Check(name="why", ping=ping)
