"""A ruleset is tried where it harms nothing: in a namespace that is thrown away, with interfaces of the same names.

nft(8) does not only read: it asks the kernel which interfaces and helpers there are, and the kernel refuses what nft
takes. So what is tried is what will be done, and not a check of the language alone.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping

from labctl.errors import MachineError, kernel_words
from labctl.frozen import frozen
from labctl.kernel import requests
from labctl.kernel import rtnetlink as rt
from labctl.kernel.nftables import program
from labctl.kernel.nftables.program import Complaint, NotLoaded
from labctl.kernel.nftables.tables import tables
from labctl.process.syscalls import CLONE_NEWNET, unshare
from labctl.rootless import trial

OWN = "labctl-"
"""How the tables begin that are labctl's."""


@frozen
class Ruleset:
    """A ruleset, and the interfaces of the namespace that it is for."""

    text: str
    interfaces: tuple[str, ...] = ()


def tried(rulesets: Mapping[str, Ruleset]) -> dict[str, tuple[Complaint, ...]]:
    """Return what nft complains of, by the name of each ruleset that it does not load.

    Raise MachineError where this machine has no nft, or cannot make a namespace to throw away.
    """
    if program.path() is None:
        raise program.missing()
    found = trial.within(lambda: {name: _tried(ruleset) for name, ruleset in rulesets.items()})
    return {name: complaints for name, complaints in found.items() if complaints}


def _tried(ruleset: Ruleset) -> tuple[Complaint, ...]:
    try:
        unshare(CLONE_NEWNET)
        _make(name for name in ruleset.interfaces if name in ruleset.text)
        list(tables())
        program.load(ruleset.text)
        own = sorted(table.name for table in tables() if table.name.startswith(OWN))
    except NotLoaded as refused:
        return refused.complaints
    except OSError as error:
        hint = "load the driver as root: modprobe nf_tables" if error.errno == errno.EPROTONOSUPPORT else ""
        raise MachineError("no ruleset can be tried on this machine", kernel_words(error), hint) from None
    return tuple(Complaint(0, 0, f"a table cannot be called {name}: that is one of labctl's own") for name in own)


def _make(interfaces: Iterable[str]) -> None:
    """Make interfaces of these names; they are bridges, which every kernel has that runs labs."""
    netlink = rt.Rtnetlink()
    try:
        for name in interfaces:
            if name != "lo":
                netlink.request(rt.RTM_NEWLINK, requests.new_link(name, "bridge"), rt.NLM_F_CREATE | rt.NLM_F_EXCL)
    finally:
        netlink.close()
