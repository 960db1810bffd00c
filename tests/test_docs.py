"""Everything a person can set, call, be allowed or meet as an error is written down, or the build fails."""

import re
from pathlib import Path

import pytest
import typer

from api import faults
from cli.main import app
from contracts import events
from domain.auth import permissions
from domain.errors import DomainError
from tests.test_compose import read_variables

DOCS = Path(__file__).parents[1] / "docs"


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text()


def rows(name: str) -> set[str]:
    """The first cell of every table row that begins with code."""
    return set(re.findall(r"^\| `([^`]+)`", page(name), re.MULTILINE))


def test_every_setting_is_documented() -> None:
    assert rows("settings") == read_variables(), "one row a variable in docs/settings.md"


def test_every_permission_is_documented() -> None:
    assert rows("permissions") == set(permissions.ALL), "one row a permission in docs/permissions.md"


def test_every_event_is_documented() -> None:
    types = {value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)}
    assert rows("following-a-conversation") == types, "one row a type in docs/following-a-conversation.md"


def test_every_error_is_documented_with_its_status() -> None:
    assert faults, "importing the module makes its classes known"
    known = {kind.code: kind.status for kind in (DomainError, *below(DomainError))}
    documented = dict(re.findall(r"^\| `(\w+)` \| (\d+)", page("errors"), re.MULTILINE))
    assert {code: int(status) for code, status in documented.items()} == known, "one row a code in docs/errors.md"


def below(kind: type[DomainError]) -> set[type[DomainError]]:
    children = set(kind.__subclasses__())
    return children.union(*(below(child) for child in children))


def test_every_verb_and_option_is_documented() -> None:
    text = page("cli")
    sections = dict(re.findall(r"^## `everturn ([\w-]+)[^\n]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert sections.keys() == commands.keys(), "one section a verb in docs/cli.md"
    for verb, command in commands.items():
        flags = {flag for one in command.params for flag in one.opts if flag.startswith("--")} - {"--help"}
        missing = {flag for flag in flags if f"`{flag}" not in sections[verb] and f", `{flag}" not in sections[verb]}
        assert missing == set(), f"say in docs/cli.md what these of `everturn {verb}` do"


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text()):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), f"{target} is not there"
