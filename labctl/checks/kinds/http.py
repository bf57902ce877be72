"""http: what a web server answers.

A name in the URL is looked up as in the namespace of the client. Where that fails, nothing was asked of the web server:
so it is an answer that was not expected, whatever the check expects.
"""

from __future__ import annotations

import re
import shlex
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from labctl.checks.dns_message import Malformed
from labctl.checks.dns_query import PORT, query
from labctl.checks.host_names import HOSTS, RESOLV, in_hosts, name_servers
from labctl.checks.http_get import KEPT, NotHttp, Response, get
from labctl.checks.kinds.kind import Counts, Target
from labctl.checks.refusal import NotSent, refused_at_once
from labctl.checks.results import Outcome, State
from labctl.errors import kernel_words
from labctl.process.patience import PatienceFor
from labctl.topology.model import Http
from labctl.topology.values import Host
from labctl.topology.values.checks import host_of_url, parse_url

HTTP = 80
REDIRECTS = (301, 302, 303, 307, 308)
SIZE = 100
"""Bytes of a request, about: it fits into one packet."""


class HttpKind:
    """A request for a page."""

    def __init__(self, asked: Http) -> None:
        self.asked = asked

    def ask(self, patience: PatienceFor) -> Outcome:
        """Ask for the page, and for the one that a redirect leads to, as often as the check allows."""
        asked = self.asked
        url = asked.url
        for left in range(asked.redirects, -1, -1):
            try:
                found = _got(asked, url, patience)
            except _Ended as ended:
                return ended.outcome
            further = _led_to(url, found)
            if not left or not further:
                break
            url = further
        return concluded(asked, found, url)

    def typed(self) -> str:
        """Return the request with curl(1)."""
        return f"labctl exec {self.asked.from_} -- {shlex.join(curl(self.asked, '-i'))}"

    def expectation(self, wanted: State) -> str:
        """Return the status and what has to be in the body."""
        asked = self.asked
        body = f", /{asked.body}/ in the body" if asked.body is not None else ""
        answer = {"silent": "no reply", "not-sent": "not sent"}.get(wanted, f"{asked.status}{body}")
        return f"{asked.url}: {answer}"

    def counts(self, wanted: State, leaving: int, arriving: int) -> Counts:
        """Return that only TCP knows."""
        return Counts(None, 0 if wanted == "silent" else None)

    def target(self) -> Target | None:
        """Return the address and the port of the server; None where no file of the namespace says its address."""
        asked = self.asked
        named = host_of_url(asked.url)
        found = [named] if named else in_hosts(asked.from_, _host_name(asked.url))
        return Target(asked.from_, found[0], "tcp", _port(asked.url), SIZE) if found else None

    def briefly(self, seconds: float, times: int) -> Http:
        """Return the same with a shorter time-out."""
        return self.asked.replace(timeout=min(self.asked.timeout, seconds))


@dataclass
class _Ended(Exception):
    """No page has come, with the outcome that this is."""

    outcome: Outcome


def _got(asked: Http, url: str, patience: PatienceFor) -> Response:
    """Return what is answered to a request for a URL. Raise _Ended."""
    to = host_of_url(url) or _resolved(asked, _host_name(url), patience)
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        return get(asked.from_, to, _port(url), parts.netloc, path, asked.timeout, patience)
    except NotSent as refused:
        raise _Ended(refused_at_once(refused.error)) from None
    except TimeoutError:
        raise _Ended(Outcome("silent", f"nothing came back: timed out after {asked.timeout:g} s")) from None
    except OSError as error:
        raise _Ended(Outcome("silent", f"nothing came back: {kernel_words(error)}")) from None
    except NotHttp as problem:
        raise _Ended(Outcome("differs", f"what came back is no HTTP: {problem}")) from None


def _resolved(asked: Http, name: str, patience: PatienceFor) -> Host:
    """Return the address of a name. Raise _Ended."""
    for found in in_hosts(asked.from_, name):
        return found
    servers = name_servers(asked.from_)
    if not servers:
        why = f"{name} is not in {HOSTS} of {asked.from_}, and there is no name server in {RESOLV}"
        raise _Ended(Outcome("unasked", why))
    unknown = f"the address of {name} is not known: {servers[0]}"
    try:
        for kind in ("A", "AAAA"):
            answer = query(asked.from_, servers[0], PORT, name, kind, asked.timeout, patience)
            if answer.addresses:
                return answer.addresses[0]
    except NotSent as refused:
        raise _Ended(Outcome("differs", f"{unknown} is not asked: {kernel_words(refused.error)}")) from None
    except TimeoutError:
        raise _Ended(Outcome("differs", f"{unknown} did not answer within {asked.timeout:g} s")) from None
    except (OSError, Malformed) as error:
        words = kernel_words(error) if isinstance(error, OSError) else str(error)
        raise _Ended(Outcome("differs", f"{unknown} does not answer: {words}")) from None
    raise _Ended(Outcome("differs", f"{unknown} answers {'no address' if answer.denies else answer.code}"))


def _host_name(url: str) -> str:
    """Return the name of the host in a URL, as name servers and /etc/hosts have it: without a dot at its end."""
    return (urlsplit(url).hostname or "").removesuffix(".")


def _led_to(url: str, found: Response) -> str:
    """Return the URL that an answer redirects to; empty where it does not, or to no URL of HTTP."""
    with suppress(ValueError):
        if found.location and found.status in REDIRECTS:
            return parse_url(urljoin(url, found.location))
    return ""


def _port(url: str) -> int:
    return urlsplit(url).port or HTTP


def concluded(asked: Http, found: Response, url: str) -> Outcome:
    """Return the outcome of an answer."""
    told = f"{found.status} {found.reason}".rstrip() + (f" of {url}" if url != asked.url else "")
    size = f"{len(found.body):,} bytes" if len(found.body) < KEPT else f"the first {KEPT:,} bytes"
    if found.location and found.status in REDIRECTS:
        told += f", which leads to {found.location}"
    if found.cut:
        return Outcome("differs", f"{told}, {size} of the body, but {found.cut}")
    if asked.body is not None and not re.search(asked.body, found.body.decode(errors="replace"), re.MULTILINE):
        return Outcome("differs", f"{told}, {size}, /{asked.body}/ is not among them")
    return Outcome("answered" if found.status == asked.status else "differs", f"{told}, {size}")


def curl(asked: Http, *options: str) -> list[str]:
    """Return the command line of curl(1)."""
    follow = ["-L", "--max-redirs", str(asked.redirects)] if asked.redirects else []
    return ["curl", *options, *follow, "--max-time", f"{asked.timeout:g}", asked.url]
