"""A namespace that masquerades: one table of its own, made over netlink, so that it takes no program."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from labctl.kernel.nftables import encode
from labctl.kernel.nftables.messages import NEWCHAIN, NEWRULE, NEWTABLE, nested, string, u32
from labctl.kernel.nftables.ruleset import HOOKS
from labctl.kernel.nftables.tables import NAME
from labctl.plan.firewall import MASQUERADE, Firewall

_CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY, _CHAIN_TYPE = 3, 4, 5, 7  # NFTA_CHAIN_*
_HOOK_NUMBER, _HOOK_PRIORITY = 1, 2  # NFTA_HOOK_*
_RULE_CHAIN, _RULE_EXPRESSIONS = 2, 4  # NFTA_RULE_*
_ACCEPT = 1  # NF_ACCEPT
_SRCNAT = 100  # NF_IP_PRI_NAT_SRC
_IFNAMSIZ = 16
_CHAIN, _FAMILY = "postrouting", "inet"


def requests(asked: Firewall) -> Iterator[tuple[int, str, bytes]]:
    """Yield what makes the table, in its order: each the kind of a message, a family and attributes."""
    if not asked.masquerade:
        return
    table = string(NAME, MASQUERADE)
    where = u32(_HOOK_NUMBER, HOOKS[_FAMILY].index(_CHAIN)) + u32(_HOOK_PRIORITY, _SRCNAT)
    chain = string(_CHAIN_NAME, _CHAIN) + nested(_CHAIN_HOOK, where) + string(_CHAIN_TYPE, "nat")
    yield NEWTABLE, _FAMILY, table
    yield NEWCHAIN, _FAMILY, table + chain + u32(_CHAIN_POLICY, _ACCEPT)
    for interface in asked.masquerade:
        name = interface.encode().ljust(_IFNAMSIZ, b"\0")
        rule = _only(asked.versions) + encode.meta_is(encode.META_OIFNAME, name) + encode.masquerade()
        yield NEWRULE, _FAMILY, table + string(_RULE_CHAIN, _CHAIN) + nested(_RULE_EXPRESSIONS, rule)


def _only(versions: tuple[int, ...]) -> bytes:
    """Return the expressions that match the packets of one IP version; none where it is about both."""
    if len(versions) != 1:
        return b""
    return encode.meta_is(encode.META_NFPROTO, bytes([socket.AF_INET if versions[0] == 4 else socket.AF_INET6]))
