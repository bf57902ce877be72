"""A lesson as its author writes it: the front matter of a lesson.md.

A step has up to four things: `setup` (what is done to the lab when it begins), goals, `hints`, and `solve` (one way to
reach the goals). A goal is what happens in the lab (`check`, labctl's own checks; `seen`, packets) and, where that is
the point, what the student typed (`typed`), expected beforehand (`predict`) or found out (`answer`).
"""

from __future__ import annotations

import re
import shlex
from typing import Annotated, Any, ClassVar, Literal

from labctl.topology.fields import CheckName, HostField, InterfaceRefField, NamespaceName, Whole
from labctl.topology.json_schema import schema_of_file
from labctl.topology.markers import Bounded, Described, Parsed
from labctl.topology.model import Check
from labctl.topology.model.base import Model, key
from labctl.topology.values import mistake


def _pattern(written: Any) -> Any:
    try:
        re.compile(written if isinstance(written, str) else "")
    except re.error as error:
        raise mistake(f"{written!r} is no regular expression: {error}", "see docs.python.org/library/re") from None
    return written


_VARIABLE = re.compile("[a-z][a-z0-9_]*")


def _variable_name(written: str) -> str:
    if not _VARIABLE.fullmatch(written):
        raise mistake(f"{written!r} cannot be the name of a variable", "use lower-case letters, digits and '_'")
    return written


Pattern = Annotated[str, Parsed(_pattern), Bounded(min_length=1, max_length=500)]
Name = CheckName
VariableName = Annotated[
    str, Parsed(_variable_name), Described({"type": "string", "pattern": f"^{_VARIABLE.pattern}$"})
]
Text = Annotated[str, Bounded(min_length=1)]


class Variable(Model, called="a variable"):
    """A value that varies by the seed: one of a list, or a whole number of a range."""

    choices: tuple[str | int, ...] | None = key(default=None, min_length=1, description="The values that it can have.")
    from_: Whole | None = key(default=None, description="The least that it can be.", examples=[20])
    to: Whole | None = key(default=None, description="The most that it can be.", examples=[250])

    ALSO: ClassVar[Any] = tuple[str | int, ...]

    @classmethod
    def in_full(cls, written: Any) -> Any:
        """Return what a variable is of which only the values are written."""
        return {"choices": written} if isinstance(written, list) else written

    def __post_init__(self) -> None:
        if (self.choices is None) == (self.from_ is None or self.to is None):
            raise mistake("a variable is a list of values, or a range", "for example [a, b] or {from: 20, to: 250}")
        if self.from_ is not None and self.to is not None and self.from_ > self.to:
            raise mistake(f"there is no number from {self.from_} to {self.to}", "the smaller one first")


class Impairment(Model, called="an impairment"):
    """What packets of a tunnel endpoint suffer, in the words of tc netem; with nothing else, nothing any more."""

    device: InterfaceRefField = key(description="The TUN device.", examples=["siteA:tun0"])
    direction: Literal["out", "in"] = key(default="out", description="out: those that the engine sends.")
    delay: str | None = key(default=None, description="For how long each is held back.", examples=["50ms"])
    jitter: str | None = key(default=None, description="By how much the delay varies.", examples=["5ms"])
    loss: str | None = key(default=None, description="How many are lost.", examples=["10%"])
    duplicate: str | None = key(default=None, description="How many are sent twice.", examples=["1%"])
    corrupt: str | None = key(default=None, description="In how many a bit is flipped.", examples=["1%"])
    reorder: str | None = key(default=None, description="How many overtake those before them.", examples=["25%"])
    rate: str | None = key(default=None, description="How much goes through.", examples=["10mbit"])
    seed: str | None = key(default=None, description="What makes chance the same each time.", examples=["7"])

    @property
    def words(self) -> dict[str, str]:
        """Return what is written, by its word."""
        written = self.replace(direction="out").written()
        return {word: str(value) for word, value in written.items() if word != "device"}


