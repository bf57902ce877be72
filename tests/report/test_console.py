"""What is printed for a person is what was meant, letter by letter."""

from __future__ import annotations

import pytest

from labctl.report.console import console


@pytest.mark.parametrize("name", ["r2:a: down", "siteA:lock: up", "x:100: no such interface"])
def test_the_name_of_an_interface_is_no_emoji(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    console().print(name)
    assert capsys.readouterr().out == f"{name}\n"
