"""Columns of every table, one file a room. No validation here: contracts and routes do that."""

from db.tables.agents import Agent, AgentVersion
from db.tables.attachments import MessageAttachment
from db.tables.auth import ApiKey, IdempotencyKey, Org
from db.tables.conversations import Conversation, Event, EventStream, Message, Turn, TurnPassage
from db.tables.knowledge import Collection, Document, DocumentPage, DocumentVersion, Embedding
from db.tables.ledgers import ModelCall, ToolCall
from db.tables.models import ModelPolicyRow
from db.tables.questions import GapSighting, KnowledgeGap, MessageFeedback, RetrievalTest
from db.tables.sources import Source, SourceItem

ALL = (
    Agent,
    AgentVersion,
    ApiKey,
    Collection,
    Conversation,
    Document,
    DocumentPage,
    DocumentVersion,
    Embedding,
    Event,
    EventStream,
    GapSighting,
    IdempotencyKey,
    KnowledgeGap,
    Message,
    MessageAttachment,
    MessageFeedback,
    ModelCall,
    ModelPolicyRow,
    Org,
    Source,
    SourceItem,
    RetrievalTest,
    ToolCall,
    Turn,
    TurnPassage,
)
