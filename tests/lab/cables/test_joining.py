"""What each end of a cable is told, and what is in the way of one that does not carry."""

from __future__ import annotations

from labctl.engine.packets.address import Address
from labctl.lab.cables.joining import End, Seen, blocked, joined

ENDS = {
    "srv1": {"a-b": End(47000, "aes-256-gcm"), "a-c": End(47001, "aes-256-gcm")},
    "srv2": {"a-b": End(48000, "aes-256-gcm")},
    "srv3": {"a-c": End(49000, "chacha20-poly1305"), "c-lost": End(49001, "aes-256-gcm")},
}
ADDRESSES = {"srv1": "192.0.2.1", "srv2": "192.0.2.2", "srv3": "192.0.2.3"}


def test_both_ends_get_the_same_key_and_one_another() -> None:
    told = joined(ENDS, ADDRESSES)
    assert {host: set(cables) for host, cables in told.items()} == {
        "srv1": {"a-b", "a-c"},
        "srv2": {"a-b"},
        "srv3": {"a-c"},
    }
    assert told["srv1"]["a-b"].peer == Address("192.0.2.2", 48000)
    assert told["srv2"]["a-b"].peer == Address("192.0.2.1", 47000)
    assert told["srv1"]["a-b"].key == told["srv2"]["a-b"].key
    assert told["srv1"]["a-b"].key != told["srv1"]["a-c"].key


def test_aes_is_for_two_ends_that_have_it() -> None:
    told = joined(ENDS, ADDRESSES)
    assert told["srv1"]["a-b"].cipher == "aes-256-gcm"
    assert told["srv1"]["a-c"].cipher == told["srv3"]["a-c"].cipher == "chacha20-poly1305"


def test_no_key_is_made_twice() -> None:
    keys = {plug.key for _ in range(5) for host in joined(ENDS, ADDRESSES).values() for plug in host.values()}
    assert len(keys) == 10


def seen(one: str, other: str) -> dict[str, dict[str, Seen]]:
    return {"srv1": {"a-b": Seen(one, 47000, 1500, 1434)}, "srv2": {"a-b": Seen(other, 48000, 1500, 1434)}}


def test_a_blocked_direction_is_named_with_its_port() -> None:
    assert list(blocked(seen("up", "up"))) == []
    to_srv2 = "what srv1 sends to UDP port 48000 of srv2 does not arrive (a-b)"
    to_srv1 = "what srv2 sends to UDP port 47000 of srv1 does not arrive (a-b)"
    assert list(blocked(seen("only_in", "nothing_in"))) == [to_srv2]
    assert list(blocked(seen("nothing_in", "only_in"))) == [to_srv1]
    assert list(blocked(seen("nothing_in", "nothing_in"))) == [to_srv2, to_srv1]
    assert list(blocked(seen("too_small", "up"))) == ["large datagrams from srv1 to srv2 do not arrive (a-b)"]
