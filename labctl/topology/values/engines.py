"""What an engine is told: what packets suffer in it, and, of one of one's own, its command line and directory."""

from __future__ import annotations

import shlex
from string import Formatter
from typing import Any

from labctl.engine.packets.impairment import read, show
from labctl.topology.values.text import as_text, mistake, parse_words

ENDPOINT_WORDS = ("device", "bind_address", "bind_port", "peer_address", "peer_port")
"""What a command line of an engine can ask for, each in braces."""


def parse_command(value: Any) -> str:
    """Return the command line of an engine, which may have placeholders."""
    text = parse_words(value, "./my_ttun {device} {bind_address} {bind_port} ...")
    for word in shlex.split(text):
        try:
            fields = [field for field in Formatter().parse(word) if field[1] is not None]
        except ValueError as error:
            raise mistake(f"{word!r} has a brace too many or too few: {error}", "write {{ for a brace itself") from None
        for _, field, form, conversion in fields:
            if field not in ENDPOINT_WORDS or form or conversion:
                asked = f"{field}{f'!{conversion}' if conversion else ''}{f':{form}' if form else ''}"
                known = ", ".join(f"{{{known}}}" for known in ENDPOINT_WORDS)
                raise mistake(f"unknown placeholder {{{asked}}}", f"it knows {known}")
    return text


def parse_directory(value: Any) -> str:
    """Return a directory."""
    text = as_text(value, "a directory")
    if not text.isprintable():
        raise mistake(f"{text!r} is no directory", "for example ./my_ttun")
    return text


def parse_impairment(word: str, value: Any) -> str:
    """Return a value of an impairment, as tc netem writes it."""
    text = as_text(value, f"a value for {word}")
    try:
        return show(word, read(word, text))
    except ValueError as error:
        raise mistake(str(error), "as tc netem writes it: delay: 50ms, loss: 10%, rate: 10mbit") from None


def parse_bit_rate(value: Any) -> str:
    """Return bits per second, as tc writes a rate; the time may be named, as in 50Mbit/s."""
    return parse_impairment("rate", value.strip().removesuffix("/s") if isinstance(value, str) else value)
