"""Impairments of a running engine, changed and shown."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.engine.control import ask
from labctl.engine.impair_words import Impairment
from labctl.errors import KernelRefused, UsageError, kernel_words
from labctl.lab.state import existing
from labctl.topology.mistakes import nearest

Changes = Mapping[str, Mapping[str, object] | None]
"""By direction, out or in, what is to change; None takes every impairment away."""


def impair(lab: str, device: str, changes: Changes) -> dict[str, Impairment]:
    """Change what packets of an endpoint suffer; gives what is in force, by direction. No changes: only ask.

    Raises UsageError for a wrong wish or a device without a built-in engine, KernelRefused where the engine is silent.
    """
    state = existing(lab)
    known = state.read().engines
    if device not in known:
        near = nearest(device, known)
        raise UsageError(
            f"lab {lab} has no engine on {device!r}",
            f"it has: {', '.join(known) or 'none'}",
            f"did you mean {near!r}?" if near else "",
        )
    try:
        return ask(state.control_of(device), changes)
    except ValueError as error:
        raise UsageError(str(error), "", "as tc netem writes it: --delay 50ms --loss 10% --rate 10mbit") from None
    except FileNotFoundError:
        raise UsageError(
            f"the engine of {device} cannot impair", "it is not the built-in one", "leave `engine:` out of the file"
        ) from None
    except OSError as error:
        raise KernelRefused(
            f"the engine of {device} does not answer", kernel_words(error), "labctl status, labctl logs"
        ) from None
