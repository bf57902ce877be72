"""A lab that ends with the program that made it, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.e2e.labs import tunnel
from tests.e2e.test_killed import engines, is_as
from tests.e2e.world import World, eventually

# What makes a lab, says so, and then does as it is told.
MAKER = """\
import sys
from labctl import Lab

print("begins", flush=True)
lab = Lab.up(sys.argv[1], tied=True)
print("ready", flush=True)
if sys.stdin.readline() == "down\\n":
    lab.down()
"""


@contextmanager
def maker(here: World, until: str = "ready") -> Iterator[subprocess.Popen[str]]:
    """Start a program that makes a lab, and wait until it says that this begins, or is done."""
    command = [sys.executable, "-c", MAKER, here.file("tunnel.yaml", tunnel())]
    with here.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        while process.stdout.readline() != f"{until}\n":
            assert process.poll() is None
        yield process


def test_a_lab_ends_with_the_program_that_made_it(here: World) -> None:
    before = here.snapshot()
    with maker(here) as process:
        here.labctl("verify")
        os.killpg(process.pid, signal.SIGKILL)
    eventually(is_as(here, before), "nothing is left")


def test_a_lab_that_was_not_made_to_its_end_is_taken_back(here: World) -> None:
    before = here.snapshot()
    with maker(here, "begins") as process:
        eventually(lambda: engines(here), "the first engine is there")
        process.kill()
    eventually(is_as(here, before), "nothing is left")


def test_a_lab_ends_where_its_maker_ends_without_a_word(here: World) -> None:
    before = here.snapshot()
    with maker(here) as process:
        process.communicate("\n")
    eventually(is_as(here, before), "nothing is left")


def test_a_lab_is_taken_down_by_its_maker(here: World) -> None:
    with maker(here) as process:
        process.communicate("down\n")
        assert here.json("list") == []


def test_without_root_it_ends_too_where_all_that_works_for_the_program_is_killed(as_user: World) -> None:
    before = as_user.snapshot()
    with maker(as_user) as process:
        works = as_user.processes_titled("labctl: works for")  # one, and one more just after a request
        assert works
        for pid in works:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.kill()
    eventually(is_as(as_user, before), "nothing is left")
