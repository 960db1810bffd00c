"""Which port each server of the stack gets, and who holds one that is taken."""

import socket

import psutil

from runtime.embedded.process import CannotStart, free_port


class PortTaken(CannotStart):
    """A port that was asked for by name is in use; the text says by what."""


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now. Connections left in TIME_WAIT do not count."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """Who listens on a port, as a person would say it."""
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            return _describe(connection.pid)
    return "a process that cannot be seen from here"


def _describe(pid: int | None) -> str:
    if pid is None:
        return "a process of another user"
    try:
        process = psutil.Process(pid)
        command = " ".join(process.cmdline()) or process.name()
    except psutil.Error:
        return f"process {pid}"
    return f"process {pid} ({command[:80]})"


def choose(name: str, *, asked: int | None, preferred: int, host: str = "127.0.0.1") -> tuple[int, str | None]:
    """A port for `name`, and a sentence when it is not the preferred one.

    Raises PortTaken when the port was asked for and is in use: what a person names is never swapped.
    """
    if asked:
        if not is_free(asked, host):
            raise PortTaken(f"port {asked}, asked for {name}, is taken by {holder(asked)}")
        return asked, None
    if is_free(preferred, host):
        return preferred, None
    port = free_port()
    return port, f"port {preferred} is taken by {holder(preferred)}; {name} uses {port} instead"
