"""A line of `exec:` as a person types it."""

from __future__ import annotations

import shlex

from labctl.plan.steps_of_exec import RunLine


def exec_command(step: RunLine) -> str:
    """Return a line of shell that fails where the exit code is not the one that is asked."""
    line = step.line
    typed = shlex.join(("ip", "netns", "exec", step.namespace, "sh", "-c", line.command))
    if line.directory:
        typed = f"(cd {shlex.quote(line.directory)} && {typed})"
    return f"(code=0; {typed} || code=$?; [ $code -eq {line.exit} ])" if line.exit else typed
