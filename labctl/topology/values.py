"""The small values of a topology file: names, addresses, ports, and how each is written.

Every value is parsed once, here, into a frozen type that prints exactly as it is written.
A parser raises `mistake(what, hint)`, which pydantic gathers with all others of the file.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from string import Formatter
from typing import Any, NamedTuple

from pydantic_core import PydanticCustomError

from labctl.engine.packets.address import host_of
from labctl.engine.packets.impairment import read, show
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.iproute import IP_PROTOCOLS, TABLES

LONGEST_LAB = 40  # bytes; with a user ID it is the name of a rootless environment, a unix(7) address of 107
LONGEST_NAMESPACE = 60
LARGEST_UID = 2**32 - 2  # the one above it means no user, as in chown(2)
IFNAMSIZ = 16  # linux/if.h: 15 bytes and the terminating zero

Host = ipaddress.IPv4Address | ipaddress.IPv6Address
Prefix = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_MARK = re.compile(r"0[xX][0-9A-Fa-f]{1,8}|[0-9]{1,10}")
_INCLUDE = re.compile(r"\s*include\b")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


class SocketAddress(NamedTuple):
    """Where a UDP socket is bound or sends to: ADDRESS:PORT, an IPv6 address in brackets (RFC 3986)."""

    host: Host
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.host.version == 6 else f"{self.host}:{self.port}"


def mistake(what: str, hint: str = "") -> PydanticCustomError:
    """Return a mistake in one value: what is wrong with it, and what would be right."""
    return PydanticCustomError("mistake", "{what}", {"what": what, "hint": hint})


def as_text(value: Any, kind: str) -> str:
    """Return a scalar as text, which is to be what `kind` says."""
    if value is None or isinstance(value, (dict, list, bool)):
        raise mistake(f"expected {kind}, found {shape(value)}")
    return str(value)


def shape(value: Any) -> str:
    """Return a value in the words of a message: what it is, or itself where it is a scalar."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else repr(value)


def check_name(value: Any, kind: str, longest: int) -> str:
    """Return a name that is safe as a file name and as a word in a shell."""
    article = "an" if kind[0] in "aeio" else "a"
    name = as_text(value, f"the name of {article} {kind}")
    if not name:
        raise mistake(f"{article} {kind} needs a name, this one is empty")
    size = len(name.encode())
    if size > longest:
        raise mistake(
            f"the {kind} name {name!r} has {size} bytes, the longest allowed has {longest}", "choose a shorter name"
        )
    if not _NAME.fullmatch(name):
        raise mistake(
            f"{name!r} cannot be the name of {article} {kind}",
            "use letters, digits, '_', '-' and '.'; begin with a letter, a digit or '_'",
        )
    return name


def parse_interface_name(value: Any) -> str:
    """Return the name of an interface, as the kernel takes it."""
    name = check_name(value, "interface", IFNAMSIZ - 1)
    if name in ("all", "default"):  # devinet_sysctl_register() refuses both
        raise mistake(f"the kernel keeps the name {name!r} for sysctls", "choose another name")
    return name


def parse_interface_names(value: Any) -> Any:
    """Return a list of names of interfaces; one name alone is a list of one."""
    return value if isinstance(value, list | tuple) else (parse_interface_name(value),)


def parse_ruleset(value: Any) -> str:
    """Return a ruleset in the language of nft(8), as it is written: what it says only nft(8) knows."""
    found = as_text(value, "a ruleset of nft as text")
    if not found.strip():
        raise mistake("the ruleset is empty", "leave it out, or write it below `nft: |`")
    for number, line in enumerate(found.splitlines(), 1):
        if _INCLUDE.match(line):
            raise mistake(f"line {number} includes another file", "write its rules here: the lab is one file")
    return found


def parse_interface_ref(value: Any) -> InterfaceRef:
    """Return an interface that is written NAMESPACE:INTERFACE."""
    if isinstance(value, InterfaceRef):
        return value
    text = as_text(value, "an interface as NAMESPACE:INTERFACE")
    ref = InterfaceRef.typed(text)
    if not all(ref):
        raise mistake(f"{text!r} is no interface", "write NAMESPACE:INTERFACE, for example siteA:tun0")
    return ref


def parse_socket_address(value: Any) -> SocketAddress:
    """Return an address that is written ADDRESS:PORT, an IPv6 address in brackets."""
    if isinstance(value, SocketAddress):
        return value
    text = as_text(value, "ADDRESS:PORT")
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise mistake(f"{text!r} is no ADDRESS:PORT", "for example 10.0.1.1:9000 or [fd00::1]:9000")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise mistake(f"{text!r} does not say where the address ends", f"write [{host.strip('[]')}]:{port}")
    return SocketAddress(parse_host(host.removeprefix("[").removesuffix("]")), parse_port(port))


def _is_whole(text: str) -> bool:
    """Return whether a text is a few ASCII digits: int() reads those of every script, and is slow on many."""
    return len(text) <= 5 and text.isascii() and text.isdigit()


