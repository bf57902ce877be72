"""A lab without any right: the user namespace that it lives in, and the process that holds it."""
