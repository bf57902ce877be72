"""Following a lab while it runs: who looks, each in a process of its own, and how their readings come together."""
