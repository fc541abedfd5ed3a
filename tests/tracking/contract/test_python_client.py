"""The client's copy of the contract: what it needs and nothing else, and never edited by hand."""

from __future__ import annotations

import ast
from pathlib import Path

import msgspec
from recsite_client import contract as copy
from recsite_client import refusals as copied_refusals

from tracking.contract import events, refusals
from tracking.contract.python_client import ROOTS, client_contract, client_refusals

SOURCE = Path(events.__file__).read_text()


def test_a_declaration_that_a_kind_of_event_stands_on_comes_along() -> None:
    code = client_contract(
        SOURCE.replace("Event = (\n", "Event = (\n    Returned |", 1).replace(
            "class Search(",
            'class Returned(BaseEvent, tag="returned"):\n    params: RefundParams\n\n\nclass Search(',
            1,
        )
    )
    names = {node.name for node in ast.parse(code).body if isinstance(node, ast.ClassDef)}

    assert {"Returned", "RefundParams", "EventItem"} <= names
    assert not names & {"EventRecord", "RawEnvelope", "Context"}


def test_the_copy_runs_and_holds_the_same_schema() -> None:
    names = [name for name in ROOTS if name.isupper() and name != "KNOWN_EVENTS"]

    assert {name: getattr(copy, name) for name in names} == {name: getattr(events, name) for name in names}
    ours, theirs = (
        msgspec.json.schema_components([*module.KNOWN_EVENTS.values(), module.CustomEvent])[1]
        for module in (events, copy)
    )
    assert ours == theirs


def test_the_committed_copy_is_generated_from_the_contract() -> None:
    """Fails when events.py changed: run `python manage.py schema` and commit what it writes."""
    assert Path(copy.__file__).read_text() == client_contract(SOURCE)


def test_the_client_words_refusals_as_the_server_does() -> None:
    """Fails when refusals.py changed: run `python manage.py schema` and commit what it writes."""
    assert Path(copied_refusals.__file__).read_text() == client_refusals(Path(refusals.__file__).read_text())
