"""What a provider of kind `local` runs. Not for running it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class LocalModel(BaseModel):
    """path: a GGUF file; None takes the weights that a package brought.

    context_tokens: for each of the `parallel` replies that run at a time; further ones wait. threads None: half of
    the cores. On two busy cores, two threads made 2.5 tokens a second and one made 38: each waits for the other.
    tools: `schema` asks for tool calls as JSON by schema, which any model can do; `native` is for models whose
    chat template knows tools.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path | None = None
    context_tokens: Annotated[int, Field(ge=256, le=1_000_000)] = 4096
    parallel: Annotated[int, Field(ge=1, le=64)] = 2
    threads: Annotated[int, Field(ge=1, le=256)] | None = None
    tools: Literal["schema", "native"] = "schema"