def parse_port(value: Any) -> int:
    """Return a port, 1 to 65535."""
    text = as_text(value, "a port")
    if not _is_whole(text) or not 1 <= int(text) <= 65535:
        raise mistake(f"{text!r} is no port", "a port is a whole number from 1 to 65535")
    return int(text)


def parse_host(value: Any) -> Host:
    """Return an address without prefix length or zone."""
    if isinstance(value, Host):
        return value
    text = as_text(value, "an IP address")
    try:
        host = host_of(text)
    except ValueError as error:
        hint = "leave the prefix length out here" if "/" in text else "for example 10.0.1.1 or fd00::1"
        raise mistake(str(error), hint) from None
    if getattr(host, "scope_id", None):
        raise mistake(f"{text!r} carries a zone", "write the address without %INTERFACE")
    return host


def parse_prefix(value: Any) -> Prefix:
    """Return a unicast address with its prefix length."""
    if isinstance(value, Prefix):
        return value
    text = as_text(value, "an address with its prefix length")
    address, slash, length = text.partition("/")
    host = parse_host(address)
    longest = 32 if host.version == 4 else 128
    if not slash:
        usual = 24 if host.version == 4 else 64
        raise mistake(f"{text!r} lacks its prefix length", f"for example {text}/{usual}")
    if not _is_whole(length) or int(length) > longest:
        raise mistake(
            f"{length!r} is no prefix length of an IPv{host.version} address", f"a whole number from 0 to {longest}"
        )
    if host.is_unspecified or host.is_multicast:
        raise mistake(f"{address!r} cannot be given to an interface", "use a unicast address")
    return ipaddress.ip_interface(text)


def parse_network(value: Any) -> Network:
    """Return a network that has no bits set behind its prefix length."""
    if isinstance(value, Network):
        return value
    text = as_text(value, "a network")
    if text == "default":
        raise mistake("'default' does not say of which IP version", "write 0.0.0.0/0 or ::/0")
    try:
        loose = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise mistake(f"{text!r} is no network", "for example 10.0.2.0/24, fd00:2::/64 or default") from None
    parse_host(text.partition("/")[0])
    if str(loose.network_address) != str(ipaddress.ip_interface(text).ip):
        raise mistake(f"{text!r} has bits set behind its prefix length", f"the network is {loose}")
    return loose


UINT32 = 2**32 - 1


def parse_table(value: Any) -> str:
    """Return a routing table by its name, or by its number where it has none."""
    text = as_text(value, "a routing table")
    if text in TABLES:
        return text
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 1 <= int(text) <= UINT32):
        known = ", ".join(TABLES)
        raise mistake(f"{text!r} is no routing table", f"a whole number from 1 to {UINT32}, or {known}")
    return next((name for name, number in TABLES.items() if number == int(text)), str(int(text)))


def parse_mark(value: Any) -> str:
    """Return a mark of packets and the mask under which it counts, in hex as `ip rule` shows them."""
    text = as_text(value, "a mark")
    parts = text.split("/")
    numbers = [int(part, 16 if part[1:2] in ("x", "X") else 10) for part in parts if _MARK.fullmatch(part)]
    if len(numbers) != len(parts) or len(parts) > 2 or max(numbers) > UINT32 or numbers[1:] == [0]:
        raise mistake(f"{text!r} is no mark of packets", "for example 0x1, or 0x1/0xff with a mask")
    shown = numbers[:1] if numbers[1:] == [UINT32] else numbers
    return "/".join(f"{number:#x}" for number in shown)


def parse_ports(value: Any) -> str:
    """Return a port or a range of ports that a rule can name."""
    text = as_text(value, "a port or a range of ports")
    first, dash, last = text.partition("-")
    low, high = parse_port(first), parse_port(last if dash else first)
    if low > high:
        raise mistake(f"{text!r} is no range of ports", f"write {high}-{low}")
    if high == 65535:
        raise mistake("no rule can name port 65535", "the kernel takes 1 to 65534 (fib_rule_port_range_valid())")
    return str(low) if low == high else f"{low}-{high}"


def parse_ip_protocol(value: Any) -> str:
    """Return an IP protocol by its name, or by its number where it has none."""
    text = as_text(value, "an IP protocol")
    if text in IP_PROTOCOLS:
        return text
    if not _is_whole(text) or not 1 <= int(text) <= 255:
        raise mistake(f"{text!r} is no IP protocol", f"a whole number from 1 to 255, or {', '.join(IP_PROTOCOLS)}")
    return next((name for name, number in IP_PROTOCOLS.items() if number == int(text)), str(int(text)))


