"""Shows a reply while it comes, and its citations after it. For terminals and for pipes."""

from collections.abc import AsyncIterator

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from sdk.reply import Event, Reply

_QUOTE_CHARS = 160
_FRAMES_PER_SECOND = 20
"""Smooth to the eye; a redraw of a screenful costs 2 ms."""


async def show_reply(console: Console, events: AsyncIterator[Event], message_id: str) -> tuple[Reply, int]:
    """Show the reply of the turn that takes up a message, and return it with the place in the log after it."""
    reply, cursor, ours = Reply(), 0, False
    screen = _Terminal(console) if console.is_terminal else _Pipe(console)
    with screen:
        async for event in events:
            cursor = event.seq
            ours = ours or event.data.get("message_id") == message_id
            if not ours or (event.type == "message.created" and event.data.get("role") == "user"):
                continue
            taken_back, added = reply.feed(event)
            screen.show(reply.text, taken_back, added)
            if event.type == "turn.parked" and event.data.get("notice"):
                console.print(f"  [yellow]{escape(str(event.data['notice']))}[/]", highlight=False)
            if reply.finished:
                break
    return reply, cursor


def show_citations(console: Console, reply: Reply) -> None:
    """One entry a source, with the words that were cited."""
    for citation in reply.citations:
        title, heading = citation["title"], citation.get("heading") or ""
        # The first heading of most documents is their title.
        said = f"{heading} > ".startswith(f"{title} > ")
        place = heading if said else " > ".join(part for part in (title, heading) if part)
        page = f", page {citation['page']}" if citation.get("page") else ""
        quote = " ".join(str(citation.get("quote", "")).split())
        shown = quote if len(quote) <= _QUOTE_CHARS else quote[:_QUOTE_CHARS].rsplit(" ", 1)[0] + " …"
        console.print(f"  [cyan]\\[{citation['marker']}][/] [bold]{escape(place)}[/]{page}", highlight=False)
        console.print(f"      [dim]“{escape(shown)}”[/]", highlight=False)
    if reply.failure:
        console.print(f"  [red]The turn failed:[/] {escape(reply.failure)}", highlight=False)


class _Terminal:
    """Redraws the reply, so that what is taken back disappears."""

    def __init__(self, console: Console) -> None:
        self._live = Live(Text(""), console=console, refresh_per_second=_FRAMES_PER_SECOND, vertical_overflow="visible")

    def __enter__(self) -> None:
        self._live.start()

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, text: str, _taken_back: int, _added: str) -> None:
        self._live.update(Text(text))


class _Pipe:
    """Writes what is new. A pipe cannot take back, so a reply that starts anew is written again whole."""

    def __init__(self, console: Console) -> None:
        self._file = console.file

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._file.write("\n")
        self._file.flush()

    def show(self, text: str, taken_back: int, added: str) -> None:
        self._file.write(f"\n[taken back]\n{text}" if taken_back else added)
        self._file.flush()
