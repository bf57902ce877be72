"""Where the command begins: `labctl`, and `python -m labctl` where that is not on the path."""

from __future__ import annotations

import gc
import os
import sys

COLLECT_AFTER = 200_000
"""Objects after which the collector looks for garbage.

By default it looks hundreds of times while modules are loaded, and finds none. No command gets that far at a small lab.
"""
INTERRUPTED = 130
"""ExitCode.INTERRUPTED, before its module is loaded."""


def main() -> None:
    """Run the command line, and end with its exit code."""
    match sys.argv[1:]:
        case ["agent", "-c", code, *words]:  # of ssh, on one of several hosts: python -c (hosts/link.py)
            sys.argv = ["-c", *words]
            exec(code, {"__name__": "__main__"})
            sys.exit()
        case ["signal", note, number] if number.isdecimal():  # of ssh, too (hosts/passing_on.py)
            from labctl.hosts.by_note import send_signal

            sys.exit(not send_signal(note, int(number)))
    gc.set_threshold(COLLECT_AFTER)
    try:
        from labctl.cli import main as run

        run()
    except KeyboardInterrupt:  # while modules are loaded, before the command line can tell it
        os.write(2, b"interrupted\n")
        os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
