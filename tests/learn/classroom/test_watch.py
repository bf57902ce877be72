"""`labctl class --watch`: the same table, again and again, on the whole terminal."""

from __future__ import annotations

import os
import pty
import re
import signal
import struct
import termios
from fcntl import ioctl

from tests.e2e.world import eventually
from tests.learn.classroom.conftest import needs_root
from tests.learn.classroom.school import school


def test_watch_shows_what_comes_and_goes() -> None:
    needs_root()
    with school(2) as made:
        alice, bob = made.students
        alice.labctl("up", "two-site")
        near, far = pty.openpty()
        ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        words = ("class", "--watch", "--quick", "--every", "0.1")
        with made.teacher.start_labctl(*words, stdin=far, stdout=far, stderr=far, env={"TERM": "xterm"}) as watching:
            os.close(far)
            screen = ""

            def shows(words: str) -> bool:
                nonlocal screen
                screen = (screen + os.read(near, 1 << 16).decode(errors="replace"))[-20_000:]
                return bool(re.search(words, screen))

            eventually(lambda: shows("alice +two-site"), "alice is shown")
            bob.labctl("up", "two-site")
            eventually(lambda: shows("bob +two-site"), "bob is shown")
            watching.send_signal(signal.SIGINT)
            while watching.poll() is None:
                try:
                    os.read(near, 1 << 16)
                except OSError:  # its other end is closed
                    break
            assert watching.wait(20) == 0
        os.close(near)
        assert "draws on a terminal" in made.teacher.labctl("class", "--watch", code=2).stderr
