class ToolClient:
    def __init__(self, *, allow_private: bool = False) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        """Idempotent."""
