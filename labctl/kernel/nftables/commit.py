"""What a file asks for becomes the ruleset of a namespace, in one transaction: there is no moment without a firewall.

Masquerading alone takes no program. A ruleset in the language of nft(8) is loaded by nft(8), which is the only one that
reads it, together with what else the namespace is to have.
"""

from __future__ import annotations

from labctl.kernel import rtnetlink as rt
from labctl.kernel.nftables import masquerade
from labctl.kernel.nftables.messages import DELTABLE, change, nfnetlink, string
from labctl.kernel.nftables.tables import NAME, tables
from labctl.plan.firewall import Firewall

_NLM_F_APPEND = 0x800  # linux/netlink.h: a rule comes behind those that are there


def commit(asked: Firewall) -> None:
    """Have this thread's namespace have this firewall, and no other table.

    Raise OSError where the kernel refuses, NotLoaded where nft(8) does, MachineError where there is no nft(8).
    """
    there = [(table.family, table.name) for table in tables()]
    if asked.nft:
        from labctl.kernel.nftables import program  # heavy, and the others do without

        program.load("".join(f"delete table {family} {name}\n" for family, name in there) + asked.text)
        return
    gone = ((DELTABLE, family, string(NAME, name)) for family, name in there)
    with nfnetlink() as netlink:
        change(netlink, *gone, *masquerade.requests(asked), flags=rt.NLM_F_CREATE | _NLM_F_APPEND)
