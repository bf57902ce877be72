"""labctl from a Python program: what it makes, what it leaves as it was, and what becomes of it when it is cut off."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from tests.e2e.labs import PAIR, many_namespaces
from tests.e2e.world import DEADLINE, World, eventually

SURROUNDINGS = """
import os, signal
from pathlib import Path

def surroundings():
    \"\"\"All that a library has to leave as it was.\"\"\"
    return {
        "descriptors": sorted(os.readlink(fd.path) for fd in os.scandir("/proc/self/fd") if os.path.lexists(fd.path)),
        "children": [Path(f"/proc/self/task/{task}/children").read_text() for task in os.listdir("/proc/self/task")],
        "signals": [signal.getsignal(number) for number in signal.valid_signals()],
        "status": [line for line in open("/proc/self/status") if line[:4] in ("Umas", "SigB", "SigI")],
        "namespaces": {name: os.readlink(f"/proc/self/ns/{name}") for name in os.listdir("/proc/self/ns")},
        "directory": os.getcwd(),
    }

def changed(before):
    return [(key, old, new) for key, new in surroundings().items() if (old := before[key]) != new]
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
        assert surroundings() == before, changed(before)
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


def test_threads_have_labs_of_their_own_at_once(here: World) -> None:
    python(
        here,
        """
        import asyncio, sys
        from concurrent.futures import ThreadPoolExecutor
        from labctl import Lab

        def work(name):
            with Lab.up(sys.argv[1], name=name) as lab:
                lab.verify().raise_for_failures()
                assert lab["left"].run("cat", input=name).stdout == name

        before = surroundings()
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, [f"lab{number}" for number in range(8)]))

        async def main():
            await asyncio.gather(*(asyncio.to_thread(work, name) for name in ("one", "two")))

        asyncio.run(main())
        assert Lab.running() == ()
        assert surroundings() == before, changed(before)
        """,
        here.file("pair.yaml", PAIR),
    )


def test_a_process_that_is_forked_has_calls_of_its_own(here: World) -> None:
    python(
        here,
        """
        import sys
        from labctl import Lab

        with Lab.up(sys.argv[1]) as lab:
            if (child := os.fork()) == 0:
                done = lab["left"].run("cat", input="child")
                os._exit(0 if done.stdout == "child" else 1)
            assert os.waitpid(child, 0)[1] == 0
            assert lab["left"].run("cat", input="parent").stdout == "parent"
        """,
        here.file("pair.yaml", PAIR),
    )


def test_an_up_that_is_interrupted_takes_back_what_it_made(here: World) -> None:
    shown = python(
        here,
        """
        import sys
        from labctl import Lab

        def interrupt(event):
            if type(event).__name__ == "Done":
                os.kill(os.getpid(), signal.SIGINT)

        before = surroundings()
        try:
            Lab.up(sys.argv[1], notify=interrupt)
        except KeyboardInterrupt:
            print("interrupted")
        assert Lab.running() == ()
        assert surroundings() == before, changed(before)
        """,
        here.file("many.yaml", many_namespaces(60)),
    )
    assert shown == "interrupted\n"


KILLED = {
    "amid an up": "Lab.up(sys.argv[1], notify=lambda event: print(type(event).__name__, flush=True))",
    "with a lab": 'with Lab.up(sys.argv[1]) as lab:\n    print("Done", flush=True); time.sleep(60)',
    "with a tied lab": 'Lab.up(sys.argv[1], tied=True); print("Done", flush=True); time.sleep(60)',
    "with a command": """
with Lab.up(sys.argv[1]) as lab:
    lab["n0"].popen(["sh", "-c", "trap '' TERM; while true; do sleep 1; done"])
    print("Done", flush=True)
    lab["n1"].run("sleep 60")
""",
}


@pytest.mark.parametrize("program", KILLED.values(), ids=KILLED)
def test_a_program_that_is_killed_leaves_nothing(here: World, program: str) -> None:
    before = here.snapshot()
    file = here.file("many.yaml", many_namespaces(30))
    words = [sys.executable, "-c", f"import sys, time\nfrom labctl import Lab\n{program}", file]
    process = here.start(words, stdout=subprocess.PIPE)
    assert process.stdout is not None
    while "Done" not in (line := process.stdout.readline()):
        assert line, "it has ended"
    process.kill()
    process.wait()
    process.stdout.close()
    eventually(lambda: here.snapshot() == before, "nothing is left")


