"""The way between two hosts is tried without a lab: here both are this machine, by its loopback interface."""

from __future__ import annotations

import errno
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from labctl.engine.cable.forward import Plug
from labctl.engine.cable.udp import CableSocket
from labctl.engine.features import Features
from labctl.engine.packets.address import Address
from labctl.errors import KernelRefused, UsageError
from labctl.lab.cables import reach
from labctl.lab.cables.joining import joined
from labctl.lab.cables.reach import Reach
from labctl.plan.cable_spec import CableSpec
from labctl.topology.interface_ref import InterfaceRef

CABLE = "a:wan0-b:wan0"
ONE, OTHER = InterfaceRef("a", "wan0"), InterfaceRef("b", "wan0")
HERE = CableSpec(ONE, OTHER, CABLE, "srv2", "127.0.0.1")
THERE = CableSpec(OTHER, ONE, CABLE, "srv1", "127.0.0.1")


def test_two_ends_find_each_other_and_what_the_way_carries() -> None:
    with Reach([HERE]) as here, Reach([THERE]) as there, ThreadPoolExecutor(2) as threads:
        told = joined({"srv1": here.ends, "srv2": there.ends}, {"srv1": "127.0.0.1", "srv2": "127.0.0.1"})
        seen = [
            one.result()
            for one in (threads.submit(here.tried, told["srv1"]), threads.submit(there.tried, told["srv2"]))
        ]
        ports = [here.ends[CABLE].port, there.ends[CABLE].port]
    assert [(each[CABLE].state, each[CABLE].port) for each in seen] == [("up", port) for port in ports]
    assert [(each[CABLE].path_mtu, each[CABLE].carried) for each in seen] == [(65535, 65469)] * 2


def test_no_socket_is_left_open_where_an_end_cannot_be_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(opened: socket.socket, features: Features) -> CableSocket:
        if refusing:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        refusing.append(opened)
        return CableSocket(opened, features)

    monkeypatch.setattr(reach, "CableSocket", refused)
    refusing: list[socket.socket] = []
    with pytest.raises(OSError, match="Cannot allocate memory"):
        Reach([HERE, replace(HERE, cable="another")])
    assert refusing[0].fileno() == -1


def test_where_no_port_is_free_the_cable_is_named() -> None:
    with Reach([HERE]) as here:
        port = here.ends[CABLE].port
        with pytest.raises(KernelRefused, match=f"cable {CABLE} cannot be tried: no port of {port}-{port} is free"):
            Reach([replace(HERE, ports=(port, port))])


def test_an_end_that_is_alone_hears_nothing() -> None:
    with Reach([HERE]) as here:
        seen = here.tried({CABLE: Plug(Address("127.0.0.1", 9), bytes(32))}, patience=0.2)
    assert seen[CABLE].state == "nothing_in"


def test_hosts_of_different_ip_versions_cannot_be_joined() -> None:
    with Reach([HERE]) as here, pytest.raises(UsageError, match="cannot be joined") as refused:
        here.tried({CABLE: Plug(Address("2001:db8::2", 47000), bytes(32))})
    assert "is not IPv4" in refused.value.why and "address" in refused.value.hint
