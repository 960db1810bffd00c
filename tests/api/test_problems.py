"""Whatever is wrong with a request, the answer is a problem document that says what, and nothing has changed."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
from sqlalchemy.exc import DBAPIError
from temporalio.client import Client

from api import problems
from db.engine import Database
from runtime.embedded.postgres import EmbeddedPostgres
from runtime.embedded.process import free_port
from runtime.embedded.temporal import EmbeddedTemporal
from runtime.resources import Resources
from tests.api.site import Site, open_site


def check(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, f"/problems/{code}")
    assert body["request_id"] == response.headers["x-request-id"]
    return body


async def test_unknown_paths_and_methods_are_problems(caller: httpx2.AsyncClient) -> None:
    check(await caller.get("/nowhere"), 404, "not_found")
    check(await caller.get("/v1/nowhere"), 404, "not_found")
    refused = await caller.put("/v1/agents")
    check(refused, 405, "method_not_allowed")
    assert set(refused.headers["allow"].replace(" ", "").split(",")) <= {"GET", "POST", "HEAD"}


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b'{"name": }', b"[" * 100_000])
async def test_malformed_json_is_a_400(caller: httpx2.AsyncClient, body: bytes) -> None:
    response = await caller.post("/v1/agents", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": 1}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "x", "nmae": "y"}, "/nmae"),
        ({"name": "x", "config": {"model": {"temperature": 9}}}, "/config/model/temperature"),
        ({"name": "x", "config": {"intents": [{"name": "a", "examples": [""]}]}}, "/config/intents/0/examples/0"),
        ({"name": "x", "config": {"tools": [{"name": "t", "url": "nonsense"}]}}, "/config/tools/0/url"),
        ({"name": "a\0b"}, "/name"),
        ({"name": "x", "description": "\0"}, "/description"),
        ({"name": "x", "config": {"tools": [{"name": "t", "url": "http://a/", "parameters": {"a/b": "\0"}}]}},
         "/config/tools/0/parameters/a~1b"),
        ({"name": "x", "config": {"tools": [{"name": "t", "url": "http://a/", "parameters": {"n": 2**70}}]}},
         "/config/tools/0/parameters/n"),
        ([], ""),
    ],
)  # fmt: skip
async def test_what_is_not_valid_is_pointed_at(caller: httpx2.AsyncClient, body: Any, pointer: str) -> None:
    problem = check(await caller.post("/v1/agents", json=body), 422, "invalid_input")
    assert pointer in [error["pointer"] for error in problem["errors"]]
    assert (await caller.get("/v1/agents")).json()["data"] == []


def with_parameters(parameters: str) -> str:
    tool = '{"name": "t", "url": "http://a/", "parameters": ' + parameters + "}"
    return '{"name": "x", "config": {"tools": [' + tool + "]}}"


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "\\ud800"}',
        '{"name": "x", "description": "\\udfff"}',
        '{"name": "x", "config": {"max_tool_rounds": NaN}}',
        with_parameters('{"x": Infinity}'),
        with_parameters('{"a":' * 300 + "1" + "}" * 300),
    ],
)
async def test_json_that_nothing_can_keep_is_refused(caller: httpx2.AsyncClient, text: str) -> None:
    response = await caller.post("/v1/agents", content=text.encode(), headers={"Content-Type": "application/json"})
    assert response.status_code in (400, 422), response.text


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/v1/agents?limit=0", "limit"),
        ("/v1/agents?limit=x", "limit"),
        ("/v1/agents?cursor=nonsense!", "cursor"),
        ("/v1/agents?cursor=MTIz", "cursor"),
        ("/v1/agents?cursor=" + "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5Lg", "cursor"),
        (f"/v1/conversations/{uuid4()}/events?after={2**63}", "after"),
        (f"/v1/conversations/{uuid4()}/events?after=-1", "after"),
        (f"/v1/conversations/{uuid4()}/events?wait=1e9", "wait"),
        (f"/v1/conversations/{uuid4()}/messages?cursor={'MTAwMDAwMDAwMDAwMDAwMDAw'}", "cursor"),
        ("/v1/conversations?state=nonsense", "state"),
        ("/v1/runs?cursor=nonsense", "cursor"),
    ],
)
async def test_a_bad_parameter_is_named(caller: httpx2.AsyncClient, path: str, parameter: str) -> None:
    problem = check(await caller.get(path), 422, "invalid_input")
    assert [error["parameter"] for error in problem["errors"]] == [parameter]


async def test_a_malformed_id_is_as_unknown_as_any_other(caller: httpx2.AsyncClient) -> None:
    for path in (
        "/v1/agents/x",
        "/v1/documents/1",
        "/v1/turns/%00",
        "/v1/runs/%00",
        f"/v1/agents/{uuid4()}/versions/99999999999",
    ):
        check(await caller.get(path), 404, "not_found")


async def test_a_declared_body_that_is_too_large_is_refused_unread(caller: httpx2.AsyncClient) -> None:
    check(await caller.post("/v1/agents", content=b"x" * 1_000_001), 413, "too_large")


async def test_a_chunked_body_that_grows_too_large_is_refused_before_its_end(caller: httpx2.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 200_000_000:
            sent += 65_536
            yield b" " * 65_536

    try:
        response = await caller.post("/v1/agents", content=endless())
    except httpx2.TransportError:  # the server hung up while the client was still sending
        pass
    else:
        check(response, 413, "too_large")
    assert sent < 100_000_000


async def test_request_ids_are_kept_when_they_are_plain(caller: httpx2.AsyncClient) -> None:
    kept = await caller.get("/v1/agents", headers={"X-Request-ID": "abc-123:x/y"})
    assert kept.headers["x-request-id"] == "abc-123:x/y"
    for odd in ("with space", "x" * 129, "semi;colon", ""):
        made = (await caller.get("/v1/agents", headers={"X-Request-ID": odd})).headers["x-request-id"]
        assert made != odd
        assert len(made) == 32


async def test_every_problem_type_can_be_looked_up(site: Site) -> None:
    async with site.stranger() as stranger:
        kinds = (await stranger.get("/problems")).json()
        assert {kind["code"] for kind in kinds} >= {"not_found", "idempotency_key_reused", "unavailable", "inbox_full"}
        for kind in kinds:
            assert (await stranger.get(f"/problems/{kind['code']}")).json() == kind
            assert kind["status"] >= 400
        assert (await stranger.get("/problems/nonsense")).status_code == 404


async def test_a_database_that_is_away_is_a_503_to_be_tried_again(
    site: Site, org: UUID, api_resources: Resources, temporal_client: Client, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = EmbeddedPostgres(tmp_path_factory.mktemp("away"), free_port(), durable=False)
    server.start()
    database = Database(server.url, role="")
    await database.open()
    try:
        async with open_site(api_resources, temporal_client, database=database) as other:
            server.stop()
            async with other.caller_with(await site.key(org)) as client:
                response = await client.get("/v1/agents")
                check(response, 503, "unavailable")
                assert int(response.headers["retry-after"]) > 0
                ready = await client.get("/ready")
                assert (ready.status_code, ready.json()["postgres"]) == (503, False)
                assert (await client.get("/health")).status_code == 200
    finally:
        await database.close()
        server.stop()


async def test_a_temporal_that_is_away_is_a_503_and_changes_nothing(
    site: Site, org: UUID, api_resources: Resources, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = EmbeddedTemporal(tmp_path_factory.mktemp("gone"), free_port(), None)
    server.start()
    gone = await Client.connect(server.address)
    server.kill()
    async with open_site(api_resources, gone) as other, other.caller_with(await site.key(org)) as client:
        check(await client.get("/v1/runs/turn/x"), 503, "unavailable")
        ready = await client.get("/ready")
        assert (ready.status_code, ready.json()["temporal"]) == (503, False)


async def test_the_api_is_ready_when_its_servers_are(site: Site) -> None:
    async with site.stranger() as stranger:
        ready = await stranger.get("/ready")
        metrics = await stranger.get("/metrics")
    assert ready.json() == {"status": "ready", "postgres": True, "temporal": True}
    assert "everturn_http_requests_seconds" in metrics.text
    assert 'route="/ready"' in metrics.text


def test_a_database_that_is_starting_up_is_said_to_be_unavailable() -> None:
    """SQLAlchemy hands on asyncpg's error behind one of its own class."""
    behind = Exception("translated")
    behind.__cause__ = asyncpg.CannotConnectNowError("the database system is starting up")
    assert problems.translate(DBAPIError("SELECT 1", {}, behind)).fault.status == 503
    behind.__cause__ = asyncpg.UndefinedTableError("no such table")
    assert problems.translate(DBAPIError("SELECT 1", {}, behind)).fault.status == 500
