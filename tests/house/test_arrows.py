"""Imports follow the arrows that ARCHITECTURE.md draws; the arrows form no ring; each one is walked."""

import ast
import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {
    "contracts", "mail", "rules", "models", "providers", "store", "workflows", "activities", "api", "migrations", "stack",
}
ROOF = {"settings.py", "telemetry.py", "garbage.py", "worker.py", "workflow_code.py", "worker_steps.py", "worker_telemetry.py", "cli.py", "api/app.py", "migrations/env.py"}
FREE = {"tests", "benchmarks", "docs"}
ROOF_ROOM = "commands"  # the command line composes rooms, too


def python_files() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split()
    return sorted(f for f in listed if (ROOT / f).exists())


def drawn() -> set[tuple[str, str]]:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    block = text.split("<!-- arrows:begin -->")[1].split("<!-- arrows:end -->")[0]
    return set(re.findall(r"^- (\w+) -> (\w+)$", block, flags=re.MULTILINE))


def imports_of(path: str) -> list[tuple[str, int]]:
    """Every imported module with its line, wherever in the file the import stands."""
    found: list[tuple[str, int]] = []
    for node in ast.walk(ast.parse((ROOT / path).read_text(), path)):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(("." * node.level + (node.module or ""), node.lineno))
    return found


def test_every_import_follows_an_arrow() -> None:
    arrows = drawn()
    wrong = []
    for path in python_files():
        room = path.split("/")[0]
        if path in ROOF or room in FREE or room == ROOF_ROOM:
            continue
        for module, line in imports_of(path):
            target = module.split(".")[0]
            if module.startswith("."):
                wrong.append(f"{path}:{line} relative import")
            elif target in {"settings", ROOF_ROOM} or f"{target}.py" in ROOF:
                wrong.append(f"{path}:{line} only the roof reads {target}")
            elif target in FREE:
                wrong.append(f"{path}:{line} product code imports {target}")
            elif target in ROOMS and target != room and (room, target) not in arrows:
                wrong.append(f"{path}:{line} {room} -> {target} is not drawn")
    assert not wrong, "\n".join(wrong)


def test_imports_stand_at_the_top() -> None:
    wrong = []
    for path in python_files():
        if path.split("/")[0] in FREE:
            continue
        for node in ast.walk(ast.parse((ROOT / path).read_text(), path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                wrong += [
                    f"{path}:{inner.lineno} import inside {node.name}"
                    for inner in ast.walk(node)
                    if isinstance(inner, ast.Import | ast.ImportFrom)
                ]
    assert not wrong, "\n".join(wrong)


def test_the_arrows_form_no_ring() -> None:
    ahead: dict[str, set[str]] = defaultdict(set)
    for a, b in drawn():
        ahead[a].add(b)

    def visit(room: str, path: tuple[str, ...]) -> None:
        assert room not in path, f"ring: {' -> '.join((*path, room))}"
        for following in ahead[room]:
            visit(following, (*path, room))

    for room in list(ahead):
        visit(room, ())


def test_every_arrow_is_walked() -> None:
    walked = {
        (path.split("/")[0], module.split(".")[0])
        for path in python_files()
        if path not in ROOF
        for module, _ in imports_of(path)
    }
    idle = sorted(drawn() - walked)
    assert not idle, f"arrows that no import walks: {idle}"


@pytest.mark.parametrize("room", sorted(ROOMS - {"stack", "migrations", "api"}))
def test_a_room_is_a_package_with_a_docstring(room: str) -> None:
    tree = ast.parse((ROOT / room / "__init__.py").read_text())
    assert ast.get_docstring(tree)
