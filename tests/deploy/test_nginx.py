"""The edge cache, measured on a real nginx."""

import concurrent.futures
import gzip
from pathlib import Path

import pytest

from recsite.supervisor.ports import free_port
from tests.deploy.conftest import Nginx, Upstream, nginx_before, serving
from tests.services.waiting import outlast, wait_until

pytestmark = pytest.mark.nginx
PERSONAL = "/v1/recommendations"
LIST = "/v1/recommendations/home_trending?key=pk_x"


def test_public_list_is_answered_from_the_cache(nginx: Nginx) -> None:
    answers = [nginx.get(LIST) for _ in range(100)]
    assert {status for status, _, _ in answers} == {200}
    assert [headers["x-cache"] for _, headers, _ in answers].count("HIT") == 99
    assert nginx.upstream.calls[LIST] == 1


def test_cold_stampede_costs_one_upstream_call(nginx: Nginx) -> None:
    nginx.upstream.delay_s = 0.2
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: nginx.get(LIST), range(200)))
    assert {body for _, _, body in answers} == {b"answer 1"}
    assert nginx.upstream.calls[LIST] == 1


def test_upstream_down_is_answered_with_the_last_copy(nginx: Nginx) -> None:
    nginx.upstream.cache_control = "public, s-maxage=1"
    nginx.get(LIST)
    outlast(2.1, "s-maxage=1; nginx counts whole seconds")
    nginx.upstream.status = 503
    status, headers, body = nginx.get(LIST)
    assert (status, body) == (200, b"answer 1")
    assert headers["x-cache"] in {"STALE", "UPDATING"}


def test_keys_do_not_share_a_cached_list(nginx: Nginx) -> None:
    nginx.get("/v1/recommendations/home?key=pk_a")
    nginx.get("/v1/recommendations/home?key=pk_b")
    assert nginx.upstream.calls.total() == 2


@pytest.mark.parametrize("header", ["Authorization", "X-Api-Key"])
def test_keys_in_headers_do_not_share_a_cached_list(nginx: Nginx, header: str) -> None:
    bodies = {nginx.get("/v1/recommendations/home", **{header: f"Bearer pk_{name}"})[2] for name in ("a", "b", "")}
    assert len(bodies) == 3


def test_a_head_is_answered_from_the_copy_of_the_get(nginx: Nginx) -> None:
    _, got, _ = nginx.get(LIST)
    status, headers, body = nginx.get(LIST, method="HEAD")
    assert [status, headers["x-cache"], headers["content-length"], body] == [200, "HIT", got["content-length"], b""]
    assert nginx.upstream.calls[LIST] == 1


def test_one_copy_is_sent_compressed_to_who_can_read_that(nginx: Nginx) -> None:
    nginx.upstream.size = 5_000
    plain = nginx.get(LIST)
    squeezed = [nginx.get(LIST, Accept_Encoding=accepted) for accepted in ("gzip", "gzip, deflate, br, zstd")]
    assert "content-encoding" not in plain[1]
    for _, headers, body in squeezed:
        assert [headers["content-encoding"], headers["vary"].lower()] == ["gzip", "accept-encoding"]
        assert gzip.decompress(body) == plain[2]
    assert nginx.upstream.calls[LIST] == 1, "however browsers spell what they accept"


def test_personal_answers_are_never_cached(nginx: Nginx) -> None:
    nginx.upstream.cache_control = "private, no-store"
    for _ in range(3):
        nginx.get(LIST)
        nginx.get("/v1/recommendations", method="POST")
    assert nginx.upstream.calls[LIST] == 3
    assert nginx.upstream.calls["/v1/recommendations"] == 3


def test_metrics_are_not_public(nginx: Nginx) -> None:
    assert nginx.get("/metrics")[0] == 404
    assert nginx.upstream.calls.total() == 0


def test_upstream_learns_the_client_and_cannot_be_told_another(nginx: Nginx) -> None:
    nginx.get("/v1/events")
    assert nginx.upstream.headers["x-forwarded-for"] == "127.0.0.1"


def test_no_location_loses_what_the_upstream_is_told(nginx: Nginx) -> None:
    for path in ("/v1/live", "/v1/events", LIST, "/r/v1/rec.js", "/v1/recommendations"):
        nginx.get(path, X_Forwarded_For="203.0.113.9")
        assert nginx.upstream.headers["x-forwarded-for"] == "127.0.0.1", path
        assert nginx.upstream.headers["host"] == f"127.0.0.1:{nginx.port}", path


def test_a_socket_is_upgraded(nginx: Nginx) -> None:
    nginx.get("/v1/live", Upgrade="websocket", Connection="upgrade")
    assert nginx.upstream.headers["upgrade"] == "websocket"
    assert nginx.upstream.headers["connection"].lower() == "upgrade"


def test_logs_hold_no_address_no_query_and_no_user(nginx: Nginx, tmp_path: Path) -> None:
    nginx.get(LIST)
    nginx.get("/v1/users/anna@shop.example/history")
    nginx.upstream.status = 503
    nginx.get("/v1/rank?key=sk_secret")
    wait_until(lambda: len((tmp_path / "access.log").read_text().splitlines()) >= 3, "three lines of the log")
    lines = (tmp_path / "access.log").read_text().splitlines()
    assert len(lines) == 3
    text = "\n".join(lines) + (tmp_path / "error.log").read_text()
    assert "/v1/users/- 200" in text
    for personal in ("127.0.0.1", "key=", "pk_x", "sk_secret", "anna"):
        assert personal not in text


SHOPPERS = [f"127.0.0.{number}" for number in range(2, 42)]


def test_a_shopper_s_lists_are_kept_by_one_process(tmp_path: Path, upstream: Upstream) -> None:
    with serving() as second:
        for nginx in nginx_before(tmp_path, upstream, [upstream.port, second.port]):
            at_first = {}
            for source in SHOPPERS:
                before = upstream.calls[PERSONAL]
                for _ in range(3):
                    assert nginx.get(PERSONAL, "POST", source=source)[0] == 200
                at_first[source] = upstream.calls[PERSONAL] - before

    assert set(at_first.values()) == {0, 3}, "some went to and fro, or one process had all"
    assert second.calls[PERSONAL] == 3 * list(at_first.values()).count(0)


def test_a_user_whose_process_is_down_is_answered_by_another(tmp_path: Path, upstream: Upstream) -> None:
    for nginx in nginx_before(tmp_path, upstream, [upstream.port, free_port()]):
        assert {nginx.get(PERSONAL, "POST", source=source)[0] for source in SHOPPERS} == {200}
