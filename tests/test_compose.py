"""The compose file describes the product that the code is: its images, commands, ports, variables and files."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from pydantic import AliasChoices

from cli.main import app
from contracts import queues
from runtime.embedded.temporal import binary
from runtime.metrics import Metrics
from runtime.settings import Settings

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name for name, service in SERVICES.items() if str(service["image"]).startswith("everturn:")}

FOREIGN_VARIABLES = {
    "postgres": {"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"},
    "temporalio/admin-tools": {"SQL_HOST", "SQL_USER", "SQL_PASSWORD", "TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"},
    "temporalio/server": {
        "DB", "DB_PORT", "POSTGRES_SEEDS", "POSTGRES_USER", "POSTGRES_PWD", "BIND_ON_IP", "PROMETHEUS_ENDPOINT",
        "DYNAMIC_CONFIG_FILE_PATH",
    },
    "temporalio/ui": {"TEMPORAL_ADDRESS", "TEMPORAL_UI_PORT"},
    "grafana/grafana": {"GF_SECURITY_ADMIN_PASSWORD", "GF_USERS_ALLOW_SIGN_UP"},
}  # fmt: skip
"""What each image's own documentation, or our script in it, reads."""


def read_variables() -> set[str]:
    names = set[str]()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        names.add(str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"EVERTURN_{name.upper()}")
    return names


def dockerfile(instruction: str) -> list[str]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return [line.partition(" ")[2].strip() for line in text.splitlines() if line.startswith(f"{instruction} ")]


def test_every_part_of_the_product_is_there() -> None:
    parts = {"postgres", "temporal-schema", "temporal", "temporal-ui", "migrate", "api"}
    parts |= {"otel-collector", "prometheus", "grafana"} | {f"worker-{queue}" for queue in queues.ALL}
    assert parts <= SERVICES.keys()


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_to_a_version(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9./-]+:v?\d+(\.\d+)+", SERVICES[name]["image"])