class Setup(Model, called="an item of `setup`"):
    """One thing that is done to the lab when a step begins: exactly one of run, start, impair, edit and fault."""

    in_: NamespaceName | None = key(default=None, description="The namespace of `run` and `start`.")
    run: Text | None = key(
        default=None, description="A line of shell; it must succeed.", examples=["ip link set tun1 down"]
    )
    start: Text | None = key(default=None, description="A line of shell that goes on beside the step.")
    impair: Impairment | None = key(default=None, description="What packets of a tunnel suffer from now on.")
    edit: dict[str, Any] | None = key(default=None, description="A merge patch (RFC 7386) of the topology, made real.")
    fault: str | None = key(
        default=None,
        description="A fault of `labctl challenge --list`, along the way of a check of this step; the seed says where. "
        "What mends it is part of the solution.",
    )

    def __post_init__(self) -> None:
        kinds = ("run", "start", "impair", "edit", "fault")
        given = [kind for kind in kinds if getattr(self, kind) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise mistake(f"one thing at a time: run, start, impair, edit or fault, found {found}", "write two items")
        _needs_namespace(self.in_, given[0], ("run", "start"))


class Solution(Model, called="an item of `solve`"):
    """One thing that a student may do to reach the goals: exactly one of run, start and labctl."""

    in_: NamespaceName | None = key(default=None, description="The namespace of `run` and `start`.")
    run: Text | None = key(
        default=None, description="A line of shell.", examples=["ip addr add 10.0.102.5/24 dev tun1"]
    )
    start: Text | None = key(default=None, description="A line of shell that goes on beside the next ones.")
    labctl: Text | None = key(default=None, description="A command of labctl, without its first word.")

    def __post_init__(self) -> None:
        given = [kind for kind in ("run", "start", "labctl") if getattr(self, kind) is not None]
        if len(given) != 1:
            raise mistake(f"one of run, start and labctl, found {' and '.join(given) or 'none'}", "write two items")
        _needs_namespace(self.in_, given[0], ("run", "start"))

    @property
    def command(self) -> str:
        """Return what the student types."""
        if self.labctl is not None:
            return f"labctl {self.labctl}"
        line = self.run or self.start or ""
        words = f"sh -c {shlex.quote(line)}" if _SHELL.search(line) else line
        return f"labctl exec {self.in_} -- {words}{' &' if self.start else ''}"


_SHELL = re.compile(r"[;&|<>$`'\"()*?#~]")


def _needs_namespace(namespace: str | None, kind: str, kinds: tuple[str, ...]) -> None:
    if kind in kinds and namespace is None:
        raise mistake(f"`{kind}` needs a namespace", "for example in: siteA")
    if kind not in kinds and namespace is not None:
        raise mistake(f"`{kind}` takes no `in`", "leave it out")


class Prediction(Model, called="a prediction"):
    """What the student expects, before they look. A wrong answer is told, too, and the step goes on."""

    question: Text = key(description="The question.", examples=["Will the engine see these packets?"])
    choices: tuple[Text, ...] = key(min_length=2, max_length=6, description="What can be chosen.")
    right: Text = key(description="The choice that is right.")
    because: str = key(default="", description="Why: told once the other goals of the step are reached.")

    def __post_init__(self) -> None:
        if self.right not in self.choices:
            raise mistake(f"{self.right!r} is none of the choices", f"one of {', '.join(self.choices)}")


class Measured(Model, called="`measured`"):
    """A value of this very lab: what a pattern finds in the output of a command, when the student answers."""

    in_: NamespaceName = key(description="The namespace.", examples=["siteA"])
    run: Text = key(description="A line of shell.", examples=["cat /sys/class/net/tun0/mtu"])
    pattern: Pattern = key(default=r"\s*(\S+)\s*", description="Its first group is the value.")


class Answer(Model, called="an answer"):
    """A question that the student answers by typing: a pattern, a number, or a value of this very lab."""

    name: Name = key(description="The name of the goal.", examples=["overhead"])
    question: Text = key(description="The question.", examples=["How many bytes does the tunnel add?"])
    is_: Pattern | None = key(default=None, description="A pattern for the whole answer, in any case.")
    number: float | None = key(default=None, description="The number that is right.", examples=[28])
    measured: Measured | None = key(default=None, description="Where this lab has the answer.")
    within: float = key(default=0.0, ge=0, description="By how much a number may differ.")
    wrong: str = key(default="", description="What to say to an answer that is wrong.")
    example: str = key(default="", description="An answer that `is` takes, where its pattern is none itself.")

    def __post_init__(self) -> None:
        given = [one for one in (self.is_, self.number, self.measured) if one is not None]
        if len(given) != 1:
            raise mistake("an answer has exactly one of is, number and measured", "for example is: '28'")


class Seen(Model, called="an item of `seen`"):
    """Packets that cross an interface once the step has begun, whoever sends them, and however."""

    name: Name = key(description="The name of the goal.", examples=["pinged"])
    description: Text = key(description="What is to be done, for the student.")
    at: InterfaceRefField = key(description="The interface.", examples=["siteA:tun0"])
    protocol: Literal["icmp", "tcp", "udp"] | None = key(default=None, description="The protocol, or any.")
    from_: HostField | None = key(default=None, description="The source address, or any.")
    to: HostField | None = key(default=None, description="The destination address, or any.", examples=["10.0.101.1"])
    port: Whole | None = key(
        default=None, ge=1, le=65535, description="The port of either end, or any.", examples=[8000]
    )
    message: Literal["request", "reply", "error"] | None = key(
        default=None, description="Of ICMP: an echo request, the reply to one, or an error; or any."
    )
    larger: Whole = key(default=0, ge=0, description="The length of an IP packet, in bytes, is more than this.")
    length: Whole | None = key(
        default=None,
        ge=20,
        description="The length of an IP packet that is no fragment, in bytes, or any.",
        examples=[84],
    )
    fragment: bool = key(default=False, description="Only fragments of packets.")
    count: Whole = key(default=1, ge=1, le=10_000, description="How many.")


class Typed(Model, called="an item of `typed`"):
    """A command that the student runs by `labctl exec`, or in a `labctl shell` (bash)."""

    name: Name = key(description="The name of the goal.", examples=["looked"])
    description: Text = key(description="What is to be done, for the student.")
    in_: NamespaceName = key(description="The namespace.", examples=["siteA"])
    command: Pattern = key(description="A pattern that the command has in it.", examples=["ip (-br )?a"])


class Hint(Model, called="a hint"):
    """A hint for those who fail in one way: at a goal, and with a verdict of the diagnosis if that is given, too."""

    goal: Name | None = key(default=None, description="The goal that is not reached.")
    why: Pattern | None = key(default=None, description="A pattern that the diagnosis of that check has in it.")
    text: Text = key(description="The hint, in Markdown.")
    after: tuple[Solution, ...] = key(
        default=(),
        description="What leads to that failure, where the step does not begin with it; for `labctl lesson test`.",
    )

    ALSO: ClassVar[Any] = str

    @classmethod
    def in_full(cls, written: Any) -> Any:
        """Return what a hint is of which only the text is written."""
        return {"text": written} if isinstance(written, str) else written


_GOALS = ("check", "seen", "typed", "answer")


class Step(Model, called="a step"):
    """A step of a lesson. Its text is the section of its heading: the first step's is the first heading."""

    name: Name = key(description="The name of the step.", examples=["own-address"])
    setup: tuple[Setup, ...] = key(default=(), description="What is done to the lab when the step begins.")
    predict: Prediction | None = key(default=None, description="What the student expects, before they look.")
    check: tuple[Check, ...] = key(default=(), description="Checks of labctl that hold once the step is done.")
    seen: tuple[Seen, ...] = key(default=(), description="Packets that have crossed once it is done.")
    typed: tuple[Typed, ...] = key(default=(), description="Commands that have been run once it is done.")
    answer: tuple[Answer, ...] = key(default=(), description="Questions that have been answered once it is done.")
    hints: tuple[Hint, ...] = key(default=(), description="Hints, from the vaguest to the plainest.")
    solve: tuple[Solution, ...] = key(default=(), description="One way to reach the goals.")

    @property
    def goals(self) -> tuple[Check | Seen | Typed | Answer, ...]:
        """Return what is to be reached, beside the prediction, in the order in which it is written (reading.py)."""
        return tuple(goal for kind in vars(self) if kind in _GOALS for goal in getattr(self, kind))


class Lesson(Model, called="a lesson"):
    """The front matter of a lesson."""

    title: Text = key(description="The title.", examples=["What a TUN device is"])
    minutes: Whole = key(ge=1, le=120, description="How long it takes.", examples=[10])
    topology: Text = key(description="A topology that ships with labctl, or a file beside this one.")
    edit: dict[str, Any] = key(default={}, description="A merge patch (RFC 7386) of the topology.")
    needs: tuple[Text, ...] = key(default=(), description="Programs that the student uses.", examples=[["ip", "ping"]])
    vars: dict[VariableName, Variable] = key(
        default={},
        description="Values that vary by the seed, for $NAME anywhere in the file.",
        examples=[{"host": [5, 6]}],
    )
    steps: tuple[Step, ...] = key(min_length=1, description="The steps, in the order of their headings.")


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the front matter of a lesson."""
    schema: dict[str, Any] = _with_variables(schema_of_file(Lesson, "urn:labctl:lesson"))
    return schema


def _with_variables(schema: Any) -> Any:
    """Return a schema in which text of a certain form, and numbers, may be variables: each is right for each seed."""
    if isinstance(schema, list):
        return [_with_variables(below) for below in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _with_variables(below) for key, below in schema.items()}
    if schema.get("type") in ("integer", "number"):
        variable = {"type": "string", "pattern": r"\$\{?[a-z]", "examples": ["$host"]}
        told = {key: found[key] for key in ("description", "default") if key in found}
        return {**told, "anyOf": [found, variable]}
    if isinstance(pattern := schema.get("pattern"), str):
        found["pattern"] = rf"(?:{pattern})|\$\{{?[a-z]"
    return found
