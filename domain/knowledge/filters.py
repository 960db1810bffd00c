"""Which passages a search may look at, by what is known of their documents."""

from collections.abc import Iterable
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from domain.knowledge.labels import LabelFilter

Value = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Values = Annotated[tuple[Value, ...], Field(max_length=100)]


Reranking = Literal["off", "local", "provider"]
"""Who orders the best passages once more; here, where agents can name it without loading a search."""


class Filters(BaseModel):
    """All that are given must hold; within one, any of its values. Nothing given: every passage.

    They only narrow what an organisation may see: the tenant is chosen by the place of the table, before them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    document_ids: Annotated[tuple[UUID, ...], Field(max_length=1000)] = ()
    media_types: Values = ()
    """As documents show them: "application/pdf"; a type and a slash, like "image/", stands for all of its kind."""
    titles: Values = ()
    """Whole titles, as indexed."""
    revision: Annotated[int | None, Field(ge=1)] = None
    indexed_after: AwareDatetime | None = None
    indexed_before: AwareDatetime | None = None
    labels: LabelFilter = {}
    """Any value of a key, and every key."""

    def __hash__(self) -> int:
        """Views keep what each let through; Pydantic's own fails at a dictionary."""
        return hash(tuple(frozenset(said.items()) if isinstance(said, dict) else said for _, said in self))

    @property
    def empty(self) -> bool:
        return self == Filters()

    @property
    def labelled(self) -> list[list[str]]:
        """For each key the labels that do, as `labels.paired` writes them: one of each list must be there."""
        return [[f"{key}={value}" for value in values] for key, values in self.labels.items()]

    def sql(self) -> str:
        """A condition for LanceDB, which applies it before it ranks."""
        parts = []
        if self.document_ids:
            parts.append(f"document_id IN ({quoted_list(map(str, self.document_ids))})")
        if self.media_types:
            kinds = [f"starts_with(media_type, {_quoted(kind)})" for kind in self.media_types if kind.endswith("/")]
            whole = [kind for kind in self.media_types if not kind.endswith("/")]
            parts.append("(" + " OR ".join(kinds + ([f"media_type IN ({quoted_list(whole)})"] if whole else [])) + ")")
        if self.titles:
            parts.append(f"title IN ({quoted_list(self.titles)})")
        if self.revision is not None:
            parts.append(f"revision = {self.revision}")
        if self.indexed_after is not None:
            parts.append(f"indexed_at > {milliseconds(self.indexed_after)}")
        if self.indexed_before is not None:
            parts.append(f"indexed_at < {milliseconds(self.indexed_before)}")
        parts += [f"array_has_any(labels, make_array({quoted_list(pairs)}))" for pairs in self.labelled]
        return " AND ".join(parts)


def quoted_list(values: Iterable[str]) -> str:
    """SQL strings with commas between them."""
    return ", ".join(_quoted(value) for value in values)


def _quoted(value: str) -> str:
    """A SQL string: a quote inside is doubled, and nothing else has a meaning in one."""
    return "'" + value.replace("'", "''") + "'"


def milliseconds(moment: AwareDatetime) -> int:
    """Since 1970, as `indexed_at` is written."""
    return round(moment.timestamp() * 1000)
