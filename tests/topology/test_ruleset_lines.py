"""The lines of chains, policies and rules of a ruleset, whatever else it has."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labctl.topology.ruleset_lines import lines_of

RULESET = """\
#!/usr/sbin/nft -f
flush ruleset
define web = { 80, 443 }
table inet fw {
    set known { type ipv4_addr; elements = { 10.0.0.1,
        10.0.0.2 } }
    chain input { # } a brace
        type filter hook input priority 0; policy drop;
        comment "what { comes in"
        ct state vmap { established : accept,
            invalid : drop
        }

        tcp dport { 22, 80 } accept; udp dport 53 accept
        iifname "lo{" log prefix "}; " accept # local
        ip saddr 10.0.0.1 \\
            drop
    }
    chain empty {
    }
}
table ip nat { chain post {
    type nat hook postrouting priority 100
    policy accept
    masquerade
  }
}
add rule inet fw empty counter
add table bare
add chain bare c { type filter hook output priority 0 ; }
add rule bare c drop
table inet fw {
    chain input {
        accept
    }
    chain other { drop
    }
}
insert rule inet fw other accept
"""


def test_each_rule_has_the_line_on_which_it_begins() -> None:
    found = {" ".join(name): (lines.line, lines.policy, lines.rules) for name, lines in lines_of(RULESET).items()}
    assert found == {
        "inet fw input": (7, 8, [10, 14, 14, 15, 16, 34]),
        "inet fw empty": (19, None, [28]),
        "ip nat post": (22, 24, [25]),
        "ip bare c": (31, None, [31]),
        "inet fw other": (36, None, None),
    }


@given(st.text("table inet chain{};\n\"'#\\ rule add", max_size=200))
def test_no_text_is_too_strange(text: str) -> None:
    assert all(1 <= each.line <= text.count("\n") + 1 for each in lines_of(text).values())
