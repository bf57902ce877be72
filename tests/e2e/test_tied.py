"""A lab that ends with the process that made it: taken down by it, or left by a process that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.labs import tunnel
from tests.e2e.test_killed import engines, is_as
from tests.e2e.world import World, eventually

# What makes a lab, says so, and then does as it is told.
MAKER = """\
import sys
from labctl.cli.labs import desired_of
from labctl.lab import guardian
from labctl.lab.down import end
from labctl.lab.engines.forkserver_client import forkserver
from labctl.lab.up import up
from labctl.process.processes import own
from labctl.rootless.context import context_of_new

desired = desired_of(sys.argv[1], None)
lab = desired.topology.name
context = context_of_new(lab)

def work():
    with up(desired, "", context.mode, server.at(context), lambda _: None, own()) as made:
        return made

with forkserver() as server:
    if "before" in sys.argv:
        with context.tied(guardian.command(lab, own())):
            print("ready", flush=True)
            context.call(work)
    else:
        with context.tied(guardian.command(lab, own())):
            context.call(work)
        print("ready", flush=True)
if sys.stdin.readline() == "down\\n":
    end(lab, context)
"""


@contextmanager
def maker(here: World, *more: str) -> Iterator[subprocess.Popen[str]]:
    """Start a process that makes a lab, and wait until it says that this is done, or begins."""
    command = [sys.executable, "-c", MAKER, here.file("tunnel.yaml", tunnel()), *more]
    with here.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        yield process


def test_a_lab_ends_with_the_process_that_made_it(here: World) -> None:
    before = here.snapshot()
    with maker(here) as process:
        here.labctl("verify")
        os.killpg(process.pid, signal.SIGKILL)
    eventually(is_as(here, before), "nothing is left")


def test_a_lab_that_was_not_made_to_its_end_is_taken_down_too(here: World) -> None:
    before = here.snapshot()
    with maker(here, "before") as process:
        eventually(lambda: engines(here), "the first engine is there")
        process.kill()
    eventually(is_as(here, before), "nothing is left")


def test_a_lab_ends_where_its_maker_ends_without_a_word(here: World) -> None:
    before = here.snapshot()
    with maker(here) as process:
        process.communicate("\n")
    eventually(is_as(here, before), "nothing is left")


def test_what_takes_a_lab_down_goes_with_the_lab(here: World) -> None:
    before = here.snapshot()
    with maker(here) as process:
        process.communicate("down\n")
        assert here.snapshot() == before


def test_a_lab_of_the_same_name_that_another_has_made_is_not_taken_down(here: World) -> None:
    with maker(here) as process:
        here.labctl("down", "tunnel")
        here.labctl("up", here.file("tunnel.yaml", tunnel()))
        process.kill()
    eventually(lambda: not here.processes_titled("takes down"), "nothing waits for the end of the maker any more")
    here.labctl("verify")
    here.labctl("down")
