"""The one parent of every contract: what may cross Temporal, and how it may grow."""

from pydantic import BaseModel, ConfigDict


class Contract(BaseModel):
    """An immutable message that crosses Temporal.

    Extended only by optional fields: a recorded history must still parse, so unknown
    fields are ignored (an older worker reads a newer message) and none is ever removed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
