"""Passwords of tests are kept the same way, with the least work: nobody attacks them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

import indexer.persons.accounts


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(indexer.persons.accounts, "_hasher", lambda: quick)
        indexer.persons.accounts._nobody_s.cache_clear()
        yield
