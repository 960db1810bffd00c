"""What a key may be allowed to do. Roles, which will bundle these, are not here yet."""

from typing import Final, Literal, get_args

Permission = Literal[
    "agents:read",
    "agents:write",
    "collections:read",
    "collections:write",
    "conversations:read",
    "conversations:write",
    "documents:read",
    "documents:write",
    "keys:read",
    "keys:write",
    "runs:read",
    "runs:write",
    "spend:read",
    "spend:write",
]

ALL: Final[tuple[Permission, ...]] = get_args(Permission)
