"""What `ip link set` sets of an interface and no file names: each has the value that a new one has.

The values are those of the drivers: drivers/net/dummy.c (dummy_setup()), drivers/net/tun.c (tun_net_initialize()),
net/bridge/br_if.c (new_nbp()) and br_device.c (br_dev_setup()). What an interface does not have, or this kernel does
not tell, is not compared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from labctl.plan.facts import Link, Namespace
from labctl.plan.steps import SetOption
from labctl.topology.interface_ref import InterfaceRef

BRIDGE = {"stp_state": "0", "vlan_filtering": "0", "mcast_snooping": "1"}
PORT = {
    "learning": "on",
    "flood": "on",
    "mcast_flood": "on",
    "bcast_flood": "on",
    "isolated": "off",
    "guard": "off",
    "hairpin": "off",
    "locked": "off",
    "neigh_suppress": "off",
}
FORWARDING, BLOCKING = "3", "4"  # linux/if_bridge.h: BR_STATE_*

_NO_ARP = ("dummy", "tun")
_NO_MULTICAST = ("dummy", "lo")
_QUEUES = {"tun": "500", "tap": "1000"}  # packets that may wait for the program; others send without a queue


def options(name: str, space: Namespace, served: Collection[InterfaceRef]) -> Iterator[SetOption]:
    """Yield the steps that restore the options of a namespace's interfaces; `served` are the TUN devices of engines."""
    for interface, link in space.links.items():
        carrier = _of_carrier(link, InterfaceRef(name, interface) in served)
        for option, value in {**_of_kind(link), **_of_port(link, space), **carrier}.items():
            if link.options.get(option, value) != value:
                yield SetOption(name, interface, option, value)


def _of_kind(link: Link) -> dict[str, str]:
    expected = {
        "arp": "off" if link.kind in _NO_ARP else "on",
        "multicast": "off" if link.kind in _NO_MULTICAST else "on",
        "xdpgeneric": "off",
        "xdpdrv": "off",
    }
    if link.kind in _QUEUES:
        expected["txqueuelen"] = _QUEUES[link.kind]
    if link.kind == "bridge":
        expected |= {f"type bridge {option}": value for option, value in BRIDGE.items()}
    return expected


def _of_port(link: Link, space: Namespace) -> dict[str, str]:
    """Return the options of a port of a bridge.

    Without a spanning tree it forwards as soon as it is operational (br_port_carrier_check()).
    """
    bridge = space.links.get(link.master)
    if bridge is None:
        return {}
    expected = {f"type bridge_slave {option}": value for option, value in PORT.items()}
    if link.state == "up" and bridge.up and _is_without_tree(bridge):
        expected["type bridge_slave state"] = FORWARDING
    return expected


def left_blocking(link: Link, links: Mapping[str, Link]) -> bool:
    """Return whether a spanning tree that has ended has left a port blocking.

    No request makes it forward then (br_port_state_selection()): it has to become a port anew.
    """
    bridge = links.get(link.master)
    blocking = link.options.get("type bridge_slave state") == BLOCKING
    return blocking and bridge is not None and _is_without_tree(bridge)


def _is_without_tree(bridge: Link) -> bool:
    return bridge.options.get("type bridge stp_state") == "0"


def _of_carrier(link: Link, served: bool) -> dict[str, str]:
    """Return the carrier that is expected: a dummy always has one, a TUN while a program has it open."""
    always = link.kind == "dummy" and not link.stand_in
    return {"carrier": "on"} if link.up and (always or served) else {}
