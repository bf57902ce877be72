"""A lesson at a terminal: what is typed there, what is done beside it, and what becomes of both."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labctl.learn.progress import BEING_MADE
from tests.e2e.terminal import Screen, screen, terminal
from tests.e2e.world import REPO, World, eventually

LESSON = str(REPO / "tests/learn/lessons/two-hosts")
ITS_SCREEN, LEAVES_ITS_SCREEN = "\x1b[?1049h", "\x1b[?1049l"  # the alternate screen of xterm (ctlseqs(ms))
SLOW = 5.0
"""As many times longer than on an idle machine may something take that is to be quick."""


@contextmanager
def lesson(here: World, *options: str, size: tuple[int, int] = (24, 80)) -> Iterator[Screen]:
    command = ("env", "--unset=XDG_STATE_HOME", *here.command("learn", LESSON, *options))
    with screen(here, *command, size=size) as learning:
        yield learning


def ended(learning: Screen) -> str:
    """It ends well, and the terminal is as it was; what it says last."""
    assert learning.end() == 0
    assert "Traceback" not in learning.seen and learning.echoes
    assert learning.seen.rindex("\x1b[?25h") > learning.seen.rindex("\x1b[?25l"), "the cursor is hidden"
    return learning.seen.rpartition(LEAVES_ITS_SCREEN)[2]


def test_a_lesson_is_gone_through_from_its_text(here: World) -> None:
    with lesson(here) as learning:
        lines = learning.shows("Which MTU does the other end", " 1  the same", " 2  its own", " 1-2  answer   h  hint")
        assert lines[0] == f"Two hosts and a cable{' ' * 43}▶□□  step 1 of 3"
        assert not any("Show the interfaces" in line for line in lines), "first what is expected"
        learning.type("1")
        learning.shows("○ Show the interfaces of left.", "Which MTU does eth0 of left have?")
        with terminal(here, *here.command("shell", "left"), env={"SHELL": "/bin/sh", "TERM": "dumb"}) as another:
            another.expect("this shell is /bin/sh, and a lesson sees only what is typed in bash")
            another.type("exit 0\n")
            assert another.end() == 0
        learning.type("h")
        learning.shows("Hint 1", "Look with ip.")
        learning.type("7\n")
        learning.shows("✘ It stands behind mtu.", "○ Show the interfaces of left.")  # not by what the lesson itself ran
        here.labctl("exec", "left", "--", "ip", "link")
        learning.shows("✔ Show the interfaces of left.")
        mtu = here.labctl("exec", "left", "--", "cat", "/sys/class/net/eth0/mtu").stdout.strip()
        learning.type(f"a{mtu}")
        learning.shows(f"> {mtu}_")
        learning.type("\n")
        learning.shows("✘ You expected: the same. It is: its own.", f"An MTU of {mtu} bytes.", "✔ This step is done.")
        learning.type("\n")

        lines = learning.shows("○ Ping right from left.  (0 of 2 packets at right:eth0)")
        assert "■▶□  step 2 of 3" in lines[0]
        learning.type("n")
        learning.shows("This step is not done yet.")
        here.labctl("exec", "left", "--", "ping", "-c", "2", "-i", "0.2", "192.0.2.2")
        learning.shows("✔ Ping right from left.", "It has answered.")
        learning.type("n")

        learning.shows("✘ 192.0.2.2 answers.  (3 sent, no reply)")
        learning.type("h")
        learning.shows("does not have the address 192.0.2.2")
        (why,) = here.json("why", "left", "192.0.2.2", code=1)["diagnosis"]
        assert why["fix"] == "labctl exec right -- ip addr add 192.0.2.2/24 dev eth0"
        here.labctl("exec", "right", "--", "ip", "addr", "add", "192.0.2.2/24", "dev", "eth0")
        since = time.monotonic()
        learning.shows("✔ 192.0.2.2 answers.", "The address was gone.")
        assert time.monotonic() - since < 1 * SLOW
        learning.type("\n")
        said = ended(learning)
    assert "A repair" in said and "you expected: the same; it is: its own" in said and "1 hint" in said
    assert here.json("list") == []
    assert "labctl learn" in here.labctl("learn", LESSON, code=2).stderr, "not without a terminal"
    assert "--list" in here.json("learn", LESSON, code=2)["error"]["why"]


def test_a_step_is_begun_again_and_skipped_with_its_solution_shown(here: World) -> None:
    with lesson(here) as learning:
        learning.shows("Which MTU")
        learning.type("s")
        learning.shows("Skip this step?", " s  yes")
        learning.type("x")
        learning.until(lambda lines: lines[-1].startswith(" 1-2"), "it was not meant")
        for step in ("One solution", "It has answered."):
            learning.type("ss")
            learning.shows(step, "This step is over.")
            learning.type("\n")
        learning.shows("▨▨▶  step 3 of 3", "✘ 192.0.2.2 answers.")
        here.labctl("exec", "right", "--", "ip", "addr", "add", "192.0.2.2/24", "dev", "eth0")
        learning.shows("✔ This step is done.")
        with lesson(here) as another:
            assert another.end() == 2 and "is open in another terminal" in another.seen
        told = here.labctl("learn", LESSON, "--submit", str(here.home / "handed-in")).stdout
        assert "the lesson two-hosts, with 1 check asked now" in told
        written = json.loads((here.home / "handed-in").read_text())
        assert [check["passed"] for check in written["checks"]] == [True]
        assert [step["skipped"] for step in written["progress"]["steps"]] == [True, True, False]
        here.labctl("exec", "right", "--", "ip", "link", "set", "eth0", "down")
        learning.type("b")
        learning.shows("What you have done in it is lost.")
        since = time.monotonic()
        learning.type("b")
        learning.shows("▨▨▶  step 3 of 3", "✘ 192.0.2.2 answers.  (3 sent, no reply)")
        assert time.monotonic() - since < 2 * SLOW, "the state is there in under a second, and a check has failed then"
        assert "UP" in here.labctl("exec", "right", "--", "ip", "-br", "link", "show", "eth0").stdout
        learning.type("ss")
        learning.shows("  $ labctl exec right -- ip addr add 192.0.2.2/24 dev eth0", "✔ 192.0.2.2 answers.")
        learning.type("q")
        said = ended(learning)
    assert f"labctl learn {LESSON}" in said and "labctl down pair" in said
    here.labctl("down", "pair")


def test_it_goes_on_after_quit_kill_and_reboot(here: World) -> None:
    with lesson(here) as learning:
        learning.shows("Which MTU")
        learning.type("2")
        learning.shows("○ Show the interfaces")
        learning.type("ss")
        learning.shows("This step is over.")
        learning.type("\n")
        learning.shows("step 2 of 3")
        here.labctl("exec", "left", "--", "ip", "link", "set", "eth0", "mtu", "1280")
        learning.process.kill()
        learning.process.wait()
    assert "mtu 1280" in here.labctl("exec", "left", "--", "ip", "link").stdout
    with lesson(here) as learning:
        learning.shows("▨▶□  step 2 of 3", "○ Ping right from left.  (0 of 2")
        here.labctl("exec", "left", "--", "ping", "-c", "2", "-i", "0.2", "192.0.2.2")
        learning.shows("✔ This step is done.")
        here.labctl("down", "pair")
        learning.shows("The lab is down")
        learning.type("\x03")  # a reboot takes the lab away, too
        assert "labctl learn" in ended(learning)
    with lesson(here) as learning:
        learning.shows("▨■▶  step 3 of 3", "✘ 192.0.2.2 answers.")
        learning.type("q")
        ended(learning)
    kept = here.home / ".local/state/labctl/learn/two-hosts.json"
    kept.write_text(json.dumps({**json.loads(kept.read_text()), "lab_id": BEING_MADE}))  # as a kill amidst leaves it
    with lesson(here, "--again") as learning:
        learning.shows("▶□□  step 1 of 3", "Which MTU")
        learning.type("q")
        ended(learning)
    here.labctl("down", "pair")


def test_it_bears_what_terminals_do(as_user: World) -> None:
    """A small one without colours, another size, a key of other keyboards, and its end."""
    command = ("env", "NO_COLOR=1", *as_user.command("learn", LESSON))
    with screen(as_user, *command, size=(12, 40)) as learning:
        learning.shows("What is there", "below: PgDn")
        assert not re.search(r"\x1b\[[0-9;]*3[0-7]", learning.seen)
        for _ in range(6):
            learning.type("\x1b[6~")
        learning.shows(" 2  its own", "above: PgUp")
        learning.type("\x1b[H")
        learning.shows("What is there", "below: PgDn")
        learning.resize(30, 120)
        learning.until(lambda lines: lines[29].startswith(" 1-2  answer"), "it fills the larger terminal")
        learning.expect(ITS_SCREEN)
        learning.type("\x1a")  # Ctrl-Z, where no shell could bring it back
        learning.expect(ITS_SCREEN)
        learning.type("²2")  # a digit that is no number, as French keyboards have it
        learning.shows("○ Show the interfaces of left.")
    eventually(lambda: learning.process.poll() is not None, "it has ended")
    as_user.labctl("down", "pair")


def test_ctrl_z_puts_it_aside(as_user: World) -> None:
    with screen(as_user, "bash", "--norc", "--noediting") as learning:
        learning.type(f"{shlex.join(as_user.command('learn', LESSON))}\n")
        learning.expect(ITS_SCREEN)
        learning.shows("Which MTU")
        learning.type("\x1a")
        learning.expect(LEAVES_ITS_SCREEN)
        learning.expect("Stopped")
        assert learning.echoes
        learning.type("fg\n")
        learning.expect(ITS_SCREEN)
        learning.shows("Which MTU")
        learning.type("q")
        learning.expect("waits at step 1 of 3")
        learning.type("exit\n")
        assert learning.end() == 0
    as_user.labctl("down", "pair")


def test_a_lab_of_that_name_is_not_taken_away(as_user: World) -> None:
    as_user.labctl("up", f"{LESSON}/pair.yaml")
    with lesson(as_user) as learning:
        assert learning.end() == 2
        assert "it is none of a lesson" in learning.seen and "labctl down pair" in learning.seen
    as_user.labctl("down", "pair")


def test_what_is_missing_is_told_before_it_begins(as_user: World) -> None:
    folder = as_user.home / "needy"
    folder.mkdir()
    text = Path(LESSON, "lesson.md").read_text().replace("needs: [ip, ping]", "needs: [traceroute, labctl-has-none]")
    (folder / "lesson.md").write_text(text)
    (folder / "pair.yaml").write_text(Path(LESSON, "pair.yaml").read_text())
    command = ("env", f"PATH={folder}", *as_user.command("learn", str(folder)))
    with terminal(as_user, *command, env={"TERM": "xterm"}) as learning:
        assert learning.end() == 3
        assert "the lesson needs traceroute and labctl-has-none" in learning.seen
        assert "apt install traceroute; install labctl-has-none" in learning.seen


def test_the_lessons_are_listed_and_the_next_one_is_offered(as_user: World) -> None:
    """labctl learn"""
    assert "What a TUN device is" in as_user.labctl("learn", "--list").stdout
    with screen(as_user, *as_user.command("learn")) as learning:
        learning.shows(
            "What a TUN device is", "Enter goes on with cable.", "Or type the number of another lesson; q ends."
        )
        learning.type("3\n")
        learning.shows("step 1 of 6")
        learning.type("q")
        assert "labctl learn no-reply" in ended(learning)
    assert "step 1 of 6" in as_user.labctl("learn", "--list").stdout
    with screen(as_user, *as_user.command("learn")) as learning:
        learning.shows("Enter goes on with no-reply, step 1 of 6.")
        learning.type("q\n")
        assert learning.end() == 0
    with screen(as_user, *as_user.command("learn")) as learning:
        learning.shows("q ends.")
        learning.type("\udce9\n")  # a byte that is not UTF-8, as of a terminal with ISO 8859-1
        assert learning.end() == 2 and "no shipped lesson" in learning.seen
    as_user.labctl("down", "two-site")


def test_a_shell_stands_beside_the_lesson(as_user: World) -> None:
    """As with labctl learn tun --shell here."""
    typed = " ".join(as_user.command("exec", "left", "--", "ip", "link"))
    with lesson(as_user, "--shell") as learning:
        learning.shows("Which MTU", "Commands go here, for example: labctl exec left -- ip addr")
        learning.type("\x1a2")  # Ctrl-Z: no shell could bring it back
        learning.shows("○ Show the interfaces of left.")
        learning.type("\x1bOQ")  # F2
        learning.type(f"clear; {typed}\n")
        learning.shows("✔ Show the interfaces of left.")
        learning.type("\x1bOQ")
        learning.type("q")
        said = ended(learning)
    assert "labctl down pair" in said
    eventually(lambda: not as_user.processes_titled("tmux"), "tmux has ended")
    as_user.labctl("down", "pair")


def test_a_terminal_that_tmux_does_not_know_is_told(as_user: World) -> None:
    command = ("env", "TERM=none-of-that-name", *as_user.command("learn", LESSON, "--shell"))
    with screen(as_user, *command) as learning:
        assert learning.end() == 3
        assert "none-of-that-name" in learning.seen and "or leave --shell out" in learning.seen


def test_without_tmux_it_is_told_what_to_do(as_user: World) -> None:
    command = ("env", "PATH=/usr/share", *as_user.command("learn", LESSON, "--shell"))
    with terminal(as_user, *command, env={"TERM": "xterm"}) as learning:
        assert learning.end() == 3
        assert "apt install tmux; or leave --shell out" in learning.seen
