"""One namespace at work: a netlink socket in it, and the index of every interface there.

Interfaces are made with indexes of our choosing (2, 3, ... in the order of the file), so no step has to ask the kernel
what it just made.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from labctl.engine.carrier import notice_carrier
from labctl.kernel import namespaces, neighbours, netem, options, qdiscs, requests, routes, rules, sysctls, tuntap
from labctl.kernel import rtnetlink as rt
from labctl.kernel.link_message import link_messages
from labctl.kernel.options import IFF_MULTICAST, IFF_NOARP, IFF_UP
from labctl.plan import steps
from labctl.plan.firewall import Firewall, Listing
from labctl.plan.netem import Netem
from labctl.plan.recorded import Substitution
from labctl.plan.steps import STAND_IN, InterfaceStep
from labctl.plan.steps.addresses import ADDRGENMODES
from labctl.process.syscalls import network_namespace

if TYPE_CHECKING:
    from labctl.kernel.foreign import Foreign

IFA_F_NODAD = 0x02  # linux/if_addr.h
RT_SCOPE_HOST = 254  # linux/rtnetlink.h

LOCAL_ROUTE, PAUSE = 5.0, 0.001
"""Seconds to wait for the local route of an IPv6 address, and between two looks."""


class Space:
    """One namespace at work, and the index of every interface in it."""

    def __init__(self, opened: namespaces.Opened, indexes: dict[str, int]) -> None:
        self._fd, self._netlink = opened
        self._indexes = indexes
        self._set_up: list[str] = []
        self._new_addresses: set[ipaddress.IPv6Address] = set()
        self.close = opened.close

    @classmethod
    def existing(cls, opened: namespaces.Opened) -> Space:
        try:
            links = link_messages(opened.netlink)
        except BaseException:
            opened.close()
            raise
        return cls(opened, {link.name: link.index for link in links})

    def _next_index(self) -> int:
        return max(self._indexes.values()) + 1

    def _index(self, interface: str) -> int:
        """Return the index of an interface. Raise OSError (ENODEV) where it has gone."""
        if interface not in self._indexes:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return self._indexes[interface]

    @property
    def has_come_up(self) -> bool:
        """Return whether an interface was set up here."""
        return bool(self._set_up)

    def forget_unanswered(self) -> None:
        for index, found in neighbours.seen(self._netlink).items():
            for neighbour in found:
                if neighbour.state in neighbours.UNRESOLVED:
                    with suppress(OSError):  # it has answered, or gone, just now
                        neighbours.forget(self._netlink, index, neighbour)

    def notice_carriers(self) -> None:
        with network_namespace(self._fd):
            notice_carrier(*self._set_up)

    def wait_for_local_routes(self) -> None:
        """Wait until what is sent to each new IPv6 address arrives, at most LOCAL_ROUTE seconds.

        The route comes from a work queue, also where no duplicate is looked for (addrconf_dad_work() in
        net/ipv6/addrconf.c). On a busy machine that takes a third of a second, and until then the namespace does not
        know the address as its own.
        """
        deadline = time.monotonic() + LOCAL_ROUTE
        while self._new_addresses:
            self._new_addresses -= routes.local_ipv6(self._netlink)
            if time.monotonic() > deadline:
                return  # what is missing is found by the next look at the lab
            if self._new_addresses:
                time.sleep(PAUSE)

    def set_sysctl(self, path: str, value: str) -> None:
        # /proc/sys/net shows the namespace of whoever opens it, so the file is opened inside.
        with network_namespace(self._fd):
            sysctls.write(path, value)

    def set_firewall(self, firewall: Firewall) -> None:
        from labctl.kernel.nftables.commit import commit  # most labs have none, and do without

        with network_namespace(self._fd):
            commit(firewall)

    def listing(self) -> Listing:
        from labctl.kernel.nftables.listing import listing

        with network_namespace(self._fd):
            return listing()

    def differing(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Return those of some settings that have another value here."""
        with network_namespace(self._fd):
            here = sysctls.read(settings)
        return {path: value for path, value in settings.items() if here.get(path, value) != value}

    def add_link(self, step: steps.AddLink) -> Substitution | None:
        index = self._next_index()
        if step.kind in ("tun", "tap"):
            with network_namespace(self._fd):
                owned = tuntap.create(step.interface, step.kind, index, step.owner)
            self._indexes[step.interface] = index
            if not owned:
                return Substitution(
                    step.ref, f"owner {step.owner}", "your own user", "a rootless lab knows no other user than you"
                )
            return None
        substitution = self._create_link(step, index)
        self._indexes[step.interface] = index
        return substitution

    def _create_link(self, step: steps.AddLink, index: int) -> Substitution | None:
        try:
            self._new_link(step.interface, index, step.kind)
            return None
        except rt.Refused as error:
            if step.kind != "dummy" or error.errno != errno.EOPNOTSUPP:
                raise
        # A bridge without ports behaves as a dummy does: own address answers, others are silent and counted.
        # Without NOARP it would answer "Host Unreachable" after three seconds.
        self._new_link(step.interface, index, "bridge", (("IFLA_BR_MCAST_SNOOPING", 0),))
        alias = (("IFLA_IFALIAS", STAND_IN),)
        self._change_link(index, alias, flags=IFF_NOARP, change=IFF_NOARP | IFF_MULTICAST)
        return Substitution(step.ref, "dummy", "bridge without ports", "this kernel has no dummy driver")

    def _new_link(self, name: str, index: int, kind: str, data: requests.Attributes = ()) -> None:
        self._netlink.request(
            rt.RTM_NEWLINK, requests.new_link(name, kind, index, data), rt.NLM_F_CREATE | rt.NLM_F_EXCL
        )

    def add_veth(self, step: steps.AddVeth, there: Space) -> None:
        index = self._next_index()
        peer_index = there._next_index() + (1 if there is self else 0)
        peer = requests.Interface(peer_index, (("IFLA_IFNAME", step.peer.interface), ("IFLA_NET_NS_FD", there._fd)))
        self._new_link(step.interface, index, "veth", (("VETH_INFO_PEER", peer),))
        self._indexes[step.interface] = index
        there._indexes[step.peer.interface] = peer_index

    def delete_link(self, step: steps.DeleteLink) -> None:
        # It may be gone by now: the other end of a cable goes a while after the namespace of the first (cleanup_net()).
        try:
            self._netlink.request(rt.RTM_DELLINK, requests.link(self._index(step.interface)))
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
        self._indexes.pop(step.interface, None)

    def set_link(self, step: InterfaceStep) -> None:
        index = self._index(step.interface)
        match step:
            case steps.SetMac(mac=mac):
                self._change_link(index, (("IFLA_ADDRESS", mac),))
            case steps.SetMtu(mtu=mtu):
                self._change_link(index, (("IFLA_MTU", mtu),))
            case steps.ClearMaster():
                self._change_link(index, (("IFLA_MASTER", 0),))
            case steps.SetMaster(master=master):
                self._change_link(index, (("IFLA_MASTER", self._index(master)),))
            case steps.SetNetem(impairment=impairment):
                netem.attach(self._netlink, index, Netem.of(impairment))
            case steps.ClearNetem():
                qdiscs.detach(self._netlink, index)
            case steps.NoAutomaticAddresses():
                inet6 = (("IFLA_INET6_ADDR_GEN_MODE", ADDRGENMODES.index("none")),)
                self._change_link(index, (("IFLA_AF_SPEC", (("AF_INET6", inet6),)),))
            case steps.SetUp():
                self._change_link(index, flags=IFF_UP, change=IFF_UP)
                self._set_up.append(step.interface)
            case steps.AddNeighbour(neighbour=neighbour):
                neighbours.add(self._netlink, index, neighbour)
            case steps.SetOption(option=option, value=value):
                options.change(self._netlink, index, option, value)
            case _:
                raise TypeError(f"no way to perform {step!r}")

    def _change_link(self, index: int, attributes: requests.Attributes = (), flags: int = 0, change: int = 0) -> None:
        self._netlink.request(rt.RTM_NEWLINK, requests.link(index, attributes, flags, change))

    def remove(self, step: Foreign) -> None:
        from labctl.kernel import foreign

        foreign.remove(step, self._fd, self._netlink, self._indexes)

    def address(self, request: int, step: steps.AddAddress | steps.DeleteAddress, flags: int = 0) -> None:
        own, _, other = step.address.partition(" peer ")
        address = ipaddress.ip_interface(other or own)
        message = requests.ifaddrmsg()
        message["family"] = _family(address.version)
        message["prefixlen"] = address.network.prefixlen
        message["index"] = self._index(step.interface)
        if address.version == 4 and address.is_loopback:
            message["scope"] = RT_SCOPE_HOST  # as ip(8) and the kernel's own 127.0.0.1 have it
        attributes: list[tuple[str, Any]] = [
            ("IFA_LOCAL", own.partition("/")[0]),
            ("IFA_ADDRESS", str(address.ip)),
        ]
        if address.version == 6:
            # An address of a lab is known to be alone on its link, and must be usable at once (RFC 4429 has the wait).
            attributes.append(("IFA_FLAGS", IFA_F_NODAD))
        message["attrs"] = attributes
        self._netlink.request(request, requests.encoded(message), flags)
        if request == rt.RTM_NEWADDR and address.version == 6:
            self._new_addresses.add(ipaddress.IPv6Address(own.partition("/")[0]))

    def route(self, step: steps.AddRoute | steps.DeleteRoute) -> None:
        if isinstance(step, steps.AddRoute):
            routes.add(self._netlink, step.route, self._indexes)
        else:
            routes.delete(self._netlink, step.route, {index: name for name, index in self._indexes.items()})

    def rule(self, step: steps.AddRule | steps.DeleteRule) -> None:
        change = rules.add if isinstance(step, steps.AddRule) else rules.delete
        change(self._netlink, step.rule)


def _family(version: int) -> int:
    return 2 if version == 4 else 10  # AF_INET, AF_INET6