def test_another_process_works_where_the_first_was_killed(here: World) -> None:
    program = """
import sys
from labctl import Lab, LabError

with Lab.up(sys.argv[1]) as lab:
    print("up", flush=True)
    sys.stdin.readline()
    try:
        lab.verify()
    except LabError as error:
        print(error.hint)
    print(lab.verify().passed)
"""
    words = [sys.executable, "-c", program, here.file("pair.yaml", PAIR)]
    process = here.start(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    (worker,) = here.processes_titled("labctl: works for a Python program")
    here.inside(lambda: os.kill(worker, signal.SIGKILL))
    eventually(lambda: not here.processes_titled("labctl: works for a Python program"), "it is gone")
    shown, _ = process.communicate("go on\n", timeout=DEADLINE)
    assert shown == "call again: the next one is started\nTrue\n"


@pytest.mark.parametrize("mistake", ["a directory", "a lab", "a topology", "a command"])
def test_a_mistake_of_the_call_is_an_error_of_labctl(as_user: World, mistake: str) -> None:
    call, words = {
        "a directory": ('lab["left"].run("true", cwd="/nowhere")', "cannot be the working directory"),
        "a lab": ('Lab("pear")', "did you mean 'pair'?"),
        "a topology": ('Lab.up("nowhere.yaml")', "there is no file"),
        "a command": ('lab["left"].run("")', "a command is needed"),
    }[mistake]
    program = f"import sys\nfrom labctl import Lab, UsageError\nwith Lab.up(sys.argv[1]) as lab:\n    {call}"
    shown = python(as_user, program, as_user.file("pair.yaml", PAIR), code=1)
    assert "labctl.errors.UsageError: " in shown and words in shown
    assert as_user.json("list") == []


def test_all_that_a_command_does_a_program_does(here: World) -> None:
    python(
        here,
        """
        from labctl import Lab, doctor

        assert Lab.plan("two-site").pending.changes
        assert Lab.export("two-site").startswith("#!")
        assert Lab.draw("two-site", "svg").startswith("<svg")
        assert {row.name for row in doctor()} >= {"rights", "veth"}
        told = []
        with Lab.up("two-site", name="x", notify=told.append) as lab:
            assert [type(event).__name__ for event in told[:2]] == ["Planned", "Done"]
            assert [summary.lab for summary in Lab.list()] == ["x"]
            assert [space.name for space in lab] == ["x-siteA", "x-siteB"] and "underlay" in lab.names().checks
            assert str(lab.impair("siteA:tun0", loss="100%")).startswith("x-siteA:tun0 out: loss 100%")
            found = lab.verify("ping-across-a-to-b")
            assert "dropped" in str(found) and "x-siteA:tun0" in found.diagnosis[0].hop
            lab.impair("siteA:tun0", reset=True)
            assert lab.why("siteA", "10.0.102.1").reached

            assert len(lab["siteA"].trace("ping -c1 10.0.102.1").ladders) == 2
            heard = []
            assert lab.trace("underlay", notify=heard.append).exit_code == 0 and heard[0].passed
            with lab.capture("siteA:tun0", filter="icmp", file="x.pcapng"):
                lab["siteA"].run("ping -c1 10.0.102.1", check=True)
            assert Path("x.pcapng").stat().st_size > 200
            with lab.capture("siteA:tun0", filter="icmp", count=1) as capture:
                lab["siteA"].run("ping -c1 10.0.102.1", check=True)
            assert [packet.outgoing for packet in capture.packets] == [True]

            with lab.events() as events, lab.logs("siteA:tun0", follow=True) as lines:
                assert "forwards" in next(lines)
                assert [engine.running for engine in lab.restart("siteA:tun0").engines] == [True]
                assert any("x-siteA:tun0" in event.words for _, event in events)
                assert any("forwards" in line for line in lines)
            assert "forwards" in list(lab.logs())[-1]
            assert lab.graph().startswith("flowchart") and "nothing to do" in str(lab.status())
            assert {removed.kind for removed in lab.down()} == {"engine", "namespace"}
        assert Lab.list() == ()
        """,
    )
