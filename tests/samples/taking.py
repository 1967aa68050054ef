"""Stages files as intake does, for tests of what comes after."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pipeline.edges.host.handles import OpenFolder
from pipeline.edges.storage.staging import Staged
from pipeline.edges.vault import Vault


def stage(vault: Vault, path: Path, **more: Any) -> Staged:
    """A staged copy of the file."""
    with OpenFolder(path.parent) as folder, folder.opened(os.fsencode(path.name)) as file:
        return vault.staging.stage(file, **more)
