"""The chains of a namespace with their rules, in the order in which packets meet them."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from functools import partial

from labctl.frozen import frozen
from labctl.kernel import rtnetlink as rt
from labctl.kernel.nftables import digests
from labctl.kernel.nftables.messages import (
    GETCHAIN,
    GETRULE,
    GETTABLE,
    dump,
    elements,
    nfnetlink,
    number,
    text,
)
from labctl.kernel.nftables.sets import Sets
from labctl.kernel.nftables.tables import DORMANT, FLAGS, NAME, OF_A_TRACE
from labctl.kernel.nftables.words import said

_CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY, _CHAIN_TYPE = 3, 4, 5, 7  # NFTA_CHAIN_*
_HOOK_NUMBER, _HOOK_PRIORITY, _HOOK_DEVICE, _HOOK_DEVICES = 1, 2, 3, 4  # NFTA_HOOK_*
_RULE_CHAIN, _RULE_HANDLE, _RULE_EXPRESSIONS = 2, 3, 4  # NFTA_RULE_*
_POLICIES = {0: "drop", 1: "accept"}  # NF_DROP, NF_ACCEPT

_IN_IP = ("prerouting", "input", "forward", "output", "postrouting", "ingress")
HOOKS = {
    **dict.fromkeys(("inet", "ip", "ip6", "bridge"), _IN_IP),
    "arp": ("input", "output", "forward"),
    "netdev": ("ingress", "egress"),
}
"""The hooks of a family by their number, in the words of nft(8) (linux/netfilter.h: enum nf_inet_hooks, and so on)."""


@frozen
class Rule:
    """A rule: its handle, by which `nft delete rule` knows it, and what it says in the words of nft(8).

    What has no certain words is `expression NAME`. The packets are those that its counter has seen, None without one.
    """

    handle: int
    words: str
    packets: int | None = None
    digest: str = ""  # of its expressions, without what they have counted


@frozen
class Chain:
    """A chain; one that no hook calls has no hook, no type, no policy and the priority 0.

    A chain of a table that is dormant is called by none. `devices` are those of a netdev hook.
    """

    family: str
    table: str
    name: str
    hook: str = ""
    priority: int = 0
    type: str = ""
    policy: str = ""
    devices: tuple[str, ...] = ()
    dormant: bool = False
    rules: tuple[Rule, ...] = ()

    def __str__(self) -> str:
        return f"{self.family} {self.table} {self.name}"

    def rule(self, handle: int | None) -> Rule | None:
        """Return the rule of a handle; None where there is none."""
        return next((rule for rule in self.rules if rule.handle == handle), None)


def chains() -> tuple[Chain, ...]:
    """Return the chains of this thread's namespace: those of a hook before others, by hook and by priority.

    Those of a trace are left out. Raise OSError where the kernel cannot say.
    """
    with nfnetlink() as netlink:
        dormant = {
            (family, text(told[NAME])): bool(number(told.get(FLAGS, b"\0")) & DORMANT)
            for family, told in dump(netlink, GETTABLE)
            if not text(told[NAME]).startswith(OF_A_TRACE)
        }
        if not dormant:
            return ()
        rules = _rules(netlink)
        found = [
            _chain(family, told, dormant, rules)
            for family, told in dump(netlink, GETCHAIN)
            if (family, text(told[NAME])) in dormant
        ]
    return tuple(sorted(found, key=lambda chain: (not chain.hook, chain.family, chain.hook, chain.priority)))


_Rules = dict[tuple[str, str, str], list[Rule]]  # by family, table and chain


def _rules(netlink: rt.Rtnetlink) -> _Rules:
    sets, names = Sets(netlink), dict(socket.if_nameindex())
    found: _Rules = {}
    for family, told in list(dump(netlink, GETRULE)):
        table, chain = text(told[NAME]), text(told[_RULE_CHAIN])
        expressions = list(elements(told.get(_RULE_EXPRESSIONS, b"")))
        says = said(family, expressions, partial(sets.of, family, table), names)
        digest = digests.of_expressions(expressions, partial(sets.of, family, table))
        rule = Rule(number(told[_RULE_HANDLE]), says.words, says.packets, digest)
        found.setdefault((family, table, chain), []).append(rule)
    return found


def _chain(family: str, told: Mapping[int, bytes], dormant: Mapping[tuple[str, str], bool], rules: _Rules) -> Chain:
    table, name = text(told[NAME]), text(told[_CHAIN_NAME])
    having = tuple(rules.get((family, table, name), ()))
    if _CHAIN_HOOK not in told:
        return Chain(family, table, name, dormant=dormant[family, table], rules=having)
    hook = rt.attributes(told[_CHAIN_HOOK])
    devices = list(elements(hook.get(_HOOK_DEVICES, b""))) or [hook[kind] for kind in (_HOOK_DEVICE,) if kind in hook]
    return Chain(
        family,
        table,
        name,
        _word(HOOKS.get(family, ()), number(hook[_HOOK_NUMBER])),
        int.from_bytes(hook[_HOOK_PRIORITY], signed=True),
        text(told.get(_CHAIN_TYPE, b"")),
        _POLICIES.get(number(told.get(_CHAIN_POLICY, b"\1")), ""),
        tuple(map(text, devices)),
        dormant[family, table],
        having,
    )


def _word(words: tuple[str, ...], place: int) -> str:
    return words[place] if place < len(words) else str(place)
