"""A session on a host: Mitogen over the user's own OpenSSH. The only module that imports Mitogen.

ssh is asked for nothing but to run `labctl agent` there, in the user's own way: names, keys, agents, jump hosts and
ControlMaster are as ~/.ssh/config has them. What labctl is on the host runs as that user, in a Python of its own that
Mitogen starts and talks to; functions are called in it, and it sends what it has to tell.
"""

from __future__ import annotations

import inspect
import logging
import os
import random
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from labctl.errors import LabError, MachineError
from labctl.hosts.command import SSH, labctl_there
from labctl.hosts.errors import HostLost, login_failed, was_dropped
from labctl.hosts.record import PART, Host

try:
    import mitogen.core
    import mitogen.master
    import mitogen.parent
except ImportError as error:
    raise MachineError(
        "a lab over several hosts needs Mitogen", str(error), "pip install 'labctl-netns[hosts]'"
    ) from None

LOGINS = 8
"""Logins that are begun at once: sshd drops some of more than ten (sshd_config(5), MaxStartups)."""

TRIES = 4
"""How often a login is tried that sshd drops."""

ANSWER = 60.0
"""Seconds for which a function that a host is to call may take: the kernel may be busy with what others take down."""

_FIXED = {"python_path": ["python"], "remote_name": "labctl"}
"""What Mitogen would find out by itself: a user who is in no /etc/passwd has no name, and ssh is to say so."""

_MARKS = re.compile(r"^MITO\d+$", re.MULTILINE)
"""What Mitogen's child says of how far it is, for Mitogen."""

Heard = Callable[[str, bytes | None], object]
"""Called with the name of a host and what it says, None once it is lost; in a thread of its own."""


class _Options(mitogen.parent.Options):  # type: ignore[misc]
    """What ssh logs in to, and the mark of the lab that is meant there."""

    def __init__(self, mark: str, **others: Any) -> None:
        super().__init__(**others)
        self.mark = mark


class _Login(mitogen.parent.Connection):  # type: ignore[misc]
    """ssh, whose words are those of a login that fails."""

    options_class = _Options
    child_is_immediate_subprocess = False

    def _get_name(self) -> str:
        return f"ssh.{self.options.name}"

    def create_child(self, **options: Any) -> Any:
        return mitogen.parent.create_child(stderr_pipe=True, preexec_fn=os.setsid, **options)  # Ctrl-C is for labctl

    def get_preamble(self) -> bytes:
        """Return what Mitogen's child begins with, without having comments taken out first, which takes 0.2 s."""
        begin = f"\nExternalContext({self.get_econtext_config()!r}).main()\n"
        return zlib.compress((inspect.getsource(mitogen.core) + begin).encode())

    def get_boot_command(self) -> list[str]:
        _, *words = super().get_boot_command()
        agent = labctl_there(["agent", *words], {PART: self.options.mark})
        return [*SSH, "-T", "-oBatchMode=yes", "--", self.options.name, agent]


class Link:
    """A session on a host."""

    def __init__(self, host: str, login: str, context: Any, receiver: Any) -> None:
        self.host, self.login = host, login
        self._context = context
        self._receiver = receiver
        self.sender = receiver.to_sender()  # an argument for a function there: what `send`s to here

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Have the host call a function. Return what that returned. Raise HostLost."""
        return self.begin(function, *arguments)()

    def begin(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        """Have the host call a function. Return what waits for its answer, as `call` does."""
        answer = self._context.call_async(function, *arguments)
        return lambda: self._received(answer)

    def _received(self, answer: Any) -> Any:
        try:
            return answer.get(timeout=ANSWER).unpickle()
        except mitogen.core.TimeoutError:
            raise HostLost(self.host, f"it has not answered in {ANSWER:g} s") from None
        except mitogen.core.ChannelError:
            raise HostLost(self.host, "the session has ended") from None
        except mitogen.core.CallError as error:
            raise LabError(f"labctl on {self.host} failed", str(error.args[0]).partition("\n")[0]) from None

    def cast(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Have the host call a function, and do not wait for that."""
        self._context.call_no_reply(function, *arguments)


class Links:
    """Sessions on hosts, and the threads of Mitogen that carry them."""

    def __init__(self, heard: Heard) -> None:
        logging.getLogger("mitogen").setLevel(logging.CRITICAL)  # what fails is raised, and told by labctl
        self._heard = heard
        self._broker = mitogen.master.Broker()
        self._router = mitogen.master.Router(self._broker)
        self._router.responder.whitelist_prefix("mitogen")  # a host is sent no module of this machine but those

    def connect(self, hosts: Mapping[str, Host], begin: Callable[[Link], object]) -> dict[str, Link | LabError]:
        """Log in to hosts, several at once, and begin each session. Return it, or what kept it from being, for each."""
        found: dict[str, Link | LabError] = {}
        left = iter(hosts.items())  # one for all threads: each host is taken by one

        def log_in() -> None:
            for host, known in left:
                try:
                    link = self._link(host, known)
                    begin(link)
                    found[host] = link
                except LabError as error:
                    found[host] = error
                except Exception as error:  # of Mitogen: nothing else catches it in this thread
                    found[host] = HostLost(host, f"{type(error).__name__}: {error}")

        threads = [threading.Thread(target=log_in, daemon=True) for _ in range(min(LOGINS, len(hosts)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {host: found[host] for host in hosts}

    def _link(self, host: str, known: Host) -> Link:
        context = self._logged_in(host, known)
        receiver = mitogen.core.Receiver(self._router, respondent=context)  # which takes nothing of other hosts

        def heard(_: object) -> None:
            message = receiver.get(block=False, throw_dead=False)
            self._heard(host, None if message.is_dead else message.unpickle())

        receiver.notify = heard
        return Link(host, known.ssh, context, receiver)

    def _logged_in(self, host: str, known: Host) -> Any:
        for tries in range(1, TRIES + 1):
            try:
                return self._router._connect(_Login, name=known.ssh, mark=known.mark, **_FIXED)
            except mitogen.core.StreamError as error:
                said = _MARKS.sub("", str(error).removeprefix(mitogen.parent.Connection.eof_error_msg))
                if tries == TRIES or not was_dropped(said):
                    raise login_failed(host, known.ssh, said) from None
            time.sleep(random.uniform(0.1, 0.5) * tries)
        raise AssertionError

    def close(self) -> None:
        """End all sessions, and wait until their threads have ended."""
        self._broker.shutdown()
        self._broker.join()


@contextmanager
def links(heard: Heard) -> Iterator[Links]:
    """Yield what makes sessions, which end with the body."""
    made = Links(heard)
    try:
        yield made
    finally:
        made.close()
