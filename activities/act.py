"""Act: exactly one tool call, through the ledger."""

from temporalio import activity

from activities.errors import domain_errors
from activities.heartbeat import heartbeats
from contracts import events as event
from contracts.turn import ActInput, ToolResult
from db.engine import Database
from domain.agents.config import HttpTool
from domain.agents.version_store import AgentVersions
from domain.conversations import turn_store
from domain.tools.call import ToolCaller


class Act:
    def __init__(self, database: Database, versions: AgentVersions, caller: ToolCaller) -> None:
        self._database = database
        self._versions = versions
        self._caller = caller

    @activity.defn(name="act")
    @domain_errors()
    async def act(self, input: ActInput) -> ToolResult:
        """The side effect happens once: a repetition finds the outcome in the ledger, or parks the call."""
        config = await self._versions.config(input.ref.org_id, input.ref.agent_version_id)
        tool = next((tool for tool in config.tools if tool.name == input.call.name), None)
        async with heartbeats():
            await self._log(input, event.TOOL_STARTED, {})
            result = await self._call(input, tool)
            await self._log(input, event.TOOL_FINISHED, {"state": result.state})
        return result

    async def _call(self, input: ActInput, tool: HttpTool | None) -> ToolResult:
        if tool is None:
            return ToolResult(
                key=input.call.key,
                name=input.call.name,
                arguments=input.call.arguments,
                state="failed",
                content=f"There is no tool named {input.call.name}.",
            )
        return await self._caller.call(
            input.ref.org_id, input.ref.turn_id, input.call, tool, attempt=activity.info().attempt
        )

    async def _log(self, input: ActInput, type: str, data: dict[str, str]) -> None:
        called = {"call_key": input.call.key, "name": input.call.name, **data}
        async with self._database.transaction(input.ref.org_id) as connection:
            await turn_store.log_once(connection, input.ref, type, called, call_key=input.call.key)
