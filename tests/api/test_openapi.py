"""The OpenAPI document is true enough for a machine to attack the API by, and no attack ends in a 500."""

import asyncio
import sys
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from tests.api.site import Site
from tests.api.talk import scripted


async def test_the_document_describes_errors_keys_and_examples(site: Site) -> None:
    async with site.stranger() as stranger:
        document = (await stranger.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert "Problem" in document["components"]["schemas"]
    assert "HTTPValidationError" not in str(document)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            where = f"{method} {path}"
            if "security" not in operation:
                continue
            assert {"401", "403", "503"} <= set(operation["responses"]), where
            names = [parameter["name"] for parameter in operation.get("parameters", [])]
            changes = method != "get" and not path.endswith("/search")
            assert ("Idempotency-Key" in names) == changes, where
    operations = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(operations) == len(set(operations))


@pytest.mark.usefixtures("workers")
async def test_schemathesis_finds_no_server_error(
    site: Site, org: UUID, caller: httpx2.AsyncClient, tmp_path: Path
) -> None:
    """Bounded to well under a minute: every operation but the endless streams, a few generated requests each."""
    await caller.post("/v1/agents", json={"name": "support", "config": scripted()})
    (tmp_path / "schemathesis.toml").write_text('[parameters]\n"query.wait" = 0\n')
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).parent / "schemathesis",
        "run",
        f"{site.url}/openapi.json",
        "--header",
        f"Authorization: Bearer {await site.key(org)}",
        "--checks=not_a_server_error",
        "--phases=examples,coverage,fuzzing",
        "--max-examples=3",
        "--seed=1",
        "--request-timeout=15",
        "--exclude-path-regex=/stream$",
        "--suppress-health-check=all",
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()[-8000:]
