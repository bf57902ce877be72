"""What the pages take from the code: run by `make docs`, held by tests/docs."""
