"""The small values of checks: a pattern, a URL, the name of a host, a path into JSON."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from labctl.topology.values import Host, mistake, parse_text, parse_words

LONGEST_NAME = 253  # of a host (RFC 1035, section 2.3.4), as it is written without the last dot
LONGEST_LABEL = 63

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?")


def parse_command_line(value: Any) -> str:
    """Return the command line of a check."""
    return parse_words(value, "ping -c 1 10.0.102.1")


def parse_pattern(value: Any) -> str:
    """Return a regular expression, in the words of Python's `re`."""
    text = parse_text(value, "a regular expression", 'for example "listening on .*"')
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        what = f"{text!r} is no regular expression: {error}"
        raise mistake(what, "a \\ takes the next character as it is") from None
    return text


def parse_host_name(value: Any) -> str:
    """Return the name of a host, without a dot at its end (RFC 1035, section 2.3.1; '_' is in use, too)."""
    name = parse_text(value, "the name of a host", "for example www.example.org").removesuffix(".")
    if len(name) > LONGEST_NAME:
        raise mistake(f"a name of {len(name)} characters is too long", f"it has {LONGEST_NAME} at most")
    for label in name.split("."):
        if len(label) > LONGEST_LABEL:
            raise mistake(f"the part {label!r} of a name is too long", f"it has {LONGEST_LABEL} characters at most")
        if not _LABEL.fullmatch(label):
            why = f"{name!r} cannot be the name of a host"
            raise mistake(why, "parts of letters, digits, '-' and '_' with dots between them; others as xn--...")
    return name


def parse_url(value: Any) -> str:
    """Return a URL of HTTP."""
    from urllib.parse import urlsplit

    text = parse_text(value, "a URL", "for example http://10.0.102.1/")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise mistake(f"{text!r} is no URL: {error}", "for example http://10.0.102.1:8080/index.html") from None
    if parts.scheme == "https":
        raise mistake(
            "https is not spoken here", "a check that runs curl can: exec: {in: ..., command: curl https://...}"
        )
    if parts.scheme != "http" or not parts.hostname:
        raise mistake(f"{text!r} is no URL of HTTP", "for example http://10.0.102.1:8080/index.html")
    if parts.username is not None:
        raise mistake(f"{text!r} has a user in it", "passwords are not sent: leave it out")
    if port == 0 or not text.isascii() or any(char <= " " or char == "\x7f" for char in text):
        why = "port 0 is none" if port == 0 else f"{text!r} has characters that a URL cannot have"
        raise mistake(why, "write others as %XX, as in http://10.0.102.1/a%20b")
    if host_of_url(text) is None:
        parse_host_name(parts.hostname)
    return text


def host_of_url(url: str) -> Host | None:
    """Return the address in a URL; None where it has a name."""
    from urllib.parse import urlsplit

    try:
        return ipaddress.ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return None


def parse_json_value(value: Any) -> Any:
    """Return a value that JSON can say."""
    if isinstance(value, dict):
        return {str(key): parse_json_value(inside) for key, inside in value.items()}
    if isinstance(value, (list, tuple)):
        return [parse_json_value(inside) for inside in value]
    return value
