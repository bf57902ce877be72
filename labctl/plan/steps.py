"""The steps that a lab is made of. Each is one change, small enough that the kernel can refuse exactly it.

A step is plain data. It knows what it does (`action`), to what (`subject`), and how a person says it (`words`), so that
the same step can be planned, shown, performed, written as an ip(8) command, and named in an error.

A class that adds no field is a dataclass by what it inherits. Each decorator takes 0.4 ms of every start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from labctl.engine.packets.impairment import Impairment
from labctl.plan.engine_spec import Direction, EngineSpec
from labctl.plan.facts import Neighbour
from labctl.plan.routes import Route, Rule
from labctl.topology.interface_ref import InterfaceRef

Action = Literal["create", "change", "remove"]

STAND_IN = "labctl: bridge stands in for dummy"
"""The alias of a bridge without ports that stands in where the kernel has no dummy driver."""


@dataclass(frozen=True)
class Step:
    """One change inside one namespace."""

    action: ClassVar[Action] = "change"

    namespace: str

    @property
    def subject(self) -> str:
        return self.namespace

    @property
    def words(self) -> str:
        raise NotImplementedError


class Removal(Step):
    """A step that removes something: for good, or only until it is made again."""

    action = "remove"


@dataclass(frozen=True)
class InterfaceStep(Step):
    """One change of one interface."""

    interface: str

    @property
    def ref(self) -> InterfaceRef:
        return InterfaceRef(self.namespace, self.interface)

    @property
    def subject(self) -> str:
        return str(self.ref)


class AddNamespace(Step):
    """A network namespace under its name in /run/netns."""

    action = "create"

    @property
    def words(self) -> str:
        return "namespace"


class DeleteNamespace(Removal):
    """A namespace of the lab, with all that is in it."""

    @property
    def words(self) -> str:
        return "namespace"


@dataclass(frozen=True)
class SetSysctl(Step):
    """A setting by its path below /proc/sys."""

    path: str
    value: str

    @property
    def name(self) -> str:
        """As sysctl(8) writes it: dots separate, so a dot inside a part becomes a slash."""
        return self.path.translate(str.maketrans("./", "/."))

    @property
    def words(self) -> str:
        return f"sysctl {self.name} = {self.value}"


@dataclass(frozen=True)
class AddLink(InterfaceStep):
    """A dummy, bridge, tun or tap; `owner` is the user who may attach to a tun or tap."""

    action = "create"

    kind: str
    owner: str | None = None

    @property
    def words(self) -> str:
        return f"interface of kind {self.kind}" + (f", owner {self.owner}" if self.owner else "")


@dataclass(frozen=True)
class AddVeth(InterfaceStep):
    """Both ends of a cable in one request, each created in its own namespace."""

    action = "create"

    peer: InterfaceRef

    @property
    def words(self) -> str:
        return f"veth to {self.peer}"


class DeleteLink(Removal, InterfaceStep):
    """An interface; of a veth both ends."""

    @property
    def words(self) -> str:
        return "interface"


@dataclass(frozen=True)
class SetMac(InterfaceStep):
    """The hardware address."""

    mac: str

    @property
    def words(self) -> str:
        return f"MAC {self.mac}"


@dataclass(frozen=True)
class SetMtu(InterfaceStep):
    """MTU in bytes."""

    mtu: int

    @property
    def words(self) -> str:
        return f"MTU {self.mtu}"


@dataclass(frozen=True)
class _Port(InterfaceStep):
    """Whether an interface is a port of a bridge of its namespace."""

    master: str

    @property
    def words(self) -> str:
        return f"port of bridge {self.master}"


class SetMaster(_Port):
    """Makes an interface a port of a bridge."""


class ClearMaster(Removal, _Port):
    """Makes a port an interface of its own again."""


@dataclass(frozen=True)
class SetOption(InterfaceStep):
    """One option of `ip link set dev`, in its words: `arp`, or `type bridge_slave isolated`."""

    option: str
    value: str

    @property
    def words(self) -> str:
        return f"{self.option} {self.value}"


@dataclass(frozen=True)
class _Netem(InterfaceStep):
    """What packets suffer that the interface sends."""

    impairment: Impairment

    @property
    def words(self) -> str:
        return f"netem {self.impairment}"


class SetNetem(_Netem):
    """Impairs, in place of whatever does so now."""


class ClearNetem(Removal, _Netem):
    """Restores the qdisc that the interface was created with."""


class NoAutomaticAddresses(InterfaceStep):
    """No IPv6 address by itself: the router solicitations that follow one would blur every count."""

    @property
    def words(self) -> str:
        return "no IPv6 address of its own (addrgenmode none)"


@dataclass(frozen=True)
class AutomaticAddresses(InterfaceStep):
    """The link-local IPv6 address of its own, without which an interface finds no IPv6 neighbour."""

    mode: str  # eui64; random for an interface that has no hardware address

    @property
    def words(self) -> str:
        return f"link-local IPv6 address of its own (addrgenmode {self.mode})"


@dataclass(frozen=True)
class _Address(InterfaceStep):
    """An address with its prefix length, as the kernel shows it."""

    address: str

    @property
    def words(self) -> str:
        return f"address {self.address}"


class AddAddress(_Address):
    """An address with its prefix length."""

    action = "create"


class DeleteAddress(Removal, _Address):
    """An address with its prefix length, as the kernel shows it."""


class SetUp(InterfaceStep):
    """Administratively up: what is sent through it is not refused."""

    @property
    def words(self) -> str:
        return "up"


@dataclass(frozen=True)
class _Route(Step):
    """A static route."""

    route: Route

    @property
    def words(self) -> str:
        return f"route {self.route.words}"


class AddRoute(_Route):
    """A static route."""

    action = "create"


class DeleteRoute(Removal, _Route):
    """Exactly that route."""


@dataclass(frozen=True)
class _Rule(Step):
    """A rule of the routing policy."""

    rule: Rule

    @property
    def words(self) -> str:
        version = "IPv6 " if self.rule.family == "inet6" else ""
        return f"{version}rule {self.rule.priority}: {self.rule.words}"


class AddRule(_Rule):
    """A rule of the routing policy."""

    action = "create"


class DeleteRule(Removal, _Rule):
    """Exactly that rule."""


@dataclass(frozen=True)
class _Engine(InterfaceStep):
    """The engine between a TUN device and a UDP socket of the same namespace."""

    spec: EngineSpec

    @property
    def words(self) -> str:
        return f"engine {self.spec.command}"


class StartEngine(_Engine):
    """The engine between a TUN device and a UDP socket of the same namespace."""

    action = "create"


@dataclass(frozen=True)
class StopEngine(Removal, _Engine):
    """Ends the engine of a TUN device; `stopped` where SIGSTOP has stopped it."""

    stopped: bool = False

    @property
    def words(self) -> str:
        return f"engine {self.spec.command}" + (" (stopped)" if self.stopped else "")


@dataclass(frozen=True)
class ImpairEngine(InterfaceStep):
    """What packets suffer in a running engine, in one direction."""

    direction: Direction
    impairment: Impairment
    before: Impairment

    @property
    def words(self) -> str:
        return f"engine impairs {self.direction} {self.impairment}"


@dataclass(frozen=True)
class DeleteTable(Removal):
    """A table of nftables, with all that is in it."""

    family: str
    name: str
    chains: int
    rules: int

    @property
    def words(self) -> str:
        return f"nftables table {self.family} {self.name} ({many(self.chains, 'chain')}, {many(self.rules, 'rule')})"


@dataclass(frozen=True)
class FlushXfrm(Removal):
    """All IPsec policies, or all states."""

    what: str
    number: int

    @property
    def words(self) -> str:
        return f"xfrm {self.what} ({self.number} of them)"


@dataclass(frozen=True)
class DeleteQdisc(Removal, InterfaceStep):
    """A qdisc, with the filters and qdiscs below it."""

    kind: str
    place: str

    @property
    def words(self) -> str:
        return f"qdisc {self.kind}" + (f" at {self.place}" if self.place != self.kind else "")


@dataclass(frozen=True)
class _Neighbour(InterfaceStep):
    """An entry of the neighbour table: ARP or NDP, or one that is answered for another host (proxy)."""

    neighbour: Neighbour

    @property
    def words(self) -> str:
        to, lladdr, state = self.neighbour.to, self.neighbour.lladdr, self.neighbour.state
        return f"proxy neighbour {to}" if state == "proxy" else f"neighbour {to} lladdr {lladdr} {state}"


class AddNeighbour(_Neighbour):
    """An entry that stays, in place of any other for its address."""

    action = "create"


class DeleteNeighbour(Removal, _Neighbour):
    """Exactly that entry."""


@dataclass(frozen=True)
class DeleteForwarding(Removal, InterfaceStep):
    """A static entry of a bridge's forwarding database: a MAC address behind a port."""

    mac: str

    @property
    def words(self) -> str:
        return f"fdb entry {self.mac}"


def many(number: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{number} {what}{'s' * (number != 1)}"
