"""Nobody gets in without a good key, and no key does more than it may."""

from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi.routing import APIRoute, APIWebSocketRoute

from api.app import ROUTERS
from api.dependencies import Needs
from db.engine import Database
from domain.auth import permissions, store
from domain.auth.authenticator import Authenticator
from domain.auth.keys import new_key
from domain.errors import Unauthenticated
from tests.api.site import Site

PUBLIC = {
    "/health", "/healthz", "/ready", "/readyz", "/metrics", "/problems", "/problems/{code}",
    "/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc",
}  # fmt: skip


def test_every_route_names_a_permission_in_its_signature() -> None:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute | APIWebSocketRoute)]
    bare = [
        route.path
        for route in routes
        if route.path not in PUBLIC and not any(isinstance(d.call, Needs) for d in route.dependant.dependencies)
    ]
    assert len(routes) > 40
    assert bare == [], 'give each `principal: Annotated[Principal, needs("…")]`, or put it on the public list'


async def test_only_public_paths_answer_without_a_key(site: Site) -> None:
    async with site.stranger() as stranger:
        document = (await stranger.get("/openapi.json")).json()
        for path, item in document["paths"].items():
            for method in item:
                url = path.replace("{code}", "not_found").replace("{run_id}", f"turn/{uuid4()}")
                for name in ("agent_id", "key_id", "collection_id", "document_id", "conversation_id", "turn_id"):
                    url = url.replace(f"{{{name}}}", str(uuid4()))
                response = await stranger.request(method, url.replace("{number}", "1").replace("{model}", "m"))
                expected = 200 if path in PUBLIC else 401
                assert response.status_code == expected, f"{method} {path}"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"X-API-Key": "ev_" + "0" * 32 + "_" + "x" * 43},
    ],
)
async def test_a_bad_key_is_a_401_with_a_challenge(site: Site, headers: dict[str, str]) -> None:
    async with site.stranger() as stranger:
        response = await stranger.get("/v1/agents", headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["code"] == "unauthenticated"


async def test_a_key_of_another_organisations_id_is_refused(site: Site, org: UUID) -> None:
    key = await site.key(org)
    forged = key.replace(org.hex, uuid4().hex)
    async with site.caller_with(forged) as forger:
        assert (await forger.get("/v1/agents")).status_code == 401


async def test_both_headers_carry_a_key(site: Site, org: UUID) -> None:
    key = await site.key(org)
    async with site.stranger() as stranger:
        assert (await stranger.get("/v1/agents", headers={"X-API-Key": key})).status_code == 200
        assert (await stranger.get("/v1/agents", headers={"Authorization": f"bearer {key}"})).status_code == 200


async def test_a_key_without_the_permission_is_a_403_that_names_it(site: Site, org: UUID) -> None:
    async with await site.caller(org, ["agents:read"]) as reader:
        assert (await reader.get("/v1/agents")).status_code == 200
        response = await reader.post("/v1/agents", json={"name": "x"})
    assert response.status_code == 403
    assert "agents:write" in response.json()["detail"]


async def test_a_made_key_works_until_it_is_revoked(site: Site, org: UUID, caller: httpx2.AsyncClient) -> None:
    made = (await caller.post("/v1/api-keys", json={"name": "website", "permissions": ["agents:read"]})).json()
    async with site.caller_with(made["key"]) as website:
        assert (await website.get("/v1/agents")).status_code == 200
        assert (await website.get("/v1/collections")).status_code == 403
    assert (await caller.delete(f"/v1/api-keys/{made['id']}")).status_code == 204
    shown = (await caller.get(f"/v1/api-keys/{made['id']}")).json()
    assert shown["revoked_at"] is not None
    assert "key" not in shown
    with pytest.raises(Unauthenticated):
        await Authenticator(site.database).authenticate(made["key"])


async def test_a_revoked_key_is_forgotten_after_the_stated_time(database: Database, org: UUID) -> None:
    now = 0.0
    authenticator = Authenticator(database, remember_seconds=5, clock=lambda: now)
    async with database.session(org) as session:
        row, text = await store.create_key(session, org, "k", permissions.ALL)
    assert (await authenticator.authenticate(text)).key_id == row.id
    async with database.session(org) as session:
        await store.revoke_key(session, row.id)
    now = 4.9
    assert (await authenticator.authenticate(text)).key_id == row.id
    now = 5.0
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(text)


async def test_a_key_gives_away_no_more_than_it_holds(site: Site, org: UUID) -> None:
    async with await site.caller(org, ["keys:write"]) as giver:
        response = await giver.post("/v1/api-keys", json={"name": "more", "permissions": ["agents:write"]})
    assert response.status_code == 403


async def test_no_secret_is_stored_anywhere(site: Site, org: UUID, caller: httpx2.AsyncClient) -> None:
    body = {"name": "website", "permissions": ["agents:read"]}
    headers = {"Idempotency-Key": "make-a-key"}
    first = await caller.post("/v1/api-keys", json=body, headers=headers)
    again = await caller.post("/v1/api-keys", json=body, headers=headers)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json() | {"key": None}
    secret = first.json()["key"].rpartition("_")[2]
    async with site.database.transaction(org) as connection:
        for table in ("api_keys", "idempotency_keys"):
            rows: list[Any] = await connection.fetch(f"SELECT t::text AS row FROM {table} t")
            assert rows
            assert not [row for row in rows if secret in row["row"] or secret.encode().hex() in row["row"]]


def test_keys_are_not_alike() -> None:
    org = uuid4()
    assert len({new_key(org) for _ in range(100)}) == 100
