"""Who serves the page of the lab, and looks at it as a browser does: `python -m benchmarks.viewer`."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from urllib.request import urlopen


def main() -> None:
    """Read the events of the page until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    command = [sys.executable, "-m", "labctl", "watch", "--web", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        try:
            found = re.search(r"http://[^;]+", served.stdout.readline())
            assert found, "labctl watch --web prints its address"
            with urlopen(f"{found[0]}events") as events:
                print("looking", flush=True)
                while events.readline():
                    pass
        finally:
            served.terminate()


if __name__ == "__main__":
    main()
