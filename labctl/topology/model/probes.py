"""What a check can ask beside ping and nc: a command, a web server, a name server, the kernel's routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from labctl.topology.model.base import Model, key

if TYPE_CHECKING:
    from labctl.topology.fields import (
        CommandLine,
        Directory,
        HostField,
        HostNameAsked,
        InterfaceName,
        JsonValue,
        NamespaceName,
        Pattern,
        Port,
        Seconds,
        Url,
        Whole,
    )

Expectation = Literal["reply", "no-reply", "delivered", "not-delivered", "not-sent"]


class Exec(Model, called="an exec"):
    """A command that is run in a namespace, and what it has to end with and to write."""

    ANSWERS: ClassVar[tuple[Expectation, ...]] = ()

    in_: NamespaceName = key(description="The namespace in which it runs.", examples=["siteA"])
    command: CommandLine = key(
        description="Its words, split as a shell would, but run by none.", examples=["ping -c 1 10.0.102.1"]
    )
    exit: Whole = key(
        default=0, ge=0, le=255, description="The exit code that it has to end with; 128 + N if signal N did."
    )
    stdout: Pattern | None = key(
        default=None,
        description="A regular expression (Python's) that is found in its standard output; ^ and $ are of a line.",
        examples=["0% packet loss"],
    )
    json_: dict[str, JsonValue] | None = key(
        default=None,
        min_length=1,
        description="Its standard output is JSON, in which these paths have these values: keys and positions in "
        "lists, with dots between them.",
        examples=[{"0.dev": "tun0"}],
    )
    cwd: Directory = key(
        default="", description="Where it runs, seen from the directory of the file; that where absent."
    )
    timeout: Seconds = key(default=10.0, gt=0, le=600, description="Seconds after which it is ended, and has failed.")

    @property
    def namespaces(self) -> dict[str, str]:
        """Return the namespaces that it names, by key; the first asks."""
        return {"in": self.in_}


class Http(Model, called="an http"):
    """A request of HTTP (GET), and what has to be answered."""

    ANSWERS: ClassVar[tuple[Expectation, ...]] = ("reply", "no-reply", "not-sent")

    from_: NamespaceName = key(description="The namespace of the client.", examples=["siteA"])
    url: Url = key(
        description="What is asked for. A name in it is looked up as in that namespace.",
        examples=["http://10.0.102.1:8080/"],
    )
    status: Whole = key(default=200, ge=100, le=599, description="The status that is answered.")
    body: Pattern | None = key(
        default=None, description="A regular expression (Python's) that is found in the body; ^ and $ are of a line."
    )
    redirects: Whole = key(default=0, ge=0, le=20, description="How many redirects are followed.")
    timeout: Seconds = key(default=3.0, gt=0, le=60, description="Seconds until the whole answer must be there.")

    @property
    def namespaces(self) -> dict[str, str]:
        """Return the namespaces that it names, by key; the first asks."""
        return {"from": self.from_}


class Dns(Model, called="a dns"):
    """A question to a name server, and the addresses that it has to answer."""

    ANSWERS: ClassVar[tuple[Expectation, ...]] = ("reply", "no-reply", "not-sent")

    from_: NamespaceName = key(description="The namespace that asks.", examples=["siteA"])
    name: HostNameAsked = key(description="The whole name that is asked for.", examples=["www.example.org"])
    is_: tuple[HostField, ...] = key(
        description="The addresses that are answered, in any order; [] where there are none of that name.",
        examples=[["10.0.102.1"]],
    )
    type: Literal["A", "AAAA"] = key(default="A", description="A asks for IPv4 addresses, AAAA for those of IPv6.")
    server: HostField | None = key(
        default=None,
        description="The name server; where absent the first of /etc/resolv.conf, as seen in that namespace.",
    )
    port: Port = key(default=53, description="The port of the name server.")
    timeout: Seconds = key(default=2.0, gt=0, le=60, description="Seconds to wait for the answer.")

    @property
    def namespaces(self) -> dict[str, str]:
        """Return the namespaces that it names, by key; the first asks."""
        return {"from": self.from_}


class RouteLookup(Model, called="a route"):
    """Where the kernel of a namespace would send a packet; none is sent."""

    ANSWERS: ClassVar[tuple[Expectation, ...]] = ("not-sent",)

    in_: NamespaceName = key(description="The namespace that would send it.", examples=["siteA"])
    to: HostField = key(description="The address that it would be sent to.", examples=["10.0.102.1"])
    via: HostField | None = key(default=None, description="The next hop that it has.", examples=["10.0.1.2"])
    dev: InterfaceName | None = key(default=None, description="The interface by which it leaves.", examples=["tun0"])
    src: HostField | None = key(default=None, description="The source address that it gets.", examples=["10.0.101.1"])

    @property
    def namespaces(self) -> dict[str, str]:
        """Return the namespaces that it names, by key; the first asks."""
        return {"in": self.in_}
