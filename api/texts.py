"""What a request body may hold: only what Postgres, JSON and Temporal can all keep.

Python's JSON reader lets through a NUL (Postgres refuses it), half a surrogate pair (UTF-8 has none),
numbers beyond 64 bits, NaN and any depth (orjson refuses these). Each would otherwise end as a 500.
"""

import math
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from api.problems import escaped

_DEEPEST = 64
"""orjson stops at 254 levels; nothing that people write has 64."""
_INT64 = 2**63


class RequestModel(BaseModel):
    """The parent of every request body. Unknown fields are refused, so a typo never passes in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _keepable(cls, value: Any) -> Any:
        _check(value, "", _DEEPEST)
        return value


def keepable(text: str) -> str:
    """For strings outside a body. Raises PydanticCustomError."""
    _check_text(text, "")
    return text


KeepableText = Annotated[str, AfterValidator(keepable)]
"""A query or path string that Postgres can be asked about."""


def _check(value: Any, pointer: str, depth: int) -> None:
    if isinstance(value, str):
        _check_text(value, pointer)
    elif isinstance(value, int | float):
        _check_number(value, pointer)
    elif isinstance(value, dict | list) and depth == 0:
        raise _refused("too_deep", f"at most {_DEEPEST} levels", pointer)
    elif isinstance(value, dict):
        for key, one in value.items():
            _check_text(str(key), pointer)
            _check(one, f"{pointer}/{escaped(key)}", depth - 1)
    elif isinstance(value, list):
        for place, one in enumerate(value):
            _check(one, f"{pointer}/{place}", depth - 1)


def _check_number(value: float, pointer: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise _refused("not_a_number", "numbers are finite", pointer)
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        raise _refused("number_too_large", "numbers are at most 64 bits", pointer)


def _check_text(text: str, pointer: str) -> None:
    if "\0" in text:
        raise _refused("nul_character", "NUL characters cannot be stored", pointer)
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise _refused("lone_surrogate", "half of a surrogate pair is not text", pointer)


def _refused(kind: str, sentence: str, pointer: str) -> PydanticCustomError:
    return PydanticCustomError(kind, sentence, {"pointer": pointer})
