"""Killed at any moment: what is left can always be taken down, and without root nothing is left at all."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from labctl.process.processes import state_of
from tests.e2e import fault
from tests.e2e.labs import PAIR, many_namespaces, tunnel
from tests.e2e.world import DEADLINE, World, eventually, names

KILLS = 15
LARGE = 200


def kill_after(process: subprocess.Popen[str], seconds: float) -> None:
    """End a process without a word when so much of its time has gone."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def start_up(here: World, file: str, *more: str) -> subprocess.Popen[str]:
    return here.start_labctl("up", file, *more, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def is_as(here: World, before: dict[str, object]) -> Callable[[], bool]:
    return lambda: here.snapshot() == before


def engines(here: World) -> list[int]:
    return [pid for pid, title in here.processes() if title.startswith("ttun ")]


def test_up_killed_at_any_moment_leaves_what_down_takes_away(as_root: World) -> None:
    before = as_root.snapshot()
    began = time.monotonic()
    as_root.labctl("up", "two-site")
    took = time.monotonic() - began
    as_root.labctl("down", "two-site")
    chance = random.Random(2)
    for delay in (chance.uniform(0.2, 1.1) * took for _ in range(KILLS)):
        kill_after(start_up(as_root, "two-site"), delay)
        as_root.labctl("down", "two-site")
        eventually(is_as(as_root, before), f"nothing is left of an up that was killed after {delay:.3f} s")


def test_up_killed_at_any_moment_leaves_nothing_without_root(as_user: World) -> None:
    before = as_user.snapshot()
    began = time.monotonic()
    as_user.labctl("up", "two-site")
    took = time.monotonic() - began
    as_user.labctl("down", "two-site")
    chance = random.Random(2)
    for delay in (chance.uniform(0.2, 0.95) * took for _ in range(KILLS)):
        process = start_up(as_user, "two-site")
        kill_after(process, delay)
        if process.returncode == 0 or as_user.json("list"):  # what was told to stay is a whole lab
            as_user.labctl("down", "two-site")
        eventually(is_as(as_user, before), f"nothing is left of an up that was killed after {delay:.3f} s")


@pytest.mark.parametrize("moment", ["first namespace", "second namespace", "first engine"])
def test_up_after_an_up_that_was_killed(here: World, moment: str) -> None:
    come: Callable[[], Any] = {
        "first namespace": lambda: len(names(here)) >= 1,
        "second namespace": lambda: len(names(here)) >= 2,
        "first engine": lambda: engines(here),
    }[moment]
    file = here.file("tunnel.yaml", tunnel())
    process = start_up(here, file)
    eventually(lambda: come() or process.poll() is not None, moment)
    process.kill()
    process.wait()
    if not here.is_root and process.returncode:
        eventually(lambda: not here.processes(), "nothing is left of the environment")
    here.labctl("up", file)
    here.labctl("verify")
    here.labctl("down")


def test_plan_after_an_up_that_was_killed_tells_what_up_does(as_root: World) -> None:
    process = start_up(as_root, file := as_root.file("many.yaml", many_namespaces(LARGE)))
    eventually(lambda: len(names(as_root)) >= LARGE // 2, "many namespaces")
    process.kill()
    process.wait()
    planned = as_root.json("plan", file, code=1)["changes"]
    assert planned == as_root.json("up", file)["changes"]
    assert as_root.json("plan", file)["changes"] == []
    as_root.labctl("down")


@pytest.mark.parametrize("moment", ["first namespace", "many namespaces"])
def test_up_killed_amid_a_large_lab(here: World, moment: str) -> None:
    before = here.snapshot()
    process = start_up(here, here.file("many.yaml", many_namespaces(LARGE)))
    eventually(lambda: len(names(here)) >= (1 if moment == "first namespace" else LARGE // 2), moment)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    if here.is_root:
        assert here.json("list")[0]["complete"] is False
        here.labctl("down")
    eventually(is_as(here, before), "nothing is left")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_up_that_is_interrupted_takes_back_what_it_made(here: World, number: signal.Signals, code: int) -> None:
    before = here.snapshot()
    words = ("up", here.file("many.yaml", many_namespaces(LARGE)))
    process = here.start_forked(
        partial(fault.command, 1, "stop", words),
        ["labctl", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    eventually(lambda: "T" in [state_of(pid) for pid, _ in here.processes()], "it has stopped at its first namespace")
    assert len(names(here)) == 1
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does at Ctrl-C
    else:
        process.send_signal(number)
    os.killpg(process.pid, signal.SIGCONT)
    _, told = process.communicate(timeout=DEADLINE)
    assert (process.returncode, "Traceback" in told, len(told.splitlines()) <= 3) == (code, False, True), told
    eventually(is_as(here, before), "nothing is left")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_interrupted_while_engines_start(here: World, number: signal.Signals) -> None:
    before = here.snapshot()
    process = start_up(here, here.file("tunnel.yaml", tunnel()))
    eventually(lambda: engines(here) or process.poll() is not None, "the first engine is there")
    if process.poll() is None:
        os.killpg(process.pid, number)
    _, told = process.communicate(timeout=DEADLINE)
    # A lab that was made in the meantime stays: -N is a signal to an interpreter that has done its work and is ending.
    assert process.returncode in (0, 128 + number, -number) and "Traceback" not in told, told
    if process.returncode <= 0:
        assert here.json("list")[0]["complete"]
        here.labctl("down")
    eventually(is_as(here, before), "nothing is left")


def test_a_second_ctrl_c_does_not_break_the_taking_back(here: World) -> None:
    before = here.snapshot()
    process = start_up(here, here.file("many.yaml", many_namespaces(LARGE)))
    eventually(lambda: len(names(here)) > LARGE // 2, "half of the lab is there")
    os.killpg(process.pid, signal.SIGINT)
    most = len(names(here))
    eventually(lambda: len(names(here)) < most or process.poll() is not None, "it is being taken back")
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=DEADLINE)
    if here.json("list"):
        here.labctl("down")
    eventually(is_as(here, before), "nothing is left")


def test_a_killed_room_is_gone_and_can_be_made_again(as_user: World) -> None:
    file = as_user.file("tunnel.yaml", tunnel())
    as_user.labctl("up", file)
    (holder,) = as_user.processes_titled("labctl: rootless environment of tunnel")
    os.kill(holder, signal.SIGKILL)
    eventually(lambda: not as_user.processes(), "everything in the environment went with it")
    assert as_user.json("list") == []
    assert "no lab" in as_user.labctl("status", code=2).stderr
    as_user.labctl("up", file)
    as_user.labctl("verify")
    as_user.labctl("down")


def test_a_terminated_room_is_gone_too(as_user: World) -> None:
    as_user.labctl("up", as_user.file("tunnel.yaml", tunnel()))
    (holder,) = as_user.processes_titled("labctl: rootless environment of tunnel")
    os.kill(holder, signal.SIGTERM)
    eventually(lambda: not as_user.processes(), "everything in the environment went with it")


def test_a_killed_engine_is_told_and_started_again(here: World) -> None:
    file = here.file("tunnel.yaml", tunnel())
    here.labctl("up", file)
    (killed,) = [pid for pid, title in here.processes() if title.startswith("ttun tun0 ")]
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: killed not in engines(here), "the engine is gone")
    running = {engine["device"]: engine["running"] for engine in here.json("status")["engines"]}
    assert running == {"siteA:tun0": False, "siteB:tun1": True}
    assert "ended" in here.labctl("status").stdout
    changes = here.json("up", file)["changes"]
    assert [change["subject"] for change in changes] == ["siteA:tun0"]
    here.labctl("verify")
    here.labctl("down")


def test_down_of_a_lab_whose_engine_was_killed(here: World) -> None:
    here.labctl("up", here.file("tunnel.yaml", tunnel()))
    for pid in engines(here):
        os.kill(pid, signal.SIGKILL)
    here.labctl("down")


def test_down_killed_halfway_can_be_done_again(as_root: World) -> None:
    as_root.labctl("up", as_root.file("many.yaml", many_namespaces(LARGE)))
    process = as_root.start_labctl("down", stdout=subprocess.DEVNULL)
    eventually(lambda: len(names(as_root)) < LARGE, "down is at work")
    process.kill()
    process.wait()
    as_root.labctl("down", "many")


def test_a_ctrl_c_amidst_a_fork_is_heard() -> None:
    """Python runs hooks around a fork, and loses what is raised in them: there a Ctrl-C must wait."""
    script = """if True:
        import os, signal
        from labctl.process.signals import fork
        os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGINT))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            if fork() == 0:
                os._exit(0)
        except KeyboardInterrupt:
            print("heard")
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("heard\n", "")


LATE = """if True:
    import os, signal
    from labctl.rootless.context import context_for
    signal.signal(signal.SIGINT, signal.default_int_handler)
    begun, begin = os.pipe()
    command = os.getpid()

    def interrupted():
        if os.getpid() != command:
            os.read(begun, 1)
            os.kill(os.getpid(), signal.SIGINT)

    def work():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        os.write(begin, b"1")
        signal.sigwait([signal.SIGINT])
        return "heard at its work"

    os.register_at_fork(after_in_parent=interrupted)
    print(context_for("pair").start(work).result())
"""


def test_a_ctrl_c_does_not_end_the_process_between_a_command_and_its_environment(as_user: World) -> None:
    """On a busy machine that one may not have got on since it forked the other, which is long at its work."""
    as_user.labctl("up", as_user.file("pair.yaml", PAIR))
    assert as_user.run(sys.executable, "-c", LATE).stdout == "heard at its work\n"
    as_user.labctl("down")


RUNS = {
    "check": """
            from labctl.checks.running_program import running
            with running("a", ["sleep", "1000"]):
                print("not heard")
    """,
    "exec": """
            from labctl.lab.exec_lines import run
            from labctl.plan.recorded import Ran
            from labctl.plan.steps import RunLine
            run(RunLine("a", Ran("sleep 1000", 0, ""), 1000.0), "lab")
            print("not heard")
    """,
}


@pytest.mark.parametrize("runs", RUNS.values(), ids=RUNS)
def test_a_program_is_not_left_behind_by_a_signal_amidst_its_fork(runs: str) -> None:
    script = f"""if True:
        import os, signal
        from labctl.kernel import namespaces, view
        from labctl.process.signals import unwind
        namespaces.open_namespace = lambda name: os.open(os.devnull, os.O_RDONLY)
        view.enter = lambda namespace, name: ()
        os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGTERM))
        signal.signal(signal.SIGTERM, unwind)
        try:
            {runs.strip()}
        except SystemExit:
            print("heard")
        try:
            os.wait()
        except ChildProcessError:
            print("none left")
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("heard\nnone left\n", "")


def test_a_command_that_ends_labctl_does_not_end_the_lab_in_its_words(as_user: World) -> None:
    as_user.labctl("up", as_user.file("pair.yaml", PAIR))
    said = as_user.labctl("exec", "left", "--", "sh", "-c", "kill -KILL $PPID", code=1).stderr.splitlines()
    assert said[:2] == ["labctl was ended at its work in lab pair", "  its process there was ended by SIGKILL"]
    as_user.labctl("down")


PROGRAMS = PAIR.replace(
    "  right:\n",
    "    programs:\n"
    "      - {name: late, command: sleep 1000, after: [soon]}\n"
    "      - {name: soon, command: \"sh -c 'sleep 1001 & sleep 1002'\", ready: {command: sleep 0.2}}\n"
    "  right:\n",
)


def test_up_killed_while_programs_start_leaves_what_down_takes_away(here: World) -> None:
    before = here.snapshot()
    file = here.file("pair.yaml", PROGRAMS)
    began = time.monotonic()
    here.labctl("up", file)
    took = time.monotonic() - began
    here.labctl("down")
    chance = random.Random(3)
    for delay in (chance.uniform(0.3, 1.0) * took for _ in range(KILLS // 2)):
        kill_after(start_up(here, file), delay)
        if here.is_root or here.json("list"):
            here.labctl("down", "pair")
        eventually(is_as(here, before), f"nothing is left of an up that was killed after {delay:.3f} s")


def test_a_restart_killed_while_a_program_starts(here: World) -> None:
    file = here.file("pair.yaml", PROGRAMS)
    here.labctl("up", file)
    (old,) = [pid for pid, title in here.processes() if title.startswith("sleep 1000")]
    process = here.start_labctl("restart", "left:soon", stdout=subprocess.DEVNULL, start_new_session=True)
    eventually(lambda: here.processes_titled("sleep 0.2"), "it is waited for")
    process.kill()
    process.wait()
    here.labctl("up", file)
    assert here.json("status")["drift"] == []
    assert [pid for pid, title in here.processes() if title.startswith("sleep 1000")] == [old]
    here.labctl("down")
    assert here.processes() == []
