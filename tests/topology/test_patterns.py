"""The patterns of the JSON Schema: what a parser takes matches, and what an editor should mark does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.topology import patterns
from labctl.topology.model import json_schema
from labctl.topology.values import (
    Mistaken,
    parse_host,
    parse_ip_protocol,
    parse_mac,
    parse_mark,
    parse_network,
    parse_ports,
    parse_prefix,
    parse_socket_address,
    parse_table,
)

PARSERS: dict[str, Callable[[Any], Any]] = {
    patterns.HOST: parse_host,
    patterns.PREFIX: parse_prefix,
    patterns.NETWORK: parse_network,
    patterns.SOCKET_ADDRESS: parse_socket_address,
    patterns.MAC: parse_mac,
    patterns.TABLE: parse_table,
    patterns.MARK: parse_mark,
    patterns.PORTS: parse_ports,
    patterns.IP_PROTOCOL: parse_ip_protocol,
}
ADDRESSES = st.ip_addresses().flatmap(lambda ip: st.sampled_from([str(ip), ip.exploded, str(ip).upper()]))
# What is near an address: pieces of some, and the characters that they are made of.
NEAR = st.lists(st.sampled_from([*"0129afAF.:/[]", "::", "10.0.1.1", "fd00::1", "/24", "/0064", ":9000"]), max_size=9)
TEXTS = st.one_of(
    ADDRESSES,
    st.builds("{}/{}".format, ADDRESSES, st.integers(0, 130)),
    st.builds("{}:{}".format, ADDRESSES, st.integers(0, 70000)),
    st.builds("[{}]:{}".format, ADDRESSES, st.integers(0, 70000)),
    NEAR.map("".join),
    st.builds("{}{}{}".format, st.integers(0, 2**33), st.sampled_from(["", "-", "/0x"]), st.integers(0, 70000)),
    st.sampled_from(["main", "udp", "0x1/0xff", "007", "0x", "1_0", "0b1"]),
)


@given(TEXTS)
def test_what_a_parser_takes_matches_its_pattern(text: str) -> None:
    for pattern, parse in PARSERS.items():
        try:
            parse(text)
        except Mistaken:
            continue
        assert re.search(pattern, text), f"{parse.__name__} takes {text!r}"


@pytest.mark.parametrize(
    ("pattern", "wrong"),
    [
        (patterns.HOST, ["10.0.1", "10.0.1.256", "10.0.1.1/24", "fd00::1::2", "1:2:3:4:5:6:7:8:9", "siteA", ""]),
        (patterns.PREFIX, ["10.0.1.1", "10.0.1.1/33", "fd00::1/129", "fd00::1", "10.0.1.1/"]),
        (patterns.NETWORK, ["10.0.1.0/33", "defaults", "10.0.1/24"]),
        (patterns.SOCKET_ADDRESS, ["10.0.1.1", "10.0.1.1:0", "10.0.1.1:65536", "fd00::1:9000", "[fd00::1]"]),
        (patterns.INTERFACE_REF, ["siteA", "siteA:", ":tun0", "site A:tun0"]),
        (patterns.TABLE, ["0", "mine", "-1"]),
        (patterns.MARK, ["one", "0x", "0x1/", "1/2/3", "0b1"]),
        (patterns.PORTS, ["0", "65536", "80-", "80-90-100"]),
        (patterns.IP_PROTOCOL, ["0", "256", "quic"]),
        (patterns.MAC, ["02:00:00:00:00", "03:00:00:00:00:01", "02-00-00-00-00-01"]),
    ],
)
def test_what_an_editor_should_mark_does_not_match(pattern: str, wrong: list[str]) -> None:
    assert [text for text in wrong if re.search(pattern, text)] == []


def test_the_schema_has_a_name_and_tells_kinds_apart() -> None:
    schema = json_schema()
    assert schema["$id"].startswith("urn:")
    interfaces = schema["$defs"]["Namespace"]["properties"]["interfaces"]["additionalProperties"]
    assert interfaces["discriminator"]["propertyName"] == "kind"
    kinds = {name: schema["$defs"][name]["properties"]["kind"]["const"] for name in ("Tun", "Veth", "Bridge")}
    assert kinds == {"Tun": "tun", "Veth": "veth", "Bridge": "bridge"}


def test_a_bound_is_written_in_the_words_of_json_schema() -> None:
    """The model has them as `ge` and `le`, which no editor knows."""

    def keys(part: Any) -> set[str]:
        if isinstance(part, list):
            return {key for each in part for key in keys(each)}
        return {*part, *(key for each in part.values() for key in keys(each))} if isinstance(part, dict) else set()

    assert {"minimum", "maximum"} <= keys(json_schema())
    assert keys(json_schema()) & {"ge", "gt", "le", "lt"} == set()
