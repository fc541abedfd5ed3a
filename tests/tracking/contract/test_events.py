"""A kind of event is declared once: whatever lists kinds elsewhere agrees with the contract, in both directions."""

from __future__ import annotations

import re
from pathlib import Path
from re import _parser as sre_parse  # type: ignore[attr-defined]  # no public name
from typing import Any, get_args

import pytest

from features.state.handlers import HANDLERS, KINDS, MOVED_COUNTS
from recommendations.training.data.archive import ARCHIVE_KINDS
from recsite.importing.sources.ga4 import EVENTS as EVENTS_OF_EXPORTS
from tracking.contract.events import GA4_EVENTS, INTERACTIONS, KNOWN_EVENTS, BaseEvent, Event, log_key
from tracking.contract.schema import with_kinds
from tracking.contract.user_key import UserKey

ROOT = Path(__file__).resolve().parents[3]
SDK = ROOT / "sdk/src/tracker"


def regex_of(file: str, constant: str) -> re.Pattern[str]:
    """Return a regular expression of the SDK; those used here mean the same in Python."""
    found = re.search(rf"const {constant} =\s*/(.+)/;", (SDK / file).read_text())
    assert found is not None
    return re.compile(found[1])


def names_in(pattern: re.Pattern[str]) -> set[str]:
    """Return every name that an expression of names, groups, alternatives and question marks matches."""
    return set(_texts(sre_parse.parse(pattern.pattern)))


def _texts(parts: Any) -> list[str]:
    texts = [""]
    for operation, argument in parts:
        match str(operation):
            case "LITERAL":
                choices = [chr(argument)]
            case "IN":
                choices = [chr(code) for _, code in argument]
            case "BRANCH":
                choices = [text for branch in argument[1] for text in _texts(branch)]
            case "SUBPATTERN":
                choices = _texts(argument[-1])
            case "MAX_REPEAT" if argument[:2] == (0, 1):
                choices = ["", *_texts(argument[2])]
            case "AT":
                choices = [""]
            case other:
                raise AssertionError(f"{other} is not expected in a list of names")
        texts = [text + choice for text in texts for choice in choices]
    return texts


def test_every_kind_that_is_declared_is_in_the_union() -> None:
    assert set(BaseEvent.__subclasses__()) == set(get_args(Event))


def test_every_kind_that_moves_features_has_a_handler_and_no_other() -> None:
    counted = {kind for name, kind in KNOWN_EVENTS.items() if name in MOVED_COUNTS}

    assert set(HANDLERS) | counted == {kind for kind in KNOWN_EVENTS.values() if kind.moves_features}


def test_recents_know_every_interaction() -> None:
    short = {name.replace("_item", "").replace("add_to_", "") for name in INTERACTIONS}

    assert set(KINDS.values()) == short


def test_training_reads_every_interaction_but_clicks_which_label_what_was_shown() -> None:
    assert set(INTERACTIONS) - ARCHIVE_KINDS.keys() == {"select_item"}
    assert ARCHIVE_KINDS.keys() - set(INTERACTIONS) == set()


def test_exports_of_ga4_bring_every_kind_that_ga4_has() -> None:
    assert set(EVENTS_OF_EXPORTS.values()) == set(GA4_EVENTS)


def test_the_sdk_takes_from_a_data_layer_what_ga4_has_but_page_views_which_it_counts_itself() -> None:
    pattern = regex_of("../datalayer/pushes.js", "GA4")

    assert names_in(pattern) - {"select_item_list"} == set(GA4_EVENTS) - {"page_view"}  # GA4 has no select_item_list


def test_the_sdk_sends_at_once_what_the_contract_says() -> None:
    declared = {name for name, kind in KNOWN_EVENTS.items() if kind.is_sent_at_once}

    pattern = regex_of("track.js", "AT_ONCE")  # names of a shop's own are nobody's business: it may match more
    assert {name for name in KNOWN_EVENTS if pattern.match(name)} == declared


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("^(a|b)$", {"a", "b"}),
        ("^((aa|bb)_c|d(_e)?|f)$", {"aa_c", "bb_c", "d", "d_e", "f"}),
        ("^(a|b)_(c|d)$", {"a_c", "a_d", "b_c", "b_d"}),
    ],
)
def test_expressions_are_multiplied_out(pattern: str, names: set[str]) -> None:
    assert names_in(re.compile(pattern)) == names


def test_the_documents_say_what_each_kind_means_and_needs() -> None:
    """Fails when events.py changed: run `python manage.py schema` and commit what it writes."""
    page = (ROOT / "docs/events.md").read_text()

    assert with_kinds(page) == page
    assert with_kinds(page.replace("| `search` |", "| `sought` |")) == page


def test_the_key_of_a_record_names_site_and_user() -> None:
    assert log_key("shop", UserKey("u:42")) == b"shop/u:42"
