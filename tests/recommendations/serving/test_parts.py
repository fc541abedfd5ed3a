"""The lists of one request, read one by one."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.exceptions import InvalidQuery
from recommendations.serving.parts import parse_parts, with_checked_filters
from recommendations.serving.schemas import ListProblem, PlacementRequest

GOOD = st.fixed_dictionaries(
    {"placement": st.sampled_from(["home", "cart"])},
    optional={"limit": st.integers(1, 100), "context_items": st.lists(st.text("ab", min_size=1, max_size=3))},
)
WRONG = st.one_of(
    st.fixed_dictionaries({"placement": st.just("home"), "limit": st.integers(101) | st.integers(max_value=0)}),
    st.fixed_dictionaries({"placement": st.integers()}),
    st.fixed_dictionaries({"placement": st.just("home"), "context_items": st.just([""])}),
    st.fixed_dictionaries({"placement": st.just("home"), "more": st.booleans()}),
    st.just({}),
    st.integers(),
)


@pytest.mark.slow
@given(st.lists(st.tuples(st.booleans(), GOOD, WRONG), min_size=1, max_size=20))
def test_each_list_is_read_by_itself(drawn: list[tuple[bool, dict[str, object], object]]) -> None:
    body = json.dumps({"placements": [good if is_good else wrong for is_good, good, wrong in drawn]}).encode()
    if not any(is_good for is_good, _, _ in drawn):
        with pytest.raises(InvalidQuery, match=r"placements\[0\]"):
            parse_parts(body)
        return

    request, parts = parse_parts(body)

    assert [isinstance(part, PlacementRequest) for part in parts] == [is_good for is_good, _, _ in drawn]
    assert request.lists() == tuple(part for part in parts if isinstance(part, PlacementRequest))
    for part, (is_good, good, _) in zip(parts, drawn, strict=True):
        if is_good:
            assert part == msgspec.convert(good, PlacementRequest)
        else:
            assert isinstance(part, ListProblem)
            assert part.field
            assert part.message.startswith(f"{part.field}=")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"placements": [{"placement": "a", "limit": 0}, {"placement": "b"}], "cart": 7}', "cart"),
        (b'{"placements": [{"placement": "a", "limit": 0}, {"placement": "b"}], "placement": "c"}', "placement"),
        (b'{"placements": []}', "placements"),
        (b"{", "body"),
    ],
)
def test_what_concerns_the_whole_request_fails_it(body: bytes, field: str) -> None:
    with pytest.raises(InvalidQuery) as caught:
        parse_parts(body)

    assert caught.value.field == field


def test_a_condition_that_cannot_be_used_is_a_problem_of_its_list() -> None:
    fine, wrong = PlacementRequest(placement="a"), PlacementRequest(placement="b", filter="price <")

    first, second = with_checked_filters([fine, wrong])

    assert first == fine
    assert isinstance(second, ListProblem)
    assert [second.placement, second.field] == ["b", "filter"]
    assert second.message.startswith('filter="price <":')
    with pytest.raises(InvalidQuery, match=r"placements\[0\]\.filter"):
        with_checked_filters([wrong])
