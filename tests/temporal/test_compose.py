"""The Compose file obeys the Compose specification, and names only settings, files and commands that exist."""

import json
import re
from importlib.resources import files
from pathlib import Path

import jsonschema
import yaml

from settings import Settings

TEMPORAL = Path(__file__).parents[2] / "temporal"
COMPOSE = yaml.safe_load((TEMPORAL / "docker-compose.yml").read_text())


def test_it_obeys_the_compose_specification() -> None:
    schema = json.loads(files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text())
    jsonschema.validate(COMPOSE, schema)


def test_every_setting_is_a_setting() -> None:
    known = {f"MAILROOM_{name.upper()}" for name in Settings.model_fields}
    for name in ("migrate", "api", "worker"):
        given = {key for key in COMPOSE["services"][name]["environment"] if key.startswith("MAILROOM_")}
        assert given <= known, f"{name}: {given - known}"


def test_every_required_setting_is_given() -> None:
    required = {f"MAILROOM_{name.upper()}" for name, field in Settings.model_fields.items() if field.is_required()}
    for name in ("migrate", "api", "worker"):
        assert required <= set(COMPOSE["services"][name]["environment"]), name


def test_every_mounted_file_stands_beside_it() -> None:
    for name, service in COMPOSE["services"].items():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (TEMPORAL / source).is_file(), f"{name}: {source}"
            else:
                assert source in COMPOSE["volumes"], f"{name}: {source}"


def test_the_example_environment_names_every_variable_without_a_default() -> None:
    text = (TEMPORAL / "docker-compose.yml").read_text()
    needed = set(re.findall(r"\$\{(\w+):\?", text))
    example = set(re.findall(r"^(\w+)=", (TEMPORAL / "env.example").read_text(), flags=re.MULTILINE))
    assert needed <= example, needed - example


def test_no_secret_has_a_value() -> None:
    for line in (TEMPORAL / "env.example").read_text().splitlines():
        if re.match(r"^(OWNER_PASSWORD|APP_PASSWORD|S3_SECRET_KEY|CREDENTIAL_KEYS|SESSION_SECRET|TOKEN_SECRET)=", line):
            assert line.endswith("="), "a secret in an example becomes everybody's secret"


def test_only_loopback_is_published() -> None:
    for name, service in COMPOSE["services"].items():
        for port in service.get("ports", ()):
            assert str(port).startswith("127.0.0.1:"), f"{name} publishes {port} to the world"
