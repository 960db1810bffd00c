"""The demo: an agent "support" over a real help centre, put in through the product's own HTTP API."""

import asyncio
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from cli.faults import Refused
from sdk.client import Everturn

AGENT = "support"
COLLECTION = "help"
QUESTION = "When does the cancellation of my account take effect?"

_CONFIG: dict[str, Any] = {
    "intents": [
        {
            "name": "cancel_account",
            "examples": ["I want to cancel my account", "How do I close my account?", "Please end my subscription"],
        },
        {
            "name": "billing",
            "examples": ["Why was I charged twice?", "Where do I find my invoice?", "How do I change my credit card?"],
        },
        {
            "name": "login",
            "examples": ["I cannot log in", "I lost my password", "The two-factor code does not arrive"],
        },
        {
            "name": "deliverability",
            "examples": ["My emails land in the spam folder", "Why are my messages bouncing?", "What is a deny list?"],
        },
        {
            "name": "authentication_setup",
            "examples": ["How do I set up DKIM?", "Which DNS records do I need?", "What is an SPF record?"],
        },
    ],
}

_POLL_SECONDS = 0.25
_SETTLED = ("ready", "failed")

Progress = Callable[[int, int], None]
"""Called with how many documents are ready, and of how many."""


async def seed(client: Everturn, progress: Progress) -> str:
    """Agent, collection and documents, as far as they are missing. Returns the agent's id.

    Idempotent. Raises Refused when a document could not be read, which is a fault of ours.
    """
    collection = await client.find("collections", COLLECTION)
    collection = collection or await client.create_collection(
        COLLECTION, description="Help centre of an e-mail service"
    )
    await _fill(client, collection["id"], progress)
    agent = await client.find("agents", AGENT)
    if agent is None:
        config = _CONFIG | {"collections": [collection["id"]]}
        agent = await client.create_agent(AGENT, config, description="Answers from the help centre")
    return str(agent["id"])


async def _fill(client: Everturn, collection_id: str, progress: Progress) -> None:
    folder = files("runtime.demo") / "documents"
    texts = {file.name: file.read_bytes() for file in folder.iterdir() if file.name.endswith(".md")}
    path = f"/v1/collections/{collection_id}/documents"
    present = {row["filename"] async for row in client.rows(path)}
    for name in sorted(texts.keys() - present):
        await client.upload(collection_id, name, texts[name], "text/markdown")
    while True:
        rows = [row async for row in client.rows(path) if row["filename"] in texts]
        ready = sum(row["state"] == "ready" for row in rows)
        progress(ready, len(texts))
        if all(row["state"] in _SETTLED for row in rows):
            break
        await asyncio.sleep(_POLL_SECONDS)
    for row in rows:
        if row["state"] == "failed":
            raise Refused(f"the demo document {row['filename']} could not be read: {row['error_detail']}")
