"""Who is calling: an organisation, the key it came with, and what that key may do."""

from dataclasses import dataclass
from uuid import UUID

from domain.auth.permissions import Permission
from domain.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Principal:
    org_id: UUID
    key_id: UUID
    permissions: frozenset[str]

    def require(self, permission: Permission) -> None:
        """Raises Forbidden."""
        if permission not in self.permissions:
            raise Forbidden(f"this API key lacks the permission {permission}")
