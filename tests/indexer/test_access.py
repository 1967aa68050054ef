from __future__ import annotations

import pytest

from indexer.access import ACTIONS, Reviewer, may, require
from pipeline.errors import NotAllowed


def test_an_administrator_may_do_all_but_what_keeps_evidence_from_administrators() -> None:
    """Holds and clock jumps decide what may be disposed of, and reviewers sign: who runs the machines does neither."""
    refused = {action for action in ACTIONS if not may(Reviewer("a", "administrator"), action)}
    assert refused == {"hold", "release_hold", "confirm_clock", "sign_checklist", "keep_isolated"}


def test_an_operator_sees_no_evidence() -> None:
    assert not any(may(Reviewer("o", "operator"), action) for action in ("search", "view", "match", "export"))


def test_an_auditor_changes_nothing() -> None:
    assert not any(may(Reviewer("u", "auditor"), action) for action in ("ingest", "link", "confirm", "export"))


def test_an_unknown_action_is_nobodys() -> None:
    with pytest.raises(KeyError):
        may(Reviewer("a", "administrator"), "destroy")


def test_who_may_not_is_told_so() -> None:
    with pytest.raises(NotAllowed, match="may not confirm"):
        require(Reviewer("c", "clerk"), "confirm")
