"""An interface by its full name."""

from __future__ import annotations

from typing import NamedTuple


class InterfaceRef(NamedTuple):
    """An interface of a lab, written NAMESPACE:INTERFACE."""

    namespace: str
    interface: str

    @classmethod
    def typed(cls, text: str) -> InterfaceRef:
        """Return what a person has typed; of text that is no NAMESPACE:INTERFACE a part is empty."""
        namespace, _, interface = text.partition(":")
        return cls(namespace, interface)

    def __str__(self) -> str:
        return f"{self.namespace}:{self.interface}"
