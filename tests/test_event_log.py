"""The event log is gapless, ordered, fenced, and shows no text twice, whatever is repeated or killed."""

import asyncio
from uuid import UUID, uuid4

import pytest

from contracts.events import REPLY_DELTA
from contracts.ids import fence
from contracts.turn import IncomingMessage, PersistInput, Reply, Route, TurnRef, Verdict
from db.engine import Database
from domain.conversations import ending_store, turn_store
from domain.conversations.hub import EventHub
from domain.conversations.log import EventLog, LoggedEvent, NewEvent, TextMissing, append, read_events, rebuild
from domain.errors import NotFound, Superseded
from runtime.embedded.postgres import EmbeddedPostgres
from tests.conftest import make_org
from tests.rows import make_conversation


async def begin(database: Database, ref: TurnRef, *texts: str) -> int:
    messages = [IncomingMessage(id=uuid4(), text=text) for text in texts or ("hello",)]
    return (await turn_store.begin(database, ref, messages)).number


async def take_floor(database: Database, ref: TurnRef, right: int, step: int = 1) -> turn_store.Floor:
    return await turn_store.take_floor(
        database,
        ref,
        right=right,
        place=f"{ref.turn_id}.{step}",
        passages=[],
        history_messages=10,
        announce={},
    )


async def end(database: Database, ref: TurnRef, number: int, text: str) -> ending_store.Ended:
    reply = Reply(text=text, provider="scripted", model="scripted", step=1)
    input = PersistInput(ref=ref, number=number, text=text, route=Route(), checked=Verdict(), calls=[reply])
    return await ending_store.end(database, ref, ending_store.answered(input, Verdict()))


async def everything(database: Database, ref: TurnRef) -> list[LoggedEvent]:
    events = await read_events(database, ref.org_id, ref.conversation_id, 0, 10_000)
    assert [e.seq for e in events] == list(range(1, len(events) + 1)), "seq must be gapless"
    return events


async def test_text_is_committed_in_order_and_rebuilds(database: Database, org: UUID) -> None:
    ref = await make_conversation(database, org)
    number = await begin(database, ref)
    right = fence(number, 1, 1)
    await take_floor(database, ref, right)
    log = EventLog(database, tick_seconds=0.001)
    text = ""
    for word in ["the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog"]:
        last = log.say(ref.org_id, ref.conversation_id, ref.turn_id, right, len(text), word + " ")
        text += word + " "
        await asyncio.sleep(0.002)
    await last
    assert rebuild(await everything(database, ref)) == text


async def test_many_conversations_share_one_commit_a_tick(database: Database, org: UUID) -> None:
    refs = [await make_conversation(database, org) for _ in range(30)]
    commits: list[int] = []
    log = EventLog(database, tick_seconds=0.02, committed=commits.append)
    rights = []
    for ref in refs:
        rights.append(fence(await begin(database, ref), 1, 1))
        await take_floor(database, ref, rights[-1])
    for piece in range(10):
        said = [
            log.say(ref.org_id, ref.conversation_id, ref.turn_id, right, piece, "x")
            for ref, right in zip(refs, rights, strict=True)
        ]
        await asyncio.gather(*said)
    assert len(commits) <= 11, "the first word may go out alone; the rest of each round is one commit"
    for ref in refs:
        assert rebuild(await everything(database, ref)) == "x" * 10


async def test_a_newer_attempt_silences_the_older(database: Database, org: UUID) -> None:
    ref = await make_conversation(database, org)
    number = await begin(database, ref)
    first, second = fence(number, 1, 1), fence(number, 1, 2)
    log = EventLog(database, tick_seconds=0.001)
    await take_floor(database, ref, first)
    await log.say(ref.org_id, ref.conversation_id, ref.turn_id, first, 0, "Hello ")
    floor = await take_floor(database, ref, second)
    assert floor.shown == "Hello "
    with pytest.raises(Superseded):
        await log.say(ref.org_id, ref.conversation_id, ref.turn_id, first, 6, "zombie")
    with pytest.raises(Superseded):
        await take_floor(database, ref, first)
    await log.say(ref.org_id, ref.conversation_id, ref.turn_id, second, 6, "world")
    assert rebuild(await everything(database, ref)) == "Hello world"


async def test_text_offered_again_after_an_unconfirmed_commit_is_taken_once(database: Database, org: UUID) -> None:
    ref = await make_conversation(database, org)
    right = fence(await begin(database, ref), 1, 1)
    await take_floor(database, ref, right)
    piece = NewEvent(org, ref.conversation_id, ref.turn_id, REPLY_DELTA, {"text": "once", "at": 0}, right)
    for _ in range(2):
        async with database.transaction(org) as connection:
            await append(connection, [piece])
    deltas = [e for e in await everything(database, ref) if e.type == REPLY_DELTA]
    assert [e.data["text"] for e in deltas] == ["once"]


async def test_text_that_would_leave_a_gap_is_refused(database: Database, org: UUID) -> None:
    ref = await make_conversation(database, org)
    right = fence(await begin(database, ref), 1, 1)
    await take_floor(database, ref, right)
    log = EventLog(database)
    await log.say(ref.org_id, ref.conversation_id, ref.turn_id, right, 0, "Hello ")
    with pytest.raises(TextMissing):
        await log.say(ref.org_id, ref.conversation_id, ref.turn_id, right, 12, "!")
    assert rebuild(await everything(database, ref)) == "Hello "


