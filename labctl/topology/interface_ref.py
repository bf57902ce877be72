"""An interface by its full name."""

from __future__ import annotations

from typing import NamedTuple


class InterfaceRef(NamedTuple):
    """An interface of a lab, written NAMESPACE:INTERFACE."""

    namespace: str
    interface: str

    def __str__(self) -> str:
        return f"{self.namespace}:{self.interface}"
