"""`everturn chat`: talk to an agent, once or for as long as you like."""

import asyncio
from contextlib import aclosing
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from cli.connection import connect
from cli.faults import Refused
from cli.screen import show_citations, show_reply
from runtime.settings import Settings
from sdk.client import Everturn
from sdk.reply import Reply


def chat(
    question: Annotated[str | None, typer.Argument(help="Ask this and leave. Without it: a conversation.")] = None,
    agent: Annotated[str, typer.Option(help="Name of the agent.")] = "support",
    conversation: Annotated[str | None, typer.Option(help="Id of a conversation to go on with.")] = None,
) -> None:
    """Stream replies with their citations. A lost connection is resumed without missing or repeated text."""
    failed = asyncio.run(_chat(Settings(), question, agent, conversation))
    if failed:
        raise typer.Exit(1)


async def _chat(settings: Settings, question: str | None, agent: str, conversation: str | None) -> bool:
    console = Console(highlight=False)
    async with connect(settings) as client:
        talk = await Talk.begin(client, console, agent, conversation)
        if question is not None:
            return (await talk.ask(question)).failure is not None
        console.print(f"[dim]Talking to {escape(agent)}, conversation {talk.id}. An empty line ends it.[/]")
        while said := _line(console):
            await talk.ask(said)
    return False


def _line(console: Console) -> str:
    try:
        return console.input("[bold]you >[/] ").strip()
    except EOFError:
        return ""


class Talk:
    """One conversation and the place in its log that was shown last."""

    def __init__(self, client: Everturn, console: Console, conversation_id: str, cursor: int) -> None:
        self.id = conversation_id
        self._client = client
        self._console = console
        self._cursor = cursor

    @classmethod
    async def begin(cls, client: Everturn, console: Console, agent: str, conversation: str | None) -> "Talk":
        """Raises Refused when there is no such agent."""
        if conversation is not None:
            return cls(client, console, conversation, 0)
        row = await client.find("agents", agent)
        if row is None:
            raise Refused(f"there is no agent named {agent}")
        return cls(client, console, (await client.create_conversation(row["id"]))["id"], 0)

    async def ask(self, text: str) -> Reply:
        """Show the reply and its citations."""
        accepted: dict[str, Any] = await self._client.post_message(self.id, text)
        async with aclosing(self._client.events(self.id, after=self._cursor)) as events:
            reply, self._cursor = await show_reply(self._console, events, accepted["message_id"])
        show_citations(self._console, reply)
        return reply
