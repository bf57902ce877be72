"""What a picture of a lab shows, as plain data: namespaces, interfaces, cables, tunnels, and what is wrong with them.

`of_topology` makes it of a file; `of_status` adds what was found of the running lab. A fault is a difference from the
file, or something dead, in a few words.
"""

from __future__ import annotations

from collections.abc import Iterator

from labctl.frozen import frozen
from labctl.topology.interface_ref import InterfaceRef


@frozen
class Engine:
    """The engine of a TUN device; `program` is the command of a program in place of the built-in one."""

    bind: str
    peer: str
    program: str = ""
    impaired: tuple[str, ...] = ()  # each with its direction: out delay 50ms
    faults: tuple[str, ...] = ()
    dead: bool = False  # nothing passes it


@frozen
class Interface:
    """An interface; `master` is the bridge of which it is a port."""

    ref: InterfaceRef
    kind: str
    addresses: tuple[str, ...] = ()
    master: str = ""
    impaired: str = ""  # what packets suffer that it sends
    engine: Engine | None = None
    faults: tuple[str, ...] = ()


@frozen
class Namespace:
    """A namespace; `forwards` where it passes on IPv4 or IPv6 packets that are not for it.

    `host` is the machine that it is on, where the lab is over several.
    """

    name: str
    interfaces: tuple[Interface, ...] = ()
    forwards: bool = False
    faults: tuple[str, ...] = ()
    gone: bool = False
    host: str = ""

    @property
    def traits(self) -> tuple[str, ...]:
        """Return what is said of it beside its name."""
        return (*(("forwards",) if self.forwards else ()), *((f"on {self.host}",) if self.host else ()))


@frozen
class Cable:
    """A veth pair; dead where no packet can pass."""

    one: InterfaceRef
    other: InterfaceRef
    dead: bool = False

    @property
    def ends(self) -> frozenset[InterfaceRef]:
        return frozenset((self.one, self.other))


@frozen
class Tunnel:
    """What carries the packets of a TUN device to the one that they come out of, None where that is not known.

    `way` are the ends of cables and the TUN devices of other tunnels that its datagrams pass, in order. Where the
    datagrams of the other end come back the same way, one tunnel stands for `both` directions.
    """

    device: InterfaceRef
    far: InterfaceRef | None
    way: tuple[InterfaceRef, ...] = ()
    both: bool = False
    dead: bool = False


@frozen
class Picture:
    """All of a lab; `state` says how the running lab compares with its file, and is empty for a file alone."""

    lab: str
    description: str = ""
    namespaces: tuple[Namespace, ...] = ()
    cables: tuple[Cable, ...] = ()
    tunnels: tuple[Tunnel, ...] = ()
    state: str = ""

    @property
    def hosts(self) -> dict[str, list[tuple[int, Namespace]]]:
        """Return the namespaces with their numbers by the host that they are on, "" where the lab is over none."""
        found: dict[str, list[tuple[int, Namespace]]] = {}
        for number, namespace in enumerate(self.namespaces):
            found.setdefault(namespace.host, []).append((number, namespace))
        return found

    @property
    def interfaces(self) -> Iterator[Interface]:
        """Yield the interfaces of all namespaces."""
        for namespace in self.namespaces:
            yield from namespace.interfaces
