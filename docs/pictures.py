"""The pictures of the README and of the pages: `python -m docs.pictures DIRECTORY` makes them all, from real output."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from docs.picture import REPO, Session, terminal, written

LAB_FILE = "pair.yaml"


def lab_file() -> str:
    """Return the text of the lab's file, which the README shows."""
    found = re.search(rf"^```yaml {LAB_FILE}\n(.*?)^```$", (REPO / "README.md").read_text(), re.M | re.S)
    assert found, f"the README shows {LAB_FILE}"
    return found[1]


README = Session(
    (
        "labctl up pair.yaml",
        "labctl verify",
        "labctl exec right -- ip link set tun0 down",
        "labctl verify",
        "labctl down",
    ),
    files={LAB_FILE: lab_file()},
)
DIAGNOSIS = Session(
    (
        "labctl exec siteB -- ip route add blackhole 10.0.1.1",
        "labctl verify ping-across-a-to-b",
    ),
    before=("labctl up two-site",),
)
FILE = Session(("labctl graph two-site -o lab.svg",))
BROKEN = Session(
    (
        "labctl impair siteA:tun0 --delay 50ms --loss 10%",
        "labctl exec siteB -- ip link set wan0 down",
        "labctl graph -o lab.svg",
    ),
    before=("labctl up two-site",),
)

PICTURES: Mapping[str, Callable[[], str]] = {
    "labctl.svg": partial(terminal, README),
    "diagnosis.svg": partial(terminal, DIAGNOSIS),
    "two-site.svg": partial(written, FILE, "lab.svg"),
    "two-site-broken.svg": partial(written, BROKEN, "lab.svg"),
}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        Path(sys.argv[1], name).write_text(draw(), encoding="utf-8")
