"""`everturn down`: stop the stack that runs over the data folder."""

import os
import signal
import time

from rich.console import Console

from cli.faults import Refused
from runtime.embedded.state import StateFile
from runtime.settings import Settings

_PATIENCE_SECONDS = 45
"""Workers finish what they have in hand before they go; longer than any of them may take to."""


def down() -> None:
    """Stop the running stack and wait until it is gone. Nothing running is no fault."""
    folder = Settings().data_dir.resolve()
    state = StateFile(folder).running()
    if state is None:
        Console().print(f"Nothing runs over {folder}.")
        return
    os.kill(state.supervisor.pid, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while state.supervisor.alive():
        if time.monotonic() > deadline:
            raise Refused(
                f"process {state.supervisor.pid} was asked to stop and still runs after {_PATIENCE_SECONDS} s"
            )
        time.sleep(0.05)
    Console().print("Stopped.")
