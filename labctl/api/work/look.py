"""Work that follows what is on this machine of a lab, for whoever puts it together with what is on others."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from labctl.api.caller import Caller

if TYPE_CHECKING:
    from labctl.lab.live.watch import Work


def look(lab: str, works: Mapping[str, Work], caller: Caller) -> None:
    """Have some look at a lab, and tell what they read in lists of stamped readings, until this is interrupted.

    Raise UsageError once it is another one than is meant.
    """
    from labctl.lab.live.watch import Watch
    from labctl.lab.names import refuse_another
    from labctl.lab.own_labs import context_of, own_labs
    from labctl.live.readings import NotThere, Recorded

    if lab in own_labs():
        context_of(lab)
    else:
        caller.tell([(time.time(), NotThere())])
    with Watch(lab, works) as watch:
        for moment in watch.moments():
            for _, reading in moment.read:
                if isinstance(reading, Recorded):
                    refuse_another(lab, reading.mark)
            if moment.read:
                caller.tell([*moment.read])
