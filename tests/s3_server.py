"""An S3 server on loopback (moto's), behind a gate that can refuse, hang up and count."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

BUCKET = "everturn-test"


@dataclass
class S3Server:
    """faults: each request takes the next one; None lets it through."""

    url: str = ""
    faults: list[str | None] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @property
    def config(self) -> Any:
        return {
            "endpoint": self.url,
            "region": "us-east-1",
            "access_key_id": "test",
            "secret_access_key": "test",
        }

    def gate(self, app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            self.requests.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
            fault = self.faults.pop(0) if self.faults else None
            if fault == "reset":
                environ["werkzeug.socket"].close()
                return []
            if fault == "503":
                start("503 Slow Down", [("Content-Length", "0"), ("Connection", "close")])
                return []
            return app(environ, start)

        return answer


@contextmanager
def s3_server() -> Iterator[S3Server]:
    gate = S3Server()
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, gate.gate(app), threaded=True)
    gate.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield gate
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
