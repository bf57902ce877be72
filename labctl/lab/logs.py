"""What the engines said, read as it is written."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from labctl.errors import UsageError
from labctl.lab.state import existing
from labctl.topology.mistakes import nearest

PAUSE = 0.1
"""Seconds between two looks at the logs when following."""


def lines(lab: str, devices: Sequence[str], follow: bool) -> Iterator[str]:
    """The lines of the engines' logs, each with its device in front where there are several.

    Raises UsageError for a device without an engine.
    """
    state = existing(lab)
    known = state.read().engines
    for device in devices:
        if device not in known:
            near = nearest(device, known)
            raise UsageError(
                f"lab {lab} has no engine on {device!r}",
                f"it has: {', '.join(known) or 'none'}",
                f"did you mean {near!r}?" if near else "",
            )
    chosen = [device for device in known if not devices or device in devices]
    width = max((len(device) for device in chosen), default=0)
    read = dict.fromkeys(chosen, 0)
    while True:
        for device in chosen:
            with state.log_of(device).open("rb") as log:
                log.seek(read[device])
                text = log.read()
            whole = text[: text.rfind(b"\n") + 1]
            read[device] += len(whole)
            for line in whole.decode(errors="replace").splitlines():
                yield f"{device.ljust(width)}  {line}" if len(chosen) > 1 else line
        if not follow:
            return
        time.sleep(PAUSE)
