"""Programs of one's own as engines: where they run, how they are followed, what is said where they fail."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from tests.e2e.forwarder import COMMAND, IN_THE_BACKGROUND, forwarder
from tests.e2e.labs import tunnel
from tests.e2e.world import DEADLINE, World, eventually


def lab(here: World, command: str, folder: str = ".") -> str:
    """The file of a tunnel whose end siteA is a program."""
    ends = '{device: "siteA:tun0", bind: "192.0.2.1:9000", peer: "192.0.2.2:9000", '
    (here.home / folder).mkdir(exist_ok=True)
    return here.file(f"{folder}/lab.yaml", tunnel(ttun_a=f"{ends} engine: {{command: '{command}'}}}},", ttun_b=OTHER))


OTHER = '{device: "siteB:tun1", bind: "192.0.2.2:9000", peer: "192.0.2.1:9000"}'


def program(here: World, text: str, name: str = "my_ttun.py") -> Path:
    path = Path(here.file(name, text))
    path.chmod(0o755)
    return path


def of_program(here: World) -> dict[str, object]:
    engines = {engine["device"]: engine for engine in here.json("status")["engines"]}
    return dict(engines["siteA:tun0"])


def test_a_program_is_beside_its_file_wherever_labctl_is_called_from(here: World) -> None:
    file = lab(here, f"./my_ttun.py {COMMAND}", "mine")
    path = program(here, forwarder(), "mine/my_ttun.py")
    here.labctl("up", file, cwd="/")
    assert here.json("verify")["passed"] and of_program(here)["running"]
    assert here.json("up", "lab.yaml", cwd=here.home / "mine")["changes"] == []

    os.utime(path)
    assert here.json("status")["drift"] == here.json("plan", file)["changes"] == []

    path.write_text(forwarder("print('edited')"))
    edited = "its program ./my_ttun.py was edited since it was started"
    planned = here.json("plan", "mine/lab.yaml", code=1)["changes"]
    assert [(change["action"], change["subject"], change["reason"]) for change in planned] == [
        ("remove", "siteA:tun0", edited), ("make", "siteA:tun0", edited)
    ]  # fmt: skip
    assert here.json("status")["drift"] == planned == here.json("up", file, cwd="/tmp")["changes"]
    assert "edited" in here.labctl("logs", "siteA:tun0").stdout
    assert here.json("status")["drift"] == [] and here.json("verify")["passed"]
    here.labctl("down")


def test_a_script_behind_an_interpreter_is_beside_its_file_too(as_user: World) -> None:
    path = program(as_user, forwarder())
    file = lab(as_user, f"python3 -S my_ttun.py {COMMAND}")
    as_user.labctl("up", file, "--name", "other", cwd="/")
    path.write_text(forwarder("# another"))
    (_, start) = as_user.json("plan", file, "--name", "other", code=1)["changes"]
    assert start["reason"] == "its program my_ttun.py was edited since it was started"
    as_user.labctl("down")


def test_a_forwarder_in_the_background_is_followed_and_ended_with_its_helpers(here: World) -> None:
    program(here, forwarder(IN_THE_BACKGROUND))
    file = lab(here, f"./my_ttun.py {COMMAND}")
    here.labctl("up", file)
    assert here.json("verify")["passed"] and of_program(here)["running"]
    assert "went into the background as process" in here.labctl("logs", "siteA:tun0").stdout
    assert here.json("status")["drift"] == here.json("up", file)["changes"] == []
    before = set(here.processes_titled("-SE ./my_ttun.py"))

    here.labctl("restart", "siteA:tun0")
    after = set(here.processes_titled("-SE ./my_ttun.py"))
    assert len(after) == len(before) == 2 and not after & before
    assert here.json("verify")["passed"]

    holds = min(after)  # the helper was forked after it
    os.kill(holds, signal.SIGKILL)
    eventually(lambda: len(here.json("status")["drift"]) == 2, "the helper alone serves nothing")
    _, start = here.json("up", file)["changes"]
    assert (start["subject"], start["reason"]) == ("siteA:tun0", "has tun0 open no more")
    assert len(here.processes_titled("-SE ./my_ttun.py")) == 2 and here.json("verify")["passed"]
    here.labctl("down")
    assert here.processes() == []


def test_a_program_ends_with_the_process_that_stays_with_it(here: World) -> None:
    program(here, forwarder())
    file = lab(here, f"./my_ttun.py {COMMAND}")
    here.labctl("up", file)
    (keeper,) = here.processes_titled("labctl: runs ./my_ttun.py")
    os.kill(keeper, signal.SIGKILL)
    eventually(lambda: not here.processes_titled("-SE ./my_ttun.py"), "the program is gone")
    (change,) = here.json("up", file)["changes"]
    assert (change["subject"], change["reason"]) == ("siteA:tun0", "is not running")

    (pid,) = here.processes_titled("-SE ./my_ttun.py")
    os.kill(pid, signal.SIGSTOP)
    assert here.json("status")["drift"][1]["reason"] == "is stopped"
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGCONT)
    eventually(lambda: not of_program(here)["running"], "it is seen that the program has ended")
    assert "labctl: ended by SIGTERM" in here.labctl("logs", "siteA:tun0").stdout
    here.labctl("down")


def test_a_device_that_is_open_already_is_told_with_who_has_it(as_user: World) -> None:
    program(as_user, forwarder())
    file = lab(as_user, f"./my_ttun.py {COMMAND}")
    as_user.labctl("up", file)
    for pid in as_user.processes_titled("-SE ./my_ttun.py"):
        os.kill(pid, signal.SIGTERM)
    eventually(lambda: not of_program(as_user)["running"], "the engine has ended")
    ends = ["tun0", "192.0.2.1", "9000", "192.0.2.2", "9000"]
    by_hand = as_user.start_labctl("exec", "siteA", "--", str(as_user.home / "my_ttun.py"), *ends)
    eventually(lambda: links(as_user)["tun0"]["carrier"], "it has opened the device")
    what, why, hint = as_user.labctl("up", file, code=2).stderr.splitlines()[-3:]
    assert what == "the engine of siteA:tun0 cannot be started: tun0 is open already"
    assert "(my_ttun.py) has it open" in why
    as_user.labctl(*hint.split()[2:])
    by_hand.wait()
    as_user.labctl("up", file)
    assert as_user.json("verify")["passed"]
    as_user.labctl("down")


def links(here: World) -> dict[str, dict[str, object]]:
    return dict(here.json("status")["namespaces"]["siteA"]["interfaces"])


def test_a_restart_that_is_interrupted_leaves_every_engine_running(here: World) -> None:
    path = program(here, forwarder())
    here.labctl("up", lab(here, f"./my_ttun.py {COMMAND}"))
    path.write_text(forwarder("if not os.path.exists('go'):\n    open('waits', 'w')\n    signal.pause()"))
    process = here.start_labctl("restart", start_new_session=True, stderr=subprocess.PIPE)
    eventually((here.home / "waits").exists, "the program has been started, and is not ready")
    (here.home / "go").touch()
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130 and "Traceback" not in told
    assert all(engine["running"] for engine in here.json("status")["engines"])
    here.labctl("restart", "siteA:tun0")
    assert here.json("verify")["passed"]
    here.labctl("down")


def test_a_program_that_ends_is_quoted_as_it_wrote(here: World) -> None:
    program(here, forwarder("def open_it():\n    raise OSError('no luck')\n\nopen_it()"))
    done = here.labctl_quoting("up", lab(here, f"./my_ttun.py {COMMAND}"), code=2)
    what, command, first, *told, ended, hint = done.stderr.splitlines()[-11:]
    assert what == "the engine of siteA:tun0 ended before it was ready"
    assert command == "  ./my_ttun.py tun0 192.0.2.1 9000 192.0.2.2 9000 said:"
    assert first == "    Traceback (most recent call last):"
    assert told[-2:] == ["        raise OSError('no luck')", "    OSError: no luck"]
    assert ended == "    labctl: ended with exit code 1" and hint.startswith("  → ")


def test_what_cannot_be_executed_is_told_with_what_helps(here: World) -> None:
    path = program(here, forwarder())
    path.chmod(0o644)
    file = lab(here, f"./my_ttun.py {COMMAND}")
    what, why, hint = here.labctl("up", file, code=2).stderr.splitlines()[-3:]
    assert what.startswith("the engine of siteA:tun0 cannot be started: ./my_ttun.py tun0 192.0.2.1 9000")
    assert (why, hint) == (f"  {path} is not executable", f"  → chmod +x {path}")


def test_a_program_that_is_not_ready_in_time_is_told_what_it_lacks_and_ended(as_user: World) -> None:
    program(as_user, forwarder("print('waits', flush=True)\nsignal.pause()"))
    file = lab(as_user, f"./my_ttun.py {COMMAND}")
    what, _, said, _ = as_user.labctl("up", file, code=2).stderr.splitlines()[-4:]
    assert what.endswith("is not ready after 5 s: it has not opened tun0 and not bound UDP port 9000")
    assert said == "    waits"


def test_an_edit_that_fails_is_told_once_and_the_rest_of_the_lab_stays(as_root: World) -> None:
    path = program(as_root, forwarder())
    file = lab(as_root, f"./my_ttun.py {COMMAND}")
    as_root.labctl("up", file)
    before = {engine["device"]: engine["pid"] for engine in as_root.json("status")["engines"]}
    path.write_text(forwarder("sys.exit('not yet')"))
    said = as_root.labctl("up", file, code=2).stderr
    assert "    not yet" in said.splitlines()
    engines = {engine["device"]: engine for engine in as_root.json("status")["engines"]}
    assert not engines["siteA:tun0"]["running"] and engines["siteB:tun1"]["pid"] == before["siteB:tun1"]
    path.write_text(forwarder())
    as_root.labctl("restart", "siteA:tun0")
    assert as_root.json("verify")["passed"] and as_root.json("status")["drift"] == []
    as_root.labctl("down")


def test_restart_starts_anew_what_is_named_or_all(here: World) -> None:
    program(here, forwarder("if not os.path.exists('wait'): print('ready to go', flush=True)"))
    here.labctl("up", lab(here, f"./my_ttun.py {COMMAND}"))
    first = {engine["device"]: engine["pid"] for engine in here.json("status")["engines"]}
    (again,) = here.json("restart", "siteB:tun1")["engines"]
    assert again["running"] and again["device"] == "siteB:tun1" and again["pid"] != first["siteB:tun1"]
    assert of_program(here)["pid"] == first["siteA:tun0"]
    both = {engine["device"]: engine["pid"] for engine in here.json("restart", "-l", "tunnel")["engines"]}
    assert both.keys() == first.keys() and not set(both.values()) & {*first.values(), again["pid"]}
    assert here.json("verify")["passed"] and here.json("status")["drift"] == []
    said = here.labctl("restart", "siteA:tun2", code=2).stderr
    assert "did you mean 'site" in said and "it has: siteA:tun0, siteB:tun1" in said
    assert "–" in here.labctl("status").stdout  # noqa: RUF001
    here.labctl("down")
    here.labctl("restart", code=2)


def test_a_device_of_another_user_is_served_by_ones_own_without_root(as_user: World) -> None:
    program(as_user, forwarder())
    file = lab(as_user, f"./my_ttun.py {COMMAND}")
    owned = as_user.file("owned.yaml", Path(file).read_text().replace("{kind: tun,", "{kind: tun, owner: nobody,", 1))
    as_user.labctl("up", owned)
    assert [one["wanted"] for one in as_user.json("status")["substitutions"]] == ["owner nobody"]
    assert as_user.json("verify")["passed"]
    as_user.labctl("down")
