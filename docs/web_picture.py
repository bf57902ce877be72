"""The picture of the live page: `python -m docs.web_picture FILE.png` looks at a real lab with Chromium, once.

No two are alike, for packets move and their times differ. So it is made by hand when the page has changed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.browser import browser

LABCTL = (sys.executable, "-m", "labctl")
LAB = "two-site"
WIDTH, HEIGHT = 1280, 720
SHOWN = (
    "document.querySelector('#picture .dot.ICMP') !== null",
    "/[1-9]\\d* pkt/.test(document.querySelector('#rates td').textContent)",
    "document.querySelectorAll('#ping .ladder .decapsulated').length === 2",
)
"""What the page shows when it is looked at: packets that move, rates, and the ladder of a ping."""


def main(file: Path) -> None:
    """Write what the page shows of a ping through the tunnel of a lab."""
    subprocess.run([*LABCTL, "up", LAB], check=True)
    try:
        with _served() as address, browser() as page:
            page.look(WIDTH, HEIGHT, {"prefers-color-scheme": "light"})
            page.open(address)
            with _started("exec", "-l", LAB, "siteA", "--", "ping", "-i", "0.3", "10.0.102.1"):
                for expression in SHOWN:
                    page.wait_for(expression)
                page.wait_for(SHOWN[0])
                page.picture(file)
    finally:
        subprocess.run([*LABCTL, "down", "-l", LAB], check=True)


@contextmanager
def _served() -> Iterator[str]:
    with _started("watch", "-l", LAB, "--web", "127.0.0.1:0", "--verify") as process:
        assert process.stdout is not None
        found = re.search(r"http://[^; ]+", process.stdout.readline())
        assert found, "labctl watch --web prints its address"
        yield found[0]


@contextmanager
def _started(*words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([*LABCTL, *words], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
