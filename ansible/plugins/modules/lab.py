#!/usr/bin/python
"""The lab of a student on a server. It calls labctl there, and takes from it what it says as JSON.

It runs as root, whatever is wanted. A module that Ansible runs as the student (`become_user`) is a Python of the
student's, with the modules that stand in that home: each word of its result is the student's own. So the lab is made
by labctl in a process that has the rights of the student, and what that says counts as self-reported; and what is
measured is measured by `labctl class verify`, as root, with packets of its own.
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab
short_description: Make, measure and end the lab of a student with labctl
description:
  - A student is a user of a server with rootless labs; the teacher is root there.
  - labctl has to be on the server, in the version of this collection.
author: The labctl authors
options:
  state:
    description:
      - V(present), the student has the lab of a topology, and it is as its file says. What the student has changed of
        it is put back.
      - V(verified), the checks of the teacher pass in the labs of the student. Nothing is changed. It fails where one
        of them does not pass, or there is no lab.
      - V(absent), the student has no lab. All of them are ended.
    type: str
    choices: [present, verified, absent]
    default: present
  user:
    description: The account of the student on the server; root is none.
    type: str
    required: true
  topology:
    description:
      - A topology that ships with labctl, by its name, or the path of a file on the server.
      - To V(verified) its checks are asked, and it may be a file with C(checks) alone.
    type: str
  content:
    description: The text of such a file, in place of O(topology).
    type: str
  lesson:
    description: To V(verified), a lesson; the checks of a step are asked, as it is for the seed of the student.
    type: str
  step:
    description: The number of that step, from 1. Without it, the step that the student reports to be at.
    type: int
  executable:
    description:
      - labctl on the server. Without it, it is looked for where root's programs are, and in C(/opt/labctl/bin).
    type: path
  timeout:
    description: Seconds that one command of labctl may take.
    type: int
    default: 300
  results:
    description:
      - A directory of the controller, where the result is kept as C(HOST.json) and as lines of C(results.csv).
      - The file C(failed) there has the hosts that failed or were not reached last, for C(--limit @failed).
      - Nothing is kept in check mode.
    type: path
attributes:
  check_mode:
    description: V(present) says what it would change. V(verified) measures, which changes nothing.
    support: full
  diff_mode:
    description: The changes to a lab, and the labs that are ended.
    support: full
notes:
  - Needs root (C(become)), not the rights of the student (C(become_user)).
  - V(verified) without O(topology), O(content) and O(lesson) asks the checks of the shipped topology that has the name
    of the lab.
"""

EXAMPLES = r"""
- name: Each student has the lab two-site
  labctl.classroom.lab:
    user: "{{ inventory_hostname }}"
    topology: two-site
  become: true

- name: It does what the teacher's file asks for
  labctl.classroom.lab:
    state: verified
    user: "{{ inventory_hostname }}"
    content: "{{ lookup('ansible.builtin.file', '/srv/course/checks.yaml') }}"
    results: /srv/course/results
  become: true

- name: No lab is left
  labctl.classroom.lab:
    state: absent
    user: "{{ inventory_hostname }}"
  become: true
"""

RETURN = r"""
user:
  description: The account of the student.
  type: str
  returned: always
state:
  description: What was wanted.
  type: str
  returned: always
labctl:
  description: The version of labctl on the server.
  type: str
  returned: when labctl was found
measured:
  description:
    - Whether the result was measured by the teacher's side, as root of the server.
    - It is false for V(present), which is what labctl has said in a process of the student's, who can make it say
      anything.
  type: bool
  returned: always
changes:
  description: What was changed of the lab, or would be, as C(labctl plan -f json) has it.
  type: list
  elements: dict
  returned: when state is present, and it is not in the file RV(kept)
labs:
  description:
    - For V(verified) each lab with its checks, and with C(lesson), which is self-reported, as
      C(labctl class verify -f json) has it.
    - For V(absent) the labs that were ended, or would be.
  type: list
  elements: dict
  returned: when state is verified or absent, and it is not in the file RV(kept)
kept:
  description: The file of the controller that has the whole result.
  type: str
  returned: when O(results) is set, and not in check mode
msg:
  description: In words what was found; what failed, why, and what to do.
  type: str
  returned: always
"""

import json
import os
import pwd
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule

VERSION = "0.1.0"
"""Of labctl, and of this collection."""

DIRECTORIES = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/opt/labctl/bin")
MOST = 1 << 22
"""Bytes of what labctl has written that are read: it may be a process of the student's."""

INSTALL = "install it as root: python3 -m venv /opt/labctl; /opt/labctl/bin/pip install CHECKOUT"
NAMED = 3
"""Checks that are named in a message; of others there is a number."""


