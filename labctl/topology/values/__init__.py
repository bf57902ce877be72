"""The small values of a topology file, by what they are: how each is written, read and kept."""

from __future__ import annotations

from labctl.topology.values.addresses import (
    Host,
    Network,
    Prefix,
    SocketAddress,
    parse_host,
    parse_mac,
    parse_mtu,
    parse_network,
    parse_port,
    parse_prefix,
    parse_socket_address,
)
from labctl.topology.values.engines import (
    ENDPOINT_WORDS,
    parse_bit_rate,
    parse_command,
    parse_directory,
    parse_impairment,
)
from labctl.topology.values.names import (
    IFNAMSIZ,
    LARGEST_UID,
    LONGEST_LAB,
    LONGEST_NAMESPACE,
    check_name,
    parse_interface_name,
    parse_interface_names,
    parse_interface_ref,
    parse_user,
)
from labctl.topology.values.packets import (
    UINT32,
    parse_ip_protocol,
    parse_mark,
    parse_ports,
    parse_ruleset,
    parse_table,
)
from labctl.topology.values.sysctls import SAME_SYSCTL, parse_sysctl, sysctl_parts
from labctl.topology.values.text import Mistaken, as_text, mistake, parse_number, parse_text, parse_words, shape

__all__ = [
    "ENDPOINT_WORDS",
    "IFNAMSIZ",
    "LARGEST_UID",
    "LONGEST_LAB",
    "LONGEST_NAMESPACE",
    "SAME_SYSCTL",
    "UINT32",
    "Host",
    "Mistaken",
    "Network",
    "Prefix",
    "SocketAddress",
    "as_text",
    "check_name",
    "mistake",
    "parse_bit_rate",
    "parse_command",
    "parse_directory",
    "parse_host",
    "parse_impairment",
    "parse_interface_name",
    "parse_interface_names",
    "parse_interface_ref",
    "parse_ip_protocol",
    "parse_mac",
    "parse_mark",
    "parse_mtu",
    "parse_network",
    "parse_number",
    "parse_port",
    "parse_ports",
    "parse_prefix",
    "parse_ruleset",
    "parse_socket_address",
    "parse_sysctl",
    "parse_table",
    "parse_text",
    "parse_user",
    "parse_words",
    "shape",
    "sysctl_parts",
]
