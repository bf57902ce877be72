"""Steps become kernel state: each step is one request, in the namespace that it names.

Interfaces are made with indexes of our choosing (2, 3, ... in the order of the file), so no step has to ask the kernel
what it just made. What the kernel refuses is raised as KernelRefused, with its own words.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from labctl.engine.carrier import notice_carrier
from labctl.errors import MachineError, UsageError, kernel_errors_as, kernel_words
from labctl.kernel import namespaces, neighbours, netem, options, qdiscs, routes, rules, sysctls, tuntap
from labctl.kernel import rtnetlink as rt
from labctl.kernel.options import IFF_MULTICAST, IFF_NOARP, IFF_UP
from labctl.plan import steps
from labctl.plan.automatic_addresses import ADDRGENMODES, link_local_settings
from labctl.plan.firewall import Firewall, Listing
from labctl.plan.netem import Netem
from labctl.plan.recorded import Substitution
from labctl.plan.settings import BORN_WITH
from labctl.plan.steps import STAND_IN, InterfaceStep, Step
from labctl.plan.steps_of_firewall import SetFirewall
from labctl.process.syscalls import network_namespace

if TYPE_CHECKING:
    from labctl.kernel.foreign import Foreign

IFA_F_NODAD = 0x02  # linux/if_addr.h
RT_SCOPE_HOST = 254  # linux/rtnetlink.h

LOCAL_ROUTE, PAUSE = 5.0, 0.001
"""Seconds to wait for the local route of an IPv6 address, and between two looks."""

RecordNamespace = Callable[[str, namespaces.NamespaceId], None]


class Performer:
    """Performs the steps of one lab and keeps a netlink socket for each of its namespaces."""

    def __init__(
        self, mark: str, recorded: Mapping[str, namespaces.NamespaceId], record_namespace: RecordNamespace
    ) -> None:
        self._recorded = recorded
        self._mark = mark
        self._record_namespace = record_namespace
        self._spaces: dict[str, _Space] = {}
        self._inherited: dict[str, str] | None = None

    def close(self) -> None:
        for space in self._spaces.values():
            space.close()
        self._spaces.clear()

    def settle(self) -> None:
        """Wait for what the kernel does by itself after the steps: carriers, and the local routes of IPv6 addresses.

        A cable has a carrier with both ends up.
        """
        with kernel_errors_as("could not ask for the carriers and routes of the interfaces"):
            for space in self._spaces.values():
                space.notice_carriers()
            for space in self._spaces.values():
                space.wait_for_local_routes()
            if any(space.has_come_up for space in self._spaces.values()):
                self._ask_neighbours_anew()

    def _ask_neighbours_anew(self) -> None:
        """Have the namespaces that were there before forget neighbours that have not answered yet.

        They were asked while the way to them was broken. What is sent to one of them now would wait for the last of
        three questions a second apart, and be lost with it (net/core/neighbour.c: neigh_timer_handler).
        """
        for name in self._recorded:
            with suppress(UsageError):  # it has just been deleted
                self._space(name).forget_unanswered()

    def perform(self, step: Step) -> Substitution | None:
        """Perform a step. Return what was used in place of what this machine lacks.

        Raise MachineError where it lacks a driver or a right, KernelRefused where the kernel refuses.
        """
        what = f"could not {'remove' if step.action == 'remove' else 'make'} {step.subject} {step.words}"
        with kernel_errors_as(what):
            try:
                return self._perform(step)
            except OSError as error:
                if driver := _missing_driver(step, error.errno):
                    raise MachineError(what, kernel_words(error), f"load the driver as root: {driver}") from error
                raise

    def listing(self, namespace: str) -> Listing:
        """Return what a namespace has of nftables. Raise KernelRefused."""
        with kernel_errors_as(f"could not read the firewall of {namespace}"):
            return self._space(namespace).listing()

    def _perform(self, step: Step) -> Substitution | None:
        match step:
            case steps.AddNamespace(namespace=name):
                self._add_namespace(name)
            case steps.SetSysctl(namespace=name, path=path, value=value):
                self._space(name).set_sysctl(path, value)
            case steps.AddLink():
                return self._space(step.namespace).add_link(step)
            case steps.AddVeth():
                self._space(step.namespace).add_veth(step, self._space(step.peer.namespace))
            case steps.DeleteNamespace(namespace=name):
                if name in self._spaces:
                    self._spaces.pop(name).close()
                namespaces.remove(name, self._recorded[name])
            case steps.AddRoute() | steps.DeleteRoute():
                self._space(step.namespace).route(step)
            case steps.AddRule() | steps.DeleteRule():
                self._space(step.namespace).rule(step)
            case steps.AutomaticAddresses(namespace=name, interface=interface, mode=mode):
                # Only the setting makes the address; a request to the interface would but change the mode.
                for setting, value in link_local_settings(mode).items():
                    self._space(name).set_sysctl(f"net/ipv6/conf/{interface}/{setting}", value)
            case steps.AddAddress():
                self._space(step.namespace).address(rt.RTM_NEWADDR, step, rt.NLM_F_CREATE | rt.NLM_F_EXCL)
            case steps.DeleteAddress():
                self._space(step.namespace).address(rt.RTM_DELADDR, step)
            case SetFirewall(namespace=name, firewall=firewall):
                self._space(name).set_firewall(firewall)
            case steps.DeleteLink():
                self._space(step.namespace).delete_link(step)
            case (
                steps.DeleteTable()
                | steps.FlushXfrm()
                | steps.DeleteQdisc()
                | steps.DeleteNeighbour()
                | steps.DeleteForwarding()
            ):
                self._space(step.namespace).remove(step)
            case InterfaceStep():
                self._space(step.namespace).set_link(step)
            case _:
                raise TypeError(f"no way to perform {step!r}")
        return None

    def _add_namespace(self, name: str) -> None:
        born = namespaces.create(name, self._mark, lambda found: self._record_namespace(name, found))
        self._spaces[name] = _Space(born, {"lo": namespaces.LOOPBACK_INDEX})
        if self._inherited is None:  # every namespace inherits the same
            self._inherited = self._spaces[name].differing(BORN_WITH)
        for path, value in self._inherited.items():
            self._spaces[name].set_sysctl(path, value)

    def _space(self, name: str) -> _Space:
        if name not in self._spaces:
            with namespaces.inside(name):
                self._spaces[name] = _Space.existing(namespaces.Opened.here())
        return self._spaces[name]


class _Space:
    """One namespace at work, and the index of every interface in it."""

    def __init__(self, opened: namespaces.Opened, indexes: dict[str, int]) -> None:
        self._fd, self._netlink = opened
        self._indexes = indexes
        self._set_up: list[str] = []
        self._new_addresses: set[ipaddress.IPv6Address] = set()
        self.close = opened.close

    @classmethod
    def existing(cls, opened: namespaces.Opened) -> _Space:
        try:
            links = opened.netlink.dump(rt.RTM_GETLINK, rt.link(0))
        except BaseException:
            opened.close()
            raise
        return cls(opened, {link.get_attr("IFLA_IFNAME"): link["index"] for link in links})

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

    def _new_link(self, name: str, index: int, kind: str, data: rt.Attributes = ()) -> None:
        self._netlink.request(rt.RTM_NEWLINK, rt.new_link(name, kind, index, data), rt.NLM_F_CREATE | rt.NLM_F_EXCL)

    def add_veth(self, step: steps.AddVeth, there: _Space) -> None:
        index = self._next_index()
        peer_index = there._next_index() + (1 if there is self else 0)
        peer = rt.Interface(peer_index, (("IFLA_IFNAME", step.peer.interface), ("IFLA_NET_NS_FD", there._fd)))
        self._new_link(step.interface, index, "veth", (("VETH_INFO_PEER", peer),))
        self._indexes[step.interface] = index
        there._indexes[step.peer.interface] = peer_index

    def delete_link(self, step: steps.DeleteLink) -> None:
        # It may be gone by now: the other end of a cable goes a while after the namespace of the first (cleanup_net()).
        try:
            self._netlink.request(rt.RTM_DELLINK, rt.link(self._index(step.interface)))
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

    def _change_link(self, index: int, attributes: rt.Attributes = (), flags: int = 0, change: int = 0) -> None:
        self._netlink.request(rt.RTM_NEWLINK, rt.link(index, attributes, flags, change))

    def remove(self, step: Foreign) -> None:
        from labctl.kernel import foreign

        foreign.remove(step, self._fd, self._netlink, self._indexes)

    def address(self, request: int, step: steps.AddAddress | steps.DeleteAddress, flags: int = 0) -> None:
        own, _, other = step.address.partition(" peer ")
        address = ipaddress.ip_interface(other or own)
        message = rt.ifaddrmsg()
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
        self._netlink.request(request, rt.encoded(message), flags)
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


def _missing_driver(step: Step, error: int | None) -> str:
    """Return what loads the driver that the kernel lacks for a step; empty where it was refused for another reason."""
    match step:
        case steps.SetNetem() if error == errno.ENOENT:  # tc_modify_qdisc(): the kind of qdisc is unknown
            return "modprobe sch_netem; `impair:` of a tunnel endpoint works without"
        case SetFirewall() if error in (errno.ENOENT, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT):
            return "modprobe -a nf_tables nft_chain_nat nft_masq"
        case steps.AddVeth() if error == errno.EOPNOTSUPP:  # rtnl_newlink(): the kind of link is unknown
            return "modprobe veth"
        case steps.AddLink(kind=kind) if error == errno.EOPNOTSUPP:
            return f"modprobe {kind}"
    return ""


def _family(version: int) -> int:
    return 2 if version == 4 else 10  # AF_INET, AF_INET6
