"""A workflow's commands, in the order in which its code gives them, must not change unnoticed: running histories replay them."""

import ast
import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEPT = Path(__file__).parent / "fingerprints.json"
COMMANDS = {
    "execute_activity", "execute_activity_method", "start_activity", "start_activity_method", "execute_local_activity",
    "execute_child_workflow", "start_child_workflow", "sleep", "wait_condition", "continue_as_new",
    "upsert_search_attributes", "get_external_workflow_handle", "signal", "patched", "deprecate_patch",
}

LESSON = """
The commands of {names} changed. A workflow that is running now replays its history through the new code, and a different
order of commands stops it with a non-determinism error. If the change is wanted:

  1. wrap what is new in `if workflow.patched("<what-changed>"):` and keep the old branch in the `else`,
  2. run the replay tests (tests/workflows/test_replay.py), which replay the saved histories of the last release,
  3. save a fresh history of the new path beside the old ones (docs/temporal.md says how),
  4. write the new fingerprints: python -m tests.house.test_fingerprints
"""


def fingerprint(source: str) -> list[str]:
    """Calls on `workflow.` (and the patches) in source order, with the activity or child that each names."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in COMMANDS:
            first = ast.unparse(node.args[0]) if node.args else ""
            found.append((node.lineno, node.col_offset, f"{node.func.attr}({first})"))
    return [text for _, _, text in sorted(found)]


def current() -> dict[str, list[str]]:
    return {p.stem: fingerprint(p.read_text()) for p in sorted((ROOT / "workflows").glob("*.py")) if p.stem != "__init__"}


def test_the_commands_of_every_workflow_are_as_recorded() -> None:
    kept, now = json.loads(KEPT.read_text()), current()
    changed = sorted(name for name in {*kept, *now} if kept.get(name) != now.get(name))
    assert not changed, LESSON.format(names=", ".join(changed))


if __name__ == "__main__":
    KEPT.write_text(json.dumps(current(), indent=2) + "\n")
