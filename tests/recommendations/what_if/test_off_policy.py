"""In a simulation whose truth is known, estimates are right on average and intervals hold it as often as they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recommendations.exceptions import InvalidQuery
from recommendations.what_if.off_policy import Estimate, Shown, doubly_robust, ips, snips

CONTEXTS, ACTIONS, N = 6, 5, 2_000
WORLD = np.random.default_rng(11)
RATES = WORLD.beta(1, 6, (CONTEXTS, ACTIONS))  # what is clicked, by who looks and what is shown
LOGGED = WORLD.dirichlet(np.full(ACTIONS, 2.0), CONTEXTS)
LOGGED = 0.7 * LOGGED + 0.3 / ACTIONS
OTHER = np.eye(ACTIONS)[RATES.argmax(axis=1)] * 0.8 + 0.2 / ACTIONS
TRUTH = float((OTHER * RATES).sum(axis=1).mean())


def simulated(rng: np.random.Generator, n: int = N) -> tuple[Shown, np.ndarray, np.ndarray]:
    """Return what was logged, with contexts and actions."""
    contexts = rng.integers(CONTEXTS, size=n)
    actions = (rng.random(n)[:, None] > LOGGED[contexts].cumsum(axis=1)).sum(axis=1).clip(0, ACTIONS - 1)
    shown = Shown(
        reward=(rng.random(n) < RATES[contexts, actions]).astype(np.float64),
        propensity=LOGGED[contexts, actions],
        other=OTHER[contexts, actions],
    )
    return shown, contexts, actions


def robust(shown: Shown, contexts: np.ndarray, actions: np.ndarray, rates: np.ndarray) -> Estimate:
    expected = (OTHER * rates).sum(axis=1)[contexts]
    return doubly_robust(shown, predicted=rates[contexts, actions], expected=expected)


@pytest.fixture(scope="module")
def runs() -> dict[str, list[Estimate]]:
    """Return the estimates of 300 logs, the doubly robust ones with a rough model and with one that knows nothing."""
    found: dict[str, list[Estimate]] = {"ips": [], "snips": [], "rough": [], "blind": []}
    rough = np.clip(RATES + WORLD.normal(0, 0.03, RATES.shape), 0, 1)
    for seed in range(300):
        shown, contexts, actions = simulated(np.random.default_rng(seed))
        found["ips"].append(ips(shown))
        found["snips"].append(snips(shown))
        found["rough"].append(robust(shown, contexts, actions, rough))
        found["blind"].append(robust(shown, contexts, actions, np.full_like(RATES, 0.9)))
    return found


@pytest.mark.parametrize("name", ["ips", "snips", "rough", "blind"])
def test_estimates_are_right_on_average_and_intervals_hold_the_truth(
    runs: dict[str, list[Estimate]], name: str
) -> None:
    values = np.array([each.value for each in runs[name]])
    held = np.mean([each.low <= TRUTH <= each.high for each in runs[name]])

    assert values.mean() == pytest.approx(TRUTH, abs=4 * values.std() / np.sqrt(len(values)))
    assert 0.91 <= held <= 0.985
    naive = float((LOGGED * RATES).sum(axis=1).mean())
    assert abs(naive - TRUTH) > 10 * values.std() / np.sqrt(len(values)), "the world is one where it matters"


def test_a_model_that_knows_something_makes_intervals_narrower(runs: dict[str, list[Estimate]]) -> None:
    width = {name: np.mean([each.high - each.low for each in found]) for name, found in runs.items()}
    assert width["rough"] < width["ips"] < width["blind"]


def test_with_wrong_chances_a_right_model_is_enough_and_others_are_off() -> None:
    shown, contexts, actions = simulated(np.random.default_rng(1), n=200_000)
    wrong = replace(shown, propensity=np.clip(shown.propensity * (1 + 0.5 * (actions == 0)), 0, 1) ** 1.3)

    assert robust(wrong, contexts, actions, RATES).value == pytest.approx(TRUTH, rel=0.03)
    assert abs(ips(wrong).value - TRUTH) > 0.1 * TRUTH


def test_the_policy_that_was_logged_is_worth_what_it_brought() -> None:
    shown, _, _ = simulated(np.random.default_rng(2))
    same = replace(shown, other=shown.propensity)
    for estimate in (ips(same), snips(same)):
        assert estimate.value == pytest.approx(shown.reward.mean())
        assert estimate.effective == pytest.approx(N)


def test_slots_of_one_list_are_no_witnesses_of_their_own() -> None:
    shown, _, _ = simulated(np.random.default_rng(3))
    four = Shown(*[], **{name: np.repeat(getattr(shown, name), 4) for name in ("reward", "propensity", "other")})
    by_list = replace(four, list_of=np.repeat(np.arange(N), 4))

    for estimator in (ips, snips):
        alone, apart, together = (estimator(each) for each in (shown, four, by_list))
        assert together.high - together.low == pytest.approx(alone.high - alone.low)
        assert apart.high - apart.low == pytest.approx((alone.high - alone.low) / 2)


def test_of_nothing_nothing_is_said() -> None:
    empty = np.zeros(0)
    none = Shown(reward=empty, propensity=empty, other=empty)
    never = Shown(reward=np.ones(3), propensity=np.full(3, 0.5), other=np.zeros(3))
    for estimate in (ips(none), snips(none), snips(never), doubly_robust(none, predicted=empty, expected=empty)):
        assert (estimate.low, estimate.high, estimate.effective) == (-np.inf, np.inf, 0.0)


@pytest.mark.parametrize(
    ("field", "values", "said"),
    [
        ("propensity", [0.5, 0.0], "no chance"),
        ("propensity", [0.5, np.nan], "no chance"),
        ("other", [1.5, 0.0], "no chance"),
        ("other", [0.5], "has shape"),
    ],
)
def test_what_is_no_chance_is_refused_with_its_name(field: str, values: list[float], said: str) -> None:
    good = {"reward": np.ones(2), "propensity": np.ones(2), "other": np.ones(2)}
    with pytest.raises(InvalidQuery, match=f"{field}.*{said}"):
        Shown(**{**good, field: np.array(values)})
    with pytest.raises(InvalidQuery, match="expected"):
        doubly_robust(Shown(**good), predicted=np.ones(2), expected=np.ones(3))
