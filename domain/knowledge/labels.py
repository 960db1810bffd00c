"""Labels: what people say of a document for filters to find, like plan=premium. Not what its content says."""

from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from domain.errors import Invalid

LabelKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
LabelValue = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Labels = Annotated[dict[LabelKey, LabelValue], Field(max_length=32)]
LabelFilter = Annotated[
    dict[LabelKey, Annotated[tuple[LabelValue, ...], Field(min_length=1, max_length=100)]], Field(max_length=32)
]
"""Any value of a key; all keys must hold."""

_LABELS: TypeAdapter[dict[str, str]] = TypeAdapter(Labels)
_FILTER: TypeAdapter[dict[str, tuple[str, ...]]] = TypeAdapter(LabelFilter)


def read_labels(text: str, *, pointer: str) -> dict[str, str]:
    """A JSON object out of a form field. Raises Invalid; its pointer is `pointer`, or leads to the label inside."""
    try:
        return _LABELS.validate_json(text)
    except ValidationError as error:
        where, why = _first(error)
        raise Invalid(why, pointer=pointer + where) from None


def read_filter(pairs: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Of pairs like plan=premium; a key that comes twice may have either value. Raises Invalid, without a place."""
    values: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        values[key] = (*values.get(key, ()), value)
    try:
        return _FILTER.validate_python(values)
    except ValidationError as error:
        raise Invalid(f"labels are asked for as key=value: {_first(error)[1]}") from None


def paired(labels: Mapping[str, str]) -> list[str]:
    """As the index keeps them. A key has no equals sign, so no two labels look the same."""
    return [f"{key}={value}" for key, value in sorted(labels.items())]


def _first(error: ValidationError) -> tuple[str, str]:
    first = error.errors(include_url=False, include_input=False)[0]
    steps = [str(step).replace("~", "~0").replace("/", "~1") for step in first["loc"] if step != "[key]"]
    return "".join(f"/{step}" for step in steps), str(first["msg"])
