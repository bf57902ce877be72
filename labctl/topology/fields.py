"""The types of the fields of a topology file: a value, how it is read, and how the JSON Schema describes it.

Models name them in annotations, which are text: only what reads or describes a file loads this.
"""

from __future__ import annotations

from typing import Annotated, Any

from labctl.topology import patterns
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.markers import Described, Parsed
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
from labctl.topology.values.checks import (
    parse_command_line,
    parse_host_name,
    parse_json_value,
    parse_pattern,
    parse_url,
)
from labctl.topology.values.files import MODE, parse_base64, parse_mode, parse_path, parse_source
from labctl.topology.values.hosts import (
    LONGEST_NAME,
    Destination,
    PortRange,
    not_about_names,
    parse_destination,
    parse_host_address,
    parse_port_range,
)
from labctl.topology.values.programs import (
    parse_earlier,
    parse_line_pattern,
    parse_program_command,
    parse_program_name,
    parse_setting,
    parse_shell_line,
    parse_signal,
    parse_variable,
)


def _written(example: str, description: str, pattern: str = "") -> Described:
    form = {"pattern": pattern} if pattern else {}
    return Described({"type": "string", "description": description, "examples": [example], **form})


def _named(kind: str, longest: int) -> Parsed:
    return Parsed(lambda value: check_name(value, kind, longest))


LabName = Annotated[str, _named("lab", LONGEST_LAB)]
NamespaceName = Annotated[str, _named("namespace", LONGEST_NAMESPACE)]
CheckName = Annotated[str, _named("check", 60)]
UserName = Annotated[str, Parsed(parse_user)]
InterfaceName = Annotated[str, Parsed(parse_interface_name)]
InterfaceNames = Annotated[
    tuple[InterfaceName, ...],
    Parsed(parse_interface_names),
    Described({"type": ["string", "array"], "items": {"type": "string"}, "examples": ["wan0"]}),
]
Ruleset = Annotated[str, Parsed(parse_ruleset), Described({"type": "string"})]
Whole = Annotated[int, Parsed(parse_number)]
Seconds = Annotated[float, Parsed(parse_number)]
InterfaceRefField = Annotated[
    InterfaceRef,
    Parsed(parse_interface_ref),
    _written("siteA:tun0", "An interface, NAMESPACE:INTERFACE.", patterns.INTERFACE_REF),
]
SocketAddressField = Annotated[
    SocketAddress,
    Parsed(parse_socket_address),
    _written("10.0.1.1:9000", "ADDRESS:PORT, an IPv6 address in brackets.", patterns.SOCKET_ADDRESS),
]
HostField = Annotated[
    Host,
    Parsed(parse_host),
    _written("10.0.1.1", "An IPv4 or IPv6 address.", patterns.HOST),
]
PrefixField = Annotated[
    Prefix,
    Parsed(parse_prefix),
    _written("10.0.1.1/24", "An IPv4 or IPv6 address with its prefix length.", patterns.PREFIX),
]
NetworkField = Annotated[
    Network,
    Parsed(parse_network),
    _written("10.0.2.0/24", "An IPv4 or IPv6 network, or default.", patterns.NETWORK),
]


def _impaired_by(word: str, example: str) -> tuple[Parsed, Described]:
    return Parsed(lambda value: parse_impairment(word, value)), _written(example, f"{word}, as in tc netem.")


Delay = Annotated[str, *_impaired_by("delay", "50ms")]
Jitter = Annotated[str, *_impaired_by("jitter", "5ms")]
Loss = Annotated[str, *_impaired_by("loss", "10%")]
Duplicate = Annotated[str, *_impaired_by("duplicate", "1%")]
Corrupt = Annotated[str, *_impaired_by("corrupt", "1%")]
Reorder = Annotated[str, *_impaired_by("reorder", "25%")]
Rate = Annotated[str, *_impaired_by("rate", "10mbit")]
Seed = Annotated[str, *_impaired_by("seed", "7")]
BitRate = Annotated[str, Parsed(parse_bit_rate), _written("50Mbit/s", "Bits per second, as in tc netem.")]
Mac = Annotated[str, Parsed(parse_mac), _written("02:00:00:00:00:01", "A unicast MAC address.", patterns.MAC)]
Port = Annotated[int, Parsed(parse_port), Described({"type": "integer", "minimum": 1, "maximum": 65535})]
Mtu = Annotated[int, Parsed(parse_mtu), Described({"type": "integer", "minimum": 68, "maximum": 65535})]


