"""Every word of a document is in a passage, every passage is where it says, and none is too long."""

from itertools import pairwise
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from domain.knowledge.chunk import MOST, OVERLAP, chunk, weight
from domain.knowledge.extract import Block, Extract, assemble
from domain.knowledge.parse import parse

DOCUMENT = UUID(int=7)

texts = st.text(
    alphabet=st.one_of(st.sampled_from("aábc .!?\n。、中文日\u00ad\u0301ﬁ|"), st.characters(codec="utf-8")),
    max_size=4000,
)
blocks = st.lists(
    st.builds(Block, st.sampled_from(["heading", "prose", "prose", "code"]), texts, st.integers(1, 6)), max_size=8
)


def made(found: list[Block]) -> Extract:
    return assemble(found, title="t", media_type="text/markdown")


@given(blocks)
def test_passages_are_where_they_say_and_none_is_too_long(found: list[Block]) -> None:
    extract = made(found)
    for each in chunk(extract, DOCUMENT):
        assert extract.text[each.char_start : each.char_end] == each.text
        assert each.text.strip()
        assert weight(each.text) <= MOST


@given(blocks)
def test_no_word_of_a_document_is_left_out(found: list[Block]) -> None:
    extract = made(found)
    kept = bytearray(len(extract.text))
    for each in chunk(extract, DOCUMENT):
        kept[each.char_start : each.char_end] = b"\x01" * (each.char_end - each.char_start)
    for span in extract.spans:
        if span.kind != "heading":
            lost = [c for i, c in enumerate(extract.text[span.start : span.end], span.start) if not kept[i]]
            assert not "".join(lost).strip()


@given(blocks)
def test_passages_move_on_and_overlap_a_little(found: list[Block]) -> None:
    extract = made(found)
    chunks = chunk(extract, DOCUMENT)
    for before, after in pairwise(chunks):
        assert before.char_start < after.char_start
        assert before.char_end < after.char_end
        assert weight(extract.text[after.char_start : max(after.char_start, before.char_end)]) <= OVERLAP


@given(blocks)
def test_the_same_text_at_the_same_place_has_the_same_id(found: list[Block]) -> None:
    first, second = chunk(made(found), DOCUMENT), chunk(made(found), DOCUMENT)
    assert first == second
    assert len({each.id for each in first}) == len(first)
    assert not {each.id for each in first} & {each.id for each in chunk(made(found), uuid4())}


def test_a_passage_carries_its_path_of_headings() -> None:
    extract = parse(b"# A\n\none\n\n## B\n\ntwo\n\n### C\n\nthree\n\n## D\n\nfour\n\n# E\n", "a.md")
    assert [(c.heading, c.text) for c in chunk(extract, DOCUMENT)] == [
        ("A", "one"),
        ("A > B", "two"),
        ("A > B > C", "three"),
        ("A > D", "four"),
        ("", "E"),
    ]


def test_sentences_are_not_cut_in_any_script() -> None:
    english = "Dr. Smith pays 3.5 dollars, e.g. for bread. " * 60
    chinese = "退款将在三十天内退回您的账户。" * 120
    for text, end in ((english, "bread."), (chinese, "。")):
        chunks = chunk(parse(text.encode(), "a.txt"), DOCUMENT)
        assert len(chunks) > 2
        assert all(each.text.endswith(end) for each in chunks)


def test_a_table_that_fits_stays_whole() -> None:
    rows = "\n".join(f"| Country {n} | {n} days |" for n in range(30))
    source = "Some words before. " * 40 + f"\n\n| Country | Days |\n|---|---|\n{rows}\n\nAfter."
    chunks = chunk(parse(source.encode(), "a.md"), DOCUMENT)
    assert any("Country 0 | 0 days" in c.text and "Country 29 | 29 days" in c.text for c in chunks)
