"""What deploy/ says of ports, paths, commands and variables is what the program knows."""

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import pytest
import tomli
import yaml

from router.cli.main import cli
from router.engine.rulesfile.spec import Server
from router.service.app import live, ready
from router.service.outside import Disk
from router.service.rulebook import Loaded, load

ROOT: Final = Path(__file__).parents[1]
DOCKER: Final = ROOT / "deploy/docker"
KUBERNETES: Final = ROOT / "deploy/kubernetes"
DOCKERFILE: Final = (DOCKER / "Dockerfile").read_text()
PROJECT: Final = tomli.loads((ROOT / "pyproject.toml").read_text())
HEALTH: Final = {path for handler in (live, ready) for path in handler.paths}
CONFIG: Final = "/etc/langfuse-router"
STATE: Final = "/var/lib/langfuse-router"


def manifests() -> Iterator[Any]:
    for path in sorted(KUBERNETES.glob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text())


def of_kind(kind: str) -> list[Any]:
    return [one for one in manifests() if one["kind"] == kind]


def container() -> Any:
    (one,) = of_kind("StatefulSet")[0]["spec"]["template"]["spec"]["containers"]
    return one


def compose() -> Any:
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())


def instruction(name: str) -> list[str]:
    return re.findall(rf"^{name} ((?:.*\\\n)*.*)", DOCKERFILE, re.MULTILINE)


def rules_of(folder: Path) -> Loaded:
    """Load rules as they are, with a value for each variable that they ask for."""
    names = re.findall(r"\$\{(\w+)", (folder / "rules.toml").read_text())
    return load(str(folder / "rules.toml"), Disk(dict.fromkeys(names, "value")), missing="error")


def names_asked_for(folder: Path) -> set[str]:
    return set(re.findall(r"\$\{(\w+)", (folder / "rules.toml").read_text()))


@pytest.mark.parametrize("folder", [DOCKER / "rules", KUBERNETES], ids=["docker", "kubernetes"])
def test_the_rules_load_and_keep_the_console_off_the_public_port(folder: Path) -> None:
    server = rules_of(folder).file.server
    assert server.port == Server().port
    assert server.admin_port == 8788
    assert str(rules_of(folder).file.store.spool).startswith(STATE)


@pytest.mark.parametrize(
    "arguments",
    [json.loads(instruction("CMD")[-1]), container()["args"], compose()["services"]["upgrade"]["command"]],
    ids=["image", "kubernetes", "upgrade"],
)
def test_every_command_is_one_of_the_program(arguments: list[str]) -> None:
    command: click.Command = cli
    context = click.Context(command, info_name="langfuse-router")
    while isinstance(command, click.Group):
        found = command.get_command(context, arguments.pop(0))
        assert found is not None
        command = found
    parsed = command.make_context(command.name, arguments)
    assert parsed.params["rules_path"] == f"{CONFIG}/rules.toml"
    if command.name == "serve":
        assert parsed.params["host"] == "0.0.0.0"


def test_the_image_runs_as_nobody_in_particular_and_asks_after_its_health_without_curl() -> None:
    assert instruction("USER") == ["10001:10001"]
    assert instruction("EXPOSE") == [str(Server().port)]
    assert json.loads(instruction("ENTRYPOINT")[0]) == list(PROJECT["project"]["scripts"])
    assert instruction("VOLUME") == [STATE]
    check = json.loads(instruction("HEALTHCHECK")[0].partition("CMD ")[2])
    assert check[:2] == ["python", "-c"]
    ast.parse(check[2])
    (url,) = re.findall(r"http://127\.0\.0\.1:(\d+)(/\S+?)'", check[2])
    assert url[0] == str(Server().port)
    assert url[1] in HEALTH


def test_the_image_is_built_from_all_that_the_wheel_is() -> None:
    copied = {word for line in instruction("COPY") if "--from" not in line for word in line.split()[:-1]}
    target = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    wanted = {*target["packages"], *(name.split("/")[0] for name in target["force-include"])}
    wanted |= {"pyproject.toml", PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]}
    assert copied == wanted
    ignored = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == wanted
    extras = re.findall(r"^ARG EXTRAS=(\S+)", DOCKERFILE, re.MULTILINE)
    assert set(extras[0].split(",")) <= PROJECT["project"]["optional-dependencies"].keys()


