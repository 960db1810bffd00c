"""`everturn`: the command line. One file a verb; this one gathers them and says faults in one line."""

import contextlib
import logging
import os
import sys

import typer

from cli.api import api
from cli.chat import chat
from cli.doctor import doctor
from cli.down import down
from cli.faults import EXPECTED, sentence
from cli.gaps import gaps
from cli.ingest import ingest
from cli.key import key
from cli.migrate import migrate
from cli.retrieval_test import retrieval_test
from cli.source import source
from cli.spend import spend
from cli.up import up
from cli.worker import worker

app = typer.Typer(
    name="everturn",
    help="AI agents as durable Temporal workflows: every turn finishes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
VERBS = (up, down, doctor, chat, ingest, gaps, retrieval_test, spend, worker, api, migrate, key)
for verb in VERBS:
    app.command()(verb)
app.add_typer(source, name="source")


def main() -> None:
    """Run a verb. Exit codes: 0 done, 1 a fault that was said in one line, 2 a wrong call."""
    try:
        app()
    except EXPECTED as error:
        sys.stderr.write(f"everturn: {sentence(error)}\n")
        _leave(1)
    except SystemExit as leaving:
        _leave(leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None))


def _leave(code: int) -> None:
    # The Temporal SDK's native threads crash the interpreter while it finalises in 12% of runs
    # (temporalio 1.35.0, CPython 3.11), so a process that loaded it ends without finalising.
    if "temporalio" in sys.modules:
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
