# SPDX-License-Identifier: MIT
"""What is stored, for how long, for whom; and what Cache-Status says of it."""

import os
import signal

import pytest

import harness


def counting(extra="", before=""):
    """A bundle whose pages say how many renders there were; extra: further fields of the returned object."""
    return ("let n = 0; globalThis.renderPage = (url, data, request) => { ++n; " + before +
            " return {body: 'render ' + n" + (", " + extra if extra else "") + "}; };")


QUIET = {"bundle": {"warmup": []}}


def test_first_is_a_miss_then_hot(ssrd):
    server = ssrd(counting(), QUIET)
    first, second = server.get("/p"), server.get("/p")
    assert "fwd=uri-miss" in first.cache and "stored" in first.cache
    assert "hit" in second.cache.replace(";", " ").split() and "detail=hot" in second.cache
    assert first.body == second.body and first["etag"] == second["etag"]
    assert int(second["age"]) >= 0


def test_cold_cache_outlives_a_worker(ssrd):
    server = ssrd(counting(), QUIET)
    body = server.get("/p").body
    old = server.workers()
    os.kill(old[0], signal.SIGKILL)
    server.await_new_worker(old)
    answer = server.get("/p")
    assert "detail=cold" in answer.cache and answer.body == body
    assert "detail=hot" in server.get("/p").cache


def test_if_none_match_gives_304_without_body(ssrd):
    server = ssrd(counting(), QUIET)
    etag = server.get("/p")["etag"]
    for condition in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        with server.connect() as client:
            answer = client.get("/p", headers={"If-None-Match": condition})
            assert (answer.status, answer["etag"]) == (304, etag), condition
            assert client.get("/p").status == 200, "the connection goes on right behind it"
    assert server.get("/p", headers={"If-None-Match": '"other"'}).status == 200


def test_page_is_gone_at_the_end_of_its_ttl(ssrd):
    server = ssrd(counting("cache: {ttl: 0.3}"), QUIET)
    first = server.get("/p").body
    stale = harness.until(lambda: (a := server.get("/p")).body != first and a, "a new render")
    assert "fwd=" in stale.cache and "hit" not in stale.cache.split("fwd")[0].replace(";", " ").split()


def test_ttl_counts_from_storing_in_cold_and_hot_alike(ssrd):
    server = ssrd(counting("cache: {ttl: 100}"), QUIET)
    server.get("/p")
    old = server.workers()
    os.kill(old[0], signal.SIGKILL)
    server.await_new_worker(old)
    from_cold, from_hot = server.get("/p"), server.get("/p")
    for answer in (from_cold, from_hot):
        ttl = int(answer.cache.split("ttl=")[1].split(";")[0].split(",")[0])
        assert 90 <= ttl + int(answer["age"]) <= 101 and ttl <= 100


@pytest.mark.parametrize("extra", [
    "cache: {ttl: 0}", "cache: {private: true}", "headers: {'set-cookie': 'a=b'}",
    "headers: {'cache-control': 'private'}", "headers: {'cache-control': 'no-store'}", "status: 302",
    "status: 500", "status: 503",
])
def test_never_stored(ssrd, extra):
    server = ssrd(counting(extra), QUIET)
    bodies = [server.get("/p").body for _ in range(3)]
    assert len(set(bodies)) == 3


@pytest.mark.parametrize("extra", ["status: 404", "status: 410", "status: 301", "headers: {'cache-control': 'max-age=60'}"])
def test_stored_by_default(ssrd, extra):
    server = ssrd(counting(extra), QUIET)
    assert server.get("/p").body == server.get("/p").body


def test_status_is_stored_when_listed(ssrd):
    server = ssrd(counting("status: 302"), {**QUIET, "cache": {"status": {302: "60s"}}})
    assert server.get("/p").body == server.get("/p").body


def test_page_that_read_cookies_is_never_shared(ssrd):
    server = ssrd(counting(before="request.headers.get('cookie');"), QUIET)
    first, second = (server.get("/p", headers={"Cookie": f"user={i}"}) for i in range(2))
    assert first.body != second.body
    assert "detail=read-cookie" in first.cache


def test_page_is_kept_by_the_cookie_that_the_key_names(ssrd):
    server = ssrd(counting(before="request.headers.get('cookie');"),
                  {**QUIET, "cache": {"key": {"cookies": ["theme"]}}})
    dark, light, again = (server.get("/p", headers={"Cookie": c}).body
                          for c in ("theme=dark; a=1", "theme=light", "b=2; theme=dark"))
    assert dark == again and dark != light


def test_requests_with_authorization_pass_the_cache(ssrd):
    server = ssrd(counting(), QUIET)
    plain = server.get("/p").body
    answer = server.get("/p", headers={"Authorization": "Basic x"})
    assert answer.body != plain and "fwd=bypass" in answer.cache
    assert server.get("/p").body == plain


def test_page_whose_render_read_a_header_is_kept_by_its_value(ssrd):
    server = ssrd("globalThis.renderPage = (url, data, request) => "
                  "request.headers.get('accept-language') + Math.random();", {**QUIET, "workers": 2})
    de = server.get("/p", headers={"Accept-Language": "de"})
    en = server.get("/p", headers={"Accept-Language": "en"})
    assert de.body != en.body and "stored" in de.cache
    assert de["vary"] == en["vary"] == "accept-language"
    for _ in range(10):
        assert server.get("/p", headers={"Accept-Language": "de"}).body == de.body
        assert server.get("/p", headers={"Accept-Language": "en"}).body == en.body
    assert server.admin("/purge", method="POST", body=b'{"urls": ["/p"]}').status == 200
    assert server.get("/p", headers={"Accept-Language": "de"}).body not in (de.body, en.body)
    assert server.get("/p", headers={"Accept-Language": "en"}).body not in (de.body, en.body)


