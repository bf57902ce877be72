"""What a program sees in a namespace: the /sys of the namespace, and in /etc what /etc/netns has for it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labctl.process.syscalls import MS_BIND, MS_REC, MS_SHARED, mount, unmount
from tests.e2e.labs import PAIR, tunnel
from tests.e2e.terminal import terminal
from tests.e2e.test_engines import SOCAT
from tests.e2e.world import World

LOOK = "ls /sys/class/net | xargs echo sys:"


@pytest.fixture
def pair(here: World) -> Iterator[World]:
    here.labctl("up", here.file("pair.yaml", PAIR))
    yield here
    here.labctl("down", "pair")


@contextmanager
def etc(here: World, files: dict[str, str]) -> Iterator[None]:
    """An /etc of this world alone, with some files more."""
    copy = here.home / "etc"
    shutil.copytree("/etc", copy, symlinks=True, ignore=lambda folder, names: _closed(Path(folder), names))
    for name, text in files.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text(text)
    here.inside(lambda: mount(str(copy), "/etc", flags=MS_BIND))
    try:
        yield
    finally:
        here.inside(lambda: unmount("/etc"))


def _closed(folder: Path, names: list[str]) -> list[str]:
    """Those that this user cannot read, and what others change meanwhile."""
    return [name for name in names if not os.access(folder / name, os.R_OK, follow_symlinks=False)]


def test_exec_shell_and_the_tools_of_the_system_show_the_interfaces_of_the_namespace_in_sys(pair: World) -> None:
    assert pair.labctl("exec", "left", "--", "sh", "-c", LOOK).stdout == "sys: eth0 lo\n"
    assert pair.labctl("exec", "left", "--", "cat", "/sys/class/net/lo/mtu").stdout == "65536\n"
    with terminal(pair, *pair.command("shell", "left"), env={"SHELL": "/bin/sh", "TERM": "dumb"}) as screen:
        screen.expect("[left]")
        screen.type(f"{LOOK}\n")
        screen.expect("sys: eth0 lo")
        screen.type("exit\n")
        screen.end()
    real, fake = shutil.which("ping"), Path(pair.file("ping", ""))
    fake.write_text(f'#!/bin/sh\n{LOOK} > {pair.home}/seen\nexec {real} "$@"\n')
    fake.chmod(0o755)
    pair.labctl("verify", "--system-tools", env={"PATH": f"{pair.home}:{os.environ['PATH']}"})
    assert (pair.home / "seen").read_text() == "sys: eth0 lo\n"


def test_all_else_is_as_outside(pair: World) -> None:
    """What is mounted below /sys stays there, and a namespace that a program names is named outside, too."""
    look = ["find", "/sys", "-xdev", "-mindepth", "1", "-type", "d", "-not", "-fstype", "sysfs"]
    outside = pair.run(*look, code=None).stdout
    inside = pair.labctl("exec", "left", "--", *look, code=None).stdout
    assert sorted(inside.split()) == sorted(outside.split())
    pair.labctl("exec", "left", "--", "ip", "netns", "add", "made-inside")
    assert "lo" in pair.labctl("exec", "right", "--", "ip", "-n", "made-inside", "link").stdout
    pair.labctl("exec", "left", "--", "ip", "netns", "del", "made-inside")


def test_a_program_may_give_up_its_groups_as_every_daemon_does(pair: World) -> None:
    """Where the kernel denies that, there are no other groups to give up; another user is still out of reach."""
    give_up = "import os; os.setgroups([0]); os.setgid(0)"
    assert pair.labctl("exec", "left", "--", "python3", "-c", give_up).stderr == ""
    other = "import os, sys\ntry: os.setuid(12345)\nexcept OSError as error: sys.exit(error.strerror)"
    refused = pair.labctl("exec", "left", "--", "python3", "-c", other, code=None).stderr
    assert refused == ("" if pair.is_root else "Invalid argument\n")


def test_a_program_that_forwards_sees_it_too(here: World) -> None:
    program = Path(here.file("forwarder", f'#!/bin/sh\n{LOOK}\nexec "$@"\n'))
    program.chmod(0o755)
    theirs = (
        '{device: "siteA:tun0", bind: "192.0.2.1:9000", peer: "192.0.2.2:9000", '
        f'engine: {{command: "{program} {SOCAT}"}}}},'
    )
    here.labctl("up", here.file("tunnel.yaml", tunnel(ttun_a=theirs)))
    assert "sys: lo tun0 wan0" in here.labctl("logs", "siteA:tun0").stdout
    here.labctl("down")


def test_files_of_etc_netns_stand_in_the_place_of_their_namesakes(here: World) -> None:
    with etc(here, {"netns/left/hosts": "192.0.2.2 neighbour\n", "netns/left/no-such-file": ""}):
        here.labctl("up", here.file("pair.yaml", PAIR))
        done = here.labctl("exec", "left", "--", "getent", "hosts", "neighbour")
        assert done.stdout.split() == ["192.0.2.2", "neighbour"]
        assert done.stderr == (
            "labctl: /etc/netns/left/no-such-file is not seen as /etc/no-such-file: "
            "No such file or directory (ENOENT)\n"
        )
        assert here.labctl("exec", "right", "--", "getent", "hosts", "neighbour", code=2).stderr == ""
        here.labctl("down")


def test_nothing_that_is_seen_inside_is_seen_outside(as_root: World) -> None:
    """Also where the machine shares its mounts, as systemd has it."""
    as_root.inside(lambda: mount("", "/", flags=MS_SHARED | MS_REC))
    as_root.labctl("up", as_root.file("pair.yaml", PAIR))
    with etc(as_root, {"netns/left/hosts": "192.0.2.2 neighbour\n"}):
        command = as_root.command("exec", "left", "--", "sh", "-c", "echo ready; exec cat")
        process = as_root.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout and process.stdout.readline() == "ready\n"
        assert as_root.run("sh", "-c", LOOK).stdout != "sys: eth0 lo\n"
        assert as_root.run("getent", "hosts", "neighbour", code=2).stdout == ""
        process.communicate()
    as_root.labctl("down")


def test_a_machine_that_hides_part_of_its_sys_is_shown_as_it_is_and_told_of(as_user: World) -> None:
    """As a container does it (fs/namespace.c: mount_too_revealing): the kernel refuses the sysfs."""
    hidden = "/sys/kernel"
    as_user.inside(lambda: mount("tmpfs", hidden, "tmpfs"))
    try:
        as_user.labctl("up", as_user.file("pair.yaml", PAIR))
        assert as_user.labctl("exec", "left", "--", "sh", "-c", LOOK).stdout == as_user.run("sh", "-c", LOOK).stdout
        as_user.labctl("down")
        (found,) = (one for one in as_user.json("doctor")["findings"] if one["name"] == "sysfs")
        assert (found["verdict"], found["found"]) == ("note", "Operation not permitted (EPERM)")
    finally:
        as_user.inside(lambda: unmount(hidden))