def parse_mac(value: Any) -> str:
    """Return a unicast MAC address in lower case."""
    text = as_text(value, "a MAC address").lower()
    if not _MAC.fullmatch(text):
        raise mistake(f"{text!r} is no MAC address", "for example 02:00:00:00:00:01")
    if int(text[:2], 16) & 1:
        raise mistake(f"{text!r} is a group address", "the first byte of an interface's own MAC is even")
    if text == "00:00:00:00:00:00":
        raise mistake(f"{text!r} is not a valid MAC for an interface", "for example 02:00:00:00:00:01")
    return text


def parse_user(value: Any) -> str:
    """Return the name or the ID of a user."""
    name = check_name(value, "user", 32)
    if name.isdigit() and int(name) > LARGEST_UID:
        raise mistake(f"{name!r} is no user ID", f"the largest is {LARGEST_UID}; or write the name of the user")
    return name


def parse_mtu(value: Any) -> int:
    """Return an MTU in bytes."""
    if isinstance(value, bool) or not isinstance(value, int) or not 68 <= value <= 65535:
        raise mistake(f"{shape(value)} is no MTU", "a whole number of bytes from 68 (RFC 791) to 65535")
    return value


def parse_number(value: Any) -> Any:
    """Return a value that may be a number: pydantic reads true as 1, which is not what was meant."""
    if value is None or isinstance(value, (bool, dict, list)):
        raise mistake(f"expected a number, found {shape(value)}")
    return value


ENDPOINT_WORDS = ("device", "bind_address", "bind_port", "peer_address", "peer_port")
"""What a command line of an engine can ask for, each in braces."""


def parse_text(value: Any, kind: str, hint: str) -> str:
    """Return a text that is not empty; `kind` is what is expected, in words."""
    if not isinstance(value, str):
        raise mistake(f"expected {kind}, found {shape(value)}", hint)
    if not value:
        raise mistake(f"expected {kind}, this one is empty", hint)
    return value


def parse_words(value: Any, example: str) -> str:
    """Return a command line, which is split as a shell would (shlex) but never run by one."""
    text = as_text(value, "a command line")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise mistake(f"{text!r} cannot be split into words: {error}", "close every quote") from None
    if not words:
        raise mistake("the command is empty", f"for example {example}")
    if "\0" in text:
        raise mistake("the command has a zero byte in it", "no program can be given one: leave it out")
    return text


def parse_command(value: Any) -> str:
    """Return the command line of an engine, which may have placeholders."""
    text = parse_words(value, "./my_ttun {device} {bind_address} {bind_port} ...")
    for word in shlex.split(text):
        try:
            fields = [field for field in Formatter().parse(word) if field[1] is not None]
        except ValueError as error:
            raise mistake(f"{word!r} has a brace too many or too few: {error}", "write {{ for a brace itself") from None
        for _, field, form, conversion in fields:
            if field not in ENDPOINT_WORDS or form or conversion:
                asked = f"{field}{f'!{conversion}' if conversion else ''}{f':{form}' if form else ''}"
                known = ", ".join(f"{{{known}}}" for known in ENDPOINT_WORDS)
                raise mistake(f"unknown placeholder {{{asked}}}", f"it knows {known}")
    return text


def parse_directory(value: Any) -> str:
    """Return a directory."""
    text = as_text(value, "a directory")
    if not text.isprintable():
        raise mistake(f"{text!r} is no directory", "for example ./my_ttun")
    return text


def parse_impairment(word: str, value: Any) -> str:
    """Return a value of an impairment, as tc netem writes it."""
    text = as_text(value, f"a value for {word}")
    try:
        return show(word, read(word, text))
    except ValueError as error:
        raise mistake(str(error), "as tc netem writes it: delay: 50ms, loss: 10%, rate: 10mbit") from None


def parse_bit_rate(value: Any) -> str:
    """Return bits per second, as tc writes a rate; the time may be named, as in 50Mbit/s."""
    return parse_impairment("rate", value.strip().removesuffix("/s") if isinstance(value, str) else value)


def parse_sysctl(value: Any) -> str:
    """Return the value of a sysctl, its words apart by one space."""
    text = " ".join(as_text(value, "the value of a sysctl").split())
    if not text.isprintable() or not text:
        raise mistake(f"{text!r} is no value of a sysctl", "for example 1")
    return text


def sysctl_parts(key: str) -> tuple[str, ...]:
    """Return the parts of a sysctl's name below /proc/sys, as sysctl(8) reads it.

    The separator that stands first, '.' or '/', separates; the other one then stands for a dot inside a part, so that
    `net.ipv4.conf.eth0/1.forwarding` and `net/ipv4/conf/eth0.1/forwarding` are the same.
    """
    separator = "/" if "/" in key.split(".", 1)[0] else "."
    parts = key.split(separator)
    return tuple(parts) if separator == "/" else tuple(part.replace("/", ".") for part in parts)


SAME_SYSCTL = {"net/ipv4/ip_forward": "net/ipv4/conf/all/forwarding"}
"""Two names of one setting, by their path below /proc/sys (devinet_sysctl_forward() in the kernel)."""
