"""How a watched folder stands: what is offline is never taken for deleted."""

from __future__ import annotations

from pipeline.custody.sources import Seen, decide

FULL, EMPTY = Seen(1, 10, 40), Seen(1, 10, 0)
UNMOUNTED = Seen(2, 2, 0)


def test_a_folder_that_is_as_it_was_is_well() -> None:
    stand = decide(FULL, Seen(1, 10, 41), held=40, may_be_empty=False)
    assert (stand.offline, stand.replaced, stand.why) == (False, False, "")


def test_a_folder_that_cannot_be_listed_is_offline_and_says_why() -> None:
    stand = decide(FULL, Seen(error="Stale file handle"), held=40, may_be_empty=True)
    assert stand.offline
    assert "Stale file handle" in stand.why
    assert "离线" in stand.why_zh


def test_an_unmounted_share_is_offline_even_where_emptying_is_usual() -> None:
    assert decide(FULL, UNMOUNTED, held=0, may_be_empty=True).offline


def test_a_share_that_is_empty_at_start_up_is_offline_where_files_came_from_it() -> None:
    assert decide(None, UNMOUNTED, held=7, may_be_empty=False).offline
    assert not decide(None, UNMOUNTED, held=0, may_be_empty=False).offline


def test_an_inbox_that_the_bureau_emptied_is_no_alarm() -> None:
    assert not decide(FULL, EMPTY, held=40, may_be_empty=True).offline
    assert decide(FULL, EMPTY, held=40, may_be_empty=False).offline


def test_another_folder_with_files_in_the_same_place_is_well_and_replaced() -> None:
    stand = decide(FULL, Seen(3, 7, 5), held=40, may_be_empty=False)
    assert (stand.offline, stand.replaced) == (False, True)
