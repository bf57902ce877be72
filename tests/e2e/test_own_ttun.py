"""The battery of lesson 10 finds what is wrong with a forwarder, and nothing wrong with one that is right."""

from __future__ import annotations

import sys

import yaml

from labctl.learn.lesson.load import load
from labctl.learn.lesson.shipped import find
from tests.e2e.world import World, running

FOLDER = find("own-ttun")
SOLUTION = (FOLDER / "solution.py").read_text()
ARGUMENTS = ["tun0", "10.0.1.1", "9000", "10.0.2.1", "9000"]
LOOP = "while True:\n"

# What is made wrong in the solution, the test that finds it, and what that says.
WRONG = [
    ([(" | IFF_NO_PI", "")], "wire", "with IFF_NO_PI?"),
    ([("udp.send(packet)", "udp.send(b'\\0\\0\\x08\\0' + packet)")], "wire", "begins with 00 00 08 00"),
    ([("udp.send(packet)", "udp.send(packet + b'.')")], "wire", "an IP packet of 284 bytes came in a datagram of 285"),
    ([("udp.bind(bind)", "udp.bind((bind_ip, 0))")], "wire", "no reply came"),
    ([("udp.recv(65535)", "udp.recv(1024)")], "mtu", "no reply came to a packet of 1028 bytes"),
    ([("udp.send(packet)", "udp.send(packet[:1024])")], "mtu", "in a datagram of 1024"),
    (
        [(LOOP, f"held = []\n{LOOP}"), ("udp.send(packet)", "held.append(packet)\n            if len(held) == 2:\n"
         "                udp.send(held.pop())\n                udp.send(held.pop())")],
        "order", "reply 2 with 16 bytes came, in place of 1 with 16",
    ),
    ([("udp.connect(peer)", ""), ("udp.send(packet)", "udp.sendto(packet, peer)")], "strangers", "another address"),
    ([("with suppress(OSError):  # the", "if True:  # the")], "empty", "after an empty datagram no reply"),
    ([("suppress(OSError)", "suppress(BlockingIOError)")], "absent", "after its peer was absent"),
]  # fmt: skip


def battery(here: World, program: str, *tests: str, code: int) -> str:
    """What the battery says of a forwarder in siteA, or of one of its tests."""
    program = program.replace(LOOP, f'print("ready", flush=True)\n{LOOP}', 1)
    with running(here, "siteA", f"import sys\nsys.argv[1:] = {ARGUMENTS}\n{program}"):
        ended = here.labctl("exec", "siteB", "--", sys.executable, str(FOLDER / "conformance.py"), *tests, code=code)
    return ended.stdout + ended.stderr


def test_the_battery_tells_right_from_wrong(as_user: World) -> None:
    lab = load(FOLDER, 1).labs[0].written()
    as_user.labctl("up", as_user.file("own.yaml", yaml.safe_dump(lab)))
    assert battery(as_user, SOLUTION, code=0).count("as it should be") == 6
    for changes, test, words in WRONG:
        program = SOLUTION
        for right, wrong in changes:
            assert right in program
            program = program.replace(right, wrong)
        assert words in battery(as_user, program, test, code=1), (changes, test)
    as_user.labctl("down")


def test_the_solution_is_thirty_lines_and_the_skeleton_lacks_what_the_steps_add() -> None:
    skeleton = (FOLDER / "ttun.py").read_text()
    assert len(SOLUTION.splitlines()) <= 30 and len(skeleton.splitlines()) <= 30
    common = set(SOLUTION.splitlines()) & set(skeleton.splitlines())
    assert {"udp.bind(bind)", "    if tun in ready:", "    if udp in ready:"} <= common
