"""What the protocols of a namespace have counted (proc(5): net/snmp, net/netstat, net/snmp6, net/xfrm_stat).

The names are those of nstat(8), such as UdpNoPorts, IpExtInNoRoutes, TcpExtIPReversePathFilter and Ip6InNoRoutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

_IN_TWO_LINES, _IN_ONE_LINE = ("snmp", "netstat"), ("snmp6", "xfrm_stat")


def counters() -> dict[str, int]:
    """Return the counters of this thread's namespace; those of a protocol that the kernel lacks are left out."""
    return dict(_counters())


def _counters() -> Iterator[tuple[str, int]]:
    for names in _IN_TWO_LINES:
        lines = iter(_lines(names))
        for heading, values in zip(lines, lines, strict=True):
            protocol, _, fields = heading.partition(":")
            for name, value in zip(fields.split(), values.split()[1:], strict=True):
                yield protocol + name, int(value)
    for names in _IN_ONE_LINE:
        for line in _lines(names):
            name, value = line.split()
            yield name, int(value)


def _lines(file: str) -> Iterable[str]:
    with suppress(FileNotFoundError):
        return Path("/proc/thread-self/net", file).read_text().splitlines()
    return ()


def moved(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Return the counters that have changed, by how much; one that is new began at 0."""
    return {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)}
