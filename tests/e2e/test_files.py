"""The files of a namespace: its programs see them, and nothing else does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from labctl.process.syscalls import MS_REC, MS_SHARED, mount
from tests.e2e.labs import tunnel
from tests.e2e.terminal import terminal
from tests.e2e.test_engines import SOCAT
from tests.e2e.test_every_step import is_back
from tests.e2e.test_view import etc
from tests.e2e.world import World

# What is there on every machine, what lacks a directory, or two, or even one of the root.
FILES = """\
name: files
namespaces:
  a:
    files:
      /etc/hosts: {content: "192.0.2.9 own\\n"}
      /etc/labctl-test/one.conf: {source: one.conf, mode: "0640"}
      /etc/labctl-test/deep/two.conf: {content: "two\\n"}
      /labctl-test/index.html: {base64: "/wD+"}
      /labctl-test/hello: {content: "#!/bin/sh\\necho hello\\n", mode: "0755"}
      /var/run/labctl-test: {directory: true, mode: "1777"}
      /var/run/labctl-test/inside: {content: "inside\\n"}
  b: {}
"""
LOOK = """\
cat /etc/hosts
stat -c '%a %n' /etc/labctl-test/one.conf /var/run/labctl-test
cat /etc/labctl-test/one.conf /etc/labctl-test/deep/two.conf /run/labctl-test/inside
od -An -tx1 /labctl-test/index.html
/labctl-test/hello
pwd
"""
SEEN = """\
192.0.2.9 own
640 /etc/labctl-test/one.conf
1777 /var/run/labctl-test
one
two
inside
 ff 00 fe
