"""A firewall is made in one transaction, and what the kernel has made of it can be compared with a later look."""

from __future__ import annotations

import pytest

from labctl.kernel import rtnetlink as rt
from labctl.kernel.nftables import program
from labctl.kernel.nftables.commit import commit
from labctl.kernel.nftables.listing import listing
from labctl.kernel.nftables.messages import NFGENMSG, SUBSYSTEM, nfnetlink, number
from labctl.kernel.nftables.program import NotLoaded
from labctl.plan.firewall import Firewall, Listing, Part
from tests.kernel.space import Space, shell
from tests.programs import needed

_GETGEN, _GENERATION = SUBSYSTEM << 8 | 16, 1  # NFT_MSG_GETGEN, NFTA_GEN_ID
FIRST = Firewall("table inet a {\n chain c {\n  tcp dport { 22, 80-90 } counter accept\n }\n}\ntable ip b\n")
SECOND = Firewall(
    "table inet a {\n chain c {\n  type filter hook input priority 0; policy drop;\n }\n}\n", ("lo",), (6,)
)

EVERYTHING = """\
table inet a {
    set plain { type ipv4_addr . inet_service; elements = { 10.0.0.1 . 80, 10.0.0.2 . 443 }; }
    set ranges { type ipv4_addr; flags interval; elements = { 10.1.0.0/16, 10.3.0.0-10.3.0.9 }; }
    set live { type ipv4_addr; flags dynamic, timeout; timeout 1m; }
    map verdicts { type inet_service : verdict; elements = { 22 : accept, 23 : jump other }; }
    counter one { }
    quota two { over 5 mbytes }
    limit three { rate 5/second }
    ct helper four { type "ftp" protocol tcp; }
    chain other {
    }
    chain input {
        type filter hook input priority 0; policy accept;
        ip saddr . tcp dport @plain accept
        ip saddr @ranges drop
        tcp dport vmap @verdicts
        udp dport { 53, 123 } counter name one accept
        quota 5 mbytes drop
        limit rate 1/second burst 3 packets accept
        ct count over 7 drop
        add @live { ip saddr timeout 5s limit rate 1/second }
        socket transparent 1 accept
        counter log prefix "all"
    }
}
table netdev n {
    chain in {
        type filter hook ingress device "lo" priority 0; policy accept;
        icmp type echo-request counter
    }
}
"""


@pytest.fixture(autouse=True)
def _nft() -> None:
    needed("nft")


def generation() -> int:
    """Of the ruleset of this namespace: each transaction is one more (nf_tables_commit())."""
    with nfnetlink() as netlink:
        (told,) = netlink.messages(_GETGEN, NFGENMSG.pack(0, 0, 0), rt.NLM_F_ACK)
    return number(rt.attributes(told[NFGENMSG.size :])[_GENERATION])


def test_each_firewall_takes_the_place_of_the_one_before_in_one_transaction(space: Space) -> None:
    def replaced() -> list[tuple[int, list[str]]]:
        found, before = [], generation()
        for asked in (FIRST, SECOND, Firewall(masquerade=("lo", "wan0")), FIRST, FIRST, Firewall(masquerade=("x",))):
            commit(asked)
            found.append((generation() - before, sorted({str(Part(*part[:2])) for part in listing()})))
            before = generation()
        return found

    own, both = "table inet labctl-masquerade", ["table inet a", "table ip b"]
    assert space.ask(replaced) == [
        (1, both), (1, ["table inet a", own]), (1, [own]), (1, both), (1, both), (1, [own])
    ]  # fmt: skip


def test_what_nft_refuses_changes_nothing_and_is_told_by_its_place(space: Space) -> None:
    def refused() -> tuple[bool, tuple[program.Complaint, ...]]:
        commit(FIRST)
        before = listing()
        with pytest.raises(NotLoaded) as caught:
            commit(Firewall("table inet z {\n chain c {\n  jump nowhere\n }\n}\n"))
        return listing() == before, caught.value.complaints

    same, (complaint,) = space.ask(refused)
    assert same and complaint.column == 8 and "No such file or directory" in complaint.words


def test_two_looks_at_the_same_rules_are_the_same_whatever_was_counted(space: Space) -> None:
    def looked() -> tuple[Listing, Listing, Listing]:
        commit(Firewall(EVERYTHING))
        first = listing()
        shell("ping -c 1 -W 0.1 127.0.0.1 || true; nft add element inet a live '{ 10.9.9.9 }'")
        counted = listing()
        shell('listed=$(nft list ruleset); nft flush ruleset; echo "$listed" | nft -f -')
        return first, counted, listing()

    first, counted, again = space.ask(looked)
    assert first == counted
    assert again == first, "what nft lists, and reads again, is the same ruleset"
    assert {part.name for part in first} == {
        *("", "plain", "ranges", "live", "verdicts", "one", "two", "three", "four", "other", "input", "in")
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("10.0.0.2 . 443", "10.0.0.2 . 444"),
        ("10.3.0.9", "10.3.0.8"),
        ("timeout 1m", "timeout 2m"),
        ("23 : jump other", "23 : drop"),
        ("two { over 5", "two { over 6"),
        ("three { rate 5", "three { rate 6"),
        ("{ 53, 123 }", "{ 53, 124 }"),
        ("quota 5 mbytes", "quota 6 mbytes"),
        ("burst 3", "burst 4"),
        ("over 7", "over 8"),
        ("timeout 5s limit rate 1", "timeout 5s limit rate 2"),
        ("socket transparent 1", "socket transparent 0"),
        ('prefix "all"', 'prefix "none"'),
        ("input priority 0", "input priority 1"),
        ("ingress device", "egress device"),
    ],
)
def test_what_is_other_is_seen(shared: Space, old: str, new: str) -> None:
    assert EVERYTHING.count(old) == 1

    def both() -> tuple[Listing, Listing]:
        commit(Firewall(EVERYTHING))
        before = listing()
        commit(Firewall(EVERYTHING.replace(old, new)))
        return before, listing()

    before, after = shared.ask(both)
    assert before.keys() == after.keys() and before != after
