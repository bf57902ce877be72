"""Steps become kernel state: each step is one request, in the namespace that it names (space.py).

What the kernel refuses is raised as KernelRefused, with its own words.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from contextlib import suppress

from labctl.errors import MachineError, UsageError, kernel_errors_as, kernel_words
from labctl.kernel import namespaces
from labctl.kernel import rtnetlink as rt
from labctl.kernel.link_message import LOOPBACK_INDEX
from labctl.kernel.space import Space
from labctl.plan import steps
from labctl.plan.firewall import Listing
from labctl.plan.recorded import Substitution
from labctl.plan.settings import BORN_WITH
from labctl.plan.steps import InterfaceStep, Step
from labctl.process.blocked import Blocked

RecordNamespace = Callable[[str, namespaces.NamespaceId], None]


class Performer:
    """Performs the steps of one lab and keeps a netlink socket for each of its namespaces."""

    def __init__(
        self, mark: str, recorded: Mapping[str, namespaces.NamespaceId], record_namespace: RecordNamespace
    ) -> None:
        self._recorded = recorded
        self._mark = mark
        self._record_namespace = record_namespace
        self._spaces: dict[str, Space] = {}
        self._inherited: dict[str, str] | None = None
        self.waited = Blocked()  # for new namespaces

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
            case steps.AutomaticAddresses(namespace=name, interface=interface, settings=settings):
                # Only the setting makes the address; a request to the interface would but change the mode.
                for setting, value in settings.items():
                    self._space(name).set_sysctl(f"net/ipv6/conf/{interface}/{setting}", value)
            case steps.AddAddress():
                self._space(step.namespace).address(rt.RTM_NEWADDR, step, rt.NLM_F_CREATE | rt.NLM_F_EXCL)
            case steps.DeleteAddress():
                self._space(step.namespace).address(rt.RTM_DELADDR, step)
            case steps.SetFirewall(namespace=name, firewall=firewall):
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
        born = namespaces.create(name, self._mark, lambda found: self._record_namespace(name, found), self.waited)
        self._spaces[name] = Space(born, {"lo": LOOPBACK_INDEX})
        if self._inherited is None:  # every namespace inherits the same
            self._inherited = self._spaces[name].differing(BORN_WITH)
        for path, value in self._inherited.items():
            self._spaces[name].set_sysctl(path, value)

    def _space(self, name: str) -> Space:
        if name not in self._spaces:
            with namespaces.inside(name):
                self._spaces[name] = Space.existing(namespaces.Opened.here())
        return self._spaces[name]


def _missing_driver(step: Step, error: int | None) -> str:
    """Return what loads the driver that the kernel lacks for a step; empty where it was refused for another reason."""
    match step:
        case steps.SetNetem() if error == errno.ENOENT:  # tc_modify_qdisc(): the kind of qdisc is unknown
            return "modprobe sch_netem; `impair:` of a tunnel endpoint works without"
        case steps.SetFirewall() if error in (errno.ENOENT, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT):
            return "modprobe -a nf_tables nft_chain_nat nft_masq"
        case steps.AddVeth() if error == errno.EOPNOTSUPP:  # rtnl_newlink(): the kind of link is unknown
            return "modprobe veth"
        case steps.AddLink(kind=kind) if error == errno.EOPNOTSUPP:
            return f"modprobe {kind}"
    return ""
