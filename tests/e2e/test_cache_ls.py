# SPDX-License-Identifier: MIT
"""ssrctl cache ls and cache get: what people and scripts are told of each entry."""

import os
import signal
import subprocess

import pytest

import harness

QUIET = {"warmup": []}
ODD_TAGS = """
globalThis.renderPage = (url) => {
    ssr.cache.set('a\\0b', 'm', {tags: ['a\\0b', 'a, b', '', 'ü', '\\x1b[31m', 'back\\\\slash', 'x'.repeat(3000)]});
    return {body: url, headers: {'surrogate-key': 'one two', 'cache-tag': 'big red,\\xff'}, cache: {tags: ['t']}};
};"""


def entries(server, *arguments):
    return {(e["kind"], e["url"] or e["key"]): e for e in server.ctl("cache", *arguments, json_output=True)}


def test_tags_of_pages_and_fragments_by_their_names(ssrd):
    server = ssrd(ODD_TAGS, {"bundle": QUIET})
    assert server.get("/a").status == 200
    found = entries(server, "ls")
    page, fragment = found["page", "/a"], found["fragment", "a\0b"]
    assert page["tags"] == ["one", "two", "big red", "\\xff", "t"]
    assert fragment["tags"] == ["a\0b", "a, b", "", "ü", "\x1b[31m", "back\\slash", "x" * 3000]
    assert entries(server, "get", "/a")["page", "/a"]["tags"] == page["tags"]
    head, *lines = server.ctl("cache", "ls").stdout.splitlines()
    assert head.split()[-2:] == ["url", "tags"]
    assert f"localhost/a  one,two,big\\x20red,\\xff,t" in "\n".join(lines)
    assert f"fragment a\\x00b  a\\x00b,a\\x2c\\x20b,,ü,\\x1b[31m,back\\slash,{'x' * 3000}" in "\n".join(lines)
    assert "tags    one,two,big\\x20red,\\xff,t\n" in server.ctl("cache", "get", "/a").stdout
    server.ctl("purge", "--tag", "big red")  # each of them purges, the odd as the others
    assert not server.ctl("cache", "get", "/a", check=False).stdout
    server.get("/a")
    server.ctl("purge", "--tag", fragment["tags"][-1])
    assert list(entries(server, "ls")) == [("page", "/a")]


def test_a_page_without_tags_shows_a_dash(ssrd):
    server = ssrd(harness.HELLO, {"bundle": QUIET})
    server.get("/a")
    assert server.ctl("cache", "ls").stdout.splitlines()[1].endswith("localhost/a  -")
    assert entries(server, "get", "/a")["page", "/a"]["tags"] == []


def test_tags_outlive_a_restart_and_a_second_encoding(ssrd, tmp_path):
    bundle = "globalThis.renderPage = (url) => ({body: url.repeat(2000), cache: {tags: ['one', 'two']}});"
    config = {"bundle": QUIET, "cache": {"cold": "4MiB", "file": str(tmp_path / "cache")}}
    server = ssrd(bundle, config)
    server.get("/a")
    server.get("/a", headers={"Accept-Encoding": "gzip"})  # the page is stored anew, with one variant more
    assert len(entries(server, "get", "/a")["page", "/a"]["variants"]) == 2
    assert entries(server, "ls")["page", "/a"]["tags"] == ["one", "two"]
    assert server.stop() == 0
    server = ssrd(bundle, config)
    assert entries(server, "ls")["page", "/a"]["tags"] == ["one", "two"]
    assert "hit" in server.get("/a").cache
    server.ctl("purge", "--tag", "two")
    assert "hit" not in server.get("/a").cache


def test_a_page_with_more_tags_than_can_be_kept_is_not_stored(ssrd):
    server = ssrd("""globalThis.renderPage = (url) => {
        const kept = ssr.cache.set('f', 'm', {tags: Array(64).fill('x'.repeat(300))});
        return {body: String(kept), headers: {'cache-tag': Array(64).fill('x'.repeat(url.length > 2 ? 300 : 200)).join()}}; };""",
                  {"bundle": QUIET, "http": {"max_header": "16KiB"}})
    small, large = server.get("/a"), server.get("/aa")
    assert "stored" in small.cache and "detail=tags" in large.cache, (small, large)
    assert small.text == "false"
    assert list(entries(server, "ls")) == [("page", "/a")]


def sums_agree(server, count):
    listed = server.ctl("cache", "ls", json_output=True)
    cold = server.ctl("cache", "stat", json_output=True)["cold"]
    assert len(listed) == cold["entries"] == count
    assert sum(entry["bytes"] for entry in listed) == cold["used_bytes"]


