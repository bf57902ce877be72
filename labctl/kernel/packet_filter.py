"""Filters in the words of tcpdump (pcap-filter(7)), for the kernel to apply before a packet is copied.

libpcap compiles them into classic BPF. It is called through ctypes: there is one function that is needed, and nearly
every machine with tcpdump or Wireshark has the library. A filter is compiled for frames that begin with an Ethernet
header and for packets that do not, and the one that fits is chosen for each packet by the type of its device.
"""

from __future__ import annotations

import ctypes
import re
import struct

from labctl.errors import MachineError, UsageError
from labctl.kernel.packet_taps import ARPHRD_ETHER, ARPHRD_LOOPBACK

_NAMES = ("libpcap.so.1", "libpcap.so.0.8", "libpcap.so")
_DLT_EN10MB, _DLT_RAW = 1, 12  # pcap/dlt.h, on Linux
_ANY_NETMASK = 0xFFFFFFFF  # PCAP_NETMASK_UNKNOWN
_LARGEST = 1 << 18
_INSTRUCTION = struct.Struct("=HBBI")  # struct sock_filter: code, jump if true, jump if false, k
_LOAD, _JUMP_IF_EQUAL, _JUMP = 0x20, 0x15, 0x05  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_JMP|BPF_JA
_DEVICE_TYPE = 0xFFFFF000 + 28  # SKF_AD_OFF + SKF_AD_HATYPE (linux/filter.h)
_RETURN = 0x06  # BPF_RET|BPF_K


class _Program(ctypes.Structure):
    """struct bpf_program; an instruction is eight bytes (pcap/bpf.h)."""

    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))


def compiled(expression: str) -> bytes:
    """Return the classic BPF program of a filter, as an array of struct sock_filter.

    Raise UsageError for an expression that libpcap does not take, MachineError where there is no libpcap.
    """
    if re.search(r"\bvlan\b", expression):
        raise UsageError(
            "a filter cannot ask for VLANs",
            "the kernel takes the tag out of a frame before a filter sees it",
            "without a filter, each line names the VLANs of a packet",
        )
    library = _library()
    ethernet = _compiled(library, expression, _DLT_EN10MB)
    try:
        raw = _compiled(library, expression, _DLT_RAW)
    except UsageError:  # it asks for what only Ethernet has
        raw = _INSTRUCTION.pack(_RETURN, 0, 0, 0)
    head = (
        (_LOAD, 0, 0, _DEVICE_TYPE),
        (_JUMP_IF_EQUAL, 2, 0, ARPHRD_ETHER),
        (_JUMP_IF_EQUAL, 1, 0, ARPHRD_LOOPBACK),
        (_JUMP, 0, 0, len(ethernet) // _INSTRUCTION.size),
    )
    return b"".join(_INSTRUCTION.pack(*each) for each in head) + ethernet + raw


def _library() -> ctypes.CDLL:
    for name in _NAMES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.pcap_open_dead.restype = ctypes.c_void_p
        library.pcap_geterr.restype = ctypes.c_char_p
        return library
    raise MachineError(
        "a filter needs libpcap, which is not installed here",
        f"none of {', '.join(_NAMES)} can be loaded",
        "install it (Debian, Ubuntu: libpcap0.8; Fedora: libpcap; Alpine: libpcap), or capture without --filter",
    )


def _compiled(library: ctypes.CDLL, expression: str, kind: int) -> bytes:
    handle = ctypes.c_void_p(library.pcap_open_dead(kind, _LARGEST))
    program = _Program()
    try:
        words = expression.encode()
        if library.pcap_compile(handle, ctypes.byref(program), words, 1, ctypes.c_uint(_ANY_NETMASK)):
            why = library.pcap_geterr(handle).decode(errors="replace")
            raise UsageError(f"{expression!r} is no filter", why, "man pcap-filter; for example: icmp or udp port 9000")
        try:
            return ctypes.string_at(program.instructions, program.length * _INSTRUCTION.size)
        finally:
            library.pcap_freecode(ctypes.byref(program))
    finally:
        library.pcap_close(handle)
