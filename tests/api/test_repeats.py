"""A request that is sent again under its Idempotency-Key does its work once, and says so once more."""

import asyncio
from uuid import UUID

import httpx2
from temporalio.client import Client

from runtime.resources import Resources
from tests.api.site import Site, open_site


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


async def test_a_repeat_gets_the_first_answer(caller: httpx2.AsyncClient) -> None:
    first = await caller.post("/v1/agents", json={"name": "a"}, headers=keyed("k"))
    again = await caller.post("/v1/agents", json={"name": "a"}, headers=keyed("k"))
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert first.headers["location"] == again.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert len((await caller.get("/v1/agents")).json()["data"]) == 1


async def test_another_request_under_the_key_is_refused(caller: httpx2.AsyncClient) -> None:
    await caller.post("/v1/agents", json={"name": "a"}, headers=keyed("k"))
    for method, path, body in (
        ("POST", "/v1/agents", {"name": "b"}),
        ("POST", "/v1/collections", {"name": "a"}),
        ("POST", "/v1/agents?x=1", {"name": "a"}),
    ):
        response = await caller.request(method, path, json=body, headers=keyed("k"))
        assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")


async def test_one_key_at_once_does_the_work_once(caller: httpx2.AsyncClient) -> None:
    requests = [caller.post("/v1/collections", json={"name": "a"}, headers=keyed("k")) for _ in range(20)]
    answers = await asyncio.gather(*requests)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 19


async def test_a_failure_is_not_kept(caller: httpx2.AsyncClient) -> None:
    taken = (await caller.post("/v1/agents", json={"name": "a"})).json()["id"]
    refused = await caller.post("/v1/agents", json={"name": "a"}, headers=keyed("k"))
    assert refused.status_code == 409
    await caller.delete(f"/v1/agents/{taken}")
    assert (await caller.post("/v1/agents", json={"name": "a"}, headers=keyed("k"))).status_code == 201


async def test_a_deletion_repeats_too(caller: httpx2.AsyncClient) -> None:
    made = (await caller.post("/v1/collections", json={"name": "a"})).json()["id"]
    for _ in range(2):
        response = await caller.delete(f"/v1/collections/{made}", headers=keyed("gone"))
        assert (response.status_code, response.content) == (204, b"")
    assert (await caller.delete(f"/v1/collections/{made}")).status_code == 404


async def test_a_key_is_made_where_none_was_sent_and_works_from_then_on(caller: httpx2.AsyncClient) -> None:
    first = await caller.post("/v1/agents", json={"name": "a"})
    again = await caller.post("/v1/agents", json={"name": "a"}, headers=keyed(first.headers["idempotency-key"]))
    assert again.json() == first.json()


async def test_a_key_belongs_to_its_organisation(caller: httpx2.AsyncClient, outsider: httpx2.AsyncClient) -> None:
    mine = await caller.post("/v1/agents", json={"name": "a"}, headers=keyed("k"))
    theirs = await outsider.post("/v1/agents", json={"name": "a"}, headers=keyed("k"))
    assert theirs.status_code == 201
    assert mine.json()["id"] != theirs.json()["id"]


async def test_an_answer_is_repeated_only_to_the_key_that_may_have_it(site: Site, org: UUID) -> None:
    async with await site.caller(org) as maker, await site.caller(org, ["agents:read"]) as reader:
        await maker.post("/v1/agents", json={"name": "a"}, headers=keyed("k"))
        assert (await reader.post("/v1/agents", json={"name": "a"}, headers=keyed("k"))).status_code == 403


async def test_an_odd_key_is_refused(caller: httpx2.AsyncClient) -> None:
    for odd in ("", "x" * 256, "with space"):
        response = await caller.post("/v1/agents", json={"name": "a"}, headers=keyed(odd))
        assert (response.status_code, response.json()["errors"][0]["parameter"]) == (422, "Idempotency-Key")


async def test_a_server_may_require_the_key(
    site: Site, org: UUID, api_resources: Resources, temporal_client: Client
) -> None:
    async with (
        open_site(api_resources, temporal_client, require_idempotency_key=True) as strict,
        strict.caller_with(await site.key(org)) as client,
    ):
        assert (await client.post("/v1/agents", json={"name": "a"})).status_code == 422
        assert (await client.post("/v1/agents", json={"name": "a"}, headers=keyed("k"))).status_code == 201
        assert (await client.get("/v1/agents")).status_code == 200
        chat = {"model": "nobody", "messages": [{"role": "user", "content": "Hello"}]}
        assert (await client.post("/v1/chat/completions", json=chat)).json()["error"]["code"] == "model_not_found"
