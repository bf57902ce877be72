"""Faults that lie between hosts, as data: what a person does there, what labctl has to say of it, and what mends it.

Nothing of it goes through labctl, which has to find it out. Each fault of a cable has one of its own, of its name, from
`left` on srv1 to `right` on srv2. So all of them are there at once, and what is said of one may not be said of another.
Those of a host are there one after the other.

A command is run on a machine, near, srv1 or srv2, as root in its own network namespace; or in a namespace of the lab,
left or right. In it ENGINE stands for the PID of the engine of the end that is on that host, ENVIRONMENT for that of
the lab there, PORT[left] and PORT[right] for the UDP ports of the cable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labctl.diagnosis.reasons import Reason
from tests.hosts.machines import USER

Commands = tuple[tuple[str, str], ...]
HOST_OF = {"left": "srv1", "right": "srv2"}


@dataclass(frozen=True)
class Fault:
    """Something wrong with one cable.

    `left` and `right` are what `status` says of its ends. `hop`, `reason` and `why` are what `verify` says of the check
    that crosses it, none where that passes: what carries on is no failure. `counted` is a counter of the right end that
    is not 0 then. Undone by `undo` it heals by itself, without it by `labctl up`.
    """

    name: str
    inject: Commands
    left: str
    right: str
    hop: str = ""
    reason: Reason | None = None
    why: str = ""
    counted: str = ""
    undo: Commands = ()

    def without_carrier(self, end: str) -> bool:
        """Return whether an end has no carrier then."""
        told = self.left if end == "left" else self.right
        return told.startswith(_DARK)


def rule(name: str, host: str, hook: str, what: str) -> tuple[Commands, Commands]:
    """Return the commands that add a rule to the firewall of a host, and take it away again."""
    chain = f"add chain ip {name} c {{ type filter hook {hook} priority 0 ; }}"
    added = f"nft 'add table ip {name}; {chain}; add rule ip {name} c {what}'"
    return ((host, added),), ((host, f"nft delete table ip {name}"),)


def firewall(name: str, host: str, hook: str, what: str, **told: Any) -> Fault:
    """Return a fault that is a rule of the firewall of a host."""
    inject, undo = rule(name, host, hook, what)
    return Fault(name, inject, undo=undo, **told)


_BOTH = (
    rule("both", "srv2", "input", "udp dport PORT[right] drop"),
    rule("both", "srv1", "input", "udp dport PORT[left] drop"),
)
_HEARD = "which does not hear this end"
_JOINED = "joined with"
_DARK = ("hears", "nothing comes", "its engine has ended", _HEARD, "but only", "where", "datagrams")
"""How `status` begins to tell of an end that has no carrier."""

OF_A_CABLE = (
    firewall(
        "out", "srv2", "input", "udp dport PORT[right] drop",
        left=f"hears srv2 (10.77.0.3:PORT[right]), {_HEARD}",
        right="nothing comes from srv1 (10.77.0.2:PORT[left]) to UDP port PORT[right]",
        hop="right:out", reason=Reason.NO_CARRIER,
        why="what srv1 sends to UDP port PORT[right] of srv2 does not arrive",
    ),
    firewall(
        "in", "srv1", "input", "udp dport PORT[left] drop",
        left="nothing comes from srv2 (10.77.0.3:PORT[right]) to UDP port PORT[left]",
        right=f"hears srv1 (10.77.0.2:PORT[left]), {_HEARD}",
        hop="left:in", reason=Reason.NO_CARRIER, why="what srv2 sends to UDP port PORT[left] of srv1 does not arrive",
    ),
    Fault(
        "both", _BOTH[0][0] + _BOTH[1][0],
        left="nothing comes from srv2 (10.77.0.3:PORT[right]) to UDP port PORT[left]",
        right="nothing comes from srv1 (10.77.0.2:PORT[left]) to UDP port PORT[right]",
        hop="left:both", reason=Reason.NO_CARRIER, why="nothing arrives between srv1 and srv2, in either direction",
        undo=_BOTH[0][1] + _BOTH[1][1],
    ),
    firewall(  # answers by ICMP, which anyone could: what counts is what does not arrive
        "rejected", "srv2", "input", "udp dport PORT[right] reject",
        left=_HEARD, right="nothing comes from srv1",
        hop="right:rejected", reason=Reason.NO_CARRIER,
        why="what srv1 sends to UDP port PORT[right] of srv2 does not arrive",
    ),
    firewall(
        "own", "srv1", "output", "udp sport PORT[left] drop",
        left=f"{_HEARD}; this host does not send: Operation not permitted", right="nothing comes from srv1",
        hop="left:own", reason=Reason.FIREWALL,
        why="srv1 does not send to UDP port PORT[right] of srv2: Operation not permitted",
    ),
    firewall(  # a path that takes less than the interfaces of its ends, and says nothing of it by ICMP
        "narrow", "srv2", "input", "udp dport PORT[right] meta length > 1100 drop",
        left="path MTU 1100: packets over 1034 bytes travel in several datagrams", right="path MTU 1500",
    ),
    firewall(
        "small", "srv2", "input", "udp dport PORT[right] meta length > 300 drop",
        left="but only small datagrams arrive there", right=_JOINED,
        hop="left:small", reason=Reason.MTU_BLACK_HOLE, why="only small datagrams from srv1 arrive on srv2",
    ),
    firewall(
        "translated", "srv1", "postrouting", "udp sport PORT[left] udp sport set 55555",
        left=_HEARD, right="datagrams from a stranger, from port 55555 of srv1", counted="in_not_from_peer",
        hop="right:translated", reason=Reason.STRANGER,
        why="what srv1 sends to UDP port PORT[right] of srv2 does not arrive",
    ),
    firewall(  # a byte of each datagram is changed on the way
        "changed", "srv1", "postrouting", "udp sport PORT[left] @th,136,8 set 0xff",
        left=_HEARD, right="datagrams not sealed with the key of this cable", counted="in_not_authentic",
        hop="right:changed", reason=Reason.CORRUPTED,
        why="what srv1 sends to UDP port PORT[right] of srv2 does not arrive",
    ),
    firewall(
        "twice", "srv1", "postrouting", "udp sport PORT[left] dup to 10.77.0.3",
        left=_JOINED, right=_JOINED, counted="in_replayed",
    ),
    firewall(  # three of ten: a ping loses some
        "lost", "srv2", "input", "udp dport PORT[right] numgen inc mod 10 < 3 drop",
        left=_JOINED, right=_JOINED, hop="right:lost", reason=Reason.ENGINE_DROP, counted="lost_datagrams",
    ),
    Fault(
        "ended-left", (("srv1", "kill -KILL ENGINE"),),
        left="its engine has ended: labctl up starts it again", right="nothing comes from srv1",
        hop="left:ended-left", reason=Reason.ENGINE_ENDED, why="the engine of the cable has ended on srv1",
    ),
    Fault(
        "ended-right", (("srv2", "kill -KILL ENGINE"),),
        left="nothing comes from srv2", right="its engine has ended: labctl up starts it again",
        hop="right:ended-right", reason=Reason.ENGINE_ENDED, why="the engine of the cable has ended on srv2",
    ),
    Fault(
        "stopped", (("srv1", "kill -STOP ENGINE"),),
        left="its engine is stopped (SIGSTOP)", right="nothing comes from srv1",
        hop="left:stopped", reason=Reason.ENGINE_STOPPED, why="the engine of the cable is stopped on srv1",
        undo=(("srv1", "kill -CONT ENGINE"),),
    ),
    Fault(
        "down", (("left", "ip link set dev down down"),),
        left=_JOINED, right="where left:down is down",
        hop="left:down", reason=Reason.LINK_DOWN, why="left:down is down",
        undo=(("left", "ip link set dev down up"),),
    ),
    Fault(
        "address", (("right", "ip address flush dev address"),),
        left=_JOINED, right=_JOINED, hop="right:address", reason=Reason.ADDRESS_MISSING,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What a command says, beside other things, and its exit code."""

    code: int
    words: tuple[str, ...]


