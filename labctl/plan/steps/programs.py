"""Steps that start and end the programs of namespaces, and run the lines of `exec:`, each of which runs once."""

from __future__ import annotations

from labctl.frozen import frozen
from labctl.plan.facts import Facts, Namespace
from labctl.plan.program_spec import ProgramSpec
from labctl.plan.recorded import Ran
from labctl.plan.steps.step import Removal, Step, unless


@frozen
class _Program(Step):
    """A program of a namespace, with everything that it starts."""

    spec: ProgramSpec

    @property
    def subject(self) -> str:
        return str(self.spec.ref)

    @property
    def words(self) -> str:
        return f"program {self.spec.command}"


class StartProgram(_Program):
    """A program of a namespace, until it is ready."""

    action = "create"

    def _in(self, there: Namespace, facts: Facts) -> str | None:
        found = facts.programs.get(self.spec.ref)
        if found is None or found.state == "ended":
            return f"is not running: {found.ended}" if found and found.ended else "is not running"
        if found.state == "waiting":
            return f"{found.ended}, and waits to be started again"
        if found.outdated:
            return found.outdated
        changed = found.spec.changed(self.spec)
        if changed:
            return f"runs as {found.spec.command}" if "command" in changed else f"its {' and '.join(changed)} changed"
        return "is stopped" if found.state == "stopped" else None


class StopProgram(Removal, _Program):
    """Ends a program, with everything that it has started."""


@frozen
class RunLine(Step):
    """A line of shell that runs once, and the exit code that it must have; `within` in seconds."""

    line: Ran
    within: float

    @property
    def words(self) -> str:
        first, *more = self.line.command.strip().splitlines()
        return f"exec {first}{' ...' if more else ''}"

    def _in(self, there: Namespace, facts: Facts) -> str | None:
        return unless(self.line in there.ran, "has not run")
