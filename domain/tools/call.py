from uuid import UUID

from contracts.turn import ToolCall, ToolResult
from db.engine import Database
from domain.agents.config import HttpTool
from domain.tools.http_tool import ToolClient


class ToolCaller:
    def __init__(self, database: Database, client: ToolClient) -> None:
        self._database = database
        self._client = client

    async def call(
        self, org_id: UUID, turn_id: UUID, call: ToolCall, tool: HttpTool | None, attempt: int
    ) -> ToolResult:
        """tool None: the agent has none of this name."""
        raise NotImplementedError
