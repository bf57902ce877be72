"""Labs of any size, as topology files: what `up` is timed with.

chain   site - site - site - ...       each with a tunnel to its neighbour
hub     every site has a cable and a tunnel to the first one

Each has a check that a ping crosses its last tunnel.
"""

from __future__ import annotations

from collections.abc import Iterator

PORT = 9000


def chain(sites: int) -> str:
    """Sites in a row; every second pair of neighbours is joined by a tunnel, so that each has one."""
    lines = ["name: chain", "namespaces:"]
    for number in range(sites):
        lines += [f"  s{number}:", "    interfaces:"]
        lines += [f"      d0: {{kind: dummy, addresses: [{_inside(number, 1)}/32]}}"]
        if number:
            lines += [
                f'      left: {{kind: veth, peer: "s{number - 1}:right", addresses: [{_wire(number - 1, 2)}/30]}}'
            ]
        if number < sites - 1:
            cable = f'peer: "s{number + 1}:left", addresses: [{_wire(number, 1)}/30]'
            lines += [f"      right: {{kind: veth, {cable}}}"]
        if _partner(number) < sites:
            lines += [f"      tun0: {{kind: tun, addresses: [{_inside(number, 2)}/32]}}"]
            lines += ["    routes:", f"      - {{to: {_inside(_partner(number), 2)}/32, dev: tun0}}"]
    lines += ["ttun:"]
    for number in range(sites):
        if _partner(number) < sites:
            wire = min(number, _partner(number))
            own, other = (1, 2) if number == wire else (2, 1)
            lines += [_endpoint(f"s{number}", "tun0", _wire(wire, own), _wire(wire, other), PORT)]
    last = sites - 1 - sites % 2
    lines += _check(f"s{last}:tun0", _inside(last - 1, 2), f"s{last - 1}:tun0")
    return "\n".join(lines) + "\n"


def hub(sites: int) -> str:
    """One site in the middle, and a cable and a tunnel from it to each other one."""
    spokes = range(1, sites)
    lines = ["name: hub", "namespaces:", "  s0:", "    interfaces:"]
    # The first interface: what leaves through a tunnel without an address has the one of this as its source.
    lines += [f"      d0: {{kind: dummy, addresses: [{_inside(0, 1)}/32]}}"]
    for number in spokes:
        lines += [f'      w{number}: {{kind: veth, peer: "s{number}:wan0", addresses: [{_wire(number, 1)}/30]}}']
        lines += [f"      t{number}: {{kind: tun}}"]
    lines += ["    routes:", *(f"      - {{to: {_inside(number, 2)}/32, dev: t{number}}}" for number in spokes)]
    for number in spokes:
        lines += [f"  s{number}:", "    interfaces:"]
        lines += [f"      d0: {{kind: dummy, addresses: [{_inside(number, 1)}/32]}}"]
        lines += [f'      wan0: {{kind: veth, peer: "s0:w{number}", addresses: [{_wire(number, 2)}/30]}}']
        lines += [f"      tun0: {{kind: tun, addresses: [{_inside(number, 2)}/32]}}"]
        lines += ["    routes:", f"      - {{to: {_inside(0, 1)}/32, dev: tun0}}"]
    lines += ["ttun:", *(line for number in spokes for line in _both_ends(number))]
    lines += _check(f"s{sites - 1}:tun0", _inside(0, 1), f"s0:t{sites - 1}")
    return "\n".join(lines) + "\n"


def _both_ends(number: int) -> Iterator[str]:
    near, far = _wire(number, 1), _wire(number, 2)
    yield _endpoint("s0", f"t{number}", near, far, PORT)
    yield _endpoint(f"s{number}", "tun0", far, near, PORT)


def _partner(number: int) -> int:
    return number ^ 1


def _inside(number: int, last: int) -> str:
    return f"10.{1 + number // 256}.{number % 256}.{last}"


def _wire(number: int, end: int) -> str:
    return f"172.16.{number // 64}.{number % 64 * 4 + end}"


def _endpoint(space: str, device: str, bind: str, peer: str, port: int) -> str:
    return f'  - {{device: "{space}:{device}", bind: "{bind}:{port}", peer: "{peer}:{port}"}}'


def _check(device: str, to: str, other: str) -> list[str]:
    ping = f"ping: {{from: {device.partition(':')[0]}, to: {to}}}"
    return ["checks:", f'  - {{name: across, {ping}, crosses: ["{device}", "{other}"]}}']
