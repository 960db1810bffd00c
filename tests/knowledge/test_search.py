"""A question finds its answer, in its own language or another, and only in its own organisation."""

# ruff: noqa: RUF001 (Chinese has its own comma)

from pathlib import Path
from uuid import UUID, uuid4

from contracts.turn import PassageRef
from domain.knowledge.answerability import NOTHING_RELEVANT
from domain.knowledge.e5 import E5Embedder
from domain.knowledge.passage import Passage
from domain.knowledge.search import Knowledge
from tests.knowledge.conftest import Ingest

PAGES = {
    "refunds.md": "# Refunds\n\nMoney is paid back within thirty days after you returned the goods.",
    "password.md": "# Account\n\n## Password\n\nTo reset a forgotten password, press Forgot and follow the e-mail.",
    "shipping.md": "# Shipping\n\nParcels to Norway take five working days. Error code ERR_SHIP_42 means: lost.",
    "opening.md": "# Opening hours\n\nThe shop in Berlin is open from nine to six, closed on Sundays.",
    "zh.md": "# 保修\n\n所有电子产品享有两年保修服务。如果屏幕损坏，请联系客服。",
    "th.md": "# การชำระเงิน\n\nคุณสามารถชำระเงินด้วยบัตรเครดิตหรือโอนเงินผ่านธนาคาร",
    "ja.md": "# 会員\n\n会員登録は無料です。退会は設定画面から行えます。",
}


async def shop(put: Ingest, org: UUID) -> UUID:
    collection = uuid4()
    for name, text in PAGES.items():
        await put(text, org_id=org, collection_id=collection, name=name)
    return collection


def ref(passage: Passage, score: float = 0.5) -> PassageRef:
    return PassageRef(
        collection_id=passage.collection_id, document_id=passage.document_id, passage_id=passage.id, score=score
    )


async def test_the_best_passage_answers_the_question_in_many_languages(knowledge: Knowledge, put: Ingest) -> None:
    org = uuid4()
    collection = await shop(put, org)
    for question, heading in {
        "When do I get my money back?": "Refunds",
        "ERR_SHIP_42": "Shipping",
        "i forgot my password": "Account > Password",
        "Wann bekomme ich mein Geld zurück?": "Refunds",
        "¿Cómo cambio mi contraseña?": "Account > Password",
        "保修": "保修",
        "屏幕坏了怎么办": "保修",
        "ชำระเงิน": "การชำระเงิน",
        "退会したい": "会員",
        "Öffnungszeiten": "Opening hours",
    }.items():
        found = await knowledge.search(org, [collection], question)
        assert found[0].heading == heading, question
        assert all(0 <= p.score <= 1 for p in found)


async def test_words_are_found_in_scripts_without_spaces(knowledge: Knowledge, put: Ingest) -> None:
    org = uuid4()
    collection = await shop(put, org)
    for word, heading in {"保修": "保修", "บัตรเครดิต": "การชำระเงิน", "無料": "会員"}.items():
        found = await knowledge.search(org, [collection], word)
        assert max(found, key=lambda p: p.explanation["keyword"]).heading == heading


async def test_a_question_nobody_can_answer_scores_lower_than_one_that_has_an_answer(
    knowledge: Knowledge, put: Ingest
) -> None:
    org = uuid4()
    collection = await shop(put, org)
    [answered] = await knowledge.search(org, [collection], "How long do parcels to Norway take?", limit=1)
    [unanswered] = await knowledge.search(org, [collection], "Who won the chess championship in 1972?", limit=1)
    assert unanswered.score < 0.3
    assert answered.score > 0.6
    assert await knowledge.search(org, [collection], "Who won the chess championship in 1972?", min_score=0.4) == []


async def test_a_search_says_whether_its_passages_answer(knowledge: Knowledge, put: Ingest) -> None:
    org = uuid4()
    collection = await shop(put, org)
    answered = await knowledge.find(org, [collection], "How long do parcels to Norway take?")
    unanswered = await knowledge.find(org, [collection], "Who won the chess championship in 1972?")
    assert answered.answerable > 0.6
    assert unanswered.answerable < NOTHING_RELEVANT
    assert (await knowledge.find(org, [uuid4()], "refund")).answerable == 0
    assert set(answered.milliseconds) == {"embed_and_words", "meaning", "fuse", "rerank", "judge"}


async def test_a_question_that_names_a_heading_finds_it_first_when_reranked(knowledge: Knowledge, put: Ingest) -> None:
    org, collection = uuid4(), uuid4()
    await put("# Gold card\n\nThe yearly fee is forty euros.", org_id=org, collection_id=collection)
    await put("# Blue card\n\nThe yearly fee is ten euros.", org_id=org, collection_id=collection)
    for colour in ("Gold", "Blue"):
        found = await knowledge.find(org, [collection], f"yearly fee of the {colour.lower()} card", rerank="local")
        assert found.reranker == "words"
        assert found.passages[0].heading == f"{colour} card"
        ordered = [passage.explanation["reranked"] for passage in found.passages]
        assert ordered == sorted(ordered, reverse=True)


async def test_a_question_in_quotes_is_looked_up_as_words(knowledge: Knowledge, put: Ingest) -> None:
    org = uuid4()
    collection = await shop(put, org)
    found = await knowledge.search(org, [collection], '"error code ERR_SHIP_42"')
    assert found[0].heading == "Shipping"
    assert found[0].explanation["keyword"] > 0