def test_temporal_is_the_version_that_the_tests_run_on() -> None:
    said = subprocess.run([binary(), "--version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"Server (\S+), UI (\S+)\)", said)
    assert match is not None
    assert SERVICES["temporal"]["image"] == f"temporalio/server:{match[1]}"
    assert SERVICES["temporal-schema"]["image"] == f"temporalio/admin-tools:{match[1]}"
    assert SERVICES["temporal-ui"]["image"] == f"temporalio/ui:{match[2]}"


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_command_exists(name: str) -> None:
    verb, *options = SERVICES[name]["command"]
    command = typer.main.get_command(app)
    known = command.commands  # type: ignore[attr-defined]
    assert verb in known
    flags = {flag for parameter in known[verb].params for flag in parameter.opts}
    assert {option for option in options if option.startswith("--")} <= flags


@pytest.mark.parametrize("queue", queues.ALL)
def test_each_queue_has_a_service_of_its_own(queue: str) -> None:
    assert SERVICES[f"worker-{queue}"]["command"] == ["worker", "--queues", queue]


@pytest.mark.parametrize("name", SERVICES)
def test_every_variable_is_read_by_somebody(name: str) -> None:
    service = SERVICES[name]
    image = service["image"].rpartition(":")[0]
    known = read_variables() if name in OURS else FOREIGN_VARIABLES.get(image, set())
    assert set(service.get("environment", {})) <= known


def test_variables_of_the_image_are_settings() -> None:
    names = {pair.split("=")[0] for line in dockerfile("ENV")[-1:] for pair in line.split()}
    assert {name for name in names if name.startswith("EVERTURN_")} <= read_variables()
    assert "EVERTURN_HTTP_HOST=0.0.0.0" in dockerfile("ENV")[-1], "a container that listens on loopback hears nobody"


def test_everything_mounted_is_in_the_tree() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            if source.startswith("."):
                assert (ROOT / source).exists(), f"{source} is mounted and not there"
            else:
                assert source in COMPOSE["volumes"]


def test_the_image_is_built_from_everything_the_package_has() -> None:
    wheel = (ROOT / "pyproject.toml").read_text().split("[tool.hatch.build.targets.wheel]")[1]
    packages = set(re.findall(r'"(\w+)"', wheel.partition("only-include = ")[2].partition("\n")[0]))
    copied = {word for line in dockerfile("COPY") for word in line.split()[:-1]}
    assert packages | {"worker.py", "pyproject.toml", "requirements.lock"} <= copied
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert packages | {"worker.py", "pyproject.toml", "README.md", "LICENSE"} <= allowed
    for name in copied - {"/opt/everturn"}:
        assert name.startswith("--") or (ROOT / name).exists()


def test_ports_and_health_are_those_of_the_code() -> None:
    port = Settings.model_fields["http_port"].default
    assert SERVICES["api"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"http://127.0.0.1:{port}/readyz" in SERVICES["api"]["healthcheck"]["test"][-1]
    scraped = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yml").read_text())["scrape_configs"]
    targets = {one: job["dns_sd_configs"][0]["port"] for job in scraped if "dns_sd_configs" in job
               for one in job["dns_sd_configs"][0]["names"]}  # fmt: skip
    assert targets["api"] == port
    for queue in queues.ALL:
        metrics_port = SERVICES[f"worker-{queue}"]["environment"]["EVERTURN_WORKER_METRICS_PORT"]
        assert targets[f"worker-{queue}"] == int(metrics_port)
    assert {str(port), "9090"} == set(dockerfile("EXPOSE")[0].split())


def test_nothing_starts_before_what_it_needs() -> None:
    for name in OURS - {"migrate"}:
        assert SERVICES[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    for service in SERVICES.values():
        for needed, how in _needs(service).items():
            assert needed in SERVICES
            if how == "service_healthy":
                assert "healthcheck" in SERVICES[needed]


def test_traces_go_to_the_collector() -> None:
    endpoint = SERVICES["api"]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"]
    config = yaml.safe_load((ROOT / "infra/otel/config.yaml").read_text())
    listens = config["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
    assert endpoint == f"http://otel-collector:{listens.rpartition(':')[2]}"
    pipeline = config["service"]["pipelines"]["traces"]
    for kind in ("receivers", "processors", "exporters"):
        assert set(pipeline[kind]) <= set(config[kind])


def test_the_dashboard_asks_only_for_metrics_that_exist() -> None:
    dashboard = json.loads((ROOT / "infra/grafana/dashboards/everturn.json").read_text())
    source = yaml.safe_load((ROOT / "infra/grafana/provisioning/datasources/prometheus.yaml").read_text())
    asked = set[str]()
    for panel in dashboard["panels"]:
        assert panel["datasource"]["uid"] == source["datasources"][0]["uid"]
        for target in panel["targets"]:
            asked |= set(re.findall(r"everturn_\w+", target["expr"]))
    families = {family.name: family.type for family in Metrics().registry.collect()}
    served = set[str]()
    for name, kind in families.items():
        served |= {
            f"{name}_{end}" for end in {"histogram": ("bucket", "sum", "count"), "counter": ("total",)}.get(kind, ())
        }
        served |= {name} if kind == "gauge" else set()
    assert asked <= served
    missing = {name for name in families if not any(one.startswith(name) for one in asked)}
    assert missing == set(), "give each of these a panel"


def test_the_provider_finds_the_dashboards() -> None:
    provider = yaml.safe_load((ROOT / "infra/grafana/provisioning/dashboards/everturn.yaml").read_text())
    mounted = {volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]}
    assert provider["providers"][0]["options"]["path"] in mounted


def _needs(service: dict[str, Any]) -> dict[str, str]:
    needs = service.get("depends_on", {})
    if isinstance(needs, list):
        return dict.fromkeys(needs, "service_started")
    return {name: how["condition"] for name, how in needs.items()}
