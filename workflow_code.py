"""The compiled code of our workflows, read once for all of them.

Temporal's sandbox imports a workflow's module anew for each run, so that no run sees another's variables. Code cannot be changed,
so the runs may share it: 35 kB for each watched inbox, and a start without reading the file.
"""

import sys
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from types import CodeType
from typing import ClassVar

import workflows


class _SharedCode(SourceFileLoader):
    _read: ClassVar[dict[str, CodeType | None]] = {}

    def get_code(self, fullname: str) -> CodeType | None:
        if fullname not in self._read:
            self._read[fullname] = super().get_code(fullname)
        return self._read[fullname]


def share_workflow_code() -> None:
    """From now on modules of `workflows/` are compiled or read once in this process."""
    for place in workflows.__path__:
        sys.path_importer_cache[place] = FileFinder(place, (_SharedCode, SOURCE_SUFFIXES))
