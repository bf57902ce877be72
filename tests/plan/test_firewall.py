"""How a firewall that was seen differs from the one that a file asks for."""

from __future__ import annotations

from typing import Any

import pytest

from labctl.plan.firewall import Applied, Entry, Firewall, Listing, Part, difference

ASKED = Firewall("table inet fw {\n}\n")
CHAIN, SET = Part("inet", "fw", "chain", "input"), Part("inet", "fw", "set", "known")
HEAD = Entry("type filter hook input priority 0; policy drop;")
RULES = tuple(Entry(words, words) for words in ("ct state established accept", "tcp dport 22 accept", "counter"))
ELEMENTS = (Entry("of elements"), Entry("element 10.0.0.1", "1"), Entry("element 10.0.0.2", "2"))
LISTING: Listing = {Part("inet", "fw"): (Entry("active"),), CHAIN: (HEAD, *RULES), SET: ELEMENTS}
APPLIED = Applied(ASKED, LISTING)


def found(**parts: Any) -> Listing:
    return {**LISTING, **{{"chain": CHAIN, "set": SET}[kind]: entries for kind, entries in parts.items()}}


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (LISTING, None),
        ({**LISTING, Part("inet", "another"): (Entry("active"),)}, None),
        ({}, "table inet fw is not there"),
        (
            {part: LISTING[part] for part in LISTING if part != CHAIN},
            "table inet fw, chain input is not there",
        ),
        (
            {**LISTING, Part("inet", "fw", "chain", "more"): (HEAD,)},
            "table inet fw, chain more is not in the file",
        ),
        (
            found(chain=(HEAD, RULES[0], RULES[2])),
            "table inet fw, chain input: rule 2 `tcp dport 22 accept` is not there",
        ),
        (
            found(chain=(HEAD, *RULES, Entry("drop"))),
            "table inet fw, chain input: rule 4 `drop` is not in the file",
        ),
        (
            found(chain=(HEAD, Entry("drop"), *RULES)),
            "table inet fw, chain input: rule 1 `drop` is not in the file",
        ),
        (
            found(chain=(HEAD, RULES[0], Entry("tcp dport 23 accept"), RULES[2])),
            "table inet fw, chain input: rule 2 is `tcp dport 23 accept`, not `tcp dport 22 accept`",
        ),
        (
            found(chain=(HEAD, RULES[0], Entry("tcp dport 22 accept", "another digest"), RULES[2])),
            "table inet fw, chain input: rule 2 `tcp dport 22 accept` differs in what has no words here",
        ),
        (
            found(chain=(HEAD, RULES[1], RULES[0], RULES[2])),
            "table inet fw, chain input: rule 1 is `tcp dport 22 accept`, not `ct state established accept`",
        ),
        (
            found(set=(*ELEMENTS[:2], Entry("element 10.0.0.9", "9"))),
            "table inet fw, set known: element 10.0.0.2 is not there; "
            "table inet fw, set known: element 10.0.0.9 is not in the file",
        ),
        (
            found(set=(Entry("of elements", "another type"), *ELEMENTS[1:])),
            "table inet fw, set known: its type, its flags or its limits are others",
        ),
        (
            found(set=(ELEMENTS[0], *(Entry(f"element {n}", str(n)) for n in range(5)))),
            "table inet fw, set known: element 10.0.0.1 is not there; "
            "table inet fw, set known: element 10.0.0.2 is not there; "
            "table inet fw, set known: element 0 is not in the file; and 4 more",
        ),
    ],
)
def test_the_part_and_the_rule_that_differ_are_named(seen: Listing, told: str | None) -> None:
    assert difference(ASKED, APPLIED, seen) == told


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (Firewall("table inet fw {\n}"), "its last line ends otherwise"),
        (Firewall("table inet fw2 {\n}\n"), "line 1 of the ruleset was `table inet fw {`"),
        (Firewall("table inet fw {\n}\n}\n"), "line 3 of the ruleset is new"),
        (Firewall("table inet fw {\n"), "line 2 of the ruleset was `}`"),
        (Firewall(ASKED.nft, ("wan0",)), "is nft ruleset of 2 lines"),
        (Firewall("", ("wan0",)), "is nft ruleset of 2 lines"),
    ],
)
def test_a_file_that_was_edited_is_told_by_its_first_other_line(asked: Firewall, told: str) -> None:
    assert difference(asked, APPLIED, LISTING) == told


def test_a_firewall_that_was_never_made_is_not_there() -> None:
    assert difference(ASKED, None, LISTING) == "is not there"
    before = Applied(Firewall(masquerade=("wan0",), versions=(4,)), {})
    assert difference(Firewall(masquerade=("wan0",)), before, {}) == "was made for other IP versions"