class Ended(NamedTuple):
    """How a command of labctl has ended, and what it has written."""

    command: str
    code: int
    out: str
    err: str


class Failure(Exception):
    """What failed, why, and what to do."""


class Server:
    """labctl on this server, for one student."""

    def __init__(self, user: str, executable: str | None, timeout: float) -> None:
        """Raise Failure where this is not root, there is no such student, or no labctl of this version."""
        if os.geteuid() != 0:
            raise Failure("this needs root: set `become: true`, and no become_user")
        try:
            known = pwd.getpwnam(user)
        except KeyError:
            raise Failure(f"there is no user {user} on this server: add the account, or mend the inventory") from None
        if known.pw_uid == 0:
            raise Failure(f"{user} is root, and root is no student: name an ordinary user")
        self.user, self._account, self._timeout = user, known, timeout
        self._executable = executable or found()
        self.version = self._version()

    def _version(self) -> str:
        ended = self.root("--version")
        version = ended.out.strip().rpartition(" ")[2]
        if ended.code or not version:
            raise Failure(f"{self._executable} does not work: {plain(ended.err or ended.out)}; {INSTALL}")
        if version != VERSION:
            raise Failure(
                f"{self._executable} is labctl {plain(version)}, and this collection is for {VERSION}: "
                "install the same version of both"
            )
        return version

    def root(self, *words: str) -> Ended:
        """Return how a command of root's has ended."""
        return self._ended(words, {"HOME": "/root"}, "")

    def student(self, *words: str, text: str = "") -> Ended:
        """Return how a command has ended that had the rights of the student."""
        known = self._account
        return self._ended(
            words,
            {"HOME": known.pw_dir, "USER": self.user, "LOGNAME": self.user},
            text,
            user=known.pw_uid,
            group=known.pw_gid,
            extra_groups=os.getgrouplist(self.user, known.pw_gid),
        )

    def _ended(self, words: Sequence[str], environment: dict[str, str], text: str, **rights: Any) -> Ended:
        """Run a command. Its output goes to files: of a pipe, whatever it leaves running would keep the end open."""
        shown = f"labctl {' '.join(words)}"
        environment = {**environment, "PATH": ":".join(DIRECTORIES), "LC_ALL": "C.UTF-8"}
        with (
            tempfile.TemporaryFile() as source,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            source.write(text.encode())
            source.seek(0)
            try:
                code = subprocess.run(
                    [self._executable, *words], stdin=source, stdout=out, stderr=err, env=environment, cwd="/",
                    start_new_session=True, timeout=self._timeout, check=False, **rights,
                ).returncode  # fmt: skip
            except OSError as error:
                raise Failure(f"{self._executable} cannot be run: {error.strerror}; {INSTALL}") from None
            except subprocess.TimeoutExpired:
                raise Failure(
                    f"{shown} has not ended in {self._timeout:g} s: see on the server what {self.user} runs"
                ) from None
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read(MOST).decode(errors="replace"))
        return Ended(shown, code, *texts)


def found() -> str:
    """Return the path of labctl. Raise Failure where there is none."""
    for directory in DIRECTORIES:
        path = os.path.join(directory, "labctl")
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    raise Failure(
        "labctl is not on this server, neither where root's programs are nor in /opt/labctl/bin: "
        f"{INSTALL}, or name it with `executable`"
    )


def plain(text: str) -> str:
    """Return a text in one line, without what a terminal would obey."""
    words = " ".join(text.split())
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in words)[:1000]


def answer(ended: Ended, *codes: int) -> Any:
    """Return what labctl has said as JSON. Raise Failure where that is an error, or its exit code is none of these."""
    try:
        value = json.loads(ended.out)
    except (ValueError, RecursionError):
        value = None
    error = value.get("error") if isinstance(value, dict) else None
    if ended.code in codes and value is not None and error is None:
        return value
    if isinstance(error, dict):
        parts = [str(error[key]) for key in ("what", "why", "hint") if error.get(key)]
        raise Failure(plain(f"{ended.command}: {'; '.join([*parts, *mistakes(error)])}"))
    why = plain(ended.err) or "what it says is not understood"
    raise Failure(f"{ended.command} ended with exit code {ended.code}: {why}")


def mistakes(error: dict[str, Any]) -> list[str]:
    """Return the first mistakes in a file, where that is what failed."""
    try:
        return [f"line {each['line']}: {each['what']}" for each in error.get("mistakes", [])[:NAMED]]
    except (TypeError, KeyError):
        return []


