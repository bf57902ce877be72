"""The impairments of a built-in engine, changed and asked for while it runs, through the socket that it listens on."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.engine.control import ask
from labctl.engine.packets.impairment import Impairment
from labctl.errors import KernelRefused, UsageError, kernel_words
from labctl.lab.state import State
from labctl.topology.interface_ref import InterfaceRef

Changes = Mapping[str, Mapping[str, object] | None]
"""By direction, out or in, what is to change; None takes every impairment away."""


def impair(device: InterfaceRef, state: State, changes: Changes) -> dict[str, Impairment]:
    """Change what the engine of a device does to packets. Return what is in force then, by direction.

    Raise ValueError for a value that is no impairment, UsageError for an engine that is not the built-in one,
    KernelRefused where the engine does not answer.
    """
    try:
        return ask(state.control_of(device), changes)
    except FileNotFoundError:
        raise UsageError(
            f"the engine of {device} cannot impair", "it is not the built-in one", "leave `engine:` out of the file"
        ) from None
    except OSError as error:
        raise KernelRefused(
            f"the engine of {device} does not answer", kernel_words(error), "labctl status, labctl logs"
        ) from None
