"""Finds the one-file kinds in a folder, so that a new kind is one new file and no list."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType
from typing import Any


@cache
def kinds_in(package: str, exporting: str) -> tuple[Any, ...]:
    """What each module of the package exports under that name, ordered by module name.

    Raises AttributeError naming the file where a module of the folder does not export it.
    """
    folder = importlib.import_module(package)
    modules = sorted(name for _, name, _ in pkgutil.iter_modules(folder.__path__))
    return tuple(_exported(importlib.import_module(f"{package}.{name}"), exporting) for name in modules)


def _exported(module: ModuleType, exporting: str) -> Any:
    if not hasattr(module, exporting):
        raise AttributeError(f"{module.__file__} lies in a folder of kinds and must export {exporting}")
    return getattr(module, exporting)
