"""The checker finds what it is for, leaves alone what is allowed, and every line of its lists is still needed."""

from __future__ import annotations

import ast

import pytest

from tests.house import dead, shape, words
from tests.house.common import ROOT


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("features/x.py", "SHELF_SECONDS = 1", ["shelf seconds"]),
        ("features/x.py", "class ShelfIndex: ...", ["shelf index"]),
        ("features/x.py", '"""While the log\nis away."""', ["is away"]),
        ("features/x.py", "# the log\n# is away\nx = 1", ["is away"]),
        ("features/x.py", "log.info('%s made anew', x)", ["anew"]),
        ("features/x.py", "def test_a_log_that_is_away(): ...", ["is away"]),
        ("features/x.py", "def flight(in_flight): ...", ["flight"]),
        ("docs/x.md", "The list is made\nanew.", ["anew"]),
        ("templates/x.html", "<h1>What lists earn</h1>", ["earn"]),
        ("sdk/src/x.js", "const shopper = 'a shopper'; // a shopper", ["shopper"]),
        ("features/x.py", "marketplace = replace(prefix, in_place=True)", []),
        ("features/x.py", "log.info('shoppers see it in its place')", []),
        ("docs/x.md", "Shoppers ask for lists; the page is three steps away from it.", []),
        ("recsite/demo/x.py", "shopper = shelf = 1", []),
        ("recommendations/x.py", "SECONDS = Histogram('recsite_shelf_build_seconds')  # the key prefix", []),
    ],
)
def test_words_are_found_where_they_are_banned(path: str, text: str, found: list[str]) -> None:
    said = [finding.what.split("“")[1].split("”")[0] for finding in words.in_text(path, text)]

    assert [one.lower() for one in said] == found


def test_a_finding_names_the_line_of_the_word() -> None:
    text = 'x = 1\n\n\ndef f():\n    """Return it.\n\n    The log\n    is away.\n    """\n'

    assert [finding.line for finding in words.in_text("features/x.py", text)] == [8]


@pytest.mark.parametrize(
    ("signature", "is_found"),
    [
        ("def f(a, b, c, d, e, f, g): ...", False),
        ("def f(self, a, b, c, d, e, f, g): ...", False),
        ("def f(a, b, c, d, e, f, g, h): ...", True),
        ("def f(a, b, c, d, *, e, f, g, h): ...", True),
        ("def f(a, b, c, d, e, f, g, h):  # one a column of the table\n    ...", False),
        ("def f(a, b, c, d, e, f, g, h):  # noqa: PLR0913\n    ...", True),
    ],
)
def test_long_signatures_need_a_reason(signature: str, is_found: bool) -> None:
    assert bool(shape.long_signatures("x.py", signature)) is is_found


def test_modules_have_one_mirror() -> None:
    assert shape.mirror_of("features/keys.py") == "tests/features/test_keys.py"
    assert shape.mirror_of("features/state/cart.py") == "tests/features/state/test_cart.py"
    assert shape.mirror_of("clients/python/src/recsite_client/api.py") == "tests/clients/test_api.py"


def test_everything_that_is_let_through_has_a_reason_and_a_file() -> None:
    kept, _ = dead.kept()
    _, allowed, _ = words.words()

    assert all(len(one.reason) > 15 for one in (*kept, *allowed))
    for one in kept:
        assert any(path.suffix == ".py" for path in ROOT.glob(one.path.replace("*", "**/*", 1))), one.path


def test_strings_and_templates_count_as_uses() -> None:
    named = dead._named_in_text(["recsite/settings.py"])

    assert "PolicyMiddleware" in named  # by its dotted path
    assert "csrf_token" in named or "csp_nonce" in named  # by a template


@pytest.mark.slow
def test_the_checker_reads_every_module() -> None:
    for name in shape.python_files("features"):
        ast.parse((ROOT / name).read_text())
