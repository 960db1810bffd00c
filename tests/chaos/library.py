"""Documents for the storms over ingestion, and the audit: each is in the index exactly as a quiet run puts it there."""

import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import lancedb

from domain.knowledge.chunk import chunk
from domain.knowledge.lance import table_name
from domain.knowledge.parse import parse
from tests.knowledge.pdf import make_pdf

_WORDS = ("order", "refund", "parcel", "invoice", "warranty", "account", "password", "delivery", "return", "price")


@dataclass
class Findings:
    """violations: promise by promise, what broke it."""

    violations: dict[str, list[Any]] = field(default_factory=dict)
    documents: int = 0
    passages: int = 0


def documents(count: int, seed: int) -> dict[str, bytes]:
    """Content by file name, of 1 to some 60 passages each; every tenth is a PDF. The same seed makes the same ones."""
    chance = random.Random(seed)
    made = {}
    for number in range(count):
        if number % 10 == 9:
            pages = [_sentence(chance, f"{number}.{page}") for page in range(chance.randrange(1, 20))]
            made[f"{number}.pdf"] = make_pdf(pages)
            continue
        # Most are short and a few are long, as in a help centre; a long one takes more than one batch.
        parts = 80 if number % 50 == 25 else chance.randrange(1, 9)
        sections = [f"# Part {part}\n\n{_sentence(chance, f'{number}.{part}')}" for part in range(parts)]
        made[f"{number}.md"] = "\n\n".join(sections).encode()
    return made


def book(parts: int) -> bytes:
    """A document of that many passages."""
    return "\n\n".join(
        f"# Riddle {part}\n\nThe answer to riddle {part} is {part * part}." for part in range(parts)
    ).encode()


def quiet_ids(data: bytes, filename: str, document_id: UUID) -> list[str]:
    """What a run that nothing disturbs puts into the index: computed here, by the same reader, without any of it."""
    return [each.id for each in chunk(parse(data, filename), document_id)]


async def audit(
    database_url: str, folder: Path, org_id: UUID, collection_id: UUID, uploaded: dict[str, bytes]
) -> Findings:
    """Read as the owner, who sees every organisation, and from the index's files."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch("SELECT * FROM documents WHERE collection_id = $1", collection_id)
    finally:
        await connection.close()
    indexed = await _indexed(folder / "lance" / str(org_id), collection_id)
    findings = Findings(documents=len(rows), passages=sum(map(len, indexed.values())))
    by_name = Counter(row["filename"] for row in rows)
    stuck = [(row["filename"], row["state"], row["error_detail"]) for row in rows if row["state"] != "ready"]
    differing = []
    for row in rows:
        wanted = quiet_ids(uploaded[row["filename"]], row["filename"], row["id"])
        found = indexed.pop(str(row["id"]), [])
        if sorted(wanted) != sorted(found) or row["passages"] != len(wanted):
            differing.append((row["filename"], len(wanted), len(found), row["passages"]))
    checks: dict[str, list[Any]] = {
        "every upload is one document": [name for name in uploaded if by_name[name] != 1],
        "every document is ready": stuck,
        "every passage of a quiet run is indexed, once": differing,
        "nothing else is indexed": list(indexed),
        "nothing is left of the work": _left_over(folder / "objects" / str(org_id)),
    }
    findings.violations = {promise: broken for promise, broken in checks.items() if broken}
    return findings


async def _indexed(folder: Path, collection_id: UUID) -> dict[str, list[str]]:
    connection = await lancedb.connect_async(folder)
    table = await connection.open_table(table_name(collection_id))
    found: dict[str, list[str]] = {}
    for row in (await table.query().select(["id", "document_id"]).to_arrow()).to_pylist():
        found.setdefault(row["document_id"], []).append(row["id"])
    return found


def _left_over(objects: Path) -> list[str]:
    return [str(path.relative_to(objects)) for path in objects.rglob("batches/*")]


def _sentence(chance: random.Random, name: str) -> str:
    return f"Section {name} says: " + " ".join(chance.choices(_WORDS, k=40)) + "."
