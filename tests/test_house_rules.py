"""The rules of the house that no linter knows. A failure says what to do instead."""

import ast
import inspect
import re
import typing
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import contracts.stubs

ROOT = Path(__file__).parents[1]
PACKAGES = ("activities", "api", "cli", "contracts", "db", "domain", "runtime", "sdk", "workflows")

_NAMELESS = {"utils", "util", "common", "helpers", "helper", "base", "manager", "misc", "shared"}
_SQL = re.compile(r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+TABLE)\b", re.DOTALL)
_LONGEST_FILE = 400
_LONGEST_FUNCTION = 60


def sources() -> Iterator[Path]:
    yield ROOT / "worker.py"
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def where(path: Path, node: ast.AST | None = None) -> str:
    line = f":{getattr(node, 'lineno', 1)}" if node is not None else ""
    return f"{path.relative_to(ROOT)}{line}"


def parsed() -> Iterator[tuple[Path, ast.Module]]:
    for path in sources():
        yield path, ast.parse(path.read_text())


def docstrings(tree: ast.Module) -> set[int]:
    """ids of the constants that are docstrings, of modules, classes, functions and attributes."""
    found = set[int]()
    for node in ast.walk(tree):
        for child in getattr(node, "body", []) if isinstance(getattr(node, "body", []), list) else []:
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                found.add(id(child.value))
    return found


def test_no_file_is_named_after_nothing() -> None:
    bad = [where(path) for path in sources() if {path.stem, *path.parent.relative_to(ROOT).parts} & _NAMELESS]
    assert bad == [], "name each after what it holds: a verb for a step, a noun for a thing"


def test_every_file_says_what_it_is_for() -> None:
    bad = [where(path) for path, tree in parsed() if tree.body and ast.get_docstring(tree) is None]
    assert bad == [], "open each with one sentence on what it is for"


def test_files_and_functions_stay_small() -> None:
    # A migration is a record of one moment and never grows.
    growing = [path for path in sources() if "versions" not in path.parts]
    long_files = [where(path) for path in growing if len(path.read_text().splitlines()) > _LONGEST_FILE]
    assert long_files == [], f"split these: more than {_LONGEST_FILE} lines hold more than one thought"
    long_functions = [
        where(path, node)
        for path, tree in parsed()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno + 1 > _LONGEST_FUNCTION
    ]
    assert long_functions == [], f"split these: more than {_LONGEST_FUNCTION} lines do not fit on a screen"


def test_only_the_settings_read_the_environment() -> None:
    bad = [
        where(path, node)
        for path, tree in parsed()
        if path != ROOT / "runtime" / "settings.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and node.attr in {"environ", "getenv", "putenv", "environb"}
    ]
    assert bad == [], "make each a field of runtime.settings.Settings and be given it"


def test_sql_stands_only_in_stores_the_log_and_db() -> None:
    bad = []
    for path, tree in parsed():
        if path.stem.endswith("store") or path.stem == "log" or path.is_relative_to(ROOT / "db"):
            continue
        quiet = docstrings(tree)
        bad += [
            where(path, node)
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in quiet
            and _SQL.search(node.value)
        ]
    assert bad == [], "move each into the room's store.py"


def test_the_worker_is_a_switchboard() -> None:
    tree = ast.parse((ROOT / "worker.py").read_text())
    refused = (ast.ClassDef, ast.Try, ast.While, ast.Lambda, ast.Raise)
    bad = [where(ROOT / "worker.py", node) for node in ast.walk(tree) if isinstance(node, refused)]
    assert bad == [], "worker.py only plugs things together; decide and handle errors in the thing itself"


def _modules(package: str) -> Iterator[typing.Any]:
    for path in sorted((ROOT / package).glob("*.py")):
        if path.stem != "__init__":
            yield import_module(f"{package}.{path.stem}")


def _activities(module: typing.Any) -> Iterator[tuple[str, typing.Any]]:
    for holder in (module, *(kind for _, kind in inspect.getmembers(module, inspect.isclass))):
        if holder is not module and holder.__module__ != module.__name__:
            continue
        for name, member in inspect.getmembers(holder, inspect.isfunction):
            if hasattr(member, "__temporal_activity_definition") and member.__module__ == module.__name__:
                yield name, member


def _signature(function: typing.Any) -> dict[str, typing.Any]:
    return typing.get_type_hints(function)


def test_stubs_and_bodies_agree_on_names_and_types() -> None:
    stubs = {name: _signature(body) for name, body in _activities(contracts.stubs)}
    bodies = {name: _signature(body) for module in _modules("activities") for name, body in _activities(module)}
    assert stubs == bodies, "workflows call by the stub in contracts/stubs.py: give both the same name and types"


@pytest.mark.parametrize("package", ["activities", "workflows"])
def test_everything_durable_is_registered(package: str) -> None:
    tree = ast.parse((ROOT / "worker.py").read_text())
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    durable = set[str]()
    for module in _modules(package):
        durable |= {name for name, _ in _activities(module)}
        durable |= {
            name
            for name, kind in inspect.getmembers(module, inspect.isclass)
            if hasattr(kind, "__temporal_workflow_definition") and kind.__module__ == module.__name__
        }
    assert durable, f"{package} holds nothing durable"
    assert durable - names == set(), "register each in worker.py, or nobody ever runs it"


def test_nothing_names_a_registry_or_a_machine() -> None:
    files = [
        *ROOT.glob("*.lock"),
        ROOT / "Makefile",
        ROOT / "pyproject.toml",
        ROOT / "Dockerfile",
        ROOT / ".ci" / "run",
    ]
    places = re.compile(r"https?://|/(work|root|home)/")
    bad = [f"{path.name}: {line}" for path in files for line in path.read_text().splitlines() if places.search(line)]
    bad = [line for line in bad if "127.0.0.1" not in line]
    assert bad == [], "a lock and a build must work from any registry and in any folder"


def test_every_verb_of_the_makefile_runs_something_that_exists() -> None:
    text = (ROOT / "Makefile").read_text()
    modules = set(re.findall(r"python -m ([\w.]+)", text)) - {"pip"}
    missing = [name for name in modules if not (ROOT / (name.replace(".", "/") + ".py")).exists()]
    missing += [name for name in re.findall(r"tests/\w+\.py", text) if not (ROOT / name).exists()]
    assert missing == [], "the Makefile names these and they are not there"
    verbs = {"up", "test", "check", "bench", "chaos", "replay", "docs"}
    assert verbs <= set(re.findall(r"^(\w+):", text, re.MULTILINE))
