"""What a check can ask beside ping and nc: a command, a web server, a name server, the kernel's routes."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from labctl.topology.fields import Directory, HostField, InterfaceName, NamespaceName, Port, Seconds, Whole
from labctl.topology.model.base import Model
from labctl.topology.values.checks import (
    parse_command_line,
    parse_host_name,
    parse_json_value,
    parse_pattern,
    parse_url,
)

Expectation = Literal["reply", "no-reply", "delivered", "not-delivered", "not-sent"]

Pattern = Annotated[str, BeforeValidator(parse_pattern)]
JsonValue = Annotated[
    Any, BeforeValidator(parse_json_value), WithJsonSchema({"description": "A value of JSON.", "examples": ["tun0"]})
]


class Exec(Model):
    """A command that is run in a namespace, and what it has to end with and to write."""

    ANSWERS: ClassVar[tuple[Expectation, ...]] = ()

    in_: NamespaceName = Field(alias="in", description="The namespace in which it runs.", examples=["siteA"])
    command: Annotated[str, BeforeValidator(parse_command_line)] = Field(
        description="Its words, split as a shell would, but run by none.", examples=["ping -c 1 10.0.102.1"]
    )
    exit: Whole = Field(0, ge=0, le=255, description="The exit code that it has to end with; 128 + N if signal N did.")
    stdout: Pattern | None = Field(
        None,
        description="A regular expression (Python's) that is found in its standard output; ^ and $ are of a line.",
        examples=["0% packet loss"],
    )
    json_: dict[str, JsonValue] | None = Field(
        None,
        alias="json",
        min_length=1,
        description="Its standard output is JSON, in which these paths have these values: keys and positions in "
        "lists, with dots between them.",
        examples=[{"0.dev": "tun0"}],
    )
    cwd: Directory = Field("", description="Where it runs, seen from the directory of the file; that where absent.")
    timeout: Seconds = Field(10.0, gt=0, le=600, description="Seconds after which it is ended, and has failed.")

    @property
    def namespaces(self) -> dict[str, str]:
        """Return the namespaces that it names, by key; the first asks."""
        return {"in": self.in_}


class Http(Model):
    """A request of HTTP (GET), and what has to be answered."""

    ANSWERS: ClassVar[tuple[Expectation, ...]] = ("reply", "no-reply", "not-sent")

    from_: NamespaceName = Field(alias="from", description="The namespace of the client.", examples=["siteA"])
    url: Annotated[str, BeforeValidator(parse_url)] = Field(
        description="What is asked for. A name in it is looked up as in that namespace.",
        examples=["http://10.0.102.1:8080/"],
    )
    status: Whole = Field(200, ge=100, le=599, description="The status that is answered.")
    body: Pattern | None = Field(
        None, description="A regular expression (Python's) that is found in the body; ^ and $ are of a line."
    )
    redirects: Whole = Field(0, ge=0, le=20, description="How many redirects are followed.")
    timeout: Seconds = Field(3.0, gt=0, le=60, description="Seconds until the whole answer must be there.")

    @property
    def namespaces(self) -> dict[str, str]:
        """Return the namespaces that it names, by key; the first asks."""
        return {"from": self.from_}


class Dns(Model):
    """A question to a name server, and the addresses that it has to answer."""

    ANSWERS: ClassVar[tuple[Expectation, ...]] = ("reply", "no-reply", "not-sent")

    from_: NamespaceName = Field(alias="from", description="The namespace that asks.", examples=["siteA"])
    name: Annotated[str, BeforeValidator(parse_host_name)] = Field(
        description="The whole name that is asked for.", examples=["www.example.org"]
    )
    is_: tuple[HostField, ...] = Field(
        alias="is",
        description="The addresses that are answered, in any order; [] where there are none of that name.",
        examples=[["10.0.102.1"]],
    )
    type: Literal["A", "AAAA"] = Field("A", description="A asks for IPv4 addresses, AAAA for those of IPv6.")
    server: HostField | None = Field(
        None, description="The name server; where absent the first of /etc/resolv.conf, as seen in that namespace."
    )
    port: Port = Field(53, description="The port of the name server.")
    timeout: Seconds = Field(2.0, gt=0, le=60, description="Seconds to wait for the answer.")

    @property
    def namespaces(self) -> dict[str, str]:
        """Return the namespaces that it names, by key; the first asks."""
        return {"from": self.from_}


class RouteLookup(Model):
    """Where the kernel of a namespace would send a packet; none is sent."""

    ANSWERS: ClassVar[tuple[Expectation, ...]] = ("not-sent",)

    in_: NamespaceName = Field(alias="in", description="The namespace that would send it.", examples=["siteA"])
    to: HostField = Field(description="The address that it would be sent to.", examples=["10.0.102.1"])
    via: HostField | None = Field(None, description="The next hop that it has.", examples=["10.0.1.2"])
    dev: InterfaceName | None = Field(None, description="The interface by which it leaves.", examples=["tun0"])
    src: HostField | None = Field(None, description="The source address that it gets.", examples=["10.0.101.1"])

    @property
    def namespaces(self) -> dict[str, str]:
        """Return the namespaces that it names, by key; the first asks."""
        return {"in": self.in_}
