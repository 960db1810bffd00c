"""Child processes that die with their parent and write their output to a file."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
_SERVANT_ID = 1000


class CannotStart(RuntimeError):
    """A server or program of the stack could not start; the text is for a person and ends with its log."""


def free_port() -> int:
    """A loopback port nobody listens on now. Another program may take it before its user does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def die_with_parent(signum: int) -> None:
    """For preexec_fn: the kernel sends `signum` when the parent is gone, even by kill -9. Linux only."""
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):
        libc.prctl(_PR_SET_PDEATHSIG, signum)


def leave_root() -> None:
    """For a process without threads: Postgres refuses root, so root becomes id 1000 in a user namespace of its own.

    Files stay owned by root outside of it, and no system user is made. Raises OSError where user
    namespaces are forbidden.
    """
    if os.getuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "user namespaces are forbidden here; run as an ordinary user")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{_SERVANT_ID} 0 1")
    Path("/proc/self/gid_map").write_text(f"{_SERVANT_ID} 0 1")


def spawn(
    command: Sequence[str | Path],
    log: Path,
    *,
    parent_death_signal: int = signal.SIGTERM,
    as_servant: bool = False,
    env: dict[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, so that a Ctrl-C reaches it only through its parent.

    as_servant: not as root (see leave_root).
    """

    def preexec() -> None:
        die_with_parent(parent_death_signal)

    if as_servant:
        # Not in preexec_fn: lancedb starts a thread in every forked child (its at-fork hook), and the
        # kernel refuses a user namespace to a process with threads. After an exec there are none.
        command = [sys.executable, "-I", "-S", __file__, str(int(parent_death_signal)), *command]

    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603  the command is ours
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=preexec,  # noqa: PLW1509  the child only execs; it runs no threads of ours
            start_new_session=True,
            env=env,
        )


def stop(process: subprocess.Popen[bytes], signum: int = signal.SIGTERM, *, patience_seconds: float = 10) -> None:
    """Ask, wait, then kill. Idempotent."""
    if process.poll() is None:
        process.send_signal(signum)
        try:
            process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def tail(log: Path, lines: int = 15) -> str:
    """The end of a log file, for an error that says why a child did not start."""
    if not log.exists():
        return "(no output)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


if __name__ == "__main__":  # the child of `spawn(as_servant=True)`, about to become its command
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and the command would inherit that
    leave_root()
    die_with_parent(int(sys.argv[1]))  # after leave_root: a change of credentials clears it
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606  the command is ours
