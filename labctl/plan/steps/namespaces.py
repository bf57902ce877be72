"""Steps that make and remove namespaces, and set what holds for a whole one."""

from __future__ import annotations

import re

from labctl.frozen import frozen
from labctl.plan.facts import Facts, Namespace
from labctl.plan.steps.step import Removal, Step, unless

_NUMBER = re.compile(r"-?[0-9]+")


class AddNamespace(Step):
    """A network namespace under its name in /run/netns."""

    action = "create"

    @property
    def words(self) -> str:
        return "namespace"

    def _in(self, there: Namespace, facts: Facts) -> str | None:
        return None


class DeleteNamespace(Removal):
    """A namespace of the lab, with all that is in it."""

    @property
    def words(self) -> str:
        return "namespace"


@frozen
class SetSysctl(Step):
    """A setting by its path below /proc/sys."""

    path: str
    value: str

    @property
    def name(self) -> str:
        """As sysctl(8) writes it: dots separate, so a dot inside a part becomes a slash."""
        return self.path.translate(str.maketrans("./", "/."))

    @property
    def words(self) -> str:
        return f"sysctl {self.name} = {self.value}"

    def _in(self, there: Namespace, facts: Facts) -> str | None:
        if self.path not in there.sysctls:
            return "is not known"
        found = there.sysctls[self.path]
        return unless(same_value(found, self.value), f"is {found}")


def same_value(found: str | None, wanted: str) -> bool:
    """Return whether a setting is as it should be. One that can only be written cannot be shown to differ."""
    if found is None:
        return True
    words = [[int(word) if _NUMBER.fullmatch(word) else word for word in text.split()] for text in (found, wanted)]
    return words[0] == words[1]