def _number_or_text(pattern: str, lowest: int, highest: int, *examples: str | int) -> Described:
    """Return the schema of a value that YAML reads as a whole number or as text, as it is written."""
    bounds = {"minimum": lowest, "maximum": highest}
    return Described({"type": ["integer", "string"], "pattern": pattern, **bounds, "examples": [*examples]})


Table = Annotated[str, Parsed(parse_table), _number_or_text(patterns.TABLE, 1, UINT32, 100, "main")]
Mark = Annotated[str, Parsed(parse_mark), _number_or_text(patterns.MARK, 0, UINT32, 1, "0x1/0xff")]
Ports = Annotated[str, Parsed(parse_ports), _number_or_text(patterns.PORTS, 1, 65534, 80, "8000-8999")]
IpProtocol = Annotated[str, Parsed(parse_ip_protocol), _number_or_text(patterns.IP_PROTOCOL, 1, 255, "udp", 89)]
Command = Annotated[
    str,
    Parsed(parse_command),
    _written(
        "./my_ttun {device} {bind_address} {bind_port} {peer_address} {peer_port}",
        "A command line; " + ", ".join(ENDPOINT_WORDS) + " stand in braces where they are wanted.",
    ),
]
Directory = Annotated[str, Parsed(parse_directory), _written("./my_ttun", "A directory.")]
SysctlValue = Annotated[str, Parsed(parse_sysctl), Described({"type": ["string", "integer"]})]

FilePath = Annotated[str, Parsed(parse_path), Described({"type": "string", "examples": ["/etc/resolv.conf"]})]
SourcePath = Annotated[str, Parsed(parse_source), Described({"type": "string", "minLength": 1})]
FileMode = Annotated[
    str,
    Parsed(parse_mode),
    Described({"type": ["string", "integer"], "pattern": f"^{MODE.pattern}$", "examples": ["0640"]}),
]
Base64 = Annotated[str, Parsed(parse_base64)]

HostName = Annotated[str, _named("host", LONGEST_NAME)]
HostAddress = Annotated[str, Parsed(parse_host_address), Described({"type": "string", "examples": ["192.0.2.10"]})]
PortRangeField = Annotated[
    PortRange,
    Parsed(parse_port_range),
    Described({"type": ["string", "integer"], "pattern": "^[0-9]+(-[0-9]+)?$", "examples": ["47000-47099"]}),
]
DestinationField = Annotated[
    Destination, Parsed(parse_destination), Described({"type": "string", "examples": ["lab@192.0.2.10"]})
]
ABOUT_HOSTS = Parsed(not_about_names)

ShellLine = Annotated[str, Parsed(parse_shell_line)]
ProgramName = Annotated[str, Parsed(parse_program_name)]
ProgramCommand = Annotated[str, Parsed(parse_program_command)]
Earlier = Annotated[str, Parsed(parse_earlier)]
Variable = Annotated[str, Parsed(parse_variable)]
Setting = Annotated[str, Parsed(parse_setting)]
LinePattern = Annotated[str, Parsed(parse_line_pattern)]
Signal = Annotated[str, Parsed(parse_signal)]

CommandLine = Annotated[str, Parsed(parse_command_line)]
Pattern = Annotated[str, Parsed(parse_pattern)]
Url = Annotated[str, Parsed(parse_url)]
HostNameAsked = Annotated[str, Parsed(parse_host_name)]
JsonValue = Annotated[
    Any, Parsed(parse_json_value), Described({"description": "A value of JSON.", "examples": ["tun0"]})
]
