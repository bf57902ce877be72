"""Where the command begins: `labctl`, and `python -m labctl` where that is not on the path."""

from __future__ import annotations

import gc

COLLECT_AFTER = 200_000
"""Objects after which the collector looks for garbage.

By default it looks hundreds of times while modules are loaded, and finds none. No command gets that far at a small lab.
"""


def main() -> None:
    """Run the command line, and end with its exit code."""
    gc.set_threshold(COLLECT_AFTER)
    from labctl.cli import main as run

    run()


if __name__ == "__main__":
    main()
