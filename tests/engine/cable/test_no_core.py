"""No process that has a key leaves a core."""

from __future__ import annotations

import os
import resource

import pytest

from labctl.engine.cable.no_core import dump_no_core
from labctl.engine.drop_privileges import NOBODY


@pytest.mark.parametrize(("hard", "limit"), [(4096, 1), (1, 1), (0, 0)])
def test_the_limit_is_one_that_keeps_a_core_from_files_and_programs(hard: int, limit: int) -> None:
    if hard and os.geteuid() and not resource.getrlimit(resource.RLIMIT_CORE)[1]:
        pytest.skip("no process here may have a core")
    pid = os.fork()
    if not pid:
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
            if os.geteuid() == 0:
                os.setuid(NOBODY)  # root may raise any limit
            dump_no_core()
            os._exit(0 if resource.getrlimit(resource.RLIMIT_CORE) == (limit, limit) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
