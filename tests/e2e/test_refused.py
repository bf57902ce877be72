"""What cannot be made: the kernel refuses, a name is taken, another labctl is at work."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
from pathlib import Path

import pytest

from labctl.errors import KernelRefused
from labctl.kernel.namespaces import DIRECTORY
from labctl.kernel.perform import Performer
from labctl.plan.steps import DeleteLink, SetUp, Step
from labctl.process.syscalls import unmount
from tests.e2e.labs import PAIR, many_engines, many_namespaces, tunnel
from tests.e2e.world import World, eventually, names

FIRST = """\
name: refused
namespaces:
  first: {interfaces: {d0: {kind: bridge, addresses: [10.1.0.1/24]}}}
"""
REFUSED = {
    "a sysctl that does not exist": (
        FIRST + "  second: {sysctls: {net.ipv4.no_such_thing: 1}}\n",
        ["net.ipv4.no_such_thing", "No such file or directory"],
    ),
    "a value that a sysctl cannot have": (
        FIRST + "  second: {sysctls: {net.ipv4.ip_default_ttl: 1000}}\n",
        ["net.ipv4.ip_default_ttl", "Invalid argument"],
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_kernel_refuses_is_told_in_its_words_and_taken_back(here: World, case: str) -> None:
    text, words = REFUSED[case]
    before = here.snapshot()
    said = here.labctl("up", here.file("refused.yaml", text), code=4).stderr
    assert all(word in said for word in words) and len(said.splitlines()) <= 3, said
    assert here.snapshot() == before


def test_what_the_kernel_refuses_is_told_to_a_program_too(here: World) -> None:
    text, words = REFUSED["a sysctl that does not exist"]
    done = here.labctl("up", here.file("refused.yaml", text), "-f", "json", code=4)
    error = json.loads(done.stdout)["error"]
    assert all(word in f"{error['what']} {error['why']}" for word in words) and done.stderr == ""


def test_a_lab_can_be_made_after_it_was_refused(here: World) -> None:
    text, _ = REFUSED["a sysctl that does not exist"]
    here.labctl("up", here.file("refused.yaml", text), code=4)
    here.labctl("up", here.file("refused.yaml", text.replace("no_such_thing", "ip_forward")))
    here.labctl("down")


def unmake_names() -> None:
    """Undo what `ip netns add` made beside the namespace, which ip(8) never does."""
    while DIRECTORY.is_mount() or DIRECTORY.exists():
        try:
            DIRECTORY.rmdir()
        except OSError:
            unmount(str(DIRECTORY))


@pytest.mark.parametrize("text", [many_namespaces(30), many_engines(50)], ids=["namespaces", "engines"])
def test_a_lab_may_take_more_descriptors_than_its_maker_begins_with(here: World, text: str) -> None:
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 4096))

    here.labctl("up", here.file("many.yaml", text), before=few)
    limits = [Path(f"/proc/{pid}/limits").read_text() for pid in here.processes_titled("ttun ")]
    # Who is started begins with as many as the maker did.
    assert [" ".join(each.split("Max open files")[1].split()[:2]) for each in limits] == ["40 4096"] * text.count(
        "bind:"
    )
    here.labctl("down")


def forty() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))


def test_too_few_descriptors_are_told_with_what_to_look_at(here: World) -> None:
    said = here.labctl("up", here.file("many.yaml", many_namespaces(30)), code=4, before=forty).stderr
    assert "Too many open files (EMFILE)" in said and "ulimit -a" in said


def test_engines_take_no_descriptors_of_their_maker(here: World) -> None:
    here.labctl("up", here.file("many.yaml", many_engines(50)), before=forty)
    here.labctl("down")


def test_a_strangers_namespace_of_the_same_name_is_left_alone(as_root: World) -> None:
    as_root.run("ip", "netns", "add", "siteA")
    before = as_root.snapshot()
    said = as_root.labctl("up", "two-site", code=2).stderr
    assert "siteA" in said and "--name" in said and len(said.splitlines()) <= 3
    assert as_root.snapshot() == before
    as_root.labctl("up", "two-site", "--name", "mine")
    assert as_root.json("verify")["passed"]
    assert {"siteA", "mine-siteA"} <= set(as_root.run("ip", "netns", "list").stdout.split())
    as_root.labctl("down")
    assert as_root.snapshot() == before
    as_root.run("ip", "netns", "del", "siteA")
    as_root.inside(unmake_names)


def test_a_namespace_made_meanwhile_outlives_the_lab(as_root: World) -> None:
    as_root.labctl("up", "two-site")
    as_root.run("ip", "netns", "add", "theirs")
    as_root.labctl("down")
    assert as_root.run("ip", "netns", "exec", "theirs", "ip", "-br", "link").stdout.startswith("lo")
    as_root.run("ip", "netns", "del", "theirs")
    as_root.inside(unmake_names)


def test_a_file_that_changed_changes_the_lab(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    here.labctl("up", here.file("pair.yaml", PAIR.replace("192.0.2.", "198.51.100.")))
    links = {name: space["interfaces"]["eth0"] for name, space in here.json("status")["namespaces"].items()}
    assert {name: list(link["addresses"]) for name, link in links.items()} == {
        "left": ["198.51.100.1/30"],
        "right": ["198.51.100.2/30"],
    }
    assert here.json("verify")["passed"]
    here.labctl("down")


def test_a_change_that_the_kernel_refuses_leaves_the_lab_there(here: World) -> None:
    file = here.file("pair.yaml", PAIR)
    here.labctl("up", file)
    wrong = PAIR.replace("  left:\n", "  left:\n    sysctls: {net.ipv4.no_such_thing: 1}\n")
    said = here.labctl("up", here.file("wrong.yaml", wrong), code=4).stderr
    assert "No such file or directory" in said and len(said.splitlines()) <= 3, said
    here.labctl("up", file)
    assert here.json("verify")["passed"]
    here.labctl("down")


def test_three_labs_side_by_side(here: World) -> None:
    for name in ("one", "two", "three"):
        here.labctl("up", here.file("tunnel.yaml", tunnel()), "--name", name)
    assert sorted(lab["lab"] for lab in here.json("list")) == ["one", "three", "two"]
    for name in ("one", "two", "three"):
        assert here.json("verify", "-l", name)["passed"]
    assert "several labs" in here.labctl("verify", code=2).stderr
    assert "several labs" in here.labctl("down", code=2).stderr
    here.labctl("down", "two")
    assert sorted(lab["lab"] for lab in here.json("list")) == ["one", "three"]
    here.labctl("down", "--all")
    assert here.json("list") == []


def test_two_up_at_the_same_moment(here: World) -> None:
    file = here.file("tunnel.yaml", tunnel())
    for _ in range(3):
        both = [here.start_labctl("up", file, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
        told = [process.communicate(timeout=60)[1] for process in both]
        codes = [process.returncode for process in both]
        assert set(codes) <= {0, 2} and 0 in codes, told
        assert all(len(text.splitlines()) <= 3 and "Traceback" not in text for text in told)
        assert here.json("verify")["passed"]
        here.labctl("down")


def test_the_second_of_two_is_told_who_is_at_work(here: World) -> None:
    file = here.file("many.yaml", many_namespaces(200))
    first = here.start(here.command("up", file), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    eventually(lambda: names(here), "the first is at work")
    os.kill(first.pid, signal.SIGSTOP)  # so that it is at work for as long as we ask
    worker = max(pid for pid, title in here.processes() if "labctl up" in title)
    os.kill(worker, signal.SIGSTOP)
    assert not any(lab["complete"] for lab in here.json("list")), "the lab is too small for this test"
    said = [here.labctl(*words, code=2).stderr for words in (["up", file], ["down", "many"])]
    for pid in (worker, first.pid):
        os.kill(pid, signal.SIGCONT)
    for text in said:
        assert "another labctl" in text and "it is process " in text and len(text.splitlines()) <= 3
    assert first.wait() == 0
    here.labctl("down")


def test_up_and_down_at_the_same_moment(here: World) -> None:
    file = here.file("tunnel.yaml", tunnel())
    for _ in range(3):
        both = [
            here.start_labctl(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for words in (["up", file], ["down", "tunnel"])
        ]
        told = [process.communicate(timeout=60)[1] for process in both]
        assert {process.returncode for process in both} <= {0, 2}, told
        assert all(len(text.splitlines()) <= 3 and "Traceback" not in text for text in told)
        here.labctl("down", "tunnel")
        assert here.json("list") == []


def test_root_leaves_the_lab_of_a_user_alone(as_root: World, as_user: World) -> None:
    as_user.labctl("up", as_user.file("pair.yaml", PAIR))
    for words in (["down", "pair"], ["verify", "-l", "pair"], ["exec", "-l", "pair", "left", "--", "true"]):
        said = as_root.labctl(*words, code=2).stderr
        assert "user" in said and "without" in said and len(said.splitlines()) <= 3, said
    assert as_user.json("verify")["passed"]
    as_user.labctl("down")


def test_an_interface_that_has_just_gone_is_told_and_needs_no_removal(as_root: World) -> None:
    """The other end of a cable goes a while after the namespace of the first, so after it was looked at."""
    as_root.labctl("up", as_root.file("pair.yaml", PAIR))

    def change(step: Step) -> str:
        performer = Performer("", {}, lambda *_: None)
        try:
            performer.perform(step)
        except KernelRefused as error:
            return str(error)
        finally:
            performer.close()
        return "done"

    assert as_root.inside(lambda: change(DeleteLink("left", "gone0"))) == "done"
    assert as_root.inside(lambda: change(SetUp("left", "gone0"))) == (
        "could not make left:gone0 up\nNo such device (ENODEV)"
    )
    as_root.labctl("down")
