from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from recsite.env import Env, read_env_file


def test_integer_names_variable_and_value_when_it_is_no_number() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"RECSITE_SESSION_TTL_S='15m' is not a whole number"):
        Env({"RECSITE_SESSION_TTL_S": "15m"}).integer("RECSITE_SESSION_TTL_S", 900)


def test_integer_outside_its_limits_says_the_limit() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"PARTS='0' is too small; the least is 1"):
        Env({"PARTS": "0"}).integer("PARTS", 4, minimum=1)
    with pytest.raises(ImproperlyConfigured, match=r"PARTS='9' is too large; the most is 8"):
        Env({"PARTS": "9"}).integer("PARTS", 4, maximum=8)


@pytest.mark.parametrize(("raw", "expected"), [("1", True), ("YES", True), ("on", True), ("0", False), ("", False)])
def test_boolean_reads_words(raw: str, expected: bool) -> None:
    assert Env({"FLAG": raw}).boolean("FLAG", not expected) is expected


def test_boolean_refuses_other_words() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"FLAG='maybe' is not a yes or a no; use 1 or 0"):
        Env({"FLAG": "maybe"}).boolean("FLAG", False)


@pytest.mark.parametrize("raw", ["nan", "inf", "-inf", "ten"])
def test_number_must_be_finite(raw: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="RATE="):
        Env({"RATE": raw}).number("RATE", 1.0)


def test_url_names_the_schemes_it_takes() -> None:
    with pytest.raises(ImproperlyConfigured, match="must start with one of redis://, rediss://"):
        Env({"REDIS_URL": "http://localhost"}).url("REDIS_URL", None, schemes=("redis", "rediss"))


def test_secret_comes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("s3cret\n")
    assert Env({"KEY_FILE": str(path)}).secret("KEY") == "s3cret"


def test_secret_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"KEY_FILE=.*cannot be read"):
        Env({"KEY_FILE": str(tmp_path / "none")}).secret("KEY")


def test_words_drop_blanks() -> None:
    assert Env({"HOSTS": " a, ,b "}).words("HOSTS", ()) == ("a", "b")


def test_env_file_skips_comments_and_names_a_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "local.env"
    path.write_text("# comment\nA=1\nB=x=y\n")
    assert read_env_file(path) == {"A": "1", "B": "x=y"}
    path.write_text("A=1\nnonsense\n")
    with pytest.raises(ImproperlyConfigured, match="line 2: 'nonsense' is not NAME=value"):
        read_env_file(path)


def test_env_file_that_is_absent_is_empty(tmp_path: Path) -> None:
    assert read_env_file(tmp_path / "none") == {}
