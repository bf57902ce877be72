"""Capture: the packets of one interface of a lab, as they come."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import closing, contextmanager

from labctl.errors import KernelRefused, UsageError, kernel_words
from labctl.kernel.packet_capture import PacketCapture
from labctl.lab.names import meant, namespaces_of
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.unknown_names import no_such


@contextmanager
def capture(lab: str, interface: str) -> Iterator[PacketCapture]:
    """Yield a capture of NS:INTERFACE.

    Raise UsageError where there is no such interface, KernelRefused where its packets cannot be seen.
    """
    typed, device = InterfaceRef.typed(interface)
    known = namespaces_of(lab)
    namespace = meant(lab, typed, known)
    if not (namespace and device):
        raise no_such(
            f"{interface!r} is no interface of lab {lab}",
            typed,
            known,
            among="write NAMESPACE:INTERFACE; its namespaces",
            hint="labctl status shows them",
            written=lambda near: f"{near}:{device or 'tun0'}",
        )
    try:
        found = PacketCapture(namespace, device)
    except OSError as error:
        if error.errno == errno.ENODEV:
            what = f"{namespace} has no interface {device!r}"
            raise UsageError(what, "", "labctl status shows what it has") from None
        raise KernelRefused(f"the packets of {interface} cannot be seen", kernel_words(error)) from error
    with closing(found):
        yield found
