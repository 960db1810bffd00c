"""Object storage keeps its promises wherever it is: whole or not at all, by organisation, and gone when deleted."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import pytest

from domain.errors import Invalid, NotFound, StorageUnavailable
from domain.knowledge.storage import LocalStorage, Storage, document_prefix, original_key
from domain.knowledge.storage_s3 import S3Storage
from domain.knowledge.storages import open_storage
from tests.s3_server import BUCKET, S3Server, s3_server

ODD = ("a b/c", "ümläut/日本語.md", "100%/50%25", "plus+and&=?#", "~tilde/[x]{y}", "quote'\"", "dots/...", "e\u0301")


@pytest.fixture(scope="module")
async def s3() -> AsyncIterator[S3Server]:
    with s3_server() as server:
        async with httpx2.AsyncClient() as client:
            assert (await client.put(f"{server.url}/{BUCKET}")).status_code == 200
        yield server


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, s3: S3Server) -> Storage:
    if request.param == "folder":
        return LocalStorage(tmp_path)
    return S3Storage(f"s3://{BUCKET}/some/prefix", s3.config)


async def test_what_is_put_is_got_and_replaced(storage: Storage) -> None:
    org = uuid4()
    await storage.put(org, "a/b", b"one")
    await storage.put(org, "a/b", b"two")
    assert await storage.get(org, "a/b") == b"two"
    await storage.put(org, "empty", b"")
    assert await storage.get(org, "empty") == b""
    with pytest.raises(NotFound):
        await storage.get(org, "a/c")


@pytest.mark.parametrize("key", ODD)
async def test_a_key_may_hold_any_character(storage: Storage, key: str) -> None:
    org = uuid4()
    await storage.put(org, key, key.encode())
    assert await storage.get(org, key) == key.encode()
    await storage.delete(org, key)
    with pytest.raises(NotFound):
        await storage.get(org, key)


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../other", "a/../../b"])
async def test_a_key_never_leads_out_of_the_organisation(storage: Storage, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        await storage.put(uuid4(), key, b"x")


async def test_deleting_takes_all_below_and_nothing_beside(storage: Storage) -> None:
    org, document, other = uuid4(), uuid4(), uuid4()
    await storage.put(org, original_key(document, "x"), b"1")
    await storage.put(org, f"{document_prefix(document)}/1/batches/0.json", b"2")
    await storage.put(org, f"{document_prefix(document)}-beside", b"3")
    await storage.put(other, original_key(document, "x"), b"4")
    for _ in range(2):
        await storage.delete(org, document_prefix(document))
    with pytest.raises(NotFound):
        await storage.get(org, original_key(document, "x"))
    assert await storage.get(org, f"{document_prefix(document)}-beside") == b"3"
    assert await storage.get(other, original_key(document, "x")) == b"4"


async def test_one_organisation_cannot_name_anothers_objects(storage: Storage) -> None:
    mine, yours = uuid4(), uuid4()
    await storage.put(yours, "secret", b"x")
    with pytest.raises(NotFound):
        await storage.get(mine, "secret")
    await storage.delete(mine, "secret")
    assert await storage.get(yours, "secret") == b"x"


async def test_the_largest_upload_survives_a_reset_and_a_server_that_is_slow_down(s3: S3Server) -> None:
    storage, org, data = S3Storage(f"s3://{BUCKET}", s3.config), uuid4(), bytes(range(250)) * 200_000
    s3.faults += ["reset", "503", None]
    await storage.put(org, "large", data)
    s3.faults += ["503", "reset", None]
    assert await storage.get(org, "large") == data


async def test_an_outage_is_said_as_one_and_leaves_nothing_half(s3: S3Server) -> None:
    storage, org = S3Storage(f"s3://{BUCKET}", s3.config), uuid4()
    await storage.put(org, "a", b"before")
    s3.faults += ["503"] * 20
    with pytest.raises(StorageUnavailable):
        await storage.put(org, "a", b"after")
    s3.faults.clear()
    assert await storage.get(org, "a") == b"before"


async def test_more_objects_than_one_request_takes_are_all_deleted(s3: S3Server) -> None:
    storage, org = S3Storage(f"s3://{BUCKET}", s3.config), uuid4()
    for number in range(1001):
        await storage.put(org, f"many/{number}", b"")
    await storage.delete(org, "many")
    for number in (0, 1000):
        with pytest.raises(NotFound):
            await storage.get(org, f"many/{number}")
    assert sum(request.startswith("POST") for request in s3.requests) >= 3


def test_without_an_address_objects_are_files(tmp_path: Path) -> None:
    assert isinstance(open_storage(None, tmp_path), LocalStorage)
    with pytest.raises(Invalid):
        open_storage("ftp://somewhere", tmp_path)


async def test_the_doctor_asks_the_bucket(s3: S3Server, tmp_path: Path) -> None:
    def seen(bucket: str) -> str:
        environment = {
            "EVERTURN_DATA_DIR": str(tmp_path),
            "EVERTURN_STORAGE_URL": f"s3://{bucket}/x",
            "AWS_ENDPOINT_URL": s3.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        code = (
            "from cli.diagnosis import _storage; from runtime.settings import Settings; "
            "c = _storage(Settings()); print(c.state, c.seen)"
        )
        return subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        ).stdout

    assert seen(BUCKET).startswith("ok")
    key = UUID(int=0)
    assert any(f"/{key}/doctor" in request for request in s3.requests)
