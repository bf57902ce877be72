"""Filters in the words of tcpdump."""

from __future__ import annotations

import pytest

from labctl.errors import MachineError
from labctl.kernel import packet_filter


def test_where_libpcap_is_missing_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet_filter, "_NAMES", ("libpcap.so.of-another-machine",))
    with pytest.raises(MachineError, match="install it"):
        packet_filter.compiled("icmp")
