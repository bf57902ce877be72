"""How many descriptors a process may have open (RLIMIT_NOFILE, setrlimit(2)).

Most systems let a process begin with 1024, for the sake of programs that use select(2), and raise that itself as far as
its hard limit. A lab takes two for each namespace while it is made.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def many_descriptors() -> Iterator[None]:
    """Raise the limit of open descriptors to the hard limit in the body."""
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Refused where the hard limit is over fs.nr_open; the limit then stays as it was.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (usual[1], usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)
