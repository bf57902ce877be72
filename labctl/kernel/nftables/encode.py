"""Expressions of a rule, as the kernel takes them: each is loaded into one register and compared there."""

from __future__ import annotations

from labctl.kernel.nftables.messages import nested, string, u32

LINK, NETWORK, TRANSPORT = 0, 1, 2  # NFT_PAYLOAD_*: the header that an offset counts from
META_PROTOCOL, META_OIFNAME, META_NFTRACE, META_NFPROTO, META_L4PROTO = 1, 7, 12, 15, 16  # NFT_META_*
_REGISTER = 1  # NFT_REG_1
_ELEMENT, _NAME, _DATA, _VALUE = 1, 1, 2, 1  # NFTA_LIST_ELEM, NFTA_EXPR_*, NFTA_DATA_VALUE
_PAYLOAD_REGISTER, _PAYLOAD_BASE, _PAYLOAD_OFFSET, _PAYLOAD_LENGTH = 1, 2, 3, 4  # NFTA_PAYLOAD_*
_META_REGISTER, _META_KEY, _META_SOURCE = 1, 2, 3  # NFTA_META_*
_CMP_REGISTER, _CMP_OPERATOR, _CMP_DATA, _EQUAL = 1, 2, 3, 0  # NFTA_CMP_*, NFT_CMP_EQ
_IMMEDIATE_REGISTER, _IMMEDIATE_DATA = 1, 2  # NFTA_IMMEDIATE_*


def header_is(base: int, offset: int, value: bytes) -> bytes:
    """Return the expressions that match packets with these bytes in a header."""
    load = (
        u32(_PAYLOAD_REGISTER, _REGISTER)
        + u32(_PAYLOAD_BASE, base)
        + u32(_PAYLOAD_OFFSET, offset)
        + u32(_PAYLOAD_LENGTH, len(value))
    )
    return _expression("payload", load) + _is(value)


def meta_is(key: int, value: bytes) -> bytes:
    """Return the expressions that match packets of which the kernel knows this."""
    return _expression("meta", u32(_META_KEY, key) + u32(_META_REGISTER, _REGISTER)) + _is(value)


def masquerade() -> bytes:
    """Return the expression that sends a packet from the address of the interface that it leaves by."""
    return _expression("masq", b"")


def set_nftrace() -> bytes:
    """Return the expressions that have a packet traced."""
    one = u32(_IMMEDIATE_REGISTER, _REGISTER) + nested(_IMMEDIATE_DATA, nested(_VALUE, b"\1"))
    return _expression("immediate", one) + _expression(
        "meta", u32(_META_KEY, META_NFTRACE) + u32(_META_SOURCE, _REGISTER)
    )


def _is(value: bytes) -> bytes:
    data = nested(_CMP_DATA, nested(_VALUE, value))
    return _expression("cmp", u32(_CMP_REGISTER, _REGISTER) + u32(_CMP_OPERATOR, _EQUAL) + data)


def _expression(name: str, data: bytes) -> bytes:
    return nested(_ELEMENT, string(_NAME, name), nested(_DATA, data))
