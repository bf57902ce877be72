"""Where the command `ttun` begins: Ctrl-C ends it quietly, also while its modules are loaded."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command and return its exit code."""
    try:
        from labctl.engine.ttun import main as run

        return run()
    except KeyboardInterrupt:
        return 130  # as shells have it


if __name__ == "__main__":
    sys.exit(main())
