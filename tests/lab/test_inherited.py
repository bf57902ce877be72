"""What a command has from who calls it: open descriptors, limits, ignored signals. None of it is in its way."""

from __future__ import annotations

import signal

from tests.lab.labs import tunnel
from tests.lab.world import World


def test_an_ignored_sigchld(here: World) -> None:
    def deaf() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    for words in (["up", here.file("tunnel.yaml", tunnel())], ["verify"], ["down"]):
        here.labctl(*words, before=deaf)
