"""`python -m labctl.cli` is `labctl`."""

from labctl.cli import main

main()
