"""Commands that start and end what runs in namespaces: engines, programs, and the lines of `exec:`.

In a script each program is started in the background, and then waited for until it is ready.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from labctl.engine.packets.impairment import Impairment, show
from labctl.plan.cable_spec import CableSpec
from labctl.plan.engine_spec import EngineSpec
from labctl.plan.program_spec import ProgramSpec, Readiness
from labctl.plan.steps import RunLine

_LOGS = """\
# What programs write that say there when they are ready.
logs=$(mktemp -d)
"""

# With its groups, and the one right that a program of another user keeps.
_OTHER_USER = (
    'setpriv --reuid={0} --regid="$(id -g {0})" --init-groups'
    " --inh-caps=-all,+net_bind_service --ambient-caps=-all,+net_bind_service "
)


def start_engine(spec: EngineSpec) -> str:
    """Return the command that starts an engine in the background."""
    # ttun drops its privileges by itself, once it has opened what takes some.
    become = _as_user(spec.run_as if spec.program else None)
    line = f"{shlex.join(('ip', 'netns', 'exec', spec.device.namespace, *become))} {spec.command}"
    return _in_background(line, spec.directory)


def start_program(spec: ProgramSpec, output: str = "") -> str:
    """Return the command that starts a program in the background, its output to a file where one is named."""
    inside = beside(spec, spec.words)
    return _in_background(f"{inside} > {output} 2>&1" if output else inside, spec.cwd)


def beside(spec: ProgramSpec, words: Sequence[str]) -> str:
    """Return the command that runs something in the namespace of a program, as its user and in its environment."""
    become = _OTHER_USER.format(spec.user) if spec.user else ""
    variables = ("env", *(f"{name}={value}" for name, value in spec.env)) if spec.env else ()
    return f"ip netns exec {shlex.quote(spec.ref.namespace)} {become}{shlex.join((*variables, *words))}"


def _as_user(user: str | None) -> tuple[str, ...]:
    return ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups") if user else ()


def _in_background(line: str, directory: str) -> str:
    return f"(cd {shlex.quote(directory)} && {line}) &" if directory else f"{line} &"


def stop_engine(spec: EngineSpec) -> str:
    """Return the command that ends an engine."""
    # Its impairments may have been changed since, but not its title.
    return _pkill(spec.device.namespace, f"{re.escape(spec.unimpaired.command)}( --impair.*)?", "TERM")


def stop_cable(spec: CableSpec) -> str:
    """Return the command that ends the engine of a cable."""
    return _pkill(spec.device.namespace, re.escape(spec.command), "TERM")


def stop_program(spec: ProgramSpec) -> str:
    """Return the command that ends a program."""
    return _pkill(spec.ref.namespace, re.escape(spec.command), spec.stop_signal)


def _pkill(namespace: str, title: str, number: str) -> str:
    # Only in this namespace: another lab may have an engine with the same command. A script's own words come behind
    # those of its interpreter.
    there = f'--nslist net --ns "$(ip netns pids {shlex.quote(namespace)} | head -n 1)"'
    other = f"-{number} " if number != "TERM" else ""
    plain = title.replace(chr(92) + " ", " ")
    return f"pkill {other}-f {there} {shlex.quote(plain + '$')}"


def impair_options(before: Impairment, after: Impairment) -> list[str]:
    """Return the options of `labctl impair` that change the one impairment into the other."""
    now = before.as_dict()
    changed = {word: value for word, value in after.as_dict().items() if value != now[word]}
    return [part for word, value in changed.items() for part in (f"--{word}", show(word, value))]


def run_line(step: RunLine) -> str:
    """Return a line of shell that fails where the exit code is not the one that is asked."""
    line = step.line
    typed = shlex.join(("ip", "netns", "exec", step.namespace, "sh", "-c", line.command))
    if line.directory:
        typed = f"(cd {shlex.quote(line.directory)} && {typed})"
    return f"(code=0; {typed} || code=$?; [ $code -eq {line.exit} ])" if line.exit else typed


def preamble(programs: Sequence[ProgramSpec]) -> Iterator[str]:
    """Yield what has to stand before the programs in the script."""
    if any(_log(spec) for spec in programs):
        yield _LOGS


def start_and_wait(spec: ProgramSpec) -> Iterator[str]:
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
