"""What is printed for a person is what was meant, letter by letter."""

from __future__ import annotations

import pytest
from rich.table import Table

from labctl.report.console import console


@pytest.mark.parametrize("name", ["r2:a: down", "siteA:lock: up", "x:100: no such interface"])
def test_the_name_of_an_interface_is_no_emoji(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    console().print(name)
    assert capsys.readouterr().out == f"{name}\n"


def test_a_terminal_obeys_nothing_that_is_in_what_it_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """A name or a line may be what another machine says; styles are ours, and stay."""
    table = Table("told")
    table.add_row("\x1b]0;title\x07")
    out = console()
    out.print(table, "\x1b[2Jone\x9b31m\ttwo", soft_wrap=False)
    told = capsys.readouterr().out
    assert "\ufffd]0;titl" in told
    assert "\ufffd[2Jone\ufffd31m" in told
    assert not set(told) & {"\x1b", "\x07", "\x9b"}
