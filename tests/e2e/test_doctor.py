"""What this machine can do, and what is said where it cannot."""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import platform
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labctl.process.syscalls import MS_BIND, mount, unmount
from labctl.rootless.userns_diagnosis import Readings, why_refused
from tests.e2e.labs import PAIR, tunnel
from tests.e2e.world import SUITE_IS_ROOT, World


def test_doctor_finds_this_machine_able(here: World) -> None:
    found = here.json("doctor")
    assert found["able"] is True
    by_name = {finding["name"]: finding for finding in found["findings"]}
    assert all(by_name[name]["verdict"] == "ok" for name in ("veth", "bridge", "tun", "namespace"))
    assert by_name["engine"]["found"].startswith("its core is in ")
    assert all(finding["helps"] for finding in found["findings"] if finding["verdict"] == "missing")
    assert ("rootless environment" in by_name) is not here.is_root
    assert "this machine can run labs" in here.labctl("doctor").stdout


# Every reading that stands in the way, and a word of what helps; the most certain one first.
OBSTACLES = {
    "user_namespaces": (False, "no user namespaces"),
    "limit": (0, "max_user_namespaces"),
    "unprivileged_clone": (0, "unprivileged_userns_clone"),
    "apparmor": (1, "AppArmor"),
    "seccomp": (2, "container"),
    "chroot": (True, "chroot"),
}


@pytest.mark.parametrize("present", list(itertools.product([False, True], repeat=len(OBSTACLES))))
def test_the_most_certain_obstacle_is_what_help_is_given_for(present: tuple[bool, ...]) -> None:
    there = dict(zip(OBSTACLES, present, strict=True))
    readings = Readings(**{name: OBSTACLES[name][0] for name, is_there in there.items() if is_there})  # type: ignore[arg-type]
    word = next((word for name, (_, word) in OBSTACLES.items() if there[name]), "labctl doctor")
    assert word in why_refused(errno.EPERM, readings)


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (errno.EINVAL, "no user namespaces"),
        (errno.ENOSPC, "max_user_namespaces"),
        (errno.EUSERS, "max_user_namespaces"),
    ],
)
def test_an_errno_alone_can_tell_the_obstacle(number: int, word: str) -> None:
    assert word in why_refused(number, Readings())


@pytest.mark.parametrize(
    "readings", [Readings(limit=1000), Readings(unprivileged_clone=1), Readings(apparmor=0), Readings(seccomp=0)]
)
def test_a_setting_that_allows_is_no_obstacle(readings: Readings) -> None:
    assert why_refused(errno.EPERM, readings) == why_refused(errno.EPERM, Readings())


@contextmanager
def without_tun(here: World, readable: bool) -> Iterator[None]:
    """A file that is no device in the place of /dev/net/tun, and not one for everybody unless `readable`."""
    if readable or SUITE_IS_ROOT:
        decoy = Path(here.file("tun", ""))
        decoy.chmod(0o666 if readable else 0o600)
    else:
        decoy = Path("/etc/shadow")  # an ordinary user can make no file that is closed to that user
    if SUITE_IS_ROOT:
        os.chown(decoy, 0, 0)
    here.inside(lambda: mount(str(decoy), "/dev/net/tun", flags=MS_BIND))
    try:
        yield
    finally:
        here.inside(lambda: unmount("/dev/net/tun"))


def test_without_the_right_to_tun_a_lab_with_one_is_refused_with_what_helps(as_user: World) -> None:
    with without_tun(as_user, readable=False):
        said = as_user.labctl("up", as_user.file("tunnel.yaml", tunnel()), code=3).stderr
        assert "/dev/net/tun" in said and "chmod 0666" in said and len(said.splitlines()) <= 3
        assert as_user.json("list") == []


def test_without_tun_a_lab_without_one_works(as_user: World) -> None:
    with without_tun(as_user, readable=False):
        as_user.labctl("up", as_user.file("pair.yaml", PAIR))
        as_user.labctl("verify")
        as_user.labctl("down")


def test_without_tun_doctor_says_so_and_that_other_labs_work(as_user: World) -> None:
    with without_tun(as_user, readable=False):
        found = as_user.json("doctor", code=3)
        assert (found["able"], found["labs"]) == (False, "without_tun")
        assert "this machine can run labs" not in as_user.labctl("doctor", code=3).stdout
        (tun,) = [finding for finding in found["findings"] if finding["name"] == "tun"]
        assert tun["verdict"] == "missing"
        assert "chmod 0666" in tun["helps"] and "labs without a TUN work" in tun["helps"]


def test_something_else_in_the_place_of_tun_is_told(here: World) -> None:
    with without_tun(here, readable=True):
        said = here.labctl("up", here.file("tunnel.yaml", tunnel()), code=None)
        assert said.returncode in (3, 4) and len(said.stderr.splitlines()) <= 3, said.stderr
        assert here.json("list") == []


# seccomp(2): a filter of classic BPF that lets everything through but unshare(2), as containers do.
UNSHARE = {"x86_64": 272, "aarch64": 97, "riscv64": 97}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000


def forbid_unshare() -> None:
    number = UNSHARE[platform.machine()]
    program = b"".join(
        struct.pack("=HBBI", *instruction)
        for instruction in (
            (LOAD, 0, 0, 0),  # the number of the system call is the first word of struct seccomp_data
            (JUMP_IF_EQUAL, 0, 1, number),
            (RETURN, 0, 0, ERRNO | errno.EPERM),
            (RETURN, 0, 0, ALLOW),
        )
    )
    instructions = ctypes.create_string_buffer(program, len(program))
    head = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, head, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


@pytest.fixture
def container(as_user: World) -> World:
    if platform.machine() not in UNSHARE:
        pytest.skip(f"the number of unshare(2) on {platform.machine()} is not known to this test")
    return as_user


def test_a_container_that_forbids_namespaces_is_told_with_what_helps(container: World) -> None:
    said = container.labctl("up", "two-site", code=3, before=forbid_unshare).stderr
    assert "Operation not permitted" in said and "container" in said and "--privileged" in said
    assert len(said.splitlines()) <= 3


def test_doctor_says_that_a_container_forbids_namespaces(container: World) -> None:
    said = container.labctl("doctor", code=3, before=forbid_unshare).stdout
    assert "this machine cannot run labs" in said and "--privileged" in said


def test_what_needs_no_namespace_works_in_such_a_container(container: World) -> None:
    container.labctl("validate", "two-site", before=forbid_unshare)
    container.labctl("list", before=forbid_unshare)
    container.labctl("down", before=forbid_unshare)