@dataclass(frozen=True)
class OfHost:
    """Something wrong with a host, or on the way to it, that concerns all cables.

    `verify` is what `why` says, too, where the check does not pass. `dark` is whether they lose their carriers then.
    Undone by `undo` it heals by itself, without it by `labctl up`.
    """

    name: str
    inject: Commands
    status: Said
    verify: Said | None = None
    undo: Commands = ()
    dark: bool = False


_NEIGHBOUR = "10.77.0.3 lladdr 02:00:00:00:00:99 dev eth0"
_LABCTL = f"/home/{USER}/.local/bin/labctl"
_RECORD = f"/home/{USER}/.local/state/labctl/between.json"
_NO_SSHD, _SSHD_AGAIN = rule("nosshd", "srv2", "input", "tcp dport 22 reject with tcp reset")
_AS_ITS_FILE_SAYS = "as its file says, but for srv2: not reached"

OF_A_HOST = (
    OfHost(
        "no route", (("srv1", "ip route add unreachable 10.77.0.3"),),
        status=Said(0, (
            "left:out: hears srv2 (10.77.0.3:PORT[right]), which does not hear this end; this host does not send: "
            "No route to host",
            "right:out: nothing comes from srv1",
        )),
        verify=Said(1, ("srv1 does not send to UDP port PORT[right] of srv2: No route to host",)),
        undo=(("srv1", "ip route del unreachable 10.77.0.3"),), dark=True,
    ),
    OfHost(  # srv1 has learned the MAC address of a machine that has the same IP address
        "address taken by another machine", (("srv1", f"ip neighbour replace {_NEIGHBOUR} nud permanent"),),
        status=Said(0, (f"left:out: hears srv2 (10.77.0.3:PORT[right]), {_HEARD}", "right:out: nothing comes from")),
        verify=Said(1, ("what srv1 sends to UDP port PORT[right] of srv2 does not arrive",)),
        undo=(("srv1", "ip neighbour del 10.77.0.3 dev eth0"),), dark=True,
    ),
    OfHost(
        "smaller MTU", (("srv2", "ip link set dev eth0 mtu 1280"),),
        status=Said(0, ("path MTU 1280: packets over 1214 bytes travel in several datagrams",)),
        verify=Said(0, ("all passed",)),
        undo=(("srv2", "ip link set dev eth0 mtu 1500"),),
    ),
    OfHost(
        "another address",
        (("srv2", "ip address add 10.77.0.33/24 dev eth0 && ip address del 10.77.0.3/24 dev eth0"),),
        status=Said(0, ("not reached on srv2: right", "ssh: connect to host 10.77.0.3", _AS_ITS_FILE_SAYS,
                        "left:out: nothing comes from srv2 (10.77.0.3:PORT[right])")),
        undo=(("srv2", "ip address flush dev eth0 && ip address add 10.77.0.3/24 dev eth0"),), dark=True,
    ),
    OfHost(
        "link down", (("srv2", "ip link set dev eth0 down"),),
        status=Said(0, ("not reached on srv2: right", "ssh: connect to host 10.77.0.3", _AS_ITS_FILE_SAYS)),
        undo=(("srv2", "ip link set dev eth0 up"),), dark=True,
    ),
    OfHost(  # the lab is well, and so are its cables
        "no sshd", _NO_SSHD,
        status=Said(0, ("not reached on srv2: right", "Connection refused", "left:out: joined with srv2",
                        _AS_ITS_FILE_SAYS)),
        verify=Said(5, ("srv2 cannot be reached", "Connection refused")),
        undo=_SSHD_AGAIN,
    ),
    OfHost(
        "another labctl", (("srv2", f"mv {_LABCTL} {_LABCTL}.usual"),),
        status=Said(0, ("not reached on srv2: right", "labctl: not found", "left:out: joined with srv2")),
        verify=Said(3, ("labctl is not installed on srv2", "ssh srv2 pipx install")),
        undo=(("srv2", f"mv {_LABCTL}.usual {_LABCTL}"),),
    ),
    OfHost(
        "damaged record", (("near", f"cp -p {_RECORD} {_RECORD}.usual && echo '{{' > {_RECORD}"),),
        status=Said(3, ("between.json", "it is damaged")),
        verify=Said(3, ("between.json", "it is damaged")),
        undo=(("near", f"mv {_RECORD}.usual {_RECORD}"),),
    ),
    OfHost(
        "no record", (("near", f"mv {_RECORD} {_RECORD}.usual"),),
        status=Said(2, ("no lab is running",)),
        verify=Said(2, ("no lab is running",)),
        undo=(("near", f"mv {_RECORD}.usual {_RECORD}"),),
    ),
    OfHost(
        "environment killed", (("srv2", "kill -KILL ENVIRONMENT"),),
        status=Said(0, ("right      gone", "+ right namespace  (is not there)", "left:out: nothing comes from srv2")),
        verify=Said(2, ("on srv2: nothing is left there of lab between", "labctl up")),
        dark=True,
    ),
)  # fmt: skip
