"""The steps that a lab is made of. Each is one change, small enough that the kernel can refuse exactly it.

A step is plain data. It knows what it is about (`subject`) and what it does there (`words`), so that the same step can
be planned, shown, performed, written as an ip(8) command, and named in an error.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from labctl.plan.routes import Route, Rule


@dataclass(frozen=True)
class Step:
    """One change inside one namespace."""

    namespace: str

    @property
    def subject(self) -> str:
        return self.namespace

    @property
    def words(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class Removal(Step):
    """A step that takes something away, and why: for good, or only until it is made again."""

    why: str = field(default="is not in the file", compare=False, kw_only=True)


@dataclass(frozen=True)
class InterfaceStep(Step):
    """One change of one interface."""

    interface: str

    @property
    def subject(self) -> str:
        return f"{self.namespace}:{self.interface}"


@dataclass(frozen=True)
class AddNamespace(Step):
    @property
    def words(self) -> str:
        return "namespace"


@dataclass(frozen=True)
class DeleteNamespace(Removal):
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

    kind: str
    owner: str | None = None

    @property
    def words(self) -> str:
        return f"interface of kind {self.kind}" + (f", owner {self.owner}" if self.owner else "")


@dataclass(frozen=True)
class AddVeth(InterfaceStep):
    """Both ends of a cable in one request, each born in its own namespace."""

    peer_namespace: str
    peer_interface: str

    @property
    def words(self) -> str:
        return f"veth to {self.peer_namespace}:{self.peer_interface}"


@dataclass(frozen=True)
class DeleteLink(Removal, InterfaceStep):
    """Takes the other end of a veth along."""

    @property
    def words(self) -> str:
        return "interface"


@dataclass(frozen=True)
class SetMac(InterfaceStep):
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
class SetMaster(InterfaceStep):
    master: str

    @property
    def words(self) -> str:
        return f"port of bridge {self.master}"


@dataclass(frozen=True)
class ClearMaster(Removal, InterfaceStep):
    master: str

    @property
    def words(self) -> str:
        return f"port of bridge {self.master}"


@dataclass(frozen=True)
class _NetemStep(InterfaceStep):
    """What packets suffer that the interface sends, in the words of an impairment."""

    impairment: str

    @property
    def words(self) -> str:
        return f"netem {self.impairment}"


@dataclass(frozen=True)
class SetNetem(_NetemStep):
    """Impairs, in place of whatever does so now."""


@dataclass(frozen=True)
class ClearNetem(Removal, _NetemStep):
    """Gives the interface back the qdisc that it was born with."""


@dataclass(frozen=True)
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
class AddAddress(InterfaceStep):
    address: str

    @property
    def words(self) -> str:
        return f"address {self.address}"


@dataclass(frozen=True)
class DeleteAddress(Removal, InterfaceStep):
    address: str

    @property
    def words(self) -> str:
        return f"address {self.address}"


@dataclass(frozen=True)
class SetUp(InterfaceStep):
    @property
    def words(self) -> str:
        return "up"


@dataclass(frozen=True)
class _RouteStep(Step):
    route: Route

    @property
    def words(self) -> str:
        return f"route {self.route.words}"


@dataclass(frozen=True)
class AddRoute(_RouteStep):
    """A static route."""


@dataclass(frozen=True)
class DeleteRoute(Removal, _RouteStep):
    """Takes away exactly that route."""


@dataclass(frozen=True)
class _RuleStep(Step):
    rule: Rule

    @property
    def words(self) -> str:
        version = "IPv6 " if self.rule.family == "inet6" else ""
        return f"{version}rule {self.rule.priority}: {self.rule.words}"


@dataclass(frozen=True)
class AddRule(_RuleStep):
    """A rule of the routing policy."""


@dataclass(frozen=True)
class DeleteRule(Removal, _RuleStep):
    """Takes away exactly that rule."""


@dataclass(frozen=True)
class StartEngine(InterfaceStep):
    """The ttun engine between a TUN device and a UDP socket of the same namespace."""

    bind_host: str
    bind_port: int
    peer_host: str
    peer_port: int
    options: tuple[str, ...] = ()  # of the ttun command, such as -v
    run_as: str | None = None
    program: tuple[str, ...] = ()  # a forwarder of one's own; empty: the built-in one
    directory: str = ""  # where the program runs

    @property
    def words(self) -> str:
        return f"engine {self.command}"

    @property
    def command(self) -> str:
        """What a person types for the same."""
        if self.program:
            return shlex.join(self.program)
        ends = (self.bind_host, str(self.bind_port), self.peer_host, str(self.peer_port))
        return shlex.join(("ttun", self.interface, *ends, *self.options))


@dataclass(frozen=True)
class ImpairEngine(InterfaceStep):
    """What packets suffer in a running engine, in one direction, `out` or `in`, in the words of an impairment."""

    direction: str
    impairment: str
    before: str

    @property
    def words(self) -> str:
        return f"engine impairs {self.direction} {self.impairment}"


@dataclass(frozen=True)
class StopEngine(Removal, InterfaceStep):
    """End the engine of a TUN device."""

    command: str

    @property
    def words(self) -> str:
        return f"engine {self.command}"
