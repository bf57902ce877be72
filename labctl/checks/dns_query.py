"""A question to a name server: one datagram, and a connection where the answer does not fit into one (RFC 7766)."""

from __future__ import annotations

import random
import select
import struct

from labctl.checks import dns_message
from labctl.checks.dns_message import Answer, Malformed, Type
from labctl.checks.patient_socket import LARGEST, datagrams, once, opened, send_all, set_out, until_connected
from labctl.checks.refusal import first_packet
from labctl.checks.tcp_close import wait_until_closed
from labctl.process.patience import Patience, PatienceFor
from labctl.topology.values import Host

PORT = 53

_LENGTH = struct.Struct("!H")


def query(
    namespace: str, server: Host, port: int, name: str, kind: Type, seconds: float, patience: PatienceFor
) -> Answer:
    """Ask a name server from a namespace, and return what it answers.

    Raise NotSent; OSError, the network's answer, or TimeoutError where there is none; Malformed.
    """
    waiting = patience(seconds)
    found = _by_datagram(namespace, server, port, name, kind, waiting)
    if not found.truncated:
        return found
    return _by_connection(namespace, server, port, name, kind, waiting, patience)


def _by_datagram(namespace: str, server: Host, port: int, name: str, kind: Type, waiting: Patience) -> Answer:
    identifier = random.getrandbits(16)
    with opened(namespace, "udp", server.version) as client:
        with first_packet():
            set_out(client, server, port)
            client.send(dns_message.question(identifier, name, kind))
        for message, _ in datagrams(client, waiting):  # what is no answer to this question is left out
            found = dns_message.answer(identifier, name, kind, message)
            if found is not None:
                return found
    raise TimeoutError


def _by_connection(
    namespace: str, server: Host, port: int, name: str, kind: Type, waiting: Patience, patience: PatienceFor
) -> Answer:
    identifier = random.getrandbits(16)
    asked = dns_message.question(identifier, name, kind)
    with opened(namespace, "tcp", server.version) as client:
        with first_packet():
            set_out(client, server, port)
        until_connected(client, waiting)
        send_all(client, _LENGTH.pack(len(asked)) + asked, waiting)
        received, size = bytearray(), _LENGTH.size
        while len(received) < size:
            part = once(client, select.POLLIN, waiting).recv(LARGEST)
            if not part:
                raise Malformed(f"the connection ended after {len(received)} bytes")
            received += part
            if len(received) >= _LENGTH.size:
                size = _LENGTH.size + _LENGTH.unpack_from(received)[0]
        own_port = client.getsockname()[1]
    wait_until_closed((namespace,), own_port, patience)
    found = dns_message.answer(identifier, name, kind, bytes(received[_LENGTH.size : size]))
    if found is None or found.truncated:
        raise Malformed("over TCP it answers something else")
    return found
