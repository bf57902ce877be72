"""`python -m labctl`, for where the command itself is not on the path."""

from labctl.cli import main

main()
