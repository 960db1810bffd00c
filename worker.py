"""The switchboard of a worker process: which workflows and activities serve which queue. No logic here."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import Worker, WorkerDeploymentConfig

from activities.act import Act
from activities.close import Close
from activities.crawl import CrawlActivities
from activities.ingest import IngestActivities
from activities.interrupt import Interrupt
from activities.lost_calls import LostCallsStep
from activities.maintenance import MaintenanceActivities
from activities.park import Park
from activities.persist import Persist
from activities.prepare import Prepare
from activities.recognise import RecogniseActivities
from activities.reply import ReplyStep
from activities.retrieve import Retrieve
from activities.route import RouteStep
from activities.stranded_turns import StrandedTurns
from activities.summarise import Summarise
from contracts import options, queues
from domain.agents.version_store import AgentVersions
from domain.conversations.log import EventLog
from domain.knowledge.ocr import Ocr
from domain.knowledge.removal import Removal
from domain.models.reply_cache import ReplyCache
from domain.routing.router import Router
from domain.sources.crawl import Crawl
from domain.sources.readers import Readers
from domain.tools.call import ToolCaller
from domain.tools.http_tool import ToolClient
from runtime import logs
from runtime.activity_context import ActivityContext
from runtime.core_metrics import CoreMetrics
from runtime.metrics import MetricsServer
from runtime.resources import Resources, open_resources
from runtime.sandbox import workflow_runner
from runtime.schedules import keep_schedules
from runtime.settings import Settings
from runtime.temporal import connect
from workflows.conversation import ConversationWorkflow
from workflows.crawl import CrawlWorkflow
from workflows.ingest import IngestWorkflow
from workflows.maintenance import MaintenanceWorkflow
from workflows.summarise import SummariseWorkflow
from workflows.turn import TurnWorkflow

WORKFLOWS: dict[str, Sequence[type]] = {
    queues.TURNS: (ConversationWorkflow, TurnWorkflow),
    queues.INGEST: (CrawlWorkflow, IngestWorkflow, MaintenanceWorkflow, SummariseWorkflow),
}

# Each stream is one activity that mostly waits for its model; 500 is well past what two cores can feed.
_ACTIVITIES_AT_ONCE = {queues.TURNS: 500, queues.INGEST: 4}


def turn_activities(resources: Resources, log: EventLog, tools: ToolClient) -> list[Callable[..., Any]]:
    database, knowledge = resources.database, resources.knowledge
    versions = AgentVersions(database)
    route, retrieve = RouteStep(Router(resources.embedder)), Retrieve(knowledge, resources.router)
    persist = Persist(database, versions, resources.embedder, resources.metrics)
    replies = ReplyCache(database, resources.router, resources.metrics)
    reply = ReplyStep(
        database, log, versions, knowledge, resources.router, replies, resources.metrics, resources.storage
    )
    park = Park(database, versions, resources.metrics)
    return [
        Prepare(database, versions, route, retrieve, resources.metrics).prepare,
        reply.reply,
        Act(database, versions, ToolCaller(database, tools)).act,
        Interrupt(database).interrupt,
        persist.persist,
        persist.fail,
        park.park,
        park.unpark,
        Close(database).close_conversation,
    ]


def ingest_activities(resources: Resources) -> list[Callable[..., Any]]:
    database, storage, metrics = resources.database, resources.storage, resources.metrics
    ingest = IngestActivities(database, storage, resources.knowledge, metrics)
    recognise = RecogniseActivities(database, storage, Ocr.found_here(), metrics)
    upkeep = MaintenanceActivities(database, resources.knowledge.index)
    settings = resources.settings
    readers = Readers(
        resources.storage,
        allow_private=settings.allow_private_sources,
        databases={name: dsn.get_secret_value() for name, dsn in settings.source_databases.items()},
        max_bytes=settings.max_upload_bytes,
    )
    removal = Removal(resources.knowledge.index, resources.storage)
    crawl = CrawlActivities(Crawl(resources.database, resources.storage, removal, readers))
    return [
        ingest.parse_document,
        recognise.recognise_pages,
        recognise.chunk_document,
        ingest.index_batch,
        ingest.finish_ingest,
        ingest.fail_ingest,
        StrandedTurns(database).resume_turns,
        Summarise(database, AgentVersions(database), resources.router).summarise,
        LostCallsStep(database, resources.ledger).settle_lost_calls,
        upkeep.stranded_documents,
        upkeep.prune_rows,
        upkeep.tidy_collections,
        crawl.begin_crawl,
        crawl.crawl_batch,
        crawl.finish_crawl,
    ]


def worker(client: Client, resources: Resources, queue: str, activities: Sequence[Callable[..., Any]]) -> Worker:
    """One queue's worker. Not started."""
    deployment = _deployment(resources.settings)
    return Worker(
        client,
        task_queue=queue,
        workflows=WORKFLOWS[queue],
        activities=activities,
        workflow_runner=workflow_runner(),
        interceptors=[ActivityContext(resources.metrics)],
        max_concurrent_activities=_ACTIVITIES_AT_ONCE[queue],
        sticky_queue_schedule_to_start_timeout=options.STICKY_TIMEOUT,
        graceful_shutdown_timeout=options.SHUTDOWN_GRACE,
        deployment_config=deployment,
        # Unnamed, the SDK hashes the code of every loaded module: 2.8 s of a core at each start.
        build_id=None if deployment else resources.settings.temporal_worker_build_id or "everturn",
    )


def _deployment(settings: Settings) -> WorkerDeploymentConfig | None:
    name, build = settings.temporal_deployment_name, settings.temporal_worker_build_id
    if name is None or build is None:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=name, build_id=build),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )


async def start_workers(stack: AsyncExitStack, client: Client, resources: Resources, serve: Sequence[str]) -> EventLog:
    """Start a worker for each queue; the stack stops them in order, and the log's writer last."""
    log = EventLog(resources.database, committed=resources.metrics.log_committed)
    stack.push_async_callback(log.close)
    tools = ToolClient(allow_private=resources.settings.allow_private_tool_targets)
    stack.push_async_callback(tools.close)
    for queue in serve:
        activities = turn_activities(resources, log, tools) if queue == queues.TURNS else ingest_activities(resources)
        await stack.enter_async_context(worker(client, resources, queue, activities))
    return log


async def run_worker(settings: Settings, serve: Sequence[str]) -> None:
    """Serve the queues until cancelled. Its metrics answer once it takes work."""
    logs.configure(settings.log_format, settings.log_level)
    async with AsyncExitStack() as stack:
        resources = await stack.enter_async_context(open_resources(settings, "everturn-worker"))
        core = CoreMetrics() if settings.worker_metrics_port else None
        if core is not None:
            resources.metrics.include(core)
        client, _ = await asyncio.gather(
            connect(settings, resources.telemetry, runtime=core.runtime if core else None), resources.embedder.warm()
        )
        await start_workers(stack, client, resources, serve)
        if queues.INGEST in serve:
            stack.callback(asyncio.create_task(keep_schedules(client)).cancel)
        if settings.worker_metrics_port:
            server = MetricsServer(resources.metrics, host=settings.http_host, port=settings.worker_metrics_port)
            stack.callback(server.close)
        await asyncio.Event().wait()
