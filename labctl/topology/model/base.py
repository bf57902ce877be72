"""What all models of the file are."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo
from pydantic_core import PydanticKnownError

WRITTEN = "written"
"""The context in which values are validated that a person wrote."""


class Model(BaseModel):
    """The base of all: unknown keys are mistakes, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)


def _not_written(value: Any, info: ValidationInfo) -> Any:
    if info.context == WRITTEN:
        raise PydanticKnownError("extra_forbidden")
    return value


OF_NO_FILE = BeforeValidator(_not_written)
"""Of a field that labctl alone fills in: in a file it is an unknown key. Together with SkipJsonSchema."""
