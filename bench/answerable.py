"""Whether a search's answerability tells questions with an answer from those without."""

import numpy as np

from bench.retrieval_corpus import Corpus
from bench.retrieval_sets import JudgedSet
from domain.knowledge.answerability import NOTHING_RELEVANT
from domain.knowledge.search import Knowledge


async def judge_answerability(judged: JudgedSet, knowledge: Knowledge, corpus: Corpus, *, everything: bool) -> str:
    """AUC and the shares said to be unanswerable, over the questions that are judged so or so."""
    said: dict[bool, list[float]] = {True: [], False: []}
    for question in judged.questions:
        if question.answerable is not None and (everything or not question.chosen_on):
            found = await knowledge.find(corpus.org_id, [corpus.collection_id], question.text)
            said[question.answerable].append(found.answerable)
    yes, no = np.array(said[True]), np.array(said[False])
    auc = float(np.mean((yes[:, None] > no[None]) + 0.5 * (yes[:, None] == no[None])))
    return (
        f"{judged.name:14} answerability: AUC {auc:.3f}; mean {yes.mean():.2f} of {len(yes)} answerable, "
        f"{no.mean():.2f} of {len(no)} not; said to find nothing: "
        f"{np.mean(yes < NOTHING_RELEVANT):.2f} and {np.mean(no < NOTHING_RELEVANT):.2f}"
    )
