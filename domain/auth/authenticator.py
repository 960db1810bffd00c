"""From a key's text to its principal, without a query for every request."""

import time
from collections import OrderedDict
from collections.abc import Callable

from db.engine import Database
from domain.auth import store
from domain.auth.keys import read_key
from domain.auth.principal import Principal

REVOCATION_SECONDS = 5.0
"""How long a revoked key may still work: one lookup in this time serves every request of a key."""

_KEPT = 10_000
"""A principal is about 1 kB in memory; more keys than this at once read Postgres again."""


class Authenticator:
    """One process's memory of keys that were good a moment ago. Bad keys are never remembered."""

    def __init__(
        self,
        database: Database,
        *,
        remember_seconds: float = REVOCATION_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._remember = remember_seconds
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()

    async def authenticate(self, text: str) -> Principal:
        """Raises Unauthenticated."""
        presented = read_key(text)
        known = self._known.get(presented.secret_hash)
        if known is not None and known[0] > self._clock():
            return known[1]
        self._known.pop(presented.secret_hash, None)
        async with self._database.transaction(presented.org_id) as connection:
            principal = await store.find_principal(connection, presented)
        self._known[presented.secret_hash] = (self._clock() + self._remember, principal)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return principal
