"""What the module `lab` does on the controller: it keeps the result of each student, also of one not reached."""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.labctl.classroom.plugins.plugin_utils.results import Result, keep


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs the module on the server, and keeps what it returns."""

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of the module. What is long in it is in the file alone, where that is kept."""
        variables = task_vars or {}
        super().run(tmp, variables)
        try:
            found: dict[str, Any] = self._execute_module(task_vars=variables)
        except AnsibleError as error:
            reached = not isinstance(error, AnsibleConnectionFailure)
            self._keep({"failed": True, "unreachable": not reached, "msg": str(error)}, variables)
            raise
        kept = self._keep(found, variables)
        if not kept:
            return found
        return {**{key: value for key, value in found.items() if key not in ("labs", "changes")}, "kept": kept}

    def _keep(self, found: dict[str, Any], variables: dict[str, Any]) -> str:
        """Return the path of the file; nothing where none is wanted."""
        options = self._task.args
        if not options.get("results") or self._task.check_mode:
            return ""
        host = str(variables["inventory_hostname"])
        result = Result(
            host=host,
            server=str(variables.get("ansible_host") or host),
            user=str(options.get("user", host)),
            state=str(options.get("state", "present")),
            at=time.time(),
            found=found,
        )
        try:
            return keep(str(options["results"]), result)
        except OSError as error:
            raise AnsibleError(
                f"the result of {host} cannot be kept in {options['results']}: {error.strerror}; name another "
                "directory with `results`"
            ) from error
