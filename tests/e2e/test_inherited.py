"""What a command has from who calls it: open descriptors, limits, ignored signals. None of it is in its way."""

from __future__ import annotations

import functools
import os
import resource
import select
import signal

import pytest

from tests.e2e.labs import many_engines, tunnel
from tests.e2e.world import World


def test_an_ignored_sigchld(here: World) -> None:
    def deaf() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    for words in (["up", here.file("tunnel.yaml", tunnel())], ["verify"], ["down"]):
        here.labctl(*words, before=deaf)


def test_a_pipe_above_the_limit_ends_with_the_command(here: World) -> None:
    """A descriptor may be higher than the limit, where that was lowered after it was opened."""
    reader, writer = os.pipe()

    def high() -> None:
        os.dup2(writer, 100)
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    here.labctl("up", here.file("tunnel.yaml", tunnel()), before=high, close_fds=False)
    os.close(writer)
    assert select.select([reader], [], [], 0)[0], "somebody has the pipe open still"
    os.close(reader)
    here.labctl("down")


@pytest.mark.parametrize("hard", [40, 4096])
def test_a_lab_with_more_engines_than_descriptors_goes_down(here: World, hard: int) -> None:
    here.labctl("up", here.file("many.yaml", many_engines(50)))
    here.labctl("down", before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, hard)))
    assert not here.processes()


@pytest.mark.parametrize("failing", ["n0:t0", "n0:t49"])
def test_a_lab_with_more_engines_than_descriptors_is_taken_back(here: World, failing: str) -> None:
    before = here.snapshot()
    file = many_engines(50).replace(f'"{failing}",', f'"{failing}", engine: {{command: /nonexistent}},')
    few = functools.partial(resource.setrlimit, resource.RLIMIT_NOFILE, (40, 4096))
    assert "/nonexistent" in here.labctl("up", here.file("many.yaml", file), code=2, before=few).stderr
    assert here.snapshot() == before


def test_somebodys_own_engine_has_the_standard_three(here: World) -> None:
    socat = "socat TUN,tun-name={device},iff-no-pi UDP:{peer_address}:{peer_port},bind={bind_address}:{bind_port}"
    file = tunnel().replace('peer: "192.0.2.2:9000"', f'peer: "192.0.2.2:9000", engine: {{command: "{socat}"}}')
    here.labctl("up", here.file("tunnel.yaml", file))
    (engine,) = (pid for pid, title in here.processes() if title.startswith("socat"))
    streams = [os.readlink(f"/proc/{engine}/fd/{stream}") for stream in (0, 1, 2)]
    assert streams[0] == "/dev/null" and streams[1] == streams[2] and streams[1].startswith("pipe:")
    here.labctl("down")
