"""The programs of a namespace: servers and daemons that run as long as the lab does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from labctl.topology.model.base import Model, key
from labctl.topology.values import mistake

if TYPE_CHECKING:
    from labctl.topology.fields import (
        Directory,
        Earlier,
        LinePattern,
        Port,
        ProgramCommand,
        ProgramName,
        Seconds,
        Setting,
        Signal,
        UserName,
        Variable,
    )

RestartPolicy = Literal["never", "on-failure", "always"]


class Ready(Model, called="`ready`"):
    """What must be seen of a program before `up` goes on; exactly one of tcp, udp, log, command."""

    tcp: Port | None = key(default=None, description="It listens on this TCP port.", examples=[80])
    udp: Port | None = key(default=None, description="It has bound this UDP port.", examples=[53])
    log: LinePattern | None = key(
        default=None, description="It has written a line in which this regular expression (Python's) is found."
    )
    command: ProgramCommand | None = key(
        default=None, description="This command ends with exit code 0; it runs as the program does, again and again."
    )
    within: Seconds = key(default=10.0, gt=0, le=600, description="Seconds that it has for it; then `up` fails.")

    def __post_init__(self) -> None:
        asked = [key for key in ("tcp", "udp", "log", "command") if getattr(self, key) is not None]
        if len(asked) != 1:
            found = " and ".join(asked) or "none of them"
            raise mistake(f"`ready` needs exactly one of tcp, udp, log and command, found {found}", "as in {tcp: 80}")


class Program(Model, called="a program"):
    """A program that runs in a namespace for as long as the lab is up."""

    name: ProgramName = key(description="Its name; commands call it NAMESPACE:NAME.", examples=["web"])
    command: ProgramCommand = key(
        description="How it is started; it is split into words as a shell would, but no shell runs it.",
        examples=["python3 -m http.server 80"],
    )
    ready: Ready | None = key(
        default=None, description="What is seen once it is ready; where absent, that it has run for half a second."
    )
    after: tuple[Earlier, ...] = key(
        default=(),
        description="Programs that must be ready before it starts: NAME or NAMESPACE:NAME.",
        examples=[["db"]],
    )
    env: dict[Variable, Setting] = key(
        default={}, description="Environment variables that it gets besides those of `labctl up`."
    )
    cwd: Directory = key(
        default="",
        description="Where it runs, seen from the directory of the file; that where absent.",
        examples=["www"],
    )
    user: UserName | None = key(default=None, description="The user it runs as; without root there is only your own.")
    restart: RestartPolicy = key(
        default="never", description="Whether it is started again once it has ended: when it has failed, or always."
    )
    stop_signal: Signal = key(
        default="TERM", description="The signal that asks it to end; KILL follows after two seconds."
    )
