"""What this machine can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.api.client import client
from labctl.api.work import operate

if TYPE_CHECKING:
    from labctl.rootless.userns_diagnosis import Diagnosis


def doctor() -> tuple[Diagnosis, ...]:
    """Find out what this machine can do, by trying it. Return a row for each thing, with what helps where it lacks."""
    return tuple(client().do(operate.doctor))
