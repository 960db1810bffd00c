"""A router as a worker has it, over real sockets and a real database, and what a test asks of it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from db.engine import Database
from domain.errors import DomainError
from domain.knowledge.e5 import E5Embedder
from domain.llm.model import ChatMessage, Finished, ModelRequest, TextPiece
from domain.llm.provider_config import ProviderConfig
from domain.llm.providers import configured_providers
from domain.llm.wire import Patience
from domain.models.breaker import BreakerRule, Breakers
from domain.models.call import CallPlace
from domain.models.ledger import Ledger
from domain.models.limits import Limits
from domain.models.policies import Applied, Policies
from domain.models.policy import ModelPolicy
from domain.models.price_book import PriceBook, Seller
from domain.models.rates import DatedRates
from domain.models.router import ModelRouter, Ruling
from domain.models.trail import Trail
from runtime.telemetry import Telemetry
from tests.house import MODELS
from tests.models.dialects import OpenAIChat
from tests.wire_server import Answer, WireServer, streamed

CHAT = OpenAIChat()
REQUEST = ModelRequest("", "Be kind.", (ChatMessage("user", "Hello?"),), max_output_tokens=100)
QUICK = BreakerRule(window_seconds=10, failures=3, share=0.5, pause_seconds=0.3, longest_seconds=0.6)


def says(*words: str) -> Answer:
    """A whole reply of 12 tokens in and 3 out."""
    return streamed(CHAT.start, *CHAT.text(*words), CHAT.end())


def breaks_off(*words: str, ends: str = "reset") -> Answer:
    return streamed(CHAT.start, *CHAT.text(*words), ends=ends)


@dataclass
class Heard:
    """What a reader got. error: what the router raised in the end."""

    trail: Trail
    pieces: list[str] = field(default_factory=list)
    finished: Finished | None = None
    error: DomainError | None = None

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def outcomes(self) -> list[str]:
        """`provider outcome` of everyone who was tried or passed over."""
        return [f"{each.provider} {each.outcome}" for each in self.trail.tried]


class Stand:
    """One worker's router. options: limits and regions by name, patience, rule of the breakers, and prices by name,
    in US dollars for a million tokens of any kind, or whole configs by name. Models have a name of their own: no test
    meets another's breakers.
    """

    def __init__(self, database: Database, org: UUID, servers: dict[str, str], **options: Any) -> None:
        self.org = org
        self.model = f"m-{uuid4().hex[:12]}"
        limits = options.get("limits", {})
        patience = options.get("patience", Patience(first_token_seconds=1.5, idle_seconds=0.5))
        configs = options.get("configs") or {
            name: ProviderConfig.model_validate(
                {"kind": "openai_compatible", "base_url": f"{url}/v1", "model": self.model,
                 "max_concurrent": limits.get(name), "region": options.get("regions", {}).get(name)}
            )
            for name, url in servers.items()
        }  # fmt: skip
        self.providers = configured_providers(E5Embedder(MODELS), configs, patience=patience)
        self.breakers = Breakers(database, rule=options.get("rule", QUICK))
        rates = [
            DatedRates.model_validate({"provider": name, "model": self.model, "input": rate, "output": rate})
            for name, rate in options.get("prices", {}).items()
        ]
        self.ledger = Ledger(database, PriceBook(database, lambda _name: Seller("openai_compatible"), deployment=rates))
        self.router = ModelRouter(
            self.providers,
            Policies(database),
            self.breakers,
            Limits(self.providers.limits),
            self.ledger,
            Telemetry(None),
        )

    def policy(self, *names: str, **more: Any) -> ModelPolicy:
        return ModelPolicy.model_validate({"tasks": {"reply": [{"provider": name} for name in names]}, **more})

    async def ask(
        self, policy: ModelPolicy, request: ModelRequest = REQUEST, *, leaves_after: int | None = None
    ) -> Heard:
        """leaves_after: the reader goes away after so many pieces."""
        trail = Trail(CallPlace(self.org, f"step-{uuid4()}", "reply"), attempt=1, calls=0)
        heard = Heard(trail)
        ruling = Ruling(Applied(policy, "test", uuid4()), "reply", None, 99)
        try:
            async with aclosing(self.router.stream(trail, ruling, request)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, TextPiece):
                        heard.pieces.append(piece.text)
                        if len(heard.pieces) == leaves_after:
                            break
                    else:
                        heard.finished = piece
        except DomainError as error:
            heard.error = error
        return heard

    async def rows(self, database: Database, heard: Heard) -> Sequence[Any]:
        """The calls of a reply as the ledger has them, in order."""
        async with database.transaction(self.org) as connection:
            return await connection.fetch(
                "SELECT * FROM model_calls WHERE place = $1 ORDER BY number", heard.trail.place.key
            )

    async def close(self) -> None:
        await self.breakers.close()
        await self.providers.close()


@asynccontextmanager
async def standing(
    database: Database, org: UUID, servers: dict[str, WireServer], **options: Any
) -> AsyncIterator[Stand]:
    stand = Stand(database, org, {name: server.url for name, server in servers.items()}, **options)
    try:
        yield stand
    finally:
        await stand.close()


def asked_prefix(server: WireServer) -> str:
    """What a server was told that the reader had already seen."""
    messages = server.requests[-1]["messages"]
    return next((m["content"] for m in messages if m["role"] == "assistant"), "")
