"""The programs of a namespace: servers and daemons that run as long as the lab does."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from labctl.topology.fields import Directory, Port, Seconds, UserName
from labctl.topology.model.base import Model
from labctl.topology.values import mistake
from labctl.topology.values.programs import (
    parse_earlier,
    parse_line_pattern,
    parse_program_command,
    parse_program_name,
    parse_setting,
    parse_signal,
    parse_variable,
)

RestartPolicy = Literal["never", "on-failure", "always"]

_Command = Annotated[str, BeforeValidator(parse_program_command)]


class Ready(Model):
    """What must be seen of a program before `up` goes on; exactly one of tcp, udp, log, command."""

    tcp: Port | None = Field(None, description="It listens on this TCP port.", examples=[80])
    udp: Port | None = Field(None, description="It has bound this UDP port.", examples=[53])
    log: Annotated[str, BeforeValidator(parse_line_pattern)] | None = Field(
        None, description="It has written a line in which this regular expression (Python's) is found."
    )
    command: _Command | None = Field(
        None, description="This command ends with exit code 0; it runs as the program does, again and again."
    )
    within: Seconds = Field(10.0, gt=0, le=600, description="Seconds that it has for it; then `up` fails.")

    @model_validator(mode="after")
    def _one_of_them(self) -> Ready:
        asked = [key for key in ("tcp", "udp", "log", "command") if getattr(self, key) is not None]
        if len(asked) != 1:
            found = " and ".join(asked) or "none of them"
            raise mistake(f"`ready` needs exactly one of tcp, udp, log and command, found {found}", "as in {tcp: 80}")
        return self


class Program(Model):
    """A program that runs in a namespace for as long as the lab is up."""

    name: Annotated[str, BeforeValidator(parse_program_name)] = Field(
        description="Its name; commands call it NAMESPACE:NAME.", examples=["web"]
    )
    command: _Command = Field(
        description="How it is started; it is split into words as a shell would, but no shell runs it.",
        examples=["python3 -m http.server 80"],
    )
    ready: Ready | None = Field(
        None, description="What is seen once it is ready; where absent, that it has run for half a second."
    )
    after: tuple[Annotated[str, BeforeValidator(parse_earlier)], ...] = Field(
        (), description="Programs that must be ready before it starts: NAME or NAMESPACE:NAME.", examples=[["db"]]
    )
    env: dict[Annotated[str, BeforeValidator(parse_variable)], Annotated[str, BeforeValidator(parse_setting)]] = Field(
        {}, description="Environment variables that it gets besides those of `labctl up`."
    )
    cwd: Directory = Field(
        "", description="Where it runs, seen from the directory of the file; that where absent.", examples=["www"]
    )
    user: UserName | None = Field(None, description="The user it runs as; without root there is only your own.")
    restart: RestartPolicy = Field(
        "never", description="Whether it is started again once it has ended: when it has failed, or always."
    )
    stop_signal: Annotated[str, BeforeValidator(parse_signal)] = Field(
        "TERM", description="The signal that asks it to end; KILL follows after two seconds."
    )
