"""The small values of a program: its command, its environment, what it is waited for, and the signal that ends it."""

from __future__ import annotations

import re
import signal
from typing import Any

from labctl.topology.values import LONGEST_NAMESPACE, as_text, check_name, mistake, parse_text, parse_words
from labctl.topology.values.checks import parse_pattern

LONGEST_NAME = 40  # bytes, of a program
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def parse_program_command(value: Any) -> str:
    """Return the command line of a program."""
    return parse_words(value, "python3 -m http.server 80")


def parse_program_name(value: Any) -> str:
    """Return the name of a program."""
    return check_name(value, "program", LONGEST_NAME)


def parse_earlier(value: Any) -> str:
    """Return a program that another one starts after: NAME in the same namespace, or NAMESPACE:NAME."""
    text = parse_text(value, "a program as NAME or NAMESPACE:NAME", "for example db or server:db")
    namespace, colon, name = text.rpartition(":")
    if colon:
        check_name(namespace, "namespace", LONGEST_NAMESPACE)
    parse_program_name(name)
    return text


def parse_variable(value: Any) -> str:
    """Return the name of an environment variable."""
    text = parse_text(value, "the name of a variable", "for example LOG_LEVEL")
    if not _VARIABLE.fullmatch(text):
        raise mistake(f"{text!r} cannot be the name of an environment variable", "use letters, digits and '_'")
    return text


def parse_setting(value: Any) -> str:
    """Return the value of an environment variable; a number that YAML has read is written as in decimal."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = parse_text(value, "text", 'put it in quotes, as in "1.0" or "true"')
    if "\0" in text:
        raise mistake("the value of an environment variable has a zero byte in it", "leave it out")
    return text


def parse_line_pattern(value: Any) -> str:
    """Return a regular expression that does not match every line."""
    text = parse_pattern(value)
    if re.search(text, ""):
        raise mistake(f"{text!r} matches every line, an empty one too", "write what the program says once it is ready")
    return text


def parse_signal(value: Any) -> str:
    """Return the name of a signal without SIG, as kill(1) lists it."""
    name = parse_text(value, "the name of a signal", "for example INT").upper().removeprefix("SIG")
    if f"SIG{name}" not in signal.Signals.__members__:
        raise mistake(f"there is no signal {value!r}", "kill -l lists them")
    if name in ("KILL", "STOP", "CHLD", "CLD"):
        raise mistake(f"{name} asks no program to end", "for example TERM, INT, QUIT or HUP")
    return name


def parse_shell_line(value: Any) -> str:
    """Return a line for a shell."""
    line = as_text(value, "a line for a shell")
    if not line.strip():
        raise mistake("the line is empty", "for example ip link set eth0 txqueuelen 100")
    if "\0" in line:
        raise mistake("the line has a zero byte in it", "no program can be given one: leave it out")
    return line
