"""What the control socket of an end takes: a whole plug, or a question."""

from __future__ import annotations

from typing import Any

import pytest

from labctl.engine.cable.control import handle
from tests.engine.cable.ports import KEY, MemoryEnd, joined

PLUG = {"peer": "192.0.2.9", "port": 47000, "key": KEY.hex(), "cipher": "aes-256-gcm"}


def test_a_plug_joins_and_a_question_changes_nothing() -> None:
    end = MemoryEnd("a", "b", 1472)
    assert handle(end.cable, {}, 0.0) == {"peer": None}
    assert handle(end.cable, PLUG, 0.0) == handle(end.cable, {}, 0.1) == {"peer": "192.0.2.9:47000"}
    assert end.now["keys"] == 1


@pytest.mark.parametrize(
    "asked",
    [
        *({name: value for name, value in PLUG.items() if name != left} for left in PLUG),
        *(PLUG | each for each in ({"cipher": "none"}, {"key": "00"}, {"key": "no"}, {"port": 0}, {"peer": "srv1"})),
        *({"peer": None}, [], None, 7, "plug"),
    ],
)
def test_anything_else_is_refused_and_changes_nothing(asked: Any) -> None:
    end, _ = joined()
    with pytest.raises(ValueError):
        handle(end.cable, asked, 1.0)
    assert end.now["keys"] == 1 and end.tap.carrier
