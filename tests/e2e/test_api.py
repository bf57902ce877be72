"""labctl from a Python program: what it makes, what it leaves as it was, and what becomes of it when it is cut off."""

from __future__ import annotations

import sys
import textwrap

from tests.e2e.labs import PAIR
from tests.e2e.world import World

SURROUNDINGS = """
import os, signal
from pathlib import Path

def surroundings():
    \"\"\"All that a library has to leave as it was.\"\"\"
    return {
        "descriptors": sorted(os.readlink(fd.path) for fd in os.scandir("/proc/self/fd") if os.path.lexists(fd.path)),
        "children": [Path(f"/proc/self/task/{task}/children").read_text() for task in os.listdir("/proc/self/task")],
        "signals": [signal.getsignal(number) for number in signal.valid_signals()],
        "status": [line for line in open("/proc/self/status") if line[:4] in ("Umas", "SigB", "SigI", "SigC")],
        "namespaces": {name: os.readlink(f"/proc/self/ns/{name}") for name in os.listdir("/proc/self/ns")},
        "directory": os.getcwd(),
    }
"""


def python(here: World, program: str, *arguments: str, code: int | None = 0) -> str:
    """Run a Python program as this person; return what it prints."""
    whole = SURROUNDINGS + textwrap.dedent(program)
    done = here.run(sys.executable, "-c", whole, *arguments, code=code)
    return done.stdout + done.stderr


def test_a_lab_in_a_with_block_is_made_proved_and_ended(here: World) -> None:
    file = here.file("pair.yaml", PAIR)
    shown = python(
        here,
        """
        import sys
        from labctl import CommandFailed, CommandTimedOut, Lab, UsageError

        before = surroundings()
        with Lab.up(sys.argv[1]) as lab:
            assert lab.name == "pair" and [one.name for one in Lab.running()] == ["pair"]
            heard = []
            assert [result.passed for result in lab.verify(notify=heard.append).results] == [True]
            assert [result.name for result in heard] == ["across"]
            assert list(lab.status().namespaces) == ["left", "right"]

            left = lab["left"]
            done = left.run("ping -c1 192.0.2.2")
            assert done.returncode == 0 and "1 received" in done.stdout, done
            assert left.run("cat", input="é" * 100_000).stdout == "é" * 100_000
            assert left.run(["sh", "-c", "kill -9 $$"]).returncode == -9
            assert left.run("pwd").stdout.strip() == os.getcwd()
            assert left.run("pwd", cwd="/").stdout.strip() == "/"
            assert left.run(["sh", "-c", "echo $LABCTL_NAMESPACE $OWN"], env={"OWN": "x"}).stdout == "left x\\n"
            for wrong, error in (
                (lambda: lab["lft"], UsageError),
                (lambda: lab.verify("acros"), UsageError),
                (lambda: left.run("no-such-program"), UsageError),
                (lambda: left.run(["sh", "-c", "echo why >&2; exit 3"], check=True), CommandFailed),
                (lambda: left.run("sleep 60", timeout=0.2), CommandTimedOut),
            ):
                try:
                    wrong()
                except error as found:
                    print(type(found).__name__, found)
                else:
                    raise AssertionError(error)
            with left.popen("cat", stdin=-1, stdout=-1) as cat:
                cat.stdin.write("one line\\n")
                cat.stdin.flush()
                assert cat.stdout.readline() == "one line\\n"
                assert cat.poll() is None and os.readlink(f"/proc/{cat.pid}/exe").endswith("cat")
            assert cat.returncode == -15
        assert Lab.running() == ()
        after = surroundings()
        assert after == before, [(key, before[key], after[key]) for key in before if before[key] != after[key]]
        """,
        file,
    )
    for words in (
        "did you mean",
        "'no-such-program' cannot be run",
        "ended with exit code 3\nwhy",
        "not ended in 0.2 s",
    ):
        assert words in shown


def test_a_lab_that_stood_before_stays_and_a_lab_that_is_just_made_does(here: World) -> None:
    file = here.file("pair.yaml", PAIR)
    python(here, 'import sys; from labctl import Lab; Lab.up(sys.argv[1], name="first").verify()', file)
    python(
        here, 'import sys; from labctl import Lab\nwith Lab.up(sys.argv[1], name="first") as lab: lab.verify()', file
    )
    here.labctl("verify")
    python(here, 'from labctl import Lab; lab = Lab("first"); assert lab.down(); assert not lab.down()')
    assert here.json("list") == []
