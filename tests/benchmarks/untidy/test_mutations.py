"""A small run of what ``python -m benchmarks untidy`` does for hours: mutated inputs are read, refused, or counted."""

from __future__ import annotations

import random

import pytest

from benchmarks.untidy.mutations import MAX_INPUT, mutate_all, mutated


@pytest.mark.slow
def test_mutated_inputs_make_no_reader_fail_and_leave_nothing_uncounted() -> None:
    found = mutate_all(450)

    assert found.faults == []
    assert found.inputs > 450
    assert 0 < found.refused < found.inputs
    assert found.lines > 1_000
    assert found.growth_mb < 5


def test_a_mutation_is_an_input_of_bounded_size() -> None:
    dice = random.Random(1)
    corpus = [b"", b"x" * MAX_INPUT]
    assert {len(mutated(corpus, dice)) <= MAX_INPUT for _ in range(200)} == {True}