hello
"""
TARGETS = ["/etc/labctl-test", "/labctl-test", "/run/labctl-test"]


def lab(here: World, text: str = FILES, one: str = "one\n") -> str:
    here.file("one.conf", one)
    return here.file("files.yaml", text)


def test_they_are_seen_in_their_own_namespace_alone_and_change_nothing_on_the_machine(here: World) -> None:
    before = here.run("ls", "/", "/etc", "/run").stdout
    here.labctl("up", lab(here))
    done = here.labctl("exec", "a", "--", "sh", "-c", LOOK)
    assert (done.stdout, done.stderr) == (f"{SEEN}{here.home}\n", "")
    with terminal(here, *here.command("shell", "a"), env={"SHELL": "/bin/sh", "TERM": "dumb"}) as screen:
        screen.expect("[a]")
        screen.type("/labctl-test/hello\n")
        screen.expect("hello\r\nhello")
        screen.type("exit\n")
        screen.end()
    for look in (here.labctl("exec", "b", "--", "ls", *TARGETS, code=2), here.run("ls", *TARGETS, code=2)):
        assert look.stdout == ""
    after = here.run("ls", "/", "/etc", "/run").stdout
    assert after.replace("labctl\nnetns\n", "") == before if here.is_root else after == before
    here.labctl("down")


def test_what_is_around_a_file_is_seen_as_it_is(here: World) -> None:
    look = ["sh", "-c", "ls -A / /etc /run | grep -v labctl-test; ls -L /bin/sh; cat /etc/passwd; ls /proc/self/ns"]
    here.labctl("up", lab(here))
    outside = here.labctl("exec", "b", "--", *look).stdout
    assert here.labctl("exec", "a", "--", *look).stdout == outside
    here.labctl("down")


def test_what_programs_write_is_seen_by_all_of_the_namespace_until_its_end(here: World) -> None:
    here.labctl("up", lab(here))
    # In a directory of its own, beside a file of its own, and where the machine's own directory lacks one.
    written = ["/var/run/labctl-test/x", "/etc/labctl-test/x", "/run/labctl-test-pid"]
    here.labctl("exec", "a", "--", "sh", "-c", f"for file in {' '.join(written)}; do echo written > $file; done")
    assert here.labctl("exec", "a", "--", "cat", *written).stdout == "written\n" * 3
    assert here.labctl("exec", "b", "--", "cat", *written, code=1).stdout == ""
    assert here.run("cat", *written, code=1).stdout == ""
    here.labctl("down")
    here.labctl("up", lab(here))
    assert here.labctl("exec", "a", "--", "cat", *written, code=1).stdout == ""
    here.labctl("down")


def test_the_lab_keeps_what_its_files_were_when_it_was_made(here: World) -> None:
    file = lab(here)
    here.labctl("up", file)
    Path(here.home, "one.conf").unlink()
    assert here.labctl("exec", "a", "--", "cat", "/etc/labctl-test/one.conf").stdout == "one\n"
    assert here.json("status")["drift"] == []
    refused = here.labctl("up", file, code=2).stderr
    assert f"{here.home}/one.conf" in refused and "there is no file" in refused
    here.labctl("down")


def test_an_edited_file_is_a_change_and_a_program_that_runs_sees_it(here: World) -> None:
    here.labctl("up", lab(here))
    waits = "cat /etc/labctl-test/one.conf; read line; cat /etc/labctl-test/one.conf"
    command = here.command("exec", "a", "--", "sh", "-c", waits)
    program = here.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert program.stdout and program.stdout.readline() == "one\n"
    edited = lab(here, FILES.replace("deep/two.conf", "three.conf"), one="edited\n")
    changes = here.json("plan", edited, code=1)["changes"]
    assert [f"{step['action']} {step['change']}: {step['reason']}" for step in changes] == [
        "remove file /etc/labctl-test/deep/two.conf: is not in the file",
        "make file /etc/labctl-test/one.conf (7 bytes, mode 0640): has another content",
        "make file /etc/labctl-test/three.conf (4 bytes, mode 0644): is not there",
    ]
    here.labctl("up", edited)
    assert program.communicate("\n")[0] == "edited\n"
    assert here.labctl("exec", "a", "--", "ls", "/etc/labctl-test").stdout == "one.conf\nthree.conf\n"
    assert "nothing to do" in here.labctl("up", edited).stdout
    here.labctl("down")


def test_what_was_changed_by_hand_is_seen_and_repaired(here: World) -> None:
    file = lab(here)
    here.labctl("up", file)
    by_hand = (
        "echo other > /etc/hosts; chmod 600 /etc/labctl-test/one.conf; "
        "rm /var/run/labctl-test/inside; mkdir /var/run/labctl-test/inside; chmod 755 /var/run/labctl-test"
    )
    here.labctl("exec", "a", "--", "sh", "-c", by_hand)
    found = {step["change"].split(" (")[0]: step["reason"] for step in here.json("status")["drift"]}
    assert found == {
        "file /etc/hosts": "has another content",
        "file /etc/labctl-test/one.conf": "its mode is 0600",
        "directory /var/run/labctl-test": "its mode is 0755",
        "file /var/run/labctl-test/inside": "is a directory",
    }
    here.labctl("up", file)
    assert here.json("status")["drift"] == []
    assert here.labctl("exec", "a", "--", "sh", "-c", LOOK).stdout == f"{SEEN}{here.home}\n"
    here.labctl("down")


def test_a_namespace_that_was_deleted_by_hand_gets_its_files_again(here: World) -> None:
    file = lab(here)
    here.labctl("up", file)
    here.labctl("exec", "a", "--", "touch", "/var/run/labctl-test/old")
    here.labctl("exec", "b", "--", "ip", "netns", "del", "a")
    here.labctl("up", file)
    assert here.labctl("exec", "a", "--", "ls", "/var/run/labctl-test").stdout == "inside\n"
    here.labctl("down")


def test_an_engine_of_ones_own_sees_them(here: World) -> None:
    program = Path(here.file("forwarder", '#!/bin/sh\ncat /etc/labctl-test/own\nexec "$@"\n'))
    program.chmod(0o755)
    theirs = (
        '{device: "siteA:tun0", bind: "192.0.2.1:9000", peer: "192.0.2.2:9000", '
        f'engine: {{command: "{program} {SOCAT}"}}}},'
    )
    own = '  siteA:\n    files: {/etc/labctl-test/own: {content: "seen\\n"}}'
    here.labctl("up", here.file("tunnel.yaml", tunnel(ttun_a=theirs).replace("  siteA:", own)))
    assert "seen" in here.labctl("logs", "siteA:tun0").stdout
    here.labctl("down")


def test_nothing_is_seen_outside_where_the_machine_shares_its_mounts(as_root: World) -> None:
    """As systemd has it: what is mounted in one mount namespace is passed on to the others."""
    as_root.inside(lambda: mount("", "/", flags=MS_SHARED | MS_REC))
    as_root.labctl("up", lab(as_root))
    mounted = as_root.run("cut", "-d", " ", "-f", "5-", "/proc/self/mountinfo").stdout
    command = as_root.command(
        "exec", "a", "--", "sh", "-c", "mount -t tmpfs x /var/run/labctl-test; echo ready; exec cat"
    )
    process = as_root.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout and process.stdout.readline() == "ready\n"
    assert as_root.run("cut", "-d", " ", "-f", "5-", "/proc/self/mountinfo").stdout == mounted
    process.communicate()
    as_root.labctl("exec", "a", "--", "ip", "netns", "add", "made-inside")
    assert "made-inside" in as_root.run("ip", "netns").stdout
    as_root.labctl("exec", "a", "--", "ip", "netns", "del", "made-inside")
    as_root.labctl("down")


def test_a_file_where_the_machine_has_a_directory_is_refused_and_the_other_way_round(here: World) -> None:
    before = here.snapshot()
    for path, file, there in (
        ("/etc", "{content: x}", "a directory"),
        ("/etc/passwd", "{directory: true}", "a file"),
    ):
        text = f"name: files\nnamespaces:\n  a: {{files: {{{path}: {file}}}}}\n"
        refused = here.labctl("up", here.file("files.yaml", text), code=2).stderr
        assert f"cannot be shown\n  the machine has {there} at {path}" in refused
    is_back(here, before, 0)


def test_one_that_cannot_be_mounted_any_more_is_told_to_who_starts_a_program(as_root: World) -> None:
    as_root.labctl("up", lab(as_root))
    with etc(as_root, {"labctl-test/one.conf/now-a-directory": ""}):
        done = as_root.labctl("exec", "a", "--", "true")
    assert "is not seen as /etc/labctl-test/one.conf: Not a directory (ENOTDIR)\n" in done.stderr
    as_root.labctl("down")


def test_what_is_beside_an_own_file_may_have_any_name(here: World) -> None:
    beside = here.home / "beside"
    beside.mkdir()
    (beside / os.fsdecode(b"caf\xe9")).write_text("coffee\n")
    text = f"name: odd\nnamespaces:\n  a: {{files: {{{beside}/own: {{content: own}}}}}}\n"
    here.labctl("up", here.file("odd.yaml", text))
    assert here.labctl("exec", "a", "--", "sh", "-c", f"cat {beside}/caf* {beside}/own").stdout == "coffee\nown"
    here.labctl("down")
