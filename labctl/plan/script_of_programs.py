"""The programs of a lab in its script: each is started in the background, and then waited for until it is ready."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from labctl.plan.commands import beside, start_program
from labctl.plan.program_spec import ProgramSpec, Readiness

_LOGS = """\
# What programs write that say there when they are ready.
logs=$(mktemp -d)
"""


def preamble(programs: Sequence[ProgramSpec]) -> Iterator[str]:
    """Yield what has to stand before the programs in the script."""
    if any(_log(spec) for spec in programs):
        yield _LOGS


def typed(spec: ProgramSpec) -> Iterator[str]:
    """Yield the lines that start a program, and wait for it."""
    yield start_program(spec, _log(spec))
    if spec.ready:
        yield f"until {_is_ready(spec, spec.ready)}; do sleep 0.1; done"


def _log(spec: ProgramSpec) -> str:
    """Return the file that a program writes to, as a shell has it; empty where what it writes is not waited for."""
    return f'"$logs"/{shlex.quote(str(spec.ref))}' if spec.ready and spec.ready.sign == "log" else ""


def _is_ready(spec: ProgramSpec, ready: Readiness) -> str:
    match ready.sign:
        case "tcp" | "udp":
            asked = shlex.join(("ip", "netns", "exec", spec.ref.namespace, "ss", f"-Hln{ready.sign[0]}"))
            return f"{asked} sport = :{ready.what} | grep -q ."
        case "log":
            return f"grep -qP -e {shlex.quote(ready.what)} {_log(spec)}"
        case "command":
            return beside(spec, shlex.split(ready.what))