def test_cache_vary_of_the_page_tells_variants_apart(ssrd):
    server = ssrd(counting("cache: {vary: ['x-device']}"), QUIET)
    phone, desk = (server.get("/p", headers={"X-Device": d}) for d in ("phone", "desk"))
    assert phone.body != desk.body and phone["vary"].lower() == "x-device"
    assert server.get("/p", headers={"X-Device": "phone"}).body == phone.body


def test_a_page_that_greets_by_cookie_is_nobody_elses(ssrd):
    """No Cache-Control, no configuration: each of two users is greeted by name, by either of two workers."""
    server = ssrd("globalThis.renderPage = (url, data, request) => "
                  "'hello ' + (/user=(\\w+)/.exec(request.headers.get('cookie') ?? '') ?? [0, 'stranger'])[1];",
                  {**QUIET, "workers": 2})
    for _ in range(20):
        for user in ("ann", "bob"):
            assert server.get("/", headers={"Cookie": f"user={user}"}).text == f"hello {user}"
        assert server.get("/").text == "hello stranger"


def test_header_named_in_the_key_is_shared_by_value_and_in_vary(ssrd):
    config = {**QUIET, "cache": {"key": {"headers": ["accept-language"]}}}
    server = ssrd(counting(before="request.headers.get('accept-language');"), config)
    de = server.get("/p", headers={"Accept-Language": "de"})
    en = server.get("/p", headers={"Accept-Language": "en"})
    assert "accept-language" in (de["vary"] or "").lower()
    assert de.body != en.body
    assert server.get("/p", headers={"Accept-Language": "de"}).body == de.body


def test_order_of_the_query_does_not_matter(ssrd):
    server = ssrd(counting(), QUIET)
    assert server.get("/p?a=1&b=2").body == server.get("/p?b=2&a=1").body
    assert server.get("/p?a=1&b=2").body != server.get("/p?a=1&b=3").body


@pytest.mark.parametrize("query, same", [("none", True), (["page"], True), ("all", False)])
def test_query_policy(ssrd, query, same):
    server = ssrd(counting(), {**QUIET, "cache": {"key": {"query": query}}})
    assert (server.get("/p?n=1").body == server.get("/p?n=2").body) == same


def test_route_overrides_the_ttl(ssrd):
    server = ssrd(counting(), {**QUIET, "routes": [{"match": "/account/*", "cache": {"ttl": 0}}]})
    assert server.get("/account/me").body != server.get("/account/me").body
    assert server.get("/other").body == server.get("/other").body


def test_host_is_part_of_the_key(ssrd):
    server = ssrd(counting(), QUIET)
    assert (server.get("/p", headers={"Host": "a.example"}).body !=
            server.get("/p", headers={"Host": "b.example"}).body)


def test_hot_cache_keeps_to_its_budget_and_cold_has_the_rest(ssrd):
    server = ssrd("globalThis.renderPage = (url) => url + 'x'.repeat(8000);", {**QUIET, "cache": {"hot": "64KiB"}})
    for i in range(50):
        server.get(f"/p{i}")
    assert server.status()["cache"]["hot"]["used_bytes"] <= 64 * 1024
    assert "detail=cold" in server.get("/p0").cache
    assert "detail=hot" in server.get("/p49").cache


def test_cold_cache_keeps_to_its_budget(ssrd):
    server = ssrd("globalThis.renderPage = (url) => url + 'x'.repeat(100000);",
                  {**QUIET, "cache": {"hot": "1MiB", "cold": "4MiB"}})
    for i in range(200):
        answer = server.get(f"/p{i}")
        assert answer.status == 200 and answer.text.startswith(f"/p{i}x")
    cold = server.status()["cache"]["cold"]
    assert cold["used_bytes"] <= 4 << 20 and cold["entries"] < 200


def test_page_above_max_object_is_served_but_not_stored(ssrd):
    server = ssrd("let n = 0; globalThis.renderPage = () => ++n + 'x'.repeat(20000);",
                  {**QUIET, "cache": {"max_object": "10KiB"}})
    assert server.get("/p").body[:1] != server.get("/p").body[:1]


def test_concurrent_misses_of_a_page_cause_one_render(ssrd):
    server = ssrd("let n = 0; globalThis.renderPage = () => new Promise(d => setTimeout(() => d('render ' + ++n), 50));",
                  QUIET)
    clients = [server.connect() for _ in range(10)]
    for client in clients:
        client.request("/p")
    answers = [client.answer() for client in clients]
    assert {a.body for a in answers} == {b"render 1"}
    assert sum("collapsed" in a.cache for a in answers) == 9


def test_head_is_answered_from_the_page_that_get_stored(ssrd):
    server = ssrd(counting(), QUIET)
    get, head = server.get("/p"), server.get("/p", method="HEAD")
    assert head.body == b"" and head["content-length"] == get["content-length"] and head["etag"] == get["etag"]
    assert "hit" in head.cache


def test_configured_headers_are_on_every_page(ssrd):
    server = ssrd(counting(), {**QUIET, "headers": {"x-content-type-options": "nosniff", "x-site": "one"}})
    for _ in range(2):
        answer = server.get("/p")
        assert (answer["x-content-type-options"], answer["x-site"]) == ("nosniff", "one")
