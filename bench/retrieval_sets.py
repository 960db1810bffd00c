"""Public judgments as questions, documents and which belong together. Not for searching: see `retrieval.py`.

Every second document and question (by hash of its id) is `chosen_on`: rules may be fitted on it. The rest is evidence.
"""

import gzip
import hashlib
import json
import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_AWS_SAMPLE = 100
"""Documents of the AWS guides beside the ones that are asked for: 1,300 passages; embedding costs 50 ms each."""

XQUAD_LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh")


@dataclass(frozen=True, slots=True)
class Text:
    """A document of a corpus."""

    id: str
    title: str
    text: str
    markdown: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """relevant: ids of texts; answerable None where the set does not judge it."""

    id: str
    text: str
    relevant: frozenset[str]
    answerable: bool | None = None
    group: str = ""

    @property
    def chosen_on(self) -> bool:
        return _hash(self.group or self.id) % 2 == 0


@dataclass(slots=True)
class JudgedSet:
    name: str
    texts: list[Text]
    questions: list[Question]
    published: str = ""
    notes: list[str] = field(default_factory=list)


def rows(path: Path) -> list[dict[str, Any]]:
    with (lzma.open if path.suffix == ".xz" else gzip.open)(path, "rt") as file:
        return [json.loads(line) for line in file]


def judged_sets(data: Path, *, aws_documents: int = _AWS_SAMPLE, distractors: int = 0) -> Iterator[JudgedSet]:
    """Those of `data` that are there. aws_documents 0: the whole corpus, 25,000 passages."""
    readers: dict[str, Callable[[Path], list[JudgedSet]]] = {
        "clapnq": _clapnq,
        "mtrag_un": _mtrag,
        "tau2_banking_knowledge": _tau2,
        "xquad": _xquad,
        "aws_docs_qa": lambda folder: _aws(folder, aws_documents, distractors),
    }
    for name, read in readers.items():
        if (data / name).exists():
            yield from read(data / name)


def _xquad(folder: Path) -> list[JudgedSet]:
    """One language at a time, and English paragraphs asked in every other language."""
    paragraphs, questions = rows(folder / "corpus.jsonl.gz"), rows(folder / "dev_queries.jsonl.gz")
    made = []
    for language in XQUAD_LANGUAGES:
        texts = [Text(p["pid"], "", p["text"]) for p in paragraphs if p["lang"] == language]
        asked = [
            Question(q["qid"] + language, q["question"], frozenset([q["pid"]]), group=q["qid"])
            for q in questions
            if q["lang"] == language
        ]
        made.append(JudgedSet(f"xquad {language}", texts, asked))
    english = [Text(p["pid"], "", p["text"]) for p in paragraphs if p["lang"] == "en"]
    for language in XQUAD_LANGUAGES:
        if language == "en":
            continue
        across = [
            Question(q["qid"] + language, q["question"], frozenset(["en" + q["pid"][2:]]), group=q["qid"])
            for q in questions
            if q["lang"] == language
        ]
        made.append(JudgedSet(f"xquad {language}>en", english, across))
    return made


def _aws(folder: Path, documents: int, distractors: int) -> list[JudgedSet]:
    corpus, asked = rows(folder / "corpus.jsonl.gz"), rows(folder / "dev_queries.jsonl.gz")
    wanted = {id_ for q in asked for id_ in q["relevant"]}
    others = sorted((d for d in corpus if d["doc_id"] not in wanted), key=lambda d: _hash(d["doc_id"]))
    kept = [d for d in corpus if d["doc_id"] in wanted] + (others[:documents] if documents else others)
    if distractors:
        more = sorted(rows(folder / "distractors.jsonl.xz"), key=lambda d: _hash(d["doc_id"]))
        kept += more[:distractors]
    texts = [Text(d["doc_id"], d["title"], d["text"], markdown=True) for d in kept]
    questions = [Question(q["qid"], q["question"], frozenset(q["relevant"])) for q in asked]
    return [JudgedSet("aws docs", texts, questions, notes=[f"{len(kept)} of {len(corpus)} documents"])]


def _tau2(folder: Path) -> list[JudgedSet]:
    """The customer's brief stands for a long first message."""
    texts = [Text(d["id"], d["title"], d["content"], markdown=True) for d in rows(folder / "corpus.jsonl.gz")]
    questions = [
        Question(t["id"], t["user_scenario"]["instructions"][:2000], frozenset(t["required_documents"]))
        for t in rows(folder / "dev_tasks.jsonl.gz")
    ]
    return [JudgedSet("tau2 banking", texts, questions)]


def _clapnq(folder: Path) -> list[JudgedSet]:
    """All passages of the set are the corpus; a question's own passage is looked for, whether it answers or not."""
    texts: dict[str, Text] = {}
    questions = []
    for row in rows(folder / "dev.jsonl.gz"):
        ids = set()
        for passage in row["passages"]:
            text = " ".join(passage["sentences"])
            id_ = hashlib.sha256((passage["title"] + text).encode()).hexdigest()[:16]
            texts[id_] = Text(id_, passage["title"], text)
            ids.add(id_)
        questions.append(Question(row["id"], row["question"], frozenset(ids), answerable=row["answerable"]))
    return [JudgedSet("clapnq", list(texts.values()), questions)]


def _mtrag(folder: Path) -> list[JudgedSet]:
    """Pooled passages; the last message alone is the question, so follow-ups are hard on purpose."""
    texts: dict[str, Text] = {}
    questions = []
    for row in rows(folder / "dev.jsonl.gz"):
        for passage in row["contexts"]:
            texts[passage["document_id"]] = Text(
                passage["document_id"], passage.get("title") or "", passage["text"].strip()
            )
        kind = row["answerability"][0]
        questions.append(
            Question(
                row["task_id"],
                row["input"][-1]["text"],
                frozenset(passage["document_id"] for passage in row["contexts"]),
                answerable={"ANSWERABLE": True, "UNANSWERABLE": False}.get(kind),
                group=row["conversation_id"],
            )
        )
    return [JudgedSet("mtrag un", list(texts.values()), questions)]


def _hash(id_: str) -> int:
    return int.from_bytes(hashlib.sha256(id_.encode()).digest()[:8], "big")
