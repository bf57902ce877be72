"""The lines of shell that run once in a namespace, when the lab is made."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from labctl.topology.fields import Directory, Seconds, Whole
from labctl.topology.model.base import Model
from labctl.topology.values import as_text, mistake

_EXAMPLE = "ip link set eth0 txqueuelen 100"


def parse_shell_line(value: Any) -> str:
    """Return a line for a shell."""
    line = as_text(value, "a line for a shell")
    if not line.strip():
        raise mistake("the line is empty", f"for example {_EXAMPLE}")
    return line


ShellLine = Annotated[str, BeforeValidator(parse_shell_line), WithJsonSchema({"type": "string"})]


class ExecLine(Model):
    """A line of shell that runs once, when the lab is made."""

    command: ShellLine = Field(description="What runs, as `sh -c` takes it.", examples=[_EXAMPLE])
    exit: Whole = Field(0, ge=0, le=255, description="The exit code that it must have.")
    within: Seconds = Field(30.0, gt=0, le=3600, description="Seconds after which it is ended, and `up` fails.")
    cwd: Directory = Field("", description="Where it runs, seen from the directory of the file; that where absent.")


def text_is_the_command(value: Any) -> Any:
    """Return what an exec line is of which only the command is written."""
    return {"command": value} if isinstance(value, str) else value


Line = Annotated[ExecLine, BeforeValidator(text_is_the_command, json_schema_input_type=ExecLine | str)]