def test_stat_counts_what_ls_shows_whatever_was_purged(ssrd):
    server = ssrd("""globalThis.renderPage = (url, data, request) => {
        ssr.cache.set('menu', 'm', {tags: ['nav']});
        if (url.startsWith('/vary')) return url + request.headers.get('x-kind');
        return {body: url, headers: {link: '</a.css>; rel=preload; as=style'}, cache: {tags: ['t' + url]}}; };""",
                  {"workers": 2, "bundle": QUIET, "http": {"early_hints": True}})
    for path in ("/a", "/b", "/c/d", "/c/e", "/vary"):
        server.get(path)
    server.get("/vary", headers={"X-Kind": "one"})
    sums_agree(server, 12)  # six pages, the links of four, a fragment, and what /vary's two differ by
    kinds = {e["kind"]: e["hits"] for e in server.ctl("cache", "ls", json_output=True)}
    assert kinds == {"page": 0, "fragment": 0, "hints": 0, "variants": 0}
    for purge, left in ((["/a"], 11), (["--tag", "t/b"], 10), (["--tag", "nav"], 9), (["--prefix", "/c/"], 7), (["--all"], 0)):
        server.ctl("purge", *purge)
        sums_agree(server, left)


def test_entries_are_sorted_by_url_and_host(ssrd):
    server = ssrd(harness.HELLO, {"bundle": QUIET})
    for path in ("/c", "/a", "/b?x=2", "/b", "/b?x=10"):
        for host in ("two.example", "one.example"):
            server.get(path, headers={"Host": host})
    urls = [(e["url"], e["host"]) for e in server.ctl("cache", "ls", json_output=True)]
    assert urls == [(u, h) for u in ("/a", "/b", "/b?x=10", "/b?x=2", "/c") for h in ("one.example", "two.example")]
    assert [line.split()[-2] for line in server.ctl("cache", "ls").stdout.splitlines()[1:]] == [h + u for u, h in urls]


