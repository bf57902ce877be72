"""Questions and answers of DNS as bytes, compared with what scapy makes of the same."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR, DNSRR

from labctl.checks import dns_message
from labctl.checks.dns_message import Answer, Malformed, Type
from labctl.topology.values import Host

LABEL = st.from_regex(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,10}[A-Za-z0-9_])?", fullmatch=True)
NAME = st.lists(LABEL, min_size=1, max_size=5).map(".".join)
TYPE: st.SearchStrategy[Type] = st.sampled_from(["A", "AAAA"])
ADDRESS: dict[str, st.SearchStrategy[Host]] = {"A": st.ip_addresses(v=4), "AAAA": st.ip_addresses(v=6)}
NUMBER = st.integers(0, 65535)


def message(identifier: int, name: str, kind: str, records: list[Any], **flags: Any) -> bytes:
    """An answer as scapy writes it, with every name that repeats compressed."""
    made = DNS(id=identifier, qr=1, qd=[DNSQR(qname=name, qtype=kind)], an=records, **flags)
    return bytes(made.compress())  # type: ignore[no-untyped-call]


@given(NUMBER, NAME, TYPE)
def test_scapy_reads_a_question_as_it_is_meant(identifier: int, name: str, kind: Type) -> None:
    read = DNS(dns_message.question(identifier, name, kind))
    assert (read.id, read.qr, read.opcode, read.rd, read.qdcount) == (identifier, 0, 0, 1, 1)
    assert read.qd[0].qname.decode() == f"{name}."
    assert (read.qd[0].qtype, read.qd[0].qclass) == ({"A": 1, "AAAA": 28}[kind], 1)
    assert bytes(DNS(id=identifier, rd=1, qd=[DNSQR(qname=name, qtype=kind)])) == dns_message.question(
        identifier, name, kind
    )


@given(st.data(), NUMBER, NAME, TYPE, st.lists(NAME, max_size=3))
@settings(deadline=None)
def test_the_addresses_that_scapy_writes_are_read(
    data: st.DataObject, identifier: int, name: str, kind: Type, aliases: list[str]
) -> None:
    """Also those of the name that ours is another name for, whatever stands between them."""
    chain = [name, *(f"{number}.{alias}" for number, alias in enumerate(aliases))]
    addresses = data.draw(st.lists(ADDRESS[kind], max_size=5))
    records = [
        DNSRR(rrname=one, type="CNAME", rdata=other) for one, other in pairwise(chain)
    ]  # fmt: skip
    records += [DNSRR(rrname=chain[-1], type=kind, rdata=str(address)) for address in addresses]
    records += [DNSRR(rrname="other.example", type=kind, rdata="192.0.2.1" if kind == "A" else "2001:db8::1")]
    records += [DNSRR(rrname=chain[-1], type="TXT", rdata=b"text")]
    text = message(identifier, name.swapcase(), kind, data.draw(st.permutations(records)))
    found = dns_message.answer(identifier, name, kind, text)
    assert found is not None and (found.code, found.truncated) == ("NOERROR", False)
    assert sorted(found.addresses, key=int) == sorted(addresses, key=int)
    assert found.denies is (not addresses)


@pytest.mark.parametrize(("code", "word"), [(2, "SERVFAIL"), (3, "NXDOMAIN"), (5, "REFUSED"), (9, "code 9")])
def test_what_the_server_says_of_a_question_is_told(code: int, word: str) -> None:
    found = dns_message.answer(7, "www.lab", "A", message(7, "www.lab", "A", [], rcode=code))
    assert found == Answer(word, (), False)
    bare = bytes(DNS(id=7, qr=1, rcode=code, qd=[]))
    assert dns_message.answer(7, "www.lab", "A", bare) == Answer(word, (), False), "without the question"


def test_an_answer_to_another_question_is_none() -> None:
    answered = message(7, "www.lab", "A", [DNSRR(rrname="www.lab", type="A", rdata="192.0.2.1")])
    assert dns_message.answer(7, "www.lab", "A", answered) == Answer("NOERROR", (IPv4Address("192.0.2.1"),), False)
    assert dns_message.answer(8, "www.lab", "A", answered) is None
    assert dns_message.answer(7, "ww.lab", "A", answered) is None
    assert dns_message.answer(7, "www.lab", "AAAA", answered) is None
    assert dns_message.answer(7, "www.lab", "A", dns_message.question(7, "www.lab", "A")) is None


def test_one_that_was_cut_off_is_told_as_that_wherever_the_cut_is() -> None:
    records = [DNSRR(rrname="www.lab", type="AAAA", rdata=f"2001:db8::{number}") for number in range(9)]
    whole = message(7, "www.lab", "AAAA", records, tc=1)
    question = len(dns_message.question(7, "www.lab", "AAAA"))
    for size in range(question, len(whole)):
        found = dns_message.answer(7, "www.lab", "AAAA", whole[:size])
        assert found is not None and found.truncated
    found = dns_message.answer(7, "www.lab", "AAAA", whole)
    assert found is not None and IPv6Address("2001:db8::8") in found.addresses


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(beginning: bytes, end: bytes) -> None:
    """Never another exception, and never without an end."""
    asked = dns_message.question(7, "www.lab", "A")
    for text in (beginning, b"\0\7\x80\0" + beginning, b"\0\7\x80\0\0\1\0\2\0\0\0\0" + asked[12:] + end):
        with suppress(Malformed):
            dns_message.answer(7, "www.lab", "A", text)


@given(st.integers(0, 0x3FFF))
def test_a_name_that_points_in_a_circle_ends(target: int) -> None:
    asked = dns_message.question(7, "www.lab", "A")
    pointing = b"\0\7\x80\0\0\1\0\1\0\0\0\0" + asked[12:] + b"\1a" + (0xC000 | target).to_bytes(2, "big") + bytes(10)
    with suppress(Malformed):
        dns_message.answer(7, "www.lab", "A", pointing)
