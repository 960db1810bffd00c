"""Whatever ids of another organisation are mixed with one's own or with none: 404, nothing changed, nothing listed."""

import string
from typing import Any
from uuid import uuid4

import httpx2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.site import Site
from tests.api.test_isolation import BODIES, FILES, Belongings, mine, operations

__all__ = ["mine"]

KINDS = (
    "collection_id",
    "document_id",
    "conversation_id",
    "gap_id",
    "test_id",
    "message_id",
    "turn_id",
    "agent_id",
    "source_id",
    "budget_id",
    "price_id",
)


def fields(path: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(path) if name]


async def test_no_mix_of_ids_opens_changes_or_deletes_anything(
    site: Site, mine: Belongings, caller: httpx2.AsyncClient, outsider: httpx2.AsyncClient
) -> None:
    own = (await outsider.post("/v1/collections", json={"name": "own"})).json()["id"]
    routes = [one async for one in operations(site) if set(fields(one[1])) & set(KINDS)]
    before = await everything(caller, mine)
    tries: list[tuple[str, str, dict[str, Any]]] = []

    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def choose(data: st.DataObject) -> None:
        method, path, name = data.draw(st.sampled_from(routes))
        foreign = [mine.ids[kind] for kind in KINDS]
        names = fields(path)
        chosen = {
            # The last id decides what is opened; those before it may be the caller's own.
            key: data.draw(st.sampled_from(foreign if key == names[-1] else [*foreign, own, str(uuid4())]))
            if key.endswith("_id")
            else mine.ids.get(key, "1")
            for key in names
        }
        if not any(value in foreign for value in chosen.values()):
            chosen[names[0]] = mine.ids["collection_id"]
        tries.append((method, path.format(**chosen), {"json": BODIES.get(name), "files": FILES.get(name)}))

    choose()
    for method, url, sent in tries:
        answer = await outsider.request(method, url, **sent)
        assert answer.status_code == 404, f"{method} {url}: {answer.status_code} {answer.text}"
    assert await everything(caller, mine) == before
    for path in ("agents", "collections", "conversations"):
        rows = (await outsider.get(f"/v1/{path}")).json()["data"]
        assert [row["id"] for row in rows if row["id"] != own] == []
    for path in ("documents", "sources", "gaps", "retrieval-tests"):
        assert (await outsider.get(f"/v1/collections/{own}/{path}")).json()["data"] == []


async def everything(caller: httpx2.AsyncClient, mine: Belongings) -> list[Any]:
    """The owner's rows, as the owner sees them; not how far the ingestion of a document has come."""
    collection, conversation = mine.ids["collection_id"], mine.ids["conversation_id"]
    paths = [
        f"collections/{collection}",
        f"collections/{collection}/gaps",
        f"collections/{collection}/retrieval-tests",
        f"conversations/{conversation}",
        f"conversations/{conversation}/messages",
        f"agents/{mine.ids['agent_id']}",
        f"turns/{mine.ids['turn_id']}",
    ]
    rows = [(await caller.get(f"/v1/{path}")).json() for path in paths]
    return [{key: value for key, value in row.items() if key != "documents"} for row in rows]
