"""What this machine can do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from labctl.api.calls import operate
from labctl.api.client import client

if TYPE_CHECKING:
    from labctl.rootless.userns_diagnosis import Diagnosis


def doctor() -> tuple[Diagnosis, ...]:
    """Find out what this machine can do, by trying it. Return a row for each thing, with what helps where it lacks."""
    return tuple(client().do(partial(operate.doctor, None)))