async def test_another_organisation_finds_nothing(knowledge: Knowledge, put: Ingest) -> None:
    org, stranger = uuid4(), uuid4()
    collection = await shop(put, org)
    [passage] = await knowledge.search(org, [collection], "refund", limit=1)
    assert await knowledge.search(stranger, [collection], "refund") == []
    assert await knowledge.passages(stranger, [ref(passage)]) == []


async def test_several_collections_are_searched_as_one(knowledge: Knowledge, put: Ingest) -> None:
    org, first, second = uuid4(), uuid4(), uuid4()
    await put(PAGES["refunds.md"], org_id=org, collection_id=first)
    await put(PAGES["opening.md"], org_id=org, collection_id=second)
    both = [first, second, uuid4()]
    assert (await knowledge.search(org, both, "refund money"))[0].collection_id == first
    assert (await knowledge.search(org, both, "opening hours"))[0].collection_id == second


async def test_a_replaced_document_is_found_as_it_is_now(knowledge: Knowledge, put: Ingest) -> None:
    org, collection = uuid4(), uuid4()
    old = await put("Refunds take thirty days.", org_id=org, collection_id=collection)
    await put("Parcels take five days.", org_id=org, collection_id=collection)
    [before] = await knowledge.search(org, [collection], "refunds", limit=1)
    new = await put(
        "Refunds take sixty days.", org_id=org, collection_id=collection, document_id=old.document_id, revision=2
    )
    found = await knowledge.search(org, [collection], "refunds")
    assert [p.text for p in found if p.document_id == new.document_id] == ["Refunds take sixty days."]
    assert await knowledge.passages(org, [ref(before)]) == []


async def test_indexing_twice_is_indexing_once(knowledge: Knowledge, put: Ingest) -> None:
    org, collection = uuid4(), uuid4()
    first = await put(PAGES["refunds.md"], org_id=org, collection_id=collection)
    await put(PAGES["refunds.md"], org_id=org, collection_id=collection, document_id=first.document_id)
    await knowledge.index.tidy(org, collection)
    assert len(await knowledge.search(org, [collection], "refund")) == 1


async def test_a_removed_document_and_a_dropped_collection_are_gone(knowledge: Knowledge, put: Ingest) -> None:
    org, collection = uuid4(), uuid4()
    gone = await put(PAGES["refunds.md"], org_id=org, collection_id=collection)
    await put(PAGES["opening.md"], org_id=org, collection_id=collection)
    await knowledge.index.remove_document(org, collection, gone.document_id)
    assert {p.heading for p in await knowledge.search(org, [collection], "refund")} == {"Opening hours"}
    await knowledge.index.drop(org, collection)
    await knowledge.index.drop(org, collection)
    assert await knowledge.search(org, [collection], "refund") == []


async def test_what_another_process_indexed_is_found_at_once(
    tmp_path: Path, knowledge: Knowledge, embedder: E5Embedder, put: Ingest
) -> None:
    reader = Knowledge(tmp_path / "lance", embedder)  # its own connections and memory
    org, collection = uuid4(), uuid4()
    assert await reader.search(org, [collection], "refund") == []
    for count, name in enumerate(PAGES, start=1):
        await put(PAGES[name], org_id=org, collection_id=collection, name=name)
        assert len(await reader.search(org, [collection], "refund", limit=20)) == count


async def test_references_come_back_in_order_with_their_scores(knowledge: Knowledge, put: Ingest) -> None:
    org = uuid4()
    collection = await shop(put, org)
    found = await knowledge.search(org, [collection], "refund", limit=3)
    refs = [ref(p, score) for p, score in zip(reversed(found), (0.1, 0.2, 0.3), strict=True)]
    missing = PassageRef(collection_id=collection, document_id=uuid4(), passage_id="gone", score=1)
    again = await knowledge.passages(org, [refs[0], missing, *refs[1:]])
    assert [(p.id, p.score) for p in again] == [(r.passage_id, r.score) for r in refs]
    assert [p.text for p in again] == [p.text for p in reversed(found)]


async def test_odd_questions_do_no_harm(knowledge: Knowledge, put: Ingest) -> None:
    org, collection = uuid4(), uuid4()
    await put(PAGES["refunds.md"], org_id=org, collection_id=collection)
    for question in ("", "   ", "???", '"unclosed', "a AND (b", "%_'; --", "\x00", "😀" * 50, "refund " * 5000):
        assert len(await knowledge.search(org, [collection], question)) <= 1
    assert await knowledge.search(org, [], "refund") == []
    assert await knowledge.search(org, [collection], "refund", limit=0) == []


async def test_a_collection_too_large_for_memory_answers_the_same(
    tmp_path: Path, knowledge: Knowledge, embedder: E5Embedder, put: Ingest
) -> None:
    org = uuid4()
    collection = await shop(put, org)
    on_disk = Knowledge(tmp_path / "lance", embedder, most_held=0)
    for question in ("When do I get my money back?", "保修", "ERR_SHIP_42"):
        held = await knowledge.search(org, [collection], question)
        read = await on_disk.search(org, [collection], question)
        assert [p.id for p in held] == [p.id for p in read]
        assert [round(p.score, 3) for p in held] == [round(p.score, 3) for p in read]
        assert await on_disk.passages(org, [ref(p) for p in read]) == await knowledge.passages(
            org, [ref(p) for p in held]
        )
