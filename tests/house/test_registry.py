"""Each activity signature of `contracts/` has exactly one implementation, registered under the same name by the worker."""

import importlib
import inspect
import pkgutil
from collections import Counter

import activities
import contracts
import workflows
from worker import WORKFLOWS
from worker_steps import ACTIVITY_CLASSES


def signatures() -> dict[str, type]:
    """Activity name to the contract class that declares it."""
    found = {}
    for module in pkgutil.iter_modules(contracts.__path__):
        loaded = importlib.import_module(f"contracts.{module.name}")
        for _, cls in inspect.getmembers(loaded, inspect.isclass):
            if cls.__module__ == loaded.__name__:
                for _, method in inspect.getmembers(cls, inspect.isfunction):
                    definition = getattr(method, "__temporal_activity_definition", None)
                    if definition:
                        found[definition.name] = cls
    return found


def implementations() -> Counter[str]:
    names: Counter[str] = Counter()
    declared = signatures()
    for cls in ACTIVITY_CLASSES:
        for _, method in inspect.getmembers(cls, inspect.isfunction):
            definition = getattr(method, "__temporal_activity_definition", None)
            if definition and definition.name in declared and method.__qualname__.split(".")[0] == cls.__name__:
                names[definition.name] += 1
                assert issubclass(cls, declared[definition.name]), f"{cls.__name__} must subclass the signature class"
    return names


def test_each_signature_has_exactly_one_registered_override() -> None:
    counted = implementations()
    assert set(counted) == set(signatures())
    assert set(counted.values()) == {1}


def test_every_activity_class_of_the_room_is_registered() -> None:
    declared = set(signatures().values())
    found = set()
    for module in pkgutil.iter_modules(activities.__path__):
        loaded = importlib.import_module(f"activities.{module.name}")
        for _, cls in inspect.getmembers(loaded, inspect.isclass):
            if cls.__module__ == loaded.__name__ and any(base in declared for base in cls.__mro__[1:]):
                found.add(cls)
    assert found == set(ACTIVITY_CLASSES)


def test_every_workflow_is_registered_and_stands_alone_in_its_file() -> None:
    per_file: dict[str, list[type]] = {}
    for module in pkgutil.iter_modules(workflows.__path__):
        loaded = importlib.import_module(f"workflows.{module.name}")
        for _, cls in inspect.getmembers(loaded, inspect.isclass):
            if cls.__module__ == loaded.__name__ and hasattr(cls, "__temporal_workflow_definition"):
                per_file.setdefault(module.name, []).append(cls)
    assert all(len(found) == 1 for found in per_file.values())
    assert {found[0] for found in per_file.values()} == set(WORKFLOWS)


def test_workflows_import_only_contracts_and_the_standard_library() -> None:
    """The arrows forbid other rooms; this forbids other libraries, which the sandbox would load once per workflow."""
    import ast
    import sys
    from pathlib import Path

    allowed = {"contracts", "workflows", "temporalio", *sys.stdlib_module_names}
    for path in Path(workflows.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [a.name for a in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert name.split(".")[0] in allowed, f"{path.name}:{node.lineno} imports {name}"