async def test_a_turn_ends_once_and_nothing_is_said_after(database: Database, org: UUID) -> None:
    ref = await make_conversation(database, org)
    number = await begin(database, ref)
    right = fence(number, 1, 1)
    await take_floor(database, ref, right)
    log = EventLog(database)
    await log.say(ref.org_id, ref.conversation_id, ref.turn_id, right, 0, "Done.")
    first = await end(database, ref, number, "Done.")
    again = await end(database, ref, number, "Done.")
    assert (first.message_id, first.last_seq) == (again.message_id, again.last_seq)
    assert again.seconds is None
    with pytest.raises(Superseded):
        await log.say(ref.org_id, ref.conversation_id, ref.turn_id, right, 5, " late")
    kinds = [e.type for e in await everything(database, ref)]
    assert kinds == [
        "message.created",
        "turn.started",
        "reply.started",
        "reply.delta",
        "message.created",
        "turn.completed",
    ]


async def test_what_the_guard_changed_is_taken_back_to_the_first_difference(database: Database, org: UUID) -> None:
    ref = await make_conversation(database, org)
    number = await begin(database, ref)
    right = fence(number, 1, 1)
    await take_floor(database, ref, right)
    await EventLog(database).say(ref.org_id, ref.conversation_id, ref.turn_id, right, 0, "Call 555-0100 now")
    await end(database, ref, number, "Call [phone] now, please")
    events = await everything(database, ref)
    assert rebuild(events) == "Call [phone] now, please"
    assert [e.data["to"] for e in events if e.type == "reply.rewind"] == [5]


async def test_a_newer_message_silences_a_reply_that_has_not_spoken_and_only_that(
    database: Database, org: UUID
) -> None:
    ref = await make_conversation(database, org)
    number = await begin(database, ref)
    log = EventLog(database)
    await take_floor(database, ref, fence(number, 1, 1))
    async with database.transaction(org) as connection:
        assert await turn_store.interrupt(connection, ref, number, 1)
    with pytest.raises(Superseded):
        await log.say(ref.org_id, ref.conversation_id, ref.turn_id, fence(number, 1, 1), 0, "too late")
    await take_floor(database, ref, fence(number, 2, 1), step=2)
    await log.say(ref.org_id, ref.conversation_id, ref.turn_id, fence(number, 2, 1), 0, "first word")
    async with database.transaction(org) as connection:
        assert not await turn_store.interrupt(connection, ref, number, 2)


async def test_another_organisation_can_neither_begin_nor_read(
    database: Database, postgres: EmbeddedPostgres, org: UUID
) -> None:
    ref = await make_conversation(database, org)
    await begin(database, ref)
    other = await make_org(postgres)
    with pytest.raises(NotFound):
        await begin(database, ref.model_copy(update={"org_id": other, "turn_id": uuid4()}))
    assert await read_events(database, other, ref.conversation_id, 0, 10) == []


async def test_readers_get_everything_in_order_from_wherever_they_resume(database: Database, org: UUID) -> None:
    ref = await make_conversation(database, org)
    right = fence(await begin(database, ref), 1, 1)
    await take_floor(database, ref, right)
    hub = EventHub(database)
    await hub.open()
    log = EventLog(database, tick_seconds=0.001)

    async def follow(after: int, until: int) -> list[int]:
        seen: list[int] = []
        async with hub.subscribe(org, ref.conversation_id, after) as events:
            async for batch in events:
                seen += [event.seq for event in batch]
                if seen[-1] >= until:
                    return seen
        return seen

    last = 23  # three events so far, and twenty words
    readers = [asyncio.create_task(follow(after, last)) for after in (0, 1, 3)]
    for index in range(20):
        await log.say(ref.org_id, ref.conversation_id, ref.turn_id, right, index, "x")
    late = asyncio.create_task(follow(7, last))
    for task, after in zip([*readers, late], (0, 1, 3, 7), strict=True):
        assert await asyncio.wait_for(task, 10) == list(range(after + 1, last + 1))
    assert hub.readers == 0
    await hub.close()


async def test_a_reader_that_lost_its_database_connection_misses_nothing(database: Database, org: UUID) -> None:
    ref = await make_conversation(database, org)
    right = fence(await begin(database, ref), 1, 1)
    await take_floor(database, ref, right)
    hub = EventHub(database)
    await hub.open()
    log = EventLog(database, tick_seconds=0.001)
    seen: list[int] = []
    async with hub.subscribe(org, ref.conversation_id, 0) as events:
        seen += [event.seq for event in await asyncio.wait_for(events.next(), 10)]
        async with database.pool.acquire() as connection:
            await connection.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()"""
            )
        for index in range(5):
            await log.say(ref.org_id, ref.conversation_id, ref.turn_id, right, index, "x")
        while seen[-1] < 8:
            seen += [event.seq for event in await asyncio.wait_for(events.next(), 10)]
    assert seen == list(range(1, 9))
    await hub.close()