def test_the_compose_file_gives_each_router_what_its_rules_ask_for() -> None:
    services = compose()["services"]
    routers = [service for name, service in services.items() if name.startswith("router-")]
    assert len(routers) == 2
    for service in routers:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert set(service["environment"]) == names_asked_for(DOCKER / "rules")
        assert f"./rules:{CONFIG}:ro" in service["volumes"]
    spools = [volume for service in routers for volume in service["volumes"] if volume.endswith(STATE)]
    assert len({volume.partition(":")[0] for volume in spools}) == 2, "a spool is opened by one router"
    example = set(re.findall(r"^(\w+)=", (DOCKER / "env.example").read_text(), re.MULTILINE))
    assert example == set(re.findall(r"\$\{(\w+)", (DOCKER / "compose.yaml").read_text()))
    assert rules_of(DOCKER / "rules").file.store.url.reveal() == "postgresql://router:value@db/router"
    assert services["db"]["environment"]["POSTGRES_USER"] == services["db"]["environment"]["POSTGRES_DB"] == "router"


def test_the_proxy_sends_webhooks_to_both_routers_and_nothing_else() -> None:
    text = (DOCKER / "Caddyfile").read_text()
    names = {name for name in compose()["services"] if name.startswith("router-")}
    port = Server().port
    assert set(re.findall(r"(router-\w):(\d+)", text)) == {(name, str(port)) for name in names}
    assert set(re.findall(r"handle (\S+) \{", text)) == {"/webhooks/*"}
    assert re.findall(r"health_uri (\S+)", text)[0] in HEALTH


def test_kubernetes_asks_paths_that_there_are_on_ports_that_are_listened_on() -> None:
    server = rules_of(KUBERNETES).file.server
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert ports == {"webhooks": server.port, "admin": server.admin_port}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container()[probe]["httpGet"]["path"] in HEALTH
        assert container()[probe]["httpGet"]["port"] in ports
    for service in of_kind("Service"):
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports.keys()
    (ingress,) = of_kind("Ingress")
    (rule,) = ingress["spec"]["rules"]
    assert [path["path"] for path in rule["http"]["paths"]] == ["/webhooks/"]
    assert server.public_url == f"https://{rule['host']}"
    annotations = of_kind("StatefulSet")[0]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(server.admin_port)


def test_kubernetes_gives_the_pods_what_they_need_and_no_more() -> None:
    assert container()["image"] == f"langfuse-router:{PROJECT['project']['version']}"
    assert set(of_kind("Secret")[0]["stringData"]) == names_asked_for(KUBERNETES)
    mounts = {mount["mountPath"]: mount for mount in container()["volumeMounts"]}
    assert mounts.keys() == {CONFIG, STATE, "/tmp"}
    assert "subPath" not in mounts[CONFIG], "a ConfigMap's file that is mounted alone never changes"
    assert "--watch" in container()["args"]
    assert container()["securityContext"]["readOnlyRootFilesystem"] is True
    pod = of_kind("StatefulSet")[0]["spec"]["template"]["spec"]
    assert f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" == instruction("USER")[0]
    assert pod["terminationGracePeriodSeconds"] == 60


def test_all_that_selects_selects_the_pods() -> None:
    stateful, budget = of_kind("StatefulSet")[0]["spec"], of_kind("PodDisruptionBudget")[0]["spec"]
    labels = stateful["template"]["metadata"]["labels"]
    assert stateful["selector"]["matchLabels"] == budget["selector"]["matchLabels"] == labels
    assert [service["spec"]["selector"] for service in of_kind("Service")] == [labels, labels]
    (spread,) = stateful["template"]["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == labels
    assert stateful["replicas"] > budget["minAvailable"]


def test_the_kustomization_names_files_that_there_are() -> None:
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    files = {*kustomization["resources"], *kustomization["configMapGenerator"][0]["files"], "kustomization.yaml"}
    assert files | {"secret.example.yaml"} == {path.name for path in KUBERNETES.iterdir()}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl")
def test_kubectl_puts_the_manifests_together() -> None:
    ran = subprocess.run(
        ["kubectl", "kustomize", str(KUBERNETES)], capture_output=True, text=True, timeout=60, check=True
    )
    found = list(yaml.safe_load_all(ran.stdout))
    assert all(one["metadata"]["labels"]["app.kubernetes.io/name"] == "langfuse-router" for one in found)
    (rules,) = [one for one in found if one["kind"] == "ConfigMap"]
    (used,) = [volume["configMap"] for volume in _volumes(found) if "configMap" in volume]
    assert used["name"] == rules["metadata"]["name"] == "langfuse-router-rules"


def _volumes(found: list[Any]) -> list[Any]:
    (pods,) = [one["spec"]["template"]["spec"] for one in found if one["kind"] == "StatefulSet"]
    volumes: list[Any] = pods["volumes"]
    return volumes
