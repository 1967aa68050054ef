"""Whatever is sent to the API in the form it describes, or out of it, the answer is no fault of the server."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from starlette.testclient import TestClient

from tests.flows.keeping import filmed, link
from tests.indexer.web.asking import Asking, person
from tests.indexer.web.test_cases import TEN
from workers.bootstrap import Home, build_follower

if os.environ.get("CI"):
    schemathesis: Any = importlib.import_module("schemathesis")
else:
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: pip install schemathesis")
CASE = "平商务罚字〔2026〕第3号"
EXAMPLES = 4
# What a visit in between would end, for all that come after it.
LEFT_OUT = {"/sign-out"}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, str]]:
    """A home with a recording that is linked to a case, without limits on how often one asks."""
    from config.settings import load
    from tests.homes import make_home
    from workers.bootstrap import build_home

    folder = tmp_path_factory.mktemp("schema")
    chosen = load(folder / "home", {"CASEREEL_WEB_ASKS_MIN": "0", "CASEREEL_WEB_UPLOADS_MIN": "0"})
    make_home(chosen)
    home = build_home(chosen)
    [original] = filmed(home, folder / "card", ("现场.jpg", TEN, 300.0))
    link(home, original, CASE)
    build_follower(home).follow()
    yield home, original
    home.close()


def operations(asking: Asking) -> list[Any]:
    described = asking.client.get("/api/openapi.json").json()
    schema = schemathesis.openapi.from_dict(described)
    return [found.ok() for found in schema.get_all_operations() if found.ok().path not in LEFT_OUT]


def cases(operation: Any) -> Any:
    """What the description allows, and what it does not."""
    made = [
        operation.as_strategy(generation_mode=one)
        for one in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    ]
    return made[0] | made[1]


def sent(client: TestClient, case: Any, sign: str, known: dict[str, str]) -> Any:
    """The answer to this case; every second one is about what is there."""
    case.headers = {**(case.headers or {}), "X-CSRF-Token": sign}
    if known:
        case.path_parameters = {name: known.get(name, value) for name, value in (case.path_parameters or {}).items()}
    said = case.as_transport_kwargs(base_url="http://testserver")
    said.pop("cookies", None)
    return client.request(**said, follow_redirects=False)


class Trial:
    """What one person is answered. faults: the command that repeats one, and what was said."""

    def __init__(self, asking: Asking, known: dict[str, str]) -> None:
        self.asking, self.known, self.sign = asking, known, asking.sign()
        self.answered: list[int] = []
        self.faults: list[tuple[str, str]] = []

    def of(self, operation: Any) -> None:
        @settings(max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(case=cases(operation))
        def ask(case: Any) -> None:
            answer = sent(self.asking.client, case, self.sign, self.known if len(self.answered) % 2 else {})
            self.answered.append(answer.status_code)
            if answer.status_code >= 500:
                self.faults.append((case.as_curl_command(), answer.text[:300]))

        ask()


@pytest.mark.parametrize("role", ["reviewer", "administrator"])
def test_no_operation_of_the_api_ends_in_a_fault_of_the_server(asked: tuple[Home, str], role: str) -> None:
    home, original = asked
    asking = person(home, role)
    asking.send(f"/originals/{original}/looks", purpose="核对", keep="1")
    trial = Trial(asking, {"original": original, "number": CASE, "case": CASE, "job": f"{original}-light-probe"})
    for operation in operations(asking):
        trial.of(operation)
    assert trial.faults == []
    assert len(trial.answered) > 100
    assert {200, 404, 422} <= set(trial.answered)