def test_thousands_of_entries_and_a_reader_that_leaves(ssrd):
    server = ssrd("globalThis.renderPage = (url) => { for (let i = 0; i < 10100; i++) ssr.cache.set('f' + i, ''); return url; };",
                  {"bundle": QUIET})
    server.get("/page")
    whole = server.ctl("cache", "ls")
    assert len(whole.stdout.splitlines()) == 10001
    assert whole.stderr == "ssrctl: there are more; narrow it with --prefix\n"
    assert len(server.ctl("cache", "ls", json_output=True)) == 10000
    page = server.ctl("cache", "ls", "--prefix", "/")
    assert len(page.stdout.splitlines()) == 2 and page.stderr == ""
    with subprocess.Popen([harness.SSRCTL, "-s", server.control, "cache", "ls"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as leaving:
        assert leaving.stdout.readline().startswith(b"status")
        leaving.stdout.close()
        assert leaving.stderr.read() == b"ssrctl: there are more; narrow it with --prefix\n"  # and no more
        assert leaving.wait(harness.PATIENCE_S) in (0, 1)  # it may have written all before
    assert server.get("/page").cache


def test_an_empty_cache(ssrd):
    server = ssrd(harness.HELLO, {"bundle": QUIET})
    assert server.ctl("cache", "ls", json_output=True) == []
    listed = server.ctl("cache", "ls")
    assert (listed.stdout, listed.stderr) == ("", "")
    absent = server.ctl("cache", "get", "/none", check=False)
    assert (absent.returncode, absent.stdout, absent.stderr) == (1, "", "ssrctl: not in the cold cache\n")
    stat = server.ctl("cache", "stat", json_output=True)
    assert stat["cold"]["entries"] == stat["cold"]["used_bytes"] == stat["hot"]["entries"] == 0


def hits(server):
    """[(path, hits)] of the pages listed."""
    return sorted((e["url"], e["hits"]) for e in server.ctl("cache", "ls", json_output=True) if e["kind"] == "page")


def ask_on(server, connections, path, times, **options):
    """times requests, over connections that all stay open, so that each worker has some."""
    clients = [server.connect() for _ in range(connections)]
    for i in range(times):
        assert clients[i % connections].get(path, **options).status in (200, 304)
    for client in clients:
        client.close()


def test_hits_of_all_workers_are_one_number(ssrd):
    server = ssrd("globalThis.renderPage = (url) => url.repeat(500);", {"workers": 2, "bundle": QUIET})
    server.get("/a")
    server.get("/b")
    assert hits(server) == [("/a", 0), ("/b", 0)]
    count = 0

    def both_have_answered():  # which of them accepts a connection is the kernel's choice
        nonlocal count
        ask_on(server, 40, "/a", 200)
        count += 200
        assert hits(server) == [("/a", count), ("/b", 0)]  # at once: nobody waits for a timer
        return min(w["requests"] for w in server.status()["workers"]) > 1
    harness.until(both_have_answered, "two workers' answers")
    etag = server.get("/a")["etag"]
    ask_on(server, 4, "/a", 10, headers={"If-None-Match": etag})
    ask_on(server, 4, "/a", 10, method="HEAD")
    ask_on(server, 4, "/a", 10, headers={"Accept-Encoding": "br"})
    ask_on(server, 4, "/a", 10, headers={"Accept-Encoding": "gzip"})
    count += 41
    assert hits(server) == [("/a", count), ("/b", 0)]  # all encodings are one entry
    assert entries(server, "get", "/a")["page", "/a"]["hits"] == count
    assert f"hits    {count:,}\n" in server.ctl("cache", "get", "/a").stdout
    head, *lines = server.ctl("cache", "ls", "--prefix", "/a").stdout.splitlines()
    assert lines[0].split()[head.split().index("hits") + 2] == f"{count:,}"  # a size and a time of two words before it


def test_hits_survive_workers_and_hot_caches(ssrd):
    """Pages that hot caches have no room for; each worker's death, one after the other, takes none of the hits."""
    server = ssrd("globalThis.renderPage = (url) => url.repeat(12000);", {
        "workers": 2, "bundle": QUIET, "cache": {"hot": "128KiB"}, "compression": {"encodings": []}})
    paths = [f"/{letter}" for letter in "abcdefghi"]
    for path in paths * 6:
        server.get(path)
    harness.until(lambda: server.ctl("cache", "stat", json_output=True)["hot"]["evictions"] > 0, "evictions to be told of")
    counted = [(path, 5) for path in paths]
    assert hits(server) == counted
    for _ in range(2):
        old = server.workers()
        os.kill(old[0], signal.SIGKILL)
        server.await_new_worker(old)
        assert hits(server) == counted
    ask_on(server, 20, "/a", 20)
    assert hits(server) == [("/a", 25), *counted[1:]]


@pytest.mark.parametrize("end", ["stop", "drain"])
def test_hits_survive_a_restart(ssrd, tmp_path, end):
    config = {"workers": 2, "bundle": QUIET, "cache": {"cold": "4MiB", "file": str(tmp_path / "cache")}}
    server = ssrd(harness.HELLO, config)
    server.get("/a")
    ask_on(server, 20, "/a", 50)
    server.ctl(end)
    server.wait()
    server = ssrd(harness.HELLO, config)
    assert hits(server) == [("/a", 50)]
    server.get("/a")
    assert hits(server) == [("/a", 51)]


def test_hits_begin_anew_with_the_page_and_include_stale_answers(ssrd):
    server = ssrd("let n = 0; globalThis.renderPage = (url) => ({body: url + ++n, cache: {ttl: 300}});",
                  {"bundle": QUIET, "cache": {"sie": "1h"}})
    for _ in range(4):
        server.get("/a")
    assert hits(server) == [("/a", 3)]
    server.ctl("purge", "/a")
    assert hits(server) == []
    server.get("/a")
    assert hits(server) == [("/a", 0)]


def test_hits_of_what_varies_are_counted_apart(ssrd):
    server = ssrd("globalThis.renderPage = (url, data, request) => url + request.headers.get('x-kind');", {"bundle": QUIET})
    for kind, times in (("one", 3), ("two", 6)):
        for _ in range(times):
            server.get("/a", headers={"X-Kind": kind})
    assert hits(server) == [("/a", 2), ("/a", 5)]
    text = [line.split("localhost")[1] for line in server.ctl("cache", "ls").stdout.splitlines()[1:]]
    assert text == ["/a (what its variants differ by)  -", "/a (x-kind=one)  -", "/a (x-kind=two)  -"]


def test_hits_of_fragments(ssrd):
    server = ssrd("""globalThis.renderPage = (url) => {
        for (const key of ['menu', 'foot']) ssr.cache.get(key) ?? ssr.cache.set(key, 'm');
        return {body: ssr.cache.get('menu'), cache: {ttl: 0}}; };""", {"workers": 2, "bundle": QUIET})
    ask_on(server, 10, "/a", 10)
    found = entries(server, "ls")
    assert (found["fragment", "menu"]["hits"], found["fragment", "foot"]["hits"]) == (19, 9)
    stat = server.ctl("cache", "stat", json_output=True)
    assert stat["fragments"]["hit"] == 28
