"""Capture: the packets of one interface of a lab, as they come."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import closing, contextmanager

from labctl.errors import KernelRefused, UsageError, kernel_words
from labctl.kernel.packet_capture import PacketCapture
from labctl.lab.state import existing
from labctl.topology.mistakes import nearest


@contextmanager
def capture(lab: str, interface: str) -> Iterator[PacketCapture]:
    """A tap on NS:INTERFACE. Raises UsageError where there is none such, KernelRefused where it goes away."""
    namespace, _, device = interface.partition(":")
    known = existing(lab).read().namespaces
    names = [name for name in (namespace, f"{lab}-{namespace}") if name in known]
    if not (names and device):
        near = nearest(namespace, known)
        raise UsageError(
            f"{interface!r} is no interface of lab {lab}",
            f"write NAMESPACE:INTERFACE; its namespaces: {', '.join(known)}",
            f"did you mean {near}:{device or 'tun0'}?" if near else "labctl status shows them",
        )
    try:
        tap = PacketCapture(names[0], device)
    except OSError as error:
        if error.errno == errno.ENODEV:
            raise UsageError(f"{names[0]} has no interface {device!r}", "", "labctl status shows what it has") from None
        raise KernelRefused(f"the packets of {interface} cannot be seen", kernel_words(error)) from error
    with closing(tap):
        yield tap
