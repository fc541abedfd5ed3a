"""The newest few names: the same in whatever order, and however often, they are seen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from features.state import recents

SEEN = st.lists(st.tuples(st.text("abcdefghij", min_size=1, max_size=2), st.integers(0, 50)), max_size=60)


@given(SEEN, st.integers(1, 5), st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(seen: list[tuple[str, int]], keep: int, rnd: object) -> None:
    once: dict[str, int] = {}
    for name, at_ms in seen:
        recents.remember(once, name, at_ms, keep=keep)
    again: dict[str, int] = {}
    shuffled = [*seen, *seen]
    rnd.shuffle(shuffled)  # type: ignore[attr-defined]
    for name, at_ms in shuffled:
        recents.remember(again, name, at_ms, keep=keep)

    newest = {name: max(at_ms for other, at_ms in seen if other == name) for name, _ in seen}
    expected = sorted(newest.items(), key=lambda pair: (pair[1], pair[0]), reverse=True)[:keep]
    assert recents.newest(once, keep=keep) == recents.newest(again, keep=keep) == expected


def test_a_mapping_is_trimmed_once_it_holds_too_many() -> None:
    times: dict[str, int] = {}
    for number in range(100):
        recents.remember(times, f"i{number}", number, keep=3)
        assert len(times) <= 3 + recents.SLACK


STEPS = st.lists(
    st.tuples(st.sampled_from(["va", "vb", "ca", "wa", "pa", "sa", "sb", "sc", "sd"]), st.integers(0, 30)), max_size=60
)


@given(STEPS, st.integers(1, 6), st.randoms(use_true_random=False))
def test_steps_are_the_newest_of_all_in_whatever_order_they_come(
    seen: list[tuple[str, int]], keep: int, rnd: object
) -> None:
    times: dict[str, int] = {}
    repeats: recents.Repeats = {}
    rnd.shuffle(seen)  # type: ignore[attr-defined]

    for name, at_ms in seen:
        recents.note(times, repeats, name, at_ms, keep=keep)
        assert sum(map(len, repeats.values())) <= keep + recents.SLACK
        assert len(times) <= 2 * keep + recents.SLACK

    once = {pair for pair in seen if pair[0] == "pa" and pair[1] == max(at for name, at in seen if name == "pa")}
    steps = [*(pair for pair in seen if pair[0][0] in "vcw"), *once]
    expected = sorted(steps, key=lambda pair: (pair[1], pair[0]), reverse=True)[:keep]
    assert recents.newest_steps(times, repeats, keep=keep) == expected


def test_names_and_repeats_are_trimmed_once_there_are_too_many() -> None:
    times: dict[str, int] = {}
    repeats: recents.Repeats = {}
    for number in range(200):
        recents.note(times, repeats, f"v{number % 5}", number, keep=10)
        recents.note(times, repeats, f"v-{number}", number, keep=10)
        assert len(times) <= 10 + recents.SLACK
        assert sum(map(len, repeats.values())) <= 10 + recents.SLACK
