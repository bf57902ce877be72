"""`down` needs no file, ends what runs in the lab, and nothing else."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labctl.lab.events import Removed
from labctl.process.processes import GRACE
from labctl.process.syscalls import MS_BIND, mount
from labctl.report import ended
from tests.e2e.labs import PAIR
from tests.e2e.world import World, eventually

MS_RDONLY, MS_REMOUNT = 1, 32  # sys/mount.h


def sleepers(here: World) -> list[int]:
    return [pid for pid, title in here.processes() if title.startswith("sleep ")]


def test_down_with_the_file_gone(here: World) -> None:
    file = Path(here.file("pair.yaml", PAIR))
    here.labctl("up", str(file))
    file.unlink()
    here.labctl("down")


def test_down_with_the_file_broken(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    here.file("pair.yaml", "][")
    here.labctl("down")


def test_down_of_a_lab_that_never_was(here: World) -> None:
    assert "nothing to do" in here.labctl("down", "no-such-lab").stdout
    assert "nothing to do" in here.labctl("down").stdout
    assert "nothing to do" in here.labctl("down", "--all").stdout


def test_a_program_left_running_in_a_namespace_ends_with_the_lab(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    guest = here.start_labctl("exec", "left", "--", "sleep", "1000", stderr=subprocess.DEVNULL)
    eventually(lambda: sleepers(here), "the guest runs")
    here.labctl("down")
    guest.wait()
    assert not sleepers(here)


def test_what_ctrl_z_has_stopped_is_not_in_the_way_of_the_end(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    of_the_lab = {pid for pid, _ in here.processes()}
    typed = here.command("exec", "left", "--", "sleep", "1000")
    guest = here.start(typed, stderr=subprocess.DEVNULL, process_group=0)
    eventually(lambda: sleepers(here), "the guest runs")
    os.killpg(guest.pid, signal.SIGTSTP)
    assert os.WIFSTOPPED(os.waitpid(guest.pid, os.WUNTRACED)[1])
    here.labctl("down")
    assert not sleepers(here) and not of_the_lab.intersection(pid for pid, _ in here.processes())
    os.killpg(guest.pid, signal.SIGCONT)
    guest.wait()


LOOKER = """
import time
from labctl.errors import LabError
from labctl.kernel.namespaces import inside
print("ready", flush=True)
try:
    while True:  # two thirds of the time it is there
        with inside("left"):
            time.sleep(0.02)
        time.sleep(0.01)
except LabError:
    print("the lab is gone")
"""
STAYER = """
import os, time
home = os.open("/proc/self/ns/net", os.O_RDONLY)
from labctl.kernel.namespaces import inside
with inside("left"):
    print("ready", flush=True)
    time.sleep(1000)
"""


def test_who_only_looks_at_a_lab_goes_on(as_root: World) -> None:
    as_root.labctl("up", as_root.file("pair.yaml", PAIR))
    with as_root.start([sys.executable, "-c", LOOKER], stdout=subprocess.PIPE) as looker:
        assert looker.stdout is not None and looker.stdout.readline() == "ready\n"
        assert "process" not in as_root.labctl("down").stdout
        assert looker.stdout.read() == "the lab is gone\n"
    assert looker.returncode == 0


def test_who_could_go_back_and_stays_ends_with_the_lab(as_root: World) -> None:
    as_root.labctl("up", as_root.file("pair.yaml", PAIR))
    with as_root.start([sys.executable, "-c", STAYER], stdout=subprocess.PIPE) as stayer:
        assert stayer.stdout is not None and stayer.stdout.readline() == "ready\n"
        assert "process" in as_root.labctl("down").stdout


def test_a_daemon_left_in_a_namespace_ends_with_the_lab(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    here.labctl("exec", "left", "--", "sh", "-c", "setsid sleep 1000 </dev/null >/dev/null 2>&1 &")
    eventually(lambda: sleepers(here), "the daemon runs")
    here.labctl("down")
    assert not sleepers(here)


def test_a_daemon_that_ignores_sigterm_ends_with_the_lab(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    here.labctl("exec", "left", "--", "sh", "-c", "trap '' TERM; setsid sleep 1000 </dev/null >/dev/null 2>&1 &")
    eventually(lambda: sleepers(here), "the daemon runs")
    here.labctl("down")
    assert not sleepers(here)


def test_a_daemon_that_starts_another_when_it_is_asked_to_end(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    parting = "trap 'setsid sleep 1000 </dev/null >/dev/null 2>&1 & exit' TERM; sleep 1001 & wait"
    here.labctl("exec", "left", "--", "sh", "-c", f"setsid sh -c {shlex.quote(parting)} </dev/null >/dev/null 2>&1 &")
    eventually(lambda: sleepers(here), "the daemon runs")
    here.labctl("down")
    assert not sleepers(here)


def test_a_daemon_in_a_namespace_whose_name_was_taken_away(as_root: World) -> None:
    as_root.labctl("up", as_root.file("pair.yaml", PAIR))
    as_root.labctl("exec", "left", "--", "sh", "-c", "setsid sleep 1000 </dev/null >/dev/null 2>&1 &")
    eventually(lambda: sleepers(as_root), "the daemon runs")
    as_root.run("ip", "netns", "del", "left")
    as_root.labctl("down")
    assert not sleepers(as_root)


def test_all_that_ignore_sigterm_are_waited_for_at_once(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    many = "trap '' TERM; for each in 1 2 3 4 5 6 7 8; do setsid sleep 1000 </dev/null >/dev/null 2>&1 & done"
    here.labctl("exec", "left", "--", "sh", "-c", many)
    eventually(lambda: len(sleepers(here)) == 8, "the daemons run")
    began = time.monotonic()
    here.labctl("down")
    assert time.monotonic() - began < 4 * GRACE
    assert not sleepers(here)


def test_a_process_elsewhere_is_left_alone(here: World) -> None:
    stranger = here.start(["sleep", "1000"])
    here.labctl("up", here.file("pair.yaml", PAIR))
    here.labctl("down")
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_down_says_what_it_removed(as_root: World) -> None:
    as_root.labctl("up", as_root.file("pair.yaml", PAIR))
    said = as_root.labctl("down").stdout
    assert "left" in said and "right" in said


def test_down_inside_of_its_environment_is_refused_in_words(as_user: World) -> None:
    as_user.labctl("up", as_user.file("pair.yaml", PAIR))
    for words in (["down"], ["down", "pair"], ["down", "--all"]):
        said = as_user.labctl("exec", "left", "--", *as_user.command(*words), code=2).stderr
        assert "inside of lab pair" in said and len(said.splitlines()) <= 3
    assert as_user.json("verify")["passed"]
    as_user.labctl("down")


def test_down_inside_of_a_lab_of_root_is_as_outside(as_root: World) -> None:
    as_root.labctl("up", as_root.file("pair.yaml", PAIR))
    assert "pair is down" in as_root.labctl("exec", "left", "--", *as_root.command("down")).stdout
    assert as_root.json("list") == []


STOPPED = """if True:
    import os, signal
    from labctl import cli
    from labctl.rootless.context import RootlessContext
    really = RootlessContext._close
    def close(self):
        os.kill(os.getpid(), signal.SIGSTOP)
        really(self)
    RootlessContext._close = close
    cli.main()