def present(server: Server, options: dict[str, Any], check: bool) -> dict[str, Any]:
    """Make the lab, or say what that would change."""
    text = options["content"] or ""
    named = [options["topology"]] if options["topology"] else ["-"]
    ended = server.student("plan" if check else "up", *named, "-f", "json", text=text)
    value = answer(ended, 0, 1) if check else answer(ended, 0)
    try:
        lab, changes = str(value["lab"]), list(value["changes"])
        told = "".join(f"+ {plain(each['subject'])}: {plain(each['change'])}\n" for each in changes)
    except (TypeError, KeyError, AttributeError):
        raise Failure(f"{ended.command}: what it says is not understood") from None
    number = f"{len(changes)} change{'s' * (len(changes) != 1)}" if changes else "nothing to do"
    return {
        "changed": bool(changes),
        "changes": changes,
        "diff": {"prepared": told},
        "msg": f"lab {plain(lab)}: {number}",
    }


def verified(server: Server, options: dict[str, Any]) -> dict[str, Any]:
    """Measure the checks of the teacher in the labs of the student."""
    words = [f"--{key}={options[key]}" for key in ("lesson", "step") if options[key] is not None]
    if options["topology"]:
        words.append(f"--checks={options['topology']}")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:  # root's alone: these checks may be no student's
        if options["content"]:
            file.write(options["content"])
            file.flush()
            words.append(f"--checks={file.name}")
        ended = server.root("class", "verify", server.user, *words, "-f", "json")
    labs = answer(ended, 0, 1, 5)
    told = "; ".join(verdict(lab) for lab in labs)
    return {"changed": False, "failed": ended.code != 0, "labs": labs, "msg": told or "there is no lab"}


def verdict(lab: dict[str, Any]) -> str:
    """Return in words how the checks in a lab have ended."""
    where, checks = f"lab {lab['lab']}: " if lab["lab"] else "", lab["checks"]
    if checks["why"]:
        return f"{where}{checks['why']}"
    wrong = [
        f"{each['name']} ({each['outcome'] if each['asked'] else 'not asked'})"
        for each in checks["results"]
        if not each["passed"]
    ]
    more = f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
    of = len(checks["results"])
    return f"{where}{of - len(wrong)} of {of} checks passed" + (
        f"; not passed: {', '.join(wrong[:NAMED])}{more}" if wrong else ""
    )


def absent(server: Server, check: bool) -> dict[str, Any]:
    """End all labs of the student, or say which there are."""
    command = ("class", "--quick") if check else ("class", "reset", server.user)
    rows = answer(server.root(*command, "-f", "json"), 0, 4)
    labs = [{"lab": row["lab"], "why": row.get("why", "")} for row in rows if row["user"] == server.user and row["lab"]]
    left = [f"lab {lab['lab']} could not be ended: {lab['why']}" for lab in labs if lab["why"]]
    names = ", ".join(lab["lab"] for lab in labs)
    return {
        "changed": len(labs) > len(left),
        "failed": bool(left),
        "labs": labs,
        "diff": {"before": "".join(f"{lab['lab']}\n" for lab in labs), "after": ""},
        "msg": "; ".join(left) or (f"ended: {names}" if labs else "there is no lab to end"),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "verified", "absent"], "default": "present"},
            "user": {"type": "str", "required": True},
            "topology": {"type": "str"},
            "content": {"type": "str"},
            "lesson": {"type": "str"},
            "step": {"type": "int"},
            "executable": {"type": "path"},
            "timeout": {"type": "int", "default": 300},
            "results": {"type": "path"},
        },
        mutually_exclusive=[("topology", "content", "lesson")],
        required_if=[("state", "present", ("topology", "content"), True)],
        required_by={"step": "lesson"},
        supports_check_mode=True,
    )
    options = module.params
    state = options["state"]
    result: dict[str, Any] = {"user": options["user"], "state": state, "measured": state != "present"}
    unused = [key for key in ("topology", "content", "lesson") if options[key]]
    if (state == "absent" and unused) or (state == "present" and options["lesson"]):
        module.fail_json(
            msg=f"state {state} has no use for `{unused[0]}`"
            + (": it ends all labs of the student; leave it out" if state == "absent" else ": leave it out"),
            **result,
        )
    try:
        server = Server(options["user"], options["executable"], options["timeout"])
        result["labctl"] = server.version
        if state == "verified":
            result |= verified(server, options)
        elif state == "absent":
            result |= absent(server, module.check_mode)
        else:
            result |= present(server, options, module.check_mode)
    except Failure as failure:
        module.fail_json(msg=str(failure), **{**result, "measured": False})
    module.exit_json(**result)


if __name__ == "__main__":
    main()
