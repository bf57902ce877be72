"""How the values of a topology file are written, as regular expressions (ECMA-262) for its JSON Schema.

An editor that knows them marks a mistake while it is typed. They are wider than the parsers of `values` only where a
regular expression cannot express more; a property test holds that whatever a parser of addresses accepts matches.
"""

from __future__ import annotations

from labctl.topology.iproute import IP_PROTOCOLS

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"(?:{_OCTET}\.){{3}}{_OCTET}"
_H16 = "[0-9A-Fa-f]{1,4}"
# RFC 4291 2.2: eight groups, or fewer with one `::` in the place of zeros; the last two may be an IPv4 address.
_IPV6 = "|".join(
    (
        f"(?:{_H16}:){{7}}{_H16}",
        f"(?:{_H16}:){{1,7}}:",
        *(f"(?:{_H16}:){{1,{left}}}(?::{_H16}){{1,{7 - left}}}" for left in range(6, 0, -1)),
        f":(?:(?::{_H16}){{1,7}}|:)",
        f"[0-9A-Fa-f:]*:{_IPV4}",
    )
)
_LENGTH4, _LENGTH6 = "0*(?:3[0-2]|[12]?[0-9])", "0*(?:12[0-8]|1[01][0-9]|[1-9]?[0-9])"
_MASK4 = f"(?:{_LENGTH4}|{_IPV4})"
_PORT = "0*(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
_NAME = "[A-Za-z0-9_][A-Za-z0-9_.-]*"


def _whole(*choices: str) -> str:
    return f"^(?:{'|'.join(choices)})$"


HOST = _whole(_IPV4, _IPV6)
PREFIX = _whole(f"{_IPV4}/{_LENGTH4}", f"(?:{_IPV6})/{_LENGTH6}")
NETWORK = _whole("default", f"{_IPV4}(?:/{_MASK4})?", f"(?:{_IPV6})(?:/{_LENGTH6})?")
SOCKET_ADDRESS = _whole(rf"{_IPV4}:{_PORT}", rf"\[(?:{_IPV4}|{_IPV6})\]:{_PORT}")
INTERFACE_REF = _whole(f"{_NAME}:{_NAME}")
MAC = _whole("[0-9A-Fa-f][02468ACEace](?::[0-9A-Fa-f]{2}){5}")
TABLE = _whole("default", "main", "local", "0*[1-9][0-9]{0,9}")
MARK = _whole("(?:0[xX][0-9A-Fa-f]{1,8}|[0-9]{1,10})(?:/(?:0[xX][0-9A-Fa-f]{1,8}|[0-9]{1,10}))?")
PORTS = _whole(f"{_PORT}(?:-{_PORT})?")
IP_PROTOCOL = _whole(*IP_PROTOCOLS, "0*(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]?)")