"""


def test_no_lab_is_made_in_an_environment_that_is_about_to_end(as_user: World) -> None:
    file = as_user.file("pair.yaml", PAIR)
    as_user.labctl("up", file)
    down = as_user.start([sys.executable, "-c", STOPPED, "down"], stdout=subprocess.DEVNULL)
    assert os.WIFSTOPPED(os.waitpid(down.pid, os.WUNTRACED)[1])
    said = as_user.labctl("up", file, code=2).stderr
    assert "another labctl is at work" in said and "it is process " in said
    os.kill(down.pid, signal.SIGCONT)
    assert down.wait() == 0
    assert as_user.json("list") == []


@pytest.mark.parametrize(("place", "flags"), [("/run", 0), ("/run/netns", MS_BIND)], ids=["all", "names"])
def test_what_cannot_be_removed_is_told_with_what_helps(as_root: World, place: str, flags: int) -> None:
    as_root.labctl("up", as_root.file("pair.yaml", PAIR))
    as_root.inside(lambda: mount("", place, flags=MS_REMOUNT | MS_RDONLY | flags))
    said = as_root.labctl("down", code=3).stderr
    assert "Read-only file system (EROFS)" in said and "remount,rw" in said and len(said.splitlines()) <= 3
    as_root.inside(lambda: mount("", place, flags=MS_REMOUNT | flags))
    as_root.labctl("down")


def test_an_empty_directory_on_a_read_only_disk_is_no_lab(as_root: World) -> None:
    """A power cut may leave one on a machine whose /run is on a disk."""
    as_root.inside(lambda: Path("/run/labctl").mkdir(mode=0o700))
    as_root.inside(lambda: mount("", "/run", flags=MS_REMOUNT | MS_RDONLY))
    assert "nothing to do" in as_root.labctl("down").stdout
    said = as_root.labctl("up", as_root.file("pair.yaml", PAIR), code=3).stderr
    assert "Read-only file system (EROFS)" in said and "remount,rw" in said and len(said.splitlines()) <= 3
    as_root.inside(lambda: mount("", "/run", flags=MS_REMOUNT))
    as_root.labctl("down")


def test_what_is_gone_is_named_or_where_it_is_much_counted(capsys: pytest.CaptureFixture[str]) -> None:
    few = [Removed("engine", "a:tun0"), Removed("namespace", "a")]
    many = [
        *(Removed("engine", f"s{n}:tun0") for n in range(20)),
        Removed("process", "7"),
        *[Removed("namespace", "a")] * 2,
    ]
    for removed in (few, many, []):
        ended.show(removed, "lab")
    assert capsys.readouterr().out.splitlines() == [
        "lab is down: engine a:tun0, namespace a",
        "lab is down: 20 engines, 1 process, 2 namespaces",
        "lab is down: nothing was left of it",
    ]
