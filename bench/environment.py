"""A virtual environment for each peer, from its pinned and hashed requirements, made once."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE.parent / "build" / "bench"


def python_of(folder: str) -> Path:
    """A peer without requirements runs on our own."""
    if not _requirements(folder).exists():
        return Path(sys.executable)
    return BUILD / folder / ".venv" / "bin" / "python"


def install(folder: str) -> None:
    """Idempotent; again only when the requirements have changed. Raises CalledProcessError."""
    requirements = _requirements(folder)
    if not requirements.exists():
        return
    mark = BUILD / folder / "installed"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if mark.exists() and mark.read_text() == wanted and python_of(folder).exists():
        return
    venv = BUILD / folder / ".venv"
    shutil.rmtree(venv, ignore_errors=True)
    print(f"installing {folder} …", flush=True)
    if uv := shutil.which("uv"):
        _run(uv, "venv", "-q", "--python", sys.executable, venv)
        _run(uv, "pip", "install", "-q", "--require-hashes", "--python", python_of(folder), "-r", requirements)
    else:
        _run(sys.executable, "-m", "venv", venv)
        _run(python_of(folder), "-m", "pip", "install", "-q", "--require-hashes", "-r", requirements)
    mark.write_text(wanted)


def _requirements(folder: str) -> Path:
    return HERE / "peers" / folder / "requirements.txt"


def _run(*command: str | Path) -> None:
    subprocess.run([str(part) for part in command], check=True)
