"""Programs that do what they should not: each is told in clear words, and nothing of it is left."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.e2e.test_namespace_programs import lab, programs, running, script
from tests.e2e.world import World, eventually

IGNORES = """\
#!/usr/bin/env python3
import signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(1000)
"""
DAEMON = """\
#!/usr/bin/env python3
import os, sys, time
for _ in range(2):
    if os.fork():
        os._exit(0)
    os.setsid()
if not os.fork():
    os.setsid()
    os.execvp("sleep", ["sleep", "2001"])
print("ready", flush=True)
os.execvp("sleep", ["sleep", "2000"])
"""


def failed(here: World, file: str) -> list[str]:
    """What `up` says of a lab that it cannot make; nothing may be left of it."""
    before = here.snapshot()
    said = here.labctl_quoting("up", file, code=2).stderr.splitlines()
    eventually(lambda: here.snapshot() == before, "nothing is left")
    return said


def test_one_that_cannot_be_executed(here: World) -> None:
    said = failed(here, lab(here, "{name: x, command: ./nothing --port 80}"))
    assert said[-3:] == [
        "the program server:x cannot be started: ./nothing --port 80",
        f"  there is no file {here.home.resolve()}/nothing",
        "  → correct the path, or put the program there",
    ]
    said = failed(here, lab(here, "{name: x, command: sleep 1000, cwd: nowhere}"))
    assert said[-2] == f"  {here.home}/nowhere: No such file or directory (ENOENT)"


def test_one_that_dies_before_it_is_ready(here: World) -> None:
    script(here, "#!/bin/sh\necho loading\necho no luck >&2\nexit 7\n")
    for ready in ("", ", ready: {tcp: 80}"):
        said = failed(here, lab(here, f"{{name: x, command: ./x{ready}}}"))
        assert said[-6:] == [
            "the program server:x ended before it was ready: it ended with exit code 7",
            "  ./x said:",
            "    loading",
            "    no luck",
            "    labctl: ended with exit code 7",
            "  → correct the program, then run the same command again",
        ]


def test_one_that_is_never_ready_is_told_what_was_waited_for(as_user: World) -> None:
    asked = {
        "tcp: 81": "it has not listened on TCP port 81",
        "udp: 53": "it has not bound UDP port 53",
        'log: "listening on .*"': "it has not written a line in which 'listening on .*' is found",
        "command: sh -c 'echo not yet; exit 4'": "its `ready` command \"sh -c 'echo not yet; exit 4'\" "
        "ended with exit code 4, its last line is 'not yet'",
        "command: sleep 2002": "its `ready` command 'sleep 2002' has not ended yet",
        "command: ./nothing": f"its `ready` command './nothing' ended with exit code 127, its last line is "
        f"'there is no file {as_user.home.resolve()}/nothing'",
    }
    for ready, lacks in asked.items():
        file = lab(as_user, f"{{name: web, command: python3 -m http.server 80, ready: {{{ready}, within: 0.7}}}}")
        what, _, said, *_ = failed(as_user, file)[-4:]
        assert what == f"the program server:web is not ready after 0.7 s: {lacks}"
        assert "Serving HTTP on" in said
    assert as_user.processes() == []


def test_one_whose_port_another_program_has(as_root: World) -> None:
    other = "{name: other, command: python3 -m http.server 80, ready: {tcp: 80}}"
    file = lab(as_root, other, "{name: web, command: sleep 1000, ready: {tcp: 80, within: 0.5}, after: [other]}")
    (what,) = [line for line in failed(as_root, file) if "is not ready" in line]
    assert "it has not listened on TCP port 80: process" in what and "(python3) has" in what


def test_one_that_fails_for_ever_is_told_how_often(as_user: World) -> None:
    file = lab(as_user, "{name: x, command: 'false', restart: always, ready: {tcp: 80, within: 1.5}}")
    (what,) = [line for line in failed(as_user, file) if "is not ready" in line]
    assert "it has not listened on TCP port 80, and was started" in what


def test_one_that_forks_away_is_followed_and_ended_with_all_that_it_started(here: World) -> None:
    script(here, DAEMON)
    file = lab(here, "{name: x, command: ./x, ready: {log: ready}}")
    here.labctl("up", file)
    assert "went into the background as process" in here.labctl("logs").stdout
    assert here.json("status")["drift"] == [] and programs(here)["server:x"]["running"]
    assert len(running(here, "sleep 200")) == 2
    here.labctl("restart", "server:x")
    assert len(running(here, "sleep 200")) == 2 and here.json("status")["drift"] == []
    here.labctl("up", lab(here))
    assert running(here, "sleep 200") == [] and programs(here) == {}
    here.labctl("down")
    assert here.processes() == []


def test_one_whose_supervisor_was_killed_leaves_nothing_in_the_way(here: World) -> None:
    script(here, DAEMON)
    file = lab(here, "{name: x, command: ./x, ready: {log: ready}}")
    here.labctl("up", file)
    (supervisor,) = running(here, "labctl: runs ./x")
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: not programs(here)["server:x"]["running"], "it is seen")
    here.labctl("up", file)
    assert len(running(here, "sleep 200")) == 2 and here.json("status")["drift"] == []
    here.labctl("down")
    assert here.processes() == []


def test_one_that_ignores_what_asks_it_to_end_is_killed(here: World) -> None:
    script(here, IGNORES)
    here.labctl("up", lab(here, "{name: x, command: ./x, ready: {log: ready}}"))
    began = time.monotonic()
    here.labctl("restart", "server:x")
    assert time.monotonic() - began > 2
    here.labctl("down")
    assert here.processes() == []


def test_the_signal_that_ends_it_is_that_of_the_file(here: World) -> None:
    script(here, "#!/bin/sh\ntrap 'echo saved; exit 0' INT\necho ready\nwhile :; do sleep 0.05; done\n")
    here.labctl("up", lab(here, "{name: x, command: ./x, ready: {log: ready}, stop_signal: SIGINT}"))
    here.labctl("restart", "server:x")
    said = here.labctl("logs", "server:x").stdout
    assert said.index("saved") < said.index("labctl: ended with exit code 0") < said.rindex("ready")
    here.labctl("down")


def test_one_that_fills_its_log_and_writes_binary(here: World) -> None:
    script(here, "#!/usr/bin/env python3\nimport os, sys\nfor number in range(300000): print(number, 'x' * 40)\n"
        "sys.stdout.flush()\nos.write(1, bytes(range(256)) + b'\\x1b[32mgreen\\x1b[0m \\x1b]0;title\\x07 ')\n"
        "os.write(1, b'y' * 70000 + b'\\nready\\n')\nos.execvp('sleep', ['sleep', '1000'])\n")  # fmt: skip
    here.labctl("up", lab(here, "{name: x, command: ./x, ready: {log: ^ready, within: 60}}"))
    said = here.labctl_quoting("logs", "server:x").stdout
    assert len(said) < 12 << 20 and "... older lines were dropped" in said
    assert "\x1b" not in said and "\x07" not in said and "\0" not in said and "green ?]0;title? yyyy" in said
    here.labctl("down")


def test_one_that_wants_a_terminal_has_none(here: World) -> None:
    asks = "import os; print(os.read(0, 9)); print(os.getsid(0) == os.getpid()); open('/dev/tty')"
    script(here, f"#!/usr/bin/env python3\n{asks}\n")
    said = failed(here, lab(here, "{name: x, command: ./x}"))
    assert "    b''" in said and "    True" in said and any("/dev/tty" in line for line in said)


def test_an_edit_that_fails_leaves_the_rest_of_the_lab(here: World) -> None:
    web = "{name: web, command: python3 -m http.server 80, ready: {tcp: 80}}"
    here.labctl("up", lab(here, web, "{name: x, command: sleep 1000}"))
    before = programs(here)
    said = here.labctl("up", lab(here, web, "{name: x, command: 'false'}"), code=2).stderr
    assert "the program server:x ended before it was ready: it ended with exit code 1" in said
    after = programs(here)
    assert after["server:web"]["pid"] == before["server:web"]["pid"] and after["server:x"]["running"]
    assert after["server:x"]["command"] == "sleep 1000" and here.json("status")["drift"] == []
    here.labctl("down")


def test_a_namespace_that_is_gone_takes_its_programs_along(as_root: World) -> None:
    file = lab(as_root, "{name: web, command: python3 -m http.server 80, ready: {tcp: 80}}")
    as_root.labctl("up", file)
    as_root.run("ip", "netns", "delete", "server")
    as_root.labctl("up", file)
    assert len(running(as_root, "python3 -m http.server")) == 1 and as_root.json("status")["drift"] == []
    as_root.labctl("down")


def test_a_record_that_is_damaged_is_no_reason_to_fail(as_root: World) -> None:
    as_root.labctl("up", lab(as_root, "{name: x, command: sleep 1000}"))
    as_root.inside(lambda: Path("/run/labctl/programs/engines/server:x.run").write_bytes(b"{\xff"))
    assert programs(as_root)["server:x"]["pid"] == 0
    as_root.labctl("down")
