"""The results of a class on the controller: a file for each student, and two for all.

    HOST.json       what the module returned last, for `labctl class results`
    results.csv     a line for each lab of each student
    failed          the hosts that have failed or were not reached, one on a line, for --limit @failed

Those who are not of a run keep what they had. Many processes write: the two files for all are written under a lock.
"""

from __future__ import annotations

import csv
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import quote

MARK = "labctl-class"
"""The key that tells these files from others; its value is the version of the format."""

KEYS = ("labctl", "measured", "changed", "unreachable", "labs", "changes")
COLUMNS = (
    *("host", "user", "server", "at", "state", "ok", "measured", "lab", "passed", "failed", "not_asked", "why"),
    *("self_reported_lesson", "self_reported_step", "self_reported_of", "self_reported_hints"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Result:
    """What the module returned about a student; `at` is in seconds since the epoch."""

    host: str
    server: str
    user: str
    state: str
    at: float
    found: dict[str, Any]

    @property
    def ok(self) -> bool:
        """Return whether it is as wanted."""
        return not (self.found.get("failed") or self.found.get("unreachable"))

    @property
    def why(self) -> str:
        """Return in one line what was found; where the module did not come to that, what the server wrote last, too."""
        told = str(self.found.get("msg", "")).splitlines()  # ssh ends its lines as a terminal does
        written = str(self.found.get("module_stderr", "")).strip().splitlines()
        return "; ".join([*told, *written[-1:]])

    def as_value(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            MARK: 1,
            "host": self.host,
            "server": self.server,
            "user": self.user,
            "state": self.state,
            "at": self.at,
            "ok": self.ok,
            "msg": self.why,
            **{key: self.found[key] for key in KEYS if key in self.found},
        }

    def as_records(self) -> list[dict[str, object]]:
        """Return a record of a spreadsheet for each lab, and one where there is none."""
        shared = {
            "host": self.host,
            "user": self.user,
            "server": self.server,
            "at": int(self.at),
            "state": self.state,
            "ok": "yes" if self.ok else "no",
            "measured": "yes" if self.found.get("measured") else "no",
            "why": "" if self.ok else self.why,
        }
        return [{**shared, **_of_lab(lab)} for lab in self.found.get("labs") or [{}]]


def _of_lab(lab: dict[str, Any]) -> dict[str, object]:
    results = (lab.get("checks") or {}).get("results", [])
    lesson = lab.get("lesson") or {}
    return {
        "lab": lab.get("lab", ""),
        "passed": sum(each["passed"] for each in results) if results else "",
        "failed": " ".join(each["name"] for each in results if each["asked"] and not each["passed"]),
        "not_asked": " ".join(each["name"] for each in results if not each["asked"]),
        **{f"self_reported_{key}": lesson.get(key, "") for key in ("lesson", "step", "of", "hints")},
    }


def keep(folder: str, result: Result) -> str:
    """Write a result to the files of a directory, which is made. Return the path of its own file. Raise OSError."""
    os.makedirs(folder, mode=0o755, exist_ok=True)
    name = f"{quote(result.host, safe='')}.json"
    _replace(folder, name, lambda out: json.dump(result.as_value(), out, indent=2))
    with open(os.path.join(folder, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        others = [record for record in _records(folder) if record["host"] != result.host]
        own = [
            {key: value if key == "host" else _cell(value) for key, value in record.items()}
            for record in result.as_records()
        ]
        records = sorted([*others, *own], key=lambda record: str(record["host"]))
        _replace(folder, "results.csv", lambda out: _write(out, records))
        failed = dict.fromkeys(f"{record['host']}\n" for record in records if record["ok"] == "no")
        if failed:
            _replace(folder, "failed", lambda out: out.writelines(failed))
        elif os.path.exists(file := os.path.join(folder, "failed")):
            os.unlink(file)  # of an empty one --limit would take all hosts
    return os.path.join(folder, name)


def _records(folder: str) -> Iterator[dict[str, object]]:
    try:
        with open(os.path.join(folder, "results.csv"), newline="") as file:
            yield from (record for record in csv.DictReader(file) if record.keys() == set(COLUMNS))
    except FileNotFoundError:
        return


def _write(out: IO[str], records: list[dict[str, object]]) -> None:
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows(records)


def _cell(value: object) -> object:
    """Return what a spreadsheet does not take for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _replace(folder: str, name: str, write: Callable[[IO[str]], object]) -> None:
    """Write a file as a whole: a reader finds the old one or the new one."""
    new = os.path.join(folder, f".{name}.new")
    with open(new, "w", newline="", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
        write(out)
    os.replace(new, os.path.join(folder, name))
