"""Both ways at once through loss and reordering: every byte right, every packet accounted for, memory flat.

A few seconds as part of the suite; `make soak` goes on for a minute (SOAK_SECONDS).
"""

from __future__ import annotations

import hashlib
import os
import random
import socket
import threading
import time
from collections.abc import Callable

import pytest

from labctl.engine.counters import Counters

from .conftest import INSIDE, Sites, connection
from .world import settled

pytestmark = pytest.mark.root

SECONDS = float(os.environ.get("SOAK_SECONDS", "4"))
BLOCK = 1 << 18
BAD_WIRE = "delay 1ms loss 1% reorder 5% seed 3"
GROWTH = 2.0
"""MB; what the buffers of a flow that recovers from a loss may come to."""


def send_blocks(to: socket.socket, block: bytes, until: float) -> None:
    while time.monotonic() < until:
        to.sendall(block)
    to.shutdown(socket.SHUT_WR)


def right_blocks(source: socket.socket, block: bytes) -> int:
    """How many blocks came; every one as it was sent."""
    wanted, number = hashlib.sha256(block).digest(), 0
    with source.makefile("rb") as blocks:
        while got := blocks.read(BLOCK):
            assert hashlib.sha256(got).digest() == wanted, f"block {number} is damaged, or {len(got)} bytes long"
            number += 1
    return number


def memory(pid: int) -> float:
    """The private memory of a process in MB."""
    with open(f"/proc/{pid}/smaps_rollup") as lines:
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def test_a_bad_wire_costs_speed_and_nothing_else(
    sites: Sites, counters: Callable[..., tuple[Counters, Counters]]
) -> None:
    # One engine is the bad wire, both ways; the other has its core to itself.
    both = counters(("--impair", BAD_WIRE, "--impair-in", BAD_WIRE))
    engines = [site.started[0].pid for site in sites]
    client, server = connection(sites, INSIDE[4])
    block = random.Random(1).randbytes(BLOCK)
    came: list[int] = []
    began = time.monotonic()
    with client, server:
        threads = [
            threading.Thread(target=send_blocks, args=(end, block, began + SECONDS)) for end in (client, server)
        ] + [threading.Thread(target=lambda end=end: came.append(right_blocks(end, block))) for end in (client, server)]
        for thread in threads:
            thread.start()
        threads[0].join(SECONDS / 2)
        halfway = [memory(pid) for pid in engines]
        for thread in threads:
            thread.join(SECONDS + 60)
    assert len(came) == 2 and min(came) > SECONDS, came
    for each, pid, before in zip(both, engines, halfway, strict=True):
        settled(each)
        assert memory(pid) - before < GROWTH
    now = both[0].snapshot()
    assert 0.005 < now["out_lost"] / now["tun_read_packets"] < 0.02
    assert 0.005 < now["in_lost"] / now["udp_received_packets"] < 0.02
