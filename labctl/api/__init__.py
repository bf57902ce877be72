"""labctl from Python. What a call does is done in another process; the command line does the same in its own."""
