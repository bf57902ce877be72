"""A lab watched at a terminal, whatever becomes of the lab and of the terminal."""

from __future__ import annotations

import shlex

from tests.e2e.labs import PAIR, many_namespaces, tunnel
from tests.e2e.terminal import Screen, screen, terminal
from tests.e2e.world import World, eventually

ITS_SCREEN, LEAVES_ITS_SCREEN = "\x1b[?1049h", "\x1b[?1049l"
"""The alternate screen of xterm (ctlseqs(ms)); rich switches to it and back."""


def ends_well(watching: Screen) -> None:
    """It ends without a word, and the terminal is as it was."""
    assert watching.end() == 0
    assert LEAVES_ITS_SCREEN in watching.seen and "Traceback" not in watching.seen
    assert watching.seen.rindex("\x1b[?25h") > watching.seen.rindex("\x1b[?25l"), "the cursor is hidden"
    assert watching.echoes


def test_a_lab_is_watched_through_all_that_happens(here: World) -> None:
    file = here.file("tunnel.yaml", tunnel())
    here.labctl("up", file)
    with screen(here, *here.command("watch")) as watching:
        keys = " q  quit   p  show packets   v  run the checks"
        lines = watching.shows("siteA:wan0            up", "siteB:tun1            running", keys)
        assert lines[0].startswith(f"tunnel up  {here.mode}  ") and lines[1].startswith("2 namespaces, 4 interfaces")
        here.labctl("exec", "siteA", "--", "ip", "link", "set", "wan0", "mtu", "1400")
        watching.shows("differs from its file in 1 place", "siteA:wan0            MTU 1500  is 1400")
        here.labctl("exec", "siteB", "--", "ip", "link", "set", "wan0", "down")
        watching.shows("siteA:wan0            no carrier", "siteB:wan0            down")
        watching.resize(40, 120)
        watching.until(lambda lines: lines[39].startswith(" q  quit"), "it fills the larger terminal")
        here.labctl("up", file)
        watching.until(
            lambda lines: not any("differs from its file" in line for line in lines), "it is as its file says"
        )
        pid = here.json("status")["engines"][0]["pid"]
        here.labctl("exec", "siteA", "--", "kill", "-KILL", str(pid))
        watching.shows("siteA:tun0            ended", f"siteA:tun0 ended (PID {pid})")
        here.labctl("down")
        watching.shows("tunnel is down, waiting")
        here.labctl("up", file)
        watching.shows("tunnel up", "siteA:tun0            running")
        watching.type("q")
        ends_well(watching)
    here.labctl("down")


def test_a_terminal_that_has_only_lines_is_told_what_writes_lines(as_user: World) -> None:
    as_user.labctl("up", as_user.file("pair.yaml", PAIR))
    with terminal(as_user, *as_user.command("watch"), env={"TERM": "dumb"}) as watching:
        watching.expect("TERM=dumb has lines only")
        watching.expect("labctl events")
        assert watching.end() == 2
    as_user.labctl("down")


def test_a_check_turns_red_and_green(here: World) -> None:
    file = here.file("pair.yaml", PAIR)
    here.labctl("up", file)
    with screen(here, *here.command("watch")) as watching:
        watching.shows("left:eth0")
        watching.type("v")
        watching.shows("checks: 1 of 1 passed", "pass across")
        here.labctl("exec", "right", "--", "ip", "link", "set", "eth0", "down")
        watching.shows("checks: 1 of 1 did not pass", "FAIL across")
        here.labctl("up", file)
        watching.shows("checks: 1 of 1 passed")
        watching.type("v")
        watching.until(lambda lines: not any(line.startswith("checks:") for line in lines), "there are no checks")
        watching.type("q")
        ends_well(watching)
    here.labctl("down")


def test_packets_are_shown_while_they_are_asked_for(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    with screen(here, *here.command("watch", "--packets"), size=(40, 120)) as watching:
        watching.shows("packets", "none yet")

        def pinged(lines: list[str]) -> bool:
            here.labctl("exec", "left", "--", "ping", "-c", "1", "192.0.2.2")
            told = "right:eth0            in   192.0.2.1 > 192.0.2.2 ICMP echo request, 84 bytes"
            return any(told in line for line in lines)

        watching.until(pinged, "a ping is shown")
        watching.type("p")
        watching.until(lambda lines: not any(line.startswith("packets") for line in lines), "there are no packets")
        watching.type("q")
        ends_well(watching)
    here.labctl("down")


def test_ctrl_c_ends_it_while_there_is_no_lab(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    with screen(here, *here.command("watch")) as watching:
        watching.shows("left:eth0")
        here.labctl("down")
        watching.shows("pair is down, waiting")
        watching.type("\x03")
        ends_well(watching)


def test_sigterm_ends_it(as_user: World) -> None:
    """Also while others look, too, as with labctl watch --verify --packets here."""
    as_user.labctl("up", as_user.file("pair.yaml", PAIR))
    with screen(as_user, *as_user.command("watch", "--verify", "--packets")) as watching:
        watching.shows("left:eth0")
        watching.process.terminate()
        ends_well(watching)
    as_user.labctl("down")


def test_a_terminal_that_is_closed_ends_it(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    with screen(here, *here.command("watch")) as watching:
        watching.shows("left:eth0")
    eventually(lambda: watching.process.poll() is not None, "it has ended")
    here.labctl("down")


def test_ctrl_z_puts_it_aside(as_user: World) -> None:
    as_user.labctl("up", as_user.file("pair.yaml", PAIR))
    with screen(as_user, "bash", "--norc", "--noediting") as watching:
        watching.type(f"{shlex.join(as_user.command('watch'))}\n")
        watching.shows("left:eth0")
        watching.type("\x1a")
        watching.expect(LEAVES_ITS_SCREEN)
        watching.expect("Stopped")
        assert watching.echoes
        as_user.labctl("exec", "left", "--", "ip", "link", "set", "eth0", "down")
        watching.type("fg\n")
        watching.shows("left:eth0             down")
        watching.type("q")
        watching.expect(LEAVES_ITS_SCREEN)
        watching.type("exit\n")
        assert watching.end() == 0
    as_user.labctl("down")


def test_ctrl_z_is_no_end_where_no_shell_could_bring_it_back(as_user: World) -> None:
    as_user.labctl("up", as_user.file("pair.yaml", PAIR))
    with screen(as_user, *as_user.command("watch")) as watching:
        watching.shows("left:eth0")
        watching.type("\x1a")
        watching.expect(LEAVES_ITS_SCREEN)
        watching.expect(ITS_SCREEN)
        watching.type("p")
        watching.shows("hide packets")
        watching.type("q")
        ends_well(watching)
    as_user.labctl("down")


def test_a_lab_of_a_hundred_namespaces_is_watched(as_root: World) -> None:
    as_root.labctl("up", as_root.file("many.yaml", many_namespaces(100)))
    with screen(as_root, *as_root.command("watch")) as watching:
        watching.shows("100 namespaces, 100 interfaces, 81 not shown")
        as_root.labctl("exec", "n77", "--", "ip", "link", "set", "d0", "down")
        watching.shows("n77:d0                down")
        watching.type("q")
        ends_well(watching)
    as_root.labctl("down")


def test_in_a_pipe_it_says_what_to_use(as_user: World) -> None:
    as_user.labctl("up", as_user.file("pair.yaml", PAIR))
    assert "labctl events writes lines" in as_user.labctl("watch", code=2).stderr
    as_user.labctl("down")
