"""The types of the fields of a topology file: a value, how it is read, and how the JSON Schema describes it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from labctl.topology import patterns
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.values import (
    ENDPOINT_WORDS,
    LONGEST_LAB,
    LONGEST_NAMESPACE,
    UINT32,
    Host,
    Network,
    Prefix,
    SocketAddress,
    check_name,
    parse_bit_rate,
    parse_command,
    parse_directory,
    parse_host,
    parse_impairment,
    parse_interface_name,
    parse_interface_names,
    parse_interface_ref,
    parse_ip_protocol,
    parse_mac,
    parse_mark,
    parse_mtu,
    parse_network,
    parse_number,
    parse_port,
    parse_ports,
    parse_prefix,
    parse_ruleset,
    parse_socket_address,
    parse_sysctl,
    parse_table,
    parse_user,
)


def _written(example: str, description: str, pattern: str = "") -> WithJsonSchema:
    form = {"pattern": pattern} if pattern else {}
    return WithJsonSchema({"type": "string", "description": description, "examples": [example], **form})


def _named(kind: str, longest: int) -> BeforeValidator:
    return BeforeValidator(lambda value: check_name(value, kind, longest))


LabName = Annotated[str, _named("lab", LONGEST_LAB)]
NamespaceName = Annotated[str, _named("namespace", LONGEST_NAMESPACE)]
CheckName = Annotated[str, _named("check", 60)]
UserName = Annotated[str, BeforeValidator(parse_user)]
InterfaceName = Annotated[str, BeforeValidator(parse_interface_name)]
InterfaceNames = Annotated[
    tuple[InterfaceName, ...],
    BeforeValidator(parse_interface_names),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}, "examples": ["wan0"]}),
]
Ruleset = Annotated[str, BeforeValidator(parse_ruleset), WithJsonSchema({"type": "string"})]
NUMBER = BeforeValidator(parse_number)
Whole = Annotated[int, NUMBER]
Seconds = Annotated[float, BeforeValidator(parse_number), Field(allow_inf_nan=False)]
InterfaceRefField = Annotated[
    InterfaceRef,
    BeforeValidator(parse_interface_ref),
    PlainSerializer(str),
    _written("siteA:tun0", "An interface, NAMESPACE:INTERFACE.", patterns.INTERFACE_REF),
]
SocketAddressField = Annotated[
    SocketAddress,
    BeforeValidator(parse_socket_address),
    PlainSerializer(str),
    _written("10.0.1.1:9000", "ADDRESS:PORT, an IPv6 address in brackets.", patterns.SOCKET_ADDRESS),
]
HostField = Annotated[
    Host,
    BeforeValidator(parse_host),
    PlainSerializer(str),
    _written("10.0.1.1", "An IPv4 or IPv6 address.", patterns.HOST),
]
PrefixField = Annotated[
    Prefix,
    BeforeValidator(parse_prefix),
    PlainSerializer(str),
    _written("10.0.1.1/24", "An IPv4 or IPv6 address with its prefix length.", patterns.PREFIX),
]
NetworkField = Annotated[
    Network,
    BeforeValidator(parse_network),
    PlainSerializer(str),
    _written("10.0.2.0/24", "An IPv4 or IPv6 network, or default.", patterns.NETWORK),
]


def _impaired_by(word: str, example: str) -> tuple[BeforeValidator, WithJsonSchema]:
    return BeforeValidator(lambda value: parse_impairment(word, value)), _written(example, f"{word}, as in tc netem.")


Delay = Annotated[str, *_impaired_by("delay", "50ms")]
Jitter = Annotated[str, *_impaired_by("jitter", "5ms")]
Loss = Annotated[str, *_impaired_by("loss", "10%")]
Duplicate = Annotated[str, *_impaired_by("duplicate", "1%")]
Corrupt = Annotated[str, *_impaired_by("corrupt", "1%")]
Reorder = Annotated[str, *_impaired_by("reorder", "25%")]
Rate = Annotated[str, *_impaired_by("rate", "10mbit")]
Seed = Annotated[str, *_impaired_by("seed", "7")]
BitRate = Annotated[str, BeforeValidator(parse_bit_rate), _written("50Mbit/s", "Bits per second, as in tc netem.")]
Mac = Annotated[str, BeforeValidator(parse_mac), _written("02:00:00:00:00:01", "A unicast MAC address.", patterns.MAC)]
Port = Annotated[int, BeforeValidator(parse_port), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 65535})]
Mtu = Annotated[int, BeforeValidator(parse_mtu), WithJsonSchema({"type": "integer", "minimum": 68, "maximum": 65535})]


def _number_or_text(pattern: str, lowest: int, highest: int, *examples: str | int) -> WithJsonSchema:
    """Return the schema of a value that YAML reads as a whole number or as text, as it is written."""
    bounds = {"minimum": lowest, "maximum": highest}
    return WithJsonSchema({"type": ["integer", "string"], "pattern": pattern, **bounds, "examples": [*examples]})


Table = Annotated[str, BeforeValidator(parse_table), _number_or_text(patterns.TABLE, 1, UINT32, 100, "main")]
Mark = Annotated[str, BeforeValidator(parse_mark), _number_or_text(patterns.MARK, 0, UINT32, 1, "0x1/0xff")]
Ports = Annotated[str, BeforeValidator(parse_ports), _number_or_text(patterns.PORTS, 1, 65534, 80, "8000-8999")]
IpProtocol = Annotated[
    str, BeforeValidator(parse_ip_protocol), _number_or_text(patterns.IP_PROTOCOL, 1, 255, "udp", 89)
]
Command = Annotated[
    str,
    BeforeValidator(parse_command),
    _written(
        "./my_ttun {device} {bind_address} {bind_port} {peer_address} {peer_port}",
        "A command line; " + ", ".join(ENDPOINT_WORDS) + " stand in braces where they are wanted.",
    ),
]
Directory = Annotated[str, BeforeValidator(parse_directory), _written("./my_ttun", "A directory.")]
SysctlValue = Annotated[str, BeforeValidator(parse_sysctl), WithJsonSchema({"type": ["string", "integer"]})]
